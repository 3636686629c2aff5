//! How the bytes of one input are parted, and where files of one process are.

use std::path::Path;

use tempfile::TempDir;

/// Memory that is a folder, where there is such: a file is written for each input.
const MEMORY: &str = "/dev/shm";

/// The first byte, and the rest; an empty input has a zero before it.
pub(crate) fn first(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// The lines of a text; `None` when it is no text.
pub(crate) fn lines(data: &[u8]) -> Option<impl Iterator<Item = &str>> {
    Some(std::str::from_utf8(data).ok()?.split('\n'))
}

/// A folder for this process, removed at its end.
pub(crate) fn folder() -> TempDir {
    let folder = match Path::new(MEMORY).is_dir() {
        true => tempfile::tempdir_in(MEMORY),
        false => tempfile::tempdir(),
    };
    folder.expect("a folder can be made")
}
