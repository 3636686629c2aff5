//! Through a module of a broker: Mosquitto is a process, and a wire without TLS stands before it.
//!
//! The wire tells what passes. A message is acknowledged once the module's PUBACK has left the
//! wire, and only then its source forgets it. An alert has come out once the broker's PUBACK has
//! left the wire: from then on it is the broker's. So a broker that dies may lose what it likes.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{Connect, Packet};
use rumqttc::mqttbytes::{self, QoS};
use test_support::{Access, Client, Mosquitto, Process, Wire, program, wait_until};

use crate::books::Message;
use crate::source::{Key, Source, key};
use crate::stream::{Way, Wired};

/// What the module subscribes to, unless told otherwise.
const SENSORS: &str = "sensors/#";
/// Of the module's connection for messages; that for alerts has another one.
const CLIENT_ID: &str = "module";
/// Messages that the broker may have under way: so many acknowledgements may be lost with a
/// connection.
const WINDOW: u64 = 200;

/// What passed on one connection of the module.
#[derive(Default)]
struct Course {
    client_id: String,
    up: BytesMut,
    down: BytesMut,
    /// Alerts without PUBACK.
    alerts: HashMap<u16, Bytes>,
    /// Messages without PUBACK.
    inputs: HashMap<u16, Key>,
}

#[derive(Default)]
struct Seen {
    courses: HashMap<u64, Course>,
    acknowledged: Vec<Key>,
    came: Vec<Vec<u8>>,
    /// The broker knows the module's session, and so its subscriptions.
    knows_session: bool,
}

impl Seen {
    fn pass(&mut self, connection: u64, is_up: bool, bytes: &[u8]) {
        let Self { courses, acknowledged, came, knows_session } = self;
        let course = courses.entry(connection).or_default();
        let buffer = if is_up { &mut course.up } else { &mut course.down };
        buffer.extend_from_slice(bytes);
        loop {
            let packet = match Packet::read(buffer, usize::MAX) {
                Ok(packet) => packet,
                Err(mqttbytes::Error::InsufficientBytes(_)) => return,
                Err(error) => panic!("no MQTT on the wire: {error}"),
            };
            match (is_up, packet) {
                (true, Packet::Connect(connect)) => course.client_id = connect.client_id,
                (false, Packet::ConnAck(answer)) if course.client_id == CLIENT_ID => {
                    *knows_session |= answer.session_present;
                }
                (true, Packet::Publish(alert)) if alert.qos == QoS::AtLeastOnce => {
                    course.alerts.insert(alert.pkid, alert.payload);
                }
                (true, Packet::PubAck(ack)) => {
                    acknowledged.extend(course.inputs.remove(&ack.pkid));
                }
                (false, Packet::Publish(input)) => {
                    course.inputs.extend(key(&input.payload).map(|key| (input.pkid, key)));
                }
                (false, Packet::PubAck(ack)) => {
                    let alert = course.alerts.remove(&ack.pkid);
                    // Others are the module's own reports.
                    came.extend(alert.filter(|body| key(body).is_some()).map(|body| body.to_vec()));
                }
                _ => {}
            }
        }
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A broker, a wire to it, and a module that dials the wire.
pub(crate) struct BrokerWay {
    module: Process,
    wire: Wire,
    pub(crate) mosquitto: Mosquitto,
    /// What may have been acknowledged without the broker's knowing it any more.
    pub(crate) in_doubt: u64,
    /// Killed, the broker is what it was when it last wrote down what it knows: no later than at
    /// the last settling, but for what is in doubt.
    pub(crate) is_stale_when_killed: bool,
    seen: Arc<Mutex<Seen>>,
    source: Source,
}

impl BrokerWay {
    /// With more lines in the broker's configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        let lines = format!("max_inflight_messages {WINDOW}\n{more}");
        let mosquitto = Mosquitto::start_with(Access::Anybody, &lines);
        let seen = Arc::<Mutex<Seen>>::default();
        let observed = Arc::clone(&seen);
        let observer = move |connection: u64, is_up: bool, bytes: &[u8]| {
            locked(&observed).pass(connection, is_up, bytes);
        };
        let wire = Wire::observed(mosquitto.port(), Box::new(observer));
        let module = Process::spawn("sluicegate", &mut command(&wire));
        let source = Source::default();
        let mut way = Self {
            module,
            wire,
            mosquitto,
            in_doubt: WINDOW,
            is_stale_when_killed: false,
            seen,
            source,
        };
        way.wait_until_ready();
        way
    }

    fn turn(&mut self) {
        // Without a subscription the broker would have nobody to keep messages for.
        let (port, can_connect) = (self.mosquitto.port(), self.is_subscribed());
        let connect = || can_connect.then(|| Client::connect(port, None, Connect::new("source")));
        self.source.turn(connect, |message| message.topic.clone());
        for key in std::mem::take(&mut locked(&self.seen).acknowledged) {
            self.source.forget(key);
        }
    }

    /// Kills the broker and starts a new one in its place.
    pub(crate) fn restart_broker(&mut self) {
        self.mosquitto.kill();
        // Of the old one everything has passed that will.
        wait_until("its connections have ended", || self.wire.open() == 0);
        locked(&self.seen).knows_session = false;
        self.mosquitto.start_again();
    }

    fn is_subscribed(&self) -> bool {
        self.mosquitto.subscriptions(SENSORS) > 0 || locked(&self.seen).knows_session
    }
}

fn command(wire: &Wire) -> Command {
    let mut command = Command::new(program("sluicegate"));
    command.env_clear().args(["run", "--client-id", CLIENT_ID, "--broker"]);
    command.arg(format!("mqtt://127.0.0.1:{}", wire.port()));
    command
}

impl Way for BrokerWay {
    fn give(&mut self, messages: Vec<Message>) {
        self.source.keep(messages);
        self.turn();
    }

    fn take(&mut self) -> Vec<Vec<u8>> {
        self.turn();
        std::mem::take(&mut locked(&self.seen).came)
    }

    fn unacknowledged(&mut self) -> u64 {
        self.source.kept()
    }

    fn may_come_again_since(&mut self, sent: u64, settled: u64) -> u64 {
        let known = if self.is_stale_when_killed { settled } else { sent - self.source.kept() };
        known.saturating_sub(self.in_doubt)
    }
}

impl Wired for BrokerWay {
    fn start() -> Self {
        Self::start_with("")
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn module(&mut self) -> &mut Process {
        &mut self.module
    }

    fn start_module(&mut self) {
        self.module = Process::spawn("sluicegate", &mut command(&self.wire));
    }

    fn wait_until_ready(&mut self) {
        wait_until("the module has subscribed", || {
            assert!(self.module.is_running(), "the module ended before it subscribed");
            self.is_subscribed()
        });
    }
}
