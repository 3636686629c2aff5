//! A plain MQTT broker as source of sensor messages and, without a hub, as their way out.
//!
//! - In: publishes of the subscribed topics ([`source`]), payloads of the control topic and PUBACKs
//!   ([`outlet`]). Out: messages for the [`pipeline`](crate::pipeline), alerts and reports.
//! - Two connections, so that neither ever waits behind the other's packets; both run on the ingest
//!   thread. What is asked for, said and named ([`control`], [`login`], [`topics`]) is pure.
//! - Bounded: see the two connections; one report under way, and one behind it.

pub mod address;
pub mod control;
mod dial;
pub mod login;
pub mod outlet;
#[cfg(test)]
mod peer;
pub mod source;
mod subscription;
pub mod topics;

pub use address::{Address, AddressProblem, Password};
pub use control::Control;
pub use login::Login;
pub use outlet::Outlet;
pub use source::Source;
pub use topics::{AlertsTopic, TopicFilter, TopicProblem, could_match};
