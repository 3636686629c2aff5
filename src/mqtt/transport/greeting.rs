//! CONNECT and what comes in answer (MQTT 3.1.1 §3.1, §3.2), told apart by its first bytes.
//!
//! Nothing behind CONNACK is read: a peer that kept the session sends publishes right behind it. Of
//! what is no CONNACK a few bytes are looked at, and nothing but numbers goes into the error. A
//! peer that sends back what it got would else put the password there.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::Connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::mqtt::ByteStream;

/// First byte of CONNACK (MQTT 3.1.1 §3.2.1).
const CONNACK: u8 = 0x20;
/// Types of the TLS records that can come first: an alert, a handshake (RFC 8446 §5.1).
const TLS_RECORDS: [u8; 2] = [0x15, 0x16];
/// Major version of every TLS record.
const TLS_MAJOR: u8 = 3;
/// How a status line begins (RFC 9112 §4), and as long as it is with its status code.
const HTTP: &[u8] = b"HTTP/";
const STATUS_BYTES: usize = b"HTTP/1.1 400".len();
/// How long a stranger may take for the rest of its first words.
const REST_WAIT: Duration = Duration::from_millis(250);

/// What came in answer to CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// CONNACK 0.
    Accepted {
        /// The peer has kept this client's session.
        session_present: bool,
    },
    /// CONNACK with another return code, or with a reason code of MQTT 5.
    Refused(u8),
    /// Something else.
    Stranger(Stranger),
}

/// What is at the port in place of MQTT 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// A TLS record.
    Tls,
    /// HTTP, with its status code where it has one.
    Http(Option<u16>),
    /// A CONNACK that is not two bytes long, as MQTT 5 has it.
    OtherConnack,
    /// Another packet, or no MQTT: its first byte.
    Other(u8),
}

/// Sends CONNECT and reads the answer. Bound it with a time-out.
///
/// # Errors
/// When the stream ends, [`ErrorKind::UnexpectedEof`], or fails; what the peer said before that is
/// heard first.
pub(super) async fn greet(stream: &mut impl ByteStream, hello: &Connect) -> io::Result<Greeting> {
    let mut bytes = BytesMut::new();
    hello.write(&mut bytes).map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let sent = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    let sent = sent.await;
    match (stream.read_u8().await, sent) {
        (Ok(CONNACK), _) => connack(stream).await,
        (Ok(first), _) => Ok(Greeting::Stranger(stranger(stream, first).await)),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

async fn connack(stream: &mut impl ByteStream) -> io::Result<Greeting> {
    let length = stream.read_u8().await?;
    // A remaining length of more than one byte is far longer than any CONNACK of ours.
    if !(2..0x80).contains(&length) {
        return Ok(Greeting::Stranger(Stranger::OtherConnack));
    }
    let (flags, code) = (stream.read_u8().await?, stream.read_u8().await?);
    Ok(match (length, code) {
        (2, 0) => Greeting::Accepted { session_present: flags & 1 == 1 },
        (_, 0) => Greeting::Stranger(Stranger::OtherConnack),
        _ => Greeting::Refused(code),
    })
}

async fn stranger(stream: &mut impl ByteStream, first: u8) -> Stranger {
    let mut words = vec![first];
    if first == HTTP[0] || TLS_RECORDS.contains(&first) {
        let mut rest = stream.take(STATUS_BYTES as u64 - 1);
        // What has come until then is enough, or it is not.
        let _ = timeout(REST_WAIT, rest.read_to_end(&mut words)).await;
    }
    match words[..] {
        [_, TLS_MAJOR, ..] => Stranger::Tls,
        _ if words.starts_with(HTTP) => {
            let code = words.rsplit(|byte| *byte == b' ').next();
            let code = code.and_then(|code| std::str::from_utf8(code).ok());
            Stranger::Http(code.and_then(|code| code.parse().ok()))
        }
        _ => Stranger::Other(first),
    }
}
