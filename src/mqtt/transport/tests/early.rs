//! Peers that lose an early CONNECT: when it is said again, in paused time; and what is lost and
//! what is not, over real TLS.

use super::network::{Gateway, Manner, Tls};
use super::*;
use crate::testing::capture::capture;
use std::cell::RefCell;
use std::future::pending;
use std::sync::atomic::Ordering;

type Versions = &'static [&'static rustls::SupportedProtocolVersion];

const TLS12: Versions = &[&rustls::version::TLS12];
const TLS13: Versions = &[&rustls::version::TLS13];
const AT_ONCE: Duration = Duration::from_millis(10);

fn endpoint(peers: &Peers, port: u16) -> Endpoint {
    Endpoint {
        host: "h".to_owned(),
        port,
        route: Route::Direct,
        tls: crate::hub::trust::trusting([]).unwrap(),
        peers: peers.clone(),
        names: &Names::NONE,
    }
}

/// What each connection of one connect did: whether it held back.
#[derive(Debug, PartialEq, Eq)]
struct Course {
    held_back: Vec<bool>,
    /// To the tenth of a second below.
    took_ds: u128,
}

/// Connects to a peer that answers in these times: as it should, and when CONNECT was held back.
async fn connect_to(
    endpoint: &Endpoint,
    (early, held_back): (Option<Duration>, Option<Duration>),
    answer: impl Fn() -> Result<(), Failure>,
) -> (Result<(), Failure>, Course) {
    let start = Instant::now();
    let attempts = RefCell::new(Vec::new());
    let shake_hands = |hold_back| {
        attempts.borrow_mut().push(hold_back);
        async move { Ok((hold_back, "TLS 1.3")) }
    };
    let (answer, attempts_ref) = (&answer, &attempts);
    let say = |hold_back: bool| async move {
        assert!(attempts_ref.borrow().last() == Some(&hold_back));
        match if hold_back { held_back } else { early } {
            Some(wait) => tokio::time::sleep(wait).await,
            None => pending().await,
        }
        answer()
    };
    let silence = endpoint.timeout(ConnectStep::Connack);
    let connected =
        crate::mqtt::transport::early::first_answer(endpoint, shake_hands, say, silence);
    let result = connected.await;
    let took_ds = start.elapsed().as_millis() / 100;
    (result, Course { held_back: attempts.into_inner(), took_ds })
}

fn course(held_back: &[bool], took_ds: u128) -> Course {
    Course { held_back: held_back.to_vec(), took_ds }
}

/// After 2 s CONNECT is said again, held back; to this host and port it is held back from then on,
/// whichever connection of the process goes there.
#[tokio::test(start_paused = true)]
async fn a_lost_connect_is_said_again_held_back_and_that_is_remembered() {
    let peers = Peers::default();
    let loses = (None, Some(AT_ONCE));
    let (result, first) = connect_to(&endpoint(&peers, 1), loses, || Ok(())).await;
    result.expect("connected");
    assert_eq!(first, course(&[false, true], 20));
    for _ in 0..2 {
        let (result, next) = connect_to(&endpoint(&peers, 1), loses, || Ok(())).await;
        result.expect("connected");
        assert_eq!(next, course(&[true], 0));
    }
    let (_, elsewhere) = connect_to(&endpoint(&peers, 2), loses, || Ok(())).await;
    assert_eq!(elsewhere, first);
}

/// A refusal that comes only when CONNECT was held back tells as much.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_answer_too() {
    let peers = Peers::default();
    let refused = || {
        let (at, client_id) = (At { host: "h".to_owned(), port: 1 }, "c".to_owned());
        Err(Failure::Refused { at, client_id, keep_alive_s: None, code: 5, peer: Peer::Hub })
    };
    for expected in [course(&[false, true], 20), course(&[true], 0)] {
        let (result, course) =
            connect_to(&endpoint(&peers, 1), (None, Some(AT_ONCE)), refused).await;
        assert!(matches!(result, Err(Failure::Refused { .. })), "{result:?}");
        assert_eq!(course, expected);
    }
}

/// Who answers within 2 s is asked once, and nothing is held back.
#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_in_time_costs_nothing() {
    let peers = Peers::default();
    for wait_ms in [0, 10, 500, 1_990] {
        let wait = Some(Duration::from_millis(wait_ms));
        let (result, course) = connect_to(&endpoint(&peers, 1), (wait, None), || Ok(())).await;
        result.expect("connected");
        assert_eq!(course.held_back, [false], "{wait_ms} ms");
    }
}

/// A slow peer is connected to. It is not taken for one that loses CONNECT, and not cut short
/// again.
#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_waited_for() {
    for wait_ds in [21, 40, 59] {
        let peers = Peers::default();
        let wait = Some(Duration::from_millis(wait_ds * 100 + 10));
        let (result, first) = connect_to(&endpoint(&peers, 1), (wait, wait), || Ok(())).await;
        result.expect("connected");
        let took_ds = u128::from(wait_ds);
        assert_eq!(first, course(&[false, true], 20 + took_ds));
        for _ in 0..2 {
            let (result, next) = connect_to(&endpoint(&peers, 1), (wait, wait), || Ok(())).await;
            result.expect("connected");
            assert_eq!(next, course(&[false], took_ds));
        }
        // It may lose CONNECT besides.
        let (result, lost) =
            connect_to(&endpoint(&peers, 1), (None, Some(AT_ONCE)), || Ok(())).await;
        result.expect("connected");
        assert_eq!(lost.held_back, [false, true]);
        let (_, next) = connect_to(&endpoint(&peers, 1), (None, Some(AT_ONCE)), || Ok(())).await;
        assert_eq!(next, course(&[true], 0));
    }
}

/// A peer that never answers is given up within both waits, and nothing is learnt of it.
#[tokio::test(start_paused = true)]
async fn silence_ends_in_time() {
    let peers = Peers::default();
    for _ in 0..2 {
        let (result, course_) = connect_to(&endpoint(&peers, 1), (None, None), || Ok(())).await;
        assert!(matches!(result, Err(Failure::Timeout { .. })), "{result:?}");
        assert_eq!(course_, course(&[false, true], 80));
    }
}

/// Only so many peers are remembered.
#[tokio::test(start_paused = true)]
async fn the_oldest_peer_is_forgotten() {
    let peers = Peers::default();
    let ports = 1..=u16::try_from(PEERS_MAX).unwrap() + 1;
    for port in ports.clone() {
        connect_to(&endpoint(&peers, port), (None, Some(AT_ONCE)), || Ok(())).await.0.unwrap();
    }
    for port in ports.rev() {
        let at = endpoint(&peers, port);
        let (_, course) = connect_to(&at, (Some(AT_ONCE), Some(AT_ONCE)), || Ok(())).await;
        assert_eq!(course.held_back, [port != 1], "{port}");
    }
}

/// Connects again and again to a gateway that loses what comes with the end of the handshake, and
/// counts the connections that it has seen after each. It is told once, with this version of TLS.
async fn connections(
    (manner, versions, tickets): (Manner, Versions, usize),
    told: &str,
) -> [usize; 3] {
    let log = capture();
    let gateway = Gateway::start_with(manner, Tls { versions, tickets, loses_early: true }).await;
    let mut seen = [0; 3];
    for count in &mut seen {
        let connection = gateway.connect().await.expect("a connection all the same");
        connection.close().await;
        *count = gateway.accepted.load(Ordering::Relaxed);
    }
    let lines = log.lines("loses a CONNECT");
    assert!(lines.len() == 1 && lines[0].contains(&format!(" ({told}, sluicegate ")), "{lines:?}");
    seen
}

/// In TLS 1.3 the first CONNECT is lost; the second comes behind the first ticket, or where there
/// are none behind a wait. Then one connection is enough.
#[tokio::test]
async fn over_tls_1_3_the_second_connection_gets_through() {
    for tickets in [2, 0] {
        let seen = connections((Manner::Mqtt, TLS13, tickets), "TLS 1.3").await;
        assert_eq!(seen, [2, 3, 4], "{tickets} tickets");
    }
}

/// A full handshake of TLS 1.2 ends with the server's word, so its CONNECT is not lost; one that
/// resumes a session ends with the client's.
#[tokio::test]
async fn over_tls_1_2_a_resumed_session_gets_through() {
    let seen = connections((Manner::Mqtt, TLS12, 0), "TLS 1.2").await;
    assert_eq!(seen, [1, 3, 4]);
}

/// Over WebSocket its handshake is what comes first.
#[tokio::test]
async fn over_websocket_the_second_connection_gets_through() {
    let seen = connections((Manner::Frames(4096), rustls::ALL_VERSIONS, 2), "TLS 1.3").await;
    assert_eq!(seen, [2, 3, 4]);
}
