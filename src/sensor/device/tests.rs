use super::*;

const INTERVAL: Duration = Duration::from_secs(2);

/// A device and the two clocks that it is given.
struct Bench {
    device: Device,
    start: Instant,
    elapsed: Duration,
}

fn bench() -> Bench {
    let mut bench =
        Bench { device: Device::new(INTERVAL, 7), start: Instant::now(), elapsed: Duration::ZERO };
    let started = bench.device.start(bench.start);
    assert_eq!(started, Action::Report("state", json!("true")));
    bench
}

impl Bench {
    fn now(&self) -> Instant {
        self.start + self.elapsed
    }

    /// Goes from deadline to deadline until `until`; all actions with their time in seconds.
    fn run(&mut self, until: f64) -> Vec<(f64, Action)> {
        let mut all = Vec::new();
        let end = self.start + Duration::from_secs_f64(until);
        while let Some(deadline) = self.device.deadline().filter(|deadline| *deadline <= end) {
            self.elapsed = deadline - self.start;
            let mut actions = Vec::new();
            self.device.due(self.moment(), &mut actions);
            assert!(!actions.is_empty(), "a deadline for nothing");
            all.extend(actions.into_iter().map(|action| (self.elapsed.as_secs_f64(), action)));
        }
        self.elapsed = end - self.start;
        all
    }

    fn moment(&self) -> Moment {
        let utc = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.elapsed;
        Moment { instant: self.now(), utc }
    }

    fn desired(&mut self, property: Writable, raw: Value, version: u64) {
        let raw = (!raw.is_null()).then(|| raw.to_string());
        self.device.desired(property, raw.as_deref(), version, self.now());
    }

    fn command(&mut self, name: &str, payload: &str) -> CommandResponse {
        self.device.command(name, payload.as_bytes(), self.start + self.elapsed)
    }
}

/// What was reported, with the time in seconds.
fn reports(actions: Vec<(f64, Action)>) -> Vec<(f64, &'static str, Value)> {
    let report = |(time, action)| match action {
        Action::Report(name, value) => Some((time, name, value)),
        _ => None,
    };
    actions.into_iter().filter_map(report).collect()
}

fn telemetry_times(actions: &[(f64, Action)]) -> Vec<f64> {
    let is_telemetry = |(_, action): &&(f64, Action)| matches!(action, Action::Telemetry(_));
    actions.iter().filter(is_telemetry).map(|(time, _)| *time).collect()
}

#[test]
fn nothing_is_due_before_the_start_and_a_second_start_changes_nothing() {
    let mut device = Device::new(INTERVAL, 7);
    assert_eq!(device.deadline(), None);
    let now = Instant::now();
    device.start(now);
    device.start(now + INTERVAL);
    assert_eq!(device.deadline(), Some(now));
}

/// For every measurement: T in 1..=74, H in 30..=98, both bounds reached, members in order.
#[test]
fn telemetry_is_in_range_and_on_schedule() {
    let mut bench = bench();
    let actions = bench.run(20_000.0);
    assert_eq!(actions.len(), 10_001);
    let (mut temperatures, mut humidities) = (Vec::new(), Vec::new());
    for (index, (time, action)) in (0u32..).zip(&actions) {
        assert_eq!(*time, f64::from(index) * 2.0);
        let Action::Telemetry(body) = action else { panic!("{action:?}") };
        assert!(body.starts_with("{\"temp\":") && body.contains(",\"humid\":"), "{body}");
        let body: Value = serde_json::from_str(body).unwrap();
        temperatures.push(body["temp"].as_u64().expect("an integer"));
        humidities.push(body["humid"].as_u64().expect("an integer"));
    }
    assert_eq!((temperatures.iter().min(), temperatures.iter().max()), (Some(&1), Some(&74)));
    assert_eq!((humidities.iter().min(), humidities.iter().max()), (Some(&30), Some(&98)));
}

#[test]
fn the_same_seed_measures_the_same() {
    let measure = |seed| {
        let mut device = Device::new(INTERVAL, seed);
        let instant = Instant::now();
        device.start(instant);
        let mut actions = Vec::new();
        device.due(Moment { instant, utc: SystemTime::UNIX_EPOCH }, &mut actions);
        actions
    };
    assert_eq!(measure(3), measure(3));
    assert!((0..100).any(|seed| measure(seed) != measure(3)));
}

#[test]
fn missed_telemetry_is_not_made_up_for() {
    let mut bench = bench();
    bench.run(1.0);
    bench.elapsed = Duration::from_millis(99_500);
    let mut actions = Vec::new();
    bench.device.due(bench.moment(), &mut actions);
    assert_eq!(actions.len(), 1);
    assert_eq!(bench.device.deadline(), Some(bench.now() + INTERVAL));
}

#[test]
fn commands_are_answered_as_the_tutorial_does() {
    let mut bench = bench();
    let blink = |text: &str| CommandResponse {
        status: 200,
        body: Some(json!({ "description": format!("Blinking LED every {text} seconds") })),
    };
    assert_eq!(bench.command("blink", "10"), blink("10"));
    assert_eq!(bench.command("blink", " 2.5 "), blink("2.5"));
    assert_eq!(bench.command("blink", "\"7\""), blink("7"));
    let done = CommandResponse { status: 200, body: None };
    assert_eq!(bench.command("turnon", ""), done);
    assert_eq!(bench.command("turnoff", "null"), done);
    for bad in ["", "null", "{}", "[1]", "\"often\"", "\u{1}"] {
        let response = bench.command("blink", bad);
        assert_eq!(response.status, 400, "{bad:?}");
        assert!(response.body.expect("JSON")["error"].is_string());
    }
}

#[test]
fn an_unknown_command_is_404_and_json() {
    let response = bench().command("explode\n", "1");
    assert_eq!(response.status, 404);
    let text = response.body.expect("JSON")["error"].as_str().expect("text").to_owned();
    for part in ["explode", "blink", "turnon", "turnoff", "rundiagnostics"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn diagnostics_take_three_steps_of_two_seconds_and_then_report() {
    let mut bench = bench();
    bench.run(0.5);
    assert_eq!(bench.command("rundiagnostics", ""), CommandResponse { status: 202, body: None });
    let actions = bench.run(20.0);
    let is_note = |(_, action): &&(f64, Action)| matches!(action, Action::Note(_));
    let steps: Vec<f64> = actions.iter().filter(is_note).map(|(time, _)| *time).collect();
    assert_eq!(steps, [2.5, 4.5, 6.5]);
    let text = "Diagnostics run complete at 2023-11-14T22:13:26Z.";
    assert_eq!(reports(actions), [(6.5, "rundiagnostics", json!({ "value": text }))]);
}

/// Up to the bound every run is accepted and reports; the next is 429 until one is done.
#[test]
fn diagnostic_runs_are_bounded() {
    let mut bench = bench();
    for _ in 0..DIAGNOSTICS_MAX {
        assert_eq!(bench.command("rundiagnostics", "").status, 202);
    }
    let refused = bench.command("rundiagnostics", "");
    assert_eq!(refused.status, 429);
    assert!(refused.body.expect("JSON")["error"].is_string());
    assert_eq!(bench.command("blink", "1").status, 200, "others are free");
    assert_eq!(reports(bench.run(6.0)).len(), DIAGNOSTICS_MAX);
    assert_eq!(bench.command("rundiagnostics", "").status, 202);
}

/// A run whose steps were all missed still takes each, once.
#[test]
fn late_diagnostics_are_complete() {
    let mut bench = bench();
    bench.command("rundiagnostics", "");
    bench.elapsed = Duration::from_secs(100);
    let mut actions = Vec::new();
    bench.device.due(bench.moment(), &mut actions);
    let notes = actions.iter().filter(|action| matches!(action, Action::Note(_))).count();
    assert_eq!(notes, 3);
    assert!(matches!(actions.last(), Some(Action::Report("rundiagnostics", _))));
}

#[test]
fn properties_change_side_by_side_and_are_acknowledged_in_kind() {
    let mut bench = bench();
    bench.desired(Writable::Brightness, json!({"value": 10}), 2);
    bench.desired(Writable::Name, json!("lamp"), 3);
    let wanted = [
        (1.0, "name", json!({"value": "lamp", "ac": 200, "av": 3, "ad": "completed"})),
        (5.0, "brightness", json!({"value": 10, "status": "completed", "desiredVersion": 2})),
    ];
    assert_eq!(reports(bench.run(20.0)), wanted);
}

/// Telemetry, a command and a quick change do not wait for a slow change.
#[test]
fn commands_and_values_do_not_wait_for_each_other() {
    let mut bench = bench();
    bench.desired(Writable::Brightness, json!(1), 1);
    bench.run(0.1);
    assert_eq!(bench.command("rundiagnostics", "").status, 202);
    assert_eq!(bench.command("blink", "3").status, 200);
    bench.desired(Writable::Name, json!("n"), 2);
    let actions = bench.run(8.0);
    assert_eq!(telemetry_times(&actions), [2.0, 4.0, 6.0, 8.0]);
    let times: Vec<_> = reports(actions).iter().map(|(time, name, _)| (*time, *name)).collect();
    assert_eq!(times, [(1.1, "name"), (5.0, "brightness"), (6.1, "rundiagnostics")]);
}

#[test]
fn a_newer_value_supersedes_one_that_is_not_in_force() {
    let mut bench = bench();
    bench.desired(Writable::Brightness, json!(1), 1);
    bench.run(4.0);
    bench.desired(Writable::Brightness, json!({"value": 2}), 2);
    let wanted = json!({"value": 2, "status": "completed", "desiredVersion": 2});
    assert_eq!(reports(bench.run(20.0)), [(9.0, "brightness", wanted)]);
}

#[test]
fn null_withdraws_a_pending_change() {
    let mut bench = bench();
    bench.desired(Writable::Name, json!("a"), 1);
    bench.desired(Writable::Name, Value::Null, 2);
    assert_eq!(reports(bench.run(20.0)), []);
}

/// For all values that are refused, in both forms: what is reported is in force, the default before
/// anything was set.
#[test]
fn a_value_that_the_template_forbids_is_refused_at_once_with_what_is_in_force() {
    let refused = [
        (Writable::Brightness, r#""high""#),
        (Writable::Brightness, "7.5"),
        (Writable::Brightness, "3000000000"),
        (Writable::Brightness, "1e999"),
        (Writable::Brightness, "true"),
        (Writable::Brightness, "[7]"),
        (Writable::Brightness, r#"{"value":7,"other":1}"#),
        (Writable::Brightness, r#"{"brightness":{"value":7}}"#),
        (Writable::Name, "5"),
        (Writable::Name, "null"),
        (Writable::Name, r#"["lamp"]"#),
        (Writable::Name, &format!("\"{}\"", "n".repeat(5_000))),
    ];
    for (property, raw) in refused {
        for set in [None, Some(json!(7)), Some(json!(-9))] {
            let mut bench = bench();
            let set = set.filter(|_| property == Writable::Brightness);
            let in_force = set.clone().unwrap_or_else(|| property.default_value());
            if let Some(value) = set {
                bench.desired(property, value, 2);
            }
            bench.run(10.0);
            for (raw, is_wrapped) in
                [(raw.to_owned(), false), (format!("{{\"value\":{raw}}}"), true)]
            {
                let now = bench.now();
                bench.device.desired(property, Some(&raw), 3, now);
                let reports = reports(bench.run(10.0));
                let [(_, name, report)] = &*reports else { panic!("{raw:.40}: {reports:?}") };
                assert_eq!(*name, property.name());
                assert_eq!(report["value"], in_force, "{raw:.40}");
                let why = &report[if is_wrapped { "message" } else { "ad" }];
                assert!(why.as_str().is_some_and(|why| why.contains(" must ")), "{report}");
                let shown = match is_wrapped {
                    true => (&report["status"], &report["desiredVersion"]),
                    false => (&report["ac"], &report["av"]),
                };
                let expected = if is_wrapped { json!("failed") } else { json!(400) };
                assert_eq!(shown, (&expected, &json!(3)), "{raw:.40}");
            }
        }
    }
}

/// A refusal changes nothing: the value on its way comes into force, and then the refusal is told
/// with it. Of more refusals the last is; a good value takes the place of all.
#[test]
fn a_refusal_lets_the_change_under_way_go_on() {
    let mut bench = bench();
    bench.desired(Writable::Brightness, json!(7), 2);
    bench.run(1.0);
    bench.desired(Writable::Brightness, json!("high"), 3);
    bench.desired(Writable::Brightness, json!({"value": "higher"}), 4);
    let values = |reports: Vec<(f64, &str, Value)>| -> Vec<(f64, Value)> {
        reports.into_iter().map(|(time, _, report)| (time, report["value"].clone())).collect()
    };
    let shown = reports(bench.run(20.0));
    assert_eq!(
        (&shown[1].2["status"], &shown[1].2["desiredVersion"]),
        (&json!("failed"), &json!(4))
    );
    assert_eq!(values(shown), [(5.0, json!(7)), (5.0, json!(7))]);
    bench.desired(Writable::Brightness, json!(8), 5);
    bench.desired(Writable::Brightness, json!("x"), 6);
    bench.desired(Writable::Brightness, json!(9), 7);
    assert_eq!(values(reports(bench.run(40.0))), [(25.0, json!(9))]);
    bench.desired(Writable::Brightness, json!(10), 8);
    bench.desired(Writable::Brightness, json!("x"), 9);
    bench.desired(Writable::Brightness, Value::Null, 10);
    assert_eq!(reports(bench.run(60.0)), [], "both are withdrawn");
}

/// What an earlier process has reported is in force, unless this one has set something.
#[test]
fn what_an_earlier_process_has_set_is_in_force() {
    let mut bench = bench();
    bench.device.was_in_force(Writable::Brightness, &json!(7));
    bench.desired(Writable::Brightness, json!("high"), 3);
    assert_eq!(reports(bench.run(1.0))[0].2["value"], json!(7));
    bench.desired(Writable::Brightness, json!(8), 4);
    bench.run(10.0);
    bench.device.was_in_force(Writable::Brightness, &json!(7));
    bench.desired(Writable::Brightness, json!("high"), 5);
    assert_eq!(reports(bench.run(20.0))[0].2["value"], json!(8));
}
