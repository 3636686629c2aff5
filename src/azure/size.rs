//! How large a message may be, counted as edgeHub counts it.
//!
//! Source: IoT Hub quotas (256 KB a message); edgeHub adds its own properties before it counts.

use super::Properties;

/// Largest MQTT packet that edgeHub's decoder takes, counted behind the fixed header.
pub const PACKET_BYTES_MAX: usize = 262_144;

/// Largest message: body, names and values of all properties, edgeHub's own included.
pub const MESSAGE_BYTES_MAX: usize = 262_144;

/// What edgeHub adds to every message, but for the ids of device and module.
const ADDED_BYTES: usize = "edgeMessageId".len()
    + GUID_BYTES
    + "edgeHubOriginInterface".len()
    + "mqtt".len()
    + "connectionDeviceId".len()
    + "connectionModuleId".len();
const GUID_BYTES: usize = 36;

/// Size of a message; `ids_bytes` is the length of the sender's device id and module id together.
pub fn message_bytes(properties: &Properties, body_bytes: usize, ids_bytes: usize) -> usize {
    let listed: usize = properties.iter().map(|(k, v)| k.len() + v.map_or(0, str::len)).sum();
    body_bytes + listed + ADDED_BYTES + ids_bytes
}
