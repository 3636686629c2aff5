//! What is recorded: every figure with its floor and aim, and the runs that give them. Pure.

/// One row of the record: a figure of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// As `--only` and the record call it.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What is run for it; several rows may share a run.
    pub run: Run,
    /// What is read from the run.
    pub figure: Figure,
    /// The worst value that is good enough, in the figure's unit.
    pub floor: f64,
    /// The value to reach.
    pub aim: f64,
}

/// What a row's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Messages per second.
    Rate,
    /// CPU of the module, nanoseconds a message.
    CpuNs,
    /// The same in microseconds.
    CpuUs,
    /// Median latency, microseconds.
    P50,
    /// 99th percentile of latency, microseconds.
    P99,
    /// Largest resident set, in megabytes of 10^6 bytes.
    RssMb,
    /// From the module's start to its subscription, milliseconds.
    StartupMs,
    /// Rate against another program's, per cent.
    Share,
}

/// Runs that figures are read from. Bodies of 140 bytes, one in ten an alert, 100 sensors, QoS 1
/// and 20,000 in flight, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Run {
    /// Closed loop over plain TCP.
    PlainQos1,
    /// The same at QoS 0.
    PlainQos0,
    /// Closed loop over TLS.
    TlsQos1,
    /// Closed loop with bodies of 1 KB.
    PlainOneKb,
    /// Closed loop in which every message is an alert.
    PlainAllAlerts,
    /// Against the bare loop, in turns.
    ShareOfBare,
    /// 100,000 messages a second.
    Latency100k,
    /// One message at a time over TLS.
    LoneTls,
    /// 1,000 messages a second, one by one.
    Cpu1k,
    /// 50,000 messages a second, one by one.
    Cpu50k,
    /// A million messages a second, for 10 s unless told otherwise.
    Rss1M,
    /// One message a second over TLS.
    RssIdle,
    /// The highest rate that is held in an open loop. A queue that grows has a p99 beyond its limit
    /// within moments, and the pauses that a VM makes have not.
    Capacity,
    /// Through Mosquitto, against `loadgen sink` behind the same. The sink sends the alerts on too:
    /// without them the broker would have a tenth less to do, and the closed loop no end.
    Mosquitto,
}

/// How a run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `loadgen run` with these flags.
    Run(&'static [&'static str]),
    /// `loadgen capacity` with these flags.
    Capacity(&'static [&'static str]),
    /// `loadgen compare` with these flags, of the module and the bare loop.
    Compare(&'static [&'static str]),
    /// `loadgen run` with these flags through a broker, of the module and the bare subscriber.
    Broker(&'static [&'static str]),
}

/// Every row, in the order shown.
pub const SCENARIOS: [Scenario; 18] = {
    use Figure::{CpuNs, CpuUs, P50, P99, Rate, RssMb, Share, StartupMs};
    [
        row("plain_qos1", "plain TCP, QoS 1", Run::PlainQos1, Rate, (1.2e6, 3e6)),
        row("plain_qos0", "plain TCP, QoS 0", Run::PlainQos0, Rate, (1.8e6, 4e6)),
        row("tls_qos1", "TLS 1.3, QoS 1", Run::TlsQos1, Rate, (5e5, 1e6)),
        row("plain_1kb", "1 KB bodies, plain, QoS 1", Run::PlainOneKb, Rate, (3e5, 8e5)),
        row("plain_alerts", "100 % alerts, plain, QoS 1", Run::PlainAllAlerts, Rate, (6e5, 1.5e6)),
        row("capacity", "rate held, p99 under 10 ms", Run::Capacity, Rate, (1e6, 3e6)),
        row("cpu_max", "CPU at the rate of plain_qos1", Run::PlainQos1, CpuNs, (700.0, 300.0)),
        row("share_of_bare", "share of the bare loop", Run::ShareOfBare, Share, (50.0, 80.0)),
        row("latency_100k_p50", "100,000 msg/s, p50", Run::Latency100k, P50, (100.0, 40.0)),
        row("latency_100k_p99", "100,000 msg/s, p99", Run::Latency100k, P99, (1000.0, 150.0)),
        row("lone_tls_p50", "one in flight, TLS, p50", Run::LoneTls, P50, (150.0, 70.0)),
        row("lone_tls_p99", "one in flight, TLS, p99", Run::LoneTls, P99, (500.0, 150.0)),
        row("cpu_1k", "CPU at 1,000 msg/s", Run::Cpu1k, CpuUs, (40.0, 20.0)),
        row("cpu_50k", "CPU at 50,000 msg/s singly", Run::Cpu50k, CpuUs, (5.0, 2.5)),
        row("rss_idle", "peak memory, idle", Run::RssIdle, RssMb, (10.0, 6.0)),
        row("startup", "from exec to subscribed, TLS", Run::RssIdle, StartupMs, (500.0, 50.0)),
        row("rss_1m", "peak memory, 1 M msg/s", Run::Rss1M, RssMb, (32.0, 12.0)),
        row("mosquitto_share", "share through Mosquitto", Run::Mosquitto, Share, (90.0, 97.0)),
    ]
};

/// The search starts where no release has been too slow yet.
const CAPACITY: [&str; 7] = ["--plain", "--p99", "10ms", "--warm-up", "300ms", "--start", "500k"];

const fn row(
    name: &'static str,
    title: &'static str,
    run: Run,
    figure: Figure,
    (floor, aim): (f64, f64),
) -> Scenario {
    Scenario { name, title, run, figure, floor, aim }
}

impl Run {
    /// How it is made.
    pub fn method(self) -> Method {
        match self {
            Self::PlainQos1 => Method::Run(&["--plain", "--rate", "max"]),
            Self::PlainQos0 => Method::Run(&["--plain", "--rate", "max", "--qos", "0"]),
            Self::TlsQos1 => Method::Run(&["--rate", "max"]),
            Self::PlainOneKb => Method::Run(&["--plain", "--rate", "max", "--size", "1024"]),
            Self::PlainAllAlerts => Method::Run(&["--plain", "--rate", "max", "--alerts", "1"]),
            Self::ShareOfBare => Method::Compare(&["--plain", "--rate", "max", "--pairs", "3"]),
            Self::Latency100k => Method::Run(&["--plain", "--rate", "100k"]),
            Self::LoneTls => Method::Run(&["--rate", "max", "--window", "1"]),
            Self::Cpu1k => Method::Run(&["--plain", "--rate", "1k"]),
            Self::Cpu50k => Method::Run(&["--plain", "--rate", "50k"]),
            Self::Rss1M => Method::Run(&["--plain", "--rate", "1M"]),
            Self::RssIdle => Method::Run(&["--rate", "1"]),
            Self::Capacity => Method::Capacity(&CAPACITY),
            Self::Mosquitto => Method::Broker(&["--rate", "max"]),
        }
    }

    /// Measured seconds unless told otherwise.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Rss1M => 10,
            // Of each of some twenty probes.
            Self::Capacity => 1,
            _ => 5,
        }
    }

    /// Whether its figures hold although the instrument was late: they are of CPU and memory at a
    /// given rate, and only the rate must have been reached.
    pub fn tolerates_lateness(self) -> bool {
        matches!(self, Self::Cpu1k | Self::Cpu50k | Self::Rss1M | Self::RssIdle)
    }
}

impl Figure {
    /// As written behind values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Rate => "msg/s",
            Self::CpuNs => "ns/msg",
            Self::CpuUs => "us/msg",
            Self::P50 | Self::P99 => "us",
            Self::RssMb => "MB",
            Self::StartupMs => "ms",
            Self::Share => "%",
        }
    }

    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        matches!(self, Self::Rate | Self::Share)
    }
}

impl Scenario {
    /// Whether `value` is at least as good as `mark`.
    pub fn reaches(&self, value: f64, mark: f64) -> bool {
        if self.figure.more_is_better() { value >= mark } else { value <= mark }
    }
}

/// The rows with these names, in the order shown; all of them when none is named.
///
/// # Errors
/// A name that there is not.
pub fn select(names: &[String]) -> Result<Vec<Scenario>, String> {
    let is_known = |name: &String| SCENARIOS.iter().any(|row| row.name == *name);
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let known: Vec<&str> = SCENARIOS.iter().map(|row| row.name).collect();
        return Err(format!("no scenario '{unknown}'; scenarios: {}", known.join(" ")));
    }
    let is_asked = |row: &&Scenario| names.is_empty() || names.iter().any(|name| name == row.name);
    Ok(SCENARIOS.iter().filter(is_asked).copied().collect())
}

/// The runs that these rows need, each once.
pub fn runs_of(rows: &[Scenario]) -> Vec<Run> {
    let mut runs = Vec::new();
    for row in rows {
        if !runs.contains(&row.run) {
            runs.push(row.run);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are unique, and every aim is better than its floor.
    #[test]
    fn the_table_makes_sense() {
        for (index, row) in SCENARIOS.iter().enumerate() {
            assert!(SCENARIOS[..index].iter().all(|other| other.name != row.name), "{row:?}");
            assert!(row.floor > 0.0 && row.reaches(row.aim, row.floor), "{row:?}");
            assert!(!row.reaches(row.floor, row.aim), "{row:?}");
        }
    }

    #[test]
    fn rows_are_chosen_by_name_and_share_runs() {
        let names = ["cpu_max", "plain_qos1", "tls_qos1"].map(str::to_owned);
        let rows = select(&names).unwrap();
        let found: Vec<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(found, ["plain_qos1", "tls_qos1", "cpu_max"]);
        assert_eq!(runs_of(&rows), [Run::PlainQos1, Run::TlsQos1]);
        assert_eq!(select(&[]).unwrap(), SCENARIOS);
        assert!(select(&["plain".to_owned()]).unwrap_err().contains("plain_qos1 plain_qos0"));
    }
}
