//! The null program under test, against a peer that the test plays.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{PATIENCE, loadgen, signal, texts};

/// A QoS 1 message with packet id 7 on `s/1`, above the threshold of the test and not of the
/// default.
const INPUT: &[u8] = b"\x32\x19\0\x03s/1\0\x07{\"temperature\":24}";
/// It is forwarded to `a/s/1` with packet id 1, and acknowledged.
const ANSWER: &[u8] = b"\x32\x1b\0\x05a/s/1\0\x01{\"temperature\":24}\x40\x02\0\x07";

fn sink(port: u16, args: &[&str]) -> Command {
    let mut command = loadgen();
    command.arg("sink").args(args).envs([
        ("LOADGEN_HOST", "127.0.0.1"),
        ("LOADGEN_PORT", &port.to_string()),
        ("LOADGEN_SUBSCRIBE", "s/#"),
        ("LOADGEN_PUBLISH", "a/{topic}"),
        ("LOADGEN_THRESHOLD", "23.5"),
    ]);
    command
}

/// Starts it and has one input answered.
fn start(args: &[&str]) -> (Child, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let child = sink(port, args).stderr(Stdio::piped()).spawn().unwrap();
    let mut socket = listener.accept().unwrap().0;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut read = |count| {
        let mut bytes = vec![0; count];
        socket.read_exact(&mut bytes).unwrap();
        bytes
    };
    let connect = read(2);
    assert_eq!(connect[0], 0x10);
    read(connect[1].into());
    socket.write_all(&[0x20, 2, 0, 0]).unwrap();
    let mut subscribe = [0; 10];
    socket.read_exact(&mut subscribe).unwrap();
    assert_eq!(&subscribe, b"\x82\x08\0\x01\0\x03s/#\x01");
    socket.write_all(&[&[0x90, 3, 0, 1, 1], INPUT].concat()).unwrap();
    let mut answer = [0; ANSWER.len()];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(answer, ANSWER);
    (child, socket)
}

/// Exit code, what it counted, and what else it said.
fn ended(child: Child) -> (i32, Value, String) {
    let (code, _, err) = texts(child.wait_with_output().unwrap());
    let (counts, rest) = err.split_once('\n').unwrap();
    (code, serde_json::from_str(counts).unwrap(), rest.to_owned())
}

#[test]
fn a_signal_ends_it_with_its_counts() {
    let (child, _socket) = start(&[]);
    signal(&child, Signal::TERM);
    let (code, counts, rest) = ended(child);
    assert_eq!((code, rest.as_str()), (0, ""));
    let seen = ["inputs", "alerts", "forwarded", "dropped"].map(|name| counts[name].clone());
    assert_eq!(seen, [1, 1, 1, 0].map(|count| json!(count)));
}

#[test]
fn the_end_of_the_connection_is_69() {
    let (child, socket) = start(&["--delay", "2ms"]);
    drop(socket);
    let (code, counts, rest) = ended(child);
    assert_eq!((code, &counts["inputs"]), (69, &json!(1)), "{rest}");
    assert!(rest.contains("connection"), "{rest}");
}

#[test]
fn it_ends_by_itself_after_the_messages_it_was_given() {
    let (child, _socket) = start(&["--exit-after", "1"]);
    let (code, counts, _) = ended(child);
    assert_eq!((code, &counts["inputs"]), (0, &json!(1)));
}

#[test]
fn nobody_there_is_69_and_wrong_usage_64() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (code, _, err) = texts(sink(port, &[]).output().unwrap());
    assert_eq!(code, 69, "{err}");
    assert!(err.contains(&format!("cannot connect to 127.0.0.1:{port}")), "{err}");

    let (code, _, err) = texts(loadgen().arg("sink").output().unwrap());
    assert_eq!(code, 64, "{err}");
    for name in ["HOST", "PORT", "SUBSCRIBE", "PUBLISH"] {
        assert!(err.contains(&format!("LOADGEN_{name} is not set")), "{err}");
    }
    for (name, value) in [
        ("LOADGEN_SUBSCRIBE", "a/\u{7}"),
        ("LOADGEN_SUBSCRIBE", "a#"),
        ("LOADGEN_PUBLISH", "a\u{fffe}"),
        ("LOADGEN_CLIENT_ID", "x\ny"),
        ("LOADGEN_USERNAME", "x\u{85}y"),
    ] {
        let (code, _, err) = texts(sink(port, &[]).env(name, value).output().unwrap());
        assert_eq!((code, err.lines().count()), (64, 1), "{err}");
        assert!(err.contains(name), "{err}");
    }
    let (code, _, err) = texts(sink(port, &[]).env("LOADGEN_THRESHOLD", "warm").output().unwrap());
    assert!(code == 64 && err.contains("LOADGEN_THRESHOLD is no number: warm"), "{code} {err}");
    for name in ["LOADGEN_SUBSCRIBE", "LOADGEN_PUBLISH"] {
        let (code, _, err) = texts(sink(port, &[]).env(name, "s/\nt").output().unwrap());
        assert!(code == 64 && err.contains(&format!("{name} has a control")), "{code} {err}");
    }
    for args in [
        ["--drop-every", "0"],
        ["--stall", "1s/1s"],
        ["--stall", "0/1s"],
        ["--stall", "1s"],
        ["--delay", "61s"],
        ["--limit-rate", "0"],
        ["--limit-rate", "NaN"],
    ] {
        let (code, _, err) = texts(sink(port, &args).output().unwrap());
        assert_eq!(code, 64, "{args:?}: {err}");
    }
}
