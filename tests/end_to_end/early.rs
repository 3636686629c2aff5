//! A hub, and a broker, that lose a CONNECT which comes with the end of the TLS handshake, as
//! edgeHub 1.6.0 and 1.6.1 do: each client gets through, and is not delayed again.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use loadgen_hub::HubFault;

use crate::broker;
use crate::harness::{Gateway, MODULE, Mosquitto, Process, Scene, numbered, numbers, wait_until};
use crate::sensor;

/// What is said once when a peer is found to lose CONNECT.
const FOUND: &str = "loses a CONNECT that comes with the end of the TLS handshake";
/// How long a wire waits for more; shorter than CONNECT is held back without any answer.
const GATHER: Duration = Duration::from_millis(20);

/// How long a client holds CONNECT back without any answer.
const HOLD_BACK: Duration = Duration::from_millis(50);

/// A wire to a server that gathers what clients say within [`GATHER`], so that what belongs
/// together arrives together.
///
/// It promises no time where the machine does not: on a connection that it was late for, what the
/// client sent apart may have come together. It counts these, and no loss on another is excused.
struct Wire {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    late: Arc<AtomicU64>,
    listener: Option<JoinHandle<()>>,
}

impl Wire {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicU64::new(0));
        let (ended, count) = (Arc::clone(&over), Arc::clone(&late));
        let listener = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (said, late) = (Arc::new(Mutex::new(Instant::now())), Arc::clone(&count));
                let heard = Arc::clone(&said);
                // They end with their connections.
                std::thread::spawn(move || forwards(client, server, &heard, &late));
                std::thread::spawn(move || backwards(back.0, back.1, &said));
            }
        });
        Self { address, over, late, listener: Some(listener) }
    }

    fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// Connections on which it, or the server, was late.
    fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener; when it has ended already there is nobody to wake.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.listener.take() {
            let _ = thread.join();
        }
    }
}

/// What the client says. Its second word ends the handshake, and its third is a CONNECT that it has
/// held back: each follows what the server `said` last at once, or when [`HOLD_BACK`] is over.
fn forwards(mut from: TcpStream, mut to: TcpStream, said: &Mutex<Instant>, late: &AtomicU64) {
    let mut bytes = vec![0; 64 * 1024];
    let mut is_late = false;
    for word in 1.. {
        let Ok(1..) = from.peek(&mut bytes) else { break };
        std::thread::sleep(GATHER);
        let Ok(count) = from.read(&mut bytes) else { break };
        if matches!(word, 2 | 3) && !is_late && said.lock().unwrap().elapsed() >= HOLD_BACK {
            late.fetch_add(1, Ordering::Relaxed);
            is_late = true;
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// What the server says, and when it `said` that.
fn backwards(mut from: TcpStream, mut to: TcpStream, said: &Mutex<Instant>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        *said.lock().unwrap() = Instant::now();
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn faulty_hub() -> Scene {
    Scene::start_with(|config| config.fault = Some(HubFault::EarlyConnect))
}

/// Cuts the connection of `identity` again and again: it comes back, and nothing more is lost.
#[track_caller]
fn check_that_it_is_remembered(scene: &Scene, wire: &Wire, identity: &str, process: &Process) {
    for _ in 0..3 {
        let before = scene.hub.counters().connects;
        assert!(scene.hub.drop_connection(identity));
        wait_until("the connection is made again", || scene.hub.counters().connects > before);
    }
    let lost = scene.hub.counters().early_lost;
    assert!((1..=1 + wire.late()).contains(&lost), "{lost} lost, {} late", wire.late());
    assert_found_once(wire, process);
}

/// The peer was found to lose CONNECT once, and no CONNECT was lost again.
#[track_caller]
fn assert_found_once(wire: &Wire, process: &Process) {
    assert_eq!(process.count(FOUND), 1);
    let again = process.count("no CONNACK") as u64;
    assert!(again <= wire.late(), "{again} lost again, {} late", wire.late());
}

#[test]
fn the_module_gets_through_to_a_hub_that_loses_an_early_connect() {
    let scene = faulty_hub();
    let wire = Wire::to(scene.hub.address().port());
    let mut command = scene.command();
    let module = Process::spawn("sluicegate", command.env("SLUICEGATE_GATEWAY_PORT", wire.port()));
    scene.wait_until_subscribed(&module);
    module.wait_for_line(&[FOUND, "localhost", &wire.port(), "TLS 1.3", "sluicegate 0."]);
    scene.deliver(vec![numbered(1, 99)]);
    assert_eq!(numbers(&scene.take(1)), [1]);
    check_that_it_is_remembered(&scene, &wire, MODULE, &module);
}

/// Beside such a hub a broker over TLS works as ever, and its messages leave by the hub.
#[test]
fn beside_a_broker_the_hub_that_loses_an_early_connect_is_reached() {
    let (scene, mosquitto) = (faulty_hub(), Mosquitto::start());
    let wire = Wire::to(scene.hub.address().port());
    let mut command = scene.command();
    command
        .args(["--broker", &format!("mqtts://localhost:{}", mosquitto.tls_port())])
        .env("SLUICEGATE_BROKER_CA", mosquitto.file("ca.pem"))
        .env("SLUICEGATE_GATEWAY_PORT", wire.port());
    let module = broker::start(&mosquitto, &mut command, &[broker::SENSORS]);
    scene.wait_until_subscribed(&module);
    let mut sensors = broker::client::Client::connect(&mosquitto);
    sensors.publish_all([("sensors/a".to_owned(), broker::body(1, 99))]);
    assert_eq!(scene.take(1).len(), 1);
    check_that_it_is_remembered(&scene, &wire, MODULE, &module);
}

/// Both connections to a broker share what one of them has learnt.
#[test]
fn a_broker_that_loses_an_early_connect_is_reached() {
    let gateway = Gateway::losing_early();
    let wire = Wire::to(gateway.port());
    let mut command = broker::command(&format!("mqtts://localhost:{}", wire.port()), &[]);
    let module = Process::spawn("sluicegate", command.env("SLUICEGATE_BROKER_CA", gateway.ca()));
    // The gateway leaves after SUBSCRIBE: two connections, again and again.
    wait_until("both are there again and again", || gateway.accepted.len() >= 6);
    assert_found_once(&wire, &module);
}

/// Registration and hub are one endpoint here: what the one has learnt serves the other.
#[test]
fn the_sensor_registers_and_connects_where_an_early_connect_is_lost() {
    let scene = faulty_hub();
    let wire = Wire::to(scene.hub.address().port());
    let mut command = sensor::command(&scene);
    command
        .env("SLUICEGATE_PROVISIONING_PORT", wire.port())
        .env("SLUICEGATE_HUB_PORT", wire.port());
    let process = Process::spawn("sensor", &mut command);
    wait_until("the sensor has reported its state", || {
        sensor::reported(&scene, "state") == serde_json::json!("true")
    });
    assert_eq!(scene.hub.counters().registrations, 1);
    check_that_it_is_remembered(&scene, &wire, sensor::DEVICE, &process);
}
