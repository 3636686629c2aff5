//! What is said of each thing that can be at a port in place of a broker, word for word: one
//! scripted peer a row, over real sockets.

use super::network::{Gateway, Manner};
use super::*;
use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// In each hello; in no sentence.
const SECRET: &str = "hunter2";

pub(super) const NAMES: Names = Names {
    peer: Peer::Broker,
    host: "HOST",
    port: "PORT",
    way: "WAY",
    identity: "IDENTITY",
    client_id: "CLIENT-ID",
    keep_alive: "KEEP-ALIVE",
    roots: "ROOTS",
    certificate: "CERTIFICATE",
    proxy: "PROXY",
};

/// What a peer answers to the first bytes that it hears.
#[derive(Clone, Copy)]
enum Answers {
    /// These bytes; then it hangs up.
    With(&'static [u8]),
    /// What it was sent.
    Echo,
}

fn hello() -> Connect {
    let mut hello = Connect::new("d/m");
    hello.keep_alive = 60;
    hello.set_login("us", SECRET);
    hello
}

/// The sentence about a peer, with `AT` for its host and port.
async fn sentence(endpoint: &Endpoint) -> String {
    let connected = timeout(Duration::from_secs(30), connect(endpoint, hello()));
    let error = connected.await.expect("an end in time").err().expect("this must fail");
    let sentence = error.to_string();
    assert!(!sentence.contains(SECRET) && !format!("{error:?}").contains(SECRET), "{sentence}");
    sentence.replace(&format!("localhost:{}", endpoint.port), "AT")
}

/// A peer on a socket without TLS, at this port until it is aborted.
async fn answering(answers: Answers) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut heard = [0; 4096];
            let Ok(count) = socket.read(&mut heard).await else { continue };
            let words = match answers {
                Answers::With(bytes) => bytes,
                Answers::Echo => &heard[..count],
            };
            let _ = socket.write_all(words).await;
        }
    });
    (port, peer)
}

/// A peer on a socket without TLS, asked over `route`.
async fn sentence_of(answers: Answers, route: Route) -> String {
    sentence_named(answers, route, &NAMES).await
}

/// The same, with these names of settings.
async fn sentence_named(answers: Answers, route: Route, names: &'static Names) -> String {
    let (port, peer) = answering(answers).await;
    let tls = crate::hub::trust::trusting([]).unwrap();
    let (host, peers) = ("localhost".to_owned(), Peers::default());
    let sentence = sentence(&Endpoint { host, port, route, tls, peers, names }).await;
    peer.abort();
    sentence
}

/// Codes of CONNACK that refuse, at a port of MQTT without TLS.
#[tokio::test]
async fn of_codes_of_connack() {
    const NO_MQTT_5: &str = "unacceptable protocol version: it does not speak MQTT 3.1.1, perhaps \
         MQTT 5 alone; allow 3.1.1 there, or use another broker); see HOST, PORT";
    let rows: [(Answers, &str); 10] = [
        (
            Answers::With(b"\x20\x02\x00\x01"),
            &format!("AT refused \"d/m\": CONNACK 1 ({NO_MQTT_5}"),
        ),
        (
            Answers::With(b"\x20\x02\x00\x02"),
            "AT refused \"d/m\": CONNACK 2 (identifier rejected: this client id must be \
             allowed there, and a keep-alive of 60 s no longer than it takes); \
             see CLIENT-ID, KEEP-ALIVE",
        ),
        (
            Answers::With(b"\x20\x02\x00\x03"),
            "AT refused \"d/m\": CONNACK 3 (server unavailable: it may come back, and is asked \
             again)",
        ),
        (
            Answers::With(b"\x20\x02\x00\x04"),
            "AT refused \"d/m\": CONNACK 4 (bad user name or password: check them); see IDENTITY",
        ),
        (
            Answers::With(b"\x20\x02\x00\x05"),
            "AT refused \"d/m\": CONNACK 5 (not authorized: check who may connect there); see \
             IDENTITY",
        ),
        (
            Answers::With(b"\x20\x02\x00\x09"),
            "AT refused \"d/m\": CONNACK 9 (no return code of MQTT 3.1.1: another program is at \
             this port, or it does not keep to MQTT 3.1.1); see HOST, PORT",
        ),
        (
            Answers::With(b"\x20\x02\x00\x84"),
            &format!("AT refused \"d/m\": CONNACK 0x84 ({NO_MQTT_5}"),
        ),
        (
            Answers::With(b"\x20\x03\x00\x84\x00"),
            &format!("AT refused \"d/m\": CONNACK 0x84 ({NO_MQTT_5}"),
        ),
        (
            Answers::With(b"\x20\x03\x00\x85\x00"),
            "AT refused \"d/m\": CONNACK 0x85 (identifier rejected: this client id must be \
             allowed there, and a keep-alive of 60 s no longer than it takes); \
             see CLIENT-ID, KEEP-ALIVE",
        ),
        (
            Answers::With(b"\x20\x03\x00\x87\x00"),
            "AT refused \"d/m\": CONNACK 0x87 (not authorized: check who may connect there); see \
             IDENTITY",
        ),
    ];
    check(rows).await;
}

/// MQTT without TLS, at a port where something else is.
#[tokio::test]
async fn of_answers_to_connect() {
    const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n";
    let rows: [(Answers, &str); 9] = [
        (
            Answers::With(b"\x20\x03\x00\x00\x00"),
            "AT answered CONNECT with a CONNACK that MQTT 3.1.1 does not have: it does not speak \
             MQTT 3.1.1, perhaps MQTT 5 alone; allow 3.1.1 there, or use another broker; see PORT, \
             WAY",
        ),
        (
            Answers::With(b"\x15\x03\x01\x00\x02\x02\x46"),
            "AT answered CONNECT in TLS: this port wants TLS; connect with TLS, or to the port \
             without; see PORT, WAY",
        ),
        (
            Answers::With(HTTP),
            "AT answered CONNECT with HTTP status 400: a web server, a proxy or MQTT over \
             WebSocket is at this port; use the port of MQTT, or connect over WebSocket; see PORT, \
             WAY",
        ),
        (
            Answers::With(b"HTTP/1.1 hunter2"),
            "AT answered CONNECT with HTTP: a web server, a proxy or MQTT over WebSocket is at \
             this port; use the port of MQTT, or connect over WebSocket; see PORT, WAY",
        ),
        (
            Answers::With(b"\xd0\x00"),
            "AT answered CONNECT with something else than CONNACK (first byte 0xd0): another \
             program is at this port, or it does not keep to MQTT 3.1.1; see PORT, WAY",
        ),
        (
            Answers::With(b"SSH-2.0-OpenSSH\r\n"),
            "AT answered CONNECT with something else than CONNACK (first byte 0x53): another \
             program is at this port, or it does not keep to MQTT 3.1.1; see PORT, WAY",
        ),
        (
            Answers::Echo,
            "AT answered CONNECT with something else than CONNACK (first byte 0x10): another \
             program is at this port, or it does not keep to MQTT 3.1.1; see PORT, WAY",
        ),
        (
            Answers::With(b""),
            "AT closed the connection at CONNECT without a word: it speaks no MQTT without TLS at \
             this port, or refuses \"d/m\" or a keep-alive of 60 s; see PORT, WAY, IDENTITY, \
             KEEP-ALIVE",
        ),
        (
            Answers::With(b"\x20\x02"),
            "AT closed the connection at CONNECT without a word: it speaks no MQTT without TLS at \
             this port, or refuses \"d/m\" or a keep-alive of 60 s; see PORT, WAY, IDENTITY, \
             KEEP-ALIVE",
        ),
    ];
    check(rows).await;
}

async fn check<const N: usize>(rows: [(Answers, &str); N]) {
    for (answers, expected) in rows {
        assert_eq!(sentence_of(answers, Route::Tcp).await, expected);
    }
}

/// TLS asked for at a port without: plain MQTT, which hangs up or answers, and HTTP.
#[tokio::test]
async fn of_ports_without_tls() {
    const NO_TLS: &str = "TLS handshake with AT failed: what answers there is no TLS, but plain \
         MQTT, HTTP or something else; use the port with TLS, or connect without (invalid content \
         type); see PORT, WAY";
    let rows = [
        (Answers::With(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NO_TLS),
        (Answers::With(b"\x20\x02\x00\x01\x00"), NO_TLS),
        (
            Answers::With(b""),
            "TLS handshake with AT failed: it closed the connection: it takes no TLS at this port, \
             or no connections now (tls handshake eof); see PORT, WAY",
        ),
        (
            Answers::With(b"\x15\x03\x03\x00\x02\x02\x46"),
            "TLS handshake with AT failed: it ended the handshake: it must allow TLS 1.2 or 1.3, \
             and know this host name (TLS alert: protocol version); see PORT, WAY",
        ),
    ];
    for (answers, expected) in rows {
        for route in [Route::Direct, Route::WebSocket { proxy: None }] {
            assert_eq!(sentence_of(answers, route).await, expected);
        }
    }
}

/// What speaks TLS, but not what was asked for; and a certificate that proves nothing.
#[tokio::test]
async fn of_ports_with_tls() {
    let named = async |manner, route, tls: Option<Arc<rustls::ClientConfig>>| {
        let mut gateway = Gateway::start(manner).await;
        gateway.endpoint.route = route;
        gateway.endpoint.names = &NAMES;
        gateway.endpoint.tls = tls.unwrap_or_else(|| Arc::clone(&gateway.endpoint.tls));
        sentence(&gateway.endpoint).await
    };
    let websocket = Route::WebSocket { proxy: None };
    let stranger = Some(crate::hub::trust::trusting([]).unwrap());
    let untrusted = named(Manner::Mqtt, Route::Direct, stranger).await;
    assert_eq!(
        untrusted,
        "TLS handshake with AT failed: its certificate is not signed by a trusted root: check the \
         roots, and whether a proxy answers in its place; see ROOTS"
    );
    // MQTT asked for where WebSocket is.
    assert_eq!(
        named(Manner::NoWebSocket, Route::Direct, None).await,
        "AT closed the connection at CONNECT without a word: it speaks no MQTT over TLS at this \
         port, or refuses \"d/m\" or a keep-alive of 60 s; see PORT, WAY, IDENTITY, KEEP-ALIVE"
    );
    // And the reverse.
    assert_eq!(
        named(Manner::Mqtt, websocket.clone(), None).await,
        "no WebSocket with AT: what it answered is no WebSocket handshake (WebSocket protocol \
         error: httparse error: invalid HTTP version); does it serve MQTT over WebSocket? See \
         PORT, WAY"
    );
    assert_eq!(
        named(Manner::NoWebSocket, websocket, None).await,
        "no WebSocket with AT: it answered 404 Not Found; does it serve MQTT over WebSocket? See \
         PORT, WAY"
    );
    // MQTT without TLS asked for where TLS is.
    assert_eq!(
        named(Manner::Mqtt, Route::Tcp, None).await,
        "AT answered CONNECT in TLS: this port wants TLS; connect with TLS, or to the port \
         without; see PORT, WAY"
    );
}

/// A proxy that opens no way: what it answered, and what to do there.
#[tokio::test]
async fn of_proxies() {
    const ALLOW: &str = "it must allow CONNECT to this host and port";
    const SILENT: &str =
        "it did not answer: is it an HTTP proxy, and does it allow CONNECT to this host and port?";
    let rows: [(&'static [u8], String); 7] = [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", format!("it answered 403 Forbidden: {ALLOW}")),
        (
            b"HTTP/1.1 405 Method Not Allowed\r\n\r\n",
            format!("it answered 405 Method Not Allowed: {ALLOW}"),
        ),
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "it answered 407 Proxy Authentication Required: check user and password in the \
             proxy's URL"
                .to_owned(),
        ),
        (
            b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "it answered 502 Bad Gateway: it must reach this host and port".to_owned(),
        ),
        (b"", format!("{SILENT} (connection closed before message completed)")),
        (
            b"SSH-2.0-x\r\n",
            "what it answered is no HTTP: is it an HTTP proxy? (invalid HTTP version parsed)"
                .to_owned(),
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\nhello",
            "it sent bytes behind its answer: is it an HTTP proxy?".to_owned(),
        ),
    ];
    for (words, expected) in rows {
        let (port, peer) = answering(Answers::With(words)).await;
        let url = format!("http://us:{SECRET}@127.0.0.1:{port}");
        let route = Route::WebSocket { proxy: Proxy::to("h", 443, &url, "").unwrap() };
        let tls = crate::hub::trust::trusting([]).unwrap();
        let (host, peers) = ("h".to_owned(), Peers::default());
        let endpoint = Endpoint { host, port: 443, route, tls, peers, names: &NAMES };
        let told = sentence(&endpoint).await;
        peer.abort();
        let see = if expected.ends_with('?') { " See" } else { "; see" };
        let expected = format!("proxy 127.0.0.1:{port}: no way to h:443: {expected}{see} PROXY");
        assert_eq!(told, expected);
    }
}

/// Nobody is there, at the peer's address or at the proxy's.
#[tokio::test]
async fn of_nobody() {
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let mut gateway = Gateway::start(Manner::Mqtt).await;
    gateway.endpoint.port = gone;
    gateway.endpoint.names = &NAMES;
    assert_eq!(
        sentence(&gateway.endpoint).await,
        "cannot connect to AT: Connection refused (os error 111); is the hub or broker running and \
         the port open? See HOST, PORT"
    );
    let url = format!("http://us:{SECRET}@127.0.0.1:{gone}");
    let proxy = Proxy::to("localhost", 443, &url, "").unwrap();
    gateway.endpoint.route = Route::WebSocket { proxy };
    assert_eq!(
        sentence(&gateway.endpoint).await,
        format!(
            "cannot connect to the proxy 127.0.0.1:{gone}: Connection refused (os error 111); is \
             it running, and is that its address? See PROXY"
        )
    );
}

/// What is said at one kind of peer fits that kind, whatever it answers.
#[tokio::test]
async fn of_refusals_fit_the_peer() {
    const HUB: Names = Names { peer: Peer::Hub, keep_alive: "", ..NAMES };
    const SERVICE: Names = Names { peer: Peer::Provisioning, keep_alive: "", ..NAMES };
    const EDGE_HUB: Names = Names { peer: Peer::EdgeHub, ..NAMES };
    let rows: [(&Names, &str, &[&str]); 4] = [
        (&NAMES, "this client id must be allowed", &["module", "deployment", "hub", "enrolled"]),
        (&HUB, "the device must be registered", &["module", "deployment", "broker", "keep-alive"]),
        (&SERVICE, "must be enrolled", &["module", "deployment", "broker", "keep-alive"]),
        (&EDGE_HUB, "the module must be in the deployment", &["broker", "enrolled"]),
    ];
    let answers: [&[u8]; 9] = [
        b"\x20\x02\x00\x01",
        b"\x20\x02\x00\x02",
        b"\x20\x02\x00\x03",
        b"\x20\x02\x00\x04",
        b"\x20\x02\x00\x05",
        b"\x20\x02\x00\x09",
        b"\x20\x03\x00\x85\x00",
        b"\x20\x03\x00\x00\x00",
        b"",
    ];
    for (names, rejected, foreign) in rows {
        for bytes in answers {
            let shown = sentence_named(Answers::With(bytes), Route::Tcp, names).await;
            // But for "as a hub does".
            let alien = foreign.iter().find(|word| shown.to_lowercase().contains(**word));
            assert!(alien.is_none(), "{:?} is told {alien:?}: {shown}", names.peer);
            let is_rejected = shown.contains("identifier rejected");
            assert_eq!(is_rejected, shown.contains(rejected), "{:?}: {shown}", names.peer);
            let is_hinted_at = shown.contains("a keep-alive of 60 s");
            assert!(!is_hinted_at || names.has_keep_alive(), "{shown}");
        }
    }
}

/// A peer of TLS that ends the connection in place of a WebSocket, in each way that it can: no line
/// sends anybody to a library's documents, and none asks a question in the middle.
#[tokio::test]
async fn of_ends_name_no_library() {
    for manner in [Manner::HangUp, Manner::NoWebSocket, Manner::Mqtt] {
        for route in [Route::Direct, Route::WebSocket { proxy: None }] {
            let mut gateway = Gateway::start(manner).await;
            gateway.endpoint.route = route;
            gateway.endpoint.names = &NAMES;
            let connected = connect(&gateway.endpoint, hello()).await;
            let Err(error) = connected else { continue };
            let shown = error.to_string();
            assert!(!shown.contains("://") && !shown.contains("?;"), "{shown}");
        }
    }
}

/// Each library's own text may hold its address; none is told.
#[test]
fn of_closed_connections_hold_no_address() {
    let text = "peer closed connection without sending TLS close_notify: https://docs.rs/x#y";
    let eof = || io::Error::new(io::ErrorKind::UnexpectedEof, text);
    let other = || io::Error::other(text);
    let at = || At { host: "h".to_owned(), port: 1 };
    let (host, proxy) = ("h".to_owned(), "p:1".to_owned());
    let failures = [
        Failure::Tls { at: at(), source: eof() },
        Failure::Tls { at: at(), source: other() },
        Failure::Broken { at: at(), source: eof() },
        Failure::Broken { at: at(), source: other() },
        Failure::Tcp { at: at(), source: other() },
        Failure::Dns { host, source: other() },
        Failure::ProxyAway { proxy: proxy.clone(), source: other() },
        Failure::Proxy { proxy, at: at(), problem: other().to_string() },
        Failure::WebSocket { at: at(), problem: other().to_string() },
    ];
    for failure in failures {
        let shown = ConnectError { failure, names: &NAMES }.to_string();
        assert!(!shown.contains("https:"), "{shown}");
        assert!(!shown.contains("?;"), "{shown}");
    }
}

/// A shortage of this process's own is not the peer's fault.
#[test]
fn of_too_few_descriptors_tell_how_to_raise_the_limit() {
    let at = || At { host: "h".to_owned(), port: 1 };
    for (errno, expected) in [(Errno::MFILE, "ulimit -n"), (Errno::NFILE, "fs.file-max")] {
        let source = || io::Error::from(errno);
        let failures = [
            Failure::tcp(at(), source()),
            Failure::dns("h", source()),
            Proxy::to("h", 443, "http://p:1", "")
                .unwrap()
                .unwrap()
                .away(Failure::dns("p", source())),
        ];
        for failure in failures {
            let error = ConnectError { failure, names: &NAMES };
            let shown = error.to_string();
            assert!(shown.contains("too few file descriptors"), "{shown}");
            assert!(shown.contains(expected) && !shown.contains("running"), "{shown}");
            assert!(!shown.contains("see ") && !shown.contains("DNS"), "{shown}");
            assert_eq!(error.answer(), Answer::Nothing);
        }
    }
}
