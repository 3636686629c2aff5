//! The module as a process of its own behind the local hub: rate with a full window, and latency
//! at a fixed rate.
//!
//! Latency runs from the instant at which a message was due to be sent to the instant at which its
//! alert is with the hub, so a stall counts for every message that it delayed. One alert in ten.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use hdrhistogram::Histogram;
use loadgen::hub::{Hub, HubConfig, HubHandle, HubMessage, UpstreamMessage};
use sluicegate::azure::Properties;

const MODULE: &str = "filter";
const INPUT: &str = "input1";
/// One message in this many exceeds the threshold.
pub const ALERT_EVERY: u64 = 10;
/// Longest wait for the next alert before the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Anything that kept a run from its figures.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A hub and a module that are connected.
pub struct Scene {
    hub: HubHandle,
    module: Child,
    _state: tempfile::TempDir,
}

impl Scene {
    /// Starts both; `window` inputs may be unacknowledged. The module is this very program, which
    /// must answer the argument `module` with the module's command line.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(window: usize) -> Result<Self, Failure> {
        let state = tempfile::tempdir()?;
        let hub = Hub::start(HubConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            state_dir: state.path().to_owned(),
            window,
            lossless: true,
            ..HubConfig::default()
        })?;
        let module = Command::new(std::env::current_exe()?)
            .args(["module", "run", "--log-level", "error"])
            .envs(hub.environment(MODULE)?)
            .env("SLUICEGATE_GATEWAY_PORT", hub.address().port().to_string())
            .spawn()?;
        let scene = Self { hub, module, _state: state };
        let deadline = Instant::now() + PATIENCE;
        while !scene.hub.is_subscribed(MODULE) {
            if Instant::now() > deadline {
                return Err("the module did not subscribe".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(scene)
    }

    /// Messages a second from the first send to the last alert, with the window always full.
    ///
    /// # Errors
    /// When an alert is missing, or one came that is none.
    pub fn rate(&self, messages: u64) -> Result<f64, Failure> {
        let batches: Vec<_> = chunks(messages, 5_000).collect();
        let start = Instant::now();
        std::thread::scope(|scope| {
            let upstream = self.hub.upstream();
            let collected =
                scope.spawn(move || collect(&upstream, messages / ALERT_EVERY, |_, _| ()));
            for batch in batches {
                self.hub.deliver(MODULE, INPUT, batch)?;
            }
            collected.join().map_err(|_| "the collector panicked")??;
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            Ok(messages as f64 / start.elapsed().as_secs_f64())
        })
    }

    /// Latency in microseconds at `per_second`, sent in groups of ten for `duration`.
    ///
    /// # Errors
    /// As [`Scene::rate`].
    pub fn latency(&self, per_second: u64, duration: Duration) -> Result<Histogram<u64>, Failure> {
        let period = Duration::from_secs(1) * 10 / u32::try_from(per_second)?;
        let groups = u64::try_from(duration.as_nanos() / period.as_nanos())?;
        let batches: Vec<_> = chunks(groups * 10, 10).collect();
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        let start = Instant::now() + Duration::from_millis(50);
        std::thread::scope(|scope| {
            let upstream = self.hub.upstream();
            let recorded = &mut histogram;
            let collected = scope.spawn(move || {
                collect(&upstream, groups * 10 / ALERT_EVERY, |index, received_at| {
                    let due = start + period * u32::try_from(index).unwrap_or(u32::MAX);
                    let latency = received_at.saturating_duration_since(due).as_micros();
                    recorded.saturating_record(u64::try_from(latency).unwrap_or(u64::MAX).max(1));
                })
            });
            for (index, batch) in (0u32..).zip(batches) {
                let due = start + period * index;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                self.hub.deliver(MODULE, INPUT, batch)?;
            }
            collected.join().map_err(|_| "the collector panicked")??;
            Ok::<_, Failure>(())
        })?;
        Ok(histogram)
    }

    /// Peak resident memory of the module in KiB, from `/proc`.
    ///
    /// # Errors
    /// When `/proc` does not tell.
    pub fn module_peak_rss_kib(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.module.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
        Ok(number.parse()?)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // The module holds nothing that outlives a measurement.
        let _ = self.module.kill();
        let _ = self.module.wait();
    }
}

/// Waits for `count` alerts in order and hands each one's number and instant over.
fn collect(
    upstream: &Receiver<UpstreamMessage>,
    count: u64,
    mut on_alert: impl FnMut(u64, Instant),
) -> Result<(), Failure> {
    for index in 0..count {
        let message = upstream
            .recv_timeout(PATIENCE)
            .map_err(|_| format!("only {index} of {count} alerts came"))?;
        let sequence = message.properties.get("sequenceNumber").flatten();
        if sequence != Some(&(index * ALERT_EVERY).to_string()) {
            return Err(format!("alert {index} is message {sequence:?}").into());
        }
        on_alert(index, message.received_at);
    }
    Ok(())
}

/// `count` messages of 140 bytes in batches.
fn chunks(count: u64, size: u64) -> impl Iterator<Item = Vec<HubMessage>> {
    (0..count.div_ceil(size))
        .map(move |chunk| (chunk * size..count.min((chunk + 1) * size)).map(message).collect())
}

fn message(index: u64) -> HubMessage {
    let temperature =
        if index.is_multiple_of(ALERT_EVERY) { "101.5279183016385" } else { "21.52791830163853" };
    let body = format!(
        "{{\"machine\":{{\"temperature\":{temperature},\"pressure\":1.0601425913965}},\
         \"ambient\":{{\"temperature\":21.10021584732,\"humidity\":25}},\
         \"timeCreated\":\"2020-06-01T12:00:00.1Z\"}}"
    );
    let mut properties = Properties::new();
    properties.set("sequenceNumber", Some(&index.to_string()));
    HubMessage { body: Bytes::from(body), properties }
}
