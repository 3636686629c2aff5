//! The parser pool: threads that judge batches.
//!
//! - In: batches from a bounded queue. Out: the same batches with their findings, on a second
//!   bounded queue, in any order.
//! - Each thread owns its parser and its scratch memory; they share nothing but the queues.
//! - Bounded: both queues hold [`PIPELINE_BATCHES_MAX`] batches, and no more than that are let out,
//!   so neither queue is ever full and no thread ever waits for a later stage. What the pool does
//!   not take, the ingest thread judges itself.
//! - A pool of no threads takes nothing: on one or two cores a hand-over costs more than it gains.

use std::io;
use std::sync::Arc;

use crate::host::threads::{Builder, JoinHandle, Notify, Receiver, Sender, TrySendError, bounded};
use crate::pipeline::limits::PIPELINE_BATCHES_MAX;
use crate::pipeline::message::{Batch, Finding, SourceId};
use crate::pipeline::parse::{JsonPath, Parser, Verdict};

/// What wakes the connection of each source, in the order of [`SourceId::ALL`].
pub type SourceWakes = [Arc<Notify>; SourceId::ALL.len()];

/// The running pool.
#[derive(Debug)]
pub struct Pool {
    /// None once it is stopped.
    batches: Option<Sender<Batch>>,
    judged: Receiver<Batch>,
    threads: Vec<JoinHandle<()>>,
    /// Those who judge.
    workers: usize,
    /// Batches that are not back yet.
    out: usize,
}

/// One who judges: a thread, or a test in place of one.
pub(crate) struct Worker {
    parser: Parser,
    outgoing: Sender<Batch>,
    wakes: SourceWakes,
}

impl Worker {
    /// Judges a batch, hands it back and wakes the connection of its source. False once nobody
    /// takes it.
    pub(crate) fn work(&mut self, mut batch: Batch) -> bool {
        judge(&mut self.parser, &mut batch);
        let source = batch.source;
        if self.outgoing.send(batch).is_err() {
            return false;
        }
        self.wakes[source as usize].notify_one();
        true
    }
}

impl Pool {
    /// Starts `workers` threads that read the number at `path` in every body. After each batch the
    /// connection of its source is woken.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(workers: usize, path: &JsonPath, wakes: &SourceWakes) -> io::Result<Self> {
        let (mut pool, incoming, outgoing) = Self::of(workers);
        for index in 0..workers {
            let (incoming, outgoing) = (incoming.clone(), outgoing.clone());
            let (parser, wakes) = (Parser::new(path.clone()), wakes.clone());
            let mut worker = Worker { parser, outgoing, wakes };
            pool.threads.push(Builder::new().name(format!("parser-{index}")).spawn(move || {
                for batch in incoming {
                    if !worker.work(batch) {
                        return;
                    }
                }
            })?);
        }
        Ok(pool)
    }

    /// A pool whose batches come out, to be judged by the worker in any order.
    #[cfg(test)]
    pub(crate) fn by_hand(path: &JsonPath, wakes: &SourceWakes) -> (Self, Receiver<Batch>, Worker) {
        let (pool, incoming, outgoing) = Self::of(1);
        let (parser, wakes) = (Parser::new(path.clone()), wakes.clone());
        (pool, incoming, Worker { parser, outgoing, wakes })
    }

    fn of(workers: usize) -> (Self, Receiver<Batch>, Sender<Batch>) {
        let (batches, incoming) = bounded::<Batch>(PIPELINE_BATCHES_MAX);
        let (outgoing, judged) = bounded(PIPELINE_BATCHES_MAX);
        let threads = Vec::with_capacity(workers);
        (Self { batches: Some(batches), judged, threads, workers, out: 0 }, incoming, outgoing)
    }

    /// Whether there is no thread to judge anything.
    pub fn is_empty(&self) -> bool {
        self.workers == 0
    }

    /// Hands a batch over.
    ///
    /// # Errors
    /// The batch comes back when the pool takes no more.
    #[expect(clippy::result_large_err, reason = "the batch itself, to be judged on the spot")]
    pub fn submit(&mut self, batch: Batch) -> Result<(), Batch> {
        match &self.batches {
            Some(batches) if !self.is_empty() && self.out < PIPELINE_BATCHES_MAX => {
                batches.try_send(batch).map_err(TrySendError::into_inner)?;
                self.out += 1;
                Ok(())
            }
            _ => Err(batch),
        }
    }

    /// The next batch that was judged.
    pub fn next_judged(&mut self) -> Option<Batch> {
        let batch = self.judged.try_recv().ok()?;
        self.out -= 1;
        Some(batch)
    }

    /// Ends the pool and waits for its threads, which finish what is queued; there is room for all
    /// of it.
    pub fn stop(&mut self) {
        self.batches = None;
        self.workers = 0;
        for thread in self.threads.drain(..) {
            // A panic in a worker aborts the process in release builds; tests see it here.
            thread.join().expect("a parser thread panicked");
        }
    }
}

/// Judges every message of a batch by the batch's own threshold.
pub fn judge(parser: &mut Parser, batch: &mut Batch) {
    let Batch { block, messages, findings, threshold, .. } = batch;
    for (index, message) in (0u32..).zip(messages.iter()) {
        match parser.judge(message.body.of(block), *threshold) {
            Verdict::Alert(temperature) => findings.alerts.push(Finding { index, temperature }),
            Verdict::Below | Verdict::NoTemperature => {}
            Verdict::Malformed(reason) => {
                findings.malformed[reason as usize] += 1;
                findings.sample.get_or_insert((reason, *message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::message::{Findings, Message, Span};
    use crate::pipeline::threshold::Threshold;
    use bytes::Bytes;

    /// A batch of one message that is an alert.
    fn hot(sequence: u64) -> Batch {
        let block = Bytes::from_static(br#"{"machine":{"temperature":99}}"#);
        let message = Message { origin: Span::new(0..0), body: Span::new(0..block.len()) };
        Batch {
            source: SourceId::Hub,
            sequence,
            threshold: Threshold::DEFAULT,
            first_receipt: sequence,
            block,
            messages: vec![message],
            findings: Findings::default(),
            kept_bytes: 0,
        }
    }

    fn pool(workers: usize) -> Pool {
        Pool::start(workers, &JsonPath::default(), &Default::default()).expect("threads")
    }

    #[test]
    fn a_pool_of_no_threads_takes_nothing() {
        let mut pool = pool(0);
        assert!(pool.is_empty() && pool.submit(hot(0)).is_err());
        assert!(pool.next_judged().is_none());
    }

    /// As many are let out as the queues hold, and one more for each that is taken back. At the end
    /// all that was taken is judged, and nothing more is taken.
    #[test]
    fn what_is_let_out_is_bounded_and_judged_to_its_end() {
        let mut pool = pool(2);
        assert!(!pool.is_empty());
        let mut sequence = 0;
        let mut submit = |pool: &mut Pool| {
            let is_taken = pool.submit(hot(sequence)).is_ok();
            sequence += u64::from(is_taken);
            is_taken
        };
        assert!((0..PIPELINE_BATCHES_MAX).all(|_| submit(&mut pool)));
        assert!(!submit(&mut pool));
        for _ in 0..3 * PIPELINE_BATCHES_MAX {
            // One is judged soon; each is alert, and there is room for one more.
            let judged = loop {
                match pool.next_judged() {
                    Some(judged) => break judged,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(judged.findings.alerts.len(), 1);
            assert!(submit(&mut pool) && !submit(&mut pool));
        }
        pool.stop();
        assert!(pool.is_empty() && !submit(&mut pool));
        assert_eq!(std::iter::from_fn(|| pool.next_judged()).count(), PIPELINE_BATCHES_MAX);
    }
}
