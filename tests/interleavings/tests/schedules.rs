//! For thousands of schedules of every step that threads can be put off at: what the pool and the
//! threshold's cell promise.
//!
//! A schedule that fails is printed by shuttle, which replays it.

use std::sync::Arc;

use bytes::Bytes;
use interleavings::host::threads::Notify;
use interleavings::pipeline::cell::{Setting, Threshold, ThresholdCell};
use interleavings::pipeline::limits::PIPELINE_BATCHES_MAX;
use interleavings::pipeline::pool::{Pool, SourceWakes};
use sluicegate::pipeline::message::{Batch, Findings, Message, SourceId, Span};
use sluicegate::pipeline::parse::JsonPath;

const SCHEDULES: usize = 1_000;
/// Points at which a schedule may leave the order of priorities.
const DEPTH: usize = 4;
const WORKERS: usize = 2;
/// More than are let out at once.
const BATCHES: usize = PIPELINE_BATCHES_MAX + 2;

/// Runs `model` by schedules at random, and by those that a few changes of priority make.
fn for_all_schedules(model: impl Fn() + Clone + Send + Sync + 'static) {
    shuttle::check_random(model.clone(), SCHEDULES);
    shuttle::check_pct(model, SCHEDULES, DEPTH);
}

/// A batch of one message of 30 degrees.
fn batch(source: SourceId, sequence: usize, threshold: f64) -> Batch {
    let sequence = sequence as u64;
    let block = Bytes::from_static(br#"{"machine":{"temperature":30}}"#);
    let message = Message { origin: Span::new(0..0), body: Span::new(0..block.len()) };
    let threshold = sluicegate::pipeline::threshold::Threshold::new(threshold);
    let threshold = threshold.expect("it is finite");
    Batch {
        source,
        sequence,
        threshold,
        first_receipt: sequence,
        block,
        messages: vec![message],
        findings: Findings::default(),
        kept_bytes: 0,
    }
}

fn sequence_of(batch: &Batch) -> usize {
    usize::try_from(batch.sequence).expect("there are few")
}

fn start() -> (Pool, SourceWakes) {
    let wakes: SourceWakes = Default::default();
    let pool = Pool::start(WORKERS, &JsonPath::default(), &wakes).expect("threads");
    (pool, wakes)
}

/// Whoever waits for a wake-up after it found nothing judged is woken: no batch stays behind. Each
/// comes back once, and no thread ever waits for room.
#[test]
fn every_batch_comes_back_and_no_wake_up_is_lost() {
    for_all_schedules(|| {
        let (mut pool, wakes) = start();
        let (mut sent, mut back) = (0, Vec::new());
        while back.len() < BATCHES {
            while sent < BATCHES && pool.submit(batch(SourceId::Hub, sent, 25.0)).is_ok() {
                sent += 1;
            }
            match pool.next_judged() {
                Some(judged) => back.push(judged),
                None => wakes[SourceId::Hub as usize].wait(),
            }
        }
        assert!(back.iter().all(|batch| batch.findings.alerts.len() == 1));
        let mut sequences: Vec<_> = back.iter().map(sequence_of).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, Vec::from_iter(0..BATCHES));
        pool.stop();
    });
}

/// The connection of the batch's own source is woken.
#[test]
fn each_source_is_woken_for_its_own() {
    for_all_schedules(|| {
        let (mut pool, wakes) = start();
        for source in SourceId::ALL {
            assert!(pool.submit(batch(source, 0, 25.0)).is_ok());
        }
        wakes.iter().for_each(|wake| wake.wait());
        let judged = std::iter::from_fn(|| pool.next_judged()).count();
        assert_eq!(judged, SourceId::ALL.len());
        pool.stop();
    });
}

/// Whatever was let out when the pool is stopped is judged, and there to be taken.
#[test]
fn a_stop_leaves_nothing_unjudged() {
    for_all_schedules(|| {
        let (mut pool, _wakes) = start();
        let mut sent = 0;
        while pool.submit(batch(SourceId::Hub, sent, 25.0)).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, PIPELINE_BATCHES_MAX);
        pool.stop();
        let judged: Vec<Batch> = std::iter::from_fn(|| pool.next_judged()).collect();
        assert_eq!(judged.len(), sent);
        assert!(judged.iter().all(|batch| batch.findings.alerts.len() == 1));
    });
}

/// A batch is judged by the setting that was in force as it arrived, however late it is judged and
/// whatever is stored meanwhile. A setting is seen whole.
#[test]
fn a_batch_keeps_the_threshold_of_its_arrival() {
    for_all_schedules(|| {
        let (mut pool, wakes) = start();
        let setting = |value: f64, version| Setting {
            threshold: Threshold::new(value).expect("it is one"),
            version: Some(version),
        };
        let cell = Arc::new(ThresholdCell::new(setting(25.0, 1)));
        let stored = Arc::clone(&cell);
        let control = shuttle::thread::spawn(move || stored.store(setting(35.0, 2)));
        let mut arrived = Vec::new();
        for sequence in 0..PIPELINE_BATCHES_MAX {
            let Setting { threshold, version } = cell.load();
            assert_eq!(version, Some(if threshold.value() == 25.0 { 1 } else { 2 }));
            arrived.push(threshold.value());
            assert!(pool.submit(batch(SourceId::Broker, sequence, threshold.value())).is_ok());
        }
        assert!(arrived.is_sorted(), "the newest one stays");
        let wake: &Notify = &wakes[SourceId::Broker as usize];
        let mut count = 0;
        while count < arrived.len() {
            let Some(judged) = pool.next_judged() else {
                wake.wait();
                continue;
            };
            let alerts = usize::from(arrived[sequence_of(&judged)] < 30.0);
            assert_eq!(judged.findings.alerts.len(), alerts);
            count += 1;
        }
        control.join().expect("it is one");
        pool.stop();
    });
}
