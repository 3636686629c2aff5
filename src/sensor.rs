//! `sluicegate sensor`: the IoT Central environmental sensor, a device that registers itself.
//!
//! ```text
//!   settings ─► link ──► register (DPS) ──► assignment: hub, device id
//!                │                             │
//!                └────► serve (hub) ◄──────────┘   again after a loss, a renewal, a refusal
//!                        │  ▲
//!       commands, patches│  │telemetry, answers, reports
//!                        ▼  │
//!                 twin ─► device     pure: told what came and what time it is
//! ```
//!
//! - In: commands and desired properties from the hub. Out: telemetry, answers, reported
//!   properties.
//! - One thread with one runtime; a second one does nothing but read standard input for `q`.
//! - Bounded: see [`link`], [`device`], [`twin`] and [`dps`](crate::azure::dps).
//! - While the hub is away the device goes on; what it has to say waits, within those bounds.

pub mod device;
pub mod link;
mod quit;
pub mod settings;
pub mod template;
pub mod twin;

use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use tracing::info;

use crate::host::signals;
use crate::start::StartError;
use link::{DeviceLink, SensorSummary};
use settings::SensorSettings;

/// Runs until `q` and Enter, SIGINT, SIGTERM or SIGHUP, and tells what was done.
///
/// # Errors
/// When it cannot start; once started it retries for ever.
pub fn run(settings: SensorSettings) -> Result<SensorSummary, StartError> {
    let wake = Arc::new(Notify::new());
    let (stop, stopped) = watch::channel(false);
    let link = DeviceLink::new(settings, Arc::clone(&wake), stopped, fastrand::u64(..));
    let runtime = signals::runtime(Builder::new_current_thread().enable_io().enable_time())?;
    runtime.block_on(async {
        let signals = quit::Signals::new()?;
        let link = std::pin::pin!(link.run());
        let quit = async {
            info!("quits on {}", signals.requested().await);
            // The link holds the receiver until it ends.
            let _ = stop.send(true);
            wake.notify_one();
        };
        let (summary, ()) = tokio::join!(link, quit);
        Ok(summary)
    })
}
