//! When the sensor is told to quit: `q` and Enter, SIGINT, SIGTERM, SIGHUP.
//!
//! Standard input has a thread of its own, as reading it cannot be interrupted; it ends with the
//! process. Standard input that is closed, as in a container, is no reason to quit.

use std::future::pending;
use std::io::{self, BufRead};
use std::thread;

use tokio::sync::oneshot;

use crate::host::signals::StopSignals;

/// Everything that can tell the sensor to quit.
pub(super) struct Signals {
    signals: StopSignals,
    typed: oneshot::Receiver<()>,
}

impl Signals {
    /// Begins to listen. Within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        let (quit, typed) = oneshot::channel();
        thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            if asks_to_quit(io::stdin().lock()) {
                // Nobody is there to listen only when the sensor quits already.
                let _ = quit.send(());
            }
        })?;
        Ok(Self { signals: StopSignals::new()?, typed })
    }

    /// Waits for the first of them, and names it.
    pub(super) async fn requested(mut self) -> &'static str {
        let typed = async {
            if self.typed.await.is_err() {
                // Standard input is closed.
                pending::<()>().await;
            }
        };
        tokio::select! {
            signal = self.signals.wait() => signal,
            () = typed => "q",
        }
    }
}

/// Reads until a line says `q` or `Q` (true) or until there is no more (false). Memory is that of
/// the reader's own buffer, however long a line is.
fn asks_to_quit(mut input: impl BufRead) -> bool {
    // Of the line so far: what it says without white space around, as far as that matters.
    let mut line = Line::Blank;
    loop {
        let read = match input.fill_buf() {
            Ok([]) => return line == Line::Quit,
            Ok(bytes) => {
                for byte in bytes {
                    match line.then(*byte) {
                        None => return true,
                        Some(next) => line = next,
                    }
                }
                bytes.len()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => return false,
        };
        input.consume(read);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Blank,
    Quit,
    Other,
}

impl Line {
    /// The line with one more byte; `None` at the end of a line that says quit.
    fn then(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Quit, b'\n') => None,
            (_, b'\n') => Some(Self::Blank),
            (line, byte) if byte.is_ascii_whitespace() => Some(line),
            (Self::Blank, b'q' | b'Q') => Some(Self::Quit),
            _ => Some(Self::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the input is cut into reads, the answer is the same.
    fn check(input: &str, expected: bool) {
        for size in 1..8 {
            let reader = io::BufReader::with_capacity(size, input.as_bytes());
            assert_eq!(asks_to_quit(reader), expected, "{input:?} in reads of {size}");
        }
    }

    #[test]
    fn q_on_a_line_of_its_own_quits() {
        for input in ["q\n", "Q\n", " q \r\n", "hello\nq\nmore\n", "\n\nQ\n", "q"] {
            check(input, true);
        }
    }

    #[test]
    fn anything_else_and_a_closed_input_do_not() {
        for input in ["", "\n", "quit\n", "qq\n", "q q\n", "no q\n", &"x".repeat(10_000)] {
            check(input, false);
        }
    }

    #[test]
    fn an_input_that_fails_does_not_quit() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        assert!(!asks_to_quit(io::BufReader::new(Broken)));
    }
}
