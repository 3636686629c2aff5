//! For tests: what the thread of a test logs.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;

/// The lines that this thread has logged since.
pub(crate) struct Captured {
    written: Sink,
    _guard: DefaultGuard,
}

/// From now on, until it is dropped, the lines of this thread are kept.
pub(crate) fn capture() -> Captured {
    let written = Sink::default();
    let sink = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .event_format(crate::host::logging::EdgeAgentFormat::named(""))
        .with_writer(move || sink.clone())
        .finish();
    Captured { written, _guard: tracing::subscriber::set_default(subscriber) }
}

impl Captured {
    /// Those that hold `part`.
    pub(crate) fn lines(&self, part: &str) -> Vec<String> {
        let written = self.written.0.lock().unwrap();
        let text = String::from_utf8_lossy(&written);
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
