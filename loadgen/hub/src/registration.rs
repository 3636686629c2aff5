//! The Device Provisioning Service, on the hub's own MQTT port: a CONNECT whose username names a
//! registration comes here (IoT Hub DPS: communicate using the MQTT protocol).
//!
//! ```text
//! CONNECT {id scope}/registrations/{id}/... -> admission: enrollment's key checked
//! register -> 202 assigning, retry-after    -> poll -> 202 ... -> 200 assigned: device made
//! ```
//! The device that is assigned connects to this very hub: the assigned hub is the gateway's name.
//! Runs on the hub's thread, one task per connection. What it knows, and its bounds:
//! `provisioning`. The service keeps no sessions, so nothing of a registration is found in the
//! device's session.

pub(super) mod admission;
mod answers;
pub(super) mod devices;
pub(super) mod session;
