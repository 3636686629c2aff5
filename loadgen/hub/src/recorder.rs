//! The task that has batches written, one at a time, by a thread that may wait for the disk.
//!
//! While one batch is written the next one fills: messages that come together share a commit.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::HubError;
use super::durable::{Batch, Durable, MessageFile, Next};
use super::state::HubState;
use super::tally::worth_a_line;

/// Pause after a batch that could not be written, before it is tried again.
pub(super) const STORE_RETRY: Duration = Duration::from_secs(1);

/// Has batches written until the hub stops.
///
/// # Errors
/// What came last could not be written.
pub(crate) async fn run(hub: Rc<RefCell<HubState>>) -> Result<(), HubError> {
    let Some(mut file) = with(&hub, |durable| durable.file.take()).flatten() else {
        return Ok(());
    };
    let Some(work) = with(&hub, |durable| Arc::clone(&durable.work)) else { return Ok(()) };
    loop {
        let next = with(&hub, |durable| durable.next(Instant::now()));
        match next {
            Some(Next::Write(batch)) => {
                let written;
                (file, written) = write(file, batch).await;
                let outcome = hub.borrow_mut().note_written(written);
                if outcome.is_err() && with(&hub, |durable| durable.is_stopping) == Some(true) {
                    return outcome;
                }
            }
            Some(Next::Stored) => hub.borrow_mut().announce_stored(),
            Some(Next::Wait(None)) => work.notified().await,
            Some(Next::Wait(Some(until))) => {
                tokio::select! {
                    () = work.notified() => {}
                    () = sleep_until(until) => {}
                }
            }
            Some(Next::End) | None => {
                file.close();
                return Ok(());
            }
        }
    }
}

fn with<T>(hub: &RefCell<HubState>, act: impl FnOnce(&mut Durable) -> T) -> Option<T> {
    hub.borrow_mut().durable.as_mut().map(act)
}

/// A batch that was offered to the disk, and what became of it.
type Written = (Arc<Batch>, Result<(), HubError>);

async fn write(mut file: MessageFile, batch: Batch) -> (MessageFile, Written) {
    let batch = Arc::new(batch);
    let (path, shared) = (file.path().to_owned(), Arc::clone(&batch));
    let task = tokio::task::spawn_blocking(move || {
        let outcome = file.apply(&shared);
        (file, outcome)
    });
    match task.await {
        Ok((file, outcome)) => (file, (batch, outcome)),
        Err(error) => {
            // The store did what it never does; what it has on disk is whole.
            let reason = format!("cannot be written: {error}");
            let failed = HubError::NotSaved { file: path.clone(), reason };
            (MessageFile::closed(path), (batch, Err(failed)))
        }
    }
}

impl HubState {
    /// Sends the PUBACKs that waited for a batch, or logs why they go on waiting.
    fn note_written(&mut self, (batch, outcome): Written) -> Result<(), HubError> {
        let Some(durable) = &mut self.durable else { return Ok(()) };
        let has_failed = durable.retry_at.is_some();
        match outcome {
            Ok(()) => {
                durable.committed();
                if has_failed {
                    tracing::info!("messages are stored again, and acknowledged");
                }
                self.announce_stored();
                Ok(())
            }
            Err(error) => {
                durable.failed(&batch, Instant::now() + STORE_RETRY);
                self.counters.store_failures += 1;
                let total = self.counters.store_failures;
                if worth_a_line(total) {
                    let messages = batch.len();
                    tracing::error!(
                        %error, messages, total,
                        "messages not stored: their senders get no PUBACK; tried each second"
                    );
                }
                Err(error)
            }
        }
    }

    /// Wakes who has waited for a commit: publishers for their PUBACK or for room.
    fn announce_stored(&mut self) {
        let Some(durable) = &self.durable else { return };
        for peer in &mut self.peers {
            let ticket = peer.link.as_ref().and_then(|link| link.owed.front());
            if ticket.is_some_and(|(ticket, _)| durable.is_stored(*ticket)) {
                peer.wake();
            }
        }
        self.announce_room();
    }
}
