//! One registration, from the first request to the assignment: a state machine without clock or
//! socket.
//!
//! - In: the topics and bodies of answers, and the time. Out: requests, and an assignment or an
//!   error.
//! - Bounded: one request at a time, sent again after [`ANSWER_WAIT`], and whichever of its answers
//!   comes first counts; at most [`REQUESTS_MAX`] requests in at most [`REGISTRATION_TIME_MAX`];
//!   waits between [`RETRY_AFTER_MIN`] and [`RETRY_AFTER_MAX`] whatever the service says. At a
//!   bound it fails, and its owner decides when to begin anew.

use std::time::{Duration, Instant};

use super::super::members::problem;
use super::super::request_ids::{Outstanding, RequestIds};
use super::{Assignment, Body, parse_response, poll, register, register_body, shortened};

/// Longest wait for the answer to a request.
pub const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// Wait before the next request where the service names none, as with the SDKs.
pub const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(2);
/// Shortest wait before the next request: `retry-after=0` must not become a busy loop.
pub const RETRY_AFTER_MIN: Duration = Duration::from_millis(100);
/// Longest wait before the next request.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Most requests of one registration.
pub const REQUESTS_MAX: u32 = 100;
/// Longest time that one registration may take.
pub const REGISTRATION_TIME_MAX: Duration = Duration::from_secs(600);

/// Something to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The topic, with the request id.
    pub topic: String,
    /// The body.
    pub body: String,
}

/// What an answer meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationProgress {
    /// The service is still at it; the next request is sent after this time.
    Assigning(Duration),
    /// Too many requests (429) or the service is ill (5xx); the same request is sent again after
    /// this time.
    Busy(u32, Duration),
    /// Done.
    Assigned(Assignment),
    /// An answer to something else, or no answer.
    Ignored,
}

/// Why a registration ended without assignment. Repeats at most the service's own words, cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The service refused: 400, 401 (key), 404 (registration id), ...
    #[error(
        "the provisioning service refused: {status} {message:?} (code {code}); {advice}",
        advice = advice(*status)
    )]
    Refused {
        /// HTTP-like status.
        status: u32,
        /// The service's own code; 0 where there is none.
        code: u64,
        /// The service's own words.
        message: String,
    },
    /// Registration status `failed`.
    #[error("registration status: failed, {message:?} (code {code})")]
    Failed {
        /// The service's own code; 0 where there is none.
        code: u64,
        /// The service's own words.
        message: String,
    },
    /// Registration status `disabled`.
    #[error("registration status: disabled; the enrollment must be enabled first")]
    Disabled,
    /// An answer that cannot be understood.
    #[error("the provisioning service's answer cannot be used: {0}")]
    Malformed(String),
    /// [`REQUESTS_MAX`] or [`REGISTRATION_TIME_MAX`] is reached.
    #[error("no assignment after {requests} requests in {} s", time.as_secs())]
    Exhausted {
        /// Requests that were sent.
        requests: u32,
        /// How long it took.
        time: Duration,
    },
}

impl RegistrationError {
    /// Whether only a person can mend it, so that asking often is of no use.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Failed { .. } | Self::Disabled)
    }
}

fn advice(status: u32) -> &'static str {
    match status {
        401 => "check id scope, key and this clock",
        404 => "check id scope and registration id",
        _ => "check the enrollment",
    }
}

/// One registration.
#[derive(Debug)]
pub struct Registration {
    body: String,
    started: Instant,
    /// When to send the next request, or the last one again.
    due: Instant,
    /// Known once the service began to assign: from then on it is polled.
    operation_id: Option<String>,
    requests: u32,
    ids: RequestIds,
    outstanding: Outstanding,
}

impl Registration {
    /// A registration whose first request is sent at `now`. `rid_prefix` tells its requests from
    /// those of others: give it a random number.
    pub fn new(
        registration_id: &str,
        model_id: Option<&str>,
        rid_prefix: u32,
        now: Instant,
    ) -> Self {
        Self {
            body: register_body(registration_id, model_id),
            started: now,
            due: now,
            operation_id: None,
            requests: 0,
            ids: RequestIds::new(rid_prefix),
            outstanding: Outstanding::default(),
        }
    }

    /// When [`next_request`](Self::next_request) has something to say.
    pub fn deadline(&self) -> Instant {
        self.due.min(self.started + REGISTRATION_TIME_MAX)
    }

    /// The next request, if its time has come.
    ///
    /// # Errors
    /// At the bounds of requests and of time.
    pub fn next_request(&mut self, now: Instant) -> Result<Option<Request>, RegistrationError> {
        let time = now.saturating_duration_since(self.started);
        if time >= REGISTRATION_TIME_MAX {
            return Err(RegistrationError::Exhausted { requests: self.requests, time });
        }
        if now < self.deadline() {
            return Ok(None);
        }
        if self.requests == REQUESTS_MAX {
            return Err(RegistrationError::Exhausted { requests: self.requests, time });
        }
        self.requests += 1;
        let rid = self.ids.make();
        self.outstanding.sent(self.ids.last());
        let (topic, body) = match &self.operation_id {
            None => (register(&rid), self.body.clone()),
            Some(operation_id) => (poll(&rid, operation_id), " ".to_owned()),
        };
        self.due = now + ANSWER_WAIT;
        Ok(Some(Request { topic, body }))
    }

    /// A publish arrived.
    ///
    /// # Errors
    /// When the service says that there will be no assignment, or something that makes no sense.
    pub fn response(
        &mut self,
        topic: &str,
        body: &[u8],
        now: Instant,
    ) -> Result<RegistrationProgress, RegistrationError> {
        let Some(response) = parse_response(topic) else {
            return Ok(RegistrationProgress::Ignored);
        };
        let number = self.ids.number(&response.rid);
        if !number.is_some_and(|number| self.outstanding.answered(number)) {
            return Ok(RegistrationProgress::Ignored);
        }
        self.outstanding.clear();
        let wait = response.retry_after.unwrap_or(RETRY_AFTER_DEFAULT);
        let wait = wait.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX);
        match response.status {
            429 | 500.. => {
                self.due = now + wait;
                Ok(RegistrationProgress::Busy(response.status, wait))
            }
            200..=299 => self.answered(body, now, wait),
            status => {
                let body: Body = serde_json::from_slice(body).unwrap_or_default();
                let (code, message) = (body.error_code.unwrap_or(0), shortened(body.message));
                Err(RegistrationError::Refused { status, code, message })
            }
        }
    }

    fn answered(
        &mut self,
        body: &[u8],
        now: Instant,
        wait: Duration,
    ) -> Result<RegistrationProgress, RegistrationError> {
        let malformed = |problem: &str| RegistrationError::Malformed(problem.to_owned());
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| RegistrationError::Malformed(format!("it {}", problem(&error))))?;
        let state = body.registration_state.unwrap_or_default();
        match body.status.as_deref() {
            Some("assigned") => state
                .assignment()
                .map(RegistrationProgress::Assigned)
                .ok_or_else(|| malformed("assigned, but to no usable hub and device")),
            Some("assigning" | "unassigned") => {
                let operation_id = body.operation_id.filter(|id| !id.is_empty());
                // Later answers need not name it again.
                self.operation_id = operation_id.or_else(|| self.operation_id.take());
                if self.operation_id.is_none() {
                    return Err(malformed("no operation id"));
                }
                self.due = now + wait;
                Ok(RegistrationProgress::Assigning(wait))
            }
            Some("failed") => Err(RegistrationError::Failed {
                code: state.error_code.unwrap_or(0),
                message: shortened(state.error_message),
            }),
            Some("disabled") => Err(RegistrationError::Disabled),
            Some(other) => Err(malformed(&format!("status {:?}", shortened(Some(other.into()))))),
            None => Err(malformed("no status")),
        }
    }
}
