//! Control of a running hub: one JSON line over a unix socket in its state folder, JSON lines back.
//!
//! ```text
//! loadgen twin|method|monitor|env|enrol  --{request line}-->  control.sock  -->  hub
//!                                  <--answer lines-------
//! ```
//! The socket is its owner's alone (0600): whoever can open it can read the modules' keys.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) mod client;
mod environment;
pub(crate) mod message;
pub(crate) mod server;
pub(crate) mod socket;
mod unread;

use message::MonitoredMessage;

/// Longest request line, in bytes; a longer one is answered by an error and the end of the
/// connection. A method's payload may have 128 KB, a twin patch 32 KB.
pub(crate) const REQUEST_BYTES_LIMIT: usize = 256 * 1024;
/// Longest answer line, in bytes. A monitored message may have 256 KB, and JSON escapes at worst
/// turn one byte into six.
pub(crate) const ANSWER_BYTES_LIMIT: usize = 2 * 1024 * 1024;
/// Longest time a method call may be given, in seconds (IoT Hub: direct methods).
pub(crate) const METHOD_TIMEOUT_S_MAX: u64 = 300;

/// The control socket of a state folder.
pub(crate) fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// What a command asks of the hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The twin of a module.
    TwinGet { module: String },
    /// A patch of the desired properties of a module.
    TwinSet { module: String, patch: Value },
    /// A direct method call.
    Method { module: String, name: String, payload: Value, timeout_s: u64 },
    /// Every message that goes upstream, until the connection ends: first those that no monitor
    /// was sent yet, or `only_new` ones.
    Monitor {
        #[serde(default)]
        only_new: bool,
    },
    /// The environment variables of a module: for development, or those of the edge runtime.
    Environment { module: String, runtime: bool },
    /// The environment variables with which a device registers.
    Enrollment { registration: String },
}

/// What the hub answers. Only a monitor gets more than one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// The twin document.
    Twin { document: Value },
    /// The new version of the desired properties.
    Version { version: u64 },
    /// What the module answered.
    Method { status: u32, payload: Value },
    /// Names and values, and what was left out.
    Environment { variables: Vec<(String, String)>, left_out: Vec<String> },
    /// The monitor is listening: what goes upstream from now on is shown, behind what is unread.
    Listening { unread: u64 },
    /// One message that went upstream.
    Message(Box<MonitoredMessage>),
    /// Messages that a slow monitor did not get.
    Lost { count: u64 },
    /// The request failed; `status` as the service would give it.
    Error { status: u32, text: String },
}
