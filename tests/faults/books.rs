//! loadgen's traffic and ledger, for messages that others carry.

use loadgen_load::ledger::Ledger;
use loadgen_load::outcome::Counts;
use loadgen_load::settings::TrafficSettings;
use loadgen_load::traffic::{LAP_TEXT_BYTES, STAMP_BYTES, Topics, Traffic, lap_text};

/// Where a message of a sensor is published, where there is a broker.
const TOPIC: &str = "sensors/{sensor}";
/// Few enough that the order of each says something.
const SENSORS: u32 = 10;
/// Share of messages that are alerts.
pub(crate) const ALERTS: f64 = 0.5;

/// A message to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) body: Vec<u8>,
}

/// What was sent, and what came back.
pub(crate) struct Books {
    traffic: Traffic,
    ledger: Ledger,
    sent: u64,
}

impl Books {
    pub(crate) fn new(seed: u64, size: Option<usize>) -> Self {
        let settings = TrafficSettings {
            sensors: SENSORS,
            alerts: ALERTS,
            seed,
            size,
            ..TrafficSettings::default()
        };
        let traffic = Traffic::build(&settings, Topics::Broker { topic: TOPIC }).unwrap();
        Self { ledger: Ledger::new(&traffic), traffic, sent: 0 }
    }

    /// Messages that were made.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// The next message, which is booked as sent.
    pub(crate) fn next(&mut self) -> Message {
        let message = self.message(self.sent);
        self.ledger.sent(self.is_alert(self.sent), 0);
        self.sent += 1;
        message
    }

    /// The message of a place, as it was or will be sent.
    pub(crate) fn message(&self, place: u64) -> Message {
        let slots = u64::from(self.traffic.slots());
        let lap = u32::try_from(place / slots).unwrap();
        let slot = self.slot(place);
        let mut body = self.traffic.body(slot).to_vec();
        let at = body.len() - STAMP_BYTES;
        body[at..at + LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
        let topic = String::from_utf8(self.traffic.topic(slot).to_vec()).unwrap();
        Message { topic, body }
    }

    /// Whether the message of a place exceeds the threshold.
    pub(crate) fn is_alert(&self, place: u64) -> bool {
        self.traffic.is_alert(self.slot(place))
    }

    /// Books a body that came back.
    pub(crate) fn returned(&mut self, body: &[u8]) {
        self.ledger.returned(&self.traffic, body);
    }

    /// Alerts from this place on may come again.
    pub(crate) fn may_come_again(&mut self, since: u64) {
        self.ledger.fault(since, None);
    }

    /// Whether every alert of a place below `end` has come back.
    pub(crate) fn is_back_up_to(&self, end: u64) -> bool {
        self.ledger.oldest_out().is_none_or(|place| place >= end)
    }

    /// The place of the oldest alert that is out.
    pub(crate) fn oldest_out(&self) -> Option<u64> {
        self.ledger.oldest_out()
    }

    /// What is still out is missing.
    pub(crate) fn close(self) -> Counts {
        self.ledger.close()
    }

    fn slot(&self, place: u64) -> u32 {
        u32::try_from(place % u64::from(self.traffic.slots())).unwrap()
    }
}
