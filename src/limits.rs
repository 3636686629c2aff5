//! Every bound of the pipeline, in one place. ARCHITECTURE.md tells what happens at each.

use std::time::Duration;

use crate::message::{Alert, SourceId};

/// Batches handed to the parser pool and not yet back. At the bound the ingest thread judges itself.
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
/// What an alert counts besides its bytes: its places in the tables that it passes through, the
/// outbox and that of its connection, which double when they grow. (`outbound` holds it to that.)
pub const ALERT_TABLES_BYTES: usize = 2 * 2 * size_of::<Alert>();
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
/// Longest topic that MQTT can carry (MQTT 3.1.1 §1.5.3).
pub const TOPIC_BYTES_MAX: usize = 65_535;
/// How long inputs wait for the first twin document before the default threshold judges them.
pub const FIRST_TWIN_WAIT: Duration = Duration::from_secs(5);
/// How long after its answer to a PINGREQ a broker may still tell what it had retained, before a
/// control topic that was set is taken for cleared: some send retained messages at their leisure.
pub const RETAINED_WAIT: Duration = Duration::from_secs(2);
/// How long a twin request may stay without answer before it is sent again for the first time.
pub const TWIN_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The longest such wait: each time it is twice the last one.
pub const TWIN_ANSWER_WAIT_MAX: Duration = Duration::from_secs(160);
/// Largest `$version` that is taken for one: a report repeats it, and a hub refuses a report with a
/// larger integer (IoT Hub: tags and properties format). Versions count changes, so none gets there.
pub const VERSION_MAX: u64 = (1 << 52) - 1;
/// How long SUBACK may take.
pub const SUBACK_WAIT: Duration = Duration::from_secs(10);
/// How long the oldest publish may be without PUBACK before a PINGREQ asks whether the peer is
/// still there; the same for anything that was sent, behind which nothing was heard.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(3);
/// How long the answer to that PINGREQ may take before the connection ends.
pub const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The same behind connections that ended so: doubled each time, as the link may be slow.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long the oldest publish may be without PUBACK on a connection that is alive (default of the
/// setting `puback-timeout`).
pub const PUBACK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// How long a connection that was overrun may take to finish what is held.
pub const OVERRUN_DRAIN_MAX: Duration = Duration::from_secs(60);
/// A connection that lived this long has proved itself: the next failure starts at the first wait.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// A trust bundle is not fetched again within this time, however often its roots fail.
pub const TRUST_BUNDLE_AGE_MIN: Duration = Duration::from_secs(30);
/// Share of a token's life after which it is renewed.
pub const RENEWAL_SHARE: f64 = 0.8;
/// Jitter of the renewal, as a share of the token's life, to either side.
pub const RENEWAL_JITTER: f64 = 0.05;
/// Before the renewal's DISCONNECT, work in flight may take this long to be acknowledged.
pub const RENEWAL_DRAIN_MAX: Duration = Duration::from_secs(1);
/// Shared subscriptions that bring nothing for so long are told of.
pub const SHARED_SILENCE: Duration = Duration::from_secs(30);
/// Log lines about bad messages: at most this many in [`LOG_WINDOW`]; the rest is counted.
pub const LOG_LINES_MAX: u32 = 10;
/// See [`LOG_LINES_MAX`].
pub const LOG_WINDOW: Duration = Duration::from_secs(10);
/// Most characters of the name that stands in each log line.
pub const LOG_NAME_CHARS_MAX: usize = 64;
/// Most bytes of log lines that wait for a reader; some thousand lines. Beyond it lines are counted.
pub const LOG_QUEUE_BYTES_MAX: usize = 256 * 1024;
/// How long the end may wait for a reader of the last log lines.
pub const LOG_FLUSH_MAX: Duration = Duration::from_millis(500);

const _: () = assert!(HELD_MESSAGES_MAX <= crate::mqtt::inflight::WINDOW_MAX);
const _: () = assert!(HELD_BYTES_DEFAULT < HELD_BYTES_MAX);
// What all sources hold is added up.
const _: () = assert!(HELD_BYTES_MAX * SourceId::ALL.len() <= usize::MAX / 2);
// Whatever is held can grow by one read, and by one message of any size, before it is at the bound.
const _: () = assert!(
    HELD_BYTES_MIN - HELD_BYTES_MIN / HELD_RESERVE_SHARE
        > crate::mqtt::connection::READ_BYTES + crate::mqtt::connection::PACKET_BYTES_MAX
);
