//! Faults of processes: killed, stopped, told to end, starved of what they need.

use std::process::Command;
use std::time::{Duration, Instant};

use test_support::{Manner, Process, program, wait_until};

use crate::broker_way::BrokerWay;
use crate::durable_way::DurableWay;
use crate::fault::{Fault, Must};
use crate::hub_way::HubWay;
use crate::stream::{Stream, Wired};
use crate::trial::Trial;

/// A fault comes within this time behind the one before.
const PAUSE_MAX: Duration = Duration::from_millis(300);
/// How long a killed process is away.
const AWAY_MAX: Duration = Duration::from_millis(300);
/// On a wire that is late something is under way at every instant.
const LATE: Manner = Manner {
    write_bytes: None,
    jitter: Duration::from_millis(20),
    bytes_a_second: None,
    bytes_in_all: None,
};
/// The drain time and 2 s for the rest: within it a module that is told to end has ended.
const END: Duration = Duration::from_secs(7);
/// The broker writes down what it knows at every so many changes, and not before it acknowledges:
/// what the module meets is a stale state.
const PERSISTENT: &str = "autosave_interval 200\nautosave_on_changes true\n";
const FORGETFUL: &str = "persistence false\n";
/// Acknowledged, and perhaps not written down.
const IN_DOUBT: u64 = 1_000;

pub(crate) fn faults() -> Vec<Fault> {
    let row = |name, what, run| Fault { name, what, must: Must::default(), is_alone: false, run };
    vec![
        row(
            "process/module-killed",
            "SIGKILL of the module, also with what is on its wire",
            module_killed::<HubWay>,
        ),
        row("process/module-killed-broker", "the same at a broker", module_killed::<BrokerWay>),
        row("process/hub-killed", "SIGKILL of `loadgen hub --durable`", hub_killed),
        row("process/broker-killed", "SIGKILL of Mosquitto with persistence", broker_killed),
        row("process/broker-forgets", "SIGKILL of Mosquitto without persistence", broker_forgets),
        row("process/module-ends", "SIGTERM of the module under load", module_ends::<HubWay>),
        row("process/module-ends-broker", "the same at a broker", module_ends::<BrokerWay>),
        row(
            "process/ends-at-each-stage",
            "SIGTERM behind any byte of a connection",
            stages::<HubWay>,
        ),
        row("process/ends-at-each-stage-broker", "the same at a broker", stages::<BrokerWay>),
        row("process/module-stopped", "SIGSTOP of the module for 30 s", module_stopped::<HubWay>),
        row("process/module-stopped-broker", "the same at a broker", module_stopped::<BrokerWay>),
        row("process/hub-stopped", "SIGSTOP of the hub for 30 s", hub_stopped),
        row("process/broker-stopped", "SIGSTOP of Mosquitto for 30 s", broker_stopped),
        row("process/descriptors", "a limit of open files from 5 up", descriptors),
    ]
}

/// Kills or ends something again and again, with messages under way at each instant.
fn again_and_again<W: Wired>(
    trial: &mut Trial,
    way: W,
    times: (usize, usize),
    mut inject: impl FnMut(&mut Stream<W>, &mut Trial),
) -> W {
    way.wire().pass_by(LATE);
    let mut stream = Stream::new(way, trial);
    for _ in 0..trial.either(times.0, times.1) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, &mut inject);
    }
    let mut way = stream.finish(trial);
    trial.observe(way.module());
    way
}

fn module_killed<W: Wired>(trial: &mut Trial) {
    again_and_again(trial, W::start(), (10, 100), |stream, trial| {
        trial.observe(stream.way.module());
        // As often as not its machine dies with it, and what is on the wire.
        if trial.random.bool() {
            stream.way.wire().reset();
        }
        stream.way.module().kill();
        let away = trial.moment(AWAY_MAX);
        stream.run_for(away);
        stream.way.start_module();
    });
}

fn hub_killed(trial: &mut Trial) {
    again_and_again(trial, DurableWay::start(), (10, 100), |stream, trial| {
        stream.way.hub.kill();
        let away = trial.moment(AWAY_MAX);
        stream.run_for(away);
        stream.way.restart_hub();
    });
}

fn broker_killed(trial: &mut Trial) {
    let mut way = BrokerWay::start_with(PERSISTENT);
    way.is_stale_when_killed = true;
    kill_brokers(trial, way);
}

fn broker_forgets(trial: &mut Trial) {
    kill_brokers(trial, BrokerWay::start_with(FORGETFUL));
}

fn kill_brokers(trial: &mut Trial, mut way: BrokerWay) {
    way.in_doubt = IN_DOUBT;
    again_and_again(trial, way, (10, 100), |stream, _| {
        stream.way.restart_broker();
    });
}

fn module_ends<W: Wired>(trial: &mut Trial) {
    again_and_again(trial, W::start(), (10, 100), |stream, trial| {
        trial.observe(stream.way.module());
        end(stream);
        let away = trial.moment(AWAY_MAX);
        stream.run_for(away);
        stream.way.start_module();
    });
}

/// SIGTERM: it ends in time, well, and says what it did; the stream goes on meanwhile.
#[track_caller]
fn end<W: Wired>(stream: &mut Stream<W>) {
    let told = Instant::now();
    stream.way.module().signal("TERM");
    stream.run_until("the module ends", |stream| !stream.way.module().is_running());
    assert!(told.elapsed() < END, "it ended only {:?} behind SIGTERM", told.elapsed());
    let module = stream.way.module();
    assert_eq!(module.wait_for_exit().code(), Some(0));
    assert_eq!(module.count("stopped: "), 1, "{:?}", module.lines());
}

/// Each connection passes so many bytes and then nothing: somewhere in the handshake of TLS, before
/// or behind CONNACK, SUBACK or the first twin document, or among messages.
fn stages<W: Wired>(trial: &mut Trial) {
    let mut stream = Stream::new(W::start(), trial);
    for stage in 0..trial.either(12, 200) {
        stream.inject(trial, |stream, trial| {
            // Every second one in the first 4,000 bytes, where a connection begins.
            let most = if stage % 2 == 0 { 4_000 } else { 40_000 };
            let bytes = trial.random.u64(0..most);
            end(stream);
            let wire = stream.way.wire();
            wire.pass_by(Manner { bytes_in_all: Some(bytes), ..Manner::default() });
            let before = (wire.connections(), wire.passed_bytes());
            stream.way.start_module();
            stream.run_until("the connection stands still", |stream| {
                let wire = stream.way.wire();
                wire.connections() > before.0 && wire.passed_bytes() >= before.1 + bytes
            });
            wait_until("it hears signals", || stream.way.module().catches_sigterm());
            end(stream);
            stream.way.wire().pass();
            stream.way.start_module();
        });
    }
    stream.finish(trial);
}

fn module_stopped<W: Wired>(trial: &mut Trial) {
    stop(trial, W::start(), |way| way.module().id());
}

fn hub_stopped(trial: &mut Trial) {
    stop(trial, DurableWay::start(), |way| way.hub.id());
}

fn broker_stopped(trial: &mut Trial) {
    stop(trial, BrokerWay::start(), |way| way.mosquitto.process().id());
}

fn stop<W: Wired>(trial: &mut Trial, way: W, id: impl Fn(&mut W) -> u32) {
    let time = trial.either(Duration::from_secs(9), Duration::from_secs(30));
    again_and_again(trial, way, (1, 5), |stream, _| {
        let id = id(&mut stream.way);
        signal(id, "STOP");
        stream.run_for(time);
        signal(id, "CONT");
    });
}

fn signal(id: u32, name: &str) {
    let kill = format!("kill -{name} {id}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
}

/// With too few descriptors a module says so and ends with a documented code, or tries again; with
/// enough it works. It neither panics nor hangs.
fn descriptors(trial: &mut Trial) {
    let mut stream = Stream::new(HubWay::start(), trial);
    let mut works = 0;
    for limit in 5..=trial.either(24, 64) {
        stream.inject(trial, |stream, _| {
            end(stream);
            let module = limited(&stream.way.command(), limit);
            stream.run_until("it has ended, tries again, or is connected", |_| {
                ["connected to ", "next attempt in "].iter().any(|text| module.count(text) > 0)
                    || !module.is_running()
            });
            works += usize::from(module.count("connected to ") > 0);
            check_end(module, limit);
            stream.way.start_module();
        });
    }
    assert!(works > 0, "no limit was enough");
    stream.finish(trial);
}

#[track_caller]
fn check_end(mut module: Process, limit: u64) {
    if module.is_running() {
        module.signal("TERM");
    }
    let code = module.wait_for_exit().code();
    let lines = module.lines();
    assert!(matches!(code, Some(0 | 64 | 71)), "{limit} descriptors: {code:?}, {lines:?}");
    assert!(!lines.is_empty(), "{limit} descriptors: not a word");
    assert!(!lines.iter().any(|line| line.contains("panicked")), "{limit}: {lines:?}");
}

fn limited(command: &Command, limit: u64) -> Process {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]);
    shell.arg(program("sluicegate")).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Process::spawn("sluicegate", &mut shell)
}
