//! Certificates and keys in PEM files, and the roots that the system trusts.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::SETTINGS_BYTES_MAX;

/// Names the file that takes the place of the system's roots; known to many programs.
const ENV_SYSTEM_FILE: &str = "SSL_CERT_FILE";

/// The certificates in a file, each of which can be a root.
///
/// # Errors
/// A sentence that names the file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = certificate_chain(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|error| {
            format!("{} holds a certificate that cannot be a root: {error}", path.display())
        })?;
    }
    Ok(found)
}

/// The same as the only roots.
///
/// # Errors
/// A sentence that names the file.
pub fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(path)?);
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
        super::read(path, SETTINGS_BYTES_MAX).map_err(|problem| refused(problem.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Err(_) => Err(refused(NO_PEM.to_owned())),
        Ok(found) if found.is_empty() => {
            Err(format!("{shown} holds no PEM certificate (-----BEGIN CERTIFICATE-----)"))
        }
        Ok(found) => Ok(found),
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
        super::read(path, SETTINGS_BYTES_MAX).map_err(|problem| refused(problem.to_string()))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            format!("{shown} holds no PEM key that is not encrypted (-----BEGIN PRIVATE KEY-----)")
        }
        _ => refused(NO_PEM.to_owned()),
    })
}

/// All that is said of a bad PEM file: the error's own text may show a piece of it, which may be a
/// key.
const NO_PEM: &str = "it is not PEM, or is cut off";

/// What the system trusts. `instead` names the setting that would replace it.
///
/// # Errors
/// A sentence, when there is nothing, or `SSL_CERT_FILE` names what cannot be read.
pub fn system_roots(instead: &str) -> Result<RootCertStore, String> {
    // The library reads whatever that is, to its end.
    if let Some(file) = std::env::var_os(ENV_SYSTEM_FILE).filter(|file| !file.is_empty()) {
        super::check(Path::new(&file), 16 * SETTINGS_BYTES_MAX).map_err(|problem| {
            format!("variable {ENV_SYSTEM_FILE}: cannot read {}: {problem}", file.display())
        })?;
    }
    let system = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Stores carry a few that rustls cannot use; the others do.
    let (added, _) = roots.add_parsable_certificates(system.certs);
    if added > 0 {
        return Ok(roots);
    }
    let cause = system.errors.first().map_or_else(String::new, |error| format!(": {error}"));
    Err(format!(
        "the system has no root certificates{cause}; install ca-certificates or set {instead}"
    ))
}
