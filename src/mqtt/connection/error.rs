//! Why a connection ended, in words for the log.

use std::io::{self, ErrorKind};
use std::time::Duration;

use rumqttc::mqttbytes;

use crate::mqtt::tls;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The peer closed the connection without a word.
    #[error("the peer closed the connection")]
    Closed,
    /// The socket failed.
    #[error("{}", io_text(.0))]
    Io(#[from] io::Error),
    /// The peer sent bytes that are not MQTT 3.1.1, or a packet over
    /// [`PACKET_BYTES_MAX`](super::PACKET_BYTES_MAX).
    #[error("not valid MQTT 3.1.1 from the peer ({0})")]
    Protocol(#[from] mqttbytes::Error),
    /// No answer to a PINGREQ (MQTT 3.1.1 §3.1.2.10).
    #[error("no answer to PINGREQ within {0:?}")]
    KeepAlive(Duration),
    /// Something was sent, and neither that nor the PINGREQ behind it has an answer.
    #[error("no answer to what was sent, nor to the PINGREQ behind it within {0:?}")]
    Unanswered(Duration),
    /// The peer goes on sending and takes no answers.
    #[error("the peer takes no answers: {0} bytes wait for it")]
    Deaf(usize),
    /// The peer uses packet ids of QoS 2 messages again, and again, before we are done with them.
    #[error("the peer has more QoS 2 messages open than there are packet ids")]
    ExactlyOnceOverrun,
}

impl ConnectionError {
    /// Whether the peer, or what is between, closed or reset it.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Io(error) => error.kind() == ErrorKind::UnexpectedEof || is_reset(error),
            _ => false,
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

/// How a socket failed; what the system or a library says of it only where it says more.
fn io_text(error: &io::Error) -> String {
    if let Some(words) = tls::words(error) {
        return format!("the connection failed ({words})");
    }
    match error.kind() {
        ErrorKind::UnexpectedEof => "the peer closed the connection".to_owned(),
        _ if is_reset(error) => "the peer reset the connection".to_owned(),
        _ => format!("the connection failed ({error})"),
    }
}
