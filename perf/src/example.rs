//! Results as the instrument writes them, for tests.

use std::time::Duration;

use loadgen_load::machine::Machine;
use loadgen_load::outcome::{
    Brief, Comparison, Contender, Cost, Counts, Distribution, Document, FORMAT, Finding, Outcome,
    Rates, Standing, TrafficFacts, Verdict,
};
use loadgen_load::settings::{Pace, RunSettings, START_WAIT_DEFAULT, Target, TrafficSettings};

/// A run of 5 s at `asked`, or in a closed loop, that achieved this rate.
pub(crate) fn outcome(standing: Standing, asked: Option<f64>, achieved: f64) -> Outcome {
    Outcome {
        settings: settings(),
        traffic: TrafficFacts {
            messages: 1000,
            alerts: 100,
            body_bytes_mean: 140.0,
            gaps: 0,
            fingerprint: String::new(),
        },
        counts: Counts::default(),
        rates: Rates { asked, achieved, alerts: achieved / 10.0, sent_bytes: 0.0 },
        latency: Some(Distribution { count: 1, p50_us: 40.0, p99_us: 90.0, ..Default::default() }),
        lag: None,
        series: Vec::new(),
        cost: Some(Cost { cpu_ns_per_message: 250.0, rss_peak_kib: 10_000, ..Default::default() }),
        startup_ms: Some(12.5),
        own_cpu_share: 0.5,
        held_back_share: 0.5,
        others: None,
        verdict: Verdict { standing, reasons: vec!["a reason".to_owned()] },
    }
}

/// A comparison of two programs with these rates and standings.
pub(crate) fn comparison(programs: [(f64, Standing); 2]) -> Comparison {
    let contender = |(rate, standing)| {
        let brief = Brief { rate, p50_us: None, p99_us: None, cost: None, standing };
        Contender {
            name: "a program".to_owned(),
            command: Vec::new(),
            runs: vec![brief.clone()],
            median: brief,
            rate_ratio: None,
            cpu_ratio: None,
        }
    };
    Comparison {
        settings: settings(),
        programs: programs.map(contender).into(),
        pairs: 3,
        notes: Vec::new(),
    }
}

/// The file that holds it.
pub(crate) fn document(result: Finding) -> String {
    let document = Document {
        format: FORMAT,
        loadgen: String::new(),
        began: String::new(),
        machine: Machine::default(),
        result,
    };
    serde_json::to_string(&document).unwrap()
}

fn settings() -> RunSettings {
    RunSettings {
        target: Target::Hub {
            listen: "127.0.0.1:0".parse().unwrap(),
            plain: true,
            command: Vec::new(),
        },
        traffic: TrafficSettings::default(),
        pace: Pace::Closed,
        window: 20_000,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(5),
        drain: Duration::from_secs(10),
        verify_properties: true,
        cut_every: None,
        start_wait: START_WAIT_DEFAULT,
    }
}
