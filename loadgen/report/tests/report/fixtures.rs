//! Results as measurements give them, made of formulas: the same each time.

use std::time::Duration;

use loadgen_load::example;
use loadgen_load::fault::FaultKind;
use loadgen_load::machine::Machine;
use loadgen_load::outcome::{
    Brief, Calibration, Capacity, Comparison, Contender, Cost, Counts, CurvePoint, Distribution,
    Document, Drive, FORMAT, Fault, Finding, Objective, Others, Outcome, Probe, ProbeStep, Rates,
    Ratio, Sample, Second, Soak, Standing, TrafficFacts, Verdict,
};
use loadgen_load::settings::{
    Arrivals, Pace, RunSettings, START_WAIT_DEFAULT, Target, TrafficSettings,
};

/// A document around a finding.
pub(crate) fn document(result: Finding) -> Document {
    Document {
        format: FORMAT,
        loadgen: "0.1.0".to_owned(),
        began: "2026-05-04T09:30:00Z".to_owned(),
        machine: Machine {
            processor: "Example Processor 9000 @ 2.50GHz".to_owned(),
            cores: 2,
            memory_kib: 8 * 1024 * 1024,
            system: "Linux 6.1.0".to_owned(),
            architecture: "x86_64".to_owned(),
            load_percent: 23,
        },
        result,
    }
}

/// Settings of an open loop at a rate.
pub(crate) fn settings(rate: f64) -> RunSettings {
    RunSettings {
        target: Target::Hub {
            listen: "127.0.0.1:8883".parse().unwrap(),
            plain: false,
            command: ["target/release/sluicegate", "run", "--workers", "2"]
                .map(str::to_owned)
                .into(),
        },
        traffic: TrafficSettings::default(),
        pace: Pace::Open { rate, arrivals: Arrivals::Poisson, burst: None },
        window: 20_000,
        warm_up: Duration::from_secs(2),
        duration: Duration::from_secs(30),
        drain: Duration::from_secs(5),
        verify_properties: true,
        cut_every: None,
        start_wait: START_WAIT_DEFAULT,
    }
}

/// Latencies around `p50_us`, whose tail grows with every nine.
pub(crate) fn distribution(count: u64, p50_us: f64, growth: f64) -> Distribution {
    let at = |quantile: f64| {
        let nines = (1.0 - quantile).max(1.0 / count as f64).recip().log10();
        let bump = if nines > 3.2 { 1.0 + 1.5 * (nines - 3.2) } else { 1.0 };
        p50_us * (0.55 + 0.9 * quantile) * (nines * growth).exp() * bump
    };
    let quantiles = (0..=500).map(|step| 1.0 - 10f64.powf(-7.0 * f64::from(step) / 500.0));
    let known = quantiles.filter(|quantile| (1.0 - quantile) * count as f64 >= 1.0);
    let curve = known.chain([1.0]).map(|quantile| CurvePoint { quantile, us: at(quantile) });
    Distribution {
        count,
        mean_us: at(0.5) * 1.1,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p99_9_us: at(0.999),
        p99_99_us: at(0.9999),
        max_us: at(1.0),
        curve: curve.collect(),
    }
}

/// Seconds of a run that wavers around a rate.
pub(crate) fn series(rate: f64, p99_us: f64) -> Vec<Second> {
    (-2..33)
        .map(|at| {
            let sway = (f64::from(at) * 1.7).sin();
            let share = if at >= 30 { 0.02 } else { 1.0 + 0.01 * sway };
            let peak = if at == 17 { 3.0 } else { 1.0 };
            let alerts = rate * share / 10.0;
            Second {
                at_s: f64::from(at),
                sent: whole(rate * share),
                alerts: whole(alerts),
                p50_us: p99_us / 4.0,
                p99_us: if at == 32 { 0.0 } else { p99_us * peak * (1.0 + 0.15 * sway) },
                max_us: p99_us * 5.0,
            }
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn whole(count: f64) -> u64 {
    count as u64
}

/// What a program used.
pub(crate) fn cost(ns: f64) -> Cost {
    Cost {
        cpu_s: 5.1,
        cpu_ns_per_message: ns,
        cpu_share: 0.085,
        rss_peak_kib: 14_212,
        threads: 5,
        context_switches_voluntary: 181_204,
        context_switches_involuntary: 412,
    }
}

/// A run that passed.
pub(crate) fn run(rate: f64, p50_us: f64, growth: f64) -> Outcome {
    let sent = whole(rate * 32.0);
    let latency = distribution(sent / 10, p50_us, growth);
    let lag = Distribution { curve: Vec::new(), ..distribution(sent, p50_us / 90.0, 0.5) };
    Outcome {
        settings: settings(rate),
        traffic: TrafficFacts {
            messages: 200_000,
            alerts: 20_000,
            body_bytes_mean: 141.6,
            gaps: 0,
            fingerprint: "8f3a01bc".to_owned(),
        },
        counts: Counts {
            sent,
            acknowledged: sent,
            alerts_expected: sent / 10,
            alerts_correct: sent / 10,
            ..Counts::default()
        },
        rates: Rates {
            asked: Some(rate),
            achieved: rate * 0.9998,
            alerts: rate / 10.0,
            sent_bytes: rate * 220.0,
        },
        series: series(rate, latency.p99_us),
        latency: Some(latency),
        lag: Some(lag),
        cost: Some(cost(1e9 * 0.17 / rate * 10.0)),
        startup_ms: Some(21.5),
        own_cpu_share: 0.21,
        held_back_share: 0.0004,
        others: Some(Others { taken: 0.25, stolen: 0.05, cores: 4 }),
        verdict: Verdict { standing: Standing::Passed, reasons: Vec::new() },
    }
}

/// A run in which things went wrong.
pub(crate) fn failed_run() -> Outcome {
    let mut run = run(100_000.0, 900.0, 1.1);
    run.counts.missing = 312;
    run.counts.alerts_correct -= 312;
    run.counts.corrupted = 1;
    run.verdict.standing = Standing::Failed;
    run.verdict.reasons =
        vec!["312 alerts are missing".to_owned(), "1 alert came back with another body".to_owned()];
    run
}

fn probe(step: ProbeStep, rate: f64) -> Probe {
    let limit = 460_000.0;
    let near = (1.0 - (rate / (limit * 1.35)).min(0.97)).recip();
    let held = rate < limit;
    let p99_us = if held { 110.0 + 90.0 * near } else { 900.0 * (rate / limit).powi(9) };
    Probe {
        step,
        rate,
        held,
        reasons: if held { vec![] } else { vec![format!("p99 is {p99_us:.0} µs, above 500 µs")] },
        invalid: false,
        achieved: rate.min(limit * 1.08),
        p50_us: p99_us * 0.4,
        p99_us,
        p99_9_us: p99_us * 2.3,
        cost: Some(cost(2600.0 * (1e4 / rate).powf(0.3) + 300.0)),
    }
}

/// A search that found a rate.
pub(crate) fn capacity() -> Capacity {
    use ProbeStep::{Bisect, Climb, Confirm, Refuse};
    let climb = (0..7).map(|step| (Climb, 10_000.0 * 2f64.powi(step)));
    let rest = [
        (Bisect, 480_000.0),
        (Bisect, 400_000.0),
        (Bisect, 440_000.0),
        (Bisect, 465_000.0),
        (Confirm, 440_000.0),
        (Confirm, 440_500.0),
        (Confirm, 441_000.0),
        (Refuse, 506_000.0),
    ];
    Capacity {
        settings: settings(10_000.0),
        objective: Objective { p99_us: 500.0, loss: 0.0 },
        probes: climb.chain(rest).map(|(step, rate)| probe(step, rate)).collect(),
        rate: Some(440_000.0),
        notes: Vec::new(),
    }
}

fn contender(name: &str, command: &str, rate: f64, p50_us: f64, first_rate: f64) -> Contender {
    let brief = |factor: f64| Brief {
        rate: rate * factor,
        p50_us: Some(p50_us / factor),
        p99_us: Some(p50_us * 6.0 / factor),
        cost: Some(cost(1.1e9 / rate)),
        standing: Standing::Passed,
    };
    let ratio = |of: f64| {
        (rate != first_rate).then_some(Ratio { median: of, q1: of * 0.96, q3: of * 1.05 })
    };
    Contender {
        name: name.to_owned(),
        command: command.split(' ').map(str::to_owned).collect(),
        runs: [1.0, 0.97, 1.02, 0.99, 1.01, 0.95].map(brief).into(),
        median: brief(1.0),
        rate_ratio: ratio(rate / first_rate),
        cpu_ratio: ratio(first_rate / rate),
    }
}

/// Four programs, one far slower than the first.
pub(crate) fn comparison() -> Comparison {
    let mut settings = settings(1.0);
    settings.pace = Pace::Closed;
    let first = 612_000.0;
    let node = "node perf/peers/mqtt-js/filter.js --batch 1";
    Comparison {
        settings,
        programs: vec![
            contender("sluicegate", "target/release/sluicegate run", first, 15_000.0, first),
            contender(
                "rumqttc-batches",
                "target/release/peer-rumqttc --batch 256",
                203_000.0,
                41_000.0,
                first,
            ),
            contender("mqtt.js", node, 31_200.0, 300_000.0, first),
            contender(
                "azure-iot-device (Python)",
                "python3 perf/peers/python/main.py",
                1_480.0,
                2_100_000.0,
                first,
            ),
        ],
        pairs: 3,
        notes: vec!["mqtt.js: one run was repeated after the machine was busy".to_owned()],
    }
}

/// What the instrument can do.
pub(crate) fn calibration() -> Calibration {
    let drive = |rate: f64, ns: f64| Drive {
        rate,
        own_cpu_ns_per_message: ns,
        rate_per_core: 1e9 / ns,
        sink_cpu_share: 0.61,
    };
    Calibration {
        clock_resolution_ns: 1,
        clock_read_ns: 24.3,
        sleep_overrun: distribution(2000, 58.0, 0.4),
        stolen: distribution(310, 3.1, 1.3),
        qos0: drive(4_720_000.0, 180.4),
        qos1: drive(3_310_000.0, 251.0),
        others: None,
    }
}

/// Half an hour with a fault each 20 s, which memory and latency survive.
pub(crate) fn soak() -> Soak {
    let run = run(50_000.0, 120.0, 0.35);
    let mut soak = Soak { run, ..example::soak(50_000.0, "sluicegate") };
    soak.run.settings.duration = Duration::from_secs(1800);
    let seconds = series(50_000.0, 400.0);
    let wavering = seconds[2..32].iter().cycle();
    let second = |(at, of): (u32, &Second)| Second { at_s: f64::from(at), ..*of };
    soak.run.series = (0..1800).zip(wavering).map(second).collect();
    soak.samples = (0..1800u32)
        .map(|at| Sample {
            at_s: f64::from(at),
            rss_kib: 7000 + u64::from(at % 50),
            descriptors: 10 + u64::from(at % 600 == 0),
            threads: 4,
        })
        .collect();
    let kinds = FaultKind::ALL.into_iter().cycle();
    let fault = |(number, kind): (u32, FaultKind)| Fault {
        kind,
        at_s: f64::from(20 * number),
        length_s: f64::from(number % 3),
        recovery_s: (number != 80).then_some(f64::from(number % 5) / 2.0),
    };
    soak.faults = (1..90).zip(kinds).map(fault).collect();
    soak.steadiness[3].held = Some(false);
    soak.verdict = Verdict {
        standing: Standing::Failed,
        reasons: vec!["the median latency grew by 60 %".to_owned()],
    };
    soak
}
