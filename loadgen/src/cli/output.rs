//! Printing where a reader may go away (`| head`): that is the end, not a fault.

use std::fmt::Display;
use std::io::{self, Write};

use super::CommandError;

/// Prints one line on standard output.
///
/// # Errors
/// [`CommandError::silent`] when the reader has gone; otherwise that writing failed.
pub(crate) fn print(text: impl Display) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CommandError::silent()),
        Err(error) => Err(CommandError::internal(&error)),
    }
}

/// Prints one line for people on standard error, if anybody still reads it.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
