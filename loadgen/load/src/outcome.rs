//! What a measurement found: the shape of every JSON file that is written and reported on.
//!
//! A file is one [`Document`]. Latencies are microseconds, rates messages per second.

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::settings::RunSettings;

mod soak;

pub use soak::{Fault, Figure, OfKind, Sample, Soak, Steadiness};

/// Version of the shape; a file of another one is refused.
pub const FORMAT: u32 = 1;

/// One JSON file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the instrument.
    pub loadgen: String,
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// Where.
    pub machine: Machine,
    /// What was found.
    pub result: Finding,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// `loadgen run`.
    Run(Box<Outcome>),
    /// `loadgen capacity`.
    Capacity(Box<Capacity>),
    /// `loadgen compare`.
    Compare(Box<Comparison>),
    /// `loadgen calibrate`.
    Calibrate(Box<Calibration>),
    /// `loadgen soak`.
    Soak(Box<Soak>),
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What was asked.
    pub settings: RunSettings,
    /// What was sent.
    pub traffic: TrafficFacts,
    /// Messages of the whole run, warm-up and drain included.
    pub counts: Counts,
    /// Of the measured part.
    pub rates: Rates,
    /// From the intended instant of sending to the receipt of the alert; `None` without alerts.
    /// In a closed loop from the instant of sending.
    pub latency: Option<Distribution>,
    /// How late the instrument was by its own fault: from the instant a message was due and the
    /// program under test would take it, to the instant it was sent. `None` in a closed loop.
    pub lag: Option<Distribution>,
    /// Second by second, warm-up and drain included.
    pub series: Vec<Second>,
    /// Of the program under test, while measured; `None` when it runs elsewhere.
    pub cost: Option<Cost>,
    /// From the start of the program under test to its subscription to the inputs; `None` when it
    /// runs elsewhere.
    #[serde(default)]
    pub startup_ms: Option<f64>,
    /// Share of one core that the instrument's own thread used while measured.
    pub own_cpu_share: f64,
    /// Share of the measured part in which messages were due and the program under test took none.
    pub held_back_share: f64,
    /// What else went on here while measured; `None` where the system does not tell.
    #[serde(default)]
    pub others: Option<Others>,
    /// What to make of it.
    pub verdict: Verdict,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrafficFacts {
    /// Messages built ahead; they are sent in turn, over and over, each time with another id.
    pub messages: u64,
    /// Of these, those that exceed the threshold.
    pub alerts: u64,
    /// Mean length of a body.
    pub body_bytes_mean: f64,
    /// Rows of a replayed file that were passed over, because they have no temperature.
    #[serde(default)]
    pub gaps: u64,
    /// CRC-32 over all bytes built, in hexadecimal.
    pub fingerprint: String,
}

impl TrafficFacts {
    /// How many rows of a replayed file have no temperature; `None` when all have one.
    pub fn gaps_text(&self) -> Option<String> {
        match self.gaps {
            0 => None,
            1 => Some("1 row of the file has no value and was passed over".to_owned()),
            gaps => Some(format!("{gaps} rows of the file have no value and were passed over")),
        }
    }
}

/// Messages, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Handed to the socket.
    pub sent: u64,
    /// Due but never sent: the program under test took no more.
    pub unsent: u64,
    /// Sent at QoS 1 and acknowledged.
    pub acknowledged: u64,
    /// Sent at QoS 1 and never acknowledged.
    pub unacknowledged: u64,
    /// Acknowledged out of order (MQTT 3.1.1 §4.6); told, not held against anybody.
    pub acknowledged_out_of_order: u64,
    /// Acknowledgements of nothing that was in flight; told, too.
    #[serde(default)]
    pub acknowledged_unknown: u64,
    /// Sent again after a lost connection.
    pub resent: u64,
    /// Alerts expected back, of those sent.
    pub alerts_expected: u64,
    /// Alerts that came back as they must.
    pub alerts_correct: u64,
    /// Expected and never back.
    pub missing: u64,
    /// Back more than once.
    pub duplicated: u64,
    /// Back more than once, and in flight when a connection was lost: allowed at QoS 1.
    pub duplicated_after_fault: u64,
    /// Back, though no alert.
    pub false_alerts: u64,
    /// Back behind a later one of the same sensor.
    pub disordered: u64,
    /// Back with another body, or with a body that was never sent.
    pub corrupted: u64,
    /// Back with other properties, on another topic, or at a lower QoS.
    pub wrong_properties: u64,
    /// Connections of the program under test that were lost or cut while it ran.
    pub faults: u64,
    /// Messages between two thresholds for which both verdicts are right: sent, or in flight, when
    /// nobody can know which of the two was in force. Not among the alerts expected.
    #[serde(default)]
    pub undecided: u64,
}

impl Counts {
    /// Every count that must be 0, with what to call it.
    pub fn failures(&self) -> [(u64, &'static str); 7] {
        [
            (self.missing, "missing"),
            (self.duplicated, "duplicated"),
            (self.false_alerts, "false"),
            (self.disordered, "disordered"),
            (self.corrupted, "corrupted"),
            (self.wrong_properties, "with wrong properties"),
            (self.unacknowledged, "unacknowledged"),
        ]
    }

    /// Whether nothing was lost, made up, mixed up or changed.
    pub fn is_clean(&self) -> bool {
        self.failures().iter().all(|(count, _)| *count == 0)
    }
}

/// Messages per second in the measured part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Asked; `None` in a closed loop.
    pub asked: Option<f64>,
    /// Sent in the measured part: of those due in it, and of those due before that the program
    /// under test had not taken yet, which may make it more than was asked.
    pub achieved: f64,
    /// Alerts that came back.
    pub alerts: f64,
    /// Bytes sent per second, MQTT headers included.
    pub sent_bytes: f64,
}

/// A histogram in short and in full.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Values recorded.
    pub count: u64,
    /// Microseconds.
    pub mean_us: f64,
    /// Half of the values are at most this, and so on.
    pub p50_us: f64,
    /// 90 %.
    pub p90_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// 99.9 %.
    pub p99_9_us: f64,
    /// 99.99 %.
    pub p99_99_us: f64,
    /// The largest.
    pub max_us: f64,
    /// The curve, for HdrHistogram's plot: ascending quantiles from 0 to 1.
    pub curve: Vec<CurvePoint>,
}

/// A point of a [`Distribution`]'s curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// 0 to 1.
    pub quantile: f64,
    /// That share of values is at most this.
    pub us: f64,
}

/// One second of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the measured part began; negative in the warm-up.
    pub at_s: f64,
    /// Messages sent in it.
    pub sent: u64,
    /// Alerts that came back in it.
    pub alerts: u64,
    /// Their latency; 0 when there was none.
    pub p50_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// The largest.
    pub max_us: f64,
}

/// What the program under test used, with its children, while measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// User and system time.
    pub cpu_s: f64,
    /// The same for each message sent, in nanoseconds.
    pub cpu_ns_per_message: f64,
    /// Share of all the machine's cores, 0 to 1.
    pub cpu_share: f64,
    /// Largest resident set, over the program's whole life.
    pub rss_peak_kib: u64,
    /// Threads at the end.
    pub threads: u64,
    /// Times that a thread waited for something.
    pub context_switches_voluntary: u64,
    /// Times that a thread was made to wait.
    pub context_switches_involuntary: u64,
}

/// What other programs took of the cores that the instrument may use. A program under test that
/// runs elsewhere, and its broker, are among them where they share the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Others {
    /// In cores, with what was stolen.
    pub taken: f64,
    /// Of these, what other guests of the same hypervisor had.
    pub stolen: f64,
    /// Cores that there are.
    pub cores: u64,
}

/// What to make of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Everything came back as it must, at the rate asked.
    Passed,
    /// Something was lost, made up, mixed up or changed.
    Failed,
    /// The instrument was the bottleneck: the figures say nothing.
    Invalid,
    /// The program under test did not take the rate asked.
    Saturated,
}

impl Standing {
    /// Exit status of `loadgen run`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::Saturated => 3,
        }
    }
}

/// What to make of a run, with reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// In one word. Failures go before invalidity, and that before saturation.
    pub standing: Standing,
    /// One sentence each; empty when passed.
    pub reasons: Vec<String>,
}

/// `loadgen capacity`: the highest rate that holds an objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// As each probe was run, its rate aside.
    pub settings: RunSettings,
    /// What must hold.
    pub objective: Objective,
    /// Every probe, in the order made.
    pub probes: Vec<Probe>,
    /// The rate found and confirmed; `None` when even the lowest failed.
    pub rate: Option<f64>,
    /// Why there is none, or what was odd.
    pub notes: Vec<String>,
}

impl Capacity {
    /// What the search amounts to: passed when a rate was found, invalid when none was and the
    /// instrument was the bottleneck in a run at the lowest rate that did not hold.
    pub fn standing(&self) -> Standing {
        let failed = || self.probes.iter().filter(|probe| !probe.held);
        let lowest = failed().map(|probe| probe.rate).fold(f64::INFINITY, f64::min);
        match self.rate {
            Some(_) => Standing::Passed,
            None if failed().any(|probe| probe.invalid && probe.rate <= lowest) => {
                Standing::Invalid
            }
            None => Standing::Failed,
        }
    }
}

/// What must hold at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The 99th percentile is at most this.
    pub p99_us: f64,
    /// Share of expected alerts that may be missing.
    pub loss: f64,
}

/// One probe of a capacity search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Which step of the search.
    pub step: ProbeStep,
    /// Messages per second asked.
    pub rate: f64,
    /// Whether the objective held.
    pub held: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// The instrument was the bottleneck, in the last run at this rate as well.
    #[serde(default)]
    pub invalid: bool,
    /// What was measured.
    pub achieved: f64,
    /// Microseconds.
    pub p50_us: f64,
    /// Microseconds.
    pub p99_us: f64,
    /// Microseconds.
    pub p99_9_us: f64,
    /// Of the program under test.
    pub cost: Option<Cost>,
}

/// Which step of a capacity search a probe belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeStep {
    /// Going up by a factor until it fails.
    Climb,
    /// Between the highest that held and the lowest that failed.
    Bisect,
    /// Again at the rate found.
    Confirm,
    /// At 1.15 times the rate found, where it must fail.
    Refuse,
}

/// `loadgen compare`: the same traffic to several programs, interleaved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// As each run was, its program aside.
    pub settings: RunSettings,
    /// The programs; the first is what the others are compared with.
    pub programs: Vec<Contender>,
    /// Rounds, each forth and back over all programs.
    pub pairs: u32,
    /// What was odd.
    pub notes: Vec<String>,
}

/// One program of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// What it is called: its command, or the name given to it.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its runs, in the order made.
    pub runs: Vec<Brief>,
    /// Medians over the runs.
    pub median: Brief,
    /// Rate, against the first program's run in the same pair; `None` for the first itself.
    pub rate_ratio: Option<Ratio>,
    /// CPU per message, in the same way.
    pub cpu_ratio: Option<Ratio>,
}

/// A run in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// Messages per second.
    pub rate: f64,
    /// Microseconds; `None` without alerts.
    pub p50_us: Option<f64>,
    /// Microseconds; `None` without alerts.
    pub p99_us: Option<f64>,
    /// Of the program.
    pub cost: Option<Cost>,
    /// What to make of it.
    pub standing: Standing,
}

/// Median of the ratios of pairs, with its spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The median.
    pub median: f64,
    /// First quartile.
    pub q1: f64,
    /// Third quartile.
    pub q3: f64,
}

/// `loadgen calibrate`: what the instrument can do here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Smallest step of the clock that was seen, in nanoseconds.
    pub clock_resolution_ns: u64,
    /// Cost of one reading of the clock.
    pub clock_read_ns: f64,
    /// How much later than asked a sleep of 1 ms ends.
    pub sleep_overrun: Distribution,
    /// Pauses seen by a thread that does nothing but read the clock: what others take from it.
    pub stolen: Distribution,
    /// Against a null sink that forwards one message in ten, QoS 0.
    pub qos0: Drive,
    /// The same at QoS 1, window 20,000.
    pub qos1: Drive,
    /// What else went on here meanwhile; `None` where the system does not tell.
    #[serde(default)]
    pub others: Option<Others>,
}

/// How fast the instrument drives a null sink.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    /// Messages sent and verified per second.
    pub rate: f64,
    /// CPU time of the instrument's thread for each.
    pub own_cpu_ns_per_message: f64,
    /// The rate that this thread would reach with a core of its own and a sink that never waits.
    pub rate_per_core: f64,
    /// Share of one core that the sink used.
    pub sink_cpu_share: f64,
}
