//! The sink against a peer on loopback.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;
use crate::wire::{self, Frame};

mod peer;
mod timing;

use peer::{Peer, input, settings, start, start_tls};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn alerts_come_back_until_it_is_stopped() {
    let (mut peer, stop, sink) = start(Faults::default());
    peer.send(&[input(1, 20), input(2, 30)].concat());
    peer.expect_ack(1);
    peer.expect_alert(1, 30);
    peer.expect_ack(2);
    stop.stop();
    let (counts, ended) = sink.join().unwrap();
    ended.unwrap();
    assert_eq!((counts.inputs, counts.alerts, counts.forwarded), (2, 1, 1));
}

#[test]
fn a_stop_before_the_connection_ends_it_as_well() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = settings(&listener, Faults::default());
    let stop = Stop::default();
    stop.stop();
    run(&settings, &stop).1.unwrap();
}

/// A read while connecting ends after 10 s: the socket is asked, so that nobody waits for it.
#[test]
fn a_silent_peer_is_waited_for_10_s() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = transport::Transport::connect(&settings(&listener, Faults::default()));
    let transport::Transport::Plain(socket) = connected.unwrap() else { panic!("no TLS") };
    assert_eq!(socket.read_timeout().unwrap(), Some(MS(10_000)));
}

#[test]
fn the_end_of_the_connection_is_an_error() {
    for faults in [Faults::default(), Faults { delay: Some(MS(1)), ..Faults::default() }] {
        let (mut peer, _, sink) = start(faults);
        peer.send(&input(1, 20));
        peer.expect_ack(1);
        drop(peer);
        let (_, ended) = sink.join().unwrap();
        assert!(matches!(ended, Err(SinkError::Closed | SinkError::Io(_))), "{ended:?}");
    }
}

#[test]
fn refusals_are_errors() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = settings(&listener, Faults::default());
    let there = settings.clone();
    let sink = std::thread::spawn(move || run(&there, &Stop::default()));
    let mut peer = Peer::new(listener.accept().unwrap().0);
    assert_eq!(peer.packet().0, 0x10);
    peer.send(&[0x20, 2, 0, 5]);
    let (_, ended) = sink.join().unwrap();
    assert!(matches!(ended, Err(SinkError::Refused(_))), "{ended:?}");
    drop(listener);
    let (_, ended) = run(&settings, &Stop::default());
    assert!(matches!(ended, Err(SinkError::Connect { .. })), "{ended:?}");
}

/// Both loops, over plain TCP and TLS: large messages among small ones, all read back.
#[test]
fn large_messages_pass_in_pieces() {
    let large = |number| {
        let mut bytes = Vec::new();
        let mut body = br#"{"temperature":30}"#.to_vec();
        body.resize(250 * 1024, b' ');
        wire::write_publish(&mut bytes, b"sensors/1", Some(number), &body);
        bytes
    };
    for delay in [None, Some(MS(1))] {
        for start in [start, start_tls] {
            let (mut peer, stop, sink) = start(Faults { delay, ..Faults::default() });
            for number in [1, 4, 7] {
                peer.send(&[input(number, 20), large(number + 1), input(number + 2, 30)].concat());
            }
            let mut forwarded = 1..;
            for number in [1, 4, 7] {
                peer.expect_ack(number);
                let (first, alert) = peer.packet();
                assert_eq!((first, alert.len()), (0x32, 2 + 16 + 2 + 250 * 1024));
                let id = u16::from_be_bytes([alert[18], alert[19]]);
                assert_eq!(Some(id), forwarded.next());
                peer.expect_ack(number + 1);
                peer.expect_alert(forwarded.next().unwrap(), 30);
                peer.expect_ack(number + 2);
            }
            stop.stop();
            sink.join().unwrap().1.unwrap();
        }
    }
}

#[test]
fn a_peer_that_is_not_trusted_is_refused() {
    let (ca, _) = peer::certificate();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = SinkSettings {
        ca_file: Some(ca.path().to_owned()),
        ..settings(&listener, Faults::default())
    };
    let other = peer::certificate().1;
    let server = std::thread::spawn(move || {
        let mut socket = listener.accept().unwrap().0;
        let mut connection = rustls::ServerConnection::new(other).unwrap();
        // The sink breaks it off.
        connection.complete_io(&mut socket).unwrap_err();
    });
    let (_, ended) = run(&settings, &Stop::default());
    assert!(matches!(ended, Err(SinkError::Tls { .. })), "{ended:?}");
    server.join().unwrap();
}

#[test]
fn it_ends_by_itself_after_so_many_inputs() {
    for delay in [None, Some(MS(5))] {
        let faults = Faults {
            exit_after: NonZeroU64::new(2),
            swap_every: NonZeroU64::new(1),
            delay,
            ..Faults::default()
        };
        let (mut peer, _, sink) = start(faults);
        peer.send(&[input(1, 20), input(2, 30), input(3, 30)].concat());
        peer.expect_ack(1);
        peer.expect_ack(2);
        // Held for the next one, which never comes.
        peer.expect_alert(1, 30);
        let (counts, ended) = sink.join().unwrap();
        ended.unwrap();
        assert_eq!(counts.inputs, 2);
    }
}

#[test]
fn an_alert_that_nothing_follows_goes_alone_after_a_while() {
    for delay in [None, Some(MS(1))] {
        let faults = Faults { swap_every: NonZeroU64::new(1), delay, ..Faults::default() };
        let (mut peer, stop, sink) = start(faults);
        let began = Instant::now();
        peer.send(&input(1, 30));
        peer.expect_ack(1);
        peer.expect_alert(1, 30);
        assert!(began.elapsed() >= HOLD_MAX, "{:?}", began.elapsed());
        stop.stop();
        sink.join().unwrap().1.unwrap();
    }
}

/// With inputs or without, as long as nothing is written.
#[test]
fn it_pings_when_it_writes_nothing() {
    for delay in [None, Some(MS(1))] {
        let (mut peer, stop, sink) = start(Faults { delay, ..Faults::default() });
        peer.sees_pings = true;
        let began = Instant::now();
        assert_eq!(peer.packet(), (PINGREQ[0], vec![]));
        assert!(began.elapsed() >= MS(400), "{:?}", began.elapsed());
        // No answer is owed to an input at QoS 0 below the threshold.
        let mut quiet = Vec::new();
        wire::write_publish(&mut quiet, b"sensors/1", None, br#"{"temperature":20}"#);
        for _ in 0..30 {
            peer.send(&quiet);
            std::thread::sleep(MS(50));
        }
        // Two are there by now; silence alone would bring the second after a second only.
        let began = Instant::now();
        assert_eq!(peer.packet(), (PINGREQ[0], vec![]));
        assert_eq!(peer.packet(), (PINGREQ[0], vec![]));
        assert!(began.elapsed() < MS(900), "{:?}", began.elapsed());
        stop.stop();
        sink.join().unwrap().1.unwrap();
    }
}

/// A library's text may name a page of its documents; none is told.
#[test]
fn an_abrupt_end_is_shown_without_a_web_address() {
    let text = "peer closed connection without sending TLS close_notify: https://docs.rs/x";
    let error = SinkError::from(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, text));
    assert_eq!(error.to_string(), "the connection broke: the peer closed it without a word");
}
