//! Files that settings name: regular ones, of a bounded size, read whole.
//!
//! Whatever a path leads to, reading it neither waits for anybody nor takes more memory than the
//! caller allows: a FIFO without a writer, a device without an end, a folder and a socket are
//! refused by what they are. Symbolic links are followed, as mounted secrets are made of them.

pub mod reread;

use std::fmt;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Most bytes of a TOML file with settings, and of a PEM file: some times what systems have.
pub const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// In UTF-8 it says nothing.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// The system has no such file, or does not let it be read.
    #[error("{}{}", .0, advice(.0))]
    Io(#[from] io::Error),
    /// It is something else than a file.
    #[error("it is {0}, not a regular file")]
    Irregular(Kind),
    /// It is larger than this.
    #[error("it is larger than {}, the most that is read", Size(*.0))]
    TooLarge(u64),
    /// It is no text.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It is text as Windows has it.
    #[error("it is UTF-16: save it as UTF-8")]
    Utf16,
}

/// What is not a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Folder,
    /// A FIFO or pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
}

impl Kind {
    /// `None` for a regular file.
    fn of(kind: FileType) -> Option<Self> {
        if kind.is_file() {
            None
        } else if kind.is_dir() {
            Some(Self::Folder)
        } else if kind.is_fifo() {
            Some(Self::Fifo)
        } else if kind.is_socket() {
            Some(Self::Socket)
        } else {
            Some(Self::Device)
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a directory",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// A number of bytes, in MiB where that says the same.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// What to do where this process or the system has no file descriptor left; `None` for all else.
pub(crate) fn shortage(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some(
            "this process has too few file descriptors; raise its limit (ulimit -n, LimitNOFILE of \
             systemd, ulimits of the container) and start it again",
        ),
        Errno::NFILE => Some(
            "the system has too few file descriptors; raise fs.file-max (sysctl), or end what \
             holds many",
        ),
        _ => None,
    }
}

/// The same behind an error, if anything.
fn advice(error: &io::Error) -> String {
    shortage(error).map_or_else(String::new, |what| format!(": {what}"))
}

/// All bytes of the file at `path`, which may be up to `bytes_max`.
///
/// # Errors
/// It cannot be read, is no regular file, or is larger.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileProblem> {
    // Before it is opened: opening a device may do something.
    check(path, bytes_max)?;
    let file = open(path)?;
    // What is open counts: the path may lead elsewhere by now.
    check_metadata(&file.metadata()?, bytes_max)?;
    let mut bytes = Vec::new();
    // What is read counts, not what the file system says: the file may grow.
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(FileProblem::TooLarge(bytes_max)) } else { Ok(bytes) }
}

/// The same as text, without the byte-order mark that editors of Windows put before it.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, FileProblem> {
    let bytes = read_unmarked(path, bytes_max)?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(FileProblem::Utf16);
    }
    String::from_utf8(bytes).map_err(|_| FileProblem::NotUtf8)
}

/// The bytes of a text, without that mark.
pub(crate) fn read_unmarked(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileProblem> {
    let mut bytes = read(path, bytes_max)?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

/// Checks that the file at `path` can be read by another program without a wait, before that
/// program opens it: that it is a regular one of at most `bytes_max`.
///
/// # Errors As [`read`], as far as the file's metadata show it.
pub fn check(path: &Path, bytes_max: u64) -> Result<(), FileProblem> {
    check_metadata(&fs::metadata(path)?, bytes_max)
}

/// Checks that `path` is a regular file or nothing, so that a result may be written there. A FIFO
/// or a device must not be replaced: somebody reads from it, and would wait for ever.
///
/// # Errors [`FileProblem::Irregular`], or the metadata cannot be read.
pub fn check_replaceable(path: &Path) -> Result<(), FileProblem> {
    match check(path, u64::MAX) {
        Err(FileProblem::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        checked => checked,
    }
}

fn check_metadata(metadata: &fs::Metadata, bytes_max: u64) -> Result<(), FileProblem> {
    match Kind::of(metadata.file_type()) {
        Some(kind) => Err(FileProblem::Irregular(kind)),
        None if metadata.len() > bytes_max => Err(FileProblem::TooLarge(bytes_max)),
        None => Ok(()),
    }
}

/// Opens without waiting for a FIFO's writer, and without taking a terminal for the process.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::time::Duration;

    /// What is said of `path`, in bounded time: whoever waits for a FIFO or an end waits for ever.
    fn problem(path: &Path, bytes_max: u64) -> String {
        let (done, ended) = crossbeam_channel::bounded(1);
        let path = path.to_owned();
        std::thread::spawn(move || done.send(read(&path, bytes_max).map(|_| ())));
        let outcome = ended.recv_timeout(Duration::from_secs(30)).expect("reading does not end");
        outcome.expect_err("no regular file of that size").to_string()
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let cases = [
            (Path::new("/dev/zero"), "it is a device, not a regular file"),
            (Path::new("/dev/null"), "it is a device, not a regular file"),
            (&link, "it is a device, not a regular file"),
            (folder.path(), "it is a directory, not a regular file"),
            (&fifo, "it is a FIFO, not a regular file"),
            (&socket, "it is a socket, not a regular file"),
            (Path::new("/nowhere/at/all"), "No such file or directory"),
        ];
        for (path, expected) in cases {
            let problem = problem(path, 100);
            assert!(problem.contains(expected), "{}: {problem}", path.display());
        }
    }

    /// A path that leads to a FIFO once it is opened does not block either.
    #[test]
    fn opening_a_fifo_does_not_wait_for_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let (done, ended) = crossbeam_channel::bounded(1);
        std::thread::spawn(move || done.send(open(&fifo)));
        let opened = ended.recv_timeout(Duration::from_secs(30)).expect("opening does not end");
        let kind = opened.unwrap().metadata().unwrap().file_type();
        assert_eq!(Kind::of(kind), Some(Kind::Fifo));
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (bytes, is_read) in [(0, true), (99, true), (100, true), (101, false)] {
            fs::write(file.path(), vec![b'x'; bytes]).unwrap();
            assert_eq!(read(file.path(), 100).is_ok(), is_read, "{bytes}");
        }
        assert_eq!(problem(file.path(), 100), "it is larger than 100 bytes, the most that is read");
        file.as_file().set_len(1 << 40).unwrap();
        assert!(problem(file.path(), 100).contains("larger than 100 bytes"));
        fs::write(file.path(), b"\xff").unwrap();
        assert_eq!(read_text(file.path(), 100).unwrap_err().to_string(), "it is not UTF-8");
        for (bytes, expected) in [
            (&b"\xef\xbb\xbfa = 1"[..], Ok("a = 1".to_owned())),
            (b"\xef\xbb\xbf", Ok(String::new())),
            (b"a\xef\xbb\xbf", Ok("a\u{feff}".to_owned())),
            (b"\xff\xfea\0", Err("it is UTF-16: save it as UTF-8".to_owned())),
            (b"\xfe\xff\0a", Err("it is UTF-16: save it as UTF-8".to_owned())),
        ] {
            fs::write(file.path(), bytes).unwrap();
            let text = read_text(file.path(), 100).map_err(|problem| problem.to_string());
            assert_eq!(text, expected, "{bytes:?}");
        }
        // The kernel's own files have no size before they are read.
        assert!(problem(Path::new("/proc/self/status"), 10).contains("larger than 10 bytes"));
    }
}
