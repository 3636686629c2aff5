//! Direct methods: calls of the back end, and the answers of modules (IoT Hub: direct methods).

use std::time::Instant;

use bytes::Bytes;
use crossbeam_channel::Sender;
use serde_json::Value;
use sluicegate::azure::topics;
use thiserror::Error;

use super::config::METHOD_CALLS_MAX;
use super::counters::HubCounters;
use super::peer::{Control, Peer};

/// Why a direct method has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MethodError {
    /// Nobody with this name is declared.
    #[error("`{0}` is not in the manifest")]
    UnknownModule(String),
    /// The module is not connected, or listens to no methods.
    #[error("the module is not connected, or not subscribed to direct methods")]
    NotConnected,
    /// No answer in time.
    #[error("the module did not answer in time")]
    Timeout,
    /// The answer's status is no number, or its body no JSON.
    #[error("the module's answer is malformed")]
    Malformed,
    /// The name is empty, longer than 100 characters, or the payload above 128 KiB.
    #[error("the method's name or payload is outside its limits")]
    Refused,
    /// Too many calls are waiting for answers.
    #[error("too many direct methods are waiting for answers")]
    Busy,
    /// The hub has stopped.
    #[error("the hub has stopped")]
    Stopped,
}

impl MethodError {
    /// The status that the service's API gives for it.
    pub fn status(&self) -> u32 {
        match self {
            Self::UnknownModule(_) | Self::NotConnected => 404,
            Self::Timeout => 504,
            Self::Malformed | Self::Refused => 400,
            Self::Busy => 429,
            Self::Stopped => 503,
        }
    }
}

/// Longest method name, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Largest payload, in bytes.
const PAYLOAD_BYTES_MAX: usize = 128 * 1024;

/// What a call comes to: the module's status and payload, or why there is none.
pub(super) type CallResult = Result<(u32, Value), MethodError>;

/// A call as a handle makes it.
pub(super) struct MethodCall {
    pub(super) peer: String,
    pub(super) name: String,
    pub(super) payload: Value,
    pub(super) deadline: Instant,
    pub(super) reply: Sender<CallResult>,
}

/// Calls without an answer yet.
#[derive(Default)]
pub(super) struct Calls {
    started: u64,
    pending: Vec<Pending>,
}

struct Pending {
    peer: usize,
    rid: String,
    deadline: Instant,
    reply: Sender<CallResult>,
}

impl Calls {
    /// Sends a call to its receiver, or answers it at once when that cannot be.
    pub(super) fn start(
        &mut self,
        call: MethodCall,
        receiver: Option<(usize, &mut Peer)>,
        counters: &mut HubCounters,
    ) {
        if let Err(error) = self.try_start(&call, receiver, counters) {
            // The caller has a buffer for exactly one answer.
            let _ = call.reply.try_send(Err(error));
        }
    }

    fn try_start(
        &mut self,
        call: &MethodCall,
        receiver: Option<(usize, &mut Peer)>,
        counters: &mut HubCounters,
    ) -> Result<(), MethodError> {
        let (index, peer) =
            receiver.ok_or_else(|| MethodError::UnknownModule(call.peer.clone()))?;
        let body = if call.payload.is_null() { String::new() } else { call.payload.to_string() };
        let name_chars = call.name.chars().count();
        if name_chars == 0 || name_chars > NAME_CHARS_MAX || body.len() > PAYLOAD_BYTES_MAX {
            return Err(MethodError::Refused);
        }
        let qos = peer.interest.methods.filter(|_| peer.link.is_some());
        let qos = qos.ok_or(MethodError::NotConnected)?;
        if self.pending.len() >= METHOD_CALLS_MAX {
            return Err(MethodError::Busy);
        }
        self.started += 1;
        counters.method_calls += 1;
        let rid = format!("{:x}", self.started);
        let topic = topics::method_request(&call.name, &rid);
        peer.send(Control { topic, body: Bytes::from(body), qos, patch: None });
        let (deadline, reply) = (call.deadline, call.reply.clone());
        self.pending.push(Pending { peer: index, rid, deadline, reply });
        Ok(())
    }

    /// Takes the answer of a peer; `status` is `None` when it was malformed. An answer that nobody
    /// waits for is counted and dropped.
    pub(super) fn answer(
        &mut self,
        peer: usize,
        status: Option<u32>,
        rid: &str,
        body: &[u8],
        counters: &mut HubCounters,
    ) {
        let is_asked = |call: &Pending| call.peer == peer && call.rid.eq_ignore_ascii_case(rid);
        let Some(index) = self.pending.iter().position(is_asked) else {
            counters.method_late += 1;
            return;
        };
        let call = self.pending.swap_remove(index);
        let payload = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) };
        let result = match (status, payload) {
            (Some(status), Ok(payload)) => Ok((status, payload)),
            _ => Err(MethodError::Malformed),
        };
        let _ = call.reply.try_send(result);
    }

    /// Answers the calls whose time is over, and gives the next instant to look again.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.pending.retain(|call| {
            let waits = now < call.deadline;
            if !waits {
                let _ = call.reply.try_send(Err(MethodError::Timeout));
            }
            waits
        });
        self.pending.iter().map(|call| call.deadline).min()
    }
}
