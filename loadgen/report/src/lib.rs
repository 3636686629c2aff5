//! The report: JSON files of the instrument in, one HTML file out that needs nothing else.
//!
//! ```text
//! files -> read (bounded) -> Input -> percentiles, timeline, endurance, knee, bars
//!                                       -> plot: SVG   \
//!                                          page: HTML --+-> one string -> written whole or not
//! ```
//!
//! Everything runs on the calling thread. Files are untrusted: their number and size are bounded,
//! their text is escaped, their numbers may be anything that JSON can say.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::{Path, PathBuf};

use loadgen_load::outcome::Document;

mod axis;
mod bars;
mod endurance;
mod knee;
mod page;
mod palette;
mod percentiles;
mod plot;
mod read;
mod text;
mod thin;
mod timeline;

pub use read::{FILE_BYTES_MAX, FILES_MAX, read};

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

/// What other reports are drawn with.
pub mod chart {
    pub use super::axis::{Axis, Unit};
    pub use super::page::whole;
    pub use super::plot::look::sample;
    pub use super::plot::{Dots, DrawError, Line, Plot, Point, Rule};
    pub use super::text::{number, short};
}

/// One file's content.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// What the report calls it: the file's name without its ending.
    pub name: String,
    /// What it says.
    pub document: Document,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// More files than a report shows.
    #[error("{0} files are more than the {FILES_MAX} that one report shows")]
    TooManyFiles(usize),
    /// A file that cannot be reported on.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The report cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Output {
        /// Where to.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A plot cannot be drawn.
    #[error("cannot draw: {0}")]
    Drawing(String),
}

/// The report on these, in their order: a whole HTML document.
///
/// # Errors
/// [`ReportError::Drawing`], which a drawing in memory has no cause for.
pub fn html(inputs: &[Input]) -> Result<String, ReportError> {
    page::document(inputs).map_err(|error| ReportError::Drawing(error.to_string()))
}

/// Writes a report whole or not at all; a file of that name is replaced.
///
/// # Errors
/// [`ReportError::Output`].
pub fn write(path: &Path, html: &str) -> Result<(), ReportError> {
    let failed = |source| ReportError::Output { path: path.to_owned(), source };
    sluicegate::host::files::check_replaceable(path)
        .map_err(|problem| failed(std::io::Error::other(problem)))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    check_folder(folder).map_err(failed)?;
    // In the same folder, because renaming works within one file system only.
    let mut file = tempfile::Builder::new()
        .prefix(".report-")
        .permissions(readable_by_all())
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(html.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Whether files can be made in a folder: said of the folder, and not of a file that nobody asked
/// for.
///
/// # Errors
/// Why not.
pub fn check_folder(folder: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, access};
    folder.metadata()?;
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// As any other new file has them; the process's mask still applies.
fn readable_by_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}
