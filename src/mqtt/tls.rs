//! TLS: whom to trust, and as whom to connect.
//!
//! - In: certificates and keys, from files that may change meanwhile. Out: settings of rustls.
//! - A peer is judged by WebPKI's rules. One thing is added: a peer whose very certificate a file
//!   of roots holds is trusted as it stands, by its key (`verifier`).
//! - What is wrong with a certificate is said in words (`flaw`), never in a library's.

pub(crate) mod certificate;
pub(crate) mod files;
pub(crate) mod flaw;
mod own;
pub mod pem;
mod verifier;

use std::io;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

pub use files::{CaSource, TlsFiles, TlsSettings};
use verifier::Verifier;

/// Whom to trust.
#[derive(Debug, Clone)]
pub struct Roots {
    anchors: RootCertStore,
    /// Certificates that somebody chose one by one: a server that shows one of them is trusted as
    /// it stands.
    chosen: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// Nobody.
    pub fn none() -> Self {
        Self { anchors: RootCertStore::empty(), chosen: Vec::new() }
    }

    /// The roots that the system trusts. Nobody chose one of them for this peer.
    pub fn of_system(anchors: RootCertStore) -> Self {
        Self { anchors, chosen: Vec::new() }
    }

    /// Adds a certificate that was chosen for this peer.
    ///
    /// # Errors
    /// It cannot be read: it is damaged, or no certificate.
    pub fn choose(&mut self, certificate: CertificateDer<'static>) -> Result<(), rustls::Error> {
        self.anchors.add(certificate.clone())?;
        self.chosen.push(certificate);
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }
}

/// TLS 1.2 and 1.3 with `roots` as the only roots, and no client certificate.
///
/// # Errors
/// When the TLS provider speaks neither.
pub fn client_config(roots: Roots) -> Result<Arc<ClientConfig>, rustls::Error> {
    Ok(Arc::new(builder(roots)?.with_no_client_auth()))
}

/// The same with a client certificate and its key. `chain` may hold the certificates of its issuers
/// too, in any order.
///
/// # Errors
/// A sentence, when the key cannot be used or belongs to none of them.
pub fn client_config_as(
    roots: Roots,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ClientConfig>, String> {
    let builder = builder(roots).map_err(|error| flaw::words_of(&error))?;
    let own = own::resolver(chain, key, builder.crypto_provider())?;
    Ok(Arc::new(builder.with_client_cert_resolver(own)))
}

/// Like [`client_config`], from certificates, each of which must be able to be a root.
///
/// # Errors One of them cannot be a root.
pub fn trusting(
    certificates: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = Roots::none();
    for certificate in certificates {
        roots.choose(certificate)?;
    }
    client_config(roots)
}

/// The cryptography of every connection.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn builder(roots: Roots) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    if roots.is_empty() {
        return Ok(builder.with_root_certificates(roots.anchors));
    }
    let verifier = Verifier::new(roots.anchors, roots.chosen, provider)?;
    // rustls calls every verifier of one's own so. This one asks WebPKI's first.
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

/// What TLS failed for, in words; `None` where it is not TLS that failed.
pub fn words(error: &io::Error) -> Option<String> {
    error.get_ref().and_then(|inner| inner.downcast_ref()).map(flaw::words_of)
}

/// Whether `der` can be read as a certificate.
pub(crate) fn is_certificate(der: &[u8]) -> bool {
    certificate::Certificate::read(der).is_some()
}
