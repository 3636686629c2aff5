//! One MQTT 3.1.1 client connection and the session that outlives it.
//!
//! - In: bytes from a socket. Out: batches of decoded packets ([`Inbox`]), bytes to the same
//!   socket.
//! - Runs on whichever thread polls it; holds no thread of its own.
//! - Bounds: [`connection::READ_BYTES`] a turn, [`connection::WRITE_HIGH_WATER_BYTES`] waiting to
//!   be written, [`inflight::WINDOW_MAX`] publishes without PUBACK. At a bound the caller has to
//!   wait; nothing is dropped.
//! - Knows neither Azure nor JSON.

pub mod backoff;
pub mod connection;
pub mod inbox;
pub mod inflight;
pub mod limits;
pub mod linger;
pub(crate) mod session;
pub mod text;
pub mod tls;
pub mod topics;
pub mod transport;
pub mod url;
pub mod wire;

pub use connection::{ByteStream, Connection, ConnectionError};
pub use inbox::Inbox;
pub use inflight::Inflight;
pub use rumqttc::mqttbytes::v4 as packet;
pub use rumqttc::mqttbytes::{self, QoS};
pub use transport::{Answer, ConnectError, Endpoint, Names, Peer, Peers, Proxy, Route, Stream};
