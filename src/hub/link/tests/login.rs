//! What the hub sees of a module inside the edge runtime: over real TLS, on loopback.

use super::*;
use crate::azure::{Key, Token};
use crate::hub::limits::TRUST_BUNDLE_AGE_MIN;
use crate::hub::link::login::LoginError;
use crate::mqtt::packet::{ConnAck, Connect, ConnectReturnCode};
use crate::mqtt::{Answer, ConnectError};
use crate::testing::daemon::{Daemon, KEY, Mood};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A hub that accepts every CONNECT and hands it over; its certificate is for `name`.
struct Gateway {
    port: u16,
    root: String,
    connects: tokio::sync::mpsc::Receiver<Connect>,
    _task: JoinHandle<()>,
}

impl Gateway {
    async fn start(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, connects) = tokio::sync::mpsc::channel(8);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(socket).await else { continue };
                let mut connection = Connection::new(stream, Duration::ZERO);
                let mut inbox = Vec::new();
                while inbox.is_empty() {
                    connection
                        .turn_packets(&mut inbox, &Notify::new(), true)
                        .await
                        .expect("CONNECT");
                }
                let Packet::Connect(connect) = inbox.remove(0) else { panic!("CONNECT is first") };
                let accepted = ConnAck::new(ConnectReturnCode::Success, false);
                connection.send(&Packet::ConnAck(accepted)).unwrap();
                connection.flush().await.unwrap();
                sender.send(connect).await.unwrap();
            }
        });
        Self { port, root, connects, _task: task }
    }

    /// A link inside the runtime of `daemon` that is to connect here.
    fn link(&self, daemon: &Daemon) -> (HubLink, watch::Sender<bool>) {
        let (mut link, stop, _wake) = link(1 << 20);
        link.settings.port = self.port;
        link.settings.credentials = Credentials::Workload(daemon.client());
        link.settings.trust = Trust::bundle(daemon.client());
        (link, stop)
    }
}

async fn failure(link: &mut HubLink) -> String {
    match link.log_in().await {
        Ok(_) => panic!("this must fail"),
        Err(error) => {
            let failure = error.failure();
            assert_eq!(failure.answer, Some(Answer::Refusal));
            failure.text
        }
    }
}

fn other_root() -> String {
    rcgen::generate_simple_self_signed(vec!["other".to_owned()]).unwrap().cert.pem()
}

/// The bundle is the root, the daemon signs, and names are those of the IoT Hub.
#[tokio::test]
async fn a_module_logs_in_as_the_runtime_says() {
    let mut gateway = Gateway::start("localhost").await;
    let daemon = Daemon::start(other_root() + &gateway.root);
    let (mut link, _stop) = gateway.link(&daemon);
    link.log_in().await.expect("a connection");
    let connect = gateway.connects.recv().await.expect("a CONNECT");
    let login = connect.login.expect("user name and password");
    assert!(login.username.starts_with("h.net/d/m/?api-version="), "{}", login.username);
    let agent = format!("sluicegate%2F{}", env!("CARGO_PKG_VERSION"));
    assert!(login.username.contains(&agent), "{}: hubs show what connects", login.username);
    assert_eq!(link.pipeline.lock().counters.connections, 1);
    link.log_in().await.expect("another connection");
    assert_eq!(link.pipeline.lock().counters.connections, 2);
    let token = Token::parse(&login.password).unwrap();
    assert!(token.verify(&Key::from_base64(KEY).unwrap()));
    assert_eq!(token.resource(), "h.net/devices/d/modules/m");
    assert_eq!((connect.client_id.as_str(), connect.clean_session), ("d/m", false));
}

/// Without roots there is no connection: each failure says what failed, and the next attempt works.
#[tokio::test]
async fn a_daemon_in_trouble_is_waited_for() {
    let mut gateway = Gateway::start("localhost").await;
    let daemon = Daemon::start(&gateway.root[..300]);
    let (mut link, _stop) = gateway.link(&daemon);
    let shown = failure(&mut link).await;
    assert!(shown.contains("certificate 1 is cut off"), "{shown}");
    daemon.set_bundle(&gateway.root);
    daemon.moods([Mood::Answer(403, r#"{"message":"not you"}"#.into())]);
    let shown = failure(&mut link).await;
    assert!(shown.contains("no trusted roots: workload API at unix://"), "{shown}");
    assert!(shown.contains("not you"), "{shown}");
    daemon.moods([Mood::Good, Mood::Answer(500, String::new())]);
    let shown = failure(&mut link).await;
    assert!(shown.contains("no token: workload API at unix://"), "{shown}");
    link.log_in().await.expect("a connection");
    gateway.connects.recv().await.expect("a CONNECT");
}

/// A hub that refuses the identity is asked again as rarely as that deserves.
#[test]
fn a_refused_identity_is_one() {
    for (code, answer) in [(3, Answer::Refusal), (4, Answer::Identity), (5, Answer::Identity)] {
        let error = LoginError::Connect(ConnectError::refused(code));
        assert_eq!(error.failure().answer, Some(answer), "CONNACK {code}");
    }
}

/// A gateway with a new root is met by a new bundle, once the old one is old enough.
#[tokio::test]
async fn an_unknown_issuer_fetches_the_bundle_again() {
    let gateway = Gateway::start("localhost").await;
    let daemon = Daemon::start(other_root());
    let (mut link, _stop) = gateway.link(&daemon);
    for _ in 0..3 {
        let shown = failure(&mut link).await;
        assert!(shown.contains("not signed by a trusted root"), "{shown}");
    }
    let bundles = || daemon.requests().iter().filter(|line| line.contains("bundle")).count();
    assert_eq!(bundles(), 1);
    daemon.set_bundle(&gateway.root);
    tokio::time::pause();
    tokio::time::advance(TRUST_BUNDLE_AGE_MIN).await;
    tokio::time::resume();
    failure(&mut link).await;
    link.log_in().await.expect("a connection");
    assert_eq!(bundles(), 2);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let gateway = Gateway::start("another-host").await;
    let daemon = Daemon::start(&gateway.root);
    let (mut link, _stop) = gateway.link(&daemon);
    let shown = failure(&mut link).await;
    assert!(shown.contains("does not carry the host name localhost, but another-host"), "{shown}");
}

/// A daemon that hangs does not delay the end of the process.
#[tokio::test]
async fn stopping_does_not_wait_for_the_daemon() {
    let gateway = Gateway::start("localhost").await;
    let daemon = Daemon::start("");
    daemon.moods([Mood::Hang]);
    let (link, stop) = gateway.link(&daemon);
    let running = tokio::spawn(link.run());
    while daemon.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.send(true).unwrap();
    timeout(PATIENCE, running).await.expect("an end in time").expect("no panic");
}

/// What an error tells to look at is there, inside of the edge runtime and outside.
#[tokio::test]
async fn named_settings_exist() {
    let key = Key::from_base64("MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
    let daemon = Daemon::start(other_root());
    for credentials in [Credentials::Key(key), Credentials::Workload(daemon.client())] {
        crate::testing::names::assert_are_in(
            crate::hub::link::login::names(&credentials),
            &crate::module::settings::TABLE,
        );
    }
}
