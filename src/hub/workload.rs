//! The client of the edge runtime's workload API: the module's signatures and trusted roots.
//!
//! - In: text to sign, or nothing. Out: an HMAC-SHA256, or the certificates of the trust bundle.
//! - One request at a time on a connection of its own; the caller's task runs it, no thread.
//! - Bounded: [`REQUEST_TIMEOUT`] for an exchange, [`ANSWER_BYTES_MAX`] for an answer, and
//!   [`ATTEMPTS_MAX`] attempts when the daemon hangs up, as it does on more than ten requests at
//!   once. Everything else is the caller's to try again.
//! - Neither a signature nor a signed text is ever part of an error.

mod address;
mod exchange;

use std::io;
use std::time::Duration;

use hyper::StatusCode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::azure::workload as text;
use crate::azure::workload::Call;
use crate::mqtt::backoff::{Backoff, Bounds};
use crate::mqtt::transport::shortage;
use exchange::{Fault, exchange};

pub use address::WorkloadAddress;
pub use exchange::{ANSWER_BYTES_MAX, REQUEST_TIMEOUT};

/// How often a request is made that the daemon hangs up on.
pub const ATTEMPTS_MAX: u32 = 5;
/// Waits between them.
const BETWEEN_ATTEMPTS: Bounds =
    Bounds { first: Duration::from_millis(50), longest: Duration::from_secs(1) };
/// Most of the daemon's own words that an error repeats.
const MESSAGE_CHARS_MAX: usize = 300;

/// The daemon, as the runtime's variables describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Where it listens (`IOTEDGE_WORKLOADURI`).
    pub address: WorkloadAddress,
    /// Version of the API to ask for (`IOTEDGE_APIVERSION`).
    pub api_version: String,
    /// Module whose key signs (`IOTEDGE_MODULEID`).
    pub module: String,
    /// Generation of its identity (`IOTEDGE_MODULEGENERATIONID`).
    pub generation: String,
}

/// Why the daemon gave no usable answer. Each names the socket; none names a secret.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// Nothing listens, or this user may not connect.
    #[error(
        "workload API at {address}: cannot connect: {source}; {advice}",
        advice = connect_advice(source)
    )]
    Connect {
        /// The daemon.
        address: WorkloadAddress,
        /// The system's answer.
        source: io::Error,
    },
    /// The daemon hung up before its answer was whole, [`ATTEMPTS_MAX`] times.
    #[error(
        "workload API at {address}: it closed the connection without an answer {ATTEMPTS_MAX} \
         times; it serves ten requests at once"
    )]
    Closed {
        /// The daemon.
        address: WorkloadAddress,
    },
    /// No whole answer within [`REQUEST_TIMEOUT`].
    #[error("workload API at {address}: no answer within {REQUEST_TIMEOUT:?}")]
    Timeout {
        /// The daemon.
        address: WorkloadAddress,
    },
    /// An answer over [`ANSWER_BYTES_MAX`].
    #[error("workload API at {address}: the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge {
        /// The daemon.
        address: WorkloadAddress,
    },
    /// Something else than HTTP/1.1 listens there.
    #[error("workload API at {address}: no HTTP answer: {problem}")]
    NotHttp {
        /// The daemon.
        address: WorkloadAddress,
        /// What the HTTP parser found.
        problem: String,
    },
    /// A status other than 200.
    #[error(
        "workload API at {address} answered {status}: {message}{advice}",
        advice = status_advice(*status)
    )]
    Refused {
        /// The daemon.
        address: WorkloadAddress,
        /// HTTP status.
        status: u16,
        /// The daemon's words.
        message: String,
    },
    /// Status 200 with a body that cannot be used.
    #[error("workload API at {address}: unusable {what}: {problem}")]
    Unusable {
        /// The daemon.
        address: WorkloadAddress,
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

fn connect_advice(error: &io::Error) -> &'static str {
    if let Some(advice) = shortage(error) {
        return advice;
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => "this user may not write to the socket",
        _ => "is the edge runtime running and its socket mounted here?",
    }
}

fn status_advice(status: u16) -> &'static str {
    match status {
        400 => " (does it know this IOTEDGE_APIVERSION?)",
        403 => " (it takes this process for another module than IOTEDGE_MODULEID says)",
        _ => "",
    }
}

impl WorkloadError {
    /// Whether nobody answered: the daemon may be back at any moment.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Closed { .. } | Self::Timeout { .. })
    }
}

impl Workload {
    /// HMAC-SHA256 of `data` with the module's key.
    ///
    /// # Errors
    /// [`WorkloadError`]; worth another attempt later, whatever it is.
    pub async fn sign(&self, data: &[u8]) -> Result<[u8; 32], WorkloadError> {
        let (module, generation) = (self.module.clone(), self.generation.clone());
        let call = Call::Sign { module, generation };
        let body = self.ask(&call, text::sign_request(data)).await?;
        text::parse_sign_response(&body).map_err(|error| self.unusable("signature", error))
    }

    /// The certificates that the runtime trusts: at least one.
    ///
    /// # Errors
    /// [`WorkloadError`]; a bundle that is cut off or empty is one.
    pub async fn trust_bundle(&self) -> Result<Vec<CertificateDer<'static>>, WorkloadError> {
        const WHAT: &str = "trust bundle";
        let body = self.ask(&Call::TrustBundle, String::new()).await?;
        let pem =
            text::parse_trust_bundle_response(&body).map_err(|error| self.unusable(WHAT, error))?;
        let mut certificates = Vec::new();
        for (index, section) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
            let damaged = format!("certificate {} is cut off or damaged", index + 1);
            certificates.push(section.map_err(|_| self.unusable(WHAT, damaged))?);
        }
        if certificates.is_empty() {
            return Err(self.unusable(WHAT, "it holds no PEM certificate"));
        }
        Ok(certificates)
    }

    /// The body of an answer with status 200.
    async fn ask(&self, call: &Call, body: String) -> Result<bytes::Bytes, WorkloadError> {
        let mut backoff = Backoff::default();
        let address = self.address.clone();
        for attempt in 1..=ATTEMPTS_MAX {
            let fault = match exchange(&self.address, call, &self.api_version, body.clone()).await {
                Ok((StatusCode::OK, body)) => return Ok(body),
                Ok((status, body)) => return Err(self.refused(status, &body)),
                Err(fault) => fault,
            };
            return Err(match fault {
                Fault::Closed if attempt < ATTEMPTS_MAX => {
                    let wait = backoff.next(BETWEEN_ATTEMPTS, fastrand::f64());
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Fault::Closed => break,
                Fault::Connect(source) => WorkloadError::Connect { address, source },
                Fault::Timeout => WorkloadError::Timeout { address },
                Fault::TooLarge => WorkloadError::TooLarge { address },
                Fault::NotHttp(problem) => WorkloadError::NotHttp { address, problem },
            });
        }
        Err(WorkloadError::Closed { address })
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> WorkloadError {
        let message = text::parse_error_response(body).unwrap_or_else(|| "no message".to_owned());
        let printable = |char: char| if char.is_control() { ' ' } else { char };
        let message = message.chars().take(MESSAGE_CHARS_MAX).map(printable).collect();
        WorkloadError::Refused { address: self.address.clone(), status: status.as_u16(), message }
    }

    fn unusable(&self, what: &'static str, problem: impl ToString) -> WorkloadError {
        let problem = problem.to_string();
        WorkloadError::Unusable { address: self.address.clone(), what, problem }
    }
}

#[cfg(test)]
mod tests;
