//! Why a command could not start.

use std::io;

use crate::mqtt::tls::flaw;

/// Why a command could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system refused a thread, a descriptor or a signal handler.
    #[error("the system refused a thread, a descriptor or a signal handler: {0}")]
    System(#[from] io::Error),
    /// The certificates cannot be used.
    #[error("TLS: {}", flaw::words_of(.0))]
    Tls(#[from] rustls::Error),
}
