//! Far ends, clocks and files that tests of several rooms play with; no part of the product.

pub(crate) mod broker;
pub(crate) mod capture;
pub(crate) mod cut;
pub(crate) mod daemon;
pub(crate) mod names;
pub(crate) mod receiver;
