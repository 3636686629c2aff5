//! What a test may have the workload API do wrong.

use hyper::StatusCode;
use sluicegate::azure::workload::{parse_trust_bundle_response, trust_bundle_response};

use super::workload_answer::{TRUST_BUNDLE, WorkloadAnswer};

/// A fault of the workload API, on every socket until it is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadFault {
    /// Requests are taken and never answered.
    Hang,
    /// The connection is closed without an answer.
    Close,
    /// Every request is answered by this status and message.
    Answer {
        /// HTTP status; 500 when it is none.
        status: u16,
        /// The `message` of the answer.
        message: String,
    },
    /// The answer is no HTTP.
    NotHttp,
    /// The answer is 200 with a body that is no JSON.
    NotJson,
    /// The trust bundle ends within a certificate; signatures are right.
    TruncatedBundle,
    /// The trust bundle is this text; signatures are right.
    Bundle(String),
}

impl WorkloadFault {
    /// What becomes of the right answer to a request.
    pub(super) fn spoil(self, answer: WorkloadAnswer, target: &str) -> WorkloadAnswer {
        let is_bundle = target.starts_with(TRUST_BUNDLE) && answer.status == StatusCode::OK;
        match self {
            // These never come to an answer.
            Self::Hang | Self::Close | Self::NotHttp => answer,
            Self::Answer { status, message } => {
                let status =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                WorkloadAnswer::error(status, &message)
            }
            Self::NotJson => WorkloadAnswer { body: "<html>busy</html>".to_owned(), ..answer },
            Self::TruncatedBundle if is_bundle => {
                let pem = parse_trust_bundle_response(answer.body.as_bytes()).unwrap_or_default();
                // Within the last certificate, before its END line.
                let end = pem.trim_end().rfind("-----END").unwrap_or(pem.len());
                let cut = pem.get(..end.saturating_sub(40)).unwrap_or_default();
                WorkloadAnswer::ok(trust_bundle_response(cut))
            }
            Self::Bundle(pem) if is_bundle => WorkloadAnswer::ok(trust_bundle_response(&pem)),
            Self::TruncatedBundle | Self::Bundle(_) => answer,
        }
    }
}
