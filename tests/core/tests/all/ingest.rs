//! Which messages make a batch.

use bytes::Bytes;
use sluicegate::ingest::Ingest;
use sluicegate::limits::BATCH_MESSAGES_MAX;
use sluicegate::message::{Finding, Findings, Message, SourceId, Span};
use sluicegate::threshold::Threshold;

fn message() -> Message {
    Message { origin: Span::new(0..0), body: Span::new(0..1) }
}

fn threshold(value: f64) -> Threshold {
    Threshold::new(value).expect("finite")
}

type Shape = (u64, Threshold, std::ops::Range<u64>);

fn shapes(ingest: &mut Ingest) -> Vec<Shape> {
    let batches = std::iter::from_fn(|| ingest.next_batch());
    batches.map(|batch| (batch.sequence, batch.threshold, batch.receipts())).collect()
}

/// A batch ends where its threshold, its block or the row of its receipts does.
#[test]
fn what_belongs_together_is_one_batch() {
    let mut ingest = Ingest::new(SourceId::Hub);
    let (one, two) = (Bytes::from(vec![0; 9]), Bytes::from(vec![0; 9]));
    for receipt in 0..3 {
        ingest.push(&one, message(), receipt, threshold(25.0));
    }
    ingest.push(&one, message(), 3, threshold(30.0));
    ingest.push(&two, message(), 4, threshold(30.0));
    ingest.push(&two, message(), 6, threshold(30.0));
    let expected = [
        (0, threshold(25.0), 0..3),
        (1, threshold(30.0), 3..4),
        (2, threshold(30.0), 4..5),
        (3, threshold(30.0), 6..7),
    ];
    assert_eq!(shapes(&mut ingest), expected);
    assert_eq!(ingest.next_sequence(), 4);
}

#[test]
fn a_batch_is_bounded() {
    let mut ingest = Ingest::new(SourceId::Hub);
    let block = Bytes::from(vec![0; 9]);
    for receipt in 0..BATCH_MESSAGES_MAX as u64 + 1 {
        ingest.push(&block, message(), receipt, threshold(25.0));
    }
    let lengths: Vec<_> = shapes(&mut ingest).iter().map(|(_, _, r)| r.end - r.start).collect();
    assert_eq!(lengths, [BATCH_MESSAGES_MAX as u64, 1]);
}

#[test]
fn what_waits_for_the_threshold_is_judged_by_it() {
    let mut ingest = Ingest::new(SourceId::Hub);
    let block = Bytes::from(vec![0; 9]);
    ingest.push(&block, message(), 0, threshold(25.0));
    ingest.judge_by(threshold(90.0));
    assert_eq!(shapes(&mut ingest), [(0, threshold(90.0), 0..1)]);
}

/// Memory that comes back carries nothing of the old batch.
#[test]
fn a_recycled_batch_is_a_new_one() {
    let mut ingest = Ingest::new(SourceId::Broker);
    let block = Bytes::from(vec![0; 9]);
    ingest.push(&block, message(), 0, threshold(25.0));
    let mut batch = ingest.next_batch().expect("one waits");
    batch.findings.malformed[0] = 3;
    batch.findings.alerts.push(Finding { index: 0, temperature: 30.0 });
    let capacity = batch.messages.capacity();
    ingest.recycle(batch);
    ingest.push(&block, message(), 1, threshold(26.0));
    let again = ingest.next_batch().expect("one waits");
    assert_eq!(again.source, SourceId::Broker);
    assert_eq!((again.sequence, again.receipts()), (1, 1..2));
    assert_eq!((again.findings, again.messages.capacity()), (Findings::default(), capacity));
}
