//! Many sensors cost little.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{LOADGEN, alone, measure_clean, settings, sink};

/// Most memory of the instrument with 10,000 sensors.
const RSS_KIB_MAX: u64 = 200 * 1024;

/// Peak resident set of a process that lives.
fn rss_peak_kib(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn ten_thousand_sensors_take_little_memory() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut instrument = Command::new(LOADGEN)
        .args(["run", "--sensors", "10000", "--rate", "20k", "--for", "1s", "--warm-up", "200ms"])
        .arg("--json")
        .arg(folder.path().join("run.json"))
        .args(["--", LOADGEN, "sink"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        // It only grows, so the last look before the end is enough.
        peak = rss_peak_kib(instrument.id()).unwrap_or(peak);
        if let Some(status) = instrument.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // A busy machine may make the figures invalid (2), but nothing may fail.
    assert!(matches!(status.code(), Some(0 | 2)), "{status}");
    assert!((1024..RSS_KIB_MAX).contains(&peak), "{peak} KiB");
}

/// Each of the most sensors that can be asked for sends, and is heard of.
#[test]
fn a_hundred_thousand_sensors_work() {
    let _alone = alone();
    let mut settings = settings(100_000.0, sink(&[]));
    settings.traffic.sensors = 100_000;
    let outcome = measure_clean(&settings);
    assert_eq!(outcome.traffic.messages, 100_000);
    assert_eq!(outcome.counts.sent, 120_000);
    assert_eq!(outcome.counts.alerts_correct, 120_000);
}
