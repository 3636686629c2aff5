//! SIGINT, SIGTERM and SIGHUP for a thread without a runtime.

use std::io;

use crossbeam_channel::{Receiver, bounded};
use rustix::process::Signal;
use sluicegate::host::signals::{StopSignals, runtime};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::output;

/// The signals as a value in a channel: from now on they do not end the process by themselves. The
/// thread that waits for them ends with the first signal or with the process.
///
/// # Errors
/// The system refuses the handlers or the thread.
pub(crate) fn stop_channel() -> io::Result<Receiver<()>> {
    let (sender, receiver) = bounded(1);
    on_stop(move || {
        // An error means that nobody waits any more.
        let _ = sender.send(());
    })?;
    Ok(receiver)
}

/// Does `action` at the first signal, in a thread of its own; from now on they do not end the
/// process by themselves.
///
/// # Errors
/// The system refuses the handlers or the thread.
pub(crate) fn on_stop(action: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = runtime(Builder::new_current_thread().enable_all())?;
    let mut signals = {
        let _context = runtime.enter();
        StopSignals::new()?
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(signals.wait());
        output::stopping();
        action();
    })?;
    Ok(())
}

/// From now on a write beyond the limit of file sizes is an error, as on a full disk, and no longer
/// the end of the process. Within a tokio runtime.
///
/// # Errors
/// The system refuses the handler.
pub(crate) fn outlive_file_limit() -> io::Result<()> {
    // The handler stays when this is dropped.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}
