//! The local development hub: the server side of an edge hub, in one process.

pub mod manifest;
pub mod route;
pub mod twin_document;
