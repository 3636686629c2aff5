//! The hub: the connection of an IoT Edge module, and what it needs to be let in.
//!
//! - In: inputs, twin documents and patches, PUBACKs ([`link`]). Out: messages for the
//!   [`pipeline`](crate::pipeline), its alerts, acknowledgements of inputs.
//! - The [`link`] runs on the ingest thread. It asks for a password ([`credentials`]) and for roots
//!   ([`trust`]) before each connection; in an edge runtime both come from its [`workload`] API.
//! - Bounds: [`limits`].

pub mod credentials;
pub mod limits;
pub mod link;
pub mod trust;
pub mod workload;
