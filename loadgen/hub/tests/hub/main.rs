//! The hub through its public surface: a raw MQTT client over TLS on one side, its handle on the
//! other.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod bounds;
mod client;
mod connect;
mod deliver;
mod devices;
mod durable;
mod fault;
mod log;
mod names;
mod persistence;
mod provisioning;
mod resident;
mod saving;
mod strict;
mod support;
mod telemetry;
mod twins;
mod useless;
mod websocket;
mod workload;
