//! Certificates and keys in PEM files, and the roots that the system trusts.

mod content;

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::host::files::{FileProblem, SETTINGS_BYTES_MAX, read_unmarked};
use crate::mqtt::tls::Roots;

/// Names the file that takes the place of the system's roots; known to many programs.
const ENV_SYSTEM_FILE: &str = "SSL_CERT_FILE";
/// Names folders that do, with colons in between.
const ENV_SYSTEM_FOLDERS: &str = "SSL_CERT_DIR";
/// Most bytes that are read of both, and most files of a folder: some times what systems have.
const SYSTEM_BYTES_MAX: u64 = 16 << 20;
const SYSTEM_FILES_MAX: usize = 10_000;

/// The certificates in a file, each of which can be a root.
///
/// # Errors
/// A sentence that names the file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = certificate_chain(path)?;
    choose(path, &found)?;
    Ok(found)
}

/// The same as the only roots.
///
/// # Errors
/// A sentence that names the file.
pub fn roots(path: &Path) -> Result<Roots, String> {
    choose(path, &certificate_chain(path)?)
}

fn choose(path: &Path, certificates: &[CertificateDer<'static>]) -> Result<Roots, String> {
    let mut roots = Roots::none();
    for (index, certificate) in certificates.iter().enumerate() {
        roots.choose(certificate.clone()).map_err(|_| {
            format!(
                "{}: certificate {} cannot be a root: it is damaged, or no certificate",
                path.display(),
                index + 1
            )
        })?;
    }
    Ok(roots)
}

/// The certificates in a file, in their order; at least one.
///
/// # Errors
/// A sentence that names the file.
pub fn certificate_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let refused = |why: String| format!("cannot read certificates from {shown}: {why}");
    let text =
        read_unmarked(path, SETTINGS_BYTES_MAX).map_err(|problem| refused(problem.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(found) if !found.is_empty() => Ok(found),
        found => Err(match content::of(&text) {
            Some(why) => refused(why.instead_of_certificate(path)),
            None if found.is_ok() => {
                format!("{shown} holds no PEM certificate (-----BEGIN CERTIFICATE-----)")
            }
            None => refused(NO_PEM.to_owned()),
        }),
    }
}

/// The first private key in a file.
///
/// # Errors
/// A sentence that names the file.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    let refused = |why: String| format!("cannot read the key from {shown}: {why}");
    let text =
        read_unmarked(path, SETTINGS_BYTES_MAX).map_err(|problem| refused(problem.to_string()))?;
    let is_encrypted = content::is_encrypted(&text);
    PrivateKeyDer::from_pem_slice(&text).ok().filter(|_| !is_encrypted).ok_or_else(|| {
        match content::of(&text) {
            _ if is_encrypted => refused(content::ForeignContent::Encrypted.instead_of_key(path)),
            Some(why) => refused(why.instead_of_key(path)),
            None if content::has_sections(&text) => refused(NO_PEM.to_owned()),
            None => {
                format!(
                    "{shown} holds no PEM key that is not encrypted (-----BEGIN PRIVATE KEY-----)"
                )
            }
        }
    })
}

/// All that is said of a bad PEM file: the error's own text may show a piece of it, which may be a
/// key.
const NO_PEM: &str = "it is not PEM, or is cut off";

/// Where the system keeps its roots: files, and folders that change with their files.
pub(crate) fn system_places() -> Vec<PathBuf> {
    let file = std::env::var_os(ENV_SYSTEM_FILE).map(PathBuf::from);
    let folders = std::env::var_os(ENV_SYSTEM_FOLDERS);
    let named = folders.iter().flat_map(std::env::split_paths);
    let named: Vec<_> =
        file.into_iter().chain(named).filter(|path| !path.as_os_str().is_empty()).collect();
    if !named.is_empty() {
        return named;
    }
    let usual = openssl_probe::probe();
    usual.cert_file.into_iter().chain(usual.cert_dir).collect()
}

/// What the system trusts. `instead` names the setting that would replace it.
///
/// # Errors
/// A sentence, when there is nothing, or `SSL_CERT_FILE` or `SSL_CERT_DIR` names what cannot be
/// read or is too large.
pub fn system_roots(instead: &str) -> Result<Roots, String> {
    let file = std::env::var_os(ENV_SYSTEM_FILE).map(PathBuf::from);
    let folders = std::env::var_os(ENV_SYSTEM_FOLDERS);
    let folders: Vec<_> = folders.iter().flat_map(std::env::split_paths).collect();
    let system = RootsFound::named(file.as_deref(), &folders)?.unwrap_or_else(|| {
        let system = rustls_native_certs::load_native_certs();
        let problem = system.errors.first().map(ToString::to_string);
        let short = system.errors.iter().find_map(|error| short_of_descriptors(error));
        RootsFound { certificates: system.certs, problem, short, ..RootsFound::default() }
    });
    let mut roots = RootCertStore::empty();
    // Stores carry a few that rustls cannot use; the others do.
    let (added, _) = roots.add_parsable_certificates(system.certificates);
    if added > 0 {
        return Ok(Roots::of_system(roots));
    }
    if let (Some(problem), Some(short)) = (&system.problem, system.short) {
        return Err(format!("cannot read the system's root certificates: {problem}: {short}"));
    }
    let cause = system.problem.map_or_else(String::new, |problem| format!(": {problem}"));
    Err(format!(
        "the system has no root certificates{cause}; install ca-certificates or set {instead}"
    ))
}

/// The certificates that the variables name. The library would read whatever they lead to, to its
/// end.
#[derive(Debug, Default)]
struct RootsFound {
    certificates: Vec<CertificateDer<'static>>,
    /// Device and inode of what was read: folders hold links to their own files.
    read: HashSet<(u64, u64)>,
    bytes: u64,
    /// The first thing that was passed over.
    problem: Option<String>,
    /// What to do where descriptors were missing.
    short: Option<&'static str>,
}

/// An error of descriptors may lie behind others.
fn short_of_descriptors(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let own = error.downcast_ref::<io::Error>().and_then(crate::host::files::shortage);
    own.or_else(|| error.source().and_then(short_of_descriptors))
}

impl RootsFound {
    /// `None` where neither variable names anything.
    fn named(file: Option<&Path>, folders: &[PathBuf]) -> Result<Option<Self>, String> {
        let mut folders = folders.iter().filter(|folder| !folder.as_os_str().is_empty()).peekable();
        if file.is_none() && folders.peek().is_none() {
            return Ok(None);
        }
        let mut found = Self::default();
        match file {
            Some(file) if file.as_os_str().is_empty() => {
                found.pass_over(format!("variable {ENV_SYSTEM_FILE} is empty"));
            }
            Some(file) => found.add(file).map_err(|problem| {
                format!("variable {ENV_SYSTEM_FILE}: cannot read {}: {problem}", file.display())
            })?,
            None => {}
        }
        for folder in folders {
            found.add_folder(folder)?;
        }
        Ok(Some(found))
    }

    fn add(&mut self, path: &Path) -> Result<(), FileProblem> {
        let metadata = fs::metadata(path)?;
        if !self.read.insert((metadata.dev(), metadata.ino())) {
            return Ok(());
        }
        let text = read_unmarked(path, SYSTEM_BYTES_MAX.saturating_sub(self.bytes)).map_err(
            |problem| {
                match problem {
                    // All of them together.
                    FileProblem::TooLarge(_) => FileProblem::TooLarge(SYSTEM_BYTES_MAX),
                    other => other,
                }
            },
        )?;
        self.bytes += text.len() as u64;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            match certificate {
                Ok(certificate) => self.certificates.push(certificate),
                Err(_) => self.pass_over(format!("{}: {NO_PEM}", path.display())),
            }
        }
        Ok(())
    }

    /// The files right in it. What cannot be read is passed over, as other programs do.
    fn add_folder(&mut self, folder: &Path) -> Result<(), String> {
        let refused = |path: &Path, why: &dyn fmt::Display| {
            format!("variable {ENV_SYSTEM_FOLDERS}: cannot read {}: {why}", path.display())
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.pass_over(refused(folder, &error));
                return Ok(());
            }
        };
        for (count, entry) in entries.enumerate() {
            if count >= SYSTEM_FILES_MAX {
                let why = format!("it holds more than {SYSTEM_FILES_MAX} files");
                return Err(refused(folder, &why));
            }
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    self.pass_over(refused(folder, &error));
                    continue;
                }
            };
            match self.add(&path) {
                Ok(()) | Err(FileProblem::Irregular(_)) => {}
                Err(problem @ FileProblem::TooLarge(_)) => return Err(refused(&path, &problem)),
                // A link to nowhere, which tools leave behind.
                Err(FileProblem::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(problem) => self.pass_over(refused(&path, &problem)),
            }
        }
        Ok(())
    }

    fn pass_over(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }
}

#[cfg(test)]
mod tests;
