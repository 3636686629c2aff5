//! The ways to a gateway, over real sockets: TLS, WebSocket, a proxy before either, plain TCP.

use tokio::sync::Notify;

use super::late::{Late, lose_early};
use super::*;
use crate::mqtt::QoS;
use crate::mqtt::packet::{Packet, Publish};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as Hello, Response as Answer,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// How a test's gateway speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Mqtt,
    /// Without TLS.
    Plain,
    /// MQTT over WebSocket, with frames of this many bytes.
    Frames(usize),
    /// Answers the WebSocket handshake with 404.
    NoWebSocket,
    /// Agrees to no subprotocol.
    NoSubprotocol,
    /// Sends a text frame.
    Text,
    /// Hangs up at the first bytes behind the TLS handshake, without a word.
    HangUp,
    /// Takes the handshake and answers nothing.
    Silent,
}

/// How a test's gateway speaks TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tls {
    pub(super) versions: &'static [&'static rustls::SupportedProtocolVersion],
    /// Session tickets that it sends in TLS 1.3.
    pub(super) tickets: usize,
    /// Loses what comes with the end of the handshake.
    pub(super) loses_early: bool,
}

impl Tls {
    const GOOD: Self = Self { versions: rustls::ALL_VERSIONS, tickets: 2, loses_early: false };
}

/// A gateway that echoes QoS 0 publishes.
pub(super) struct Gateway {
    pub(super) endpoint: Endpoint,
    /// Connections so far.
    pub(super) accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gateway {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::start_with(manner, Tls::GOOD).await
    }

    pub(super) async fn start_with(manner: Manner, faults: Tls) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(faults.versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        tls.send_tls13_tickets = faults.tickets;
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = Endpoint {
            host: "localhost".to_owned(),
            port: listener.local_addr().unwrap().port(),
            route: match manner {
                Manner::Mqtt => Route::Direct,
                Manner::Plain => Route::Plain,
                _ => Route::WebSocket { proxy: None },
            },
            tls: crate::hub::trust::trusting([certificate]).unwrap(),
            peers: Peers::default(),
            names: &Names::NONE,
        };
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if manner == Manner::Plain {
                        return echo(socket).await;
                    }
                    // Shorter than anything is held back, longer than anything takes that is not.
                    let wait =
                        if faults.loses_early { HOLD_BACK_MAX * 2 / 5 } else { Duration::ZERO };
                    let socket = Late::new(socket, wait);
                    let Ok(mut stream) = acceptor.accept(socket).await else { return };
                    if faults.loses_early {
                        lose_early(&mut stream);
                    }
                    match manner {
                        Manner::HangUp => {
                            let _ = stream.read_u8().await;
                        }
                        Manner::Mqtt => echo(stream).await,
                        _ => websocket(stream, manner).await,
                    }
                });
            }
        });
        Self { endpoint, accepted, task }
    }

    pub(super) async fn connect(&self) -> Result<Connection<Stream>, ConnectError> {
        let mut hello = Connect::new("d/m");
        hello.keep_alive = 60;
        let connected = connect(&self.endpoint, hello);
        timeout(PATIENCE, connected)
            .await
            .expect("an end in time")
            .map(|(connection, _)| connection)
    }

    async fn failure(&self) -> String {
        self.connect().await.err().expect("this must fail").to_string()
    }
}

/// The gateway's side of MQTT.
async fn echo(stream: impl ByteStream) {
    let mut connection = Connection::new(stream, Duration::ZERO);
    let mut inbox = Vec::new();
    let never = Notify::new();
    while connection.turn_packets(&mut inbox, &never, true).await.is_ok() {
        for packet in inbox.drain(..) {
            match packet {
                Packet::Connect(_) => {
                    let accepted = ConnAck::new(ConnectReturnCode::Success, false);
                    connection.send(&Packet::ConnAck(accepted)).unwrap();
                }
                Packet::Disconnect => return,
                Packet::PingReq => connection.send(&Packet::PingResp).unwrap(),
                other => connection.send(&other).unwrap(),
            }
        }
    }
}

/// The gateway's side of WebSocket: checks the handshake, and pumps bytes to and from [`echo`].
async fn websocket(stream: impl ByteStream, manner: Manner) {
    #[expect(clippy::result_large_err, reason = "tungstenite's signature")]
    let check = |hello: &Hello, mut answer: Answer| {
        assert_eq!(hello.uri().path(), "/$iothub/websocket");
        assert_eq!(hello.headers()["sec-websocket-protocol"], "mqtt");
        if manner == Manner::NoWebSocket {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = hyper::StatusCode::NOT_FOUND;
            return Err(refusal);
        }
        if manner != Manner::NoSubprotocol {
            answer.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
        }
        Ok(answer)
    };
    let Ok(socket) = accept_hdr_async(stream, check).await else { return };
    let (mut sink, mut source) = socket.split();
    let size = match manner {
        Manner::Frames(size) => size,
        Manner::Text => return sink.send(Message::text("hello")).await.unwrap(),
        _ => return while source.next().await.is_some() {},
    };
    let (ours, theirs) = duplex(1 << 20);
    let (mut output, mut input) = split(ours);
    let inwards = async {
        while let Some(Ok(message)) = source.next().await {
            match message {
                Message::Binary(bytes) => input.write_all(&bytes).await.unwrap(),
                Message::Close(_) => break,
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("MQTT is binary: {other:?}"),
            }
        }
        let _ = input.shutdown().await;
    };
    let outwards = async {
        let mut bytes = vec![0; size];
        while let Ok(count @ 1..) = output.read(&mut bytes).await {
            // A gateway may ping at any time.
            let _ = sink.send(Message::Ping(Bytes::from_static(b"?"))).await;
            let frame = Bytes::copy_from_slice(&bytes[..count]);
            if sink.send(Message::Binary(frame)).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(echo(theirs), inwards, outwards);
}

/// Whatever way is taken, bytes arrive whole and in order in both directions, and DISCONNECT ends
/// it in good order.
async fn converse(gateway: &Gateway) {
    let mut connection = gateway.connect().await.expect("a connection");
    let mut inbox = Vec::new();
    let never = Notify::new();
    let body = |index: usize| vec![u8::try_from(index % 251).unwrap(); index * 997 % 70_000];
    let mut echoed = 0;
    let exchange = async {
        for index in 0..100 {
            while !connection.is_writable() {
                connection.turn_packets(&mut inbox, &never, true).await.unwrap();
            }
            let publish = Publish::new("a/b", QoS::AtMostOnce, body(index));
            connection.publish(&publish).unwrap();
        }
        while echoed < 100 {
            connection.turn_packets(&mut inbox, &never, true).await.unwrap();
            for packet in inbox.drain(..) {
                match packet {
                    Packet::Publish(publish) => {
                        assert_eq!(publish.payload, body(echoed), "publish {echoed}");
                        echoed += 1;
                    }
                    Packet::PingResp => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    };
    timeout(PATIENCE, exchange).await.expect("all echoes in time");
    timeout(PATIENCE, connection.disconnect()).await.expect("an end in time").unwrap();
}

#[tokio::test]
async fn mqtt_over_tls() {
    converse(&Gateway::start(Manner::Mqtt).await).await;
}

#[tokio::test]
async fn mqtt_over_plain_tcp() {
    converse(&Gateway::start(Manner::Plain).await).await;
}

/// `0` resolves to 0.0.0.0, which is not loopback, but leads to loopback all the same: only the
/// check of what a name resolves to keeps the gateway from being reached.
#[tokio::test]
async fn plain_tcp_refuses_a_name_that_is_not_loopback() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut endpoint = Endpoint {
        host: String::new(),
        port,
        route: Route::Plain,
        tls: crate::hub::trust::trusting([]).unwrap(),
        peers: Peers::default(),
        names: &Names::NONE,
    };
    let ours = TcpStream::connect(("0", port)).await.expect("this name leads here");
    let (_, from) = timeout(PATIENCE, listener.accept()).await.expect("in time").unwrap();
    assert_eq!(from, ours.local_addr().unwrap());
    for host in ["0", "0.0.0.0", "192.0.2.1"] {
        endpoint.host = host.to_owned();
        let connected = connect(&endpoint, Connect::new("d/m"));
        let refused = timeout(PATIENCE, connected).await.expect("an end in time").err();
        let refused = refused.expect("refused");
        assert!(matches!(refused.failure, Failure::NotLoopback { .. }), "{host}: {refused}");
    }
    // Connections come in order: the next one is the test's own, so there was none in between.
    let ours = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (_, from) = timeout(PATIENCE, listener.accept()).await.expect("in time").unwrap();
    assert_eq!(from, ours.local_addr().unwrap());
}

/// The way to a broker may leave loopback: `0` is refused above and taken here.
#[tokio::test]
async fn mqtt_over_tcp_to_any_host() {
    for host in ["localhost", "0", "0.0.0.0"] {
        let mut gateway = Gateway::start(Manner::Plain).await;
        gateway.endpoint.route = Route::Tcp;
        gateway.endpoint.host = host.to_owned();
        assert!(gateway.endpoint.to_string().ends_with(" over TCP without TLS"));
        converse(&gateway).await;
    }
}

/// However the peer cuts its bytes into frames.
#[tokio::test]
async fn mqtt_over_websocket() {
    for size in [100_000, 4096, 999] {
        converse(&Gateway::start(Manner::Frames(size)).await).await;
    }
}

#[tokio::test]
async fn a_peer_that_speaks_no_websocket_is_named() {
    let cases = [
        (Manner::NoWebSocket, "404"),
        (Manner::NoSubprotocol, "ubprotocol"),
        (Manner::Mqtt, "no WebSocket with localhost"),
    ];
    for (manner, expected) in cases {
        let mut gateway = Gateway::start(manner).await;
        gateway.endpoint.route = Route::WebSocket { proxy: None };
        let shown = gateway.failure().await;
        assert!(shown.contains(expected) && shown.contains("MQTT over WebSocket?"), "{shown}");
    }
    let shown = Gateway::start(Manner::Text).await.failure().await;
    assert!(shown.contains("text frame"), "{shown}");
}

#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let gateway = Gateway::start(Manner::Silent).await;
    let shown = gateway.failure().await;
    assert!(shown.contains("no CONNACK from localhost"), "{shown}");
}

/// An HTTP proxy that knows one user.
struct HttpProxy {
    port: u16,
    /// Host and authority of each CONNECT.
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpProxy {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                let service = service_fn(move |request| answer(request, Arc::clone(&log)));
                let server = hyper::server::conn::http1::Builder::new();
                let served = server.serve_connection(TokioIo::new(socket), service).with_upgrades();
                tokio::spawn(served);
            }
        });
        Self { port, asked, task }
    }

    fn route(&self, user: &str) -> Route {
        let url = format!("http://{user}@127.0.0.1:{}", self.port);
        Route::WebSocket { proxy: Proxy::to("localhost", 443, &url, "").expect("a good URL") }
    }
}

async fn answer(
    mut request: Request<Incoming>,
    log: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let target = request.uri().to_string();
    let host = request.headers()[HOST].to_str().unwrap().to_owned();
    log.lock().unwrap().push(format!("{} {target} {host}", request.method()));
    let mut response = Response::new(Empty::new());
    let expected = "Basic dXNlcjpodW50ZXIy";
    if request.headers().get(PROXY_AUTHORIZATION).is_none_or(|given| given != expected) {
        *response.status_mut() = hyper::StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        return Ok(response);
    }
    let Ok(mut onwards) = TcpStream::connect(&target).await else {
        *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
        return Ok(response);
    };
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
        let _ = request.collect().await;
        let mut client = TokioIo::new(upgraded);
        let _ = tokio::io::copy_bidirectional(&mut client, &mut onwards).await;
    });
    Ok(response)
}

#[tokio::test]
async fn mqtt_over_websocket_through_a_proxy() {
    let proxy = HttpProxy::start().await;
    let mut gateway = Gateway::start(Manner::Frames(4096)).await;
    gateway.endpoint.route = proxy.route("user:hunter2");
    converse(&gateway).await;
    let target = format!("localhost:{}", gateway.endpoint.port);
    assert_eq!(*proxy.asked.lock().unwrap(), [format!("CONNECT {target} {target}")]);
}

#[tokio::test]
async fn a_proxy_that_opens_no_way_is_named() {
    let proxy = HttpProxy::start().await;
    let mut gateway = Gateway::start(Manner::Frames(4096)).await;
    gateway.endpoint.route = proxy.route("user:wrong");
    let shown = gateway.failure().await;
    assert!(
        shown.contains(&format!("proxy 127.0.0.1:{}: no way to localhost", proxy.port)),
        "{shown}"
    );
    assert!(shown.contains("407") && shown.contains("check user and password"), "{shown}");
    assert!(!shown.contains("wrong"), "{shown}");

    gateway.endpoint.route = proxy.route("user:hunter2");
    gateway.endpoint.port = 1;
    let shown = gateway.failure().await;
    assert!(shown.contains("502"), "{shown}");
}

/// A proxy that hangs up, talks something else, or adds bytes behind its answer.
#[tokio::test]
async fn a_faulty_proxy_is_reported_with_its_fault() {
    let cases: [(&'static [u8], &str); 3] = [
        (b"", "connection closed"),
        (b"SSH-2.0-x\r\n", "invalid HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "bytes behind its answer"),
    ];
    for (words, expected) in cases {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let task = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1024]).await;
            let _ = socket.write_all(words).await;
        });
        let mut gateway = Gateway::start(Manner::Frames(4096)).await;
        let proxy = Proxy::to("localhost", 443, &url, "").unwrap();
        gateway.endpoint.route = Route::WebSocket { proxy };
        let shown = gateway.failure().await;
        assert!(shown.contains("no way to") && shown.contains(expected), "{shown}");
        task.await.unwrap();
    }
}
