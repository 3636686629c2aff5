//! Results as the engine would give them, for tests.

use std::time::Duration;

use super::fault::FaultKind;
use super::outcome::{
    Cost, Counts, Distribution, Fault, Figure, Others, Outcome, Rates, Soak, Standing, Steadiness,
    TrafficFacts, Verdict,
};
use super::settings::{
    Arrivals, Disturbances, Pace, RunSettings, START_WAIT_DEFAULT, Target, TrafficSettings,
    WINDOW_DEFAULT,
};

/// Five seconds in open loop against a program called `command`.
pub fn settings(rate: f64, command: &str) -> RunSettings {
    RunSettings {
        target: Target::Hub {
            listen: ([127, 0, 0, 1], 0).into(),
            plain: false,
            command: vec![command.to_owned()],
        },
        traffic: TrafficSettings::default(),
        pace: Pace::Open { rate, arrivals: Arrivals::Fixed, burst: None },
        window: WINDOW_DEFAULT,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(5),
        drain: Duration::from_secs(10),
        verify_properties: true,
        cut_every: None,
        start_wait: START_WAIT_DEFAULT,
    }
}

/// What disturbs a soak unless told otherwise.
pub fn disturbances() -> Disturbances {
    Disturbances {
        fault_every: Duration::from_secs(20),
        faults: FaultKind::ALL.to_vec(),
        patch_every: Some(Duration::from_secs(30)),
        renew_every: Some(Duration::from_secs(30)),
    }
}

/// A clean soak of half an hour, with three faults.
pub fn soak(rate: f64, command: &str) -> Soak {
    let settings = RunSettings { duration: Duration::from_secs(1800), ..settings(rate, command) };
    let run = outcome(&settings, rate - 2.0, 312.0);
    let fault = |kind, at_s, recovery_s| Fault { kind, at_s, length_s: 0.0, recovery_s };
    let flat = |figure, second, last| Steadiness {
        figure,
        second,
        last,
        seconds: [500, 500],
        held: Some(true),
    };
    Soak {
        disturbances: disturbances(),
        capacity: Some(2.0 * rate),
        measured_s: 1800.0,
        samples: Vec::new(),
        faults: vec![
            fault(FaultKind::Cut, 20.0, Some(0.2)),
            fault(FaultKind::Kill, 40.0, Some(0.5)),
            fault(FaultKind::Cut, 60.0, Some(0.3)),
        ],
        thresholds: Some([25.0, 30.5]),
        patches: 59,
        patches_told: 58,
        renewals: 59,
        steadiness: vec![
            flat(Figure::Rss, 7000.0, 7100.0),
            flat(Figure::Descriptors, 10.0, 10.0),
            flat(Figure::Threads, 4.0, 4.0),
            flat(Figure::P50, 80.0, 84.0),
        ],
        verdict: run.verdict.clone(),
        run,
    }
}

/// A clean result: `rate` achieved, with this 99th percentile.
pub fn outcome(settings: &RunSettings, rate: f64, p99_us: f64) -> Outcome {
    let asked = match settings.pace {
        Pace::Open { rate, .. } => Some(rate),
        Pace::Closed => None,
    };
    let latency = Distribution {
        count: 500,
        mean_us: p99_us / 2.0,
        p50_us: p99_us / 2.0,
        p90_us: p99_us * 0.9,
        p99_us,
        p99_9_us: p99_us * 1.5,
        p99_99_us: p99_us * 2.0,
        max_us: p99_us * 3.0,
        curve: Vec::new(),
    };
    Outcome {
        settings: settings.clone(),
        traffic: TrafficFacts {
            messages: 1000,
            alerts: 100,
            body_bytes_mean: 140.0,
            gaps: 0,
            fingerprint: "00000000".to_owned(),
        },
        counts: Counts {
            sent: 10_000,
            acknowledged: 10_000,
            alerts_expected: 1000,
            alerts_correct: 1000,
            ..Counts::default()
        },
        rates: Rates { asked, achieved: rate, alerts: rate / 10.0, sent_bytes: rate * 250.0 },
        latency: Some(latency),
        lag: asked.map(|_| Distribution::default()),
        series: Vec::new(),
        cost: Some(Cost {
            cpu_s: 2.5,
            cpu_ns_per_message: 1e9 / rate,
            cpu_share: 0.25,
            rss_peak_kib: 10_240,
            threads: 4,
            context_switches_voluntary: 1234,
            context_switches_involuntary: 56,
        }),
        startup_ms: Some(12.5),
        own_cpu_share: 0.5,
        held_back_share: 0.0,
        others: Some(Others { taken: 0.25, stolen: 0.0, cores: 2 }),
        verdict: Verdict { standing: Standing::Passed, reasons: Vec::new() },
    }
}
