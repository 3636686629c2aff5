//! When the state is written, and what happens where it cannot be.

use std::time::{Duration, Instant};

use super::HubError;
use super::persistence::StateFile;
use super::state::HubState;
use super::tally::worth_a_line;
use super::twin_document::TwinDocument;

/// Pause after a file that could not be written, before it is tried again by itself.
const SAVE_RETRY: Duration = Duration::from_secs(1);

impl HubState {
    /// Writes what has changed since the last call. A failure is logged and tried again with later
    /// calls, not more often than each [`SAVE_RETRY`]: a full disk must not stop the messages.
    pub(super) fn save(&mut self) {
        if !self.folder.any_changed() {
            return;
        }
        let now = Instant::now();
        let has_failed = self.folder.retry_at.is_some();
        if self.folder.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let saved = self.try_save();
        self.folder.retry_at = saved.is_err().then(|| now + SAVE_RETRY);
        match saved {
            Err(error) => {
                self.counters.save_failures += 1;
                let total = self.counters.save_failures;
                if worth_a_line(total) {
                    tracing::error!(%error, total, "state not saved: tried again");
                }
            }
            Ok(()) if has_failed => tracing::info!("state saved"),
            Ok(()) => {}
        }
    }

    /// As [`HubState::save`], at once, and tells the first failure.
    pub(super) fn try_save(&mut self) -> Result<(), HubError> {
        let mut outcome = Ok(());
        for file in StateFile::ALL {
            if *self.folder.changed(file) {
                outcome = outcome.and(self.folder.write(file, &self.peers));
            }
        }
        outcome
    }

    /// Writes a file whose content a client or command has changed, before it is told so. When
    /// that fails, the caller puts back what it changed, and tells.
    ///
    /// # Errors
    /// The file is as it was.
    pub(super) fn commit(&mut self, file: StateFile) -> Result<(), HubError> {
        self.folder.write(file, &self.peers).inspect_err(|_| self.counters.save_failures += 1)
    }

    /// Puts a twin in a peer's place and keeps it; the old one stays when that fails.
    pub(super) fn keep_twin(&mut self, peer: usize, twin: TwinDocument) -> Result<(), HubError> {
        let before = std::mem::replace(&mut self.peers[peer].twin, twin);
        self.commit(StateFile::Twins).inspect_err(|_| self.peers[peer].twin = before)
    }
}
