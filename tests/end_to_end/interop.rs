//! Peers nobody here wrote: Microsoft's SDKs against the hub, Mosquitto against the module.
//!
//! `tests/run tools` installs what these tests need; a missing tool fails them.

mod broker;
mod conversation_tests;
mod corpus;
mod early_connect_tests;
mod mosquitto;
mod provisioning_tests;
mod runtime_tests;
mod sdk;
mod sdk_tests;
mod websocket_tests;
