//! Log lines on their way to a reader that may be slow, stuck or gone.
//!
//! - In: whole lines from any thread, none of which ever waits. Out: the same in order, written by
//!   the thread `log`, which alone waits for the reader.
//! - Bounded: [`LOG_QUEUE_BYTES_MAX`] wait while as many are written. Beyond that lines are dropped
//!   and counted until there is room; in their place one line says how many.
//! - At the end what waits is written, for [`LOG_FLUSH_MAX`] at most.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use tracing_subscriber::fmt::MakeWriter;

use crate::host::limits::{LOG_FLUSH_MAX, LOG_QUEUE_BYTES_MAX};

/// The queue's end, where the lines go. Dropped, it waits until they are written, within bounds.
#[must_use = "dropped, it ends the log"]
pub struct Log(Lines);

/// The queue's beginning: each write is one line, which fails once the log has ended.
#[derive(Clone)]
pub struct Lines(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whole lines.
    waiting: Vec<u8>,
    /// Lines that came behind them and had no room.
    dropped: u64,
    is_writing: bool,
    is_closed: bool,
}

impl Log {
    /// Starts the thread that writes to `target`. `line_of_dropped` makes the line that stands for
    /// lines that were dropped, of their number.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start(
        target: impl Write + Send + 'static,
        line_of_dropped: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let lines = Lines(Arc::default());
        let queue = Arc::clone(&lines.0);
        Builder::new()
            .name("log".to_owned())
            .spawn(move || queue.write_out(target, line_of_dropped))?;
        Ok(Self(lines))
    }

    /// Where lines are put.
    pub fn lines(&self) -> Lines {
        self.0.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let Lines(queue) = &self.0;
        let mut state = queue.lock();
        state.is_closed = true;
        queue.changed.notify_all();
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        // A reader that is stuck must not hold up the end.
        let _ = queue.changed.wait_timeout_while(state, LOG_FLUSH_MAX, is_busy);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // Once one is dropped so are those behind it, so that the count stands in their place.
        if state.dropped > 0 || state.waiting.len() + line.len() > LOG_QUEUE_BYTES_MAX {
            state.dropped += 1;
        } else {
            state.waiting.extend_from_slice(line);
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread `log`: writes what waits until the log is closed.
    fn write_out(&self, mut target: impl Write, line_of_dropped: impl Fn(u64) -> String) {
        let mut batch = Vec::new();
        while let Some(dropped) = self.take(&mut batch) {
            if dropped > 0 {
                batch.extend_from_slice(line_of_dropped(dropped).as_bytes());
            }
            // Where nobody reads any more there is nobody to complain to.
            let _ = target.write_all(&batch).and_then(|()| target.flush());
            batch.clear();
        }
    }

    /// Waits for lines, swaps them for the empty `batch`, and says how many behind them were
    /// dropped; `None` when there is nothing left of a closed log.
    fn take(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        state.is_writing = false;
        self.changed.notify_all();
        while state.waiting.is_empty() {
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_writing = true;
        std::mem::swap(&mut state.waiting, batch);
        Some(std::mem::take(&mut state.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{Receiver, Sender, bounded};
    use std::time::{Duration, Instant};

    /// Longest wait for another thread before a test fails.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A reader that takes a write when it is told to, and for ever once the teller is gone.
    struct Reader {
        go_on: Receiver<()>,
        begun: Sender<()>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            let _ = self.go_on.recv();
            let _ = self.taken.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The log, what lets its reader go on, what tells that it began a write, and what it took.
    fn log() -> (Log, Sender<()>, Receiver<()>, Receiver<Vec<u8>>) {
        let ((go, go_on), (begun, begins)) = (bounded(0), bounded(100));
        let (taken, takes) = bounded(100);
        let reader = Reader { go_on, begun, taken };
        let log = Log::start(reader, |count| format!("{count} dropped\n")).unwrap();
        (log, go, begins, takes)
    }

    /// A stuck reader holds up no line; what has no room is counted where it would have stood, and
    /// the lines around it keep their order.
    #[test]
    fn lines_beyond_the_bound_are_dropped_and_counted_in_their_place() {
        let (log, go, begins, takes) = log();
        let mut lines = log.lines();
        lines.write_all(b"first\n").unwrap();
        begins.recv_timeout(PATIENCE).unwrap();
        let line = vec![b'x'; LOG_QUEUE_BYTES_MAX / 4];
        for _ in 0..4 {
            lines.write_all(&line).unwrap();
        }
        for _ in 0..3 {
            lines.write_all(&line).unwrap();
        }
        lines.write_all(b"fits, but not in order\n").unwrap();
        go.send_timeout((), PATIENCE).unwrap();
        assert_eq!(takes.recv_timeout(PATIENCE).unwrap(), b"first\n");
        begins.recv_timeout(PATIENCE).unwrap();
        lines.write_all(b"last\n").unwrap();
        drop(go);
        let batch = takes.recv_timeout(PATIENCE).unwrap();
        assert_eq!(batch.len(), 4 * line.len() + b"4 dropped\n".len());
        assert!(batch.ends_with(b"x4 dropped\n"));
        assert_eq!(takes.recv_timeout(PATIENCE).unwrap(), b"last\n");
    }

    /// Whatever was logged before the end is written, in order.
    #[test]
    fn the_end_writes_what_waits() {
        let (log, go, begins, takes) = log();
        let mut lines = log.lines();
        for number in 0..100 {
            writeln!(lines, "{number}").unwrap();
        }
        drop(go);
        begins.recv_timeout(PATIENCE).unwrap();
        drop(log);
        let text: Vec<u8> = takes.try_iter().flatten().collect();
        let expected: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    /// A reader that is stuck holds the end up for no longer than the bound.
    #[test]
    fn the_end_does_not_wait_for_a_stuck_reader() {
        let (log, go, begins, _takes) = log();
        log.lines().write_all(b"line\n").unwrap();
        begins.recv_timeout(PATIENCE).unwrap();
        let (ended, end) = bounded(1);
        let started = Instant::now();
        std::thread::spawn(move || {
            drop(log);
            ended.send(started.elapsed()).unwrap();
        });
        let took = end.recv_timeout(PATIENCE).expect("the end waits for the reader");
        assert!(took >= LOG_FLUSH_MAX, "{took:?}");
        drop(go);
    }
}
