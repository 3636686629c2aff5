//! The loop without faults in time: one blocking read, one write, over and over.

use std::io::ErrorKind;
use std::time::Instant;

use super::buffer::{READ_BYTES_MAX, ReadBuffer};
use super::filter::Filter;
use super::transport::Transport;
use super::{IDLE_MAX, SinkError};

/// An MQTT PINGREQ (MQTT 3.1.1 §3.12).
pub(super) const PINGREQ: [u8; 2] = [0xc0, 0];

/// Answers until the connection ends, which is an error like every other. What was read ahead is in
/// `buffer`.
pub(super) fn serve(
    transport: &mut Transport,
    buffer: &mut ReadBuffer,
    filter: &mut Filter,
) -> Result<(), SinkError> {
    transport.set_read_timeout(IDLE_MAX)?;
    let mut out = Vec::new();
    let mut written = Instant::now();
    loop {
        let used = filter.take(buffer.unused(), u64::MAX, &mut out)?;
        buffer.consume(used);
        if written.elapsed() >= IDLE_MAX {
            out.extend_from_slice(&PINGREQ);
        }
        if !out.is_empty() {
            transport.write_all(&out)?;
            out.clear();
            written = Instant::now();
        }
        match transport.read(buffer.room(READ_BYTES_MAX)) {
            Ok(0) => return Err(SinkError::Closed),
            Ok(count) => buffer.filled(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}
