//! What a hub has acknowledged, and how much of it a killed one loses: nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Result};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::mqttbytes::v4::Packet;
use rustix::process::Signal;
use serde_json::Value;
use test_support::Client;

use crate::support::{PATIENCE, RunningHub, file, wait_for};

mod client;

use client::Module;

/// What `source` sends to `in` goes to `sink`, to `up` upstream, to `both` there and there.
const MANIFEST: &str = concat!(
    r#"{"modulesContent": {
    "$edgeAgent": {"properties.desired": {"modules": {
      "source": {"settings": {"image": "x"}}, "sink": {"settings": {"image": "x"}}}}},
    "$edgeHub": {"properties.desired": {"routes": {
      "a": "FROM /messages/modules/source/outputs/in INTO "#,
    r#"BrokeredEndpoint(\"/modules/sink/inputs/i\")",
      "b": "FROM /messages/modules/source/outputs/up INTO $upstream",
      "c": "FROM /messages/modules/source/outputs/both INTO "#,
    r#"BrokeredEndpoint(\"/modules/sink/inputs/i\")",
      "d": "FROM /messages/modules/source/outputs/both INTO $upstream"}}}}}"#
);

const OUTPUTS: [&str; 3] = ["in", "up", "both"];
/// Messages that one sender has under way.
const WINDOW: usize = 64;
/// Messages that it sends before it looks for answers, some milliseconds each time.
const BURST: usize = 4;
const KILLS: u64 = 20;

type Numbers = Arc<Mutex<BTreeMap<u64, u64>>>;

fn note(numbers: &Numbers, number: u64) {
    *numbers.lock().unwrap().entry(number).or_default() += 1;
}

fn missing(of: &BTreeSet<u64>, numbers: &Numbers) -> Vec<u64> {
    let numbers = numbers.lock().unwrap();
    of.iter().filter(|n| !numbers.contains_key(n)).copied().collect()
}

/// What a sender has sent, and for what it has a PUBACK.
#[derive(Default)]
struct Ledger {
    next: u64,
    open: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
}

impl Ledger {
    fn acknowledged_at(&self, outputs: &[usize]) -> BTreeSet<u64> {
        let is_there = |n: &&u64| outputs.contains(&usize::try_from(**n % 3).unwrap());
        self.acknowledged.iter().filter(is_there).copied().collect()
    }
}

/// Publishes a few hundred messages a second until it is told to stop, whatever becomes of the hub.
fn send(module: &Module, stop: &AtomicBool) -> Ledger {
    let mut ledger = Ledger::default();
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut client) = module.connect() {
            // An error is the hub's end; what is open goes out again.
            let _ = send_over(&mut client, module, stop, &mut ledger);
        }
    }
    ledger
}

fn send_over(
    client: &mut Client,
    module: &Module,
    stop: &AtomicBool,
    ledger: &mut Ledger,
) -> Result<()> {
    let mut ids = BTreeMap::new();
    let mut again: Vec<u64> = ledger.open.iter().copied().collect();
    again.reverse();
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..BURST.min(WINDOW - ids.len()) {
            let number = again.pop().unwrap_or(ledger.next);
            ledger.next = ledger.next.max(number + 1);
            ledger.open.insert(number);
            let output = OUTPUTS[usize::try_from(number % 3).unwrap()];
            let id = client.post(&module.output(output), number.to_string().as_bytes())?;
            ids.insert(id, number);
        }
        while let Some(packet) = client.receive(Duration::from_millis(2))? {
            let Packet::PubAck(ack) = packet else { panic!("{packet:?}") };
            let (first, number) = ids.pop_first().unwrap();
            assert_eq!(ack.pkid, first, "PUBACKs come in the order of their publishes");
            ledger.open.remove(&number);
            ledger.acknowledged.insert(number);
        }
    }
    Ok(())
}

/// Takes inputs until the connection ends or it is told to stop.
fn receive(mut client: Client, numbers: &Numbers, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        if let Some(Packet::Publish(publish)) = client.receive(Duration::from_millis(50))? {
            note(numbers, std::str::from_utf8(&publish.payload).unwrap().parse().unwrap());
            client.acknowledge(publish.pkid)?;
        }
    }
    Ok(())
}

/// A monitor whose messages are noted until the hub ends.
fn monitor(hub: &RunningHub, numbers: &Numbers) -> Child {
    let mut command = hub.command(&["monitor", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (lines, numbers) = (BufReader::new(child.stdout.take().unwrap()).lines(), numbers.clone());
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let message: Value = serde_json::from_str(&line).unwrap();
            note(&numbers, message["body"]["text"].as_str().unwrap().parse().unwrap());
        }
    });
    child
}

fn kill(hub: &mut RunningHub) {
    hub.send(Signal::KILL);
    hub.wait();
}

/// Killed at any moment, with and without receivers, a hub delivers all that it has acknowledged.
#[test]
fn a_killed_hub_loses_nothing_that_it_has_acknowledged() {
    let seed = std::env::var("DURABLE_SEED").ok().map(|seed| seed.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed.unwrap_or_else(|| fastrand::u64(..)));
    println!("DURABLE_SEED={}", random.get_seed());
    let (_folder, manifest) = file("deployment.json", MANIFEST);
    let args = ["--manifest", &manifest, "--window", "100"];
    let mut hub = RunningHub::start(&args);
    let listen = format!("127.0.0.1:{}", hub.port);
    let args = [&args[..], &["--listen", &listen]].concat();
    let (source, sink) = (Module::of(&hub, "source"), Module::of(&hub, "sink"));
    let (inputs, upstream) = (Numbers::default(), Numbers::default());
    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || send(&source, &stop))
    };
    for round in 0..KILLS {
        let mut watching = None;
        std::thread::scope(|scope| {
            // In every third round messages wait for receivers.
            if round % 3 > 0 {
                let client = sink.listen().unwrap();
                let (inputs, stop) = (&inputs, &stop);
                scope.spawn(move || receive(client, inputs, stop));
                watching = Some(monitor(&hub, &upstream));
            }
            std::thread::sleep(Duration::from_millis(random.u64(50..1000)));
            kill(&mut hub);
        });
        if let Some(mut monitor) = watching {
            monitor.wait().unwrap();
        }
        hub.restart(&args);
    }
    stop.store(true, Ordering::Relaxed);
    let ledger = sender.join().unwrap();
    stop.store(false, Ordering::Relaxed);
    let mut monitor = monitor(&hub, &upstream);
    let (for_sink, for_upstream) =
        (ledger.acknowledged_at(&[0, 2]), ledger.acknowledged_at(&[1, 2]));
    std::thread::scope(|scope| {
        let client = sink.listen().unwrap();
        scope.spawn(|| receive(client, &inputs, &stop));
        let done = || missing(&for_sink, &inputs).len() + missing(&for_upstream, &upstream).len();
        let deadline = std::time::Instant::now() + PATIENCE;
        while done() > 0 && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let _ = monitor.kill();
    let _ = monitor.wait();
    let again = |numbers: &Numbers| numbers.lock().unwrap().values().map(|n| n - 1).sum::<u64>();
    println!(
        "{} acknowledged, {} inputs and {} messages upstream came again",
        ledger.acknowledged.len(),
        again(&inputs),
        again(&upstream)
    );
    assert!(ledger.acknowledged.len() > 500, "{}", ledger.acknowledged.len());
    assert_eq!(missing(&for_sink, &inputs), Vec::<u64>::new(), "inputs");
    assert_eq!(missing(&for_upstream, &upstream), Vec::<u64>::new(), "upstream");
}

fn publish(client: &mut Client, topic: &str, body: &str) {
    let id = client.post(topic, body.as_bytes()).unwrap();
    match client.receive(PATIENCE).unwrap() {
        Some(Packet::PubAck(ack)) => assert_eq!(ack.pkid, id),
        other => panic!("no PUBACK: {other:?}"),
    }
}

/// What a hub that is not durable has acknowledged ends with it, and a durable one in its place
/// has nothing to say; in the other order the messages stay for the next durable hub.
#[test]
fn a_hub_that_is_not_durable_keeps_nothing() {
    let (_folder, manifest) = file("deployment.json", MANIFEST);
    for (first, second, third, found) in [
        ("--durable=true", "--durable", "--durable", vec!["0", "1", "2"]),
        ("--durable=true", "--durable=false", "--durable=true", vec!["0", "1", "2"]),
        ("--no-durable", "--durable=true", "--durable", vec![]),
        ("--durable=false", "--durable=true", "--durable", vec![]),
    ] {
        let mut hub = RunningHub::start(&["--manifest", &manifest, first]);
        let source = Module::of(&hub, "source");
        let mut client = source.connect().unwrap();
        (0..3).for_each(|n| publish(&mut client, &source.output("both"), &n.to_string()));
        kill(&mut hub);
        hub.restart(&["--manifest", &manifest, second]);
        kill(&mut hub);
        hub.restart(&["--manifest", &manifest, third]);
        let sink = Module::of(&hub, "sink");
        let mut client = sink.listen().unwrap();
        let mut bodies = Vec::new();
        while bodies.len() < found.len() {
            if let Some(Packet::Publish(publish)) = client.receive(PATIENCE).unwrap() {
                bodies.push(String::from_utf8(publish.payload.to_vec()).unwrap());
                client.acknowledge(publish.pkid).unwrap();
            }
        }
        assert_eq!(client.receive(Duration::from_millis(100)).unwrap(), None);
        assert_eq!(bodies, found, "{first} {second}");
        let (code, out, err) = if found.is_empty() {
            continue;
        } else {
            hub.run(&["monitor", "--count", "3"])
        };
        assert_eq!((code, out.lines().count()), (0, 3), "{err}");
        assert!(err.contains("3 that no monitor has shown yet first"), "{err}");
        // Shown and acknowledged, they are gone, once the hub has heard of it.
        wait_for("nothing is unread", || {
            !hub.run(&["monitor", "--count", "0"]).2.contains("no monitor has shown yet")
        });
        let file = std::path::Path::new(hub.state()).join("messages.redb");
        hub.send(Signal::TERM);
        hub.wait();
        wait_for("the file is gone", || !file.exists());
    }
}

/// Where files can grow no further, as on a full disk: no PUBACK, and the log says why.
#[test]
fn a_full_disk_gives_no_puback() {
    let (_folder, manifest) = file("deployment.json", MANIFEST);
    let args = ["--manifest", &manifest];
    // In units of 512 or 1024 bytes, as the shell counts: none for the file, some, much.
    for limit in [8, 4096, 16_384] {
        let (hub, log) = RunningHub::start_logged(&format!("ulimit -f {limit}"), &args);
        let source = Module::of(&hub, "source");
        let mut client = source.connect().unwrap();
        let body = "x".repeat(100_000);
        let mut sent = 0;
        let mut acknowledged = 0;
        while sent < 400 && sent - acknowledged < 10 {
            client.post(&source.output("in"), body.as_bytes()).unwrap();
            sent += 1;
            while let Some(Packet::PubAck(_)) = client.receive(Duration::from_millis(50)).unwrap() {
                acknowledged += 1;
            }
        }
        assert!(sent < 400, "the limit is not felt");
        let room = limit * 1024 / body.len();
        assert!(acknowledged <= room, "{acknowledged} on a disk for {room}");
        wait_for("a line in the log", || {
            log.lock().unwrap().iter().any(|line| {
                line.contains("get no PUBACK") && line.contains("messages.redb cannot be written")
            })
        });
        // It serves on, and a receiver that takes what waits gives its sender the PUBACK.
        assert_eq!(hub.run(&["twin", "get", "sink"]).0, 0);
        let sink = Module::of(&hub, "sink");
        let mut receiver = sink.listen().unwrap();
        let mut received = 0;
        while received < sent {
            if let Some(Packet::Publish(publish)) = receiver.receive(PATIENCE).unwrap() {
                receiver.acknowledge(publish.pkid).unwrap();
                received += 1;
            }
        }
        while acknowledged < sent {
            assert!(matches!(client.receive(PATIENCE).unwrap(), Some(Packet::PubAck(_))));
            acknowledged += 1;
        }
    }
}
