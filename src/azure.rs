//! The Azure IoT wire as text and types: identities, keys and tokens, property bags, topics.
//!
//! Shared by the module, the sensor and the development hub. Nothing here does I/O, reads a clock
//! or the environment, or keeps state (but for [`request_ids`], and one [`dps::Registration`],
//! whose clock is its caller's); all input is outside input, so nothing here panics on it. What a
//! value costs is bounded by the length of the text that it was read from.
//!
//! ```text
//! ConnectionString --> Identity --> client id, username, topics
//!                  \-> Key -------> SAS token (the password)
//! workload request ---> signature -/       (inside the edge runtime)
//! topic --> topics::parse_received / parse_sent --> bag --> Properties
//! bag ----> alert_topic --> the topic of the forwarded message
//! Enrollment --> dps::Registration --> the hub and the Identity of a device
//! ```

pub mod alert;
pub mod connection_string;
pub mod conventions;
mod digits;
pub mod dps;
pub mod identity;
pub mod members;
mod percent;
pub mod properties;
pub mod request_ids;
pub mod sas;
pub mod size;
pub mod topics;
pub mod workload;

pub use alert::alert_topic;
pub use connection_string::{ConnectionString, ConnectionStringError, ConnectionStringProblem};
pub use identity::Identity;
pub use percent::{percent_decode, percent_encode};
pub use properties::{BagError, Properties};
pub use sas::{Key, KeyError, SasError, Token, UnsignedToken, sign_token};
