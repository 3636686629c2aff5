//! The socket files: private, in a private folder, gone with the hub.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::super::HubError;

/// Longest path of a unix socket, in bytes: `sun_path` is 108 with its NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Folder of the sockets inside the state folder.
const FOLDER: &str = "workload";

/// A module's listener.
pub(super) struct ModuleSocket {
    pub(super) module: String,
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// A socket file; removed when this is dropped.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already, or not removable: the next hub of this folder replaces it.
        let _ = fs::remove_file(&self.0);
    }
}

/// The absolute path of a module's socket.
pub(crate) fn socket_path(state_dir: &Path, module: &str) -> PathBuf {
    let path = state_dir.join(FOLDER).join(format!("{module}.sock"));
    std::path::absolute(&path).unwrap_or(path)
}

/// Whether a client can open a socket at this path.
pub(super) fn check_length(path: &Path) -> Result<(), HubError> {
    let bytes = path.as_os_str().len();
    if bytes <= SOCKET_PATH_BYTES_MAX {
        return Ok(());
    }
    let reason = format!(
        "is too long for a socket ({bytes} bytes, at most {SOCKET_PATH_BYTES_MAX}): choose a \
         shorter state folder"
    );
    Err(HubError::Socket { path: path.to_owned(), reason })
}

/// Opens a socket for each module whose path allows it.
pub(super) fn open_all<'a>(
    state_dir: &Path,
    modules: impl Iterator<Item = &'a String>,
) -> Result<Vec<ModuleSocket>, HubError> {
    make_folder(&state_dir.join(FOLDER))?;
    let mut sockets = Vec::new();
    for module in modules {
        let path = socket_path(state_dir, module);
        if let Err(error) = check_length(&path) {
            tracing::warn!(%module, %error, "no workload socket");
            continue;
        }
        sockets.push(open(module, path)?);
    }
    Ok(sockets)
}

/// Private, so that at no instant can another user open a socket that is being made in it.
fn make_folder(folder: &Path) -> Result<(), HubError> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(folder);
    made.and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o700)))
        .map_err(|error| failed(folder, &error))
}

/// The state folder's lock says that no other hub serves a socket that is there already.
fn open(module: &str, path: PathBuf) -> Result<ModuleSocket, HubError> {
    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => {
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
        }
        Ok(_) => {
            let reason = "is in the way and is no socket: remove it".to_owned();
            return Err(HubError::Socket { path, reason });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&path, &error)),
    }
    let listener = UnixListener::bind(&path).map_err(|error| failed(&path, &error))?;
    let file = SocketFile(path);
    fs::set_permissions(&file.0, Permissions::from_mode(0o600))
        .and_then(|()| listener.set_nonblocking(true))
        .map_err(|error| failed(&file.0, &error))?;
    Ok(ModuleSocket { module: module.to_owned(), listener, file })
}

fn failed(path: &Path, error: &io::Error) -> HubError {
    HubError::Socket { path: path.to_owned(), reason: format!("cannot be made: {error}") }
}
