//! What each command block of README is to show.

/// What becomes of a block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plan {
    /// Typed into this terminal; statements by a part of them, with what they show.
    Run(usize, &'static [(&'static str, Effect)]),
    /// Not run, and why.
    Not(&'static str),
}

/// What a statement shows, in its block's terminal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    /// A line with all of these.
    Line(&'static [&'static str]),
    /// As many lines with this.
    Lines(usize, &'static str),
    /// A line with one of these.
    OneOf(&'static [&'static str]),
    /// The module has judged more readings, and no line has this.
    NoAlert(&'static str),
    /// What is published behind it is alerted, and before that no line has this.
    NothingPublished(&'static str),
}

use Effect::{Line, Lines, NoAlert, NothingPublished, OneOf};
use Plan::{Not, Run};

const FIGURES: &str = "measures for minutes, and only a release build's figures mean something";
const DOCKER: &str = "needs Docker, a registry and a subscription";
const ALERT: &str = "MessageType=Alert";

/// Every block, in README's order, by the beginning of its first line.
pub(super) const PLANS: &[(&str, Plan)] = &[
    ("cargo run --release -p loadgen -- demo", Not("a test of its own runs the demo")),
    ("tests/run", Not("runs this test")),
    ("cargo build --release --workspace", Run(0, &[("loadgen hub &", Line(&[" stops"]))])),
    (
        "target/release/loadgen monitor",
        Run(
            1,
            &[
                ("monitor", Line(&["monitoring the hub of target/hub"])),
                ("\"TemperatureThreshold\": 20}", Line(&[ALERT, "machine"])),
                ("\"TemperatureThreshold\": 1000}", NoAlert(ALERT)),
                ("twin get", Line(&["\"ad\": \"applied\""])),
                ("method filter stats", Line(&["\"received\""])),
                ("\"TemperatureThreshold\": 25}", Line(&["desired properties of filter"])),
            ],
        ),
    ),
    ("target/release/loadgen hub", Run(0, &[("monitor", Line(&[ALERT, "machine"]))])),
    (
        "mosquitto",
        Run(
            0,
            &[
                ("mosquitto_sub", Line(&["connected"])),
                ("# alerts/", Line(&["alerts/sensors/hall/1 {\"machine\":{\"temperature\":30}}"])),
                ("60}", Line(&["sluicegate/reported", "\"value\":60", "\"ac\":200"])),
                ("# nothing", NothingPublished("alerts/sensors/hall/1")),
                ("# cleared", Line(&["sluicegate/reported", "\"value\":25"])),
            ],
        ),
    ),
    (
        "mosquitto",
        Run(
            0,
            &[
                ("loadgen monitor", Line(&["monitoring the hub of target/hub"])),
                ("mosquitto_pub", Line(&[ALERT, "topic=sensors/hall/1"])),
            ],
        ),
    ),
    ("mosquitto", Run(0, &[("mosquitto_pub", Lines(6, "alerts/sensors/"))])),
    ("cp deploy/.env.example deploy/.env", Not(DOCKER)),
    ("envsubst", Not(DOCKER)),
    ("deploy/cross arm32 tools", Not("`tests/run arm32` runs it, for a quarter of an hour")),
    ("target/release/loadgen hub &", Run(0, &[("loadgen hub &", Line(&[" stops"]))])),
    (
        "target/release/loadgen monitor",
        Run(
            1,
            &[
                ("monitor", Line(&["{\"temp\":", "\"humid\":"])),
                ("blink", Line(&["Blinking LED every 3 seconds"])),
                ("twin set", Line(&["desired properties of sensor1"])),
                ("twin get", Line(&["\"status\": \"completed\""])),
            ],
        ),
    ),
    (
        "cargo build --release --workspace",
        Run(
            0,
            &[
                ("loadgen run", OneOf(&["PASSED", "SATURATED", "INVALID"])),
                ("loadgen report", Line(&["report.html"])),
            ],
        ),
    ),
    ("printf", Run(0, &[("loadgen run", OneOf(&["PASSED", "SATURATED", "INVALID"]))])),
    ("target/release/loadgen calibrate", Not(FIGURES)),
    ("target/release/loadgen capacity", Not(FIGURES)),
    ("target/release/loadgen compare", Not(FIGURES)),
    ("cargo perf gate", Not("`tests/run gate` runs it")),
    ("cargo perf record", Not(FIGURES)),
    ("cargo perf ab", Not(FIGURES)),
    (
        "target/release/sluicegate --version",
        Not("is about release builds, and has tests of its own"),
    ),
    ("cargo perf trend", Not("its tests run it on records of their own")),
];

/// What is typed otherwise than it stands: a debug build takes less in less time, and the ports of
/// this machine may be somebody's.
pub(super) const REPLACED: &[(&str, &str)] = &[
    ("--rate 200k", "--rate 300"),
    ("--for 10s", "--for 1s"),
    ("--rate 10k", "--rate 300 --for 1s"),
];

/// Statements that are left out: Cargo has built the programs.
pub(super) const BUILD: &str = "cargo build ";
