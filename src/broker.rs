//! A plain MQTT broker as source of sensor messages and, without a hub, as their way out.
//!
//! - In: publishes of the subscribed topics ([`source`]), payloads of the control topic and PUBACKs
//!   ([`outlet`]). Out: messages for the [`pipeline`](crate::pipeline), alerts and reports.
//! - Two connections, so that neither ever waits behind the other's packets; both run on the ingest
//!   thread. What is asked for, said and named ([`control`], [`login`],
//!   [`topics`](crate::mqtt::topics)) is pure.
//! - Bounded: see the two connections; one report under way, and one behind it.

use std::time::Duration;

use tokio::sync::watch;

use crate::pipeline::SharedPipeline;

pub mod address;
#[cfg(test)]
mod characters_tests;
pub mod control;
pub mod limits;
pub mod login;
pub mod outlet;
pub mod settings;
pub mod source;

pub use crate::mqtt::topics::{AlertsTopic, TopicFilter, TopicProblem};
pub use crate::mqtt::url::Password;
pub use address::BrokerAddress;
pub use control::Control;
pub use login::Login;
pub use outlet::Outlet;
pub use source::Source;

/// What both connections work with.
#[derive(Clone)]
pub struct Context {
    /// Where messages are judged.
    pub pipeline: SharedPipeline,
    /// Turns true for shutdown, together with a notification on each connection's `wake`.
    pub stop: watch::Receiver<bool>,
    /// Longest wait for the PUBACK of an alert, on a connection that is alive.
    pub puback_timeout: Duration,
    /// How long work under way may take at a stop.
    pub drain_timeout: Duration,
}

impl Context {
    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}
