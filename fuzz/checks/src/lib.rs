//! What must hold of any bytes from outside, as functions that a fuzzer calls with bytes.
//!
//! Each function of [`TARGETS`] takes anything and panics where something does not hold. Nothing
//! of one call is left for the next one, so that each finding is an input. The fuzzers are thin
//! wrappers in the folder above; the test of this package calls the same functions with the seeds
//! and the findings in `fuzz/corpora`.
#![forbid(unsafe_code)]

pub mod answers;
pub mod bag;
pub mod connection;
pub mod connection_string;
pub mod hub;
pub mod hub_connect;
mod input;
pub mod load;
pub mod manifest;
pub mod mutate;
pub mod number;
pub mod payload;
pub mod routes;
pub mod sas;
pub mod settings;
pub mod topics;
pub mod twin;
pub mod url;
pub mod wire;

/// One thing that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Of the fuzzer, and of the folder with its corpus.
    pub name: &'static str,
    /// Panics where something does not hold of these bytes.
    pub check: fn(&[u8]),
}

/// All there are, by name.
pub const TARGETS: [Target; 17] = [
    Target { name: "answers", check: answers::check },
    Target { name: "bag", check: bag::check },
    Target { name: "connection", check: connection::check },
    Target { name: "connection_string", check: connection_string::check },
    Target { name: "hub", check: hub::check },
    Target { name: "hub_connect", check: hub_connect::check },
    Target { name: "load", check: load::check },
    Target { name: "manifest", check: manifest::check },
    Target { name: "number", check: number::check },
    Target { name: "payload", check: payload::check },
    Target { name: "routes", check: routes::check },
    Target { name: "sas", check: sas::check },
    Target { name: "settings", check: settings::check },
    Target { name: "topics", check: topics::check },
    Target { name: "twin", check: twin::check },
    Target { name: "url", check: url::check },
    Target { name: "wire", check: wire::check },
];
