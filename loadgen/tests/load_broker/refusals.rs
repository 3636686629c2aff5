//! Peers that are no broker, or one that says no: an end with a reason, in time.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::support::{Ran, run};

/// CONNACK that accepts, and SUBACK that refuses (MQTT 3.1.1 §3.2 and §3.9).
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const SUBACK_FAILURE: [u8; 5] = [0x90, 3, 0, 1, 0x80];

/// A server of this process that answers each connection with these bytes, then waits for its end.
struct Server {
    port: u16,
    _thread: JoinHandle<()>,
}

impl Server {
    fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // It ends with this process.
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                std::thread::spawn(move || {
                    let mut asked = [0; 4096];
                    // A peer that has gone needs no answer.
                    if connection.read(&mut asked).is_ok_and(|bytes| bytes > 0) {
                        let _ = connection.write_all(answer);
                        while connection.read(&mut asked).is_ok_and(|bytes| bytes > 0) {}
                    }
                });
            }
        });
        Self { port, _thread: thread }
    }
}

/// A run against a server that answers so.
fn run_against(answer: &'static [u8], scheme: &str) -> Ran {
    let server = Server::start(answer);
    let url = format!("{scheme}://127.0.0.1:{}", server.port);
    run(&url, &["--rate", "1k", "--for", "1s", "--start-wait", "1s"], None)
}

#[test]
fn nobody_listens() {
    // Bound and not listening: nobody else gets the port meanwhile.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    run(&format!("mqtt://127.0.0.1:{port}"), &["--rate", "1k"], None)
        .refused("cannot be reached: Connection refused");
}

#[test]
fn a_host_that_there_is_not() {
    run("mqtt://no-such-host.invalid", &["--rate", "1k"], None).refused("cannot be found");
}

#[test]
fn a_server_that_speaks_something_else() {
    let page = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    run_against(page, "mqtt").refused("did not answer within 1s");
    run_against(b"\xff\xff\xff\xff\xff\xff", "mqtt").refused("does not speak MQTT 3.1.1");
    run_against(&[0x50, 2, 0, 1], "mqtt").refused("unexpected packet");
    run_against(b"220 smtp ready\r\n", "mqtts")
        .refused("did not connect: received corrupt message");
}

#[test]
fn a_server_that_is_silent() {
    run_against(b"", "mqtt").refused("did not answer within 1s");
}

#[test]
fn a_refused_connection() {
    run_against(&[0x20, 2, 0, 2], "mqtt").refused("client id or the keep-alive");
    run_against(&[0x20, 2, 0, 3], "mqtt").refused("not available");
    run_against(&[0x20, 2, 0, 1], "mqtt").refused("does not take MQTT 3.1.1");
}

#[test]
fn a_refused_subscription() {
    static BOTH: [u8; 9] = {
        let mut both = [0; 9];
        let mut at = 0;
        while at < both.len() {
            both[at] = if at < 4 { CONNACK[at] } else { SUBACK_FAILURE[at - 4] };
            at += 1;
        }
        both
    };
    // The sensors' connection gets the second packet as well, and must not take it for its own.
    let ran = run_against(&BOTH, "mqtt");
    assert_eq!(ran.code, 69, "{ran:?}");
    let shown = ["refuses the subscription to alerts/#", "unexpected packet (0x90)"];
    assert!(shown.iter().any(|part| ran.stderr.contains(part)), "{ran:?}");
}

/// What is wrong with the command line is said without the password that stands in it.
#[test]
fn a_password_in_the_url() {
    for (url, shown) in [
        ("mqtt://me:hush@127.0.0.1", "mqtt://"),
        ("http://me:hush@127.0.0.1", "mqtt://"),
        ("mqtt://me:hush", "the port is none of 1 to 65535"),
    ] {
        let ran = run(url, &["--rate", "1k"], None);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{ran:?}");
        assert!(!ran.stderr.contains("hush") && ran.stderr.contains(shown), "{ran:?}");
    }
}

#[test]
fn a_ca_file_without_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let flags = ["--rate", "1k", "--broker-ca", file.to_str().unwrap()];
    let ran = run("mqtts://127.0.0.1:1", &flags, None);
    assert_eq!(ran.code, 64, "{ran:?}");
    assert!(ran.stderr.contains("no PEM certificate"), "{ran:?}");
}
