//! Whom the module trusts: fixed roots, or the trust bundle of the edge runtime.
//!
//! - In: certificates. Out: TLS settings in which they are the only roots.
//! - A bundle is fetched once, before the first connection, and again when a peer's issuer is not
//!   among its roots, at most once in [`TRUST_BUNDLE_AGE_MIN`].

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::limits::TRUST_BUNDLE_AGE_MIN;
use crate::workload::{Workload, WorkloadError};

/// The roots of all connections.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Read once, from a file.
    Fixed(Arc<ClientConfig>),
    /// The trust bundle of the runtime.
    Bundle {
        /// Where it comes from.
        workload: Workload,
        /// The last one, with the time of its fetch.
        fetched: Option<(Arc<ClientConfig>, Instant)>,
    },
}

/// Why nobody can be trusted now.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The daemon did not give its bundle.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// No certificate of the bundle can be a root.
    #[error("the trust bundle of {0} holds no certificate that can be a root: {1}")]
    Unusable(String, rustls::Error),
    /// rustls refuses the settings as such.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// Trusts what the bundle of `workload` holds; nothing is fetched yet.
    pub fn bundle(workload: Workload) -> Self {
        Self::Bundle { workload, fetched: None }
    }

    /// The TLS settings to connect with.
    ///
    /// # Errors
    /// When a bundle is wanted and cannot be had; worth another attempt later.
    pub async fn tls(&mut self) -> Result<Arc<ClientConfig>, TrustError> {
        let (workload, fetched) = match self {
            Self::Fixed(tls) => return Ok(Arc::clone(tls)),
            Self::Bundle { fetched: Some((tls, _)), .. } => return Ok(Arc::clone(tls)),
            Self::Bundle { workload, fetched } => (workload, fetched),
        };
        let certificates = workload.trust_bundle().await?;
        let count = certificates.len();
        let mut roots = RootCertStore::empty();
        let mut refused = None;
        for certificate in certificates {
            if let Err(error) = roots.add(certificate) {
                warn!(
                    "a certificate of the trust bundle of {} is no root: {error}",
                    workload.address
                );
                refused = Some(error);
            }
        }
        if let (true, Some(error)) = (roots.is_empty(), refused) {
            return Err(TrustError::Unusable(workload.address.to_string(), error));
        }
        info!(
            "trust bundle of {}: {} of {count} certificate(s) trusted",
            workload.address,
            roots.len()
        );
        let tls = client_config(roots)?;
        *fetched = Some((Arc::clone(&tls), Instant::now()));
        Ok(tls)
    }

    /// A peer's issuer is unknown: the bundle may have changed meanwhile, so the next
    /// [`tls`](Self::tls) fetches it again, unless it is younger than [`TRUST_BUNDLE_AGE_MIN`].
    pub fn doubt(&mut self) {
        if let Self::Bundle { fetched, .. } = self {
            fetched.take_if(|(_, since)| since.elapsed() >= TRUST_BUNDLE_AGE_MIN);
        }
    }
}

/// TLS 1.2 and 1.3 with `roots` as the only roots, and no client certificate.
///
/// # Errors
/// When the TLS provider speaks neither.
pub fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    Ok(Arc::new(builder(roots)?.with_no_client_auth()))
}

/// The same with a client certificate, followed by what vouches for it, and its key.
///
/// # Errors
/// When the key cannot be used, or belongs to another certificate.
pub fn client_config_as(
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    Ok(Arc::new(builder(roots)?.with_client_auth_cert(chain, key)?))
}

fn builder(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots))
}

/// Like [`client_config`], from certificates, each of which must be able to be a root.
///
/// # Errors
/// When one cannot.
pub fn trusting(
    certificates: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate)?;
    }
    client_config(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::daemon::{Daemon, Mood};
    use std::time::Duration;

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(vec!["root".to_owned()]).unwrap().cert.pem()
    }

    #[tokio::test]
    async fn a_bundle_is_fetched_once() {
        let daemon = Daemon::start(certificate() + &certificate());
        let mut trust = Trust::bundle(daemon.client());
        daemon.moods([Mood::Answer(404, r#"{"message":"no bundle yet"}"#.into())]);
        let error = trust.tls().await.unwrap_err().to_string();
        assert!(error.contains("no bundle yet"), "{error}");
        for _ in 0..3 {
            trust.tls().await.expect("the daemon is well again");
        }
        assert_eq!(daemon.requests().len(), 2);
    }

    /// Doubt fetches again, but a young bundle is not doubted.
    #[tokio::test(start_paused = true)]
    async fn doubt_is_limited() {
        let daemon = Daemon::start(certificate());
        let mut trust = Trust::bundle(daemon.client());
        trust.tls().await.unwrap();
        for _ in 0..5 {
            trust.doubt();
            trust.tls().await.unwrap();
        }
        assert_eq!(daemon.requests().len(), 1, "the bundle is young");
        tokio::time::advance(TRUST_BUNDLE_AGE_MIN - Duration::from_millis(1)).await;
        trust.doubt();
        trust.tls().await.unwrap();
        assert_eq!(daemon.requests().len(), 1, "the bundle is young yet");
        tokio::time::advance(Duration::from_millis(1)).await;
        for _ in 0..5 {
            trust.doubt();
            trust.tls().await.unwrap();
        }
        assert_eq!(daemon.requests().len(), 2);
    }

    /// One certificate that cannot be a root does not take the others with it.
    #[tokio::test]
    async fn what_cannot_be_a_root_is_left_out() {
        const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let daemon = Daemon::start(certificate() + BROKEN);
        Trust::bundle(daemon.client()).tls().await.expect("one is left");
        daemon.set_bundle(BROKEN);
        let error = Trust::bundle(daemon.client()).tls().await.unwrap_err().to_string();
        assert!(error.contains("no certificate that can be a root"), "{error}");
    }
}
