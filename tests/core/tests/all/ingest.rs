//! Which messages make a batch.

use bytes::Bytes;
use sluicegate::pipeline::ingest::Ingest;
use sluicegate::pipeline::limits::{BATCH_MESSAGES_MAX, SPARE_BYTES_MAX};
use sluicegate::pipeline::message::{Finding, Findings, Message, SourceId, Span};
use sluicegate::pipeline::threshold::Threshold;

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

/// Large lists are not kept beyond a bound in bytes, however few batches they are of.
#[test]
fn memory_that_is_kept_is_bounded() {
    let mut ingest = Ingest::new(SourceId::Broker);
    let block = Bytes::from(vec![0; 9]);
    let lists = BATCH_MESSAGES_MAX * size_of::<Message>();
    let many = SPARE_BYTES_MAX / lists + 2;
    for receipt in 0..(many * BATCH_MESSAGES_MAX) as u64 {
        ingest.push(&block, message(), receipt, threshold(25.0));
    }
    let mut batches: Vec<_> = std::iter::from_fn(|| ingest.next_batch()).collect();
    assert_eq!(batches.len(), many);
    // Again and again: what serves is not counted as kept.
    for _ in 0..3 {
        batches.drain(..).for_each(|batch| ingest.recycle(batch));
        for receipt in 0..many as u64 {
            // Receipts that do not follow open a batch each.
            ingest.push(&block, message(), 2 * receipt, threshold(25.0));
        }
        batches.extend(std::iter::from_fn(|| ingest.next_batch()));
        let capacities = batches.iter().map(|batch| batch.messages.capacity());
        let reused = capacities.sum::<usize>() * size_of::<Message>();
        let range = SPARE_BYTES_MAX - lists..=SPARE_BYTES_MAX + many * 64;
        assert!(range.contains(&reused), "{reused}");
    }
}

/// What waits for the threshold is copied out of its block, and says the same; what was copied is
/// left alone.
#[test]
fn what_is_gathered_does_not_keep_its_block() {
    let mut ingest = Ingest::new(SourceId::Hub);
    for receipt in [0, 1] {
        let block = Bytes::from(b"..topic..body..".to_vec());
        let message = Message { origin: Span::new(2..7), body: Span::new(9..13) };
        ingest.push(&block, message, receipt, threshold(25.0));
        let bytes = ingest.gather();
        assert!(bytes > 9, "{bytes}");
        assert_eq!(ingest.gather(), 0);
        assert!(block.is_unique());
    }
    while let Some(batch) = ingest.next_batch() {
        let [message] = batch.messages[..] else { panic!("{batch:?}") };
        assert_eq!(message.origin.of(&batch.block), b"topic");
        assert_eq!(message.body.of(&batch.block), b"body");
        assert_eq!(batch.block.len(), 11, "with the packet id between them");
    }
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
