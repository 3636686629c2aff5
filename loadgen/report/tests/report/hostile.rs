//! Results that nobody would measure, and files that are none: an answer, never a panic.

use std::path::PathBuf;

use loadgen_load::outcome::{
    Brief, Calibration, Capacity, Comparison, Contender, CurvePoint, Distribution, Document,
    Finding, Outcome, Second, Soak, Standing,
};
use loadgen_load::settings::{Pace, Profile, Target};
use loadgen_report::{FILE_BYTES_MAX, FILES_MAX, Input, ReportError, html, read};
use proptest::prelude::*;
use serde_json::Value;

use crate::fixtures::{self, document};

/// Would be seen by the browser, on its console or as a request, if it ever became alive.
const ALIVE: &str = "</style></title></svg>'\"><script>console.log('alive')</script>\
                     <img src=x onerror=console.log('alive')>&amp;\u{202e}";

/// Plots that [`inputs`] show: all runs in three; a capacity in two; bars; noise; a soak in four,
/// and one without samples in two.
pub(crate) const PLOTS: usize = 13;

/// One file of each kind of oddness.
pub(crate) fn inputs() -> Vec<Input> {
    let runs = [empty_run(), huge_run(), single_point_run(), long_run(), alive_run()];
    let runs = runs.into_iter().map(|run| Finding::Run(run.into()));
    let others = [
        Finding::Capacity(odd_capacity().into()),
        Finding::Capacity(Capacity { probes: Vec::new(), rate: None, ..odd_capacity() }.into()),
        Finding::Compare(odd_comparison().into()),
        Finding::Compare(Comparison { programs: Vec::new(), ..odd_comparison() }.into()),
        Finding::Calibrate(empty_calibration().into()),
        Finding::Calibrate(fixtures::calibration().into()),
        Finding::Soak(odd_soak().into()),
        Finding::Soak(Soak { run: empty_run(), samples: Vec::new(), ..odd_soak() }.into()),
    ];
    let inputs = runs.chain(others).enumerate().map(|(index, result)| {
        let mut document = document(result);
        (document.began, document.loadgen) = (ALIVE.to_owned(), ALIVE.to_owned());
        (document.machine.processor, document.machine.system) = (ALIVE.to_owned(), String::new());
        document.machine.memory_kib = u64::MAX;
        Input { name: format!("{index} {ALIVE}"), document }
    });
    inputs.collect()
}

fn empty_run() -> Outcome {
    let mut run = fixtures::run(1.0, 1.0, 0.1);
    (run.latency, run.lag, run.cost, run.rates.asked) = (None, None, None, None);
    (run.series, run.counts) = (Vec::new(), Default::default());
    run.settings.pace = Pace::Closed;
    run
}

fn huge_run() -> Outcome {
    let mut run = fixtures::run(1e18, 1e300, 1.0);
    let latency = run.latency.as_mut().unwrap();
    latency.count = u64::MAX;
    latency.curve.iter_mut().step_by(2).for_each(|point| point.us = f64::MAX);
    run.counts.missing = u64::MAX;
    for second in &mut run.series {
        (second.at_s, second.sent, second.p99_us) = (second.at_s * 1e300, u64::MAX, f64::MAX);
    }
    run.settings.duration = std::time::Duration::MAX;
    run
}

fn single_point_run() -> Outcome {
    let mut run = fixtures::run(1.0, 1.0, 0.1);
    let curve = vec![CurvePoint { quantile: 1.0, us: 0.0 }];
    run.latency = Some(Distribution { count: 1, curve, ..Distribution::default() });
    run.series = vec![Second::default()];
    run.settings.duration = std::time::Duration::ZERO;
    run
}

fn long_run() -> Outcome {
    let mut run = fixtures::run(1000.0, 100.0, 0.5);
    let second = |at: i32| Second {
        at_s: f64::from(at),
        sent: 1000,
        p99_us: f64::from(at % 7 * 100),
        ..Second::default()
    };
    run.series = (0..10_000).map(second).collect();
    run.latency.as_mut().unwrap().curve = (0..10_000)
        .map(|i| CurvePoint { quantile: f64::from(i) / 1e4, us: f64::from(i) })
        .collect();
    run
}

fn alive_run() -> Outcome {
    let mut run = fixtures::failed_run();
    let alive = ALIVE.to_owned();
    run.verdict.reasons = vec![alive.clone(), "a".repeat(2000)];
    run.traffic.fingerprint = alive.clone();
    run.settings.traffic.profile = Profile::Replay {
        file: PathBuf::from(ALIVE),
        time_column: alive.clone(),
        value_column: alive.clone(),
        format: Default::default(),
    };
    run.settings.target = Target::Broker {
        // Of all that is shown of it, this alone is checked when it is read.
        url: "mqtts://%3Cb%3E@host".parse().unwrap(),
        ca_file: Some(PathBuf::from(ALIVE)),
        password: None,
        connections: u32::MAX,
        topic: alive.clone(),
        alerts_topic: "a".repeat(2000),
    };
    run
}

fn odd_soak() -> Soak {
    let mut soak = Soak { run: huge_run(), ..fixtures::soak() };
    let odd = [0.0, -1.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE];
    for ((fault, sample), value) in
        soak.faults.iter_mut().zip(&mut soak.samples).zip(odd.iter().cycle())
    {
        (fault.at_s, fault.length_s, fault.recovery_s) = (*value, -value, Some(*value));
        (sample.at_s, sample.rss_kib, sample.descriptors) = (*value, u64::MAX, 0);
    }
    let count = soak.faults.len() * 100;
    soak.faults = soak.faults.into_iter().cycle().take(count).collect();
    for figure in &mut soak.steadiness {
        (figure.second, figure.last, figure.held) = (0.0, f64::MAX, None);
    }
    soak.thresholds = Some([f64::MAX, f64::MIN]);
    soak.verdict.reasons = vec![ALIVE.to_owned()];
    soak
}

fn odd_capacity() -> Capacity {
    let mut capacity = fixtures::capacity();
    let odd = [0.0, -1.0, f64::MAX, f64::MIN_POSITIVE, 1e-300];
    for (probe, value) in capacity.probes.iter_mut().zip(odd.iter().cycle()) {
        (probe.rate, probe.p50_us, probe.p99_us, probe.p99_9_us) = (*value, *value, -value, 0.0);
        probe.reasons = vec![ALIVE.to_owned()];
        probe.held = false;
    }
    let count = capacity.probes.len() * 100;
    capacity.probes = capacity.probes.into_iter().cycle().take(count).collect();
    (capacity.objective.p99_us, capacity.objective.loss) = (0.0, f64::MAX);
    capacity.notes = vec![ALIVE.to_owned()];
    capacity
}

fn odd_comparison() -> Comparison {
    let mut comparison = fixtures::comparison();
    let command = vec![ALIVE.to_owned(), String::new(), "a".repeat(500)];
    let median =
        Brief { rate: 0.0, p50_us: None, p99_us: None, cost: None, standing: Standing::Invalid };
    comparison.programs.push(Contender {
        name: ALIVE.repeat(20),
        command,
        runs: Vec::new(),
        median,
        rate_ratio: None,
        cpu_ratio: None,
    });
    comparison
}

fn empty_calibration() -> Calibration {
    Calibration {
        clock_resolution_ns: 0,
        sleep_overrun: Distribution::default(),
        stolen: Distribution::default(),
        ..fixtures::calibration()
    }
}

#[test]
fn odd_results_are_shown_and_nothing_in_them_comes_alive() {
    let inputs = inputs();
    for input in &inputs {
        html(std::slice::from_ref(input)).unwrap();
    }
    let page = html(&inputs).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img"), "outside text is escaped");
    assert!(page.contains("&lt;script&gt;"), "and shown");
    assert!(page.len() < 4 << 20, "{} bytes: what is drawn is bounded", page.len());
}

#[test]
fn a_file_that_is_no_result_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = Finding::Run(fixtures::run(10.0, 1.0, 0.1).into());
    let good = serde_json::to_string(&document(run)).unwrap();
    let table = [
        (String::new(), "no result of loadgen"),
        ("[]".to_owned(), "no result of loadgen"),
        ("{".repeat(1 << 20), "no result of loadgen"),
        ("[".repeat(1 << 20), "no result of loadgen"),
        ("\u{0}\u{1}binary".to_owned(), "no result of loadgen"),
        (good.replacen("\"format\":1", "\"format\":2", 1), "format 2"),
        (good.replacen("\"format\":1,", "", 1), "format"),
        (good.replacen("\"mean_us\":", "\"mean_us\":NaN,\"x\":", 1), "no result of loadgen"),
        (good.replacen("\"mean_us\":", "\"mean_us\":1e999,\"x\":", 1), "no result of loadgen"),
        (good.replacen("\"mean_us\":", "\"mean_us\":null,\"x\":", 1), "no result of loadgen"),
        (good.replacen("\"for_s\":", "\"for_s\":-1,\"x\":", 1), "no result of loadgen"),
        (good.replacen("\"for_s\":", "\"for_s\":1e300,\"x\":", 1), "no result of loadgen"),
    ];
    for (text, problem) in table {
        let path = folder.path().join("odd.json");
        std::fs::write(&path, &text).unwrap();
        let error = read(std::slice::from_ref(&path)).unwrap_err();
        let ReportError::File { path: named, .. } = &error else { panic!("{error:?}") };
        assert_eq!(named, &path);
        assert!(error.to_string().contains(problem), "{error}: {}", &text[..text.len().min(200)]);
    }
}

#[test]
fn sizes_and_numbers_of_files_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.json");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    let error = read(std::slice::from_ref(&path)).unwrap_err().to_string();
    assert!(error.contains("large.json: cannot be read: it is larger than 64 MiB"), "{error}");
    let error = read(&vec![path; FILES_MAX + 1]).unwrap_err();
    assert!(matches!(error, ReportError::TooManyFiles(65)), "{error}");
    // A folder, and what is not there.
    for odd in [folder.path().to_owned(), folder.path().join("none.json")] {
        let error = read(std::slice::from_ref(&odd)).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}

/// Replaces about half of the numbers by odd ones, chosen by the bits of `choice`.
fn disturb(value: &mut Value, choice: &mut u64) {
    const ODD: [f64; 8] = [0.0, -1.0, 1e-320, 1e308, -1e308, 1e15, 0.5, 4e9];
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| disturb(value, choice)),
        Value::Object(values) => values.values_mut().for_each(|value| disturb(value, choice)),
        Value::Number(number) => {
            // A linear congruential generator: Knuth, MMIX.
            *choice = choice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bits = *choice >> 59;
            let odd = ODD[usize::try_from(bits & 7).unwrap()];
            if bits & 8 == 0 {
                return;
            }
            if number.is_f64() {
                *value = odd.into();
            } else {
                *value = if bits & 16 == 0 { 0.into() } else { u64::MAX.into() };
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the numbers of a file, it is drawn.
    #[test]
    fn no_number_breaks_the_report(mut choice: u64) {
        let findings = [
            Finding::Run(fixtures::failed_run().into()),
            Finding::Capacity(fixtures::capacity().into()),
            Finding::Compare(fixtures::comparison().into()),
            Finding::Calibrate(fixtures::calibration().into()),
            Finding::Soak(fixtures::soak().into()),
        ];
        let disturbed = findings.map(|finding| {
            let mut value = serde_json::to_value(document(finding)).unwrap();
            let kind = value["result"].as_object_mut().unwrap().values_mut().next().unwrap();
            for (name, part) in kind.as_object_mut().unwrap() {
                // Settings have limits of their own, which reading checks.
                if !["settings", "pairs", "run", "disturbances"].contains(&name.as_str()) {
                    disturb(part, &mut choice);
                }
            }
            let document: Document = serde_json::from_value(value).unwrap();
            Input { name: "disturbed".to_owned(), document }
        });
        prop_assert!(html(&disturbed).is_ok());
    }
}
