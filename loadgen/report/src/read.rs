//! Reading files that anybody may have written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sluicegate::host::files;

use super::{Input, ReportError};
use loadgen_load::outcome::{Document, FORMAT};

/// Most files of one report.
pub const FILES_MAX: usize = 64;
/// Largest file. A run of an hour has less than a hundredth of it.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads files of the instrument. Files of the same name are told apart by a number.
///
/// # Errors
/// [`ReportError::TooManyFiles`] above [`FILES_MAX`]; [`ReportError::File`] for the first file that
/// cannot be read, is larger than [`FILE_BYTES_MAX`], or is not of this format.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Input>, ReportError> {
    if paths.len() > FILES_MAX {
        return Err(ReportError::TooManyFiles(paths.len()));
    }
    let mut seen: HashMap<String, u32> = HashMap::new();
    let one = |path: &PathBuf| {
        let document =
            document(path).map_err(|problem| ReportError::File { path: path.clone(), problem })?;
        let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let times = seen.entry(stem.clone()).and_modify(|times| *times += 1).or_insert(1);
        let name = if *times > 1 { format!("{stem} ({times})") } else { stem };
        Ok(Input { name, document })
    };
    paths.iter().map(one).collect()
}

fn document(path: &Path) -> Result<Document, String> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let bytes = files::read(path, FILE_BYTES_MAX)
        .map_err(|problem| format!("cannot be read: {problem}"))?;
    let no_result = |error| format!("is no result of loadgen: {error}");
    let version: Version = serde_json::from_slice(&bytes).map_err(no_result)?;
    if version.format != FORMAT {
        let found = version.format;
        return Err(format!("has format {found}; this loadgen reads format {FORMAT}"));
    }
    serde_json::from_slice(&bytes).map_err(no_result)
}
