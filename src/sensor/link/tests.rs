//! The link against a scripted peer: one TLS listener on loopback that is the provisioning service
//! and the hub, told apart by the username.

use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing_subscriber::filter::LevelFilter;

use super::*;
use crate::azure::dps::Enrollment;
use crate::azure::topics::{self, Sent, parse_sent};
use crate::azure::{Key, Token};
use crate::mqtt::Connection;
use crate::mqtt::QoS;
use crate::mqtt::packet::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use crate::mqtt::tls::{TlsSettings, trusting};

mod alone;
mod deadlines;
mod registering;
mod too_large;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// Longest wait for anything that is expected.
const PATIENCE: Duration = Duration::from_secs(20);

/// The listener, and the sensor that runs against it.
struct World {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    stop: watch::Sender<bool>,
    wake: Arc<Notify>,
    link: JoinHandle<SensorSummary>,
}

/// The peer's end of one connection, behind its CONNACK.
struct Peer {
    connection: Connection<TlsStream<TcpStream>>,
    inbox: VecDeque<Packet>,
    hello: Connect,
}

fn settings(port: u16, token_lifetime: Duration, root: CertificateDer<'static>) -> SensorSettings {
    SensorSettings {
        enrollment: Enrollment { id_scope: "scope".into(), registration_id: "dev-1".into() },
        key: Key::from_base64(KEY).unwrap().into(),
        provisioning_host: "localhost".into(),
        provisioning_port: port,
        hub_port: port,
        tls: TlsSettings::from(trusting([root]).unwrap()).into(),
        interval: Duration::from_millis(200),
        model_id: Some("dtmi:test:Sensor;1".into()),
        token_lifetime,
        log_level: LevelFilter::DEBUG,
        warnings: Vec::new(),
    }
}

impl World {
    async fn start(token_lifetime: Duration) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = watch::channel(false);
        let wake = Arc::new(Notify::new());
        let settings = settings(port, token_lifetime, cert.der().clone());
        let link = DeviceLink::new(settings, Arc::clone(&wake), stopped, 7);
        let link = tokio::task::spawn_local(link.run());
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(server)), stop, wake, link }
    }

    /// Takes the next connection and answers its CONNECT with `code`.
    async fn accept(&self, code: ConnectReturnCode) -> Peer {
        let tcp = patient("a connection", self.listener.accept()).await.unwrap().0;
        let tls = patient("TLS", self.acceptor.accept(tcp)).await.unwrap();
        let mut connection = Connection::new(tls, Duration::ZERO);
        let mut inbox = VecDeque::new();
        read("CONNECT", &mut connection, &mut inbox).await;
        let Some(Packet::Connect(hello)) = inbox.pop_front() else {
            panic!("CONNECT comes first");
        };
        connection.send(&Packet::ConnAck(ConnAck::new(code, false))).unwrap();
        connection.flush().await.unwrap();
        Peer { connection, inbox, hello }
    }

    /// Accepts the registration and assigns `device`, after one 202.
    async fn assign(&self, device: &str) {
        let mut dps = self.accept(ConnectReturnCode::Success).await;
        let login = dps.login();
        assert!(
            login.0.starts_with("scope/registrations/dev-1/api-version=2019-03-31&"),
            "{login:?}"
        );
        assert_eq!(login.1, "scope/registrations/dev-1");
        dps.subscribe(&["$dps/registrations/res/#"]).await;
        let register = dps.publish().await;
        let (rid, body) = (rid(&register.topic), json_of(&register));
        let model = json!({"modelId": "dtmi:test:Sensor;1"});
        assert_eq!(body, json!({"registrationId": "dev-1", "payload": model}));
        let assigning = json!({"operationId": "4.x/y", "status": "assigning"});
        dps.send(&dps::response(202, &rid, Some(0)), &assigning).await;
        let poll = dps.publish().await;
        assert!(poll.topic.ends_with("&operationId=4.x%2Fy"), "{}", poll.topic);
        let assigned = json!({"operationId": "4.x/y", "status": "assigned", "registrationState":
            {"assignedHub": "localhost", "deviceId": device, "status": "assigned"}});
        dps.send(&dps::response(200, &self::rid(&poll.topic), None), &assigned).await;
        dps.disconnect().await;
    }

    /// Accepts the device at the hub, up to the answer to its GET.
    async fn serve(&self, device: &str, twin: &Value) -> Peer {
        let mut hub = self.accept(ConnectReturnCode::Success).await;
        let login = hub.login();
        assert_eq!(hub.hello.client_id, device);
        assert!(!hub.hello.clean_session);
        assert!(login.0.starts_with(&format!("localhost/{device}/?api-version=")), "{login:?}");
        assert!(login.0.ends_with("&model-id=dtmi%3Atest%3ASensor%3B1"), "{login:?}");
        assert_eq!(login.1, format!("localhost/devices/{device}"));
        let filters = [
            "$iothub/twin/res/#",
            "$iothub/twin/PATCH/properties/desired/#",
            "$iothub/methods/POST/#",
        ];
        hub.subscribe(&filters).await;
        let get = hub.publish_on("$iothub/twin/GET/").await;
        hub.send(&topics::twin_response(200, &rid(&get.topic), None), twin).await;
        hub
    }

    /// Tells the sensor to quit, and takes its goodbye.
    async fn quit(self, hub: Option<Peer>) -> SensorSummary {
        self.stop.send(true).unwrap();
        self.wake.notify_one();
        if let Some(hub) = hub {
            hub.disconnect().await;
        }
        patient("the end", self.link).await.unwrap()
    }
}

impl Peer {
    /// Username, and the resource of the token, whose signature and expiry are checked.
    fn login(&self) -> (String, String) {
        let login = self.hello.login.as_ref().expect("a login");
        let token = Token::parse(&login.password).expect("a token");
        assert!(token.verify(&Key::from_base64(KEY).unwrap()));
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(!token.is_expired(now_s, 0));
        (login.username.clone(), token.resource())
    }

    /// The first packet that is wanted; those before it are kept.
    async fn find<T>(&mut self, what: &str, wanted: impl Fn(&Packet) -> Option<T>) -> T {
        loop {
            let found = self.inbox.iter().enumerate().find_map(|(i, p)| Some((i, wanted(p)?)));
            if let Some((index, found)) = found {
                self.inbox.remove(index);
                return found;
            }
            read(what, &mut self.connection, &mut self.inbox).await;
        }
    }

    async fn disconnect(mut self) {
        self.find("DISCONNECT", |packet| (*packet == Packet::Disconnect).then_some(())).await;
    }

    async fn subscribe(&mut self, filters: &[&str]) {
        let wanted = |packet: &Packet| match packet {
            Packet::Subscribe(subscribe) => Some(subscribe.clone()),
            _ => None,
        };
        let subscribe = self.find("SUBSCRIBE", wanted).await;
        let asked: Vec<_> = subscribe.filters.iter().map(|filter| filter.path.as_str()).collect();
        assert_eq!(asked, filters);
        // Whose answers would come to a session that nobody has subscribed with yet.
        let is_request = |packet: &Packet| match packet {
            Packet::Publish(publish) => publish.topic.starts_with('$'),
            _ => false,
        };
        assert!(!self.inbox.iter().any(is_request), "{:?}", self.inbox);
        let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); filters.len()];
        let ack = SubAck::new(subscribe.pkid, codes);
        self.connection.send(&Packet::SubAck(ack)).unwrap();
        self.connection.flush().await.unwrap();
    }

    async fn publish(&mut self) -> Publish {
        self.publish_on("").await
    }

    /// The next publish whose topic begins with `prefix`; not acknowledged.
    async fn publish_on(&mut self, prefix: &str) -> Publish {
        let wanted = |packet: &Packet| match packet {
            Packet::Publish(publish) if publish.topic.starts_with(prefix) => Some(publish.clone()),
            _ => None,
        };
        self.find(prefix, wanted).await
    }

    /// The next report, which is acknowledged.
    async fn report(&mut self) -> Value {
        let report = self.publish_on("$iothub/twin/PATCH/properties/reported/").await;
        let topic = topics::twin_response(204, &rid(&report.topic), Some(2));
        let answer = Publish::new(topic, QoS::AtMostOnce, Vec::new());
        self.connection.publish(&answer).unwrap();
        self.connection.flush().await.unwrap();
        json_of(&report)
    }

    async fn telemetry(&mut self) -> Publish {
        let publish = self.publish_on("devices/").await;
        assert!(matches!(parse_sent(&publish.topic), Sent::Telemetry { .. }), "{}", publish.topic);
        publish
    }

    async fn acknowledge(&mut self, publish: &Publish) {
        self.connection.send(&Packet::PubAck(PubAck::new(publish.pkid))).unwrap();
        self.connection.flush().await.unwrap();
    }

    /// Sends a publish at QoS 1, and waits for its PUBACK.
    async fn send(&mut self, topic: &str, body: &Value) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body.to_string());
        publish.pkid = 1;
        self.connection.publish(&publish).unwrap();
        self.connection.flush().await.unwrap();
        let ack = Packet::PubAck(PubAck::new(1));
        self.find("PUBACK", |packet| (*packet == ack).then_some(())).await;
    }

    /// Calls a method; status and body of the answer.
    async fn call(&mut self, name: &str, payload: &Value) -> (u32, Vec<u8>) {
        self.send(&topics::method_request(name, "7f"), payload).await;
        let answer = self.publish_on("$iothub/methods/res/").await;
        let Sent::MethodResponse { status, rid } = parse_sent(&answer.topic) else {
            panic!("{}", answer.topic)
        };
        assert_eq!(rid, "7f");
        (status, answer.payload.to_vec())
    }
}

async fn read(
    what: &str,
    connection: &mut Connection<TlsStream<TcpStream>>,
    inbox: &mut VecDeque<Packet>,
) {
    let never = Notify::new();
    let mut packets = Vec::new();
    let reading = async {
        while packets.is_empty() {
            connection
                .turn_packets(&mut packets, &never, true)
                .await
                .expect("the sensor goes on talking");
        }
    };
    patient(what, reading).await;
    inbox.extend(packets);
}

async fn patient<T>(what: &str, work: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not come within {PATIENCE:?}"),
    }
}

fn rid(topic: &str) -> String {
    let rest = topic.split_once("$rid=").expect("a request id").1;
    rest.split('&').next().expect("split has one part").to_owned()
}

fn json_of(publish: &Publish) -> Value {
    serde_json::from_slice(&publish.payload).expect("JSON")
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test));
}

const HOUR: Duration = Duration::from_secs(3600);

fn empty_twin() -> Value {
    json!({"desired": {"$version": 1}, "reported": {"$version": 1}})
}

/// Registration, the missed property, state, telemetry, commands, a patch, goodbye.
#[test]
fn the_whole_conversation() {
    run(async {
        let world = World::start(HOUR).await;
        world.assign("dev-9").await;
        let twin = json!({"desired": {"name": {"value": "missed"}, "$version": 3},
                          "reported": {"name": {"desiredVersion": 2}}});
        let mut hub = world.serve("dev-9", &twin).await;
        assert_eq!(hub.report().await, json!({"state": "true"}));
        let telemetry = hub.telemetry().await;
        assert_eq!(telemetry.topic, "devices/dev-9/messages/events/");
        hub.acknowledge(&telemetry).await;
        let text = "Blinking LED every 10 seconds";
        let (status, body) = hub.call("blink", &json!(10)).await;
        assert_eq!((status, body), (200, json!({"description": text}).to_string().into_bytes()));
        assert_eq!(hub.call("turnon", &Value::Null).await, (200, Vec::new()));
        assert_eq!(hub.call("turnoff", &Value::Null).await, (200, Vec::new()));
        assert_eq!(hub.call("rundiagnostics", &Value::Null).await, (202, Vec::new()));
        let (status, body) = hub.call("explode", &Value::Null).await;
        assert_eq!(status, 404);
        assert!(serde_json::from_slice::<Value>(&body).expect("JSON")["error"].is_string());
        let wanted = json!({"value": "missed", "status": "completed", "desiredVersion": 3});
        assert_eq!(hub.report().await, json!({"name": wanted}));
        hub.send(&topics::desired_patch(4), &json!({"name": "lamp", "$version": 4})).await;
        // Reports are merged: the members of the other form go.
        let wanted = json!({"value": "lamp", "ac": 200, "av": 4, "ad": "completed",
                            "status": null, "desiredVersion": null});
        assert_eq!(hub.report().await, json!({"name": wanted}));
        let report = hub.report().await;
        let text = report["rundiagnostics"]["value"].as_str().expect("a text");
        assert!(text.starts_with("Diagnostics run complete at "), "{text}");
        let summary = world.quit(Some(hub)).await;
        let SensorCounters { registrations, connections, commands, changes, .. } = summary.counters;
        assert_eq!((registrations, connections, commands, changes), (1, 1, 5, 2));
        assert_eq!(summary.counters.telemetry_acknowledged, 1);
        assert!(summary.telemetry_waiting > 5, "one every 200 ms");
        assert_eq!(summary.failure, None);
    });
}

/// A request id that no answer's topic can carry, as it grows when encoded: the caller gets a
/// time-out, the connection lives, and the next command is answered.
#[test]
fn a_command_whose_answer_has_no_room_is_not_answered() {
    run(async {
        let world = World::start(HOUR).await;
        world.assign("dev-1").await;
        let mut hub = world.serve("dev-1", &empty_twin()).await;
        let long = "@".repeat(30_000);
        hub.send(&format!("$iothub/methods/POST/turnon/?$rid={long}"), &Value::Null).await;
        assert_eq!(hub.call("turnoff", &Value::Null).await, (200, Vec::new()));
        let summary = world.quit(Some(hub)).await;
        assert_eq!((summary.counters.connections, summary.counters.commands), (1, 1));
    });
}

/// After a loss: the twin is read again, what it brings is acted on, and telemetry without PUBACK
/// comes again under its ids, in order, marked as such.
#[test]
fn a_lost_connection_loses_nothing() {
    run(async {
        let world = World::start(HOUR).await;
        world.assign("dev-1").await;
        let mut hub = world.serve("dev-1", &empty_twin()).await;
        let first = hub.telemetry().await;
        hub.acknowledge(&first).await;
        let lost = [hub.telemetry().await, hub.telemetry().await];
        drop(hub);
        let twin = json!({"desired": {"name": "n", "$version": 2}, "reported": {}});
        let mut hub = world.accept(ConnectReturnCode::Success).await;
        for lost in &lost {
            let again = hub.telemetry().await;
            assert!(again.dup);
            assert_eq!((again.pkid, &again.payload), (lost.pkid, &lost.payload));
        }
        // The rest of the connection as any.
        hub.subscribe(&[topics::TWIN_RESPONSES, topics::DESIRED_PATCHES, topics::METHODS]).await;
        let get = hub.publish_on("$iothub/twin/GET/").await;
        hub.send(&topics::twin_response(200, &rid(&get.topic), None), &twin).await;
        loop {
            let report = hub.report().await;
            if report.get("state").is_none() {
                let wanted = json!({"value": "n", "ac": 200, "av": 2, "ad": "completed"});
                assert_eq!(report, json!({"name": wanted}));
                break;
            }
        }
        let summary = world.quit(Some(hub)).await;
        assert_eq!((summary.counters.registrations, summary.counters.connections), (1, 2));
    });
}

/// The token is renewed before it ends, by DISCONNECT and a new CONNECT; the state is not reported
/// again, as nothing was started again.
#[test]
fn tokens_are_renewed_in_time() {
    run(async {
        let world = World::start(Duration::from_secs(4)).await;
        world.assign("dev-1").await;
        let mut hub = world.serve("dev-1", &empty_twin()).await;
        assert_eq!(hub.report().await, json!({"state": "true"}));
        for _ in 0..2 {
            // All that happens until the next look-up of a name, which has a thread of its own,
            // happens on this thread.
            tokio::time::pause();
            let since = tokio::time::Instant::now();
            hub.disconnect().await;
            let used = since.elapsed();
            tokio::time::resume();
            assert!(used < Duration::from_secs(4), "before the token ends: {used:?}");
            hub = world.serve("dev-1", &empty_twin()).await;
        }
        let summary = world.quit(Some(hub)).await;
        assert_eq!((summary.counters.registrations, summary.counters.connections), (1, 3));
        assert_eq!(summary.counters.telemetry_dropped, 0);
    });
}
