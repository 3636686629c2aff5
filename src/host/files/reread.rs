//! Files that change while we run: read again for each connection, and looked at while one is
//! waited for.
//!
//! - In: paths, and how to read what is there. Out: the value that the files hold now, or a
//!   sentence why there is none; and word that one of them has changed.
//! - Bounded: while a client waits, each of its files is looked at once in [`LOOK_INTERVAL`],
//!   without being opened.
//! - Links are followed to their end, so that a mounted secret has changed when its link leads
//!   elsewhere.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often files are looked at while a connection is waited for: a change is tried within 5 s.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// How a value is read anew: `None` where it is still the same.
type Read<T> = dyn Fn(&T) -> Result<Option<T>, String> + Send + Sync;

/// A value that lies in files, or one that was given once and for all.
#[derive(Clone)]
pub struct Reread<T> {
    value: T,
    paths: Arc<[PathBuf]>,
    read: Option<Arc<Read<T>>>,
}

impl<T> From<T> for Reread<T> {
    fn from(value: T) -> Self {
        Self { value, paths: Arc::default(), read: None }
    }
}

impl<T> Reread<T> {
    /// `value` until it is read from `paths` by `read`, which gets the last value.
    pub fn new(
        value: T,
        paths: impl Into<Arc<[PathBuf]>>,
        read: impl Fn(&T) -> Result<Option<T>, String> + Send + Sync + 'static,
    ) -> Self {
        Self { value, paths: paths.into(), read: Some(Arc::new(read)) }
    }

    /// Reads it again.
    ///
    /// # Errors
    /// A sentence that names the file. The last value is kept for the next time.
    pub fn again(&mut self) -> Result<&T, String> {
        if let Some(read) = &self.read
            && let Some(value) = read(&self.value)?
        {
            self.value = value;
        }
        Ok(&self.value)
    }

    /// The value as it was last read.
    pub fn last(&self) -> &T {
        &self.value
    }

    /// Where it lies; nothing, where it was given.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

/// Values may be secrets.
impl<T> fmt::Debug for Reread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reread").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// What a file looks like from outside; one that is not there looks like no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(Option<[i128; 5]>);

impl Stamp {
    pub(crate) fn of(path: &Path) -> Self {
        let look = |metadata: fs::Metadata| {
            let time = |seconds: i64, nanos: i64| i128::from(seconds) << 32 | i128::from(nanos);
            [
                i128::from(metadata.dev()),
                i128::from(metadata.ino()),
                i128::from(metadata.len()),
                time(metadata.mtime(), metadata.mtime_nsec()),
                // Nobody can set this one back: a copy that keeps times and length shows.
                time(metadata.ctime(), metadata.ctime_nsec()),
            ]
        };
        Self(fs::metadata(path).ok().map(look))
    }

    /// The same bytes for the same look.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        self.0.iter().flatten().flat_map(|number| number.to_le_bytes()).collect()
    }
}

/// Looks at files for a change.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: Vec<(PathBuf, Stamp)>,
}

impl Watch {
    /// From now on.
    pub(crate) fn over(paths: Vec<PathBuf>) -> Self {
        let look = |path: PathBuf| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        };
        Self { seen: paths.into_iter().map(look).collect() }
    }

    /// The file that has changed.
    pub(crate) fn changed(&self) -> Option<&Path> {
        let is_other = |(path, seen): &&(PathBuf, Stamp)| Stamp::of(path) != *seen;
        self.seen.iter().find(is_other).map(|(path, _)| path.as_path())
    }

    /// Waits for a change of one of them; for ever where there are none.
    pub(crate) async fn wait(&self) -> &Path {
        if self.seen.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            if let Some(path) = self.changed() {
                return path;
            }
        }
    }
}

#[cfg(test)]
mod tests;
