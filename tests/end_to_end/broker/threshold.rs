//! The threshold of a module that is alone with a broker: a retained patch, obeyed and answered.

use serde_json::{Value, json};

use super::client::Client;
use super::tap::{Hold, Tap};
use super::{ALERTS, CONTROL, REPORTED, SENSORS, body, command, numbers, standalone, stop};
use crate::harness::{Mosquitto, Process, wait_until};

const PROPERTY: &str = "TemperatureThreshold";

fn patch(value: &Value) -> String {
    json!({ PROPERTY: value }).to_string()
}

/// A connection for inputs and patches, one for alerts and one for reports.
struct Bench {
    publisher: Client,
    alerts: Client,
    reports: Client,
    /// Of the next message.
    number: usize,
}

impl Bench {
    fn of(mosquitto: &Mosquitto) -> Self {
        Self {
            publisher: Client::connect(mosquitto),
            alerts: Client::connect(mosquitto).subscribed(ALERTS),
            reports: Client::connect(mosquitto).subscribed(REPORTED),
            number: 0,
        }
    }

    /// Publishes a patch and gives the report about it: the next one with this code.
    #[track_caller]
    fn set(&mut self, patch: &str, code: u64) -> Value {
        self.reports.drain();
        self.publisher.retain(CONTROL, patch);
        let mut report = self.reports.expect_json(|report| report[PROPERTY]["ac"] == code);
        report[PROPERTY].take()
    }

    /// Publishes a message at the threshold and one above it, and sees that exactly the second
    /// comes back. Then both are judged: the next patch is not in their way.
    #[track_caller]
    fn check(&mut self, threshold: f64) {
        let n = self.number;
        self.number += 2;
        let message = |n: usize, temperature: f64| ("sensors/a".to_owned(), body(n, temperature));
        self.publisher.publish_all([message(n, threshold), message(n + 1, threshold + 0.5)]);
        assert_eq!(numbers(&self.alerts.take(1)), [n + 1], "threshold {threshold}");
    }
}

/// Each patch judges the messages that follow its report, and none before; it is acknowledged in
/// the form of a twin's reported property.
#[test]
fn a_patch_divides_the_stream() {
    let mosquitto = Mosquitto::start();
    let _module = standalone(&mosquitto, &mosquitto.url(), &["--threshold", "40"]);
    let mut bench = Bench::of(&mosquitto);
    bench.check(40.0);
    for value in [json!(30), json!(60.25), json!(-3.5), json!(0), json!(1e9)] {
        let report = bench.set(&patch(&value), 200);
        assert_eq!(report["value"].as_f64(), value.as_f64(), "{report}");
        assert_eq!(report["av"], 0, "{report}");
        assert_eq!(report["ad"], "applied", "{report}");
        bench.check(value.as_f64().unwrap());
    }
    // Whole numbers are reported as people write them.
    assert!(bench.set(&patch(&json!(30)), 200)["value"].is_u64());
}

/// A patch from before the start judges from the first message on: those that waited in the
/// session come as soon as the module connects, the patch comes late on the other connection.
#[test]
fn a_retained_patch_judges_from_the_first_message() {
    const WAITING: usize = 500;
    let mosquitto = Mosquitto::start();
    let flags = ["--client-id", "w"];
    stop(standalone(&mosquitto, &mosquitto.url(), &flags));
    let mut bench = Bench::of(&mosquitto);
    bench.publisher.retain(CONTROL, patch(&json!(60)));
    let temperature = |n: usize| if n == WAITING - 1 { 60.5 } else { 60.0 };
    let waiting = (0..WAITING).map(|n| ("sensors/a".to_owned(), body(n, temperature(n))));
    bench.publisher.publish_all(waiting);
    let tap = Tap::on(&mosquitto);
    tap.hold(Hold::Everything);
    let module = Process::spawn("sluicegate", &mut command(&tap.url(), &flags));
    tap.wait_for_a_held_module();
    tap.hold(Hold::Nothing);
    assert_eq!(numbers(&bench.alerts.take(1)), [WAITING - 1]);
    let report = bench.reports.expect_json(|report| report[PROPERTY]["value"] == 60);
    assert_eq!(report[PROPERTY]["ac"], 200, "{report}");
    stop(module);
    assert_eq!(bench.alerts.drain(), []);
}

/// What is no finite number, or no JSON object, is refused, and the threshold stays.
#[test]
fn a_bad_patch_changes_nothing_and_is_answered() {
    let mosquitto = Mosquitto::start();
    let module = standalone(&mosquitto, &mosquitto.url(), &[]);
    let mut bench = Bench::of(&mosquitto);
    bench.set(&patch(&json!(70)), 200);
    for value in [json!("80"), json!(true), json!({"value": 80}), json!([80])] {
        let report = bench.set(&patch(&value), 400);
        assert_eq!(report["value"], 70, "{value}: {report}");
        let why = report["ad"].as_str().expect("a text");
        assert!(!why.is_empty() && why != "applied", "{report}");
        bench.check(70.0);
    }
    for no_patch in ["{", "[80]", "80", "\u{7}"] {
        bench.publisher.retain(CONTROL, no_patch);
        bench.check(70.0);
    }
    // A patch about something else is none of its business.
    bench.publisher.retain(CONTROL, r#"{"Other": 1}"#);
    bench.check(70.0);
    assert!(module.is_running());
    assert_eq!(bench.set(&patch(&json!(80)), 200)["value"], 80);
    bench.check(80.0);
}

/// A cleared topic and a removed property bring the default back.
#[test]
fn a_cleared_patch_brings_the_default_back() {
    let mosquitto = Mosquitto::start();
    let _module = standalone(&mosquitto, &mosquitto.url(), &["--threshold", "40"]);
    let mut bench = Bench::of(&mosquitto);
    for cleared in ["", r#"{"TemperatureThreshold": null}"#] {
        bench.set(&patch(&json!(70)), 200);
        bench.check(70.0);
        bench.reports.drain();
        bench.publisher.retain(CONTROL, cleared);
        let report = bench.reports.expect_json(|report| report[PROPERTY]["value"] == 40);
        assert_eq!(report[PROPERTY]["ac"], 200, "{report}");
        bench.check(40.0);
    }
}

/// A name that is nearly the property's changes nothing, and is hinted at.
#[test]
fn a_misspelt_property_of_a_patch_is_hinted_at() {
    let mosquitto = Mosquitto::start();
    let module = standalone(&mosquitto, &mosquitto.url(), &[]);
    let mut bench = Bench::of(&mosquitto);
    bench.set(&patch(&json!(70)), 200);
    bench.publisher.retain(CONTROL, r#"{"TemperatureTreshold": 60}"#);
    bench.check(70.0);
    module.wait_for_line(&["[WRN]", "TemperatureTreshold", "did you mean", PROPERTY]);
}

/// Who asks later what is in force is told: the report is retained.
#[test]
fn the_report_is_retained() {
    let mosquitto = Mosquitto::start();
    let _module = standalone(&mosquitto, &mosquitto.url(), &[]);
    let mut bench = Bench::of(&mosquitto);
    bench.set(&patch(&json!(70)), 200);
    let report = Client::connect(&mosquitto).subscribed(REPORTED).expect();
    assert!(report.retain);
    let report: Value = serde_json::from_slice(&report.payload).unwrap();
    assert_eq!(report, json!({ PROPERTY: { "value": 70, "ac": 200, "av": 0, "ad": "applied" } }));
}

/// A lost connection loses neither the threshold nor the ear for the next one.
#[test]
fn the_threshold_outlives_the_connection() {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let _module = standalone(&mosquitto, &tap.url(), &["--client-id", "w"]);
    let mut bench = Bench::of(&mosquitto);
    bench.set(&patch(&json!(70)), 200);
    let subscriptions = || [SENSORS, CONTROL].map(|filter| mosquitto.subscriptions(filter));
    let before = subscriptions();
    tap.cut();
    wait_until("the module has subscribed again", || {
        subscriptions().iter().zip(before).all(|(now, before)| *now > before)
    });
    bench.check(70.0);
    assert_eq!(bench.set(&patch(&json!(80)), 200)["value"], 80);
    bench.check(80.0);
}

/// The control topic was cleared while the connection for alerts was away: the default is back, and
/// reported.
#[test]
fn a_patch_that_was_cleared_meanwhile_is_gone() {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let _module = standalone(&mosquitto, &tap.url(), &["--client-id", "w"]);
    let mut bench = Bench::of(&mosquitto);
    bench.set(&patch(&json!(60)), 200);
    tap.hold(Hold::Everything);
    tap.cut();
    tap.wait_for_a_held_module();
    bench.publisher.retain(CONTROL, "");
    tap.hold(Hold::Nothing);
    let report = bench.reports.expect_json(|report| report[PROPERTY]["value"] == 25);
    assert_eq!(report[PROPERTY]["ac"], 200, "{report}");
    bench.check(25.0);
}
