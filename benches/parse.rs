//! Judging one body, by size and verdict, next to a body that the walk declines, which simd-json
//! then judges, and next to serde_json reading a typed struct.
//!
//! Relative numbers: compare the lines of one run with each other. Expected at 140 bytes: 45 ns,
//! four times as much when declined, three times as much for serde_json; malformed bodies are
//! declined too, and read twice more to tell what is wrong with them.
//! `cargo bench --bench parse`; `cargo test --benches` runs each line once.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use sluicegate::parse::{Malformed, Parser, Verdict};
use sluicegate::threshold::Threshold;

const BODY_BYTES: [usize; 3] = [140, 1_024, 8_192];
const TEMPERATURE: f64 = 101.25;

/// The part of the message that a typed reader would ask for.
#[derive(Deserialize)]
struct Message {
    machine: Machine,
}

#[derive(Deserialize)]
struct Machine {
    temperature: f64,
}

/// The sensor's message of exactly `size` bytes; larger ones carry a list of further readings.
fn body(size: usize, temperature: f64) -> Vec<u8> {
    let head = format!(
        r#"{{"machine":{{"temperature":{temperature},"pressure":10.125}},"ambient":{{"temperature":20.75,"humidity":25}},"timeCreated":"2026-01-02T03:04:05Z""#
    );
    let mut text = head;
    let (open, reading, close) =
        (r#","readings":["#, r#"{"sensor":"inlet-7","value":20.0625},"#, "0]}");
    if size > text.len() + open.len() + close.len() {
        text += open;
        while text.len() + reading.len() + close.len() <= size {
            text += reading;
        }
        text += close;
    } else {
        text += "}";
    }
    text += &" ".repeat(size - text.len());
    text.into_bytes()
}

/// The same, as large and worth the same, with a name whose spelling makes the walk decline it.
fn declined(body: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(body).expect("written as text");
    text.replacen(r#""ambient""#, r#""\u0061m""#, 1).into_bytes()
}

/// What a typed reader makes of a body.
fn judge_typed(body: &[u8], threshold: Threshold) -> Verdict {
    match serde_json::from_slice::<Message>(body) {
        Ok(message) if message.machine.temperature > threshold.value() => {
            Verdict::Alert(message.machine.temperature)
        }
        Ok(_) => Verdict::Below,
        Err(_) => Verdict::Malformed(Malformed::NotJson),
    }
}

/// Each case with its verdict: above, below, and broken at the very end.
fn cases(size: usize) -> [(&'static str, Vec<u8>, Verdict); 3] {
    let mut broken = body(size, TEMPERATURE);
    let end = broken.iter().rposition(|byte| *byte == b'}').expect("a body is an object");
    broken[end] = b']';
    [
        ("hit", body(size, TEMPERATURE), Verdict::Alert(TEMPERATURE)),
        ("miss", body(size, 21.5), Verdict::Below),
        ("malformed", broken, Verdict::Malformed(Malformed::NotJson)),
    ]
}

fn judge(criterion: &mut Criterion) {
    let mut parser = Parser::default();
    for (name, _, _) in cases(BODY_BYTES[0]) {
        let mut group = criterion.benchmark_group(format!("judge/{name}"));
        for size in BODY_BYTES {
            let (_, body, expected) = cases(size)
                .into_iter()
                .find(|case| case.0 == name)
                .expect("same cases at each size");
            assert_eq!(body.len(), size);
            assert_eq!(parser.judge(&body, Threshold::DEFAULT), expected);
            assert_eq!(judge_typed(&body, Threshold::DEFAULT), expected);
            let declined = declined(&body);
            assert_eq!(declined.len(), size);
            assert_eq!(parser.judge(&declined, Threshold::DEFAULT), expected);

            group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: size as u64 });
            group.bench_function(BenchmarkId::new("sluicegate", size), |bencher| {
                bencher.iter(|| parser.judge(black_box(&body), Threshold::DEFAULT));
            });
            group.bench_function(BenchmarkId::new("declined", size), |bencher| {
                bencher.iter(|| parser.judge(black_box(&declined), Threshold::DEFAULT));
            });
            group.bench_function(BenchmarkId::new("serde_json", size), |bencher| {
                bencher.iter(|| judge_typed(black_box(&body), Threshold::DEFAULT));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, judge);
criterion_main!(benches);
