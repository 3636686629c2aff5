//! What judging costs in memory: nothing per message once the buffers are there, and a bound on
//! the buffers whatever came through them.
#![cfg(test)]

use allocation_counter::{AllocationInfo, measure};
use core_tests::corpus::{Kind, corpus};
use sluicegate::pipeline::parse::{Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;

fn judge_all(parser: &mut Parser, bodies: &[Vec<u8>]) -> Vec<Verdict> {
    bodies.iter().map(|body| parser.judge(body, Threshold::DEFAULT)).collect()
}

fn measure_all(parser: &mut Parser, bodies: &[Vec<u8>]) -> AllocationInfo {
    measure(|| {
        for body in bodies {
            std::hint::black_box(parser.judge(body, Threshold::DEFAULT));
        }
    })
}

/// For all sensor messages, once the buffers have grown: no allocation.
#[test]
fn sensor_messages_allocate_nothing() {
    let bodies: Vec<_> = corpus(1, 5_000)
        .into_iter()
        .filter(|entry| entry.kind == Kind::Normal)
        .map(|entry| entry.body)
        .collect();
    let mut parser = Parser::default();
    let verdicts = judge_all(&mut parser, &bodies);
    let alerts = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Alert(_))).count();
    assert!((100..bodies.len() - 100).contains(&alerts), "{alerts} of {}", bodies.len());

    assert_eq!(measure_all(&mut parser, &bodies).count_total, 0);
}

/// A parser that has seen no message yet judges sensor messages of any size without memory: the
/// walk over the body needs none.
#[test]
fn the_first_messages_allocate_nothing() {
    let sensor = concat!(
        r#"{"machine":{"temperature":101.52791830163853,"pressure":9.8}"#,
        r#","ambient":{"temperature":21.1},"samples":["#
    );
    for size in [200, 1_000, 8_000, 200_000] {
        let body = format!("{sensor}{}0]}}", "21.52,".repeat((size - sensor.len()) / 6));
        for threshold in [25.0, 101.5, 101.6] {
            let threshold = Threshold::new(threshold).unwrap();
            let mut parser = Parser::default();
            let used = measure(|| {
                std::hint::black_box(parser.judge(body.as_bytes(), threshold));
            });
            assert_eq!(used.count_total, 0, "{size} bytes, {threshold}");
        }
    }
}

/// What a parser keeps at most, as its documentation says.
const KEPT_MAX: u64 = 64 * 1024;

/// Bodies made to swell the buffers: brackets, commas, strings, and more than any message holds.
fn hostile_bodies() -> Vec<Vec<u8>> {
    let sizes = [500, 511, 512, 513, 1_000, 1_024, 8_000, 32_768, 262_144, 4_000_000];
    let pieces = ["[", "[]", "[[],", "{\"\":", "\"\",", "1,", "\"\\u0041", "\u{10ffff}", " "];
    let bodies = sizes.into_iter().flat_map(|size| {
        pieces.into_iter().map(move |piece| piece.repeat(size / piece.len()).into_bytes())
    });
    let valid =
        sizes.into_iter().map(|size| format!("[{}0]", "0,".repeat(size / 2 - 2)).into_bytes());
    bodies.chain(valid).collect()
}

/// For all bodies: a parser keeps at most [`KEPT_MAX`].
#[test]
fn kept_memory_is_bounded() {
    let bodies = hostile_bodies();
    let mut parser = Parser::default();
    let kept = measure_all(&mut parser, &bodies).bytes_current;
    let kept = u64::try_from(kept).unwrap();
    assert!(kept <= KEPT_MAX, "{kept} bytes kept");
    // The same bodies again find the buffers grown: nothing accumulates.
    assert_eq!(measure_all(&mut parser, &bodies).bytes_current, 0);
}

/// For all bodies: judging takes a small multiple of the body and gives it back.
#[test]
fn peak_memory_is_in_proportion() {
    for body in hostile_bodies() {
        let size = u64::try_from(body.len()).unwrap();
        let peak = measure_all(&mut Parser::default(), &[body]).bytes_max;
        assert!(peak <= KEPT_MAX + 4 * size, "{peak} bytes for {size}");
    }
}
