//! What the instrument reads with and has to itself, for the fuzzers: bytes in, bytes out.

use std::time::Duration;

use crate::properties;
use crate::sink::filter::Filter;
use crate::sink::{Faults, SinkError, SinkSettings};

/// The sink without a socket.
pub struct BareSink {
    filter: Filter,
    /// Received, not yet handled.
    input: Vec<u8>,
}

impl BareSink {
    /// The sink that is the filter of an edge hub, at 25.
    pub fn new() -> Self {
        let settings = SinkSettings {
            host: String::new(),
            port: 0,
            ca_file: None,
            client_id: String::new(),
            username: String::new(),
            password: String::new(),
            subscribe: "devices/edge/modules/filter/inputs/#".to_owned(),
            publish: "devices/edge/modules/filter/messages/events/".to_owned(),
            threshold: 25.0,
            keep_alive: Duration::from_secs(60),
            faults: Faults::default(),
        };
        Self { filter: Filter::new(&settings), input: Vec::new() }
    }

    /// Receives `bytes`, and appends what it sends to `out`.
    ///
    /// # Errors
    /// The peer breaks the protocol.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SinkError> {
        self.input.extend_from_slice(bytes);
        let used = self.filter.take(&self.input, u64::MAX, out)?;
        self.input.drain(..used);
        Ok(())
    }
}

impl Default for BareSink {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether this is the property bag of the alert whose input has this `sequenceNumber`.
pub fn are_of_alert(bag: &[u8], sequence: &str) -> bool {
    properties::are_of_alert(bag, sequence)
}
