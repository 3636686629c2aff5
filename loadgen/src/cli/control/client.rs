//! The command's end of the control socket.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::{ANSWER_BYTES_LIMIT, Answer, Request, socket_path};
use crate::cli::shell;

/// How long the request may take to be written: the hub reads at once or is stuck.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How long a hub may take to begin to listen.
const HUB_WAIT: Duration = Duration::from_secs(2);
/// Pause between two looks for it.
const HUB_POLL: Duration = Duration::from_millis(20);

/// Why a command got no answer.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// Nobody listens.
    #[error(
        "no hub is running with the state folder {folder}: start one with \
         `loadgen hub --state {quoted}`, or name another folder with --state",
        folder = .0.display(), quoted = shell::word(&.0.display().to_string())
    )]
    NoHub(PathBuf),
    /// The socket belongs to somebody else.
    #[error("{0} belongs to another user: run this as the user who started the hub")]
    Forbidden(PathBuf),
    /// The connection failed.
    #[error("the hub at {0} does not answer: {1}")]
    Io(PathBuf, io::Error),
    /// An answer that no hub of this version gives.
    #[error("the hub's answer is not understood: {0}; is it of another version?")]
    Answer(String),
}

/// Sends one request and gives its answer.
///
/// # Errors
/// [`ClientError`]; waits at most `wait` for the answer.
pub(crate) fn ask(
    state_dir: &Path,
    request: &Request,
    wait: Duration,
) -> Result<Answer, ClientError> {
    let mut answer = None;
    listen(state_dir, request, Some(wait), |line| {
        answer = Some(line);
        ControlFlow::Break(())
    })?;
    answer.ok_or_else(|| ClientError::Answer("the connection ended without one".to_owned()))
}

/// Sends one request and takes its answers until `take` breaks or the hub closes the connection.
///
/// # Errors
/// [`ClientError`]; with `wait`, also when no answer comes in that time.
pub(crate) fn listen(
    state_dir: &Path,
    request: &Request,
    wait: Option<Duration>,
    mut take: impl FnMut(Answer) -> ControlFlow<()>,
) -> Result<(), ClientError> {
    let mut stream = connect(state_dir)?;
    let failed = |error| ClientError::Io(socket_path(state_dir), error);
    let mut line =
        serde_json::to_vec(request).map_err(|error| ClientError::Answer(error.to_string()))?;
    line.push(b'\n');
    stream.set_write_timeout(Some(WRITE_WAIT)).map_err(failed)?;
    stream.set_read_timeout(wait).map_err(failed)?;
    stream.write_all(&line).map_err(failed)?;
    let mut reader = BufReader::new(&stream);
    loop {
        line.clear();
        let limit = ANSWER_BYTES_LIMIT as u64;
        (&mut reader).take(limit).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok(());
        }
        let answer = serde_json::from_slice(&line)
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        let is_message = matches!(answer, Answer::Message(_));
        let taken = take(answer);
        if is_message {
            // A hub that has gone needs not be told; what it sent is still to be read.
            let _ = (&stream).write_all(b"\n");
        }
        if taken.is_break() {
            return Ok(());
        }
    }
}

/// Waits for a hub that was started in the same breath, as `loadgen hub &` is.
fn connect(state_dir: &Path) -> Result<UnixStream, ClientError> {
    let deadline = Instant::now() + HUB_WAIT;
    loop {
        match try_connect(state_dir) {
            Err(ClientError::NoHub(_)) if Instant::now() < deadline => thread::sleep(HUB_POLL),
            connected => return connected,
        }
    }
}

fn try_connect(state_dir: &Path) -> Result<UnixStream, ClientError> {
    let path = socket_path(state_dir);
    UnixStream::connect(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            ClientError::NoHub(state_dir.to_owned())
        }
        ErrorKind::PermissionDenied => ClientError::Forbidden(path),
        _ => ClientError::Io(path, error),
    })
}
