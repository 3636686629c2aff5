//! The socket file: made private before anyone can see it, replaced only when its hub is dead.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;

/// Longest path of a unix socket, in bytes: `sun_path` is 108 with its NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Private folder in which the socket is made.
const STAGING: &str = ".sock";

/// A listening control socket; its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl ControlSocket {
    /// Listens at `path`, for its owner only.
    ///
    /// # Errors
    /// Another hub answers there, a file that is no socket is in the way, or the path is too long;
    /// each text says what to do.
    pub(crate) fn bind(path: &Path) -> Result<Self, String> {
        Self::check(path)?;
        let (staging, staged) = staging_paths(path);
        let failed = |error: io::Error| format!("cannot make {}: {error}", path.display());
        // Bound inside a private folder, restricted, then moved: at no instant can another user
        // open it.
        remove_staging(&staging, &staged).map_err(failed)?;
        DirBuilder::new().mode(0o700).create(&staging).map_err(failed)?;
        let listener = UnixListener::bind(&staged).map_err(failed)?;
        fs::set_permissions(&staged, Permissions::from_mode(0o600)).map_err(failed)?;
        fs::rename(&staged, path).map_err(failed)?;
        fs::remove_dir(&staging).map_err(failed)?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Whether a socket may be made at `path`: there is nothing, or a socket nobody listens at, and
    /// the path is short enough.
    ///
    /// # Errors
    /// As [`ControlSocket::bind`].
    pub(crate) fn check(path: &Path) -> Result<(), String> {
        let (_, staged) = staging_paths(path);
        let longest = path.as_os_str().len().max(staged.as_os_str().len());
        if longest > SOCKET_PATH_BYTES_MAX {
            return Err(format!(
                "{} is too long for a socket ({longest} bytes, at most {SOCKET_PATH_BYTES_MAX}): \
                 choose a shorter --state",
                path.display()
            ));
        }
        let kind = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("cannot look at {}: {error}", path.display())),
        };
        if !kind.is_socket() {
            return Err(format!("{} is in the way and is no socket: remove it", path.display()));
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Ok(stream) => Err(in_use(path, &stream)),
            Err(error) => {
                Err(format!("cannot tell whether a hub is at {}: {error}", path.display()))
            }
        }
    }

    /// The listener, to be cloned into an event loop.
    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Gone already, or not removable: the next hub replaces it, for nobody answers there.
        let _ = fs::remove_file(&self.path);
    }
}

/// Who listens at `path`, and how that ends.
fn in_use(path: &Path, stream: &UnixStream) -> String {
    let stop = match socket_peercred(stream) {
        Ok(owner) => format!("`kill {}` stops it", owner.pid.as_raw_nonzero()),
        Err(_) => "stop it".to_owned(),
    };
    format!("another hub is running at {}: {stop}, or choose another --state", path.display())
}

/// The private folder beside the socket, and the socket while it is in there.
fn staging_paths(path: &Path) -> (PathBuf, PathBuf) {
    let staging = path.parent().unwrap_or(Path::new(".")).join(STAGING);
    let staged = staging.join("s");
    (staging, staged)
}

fn remove_staging(staging: &Path, staged: &Path) -> io::Result<()> {
    let absent = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    fs::remove_file(staged).or_else(|e| if absent(&e) { Ok(()) } else { Err(e) })?;
    fs::remove_dir(staging).or_else(|e| if absent(&e) { Ok(()) } else { Err(e) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_private_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let socket = ControlSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(names.len(), 1, "nothing else is left: {names:?}");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_socket_is_respected_and_a_dead_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let live = ControlSocket::bind(&path).unwrap();
        let error = ControlSocket::bind(&path).unwrap_err();
        assert!(error.contains("another hub is running") && error.contains("--state"), "{error}");
        let stop = format!("`kill {}` stops it", std::process::id());
        assert!(error.contains(&stop), "{error}");
        drop(live);
        // A dead one: its listener is closed and its file is still there.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        ControlSocket::bind(&path).unwrap();
    }

    #[test]
    fn leftovers_of_a_killed_start_are_no_hindrance() {
        let folder = tempfile::tempdir().unwrap();
        let staging = folder.path().join(STAGING);
        fs::create_dir(&staging).unwrap();
        drop(UnixListener::bind(staging.join("s")).unwrap());
        ControlSocket::bind(&folder.path().join("control.sock")).unwrap();
        assert!(!staging.exists());
    }

    #[test]
    fn other_files_and_long_paths_are_refused_clearly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        fs::write(&path, "x").unwrap();
        let error = ControlSocket::bind(&path).unwrap_err();
        assert!(error.contains("no socket"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"x");
        let error = ControlSocket::bind(&folder.path().join("x".repeat(120))).unwrap_err();
        assert!(error.contains("too long") && error.contains("--state"), "{error}");
    }
}
