//! What the instrument can do here.

use super::figures::{self, grouped, latency, percent, rate};
use loadgen_load::outcome::{Calibration, Distribution, Drive};

/// Tables over several lines, none wider than this, and a sentence.
pub(crate) fn calibration_text(calibration: &Calibration, width: u16) -> String {
    let drive = |name: &str, drive: &Drive| {
        let own = format!("{:.0} ns", drive.own_cpu_ns_per_message);
        let [all, core] = [drive.rate, drive.rate_per_core].map(rate);
        [name.to_owned(), all, own, core, percent(drive.sink_cpu_share)]
    };
    let heading = [
        "null sink, 140 bytes, 1 in 10 back",
        "sent and verified",
        "own CPU a message",
        "that is on one core",
        "sink's CPU",
    ];
    let rows =
        vec![drive("QoS 0", &calibration.qos0), drive("QoS 1, window 20,000", &calibration.qos1)];
    let drives = figures::table(width, heading, rows);
    let pauses = |name: &str, of: &Distribution| {
        let [p50, p99, p99_9, max] = [of.p50_us, of.p99_us, of.p99_9_us, of.max_us].map(latency);
        [name.to_owned(), grouped(of.count as f64), p50, p99, p99_9, max]
    };
    let rows = vec![
        pauses("sleep of 1 ms ends late by", &calibration.sleep_overrun),
        pauses("pauses of a busy thread", &calibration.stolen),
    ];
    let punctuality =
        figures::table(width, ["punctuality", "count", "p50", "p99", "p99.9", "max"], rows);
    format!(
        "clock: steps of {} ns, {:.0} ns a reading\n\n{}\n\n{}\n\n{}",
        calibration.clock_resolution_ns,
        calibration.clock_read_ns,
        punctuality.trim_fmt(),
        drives.trim_fmt(),
        sentence(calibration)
    )
}

/// What can be measured here.
fn sentence(calibration: &Calibration) -> String {
    let [qos0, qos1] = [&calibration.qos0, &calibration.qos1].map(|drive| rate(drive.rate));
    let pause = latency(calibration.stolen.p99_us);
    let others = calibration.others.map(|others| format!("; {others}")).unwrap_or_default();
    format!(
        "RESULT: here the instrument sends and verifies {qos0} at QoS 0 and {qos1} at QoS 1, and \
         the machine pauses a busy thread for {pause} at p99{others}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_load::outcome::Others;

    fn calibration(rate: f64, us: f64) -> Calibration {
        let drive =
            Drive { rate, own_cpu_ns_per_message: us, rate_per_core: rate, sink_cpu_share: 0.5 };
        let pauses = Distribution {
            count: 999_999_999_999,
            p50_us: us,
            p99_us: us,
            p99_9_us: us,
            max_us: us,
            ..Distribution::default()
        };
        Calibration {
            clock_resolution_ns: 1,
            clock_read_ns: 20.0,
            sleep_overrun: pauses.clone(),
            stolen: pauses,
            qos0: drive,
            qos1: Drive { rate: rate / 2.0, ..drive },
            others: Some(Others { taken: 0.5, stolen: 0.0, cores: 2 }),
        }
    }

    #[test]
    fn it_ends_with_a_sentence() {
        let text = calibration_text(&calibration(2e6, 57.0), 120);
        let expected = "\n\nRESULT: here the instrument sends and verifies 2,000,000/s at QoS 0 \
            and 1,000,000/s at QoS 1, and the machine pauses a busy thread for 57 µs at p99; other \
            programs took 0.5 of 2 cores";
        assert!(text.ends_with(expected), "{text}");
        let unknown = Calibration { others: None, ..calibration(2e6, 57.0) };
        assert!(calibration_text(&unknown, 120).ends_with("for 57 µs at p99"));
    }

    #[test]
    fn no_line_of_the_tables_is_too_long() {
        let most = calibration(999_999_999.0, 9e9);
        let tables = |look: crate::cli::look::Look| {
            let text = calibration_text(&most, look.width);
            text.rsplit_once("\n\n").map(|(tables, _)| tables.to_owned()).unwrap_or_default()
        };
        figures::assert_narrow(tables, &["999,999,999/s", "999,999,999,999", "9000.00 s"]);
    }
}
