//! Why connections end.

use std::{fmt, io};

use super::stream;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The client said DISCONNECT.
    Disconnect,
    /// The client closed its socket.
    PeerClosed,
    /// The same identity connected again, or the hub was told to drop it.
    Evicted,
    /// The client broke the protocol or a bound.
    Protocol(String),
    /// Nothing came for 1.5 keep-alives.
    KeepAlive,
    /// The token that opened the connection has expired.
    TokenExpired,
    /// The socket failed.
    Io(std::io::ErrorKind),
}

impl CloseReason {
    /// Why a connection that cannot be read has ended.
    pub(super) fn of_read(error: &io::Error) -> Self {
        if let Some(violation) = stream::violation_of(error) {
            return Self::Protocol(violation.to_string());
        }
        match error.kind() {
            // Most clients end TCP without a TLS farewell.
            io::ErrorKind::UnexpectedEof => Self::PeerClosed,
            kind => Self::Io(kind),
        }
    }

    /// Logs the end of a connection: as a warning where the client did wrong.
    pub(super) fn log(&self, client: &str) {
        match self {
            Self::Protocol(_) => tracing::warn!(%client, "connection {self}"),
            _ => tracing::info!(%client, "connection {self}"),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnect => f.write_str("ended by DISCONNECT"),
            Self::PeerClosed => f.write_str("closed by the client"),
            Self::Evicted => f.write_str("evicted by a newer one, or dropped"),
            Self::Protocol(what) => write!(f, "closed by the hub: {what}"),
            Self::KeepAlive => f.write_str("closed by the hub: silent for 1.5 keep-alives"),
            Self::TokenExpired => f.write_str("closed by the hub: token expired"),
            Self::Io(kind) => write!(f, "lost: {kind}"),
        }
    }
}
