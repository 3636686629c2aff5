//! What the module counted, for the `stats` method, the log and the summary.

use serde::Serialize;

use crate::pipeline::message::Batch;
use crate::pipeline::parse::Malformed;

/// Counters since the process started. Plain numbers: the ingest thread alone counts.
///
/// `docs/counters.md` has what each field says, word for word (`tests/tidy`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Messages taken to be judged: from the hub's `input1`, and from the broker.
    pub received: u64,
    /// Bytes of their bodies.
    pub received_bytes: u64,
    /// Messages that came again while their first delivery was open: not judged again.
    pub redelivered: u64,
    /// Messages from the hub for other inputs: acknowledged and ignored.
    pub other_inputs: u64,
    /// Messages that exceeded the threshold, without `own_alerts`.
    pub alerts: u64,
    /// Alerts of this module that a route brought back to its input: not forwarded.
    pub own_alerts: u64,
    /// Alerts that the hub, or broker, acknowledged.
    pub forwarded: u64,
    /// Messages acknowledged and not judged, as their packets were over the bound.
    pub oversized: u64,
    /// Alerts that no MQTT packet can carry.
    pub too_large: u64,
    /// Alerts put into files, as the receiver hung up when it got them alone; tried again.
    pub parked: u64,
    /// Alerts given up and kept in files, as the receiver hung up at each attempt to send them.
    pub refused: u64,
    /// Connections that were replaced, as a PUBACK did not come within `puback-timeout`.
    pub puback_timeouts: u64,
    /// Alerts sent again after a reconnect.
    pub resent: u64,
    /// Valid messages that are no alert.
    pub not_alerts: u64,
    /// Bodies that are not UTF-8.
    pub not_utf8: u64,
    /// Bodies that are not JSON.
    pub not_json: u64,
    /// Bodies whose temperature is not a number.
    pub temperature_not_a_number: u64,
    /// QoS 0 messages of the hub that were dropped at the bound of what may be held.
    pub dropped_at_most_once: u64,
    /// How often reading from the broker stopped at the bound of what may be held.
    pub source_pauses: u64,
    /// PUBACKs sent to sources, and QoS 0 messages that are done with.
    pub settled: u64,
    /// Desired patches received, or patches on the control topic.
    pub twin_callbacks: u64,
    /// Thresholds in them, or in twin documents, that were refused.
    pub twin_refused: u64,
    /// Direct methods answered.
    pub methods: u64,
    /// Connections that a hub or a broker accepted.
    pub connections: u64,
    /// Tokens renewed, each by replacing the connection.
    pub renewals: u64,
    /// Packets that nobody asked for, and answers to methods that could not be sent.
    pub unexpected: u64,
}

impl Counters {
    /// Adds what was found in a batch.
    pub fn add(&mut self, batch: &Batch) {
        let findings = &batch.findings;
        let alerts = findings.alerts.len() as u64;
        let malformed: u64 = findings.malformed.iter().copied().map(u64::from).sum();
        self.alerts += alerts;
        self.not_alerts += batch.messages.len() as u64 - alerts - malformed;
        for (reason, count) in Malformed::ALL.into_iter().zip(findings.malformed) {
            let counter = match reason {
                Malformed::NotUtf8 => &mut self.not_utf8,
                Malformed::NotJson => &mut self.not_json,
                Malformed::TemperatureNotANumber => &mut self.temperature_not_a_number,
            };
            *counter += u64::from(count);
        }
    }
}

/// How a shutdown went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Everything counted.
    pub counters: Counters,
    /// Messages received and not acknowledged: their source delivers them again.
    pub unacknowledged: usize,
}
