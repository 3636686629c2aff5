//! SIGINT and SIGTERM as a value that can be waited for.

use std::io;

use crossbeam_channel::{Receiver, bounded};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From its creation on, the two signals no longer end the process: they are kept for
/// [`StopSignals::wait`].
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub(crate) fn new(runtime: &Runtime) -> io::Result<Self> {
        let _context = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { interrupt, terminate })
    }

    /// Waits for either signal.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The two signals as a value in a channel, for a thread without a runtime. The thread that waits
/// for them ends with the first signal or with the process.
///
/// # Errors
/// The system refuses the handlers or the thread.
pub(crate) fn stop_channel() -> io::Result<Receiver<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = StopSignals::new(&runtime)?;
    let (sender, receiver) = bounded(1);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(signals.wait());
        // An error means that nobody waits any more.
        let _ = sender.send(());
    })?;
    Ok(receiver)
}
