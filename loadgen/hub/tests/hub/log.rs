//! What the hubs of this process log.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use crate::support::wait;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line).into_owned();
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the log from now on.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(|| Lines)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// The lines that hold all these parts.
pub(crate) fn lines(parts: &[&str]) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).cloned().collect()
}

/// Waits for a line that holds all these parts.
pub(crate) fn expect(parts: &[&str]) {
    wait_for(parts, |lines| !lines.is_empty());
}

fn wait_for(parts: &[&str], condition: impl Fn(&[String]) -> bool) {
    let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait(|| condition(&lines(parts)));
    }));
    assert!(shown.is_ok(), "no line with {parts:?}; with the first: {:#?}", lines(&parts[..1]));
}
