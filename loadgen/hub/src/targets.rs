//! Where messages go, as it is remembered for each source.

use std::collections::HashMap;
use std::rc::Rc;

/// Where the messages of one source go.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) inputs: Vec<InputTarget>,
    pub(super) upstream: bool,
}

#[derive(Debug)]
pub(super) struct InputTarget {
    pub(super) peer: usize,
    /// `devices/{d}/modules/{m}/inputs/{input}/`.
    pub(super) prefix: String,
}

/// What became of a message offered to the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is in every store it belongs in, or belongs in none.
    Taken,
    /// One of them is full; it is in none. Wait for room and offer it again.
    NoRoom,
}

/// Texts whose memory is used again for each message.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) source: String,
    pub(super) bag: String,
    pub(super) topic: String,
}

/// Targets by source.
pub(super) type RouteCache = HashMap<String, Rc<Targets>>;
