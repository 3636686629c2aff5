//! What a peer does with each packet: a script that its test may change at any moment.

use std::time::Duration;

/// The whole script. The default is a peer that does all well.
#[derive(Debug, Clone)]
pub struct Script {
    /// Whether anything is read at all.
    pub reads: bool,
    /// The answer to CONNECT.
    pub connect: OnConnect,
    /// The answer to SUBSCRIBE.
    pub subscribe: OnSubscribe,
    /// The answer to an alert.
    pub alert: OnAlert,
    /// The answer to a twin's GET.
    pub twin_get: OnTwinGet,
    /// Whether PINGREQ is answered.
    pub pongs: bool,
    /// So often everything that has no acknowledgement is delivered once more, on the same
    /// connection, with DUP and under the same id.
    pub repeats_every: Option<Duration>,
    /// Most messages without acknowledgement.
    pub window: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            reads: true,
            connect: OnConnect::Code(0),
            subscribe: OnSubscribe::Grant,
            alert: OnAlert::Acknowledge,
            twin_get: OnTwinGet::Answer,
            pongs: true,
            repeats_every: None,
            window: 100,
        }
    }
}

/// What follows a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConnect {
    /// CONNACK with this code, and the end unless it is 0.
    Code(u8),
    /// CONNACK with code 0, so much later.
    Late(Duration),
    /// Nothing.
    Nothing,
    /// No CONNACK but these bytes.
    Bytes(&'static [u8]),
}

/// What follows a SUBSCRIBE. Messages are delivered unless it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSubscribe {
    /// QoS 1 for each filter.
    Grant,
    /// So much later.
    Late(Duration),
    /// Refused for each filter.
    Refuse,
    /// One code fewer than filters.
    Short,
    /// One code more than filters.
    Long,
    /// A grant for an id that was never sent, and no other.
    Stranger,
    /// Nothing.
    Nothing,
}

/// What follows an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnAlert {
    /// PUBACK.
    Acknowledge,
    /// PUBACK, so much later.
    Late(Duration),
    /// PUBACK, twice.
    Twice,
    /// PUBACKs of so many alerts at a time, the last one first.
    Reversed(usize),
    /// A PUBACK for an id that was never sent, and then the right one.
    StrangerFirst,
    /// A PUBACK for an id that was never sent, and no other.
    StrangerOnly,
    /// Nothing, for this alert for ever.
    Nothing,
    /// Of each so many alerts the first has no PUBACK, for ever.
    NothingForEach(usize),
}

/// What follows a twin's GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTwinGet {
    /// The document, with status 200.
    Answer,
    /// The document, so much later.
    Late(Duration),
    /// The document, twice.
    Twice,
    /// This status without a document.
    Status(u16),
    /// Nothing.
    Nothing,
}
