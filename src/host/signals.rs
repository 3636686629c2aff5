//! SIGTERM, SIGINT and SIGHUP, as one event that can be waited for, and the runtimes that hear
//! them.

use std::future::pending;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Builds a runtime. The first that can handle signals makes a pair of sockets for the process, and
/// panics where the system refuses them: so there must be room for all that it opens.
///
/// # Errors
/// The system refuses descriptors.
pub fn runtime(builder: &mut Builder) -> io::Result<Runtime> {
    static HAS_PAIR: OnceLock<()> = OnceLock::new();
    if HAS_PAIR.get().is_none() {
        // The poll and what wakes it, the pair, and a copy of one end.
        let (one, _other) = UnixStream::pair()?;
        let _copies = [one.try_clone()?, one.try_clone()?, one.try_clone()?];
    }
    let runtime = builder.build()?;
    HAS_PAIR.get_or_init(|| ());
    Ok(runtime)
}

/// The signals that ask a process to end in order. From its creation on they no longer end the
/// process by themselves.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` when whoever started the process had SIGHUP ignored.
    hangup: Option<Signal>,
}

impl StopSignals {
    /// Takes the signals over. Within a tokio runtime.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub fn new() -> io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hangup =
            if ignores_hangup(&status) { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
        })
    }

    /// Waits for the first of them, and names it.
    pub async fn wait(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => drop(signal.recv().await),
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = hangup => "SIGHUP",
        }
    }
}

/// Whether a process with this `/proc/self/status` ignores SIGHUP, as one does that `nohup` has
/// started: then it is to outlive its terminal. Signal 1 is the mask's lowest bit.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        for (mask, expected) in [
            ("0000000000001001", true),
            ("0000000000000001", true),
            ("0000000000001000", false),
            ("nonsense", false),
        ] {
            assert_eq!(ignores_hangup(&status(mask)), expected, "{mask}");
        }
        assert!(!ignores_hangup(""));
    }
}
