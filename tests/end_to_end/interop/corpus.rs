//! The same messages through the tutorial's Python module and through the product.
//!
//! CPython decides what JSON is and how numbers compare; the product may differ from it only
//! where its documentation says so.

use std::collections::BTreeSet;
use std::time::Duration;

use core_tests::corpus::{self, CorpusEntry, Kind};
use serde_json::{Value, json};

use super::sdk::Sdk;
use crate::harness::{MODULE, Scene, message, number, wait_until};

/// Messages of the corpus.
const MESSAGES: usize = 2_000;
const SEED: u64 = 2_020;
/// Messages under way; the Python SDK acknowledges before it judges, so any width will do.
const WINDOW: usize = 50;

/// The numbers of the corpus messages that the module forwards at `threshold`; `settled` returns
/// once it has judged all.
fn alerts(
    corpus: &[CorpusEntry],
    scene: &Scene,
    threshold: f64,
    settled: impl FnOnce(),
) -> BTreeSet<usize> {
    scene.set_threshold(json!(threshold));
    let numbered =
        |(n, entry): (usize, &CorpusEntry)| message(entry.body.clone(), &[("n", &n.to_string())]);
    scene.deliver(corpus.iter().enumerate().map(numbered).collect());
    scene.wait_until_all_acknowledged();
    settled();
    let mut seen = BTreeSet::new();
    for alert in scene.hub.upstream().try_iter() {
        let n = number(&alert);
        assert_eq!(alert.body, corpus[n].body, "message {n} was changed on its way");
        assert!(seen.insert(n), "message {n} was forwarded twice");
    }
    seen
}

/// The Python SDK acknowledges a message before the module judged it: waits for the module's count.
fn wait_until_judged(scene: &Scene, count: usize) {
    wait_until("the Python module judged the corpus", || {
        let timeout = Duration::from_secs(10);
        let answer = scene.hub.call_method(MODULE, "stats", json!(null), timeout);
        answer.unwrap().1["judged"] == json!(count)
    });
}

/// Both forward the same messages at every threshold, save those that the product documents.
#[test]
fn python_and_the_product_forward_the_same_corpus() {
    println!("seed {SEED}");
    let corpus = corpus::corpus(SEED, MESSAGES);
    let sdk_scene = Scene::start_for_sdk(WINDOW);
    let _python = Sdk::Python.start(&sdk_scene);
    let scene = Scene::start(WINDOW);
    let _module = scene.filter();
    for (round, threshold) in corpus::THRESHOLDS.into_iter().enumerate() {
        let judged = (round + 1) * MESSAGES;
        let python =
            alerts(&corpus, &sdk_scene, threshold, || wait_until_judged(&sdk_scene, judged));
        // The product acknowledges a message only once it is judged and forwarded.
        let product = alerts(&corpus, &scene, threshold, || ());
        assert!(python.len() > MESSAGES / 100, "{} alerts prove little", python.len());
        let mut documented = 0;
        for &n in python.symmetric_difference(&product) {
            let entry = &corpus[n];
            let body: String = String::from_utf8_lossy(&entry.body).chars().take(300).collect();
            let only = if python.contains(&n) { Only::Python } else { Only::Product };
            assert!(
                is_documented(only, entry, threshold),
                "at {threshold} only {only:?} forwards message {n} ({}): {body}",
                entry.kind
            );
            documented += 1;
        }
        println!("at {threshold}: {} alerts, {documented} documented differences", python.len());
    }
}

/// Who alone forwards a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Python,
    Product,
}

/// Whether the documentation names this difference:
/// - `NaN`, `Infinity` and `-Infinity` as numbers: Python takes them, the product refuses the body;
/// - a boolean temperature: Python compares it as 0 or 1, the product refuses the body;
/// - limits of Python (digits of an integer, depth): Python raises, the product judges.
fn is_documented(only: Only, entry: &CorpusEntry, threshold: f64) -> bool {
    match only {
        Only::Python => {
            has_python_constant(&entry.body)
                || threshold < 1.0 && temperature(&entry.body).is_boolean()
        }
        Only::Product => entry.kind == Kind::PythonLimit,
    }
}

fn temperature(body: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    value["machine"]["temperature"].clone()
}

/// Whether `NaN` or `Infinity` stands outside of strings.
fn has_python_constant(body: &[u8]) -> bool {
    let mut outside = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for &byte in body {
        match (in_string, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, _, b'"') => in_string = !in_string,
            (true, false, _) => {}
            (false, ..) => outside.push(byte),
        }
    }
    let outside = String::from_utf8_lossy(&outside);
    outside.contains("NaN") || outside.contains("Infinity")
}
