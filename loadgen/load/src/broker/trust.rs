//! Whom a connection to a broker trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use sluicegate::hub::trust::client_config;
use sluicegate::mqtt::tls::pem;

use crate::error::LoadError;

/// The flag that names the only roots.
const FLAG: &str = "--broker-ca";

/// TLS that trusts the certificates in this file alone or, without one, those that the system does.
///
/// # Errors
/// There is none, or the file holds one that cannot be a root.
pub(super) fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, LoadError> {
    let roots = match ca_file {
        Some(path) => pem::roots(path).map_err(|problem| format!("{FLAG}: {problem}")),
        None => pem::system_roots(FLAG),
    };
    let roots = roots.map_err(LoadError::Setting)?;
    client_config(roots).map_err(|error| LoadError::Internal(error.to_string()))
}
