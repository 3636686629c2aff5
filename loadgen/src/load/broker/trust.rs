//! Whom a connection to a broker trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sluicegate::trust::client_config;

use crate::load::error::LoadError;

/// TLS that trusts the certificates in this file alone or, without one, those that the system does.
///
/// # Errors
/// There is none, or the file holds one that cannot be a root.
pub(super) fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, LoadError> {
    let roots = ca_file.map_or_else(of_system, of_file).map_err(LoadError::Setting)?;
    client_config(roots).map_err(|error| LoadError::Internal(error.to_string()))
}

fn of_file(path: &Path) -> Result<RootCertStore, String> {
    let refused = |why: &dyn std::fmt::Display| format!("--broker-ca {}: {why}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))? {
        let certificate = certificate.map_err(|error| refused(&error))?;
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    if roots.is_empty() {
        return Err(refused(&"no PEM certificate (-----BEGIN CERTIFICATE-----) in it"));
    }
    Ok(roots)
}

fn of_system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // Stores carry a few that rustls cannot use; the others do.
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added > 0 {
        return Ok(roots);
    }
    Err("the system has no root certificates: install ca-certificates, or name the broker's CA \
         with --broker-ca FILE"
        .to_owned())
}
