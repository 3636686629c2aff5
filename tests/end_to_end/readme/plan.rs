//! What each command block of the documents is to show.

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
const GATE: &str = "`tests/run gate` runs it";
const ALERT: &str = "MessageType=Alert";
const VERDICT: Effect = OneOf(&["PASSED", "SATURATED", "INVALID"]);

/// A document's blocks, in its order, by the beginning of their first lines.
type Plans = &'static [(&'static str, Plan)];

/// Every document with blocks.
pub(super) const DOCUMENTS: &[(&str, Plans)] = &[
    ("README.md", README),
    ("docs/broker.md", BROKER),
    ("docs/edge-runtime.md", EDGE_RUNTIME),
    ("docs/load-testing.md", LOAD_TESTING),
    ("docs/reliability.md", RELIABILITY),
    ("docs/scale-out.md", SCALE_OUT),
    ("docs/sensor.md", SENSOR),
    ("docs/tutorial.md", TUTORIAL),
    ("docs/deploy.md", DEPLOY),
    ("docs/gate.md", GATES),
    ("CONTRIBUTING.md", CONTRIBUTING),
    ("perf/peers/README.md", PEERS),
];

const README: Plans = &[
    ("cargo run --release -p loadgen -- demo", Not("a test of its own runs the demo")),
    ("tests/run", Not("runs this test")),
    FIRST_ALERT,
    (
        "mosquitto",
        Run(
            0,
            &[
                ("sluicegate run", Line(&["connected", "-out,"])),
                ("# alerts/", Line(&["alerts/sensors/hall/1 {\"machine\":{\"temperature\":30}}"])),
            ],
        ),
    ),
    ("target/release/loadgen hub", Run(0, &[("monitor", Line(&["{\"temp\":", "\"humid\":"]))])),
    MEASURE,
    ("cargo perf gate", Not(GATE)),
];

const FIRST_ALERT: (&str, Plan) =
    ("target/release/loadgen hub", Run(0, &[("monitor", Line(&[ALERT, "machine"]))]));

const MEASURE: (&str, Plan) = (
    "target/release/loadgen run",
    Run(0, &[("loadgen run", VERDICT), ("loadgen report", Line(&["report.html"]))]),
);

const EDGE_RUNTIME: Plans = &[FIRST_ALERT];

const BROKER: Plans = &[
    (
        "mosquitto",
        Run(
            0,
            &[
                ("sluicegate run", Line(&["connected", "-out,"])),
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
];

const RELIABILITY: Plans = &[
    ("tests/run faults", Not("a step of `tests/run`, of two minutes")),
    ("SLUICEGATE_SIM_SCHEDULES", Not("plays for minutes; `tests/run unit` plays fewer")),
];

const SCALE_OUT: Plans =
    &[("mosquitto", Run(0, &[("mosquitto_pub", Lines(6, "alerts/sensors/"))]))];

const SENSOR: Plans = &[
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
];

const TUTORIAL: Plans = &[
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
    ("set -a", Run(0, &[("monitor", Line(&[ALERT, "machine"]))])),
    ("SLUICEGATE_ID_SCOPE=", Not("needs a subscription; `sensor.md` registers with the local hub")),
];

const LOAD_TESTING: Plans = &[
    MEASURE,
    ("printf", Run(0, &[("loadgen run", VERDICT)])),
    ("target/release/loadgen calibrate", Not(FIGURES)),
    ("target/release/loadgen capacity", Not(FIGURES)),
    ("target/release/loadgen soak", Not(FIGURES)),
    ("target/release/loadgen compare", Not(FIGURES)),
];

const DEPLOY: Plans = &[
    ("cp deploy/.env.example deploy/.env", Not(DOCKER)),
    ("names=", Not(DOCKER)),
    ("deploy/cross arm32 tools", Not("`tests/run arm32` runs it, for a quarter of an hour")),
];

const GATES: Plans = &[
    ("cargo perf gate", Not(GATE)),
    ("cargo perf record", Not(FIGURES)),
    ("cargo perf ab", Not(FIGURES)),
    (
        "target/release/sluicegate --version",
        Not("is about release builds, and has tests of its own"),
    ),
    ("cargo perf trend", Not("its tests run it on records of their own")),
];

const CONTRIBUTING: Plans = &[
    ("tests/run", Not("runs this test")),
    ("cargo test", Not("builds the workspace once more")),
    ("cargo test -p sluicegate --lib simulation", Not("`tests/run unit` runs it")),
    ("cargo perf gate", Not(GATE)),
];

const PEERS: Plans = &[
    ("perf/peers/run", Not("compares for half an hour; `tests/run scripts` runs its --check")),
    ("target/peers/", Not("`perf/peers/run` installs and runs them")),
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
