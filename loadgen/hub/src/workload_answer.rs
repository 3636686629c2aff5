//! An answer of the workload API.

use hyper::StatusCode;
use sluicegate::azure::workload::{error_response, parse_error_response};

/// Path of the trust bundle.
pub(super) const TRUST_BUNDLE: &str = "/trust-bundle";

/// Status and JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkloadAnswer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

impl WorkloadAnswer {
    pub(super) fn ok(body: String) -> Self {
        Self { status: StatusCode::OK, body }
    }

    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        Self { status, body: error_response(message) }
    }

    /// The message of an error.
    pub(super) fn message(&self) -> String {
        parse_error_response(self.body.as_bytes()).unwrap_or_default()
    }
}
