//! Judges a server's certificate: by WebPKI's rules, and one that was chosen by its own key.
//!
//! A file of roots may hold the very certificate of the peer: that of a small authority which is
//! its own server, one of X.509 v1, one whose issuer is not there. WebPKI's rules refuse it as that
//! of a server, although whoever chose it meant just that one. So where they refuse, and the peer's
//! certificate is byte for byte one of those that were chosen, it is judged as it stands:
//!
//! - its dates hold, it is meant for servers, and no critical extension is unknown;
//! - it carries the host name, by subjectAltName or, where it has no such names, its common name;
//! - the peer proves in the handshake that it has the key, as every peer must.
//!
//! Who signed it does not matter then: trust comes from the file. Nothing changes for any other
//! peer.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError as Bad, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore,
    SignatureScheme,
};

use super::certificate::Certificate;
use super::flaw::Flaw;

/// WebPKI's rules for all, and for what was chosen its own key.
#[derive(Debug)]
pub(super) struct Verifier {
    rules: Arc<WebPkiServerVerifier>,
    chosen: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// # Errors
    /// There is no root.
    pub(super) fn new(
        anchors: RootCertStore,
        chosen: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let algorithms = provider.signature_verification_algorithms;
        let rules = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), provider);
        let rules = rules.build().map_err(|error| Error::General(error.to_string()))?;
        Ok(Self { rules, chosen, algorithms })
    }

    /// What was chosen, without regard to who signed it.
    fn judge_chosen(
        &self,
        der: &CertificateDer<'_>,
        host: &ServerName<'_>,
        time: UnixTime,
    ) -> Result<(), Error> {
        let read = Certificate::read(der).ok_or(Bad::BadEncoding)?;
        let [not_before, not_after] = [read.not_before_s, read.not_after_s]
            .map(|s| UnixTime::since_unix_epoch(std::time::Duration::from_secs(s)));
        if time < not_before {
            return Err(Bad::NotValidYetContext { time, not_before }.into());
        }
        if time > not_after {
            return Err(Bad::ExpiredContext { time, not_after }.into());
        }
        if read.is_beyond_us {
            return Err(Bad::UnhandledCriticalExtension.into());
        }
        if !read.is_for_servers {
            return Err(Bad::InvalidPurpose.into());
        }
        if !read.key.kind.is_taken() {
            return Err(Flaw::Key(read.key.kind).into());
        }
        if read.is_called(&host.to_str()) {
            return Ok(());
        }
        let is_named = read.version == 3
            && verify_server_name(&ParsedCertificate::try_from(der)?, host).is_ok();
        if is_named { Ok(()) } else { Err(wrong_name(&read, host, true)) }
    }

    fn is_chosen(&self, der: &CertificateDer<'_>) -> bool {
        self.chosen.iter().any(|chosen| chosen.as_ref() == der.as_ref())
    }

    /// The signature of a handshake, by the key of a certificate that is not of v3. rustls has this
    /// for TLS 1.3 alone.
    fn verify_tls12_by_key(
        &self,
        message: &[u8],
        read: &Certificate,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let offered = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        let Some((_, candidates)) = offered else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        let key = &read.key;
        let fits = candidates
            .iter()
            .find(|candidate| candidate.public_key_alg_id().as_ref() == key.algorithm);
        let verified = fits.map(|fit| fit.verify_signature(&key.bits, message, dss.signature()));
        match verified {
            Some(Ok(())) => Ok(HandshakeSignatureValid::assertion()),
            Some(Err(_)) | None => Err(Bad::BadSignature.into()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.rules.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match judged {
            Err(_) if self.is_chosen(end_entity) => {
                let chosen = self.judge_chosen(end_entity, server_name, now);
                chosen.map(|()| ServerCertVerified::assertion()).map_err(|error| {
                    // A root that came first is chosen, too.
                    let read = Certificate::read(end_entity);
                    read.and_then(|read| order(&read, intermediates)).map_or(error, Error::from)
                })
            }
            Err(error) => Err(explained(error, end_entity, intermediates, server_name)),
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(read) = Certificate::read(cert) else { return Err(Bad::BadEncoding.into()) };
        let verified = if read.version == 3 {
            self.rules.verify_tls12_signature(message, cert, dss)
        } else {
            self.verify_tls12_by_key(message, &read, dss)
        };
        verified.map_err(|error| by_key(error, &read))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(read) = Certificate::read(cert) else { return Err(Bad::BadEncoding.into()) };
        let verified = if read.version == 3 {
            self.rules.verify_tls13_signature(message, cert, dss)
        } else {
            let info = SubjectPublicKeyInfoDer::from(read.key.info.as_slice());
            verify_tls13_signature_with_raw_key(message, &info, dss, &self.algorithms)
        };
        verified.map_err(|error| by_key(error, &read))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rules.supported_verify_schemes()
    }
}

/// A failed proof of the key, where the key is the cause.
fn by_key(error: Error, read: &Certificate) -> Error {
    match error {
        Error::InvalidCertificate(_) if !read.key.kind.is_taken() => {
            Flaw::Key(read.key.kind).into()
        }
        Error::InvalidCertificate(Bad::BadSignature) => Flaw::Proof.into(),
        other => other,
    }
}

/// The same error, or one that says more.
fn explained(
    error: Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    host: &ServerName<'_>,
) -> Error {
    let Error::InvalidCertificate(bad) = &error else { return error };
    let Some(read) = Certificate::read(end_entity) else { return error };
    match bad {
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => wrong_name(&read, host, false),
        Bad::Other(_) | Bad::UnknownIssuer | Bad::BadSignature | Bad::BadEncoding => {
            flaw(&read, intermediates).map_or(error, Error::from)
        }
        _ => error,
    }
}

/// What is wrong with a certificate whoever signed it.
fn flaw(read: &Certificate, intermediates: &[CertificateDer<'_>]) -> Option<Flaw> {
    if let Some(flaw) = order(read, intermediates) {
        return Some(flaw);
    }
    if read.version < 3 {
        return Some(Flaw::Version(read.version));
    }
    if !read.key.kind.is_taken() {
        return Some(Flaw::Key(read.key.kind));
    }
    read.is_authority.then_some(Flaw::Authority)
}

/// Whether one that vouches for others came first, and one that it vouches for behind it.
fn order(read: &Certificate, intermediates: &[CertificateDer<'_>]) -> Option<Flaw> {
    let is_below = |der: &CertificateDer<'_>| {
        let other = Certificate::read(der);
        other.is_some_and(|other| !other.is_authority && other.issuer == read.subject)
    };
    (read.is_authority && intermediates.iter().any(is_below)).then_some(Flaw::Order)
}

fn wrong_name(read: &Certificate, host: &ServerName<'_>, is_chosen: bool) -> Error {
    let mut presented = read.names.clone();
    match &read.common_name {
        // It would do, if only the certificate were chosen.
        Some(name) if read.is_called(&host.to_str()) && !is_chosen => {
            return Flaw::CommonName(super::flaw::shown(name)).into();
        }
        Some(name) if presented.is_empty() => presented.push(name.clone()),
        _ => {}
    }
    Bad::NotValidForNameContext { expected: host.to_owned(), presented }.into()
}

#[cfg(test)]
mod tests;
