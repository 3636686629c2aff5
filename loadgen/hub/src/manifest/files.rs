//! The files of a deployment, each with the variables that hold for it.

use std::path::{Path, PathBuf};

use super::reading::Source;
use super::{MANIFEST_BYTES_LIMIT, ManifestError, Problem, Variables};

/// One file.
pub(super) struct FileText {
    name: String,
    text: String,
    variables: Variables,
}

impl FileText {
    pub(super) fn source(&self) -> Source<'_> {
        let Self { name, text, variables } = self;
        Source { name: Some(name.clone()), text, variables }
    }
}

/// Reads all files.
///
/// # Errors
/// Each that cannot be read, or whose `.env` cannot.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<FileText>, ManifestError> {
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        match read_one(path) {
            Ok(text) => texts.push(text),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(ManifestError { problems }) }
}

fn read_one(path: &Path) -> Result<FileText, Problem> {
    let text = read_text(path)?;
    let env_file = path.parent().unwrap_or(Path::new("")).join(".env");
    let variables = if env_file.is_file() {
        Variables::from_env_text(&read_text(&env_file)?)
    } else {
        Variables::default()
    };
    let variables = variables.with_environment(environment());
    Ok(FileText { name: path.display().to_string(), text, variables })
}

/// The variables of this process that are text.
fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text)
}

fn read_text(path: &Path) -> Result<String, Problem> {
    let problem = |text: String| Problem {
        file: Some(path.display().to_string()),
        path: String::new(),
        text,
    };
    let bytes = sluicegate::host::files::read(path, MANIFEST_BYTES_LIMIT)
        .map_err(|error| problem(format!("cannot be read: {error}")))?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        // What `>` of the Windows PowerShell writes.
        return Err(problem("is UTF-16: save it as UTF-8".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| problem("is not UTF-8: save it as UTF-8".to_owned()))
}
