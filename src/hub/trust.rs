//! Whom the module trusts: the roots of a file, or the trust bundle of the edge runtime.
//!
//! - In: certificates. Out: TLS settings in which they are the only roots.
//! - A file is read again for each connection. A bundle is fetched once, before the first
//!   connection, and again when a peer's issuer is not among its roots, at most once in
//!   [`TRUST_BUNDLE_AGE_MIN`].

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::host::files::reread::Reread;
use crate::hub::limits::TRUST_BUNDLE_AGE_MIN;
use crate::hub::workload::{Workload, WorkloadError};
use crate::mqtt::tls::{CaSource, Roots, TlsFiles, TlsSettings, flaw};

pub use crate::mqtt::tls::{client_config, client_config_as, trusting};

/// The roots of all connections.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Given once and for all.
    Fixed(Arc<ClientConfig>),
    /// In a file, which is read again for each connection.
    File(Reread<TlsSettings>),
    /// The trust bundle of the runtime.
    Bundle {
        /// Where it comes from.
        workload: Workload,
        /// The last one, with the time of its fetch.
        fetched: Option<(Arc<ClientConfig>, Instant)>,
        /// What the log has of the last one: it tells nothing twice.
        last_line: String,
    },
}

/// Why nobody can be trusted now.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The daemon did not give its bundle.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// No certificate of the bundle can be a root.
    #[error("the trust bundle of {0} holds no certificate that can be a root: each is damaged")]
    Unusable(String),
    /// The file cannot be read, or holds nothing of use; in a sentence that names it.
    #[error("{0}")]
    File(String),
    /// rustls refuses the settings as such.
    #[error("TLS: {}", flaw::words_of(.0))]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// Trusts what the bundle of `workload` holds; nothing is fetched yet.
    pub fn bundle(workload: Workload) -> Self {
        Self::Bundle { workload, fetched: None, last_line: String::new() }
    }

    /// Trusts what `file` holds, which was `certificates` when it was last read.
    ///
    /// # Errors
    /// One of them cannot be a root.
    pub fn file(
        file: PathBuf,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let files = TlsFiles { ca: CaSource::File(file), own: None };
        Ok(Self::File(files.reread(trusting(certificates)?)))
    }

    /// The TLS settings to connect with.
    ///
    /// # Errors
    /// When a file or a bundle is wanted and cannot be had; worth another attempt later.
    pub async fn tls(&mut self) -> Result<Arc<ClientConfig>, TrustError> {
        let (workload, fetched, last_line) = match self {
            Self::Fixed(tls) => return Ok(Arc::clone(tls)),
            Self::File(file) => {
                return file.again().map(TlsSettings::config).map_err(TrustError::File);
            }
            Self::Bundle { fetched: Some((tls, _)), .. } => return Ok(Arc::clone(tls)),
            Self::Bundle { workload, fetched, last_line } => (workload, fetched, last_line),
        };
        let certificates = workload.trust_bundle().await?;
        let (count, mut roots) = (certificates.len(), Roots::none());
        let damaged = certificates.into_iter().filter_map(|der| roots.choose(der).err()).count();
        if roots.is_empty() {
            return Err(TrustError::Unusable(workload.address.to_string()));
        }
        let rest = if damaged > 0 { ", the others are damaged" } else { "" };
        let line = format!(
            "trust bundle of {}: {} of {count} certificate(s) trusted{rest}",
            workload.address,
            roots.len()
        );
        if *last_line == line {
            debug!("{line}");
        } else {
            info!("{line}");
            *last_line = line;
        }
        let tls = client_config(roots)?;
        *fetched = Some((Arc::clone(&tls), Instant::now()));
        Ok(tls)
    }

    /// The files that it comes from.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        match self {
            Self::File(file) => file.paths(),
            Self::Fixed(_) | Self::Bundle { .. } => &[],
        }
    }

    /// A peer's issuer is unknown: the bundle may have changed meanwhile, so the next
    /// [`tls`](Self::tls) fetches it again, unless it is younger than [`TRUST_BUNDLE_AGE_MIN`].
    pub fn doubt(&mut self) {
        if let Self::Bundle { fetched, .. } = self {
            fetched.take_if(|(_, since)| since.elapsed() >= TRUST_BUNDLE_AGE_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::capture::capture;
    use crate::testing::daemon::{Daemon, Mood};
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

    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    /// How many certificates are trusted is logged, and whether others are damaged; once for each
    /// bundle, however often it is fetched.
    #[tokio::test]
    async fn certificates_of_a_bundle_are_logged_once() {
        let log = capture();
        let daemon = Daemon::start("");
        let mut trust = Trust::bundle(daemon.client());
        for (bundle, expected) in [
            (certificate(), "1 of 1 certificate(s) trusted"),
            (certificate() + BROKEN, "1 of 2 certificate(s) trusted, the others are damaged"),
            (certificate() + &certificate(), "2 of 2 certificate(s) trusted"),
        ] {
            daemon.set_bundle(bundle);
            for _ in 0..2 {
                if let Trust::Bundle { fetched, .. } = &mut trust {
                    *fetched = None;
                }
                trust.tls().await.expect("one is left");
            }
            let lines = log.lines(expected);
            assert!(lines.len() == 1 && lines[0].ends_with(expected), "{lines:?}");
        }
    }

    /// One certificate that cannot be a root does not take the others with it.
    #[tokio::test]
    async fn what_cannot_be_a_root_is_left_out() {
        let daemon = Daemon::start(certificate() + BROKEN);
        Trust::bundle(daemon.client()).tls().await.expect("one is left");
        daemon.set_bundle(BROKEN);
        let error = Trust::bundle(daemon.client()).tls().await.unwrap_err().to_string();
        assert!(error.contains("no certificate that can be a root"), "{error}");
    }

    /// A file that changes is taken at the next connection, and one that is of no use is named.
    #[tokio::test]
    async fn a_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, certificate()).unwrap();
        let mut trust =
            Trust::file(path.clone(), crate::mqtt::tls::pem::certificates(&path).unwrap()).unwrap();
        assert_eq!(trust.paths().len(), 1);
        let first = trust.tls().await.unwrap();
        assert!(Arc::ptr_eq(&first, &trust.tls().await.unwrap()));
        for (content, why) in [("", "it is empty"), ("-----BEGIN CERTIFICATE-----\nAA", "cut off")]
        {
            std::fs::write(&path, content).unwrap();
            let error = trust.tls().await.unwrap_err().to_string();
            assert!(error.contains("ca.pem") && error.contains(why), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(trust.tls().await.unwrap_err().to_string().contains("No such file"));
        std::fs::write(&path, certificate()).unwrap();
        assert!(!Arc::ptr_eq(&first, &trust.tls().await.unwrap()));
    }
}
