//! A plain MQTT broker as source of sensor messages and, without a hub, as their way out.
//!
//! - In: the checked settings, source topics, payloads of the control topic. Out: where to connect
//!   and as whom, alert topics, thresholds in the cell, reports to publish.
//! - All of it is pure but the choice of a random client id: no socket, no clock, no log. The
//!   connections' owner calls it on its own thread.
//! - Bounded: one report under way, and one behind it; see [`control`].

pub mod address;
pub mod control;
pub mod login;
pub mod topics;

pub use address::{Address, AddressProblem, Password};
pub use control::Control;
pub use login::Login;
pub use topics::{AlertsTopic, TopicFilter, TopicProblem, could_match};
