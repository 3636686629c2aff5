//! What a hub counts since its start.

use serde::Serialize;

/// Totals since the hub's start, except `sockets` and `connections`, which are now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HubCounters {
    /// TCP connections open, those before CONNACK included, now.
    pub sockets: u64,
    /// Connections past CONNACK 0, now.
    pub connections: u64,
    /// CONNECTs accepted.
    pub connects: u64,
    /// CONNECTs refused with CONNACK 5.
    pub auth_failures: u64,
    /// CONNECTs refused with another code, and connections that never sent one.
    pub connect_failures: u64,
    /// Sockets without a CONNECT closed to make room for others.
    pub sockets_shed: u64,
    /// Connections whose first bytes were lost, as
    /// [`HubFault::EarlyConnect`](super::HubFault::EarlyConnect) asks.
    pub early_lost: u64,
    /// Connections closed because their identity connected again.
    pub evictions: u64,
    /// Connections closed for breaking the protocol or a bound.
    pub protocol_errors: u64,
    /// Connections closed because nothing came for 1.5 keep-alives.
    pub keep_alive_timeouts: u64,
    /// Input messages stored.
    pub inputs_stored: u64,
    /// Input messages written to a module, or taken by one inside the process, for the first time.
    pub inputs_delivered: u64,
    /// Input messages written or taken again.
    pub inputs_redelivered: u64,
    /// Input messages acknowledged, or completed by being written at QoS 0 or taken.
    pub inputs_acked: u64,
    /// Input messages dropped because the session has no filter for their topic.
    pub inputs_rejected: u64,
    /// Times the oldest input in flight waited too long for its acknowledgement.
    pub ack_timeouts: u64,
    /// Telemetry messages received, dropped ones included.
    pub telemetry_received: u64,
    /// Messages handed to `$upstream`.
    pub upstream: u64,
    /// Messages for `$upstream` dropped because nobody read them in time.
    pub upstream_overwritten: u64,
    /// Messages that no route matched.
    pub dropped_no_route: u64,
    /// Publishes dropped for a topic or property bag that does not parse.
    pub dropped_malformed: u64,
    /// Messages dropped because two property names differ only in letter case.
    pub dropped_duplicate_property: u64,
    /// Publishes in another identity's name, each of which ended its connection, and wills, which
    /// were dropped.
    pub identity_mismatches: u64,
    /// Twin documents asked for.
    pub twin_gets: u64,
    /// Reported patches applied.
    pub twin_reported: u64,
    /// Reported patches refused with status 400, or 500 where they could not be kept.
    pub twin_refused: u64,
    /// Twin answers not sent, because the client's request id makes a topic longer than MQTT
    /// allows once it is percent-encoded.
    pub twin_unanswerable: u64,
    /// Desired patches applied.
    pub twin_desired: u64,
    /// Times that a file of the state folder could not be written.
    pub save_failures: u64,
    /// Messages found on disk at the start: stored and not delivered by an earlier hub.
    pub restored: u64,
    /// Times that messages could not be stored on disk, and their senders got no PUBACK.
    pub store_failures: u64,
    /// Requests to the workload API, refused ones included.
    pub workload_requests: u64,
    /// Signatures given though key id, algorithm or generation were not the module's own.
    pub workload_oddities: u64,
    /// Connections to the workload API closed because too many were open.
    pub workload_dropped: u64,
    /// Registrations that ended with a device.
    pub registrations: u64,
    /// Requests of registrations answered by an error, and registrations that ended without a
    /// device.
    pub registrations_refused: u64,
    /// Direct methods called.
    pub method_calls: u64,
    /// Method responses that came too late, or that nobody had asked for.
    pub method_late: u64,
}
