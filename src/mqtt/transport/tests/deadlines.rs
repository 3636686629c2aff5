//! How long a peer is waited for that takes the connection and then says nothing: over real sockets
//! for as long as something is under way, and in virtual time from then on.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A peer that hears something, says so, and is silent: its port.
async fn silent(heard: oneshot::Sender<()>) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_u8().await.unwrap();
        heard.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    (port, task)
}

/// The way on which this step is the first to wait for the peer.
fn route(step: &str, port: u16) -> Route {
    let proxy = || Proxy::to("localhost", 443, &format!("http://127.0.0.1:{port}"), "");
    match step {
        "tunnel" => Route::WebSocket { proxy: proxy().expect("a good URL") },
        "TLS" => Route::Direct,
        _ => Route::Plain,
    }
}

/// Each step has its 6 s, neither less nor more.
#[tokio::test]
async fn a_peer_that_is_silent_is_waited_for_6_s() {
    for expected in ["tunnel", "TLS", "CONNACK"] {
        let (heard, hears) = oneshot::channel();
        let (port, peer) = silent(heard).await;
        let endpoint = Endpoint {
            host: "localhost".to_owned(),
            port,
            route: route(expected, port),
            tls: crate::hub::trust::trusting([]).unwrap(),
            peers: Peers::default(),
            names: &Names::NONE,
        };
        let hello = Connect::new("d/m");
        let begun = Instant::now();
        let mut opening = std::pin::pin!(open(&endpoint, &hello));
        tokio::select! {
            opened = &mut opening => panic!("{expected}: {:?}", opened.err()),
            heard = hears => heard.unwrap(),
        }
        tokio::time::pause();
        let silent_since = Instant::now();
        let failure = opening.await.err().expect("nobody answers");
        let Failure::Timeout { step, .. } = failure else { panic!("{expected}: {failure:?}") };
        let step = match step {
            ConnectStep::Tunnel => "tunnel",
            ConnectStep::Tls => "TLS",
            ConnectStep::WebSocket => "WebSocket",
            ConnectStep::Connack => "CONNACK",
        };
        assert_eq!(step, expected);
        assert!(begun.elapsed() >= CONNECT_TIMEOUT, "{step}: {:?}", begun.elapsed());
        let waited = silent_since.elapsed();
        assert!(waited <= CONNECT_TIMEOUT + Duration::from_millis(1), "{step}: {waited:?}");
        tokio::time::resume();
        peer.abort();
    }
}

/// What is held back is so until the peer says something, and for 50 ms at most.
#[tokio::test]
async fn connect_is_held_back_for_50_ms_at_most() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut theirs, _) = listener.accept().await.unwrap();
    for (says, waited_ms) in [(false, 50), (true, 0)] {
        if says {
            theirs.write_all(b"x").await.unwrap();
            ours.readable().await.unwrap();
        }
        tokio::time::pause();
        let start = Instant::now();
        crate::mqtt::transport::early::hold_back(&ours).await;
        let took_ms = start.elapsed().as_millis();
        assert!((waited_ms..=waited_ms + 1).contains(&took_ms), "{took_ms} ms");
        tokio::time::resume();
    }
}
