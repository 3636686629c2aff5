//! What outlives the connections of a client, and the lines about their beginnings and ends.
//!
//! The lines are the same for every client, so they are made by functions that know none of them.

use std::pin::pin;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::reconnect::{self, Loss, Reconnect};
use super::{FailedAttempt, now};
use crate::host::files::reread::Watch;
use crate::host::logging::outage::{Away, Lasting, Notice, Outage, STEADY_AFTER};

/// What outlives the connections of a client.
#[derive(Default)]
pub(super) struct Life {
    pub(super) reconnect: Reconnect,
    outage: Outage,
    /// How long to wait before the next attempt.
    pub(super) wait: Option<Duration>,
    /// The files that the last attempt has read.
    pub(super) files: Watch,
    /// The last loss was one of many, and has no line in the log. The connection behind it has none
    /// either.
    is_quiet: bool,
}

impl Life {
    /// An attempt to connect failed.
    #[cold]
    pub(super) fn failed(&mut self, client_id: &str, failed: &FailedAttempt) {
        self.reconnect.failed(failed.answer);
        let notice = self.outage.failed(&failed.text, now());
        let (line, next) = (line(notice, client_id, &failed.text), self.next_attempt());
        match notice {
            Notice::Nothing => debug!("{line}{next}"),
            _ => error!("{line}{next}"),
        }
    }

    /// A connection was made, and the log says so. But where many before it ended fast, this
    /// returns the line instead, to be logged once the connection has lasted.
    #[cold]
    pub(super) fn connected(
        &mut self,
        endpoint: &str,
        client_id: &str,
        session_present: bool,
    ) -> Option<String> {
        let line =
            format!("connected to {endpoint} as {client_id}, session present: {session_present}");
        let so_far = self.outage.so_far(now());
        let away = self.outage.works(now());
        let was_long = away.is_some_and(|away| away.time >= STEADY_AFTER);
        if self.is_quiet && !was_long {
            debug!("{line}{}", after(away));
            return Some(format!("{line}, for {} now{}", Lasting(STEADY_AFTER), after(so_far)));
        }
        info!("{line}{}", after(away));
        None
    }

    /// A connection was lost, which `text` says.
    #[cold]
    pub(super) fn lost(&mut self, client_id: &str, loss: &Loss, text: &str) {
        let is_shared = self.reconnect.lost(loss);
        let outage = &mut self.outage;
        let notice =
            if loss.has_worked { outage.cut(text, now()) } else { outage.failed(text, now()) };
        self.is_quiet = notice == Notice::Nothing;
        let (line, next) = (line(notice, client_id, text), self.next_attempt());
        match notice {
            Notice::Nothing => debug!("{line}{next}"),
            _ => warn!("{line}{next}"),
        }
        if is_shared {
            warn!(
                "as {client_id}: {} connections in a row ended within seconds: probably a second \
                 process connects as {client_id} too, and each throws the other out; give each an \
                 identity of its own",
                reconnect::THROWN_OUT
            );
        }
    }

    /// The outage is over: the next failure is logged in full.
    pub(super) fn forget_outage(&mut self) {
        self.outage.forget();
        self.is_quiet = false;
    }

    /// Draws the wait before the next attempt, for the end of a line.
    fn next_attempt(&mut self) -> String {
        self.wait = self.reconnect.wait(fastrand::f64());
        let next_attempt = |wait: Duration| format!("; next attempt in {} ms", wait.as_millis());
        self.wait.map(next_attempt).unwrap_or_default()
    }
}

/// Runs `serving` to its end, and logs the line `holds` once that has lasted for [`STEADY_AFTER`].
pub(super) async fn log_once_lasting<T>(
    serving: impl Future<Output = T>,
    holds: Option<String>,
) -> T {
    let mut serving = pin!(serving);
    if let Some(line) = holds {
        tokio::select! {
            biased;
            served = &mut serving => return served,
            () = tokio::time::sleep(STEADY_AFTER) => info!("{line}"),
        }
    }
    serving.await
}

/// Waits for `time`, or until one of the files that the next attempt reads has changed.
pub(super) async fn pause(time: Duration, files: &Watch) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        path = files.wait() => info!("{} has changed: next attempt now", path.display()),
    }
}

/// The log line on what `client_id` could not do, or still cannot.
fn line(notice: Notice, client_id: &str, text: &str) -> String {
    match notice {
        Notice::Full | Notice::Nothing => format!("as {client_id}: {text}"),
        Notice::Still(away) => format!("as {client_id}: still, after {away}: {text}"),
    }
}

/// How long there was no connection, for the end of a line.
fn after(away: Option<Away>) -> String {
    away.map_or_else(String::new, |away| format!(", after {away}"))
}
