//! Every bound of the pipeline, in one place. docs/bounds.md says what happens at each.

use crate::pipeline::message::SourceId;

/// Batches handed to the parser pool and not yet back. At the bound the ingest thread judges
/// itself.
pub const PIPELINE_BATCHES_MAX: usize = 64;
/// Most messages in one batch: one read of 64 KiB holds at most some thousand.
pub const BATCH_MESSAGES_MAX: usize = 4096;
/// Settled batches that one source keeps for their memory.
pub const SPARE_BATCHES_MAX: usize = PIPELINE_BATCHES_MAX;
/// Most bytes of that memory: a batch of the smallest messages has lists of 128 KiB.
pub const SPARE_BYTES_MAX: usize = 1024 * 1024;
/// A batch with no more bytes than this is judged where it arrived: waking a parser thread would
/// take longer.
pub const JUDGED_AT_ONCE_BYTES: usize = 8 * 1024;
/// Most messages received and not yet acknowledged: all packet ids of MQTT 3.1.1.
pub const HELD_MESSAGES_MAX: usize = 65_535;
/// Most bytes that are kept alive for such messages (default of the setting `held-bytes`). At it
/// nothing is read from a broker, and nothing is taken from a hub.
pub const HELD_BYTES_DEFAULT: usize = 64 * 1024 * 1024;
/// Least value of that setting.
pub const HELD_BYTES_MIN: usize = 1024 * 1024;
/// Its largest value: what all sources hold together stays below half of what this machine can
/// address (512 MiB each on 32 bits).
pub const HELD_BYTES_MAX: usize = usize::MAX / 8;
/// How many times [`HELD_MESSAGES_MAX`] may be held while PUBACKs are looked for behind inputs,
/// before the connection is closed for the hub to deliver again.
pub const HELD_OVERDRAFT: usize = 2;
/// The share of `held-bytes` that is left for that: a hub's QoS 0 inputs are dropped before it.
pub const HELD_RESERVE_SHARE: usize = 4;

const _: () = assert!(HELD_MESSAGES_MAX <= crate::mqtt::inflight::WINDOW_MAX);
const _: () = assert!(HELD_BYTES_DEFAULT < HELD_BYTES_MAX);
// What all sources hold is added up.
const _: () = assert!(HELD_BYTES_MAX * SourceId::ALL.len() <= usize::MAX / 2);
// Whatever is held can grow by one read, and by one message of any size, before it is at the bound.
const _: () = assert!(
    HELD_BYTES_MIN - HELD_BYTES_MIN / HELD_RESERVE_SHARE
        > crate::mqtt::connection::READ_BYTES + crate::mqtt::connection::PACKET_BYTES_MAX
);
