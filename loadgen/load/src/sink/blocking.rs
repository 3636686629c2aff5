//! The loop without faults in time: one blocking read, one write, over and over.

use std::io::ErrorKind;
use std::time::Instant;

use super::buffer::{READ_BYTES_MAX, ReadBuffer};
use super::filter::Filter;
use super::transport::Transport;
use super::{HOLD_MAX, SinkError, SinkSettings};

/// Answers until all inputs asked for are, or the connection ends, which is an error. What was read
/// ahead is in `buffer`.
pub(super) fn serve(
    transport: &mut Transport,
    buffer: &mut ReadBuffer,
    filter: &mut Filter,
    settings: &SinkSettings,
) -> Result<(), SinkError> {
    let idle_max = settings.idle_max();
    let swaps = settings.faults.swap_every.is_some();
    transport.set_read_timeout(if swaps { HOLD_MAX } else { idle_max })?;
    let mut out = Vec::new();
    let mut written = Instant::now();
    loop {
        let used = filter.take(buffer.unused(), u64::MAX, &mut out)?;
        buffer.consume(used);
        if filter.is_finished() {
            filter.release(&mut out);
            return Ok(transport.write_all(&out)?);
        }
        if written.elapsed() >= idle_max {
            filter.ping(&mut out)?;
        }
        if !out.is_empty() {
            transport.write_all(&out)?;
            out.clear();
            written = Instant::now();
        }
        match transport.read(buffer.room(READ_BYTES_MAX)) {
            Ok(0) => return Err(SinkError::Closed),
            Ok(count) => buffer.filled(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => filter.release(&mut out),
            Err(error) => return Err(error.into()),
        }
    }
}
