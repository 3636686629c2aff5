//! What the instrument can do here.

use super::figures::{self, grouped, latency, percent, rate};
use crate::load::outcome::{Calibration, Distribution, Drive};

/// Tables over several lines.
pub(crate) fn calibration_text(calibration: &Calibration) -> String {
    let mut drives = figures::table([
        "null sink, 140 bytes, 1 in 10 back",
        "sent and verified",
        "own CPU a message",
        "that is on one core",
        "sink's CPU",
    ]);
    for (name, drive) in [("QoS 0", calibration.qos0), ("QoS 1, window 20,000", calibration.qos1)] {
        let Drive { own_cpu_ns_per_message, rate_per_core, sink_cpu_share, .. } = drive;
        drives.add_row([
            name.to_owned(),
            rate(drive.rate),
            format!("{own_cpu_ns_per_message:.0} ns"),
            rate(rate_per_core),
            percent(sink_cpu_share),
        ]);
    }
    let mut punctuality = figures::table(["punctuality", "count", "p50", "p99", "p99.9", "max"]);
    for (name, of) in [
        ("sleep of 1 ms ends late by", &calibration.sleep_overrun),
        ("pauses of a busy thread", &calibration.stolen),
    ] {
        let Distribution { p50_us, p99_us, p99_9_us, max_us, .. } = of;
        let figures = [p50_us, p99_us, p99_9_us, max_us].map(|us| latency(*us));
        let count = grouped(of.count as f64);
        punctuality.add_row([name.to_owned(), count].into_iter().chain(figures));
    }
    format!(
        "clock: steps of {} ns, {:.0} ns a reading\n\n{punctuality}\n\n{drives}",
        calibration.clock_resolution_ns, calibration.clock_read_ns
    )
}
