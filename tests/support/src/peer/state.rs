//! What a peer knows and does: each packet that comes meets the script, and what is due is said.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::codec::{self, Packet};
use super::ledger::{CONTROL_IDS, Ledger};
use super::link::{Later, Link};
use super::role::Role;
use super::script::{OnAlert, OnConnect, OnSubscribe, OnTwinGet, Script};

/// PUBACKs are not kept longer than this for others to come.
const GATHER_WAIT: Duration = Duration::from_millis(50);
/// An id that is never given out to this module: ids begin at 1 and are a continuous run.
const STRANGER: u16 = 60_000;
/// What the module judges by until it hears another threshold.
const THRESHOLD_DEFAULT: f64 = 25.0;

/// Messages and patches that come by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stream {
    /// Messages a second, every second one of them hot.
    pub messages_per_s: u32,
    /// Messages a second that are malformed, besides.
    pub malformed_per_s: u32,
    /// Patches of the threshold a second.
    pub patches_per_s: u32,
    /// Bytes of each message beyond what it needs.
    pub padding: usize,
}

/// How much of a [`Stream`] has been made.
#[derive(Debug, Default)]
pub(super) struct Flow {
    stream: Stream,
    since: Option<Instant>,
    made: [u64; 3],
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) role: Role,
    pub(super) script: Script,
    pub(super) ledger: Ledger,
    pub(super) links: Vec<Link>,
    /// When each CONNECT came.
    pub(super) connects: Vec<Instant>,
    sessions: HashSet<String>,
    flow: Flow,
    /// The threshold of the twin, and its version.
    pub(super) desired: (f64, u64),
    /// What is in force for the next message.
    threshold: f64,
    patches: VecDeque<f64>,
    control_id: u16,
    /// Requests for the twin's document.
    pub(super) twin_gets: usize,
    /// The last report, and how many there were.
    pub(super) report: Option<String>,
    /// Methods to call, and the last answer.
    pub(super) calls: VecDeque<String>,
    pub(super) answer: Option<Vec<u8>>,
    repeated: Instant,
}

impl State {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            script: Script::default(),
            ledger: Ledger::default(),
            links: Vec::new(),
            connects: Vec::new(),
            sessions: HashSet::new(),
            flow: Flow::default(),
            desired: (THRESHOLD_DEFAULT, 1),
            threshold: THRESHOLD_DEFAULT,
            patches: VecDeque::new(),
            control_id: 0,
            twin_gets: 0,
            report: None,
            calls: VecDeque::new(),
            answer: None,
            repeated: Instant::now(),
        }
    }

    pub(super) fn stream(&mut self, stream: Stream, now: Instant) {
        self.flow = Flow { stream, since: Some(now), made: [0; 3] };
    }

    pub(super) fn patch(&mut self, threshold: f64) {
        self.patches.push_back(threshold);
    }

    /// One turn: what came is answered, and what is due is said.
    pub(super) fn turn(&mut self, now: Instant) {
        self.flow(now);
        for index in 0..self.links.len() {
            if self.script.reads {
                self.read(index, now);
            }
            self.say_later(index, now);
        }
        self.control();
        self.deliver(now);
        self.links.iter_mut().for_each(Link::write);
        let (links, ended) = std::mem::take(&mut self.links).into_iter().partition(|l| !l.is_over);
        self.links = links;
        ended.into_iter().for_each(|link| self.ended(&link));
    }

    fn ended(&mut self, link: &Link) {
        if link.client_id.is_some() {
            self.ledger.connection_ended(link.has_subscribed(self.role.input()));
        }
    }

    /// Makes what the stream has due.
    fn flow(&mut self, now: Instant) {
        let Some(since) = self.flow.since else { return };
        let Stream { messages_per_s, malformed_per_s, patches_per_s, padding } = self.flow.stream;
        let passed = now.saturating_duration_since(since);
        let due = |per_s: u32| {
            let due = passed.as_micros() * u128::from(per_s) / 1_000_000;
            u64::try_from(due).expect("no run is so long")
        };
        while self.flow.made[0] < due(messages_per_s) {
            let is_hot = self.flow.made[0].is_multiple_of(2);
            self.ledger.push(if is_hot { 99.0 } else { 1.0 }, padding);
            self.flow.made[0] += 1;
        }
        while self.flow.made[1] < due(malformed_per_s) {
            let which = usize::try_from(self.flow.made[1]).expect("a count in memory");
            self.ledger.push_malformed(MALFORMED[which % MALFORMED.len()].to_vec());
            self.flow.made[1] += 1;
        }
        while self.flow.made[2] < due(patches_per_s) {
            // Between what is hot and what is cold, so that no order of patches changes a verdict.
            let step = u32::try_from(self.flow.made[2] % 50).expect("below 50");
            self.patches.push_back(30.0 + f64::from(step));
            self.flow.made[2] += 1;
        }
    }

    fn read(&mut self, index: usize, now: Instant) {
        self.links[index].read();
        match self.links[index].packets() {
            Ok(packets) => packets.into_iter().for_each(|packet| self.came(index, packet, now)),
            Err(problem) => {
                self.ledger.violation(problem);
                self.links[index].is_over = true;
            }
        }
    }

    fn came(&mut self, index: usize, packet: Packet, now: Instant) {
        match packet {
            Packet::Connect { client_id, is_clean } => {
                self.connect(index, client_id, is_clean, now);
            }
            Packet::Publish { topic, qos, id, payload, .. } => {
                self.published(index, &topic, (qos > 0).then_some(id), &payload, now);
            }
            Packet::PubAck(id) => {
                // Those of patches have ids of their own.
                if id < CONTROL_IDS {
                    self.ledger.acknowledge(id);
                }
            }
            Packet::Subscribe { id, filters } => self.subscribe(index, id, filters, now),
            Packet::PingReq if self.script.pongs => {
                self.links[index].output.extend(codec::pingresp());
            }
            Packet::PingReq => {}
            Packet::Disconnect => self.links[index].is_over = true,
            Packet::Other(first) => {
                self.ledger.violation(format!("packet {first:#04x} from the module"));
            }
        }
    }

    fn connect(&mut self, index: usize, client_id: String, is_clean: bool, now: Instant) {
        self.connects.push(now);
        for (other, link) in self.links.iter_mut().enumerate() {
            // A client id has one connection (§3.1.4).
            link.is_over |= other != index && link.client_id.as_ref() == Some(&client_id);
        }
        let (code, wait) = match self.script.connect {
            OnConnect::Code(code) => (code, Duration::ZERO),
            OnConnect::Late(wait) => (0, wait),
            OnConnect::Nothing => return,
            OnConnect::Bytes(bytes) => return self.links[index].output.extend(bytes),
        };
        let is_known = !is_clean && !self.sessions.insert(client_id.clone());
        let link = &mut self.links[index];
        link.client_id = Some(client_id);
        link.later.push((now + wait, Later::Bytes(codec::connack(code, is_known))));
        link.is_last = code != 0;
    }

    fn subscribe(&mut self, index: usize, id: u16, filters: Vec<String>, now: Instant) {
        const GRANTED: u8 = 1;
        const REFUSED: u8 = 0x80;
        let count = filters.len();
        let (id, codes, wait) = match self.script.subscribe {
            OnSubscribe::Grant => (id, vec![GRANTED; count], Duration::ZERO),
            OnSubscribe::Late(wait) => (id, vec![GRANTED; count], wait),
            OnSubscribe::Refuse => (id, vec![REFUSED; count], Duration::ZERO),
            OnSubscribe::Short => (id, vec![GRANTED; count - 1], Duration::ZERO),
            OnSubscribe::Long => (id, vec![GRANTED; count + 1], Duration::ZERO),
            OnSubscribe::Stranger => (STRANGER, vec![GRANTED; count], Duration::ZERO),
            OnSubscribe::Nothing => (id, Vec::new(), Duration::MAX),
        };
        let link = &mut self.links[index];
        if self.script.subscribe != OnSubscribe::Refuse {
            link.filters.extend(filters);
        }
        if let Some(due) = now.checked_add(wait).filter(|_| wait < Duration::MAX) {
            link.later.push((due, Later::Bytes(codec::suback(id, &codes))));
        }
    }

    fn published(&mut self, index: usize, topic: &str, id: Option<u16>, body: &[u8], now: Instant) {
        if self.role.is_alert(topic) {
            return self.alert(index, id, body, now);
        }
        if let Some(id) = id {
            self.links[index].output.extend(codec::puback(id));
        }
        if let Some(rid) = topic.strip_prefix("$iothub/twin/GET/?$rid=") {
            self.twin_gets += 1;
            self.twin_get(index, rid, now);
        } else if self.role.is_report(topic) {
            self.report = Some(String::from_utf8_lossy(body).into_owned());
            if let Some((_, rid)) = topic.split_once("?$rid=") {
                let answer = format!("$iothub/twin/res/204/?$rid={rid}");
                self.links[index].output.extend(codec::publish(&answer, None, false, b""));
            }
        } else if topic.starts_with("$iothub/methods/res/200/") {
            self.answer = Some(body.to_vec());
        }
    }

    fn twin_get(&mut self, index: usize, rid: &str, now: Instant) {
        let (wait, count) = match self.script.twin_get {
            OnTwinGet::Answer => (Duration::ZERO, 1),
            OnTwinGet::Late(wait) => (wait, 1),
            OnTwinGet::Twice => (Duration::ZERO, 2),
            OnTwinGet::Nothing => return,
            OnTwinGet::Status(status) => {
                let topic = format!("$iothub/twin/res/{status}/?$rid={rid}");
                let answer = codec::publish(&topic, None, false, b"{\"message\":\"not now\"}");
                return self.links[index].output.extend(answer);
            }
        };
        for _ in 0..count {
            self.links[index].later.push((now + wait, Later::Document(rid.to_owned())));
        }
    }

    fn alert(&mut self, index: usize, id: Option<u16>, body: &[u8], now: Instant) {
        let Some(n) = self.ledger.alert(body) else { return };
        let Some(id) = id else {
            return self.ledger.violation(format!("alert {n} came at QoS 0"));
        };
        let link = &mut self.links[index];
        link.alerts += 1;
        let mut later = |wait| link.later.push((now + wait, Later::PubAck(id, n)));
        match self.script.alert {
            OnAlert::Acknowledge => later(Duration::ZERO),
            OnAlert::Late(wait) => later(wait),
            OnAlert::Twice => (0..2).for_each(|_| later(Duration::ZERO)),
            OnAlert::StrangerFirst => {
                link.output.extend(codec::puback(STRANGER));
                link.later.push((now, Later::PubAck(id, n)));
            }
            OnAlert::StrangerOnly => link.output.extend(codec::puback(STRANGER)),
            OnAlert::Reversed(count) => {
                link.gathered.push((id, n));
                link.gathered_since.get_or_insert(now);
                if link.gathered.len() >= count {
                    self.let_go(index);
                }
            }
            OnAlert::NothingForEach(count) if !link.alerts.is_multiple_of(count) => {
                later(Duration::ZERO);
            }
            OnAlert::Nothing | OnAlert::NothingForEach(_) => {}
        }
    }

    /// Acknowledges what was gathered, the last one first.
    fn let_go(&mut self, index: usize) {
        let link = &mut self.links[index];
        link.gathered_since = None;
        for (id, n) in std::mem::take(&mut link.gathered).into_iter().rev() {
            self.ledger.settle(n);
            link.output.extend(codec::puback(id));
        }
    }

    fn say_later(&mut self, index: usize, now: Instant) {
        let later = std::mem::take(&mut self.links[index].later);
        let (due, rest): (Vec<_>, Vec<_>) = later.into_iter().partition(|(due, _)| *due <= now);
        self.links[index].later = rest;
        for (_, later) in due {
            let link = &mut self.links[index];
            match later {
                Later::Bytes(bytes) => link.output.extend(bytes),
                Later::PubAck(id, n) => {
                    self.ledger.settle(n);
                    link.output.extend(codec::puback(id));
                }
                Later::Document(rid) => {
                    let (threshold, version) = self.desired;
                    let topic = format!("$iothub/twin/res/200/?$rid={rid}");
                    let (_, desired) = self.role.patch(threshold, version);
                    let body = format!(r#"{{"desired":{desired},"reported":{{"$version":1}}}}"#);
                    link.output.extend(codec::publish(&topic, None, false, body.as_bytes()));
                    self.threshold = threshold;
                }
            }
        }
        let gathered_since = self.links[index].gathered_since;
        if gathered_since.is_some_and(|since| now.duration_since(since) >= GATHER_WAIT) {
            self.let_go(index);
        }
    }

    /// Patches and calls, to whoever has subscribed.
    fn control(&mut self) {
        let topic = self.role.control();
        if let Some(link) = self.links.iter_mut().find(|link| link.takes(topic)) {
            while let Some(threshold) = self.patches.pop_front() {
                self.desired = (threshold, self.desired.1 + 1);
                self.threshold = threshold;
                self.control_id = self.control_id % (u16::MAX - CONTROL_IDS) + 1;
                let (topic, body) = self.role.patch(threshold, self.desired.1);
                let id = Some(CONTROL_IDS + self.control_id - 1);
                link.output.extend(codec::publish(&topic, id, false, body.as_bytes()));
            }
        }
        let methods = |link: &&mut Link| link.takes("$iothub/methods/POST/");
        if let Some(link) = self.links.iter_mut().find(methods) {
            while let Some(name) = self.calls.pop_front() {
                let topic = format!("$iothub/methods/POST/{name}/?$rid=1");
                link.output.extend(codec::publish(&topic, None, false, b"null"));
            }
        }
    }

    fn deliver(&mut self, now: Instant) {
        let topic = self.role.input();
        let Some(link) = self.links.iter_mut().find(|link| link.takes(topic)) else { return };
        if self.script.repeats_every.is_some_and(|every| now - self.repeated >= every) {
            self.repeated = now;
            self.ledger.repeat();
        }
        while link.has_room() && self.ledger.may_deliver(self.script.window) {
            let Some((id, is_again, body)) = self.ledger.next(self.threshold) else { return };
            link.output.extend(codec::publish(topic, Some(id), is_again, body));
        }
    }
}

/// Bodies that are no JSON, or whose member is no number.
const MALFORMED: [&[u8]; 8] = [
    b"",
    b"{\"machine\":{\"temperature\":99}",
    b"{\"machine\":{\"temperature\":NaN}}",
    b"{\"machine\":{\"temperature\":99}}\xff",
    b"\xef\xbb\xbf{\"machine\":{\"temperature\":99}}",
    b"{\"machine\":{\"temperature\":99}} x",
    b"{\"machine\":{\"temperature\":\"99\"}}",
    b"[[[[[[[[",
];
