//! SIGTERM, SIGINT and SIGHUP, as a fact that is looked at.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sluicegate::host::signals::{StopSignals, runtime};
use tokio::runtime::Builder;

/// Whether this process was asked to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// From now on the signals do not end the process by themselves. The thread that waits for them
    /// ends with the first one or with the process.
    ///
    /// # Errors
    /// The system refuses the handlers or the thread.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        let runtime = runtime(Builder::new_current_thread().enable_all())?;
        let mut signals = {
            let _context = runtime.enter();
            StopSignals::new()?
        };
        let asked = stop.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(signals.wait());
            asked.ask();
        })?;
        Ok(stop)
    }

    /// Asks it to end.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}
