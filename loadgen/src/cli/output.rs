//! Printing where a reader may go away (`| head`): that is the end, not a fault. A reader that
//! takes nothing holds a command up, but not its end: see [`stopping`].

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sluicegate::host::logging::queue::Lines;

use super::CommandError;

/// How long a reader may hold up the output of a process that was asked to end.
const READER_WAIT: Duration = Duration::from_secs(1);
/// How often it is looked whether that is so.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// So much fits into a pipe that has room at all (`PIPE_BUF` of Linux).
const PIPE_BYTES: usize = 4096;

/// When this process was asked to end.
static STOPPING: OnceLock<Instant> = OnceLock::new();
/// Where notes go in a command that logs too, so that the two never wait for each other.
static NOTES: OnceLock<Lines> = OnceLock::new();

/// The process was asked to end: from now on its readers have [`READER_WAIT`].
pub(super) fn stopping() {
    STOPPING.get_or_init(Instant::now);
}

/// From now on notes are lines of this log.
pub(super) fn note_in(lines: Lines) {
    // Another one only in tests.
    let _ = NOTES.set(lines);
}

/// Prints one line on standard output.
///
/// # Errors
/// [`CommandError::silent`] when the reader has gone, or takes nothing although the process was
/// asked to end; otherwise that writing failed.
pub(crate) fn print(text: impl Display) -> Result<(), CommandError> {
    match write_line(io::stdout().lock(), &format!("{text}\n")) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::TimedOut) => {
            Err(CommandError::silent())
        }
        Err(error) => Err(CommandError::internal(&error)),
    }
}

/// Prints one line for people on standard error, if anybody still reads it.
pub(crate) fn note(text: impl Display) {
    let line = format!("{text}\n");
    let is_logged =
        NOTES.get().is_some_and(|lines| lines.clone().write_all(line.as_bytes()).is_ok());
    if !is_logged {
        let _ = write_line(io::stderr().lock(), &line);
    }
}

/// Writes a line in pieces, each of which the reader has room for.
fn write_line(mut out: impl Write + AsFd, line: &str) -> io::Result<()> {
    for piece in line.as_bytes().chunks(PIPE_BYTES) {
        wait_for_room(&out)?;
        out.write_all(piece)?;
        out.flush()?;
    }
    Ok(())
}

fn wait_for_room(out: &impl AsFd) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(out, PollFlags::OUT)], Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            // Of what cannot be waited for, writing says what is wrong.
            Ok(_) | Err(_) => return Ok(()),
        }
        if STOPPING.get().is_some_and(|since| since.elapsed() >= READER_WAIT) {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}
