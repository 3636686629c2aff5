//! The parser pool: threads that judge batches.
//!
//! - In: batches from a bounded queue. Out: judged batches on a second bounded queue, in any order.
//! - Each thread owns its parser and its scratch memory; they share nothing but the queues.
//! - Bounded: both queues hold [`PIPELINE_BATCHES_MAX`] batches, and ingest lets no more than that
//!   many out, so neither queue is ever full and no thread ever waits for a later stage.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::Notify;

use crate::limits::PIPELINE_BATCHES_MAX;
use crate::message::{Alert, Batch, Judged, Sample};
use crate::parse::{JsonPath, Malformed, Parser, Verdict};

/// The running pool. Dropping `batches` ends its threads once the queue is empty.
#[derive(Debug)]
pub struct Pool {
    /// Where batches go in.
    pub batches: Sender<Batch>,
    /// Where judged batches come out.
    pub judged: Receiver<Judged>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `workers` threads that read the number at `path` in every body. `wake` is notified
    /// after each judged batch.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(workers: usize, path: &JsonPath, wake: &Arc<Notify>) -> io::Result<Self> {
        let (batches, incoming) = bounded::<Batch>(PIPELINE_BATCHES_MAX);
        let (outgoing, judged) = bounded(PIPELINE_BATCHES_MAX);
        let mut threads = Vec::with_capacity(workers);
        for index in 0..workers {
            let (incoming, outgoing) = (incoming.clone(), outgoing.clone());
            let (mut parser, wake) = (Parser::new(path.clone()), Arc::clone(wake));
            threads.push(Builder::new().name(format!("parser-{index}")).spawn(move || {
                for batch in incoming {
                    if outgoing.send(judge(&mut parser, batch)).is_err() {
                        return;
                    }
                    wake.notify_one();
                }
            })?);
        }
        Ok(Self { batches, judged, threads })
    }

    /// Ends the pool and waits for its threads; batches that are still queued are dropped.
    pub fn stop(self) {
        drop(self.batches);
        drop(self.judged);
        for thread in self.threads {
            // A panic in a worker aborts the process in release builds; tests see it here.
            thread.join().expect("a parser thread panicked");
        }
    }
}

/// Judges every message of a batch by the batch's own threshold.
pub fn judge(parser: &mut Parser, batch: Batch) -> Judged {
    let Batch { sequence, threshold, receipts, messages } = batch;
    let mut judged = Judged {
        sequence,
        threshold,
        receipts,
        messages: u32::try_from(messages.len()).unwrap_or(u32::MAX),
        alerts: Vec::new(),
        malformed: [0; Malformed::ALL.len()],
        sample: None,
    };
    for message in messages {
        match parser.judge(&message.body, threshold) {
            Verdict::Alert(temperature) => judged.alerts.push(Alert { message, temperature }),
            Verdict::Below | Verdict::NoTemperature => {}
            Verdict::Malformed(reason) => {
                judged.malformed[reason as usize] += 1;
                judged.sample.get_or_insert_with(|| Sample { reason, body: message.body });
            }
        }
    }
    judged
}
