use std::collections::HashMap;
use std::net::{Shutdown, TcpListener};
use std::thread::JoinHandle;

use rumqttc::mqttbytes::v4::{Publish, SubAck, SubscribeReasonCode};

use super::*;

/// How long anything may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(30);

fn variables(port: u16) -> HashMap<&'static str, String> {
    HashMap::from([
        ("LOADGEN_HOST", "127.0.0.1".to_owned()),
        ("LOADGEN_PORT", port.to_string()),
        ("LOADGEN_CLIENT_ID", "edge/filter".to_owned()),
        ("LOADGEN_USERNAME", "user".to_owned()),
        ("LOADGEN_PASSWORD", "token".to_owned()),
        ("LOADGEN_SUBSCRIBE", "devices/edge/modules/filter/inputs/#".to_owned()),
        ("LOADGEN_PUBLISH", "devices/edge/modules/filter/messages/events/".to_owned()),
        ("LOADGEN_THRESHOLD", "25".to_owned()),
    ])
}

fn settings(variables: &HashMap<&str, String>) -> Result<BareSettings, String> {
    BareSettings::read(|name| variables.get(name).cloned())
}

/// The hub's end of a connection.
struct Hub {
    tcp: TcpStream,
    bytes: BytesMut,
}

impl Hub {
    /// With the program that has connected to it.
    fn with_program() -> (Self, JoinHandle<Result<(), BareError>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = settings(&variables(listener.local_addr().unwrap().port())).ok().unwrap();
        let program = std::thread::spawn(move || run(&settings));
        let (tcp, _) = listener.accept().unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        (Self { tcp, bytes: BytesMut::new() }, program)
    }

    fn next(&mut self) -> Packet {
        loop {
            if let Ok(packet) = Packet::read(&mut self.bytes, PACKET_BYTES_MAX) {
                return packet;
            }
            let mut piece = [0; 4096];
            let count = self.tcp.read(&mut piece).unwrap();
            assert!(count > 0, "the program has gone");
            self.bytes.extend_from_slice(&piece[..count]);
        }
    }

    /// Answers CONNECT with `code`.
    fn accept(&mut self, code: ConnectReturnCode) {
        let Packet::Connect(connect) = self.next() else { panic!("no CONNECT") };
        assert_eq!(connect.client_id, "edge/filter");
        assert!(connect.login.is_some_and(|login| login.password == "token"));
        self.send(|bytes| ConnAck::new(code, false).write(bytes));
    }

    fn send<T>(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<T, rumqttc::mqttbytes::Error>,
    ) {
        let mut bytes = BytesMut::new();
        write(&mut bytes).unwrap();
        // In two parts: packets begin and end anywhere in what is read.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.tcp.write_all(first).unwrap();
        self.tcp.write_all(second).unwrap();
    }
}

/// It connects, subscribes, acknowledges every input in order, sends alerts alone, and ends with
/// the connection.
#[test]
fn it_does_the_modules_work() {
    let (mut hub, program) = Hub::with_program();
    hub.accept(ConnectReturnCode::Success);
    let Packet::Subscribe(subscribe) = hub.next() else { panic!("no SUBSCRIBE") };
    assert_eq!(subscribe.filters[0].path, "devices/edge/modules/filter/inputs/#");
    let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
    hub.send(|bytes| SubAck::new(subscribe.pkid, granted).write(bytes));
    for (id, temperature) in [(1, 25.0), (2, 25.5), (3, 20.0)] {
        let topic = "devices/edge/modules/filter/inputs/input1/sensor=a&%24.cdid=edge";
        let body = format!("{{\"machine\":{{\"temperature\":{temperature:.1}}}}}");
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
        publish.pkid = id;
        hub.send(|bytes| publish.write(bytes));
    }
    let (mut acknowledged, mut alerts) = (Vec::new(), Vec::new());
    while acknowledged.len() < 3 {
        match hub.next() {
            Packet::PubAck(ack) => acknowledged.push(ack.pkid),
            Packet::Publish(alert) => alerts.push(alert),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(acknowledged, [1, 2, 3]);
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!(
        alert.topic,
        "devices/edge/modules/filter/messages/events/%24.on=output1&sensor=a&MessageType=Alert"
    );
    assert_eq!(alert.qos, QoS::AtLeastOnce);
    assert_eq!(&alert.payload[..], b"{\"machine\":{\"temperature\":25.5}}");
    hub.tcp.shutdown(Shutdown::Both).unwrap();
    let ended = program.join().unwrap();
    assert!(matches!(ended, Err(BareError::Closed)), "{ended:?}");
}

#[test]
fn a_refusal_ends_it() {
    let (mut hub, program) = Hub::with_program();
    hub.accept(ConnectReturnCode::NotAuthorized);
    let ended = program.join().unwrap();
    assert!(matches!(ended, Err(BareError::Refused)), "{ended:?}");
}

/// Whatever is missing or wrong is named, and TLS is refused rather than ignored.
#[test]
fn what_is_missing_or_wrong_is_named() {
    let good = variables(1883);
    assert!(settings(&good).is_ok());
    for name in good.keys() {
        let mut lacking = good.clone();
        lacking.remove(name);
        let said = settings(&lacking).err().unwrap();
        assert!(said.contains(name), "{name}: {said}");
    }
    for (name, value) in
        [("LOADGEN_PORT", "x"), ("LOADGEN_THRESHOLD", "NaN"), ("LOADGEN_CA_FILE", "/ca.pem")]
    {
        let mut wrong = good.clone();
        wrong.insert(name, value.to_owned());
        assert!(settings(&wrong).is_err(), "{name}");
    }
}
