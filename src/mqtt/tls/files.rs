//! TLS settings that lie in files, which are read again for each connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::ClientConfig;
use rustls::pki_types::UnixTime;

use super::certificate::Certificate;
use super::{client_config, client_config_as, flaw, own};
use crate::host::files::reread::{Reread, Stamp};
use crate::host::files::{self, FileProblem, SETTINGS_BYTES_MAX};
use crate::mqtt::tls::pem;

/// Where trusted roots are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaSource {
    /// In this file, and nowhere else.
    File(PathBuf),
    /// Where the system keeps its own.
    System {
        /// The setting that would name a file.
        instead: &'static str,
    },
}

/// Where TLS settings are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Whom to trust.
    pub ca: CaSource,
    /// Our own certificate, and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// TLS settings, and what they were made of.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    config: Arc<ClientConfig>,
    /// Of the files; none before they were read here.
    digest: Option<[u8; 32]>,
    /// Our own certificate.
    own: Option<Arc<Certificate>>,
}

impl From<Arc<ClientConfig>> for TlsSettings {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self { config, digest: None, own: None }
    }
}

impl TlsSettings {
    /// The settings for rustls.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// What a peer may not like about our own certificate, where there is something.
    pub(crate) fn doubt(&self) -> Option<String> {
        self.own.as_ref().and_then(|read| own::doubt(read, UnixTime::now()))
    }
}

impl TlsFiles {
    /// The settings that these files hold, `config` for now.
    pub fn reread(self, config: Arc<ClientConfig>) -> Reread<TlsSettings> {
        let paths = self.paths();
        Reread::new(config.into(), paths, move |last| self.read_since(last))
    }

    fn paths(&self) -> Vec<PathBuf> {
        let ca = match &self.ca {
            CaSource::File(path) => vec![path.clone()],
            CaSource::System { .. } => pem::system_places(),
        };
        let own = self.own.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]);
        ca.into_iter().chain(own).collect()
    }

    /// `None` while the files hold what `last` was made of. The next connection then uses the same
    /// settings, and with them the TLS sessions that rustls has kept.
    fn read_since(&self, last: &TlsSettings) -> Result<Option<TlsSettings>, String> {
        let digest = self.digest()?;
        if last.digest == Some(digest) {
            return Ok(None);
        }
        let roots = match &self.ca {
            CaSource::File(path) => pem::roots(path)?,
            CaSource::System { instead } => pem::system_roots(instead)?,
        };
        let Some((certificate, key)) = &self.own else {
            let config = client_config(roots).map_err(|error| flaw::words_of(&error))?;
            return Ok(Some(TlsSettings { config, digest: Some(digest), own: None }));
        };
        let refused = |why| format!("{} and {}: {why}", certificate.display(), key.display());
        let chain = pem::certificate_chain(certificate)?;
        let key = pem::private_key(key)?;
        let own = own::certificate_of(&chain, &key);
        let config = client_config_as(roots, chain, key).map_err(refused)?;
        Ok(Some(TlsSettings { config, digest: Some(digest), own: own.map(Arc::new) }))
    }

    /// A digest of what the files hold. Of the system's own files, which may be large, it is a
    /// digest of their metadata.
    fn digest(&self) -> Result<[u8; 32], String> {
        let mut context = Context::new(&SHA256);
        let mut add = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_le_bytes());
            context.update(bytes);
        };
        let read = |path: &Path| {
            let refused =
                |problem: FileProblem| format!("cannot read {}: {problem}", path.display());
            files::read(path, SETTINGS_BYTES_MAX).map_err(refused)
        };
        match &self.ca {
            CaSource::File(path) => add(&read(path)?),
            CaSource::System { .. } => {
                pem::system_places().iter().for_each(|place| add(&Stamp::of(place).to_bytes()));
            }
        }
        if let Some((certificate, key)) = &self.own {
            add(&read(certificate)?);
            add(&read(key)?);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Ok(digest)
    }
}

#[cfg(test)]
mod tests;
