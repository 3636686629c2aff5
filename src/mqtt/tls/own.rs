//! The certificate that we show, and its key.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::certificate::Certificate;
use super::flaw::{KEYS_TAKEN, expired, too_new};

/// Shows `chain` with the one in front that `key` belongs to. Whether it is a good one is for the
/// peer to say: many take X.509 v1.
pub(super) fn resolver(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<dyn ResolvesClientCert>, String> {
    let key = provider.key_provider.load_private_key(key).map_err(|_| unusable(&chain))?;
    let public = key.public_key();
    let chain = in_order(chain, public.as_deref().unwrap_or_default())?;
    Ok(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
}

/// The key's own text may hold a piece of it, so it is the certificate's that tells its kind.
fn unusable(chain: &[CertificateDer<'_>]) -> String {
    let kind = chain.first().and_then(|first| Certificate::read(first)).map(|read| read.key.kind);
    let of_kind = match kind.filter(|kind| !kind.is_taken()) {
        Some(kind) => format!(" (by its certificate it is {kind})"),
        None => String::new(),
    };
    format!("the key cannot be used{of_kind}: give one of {KEYS_TAKEN}")
}

/// The certificate of `public` in front, then each one's issuer, then what is left. Files that
/// begin with the root are common, and the key tells which one is ours.
fn in_order(
    chain: Vec<CertificateDer<'static>>,
    public: &[u8],
) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut left = Vec::new();
    for (index, der) in chain.into_iter().enumerate() {
        let read = Certificate::read(&der)
            .ok_or_else(|| format!("certificate {} cannot be used: it is damaged", index + 1))?;
        left.push((read, der));
    }
    let Some(at) = left.iter().position(|(read, _)| read.key.info == public) else {
        return Err(
            "the key does not belong to the certificate: give the key that it was made with, \
                    or the certificate that was made with this key"
                .to_owned(),
        );
    };
    let (mut last, der) = left.remove(at);
    let mut ordered = vec![der];
    while let Some(at) = left.iter().position(|(read, _)| read.subject == last.issuer) {
        let der;
        (last, der) = left.remove(at);
        ordered.push(der);
    }
    ordered.extend(left.into_iter().map(|(_, der)| der));
    Ok(ordered)
}

/// The one of `chain` that `key` belongs to, read.
pub(super) fn certificate_of(
    chain: &[CertificateDer<'_>],
    key: &PrivateKeyDer<'static>,
) -> Option<Certificate> {
    let key = super::provider().key_provider.load_private_key(key.clone_key()).ok()?;
    let public = key.public_key()?;
    let mut read = chain.iter().filter_map(|der| Certificate::read(der));
    read.find(|read| read.key.info == public.as_ref())
}

/// What a peer may not like about our certificate `read`.
pub(super) fn doubt(read: &Certificate, now: UnixTime) -> Option<String> {
    let at = |s| UnixTime::since_unix_epoch(std::time::Duration::from_secs(s));
    let (not_before, not_after) = (at(read.not_before_s), at(read.not_after_s));
    if now > not_after {
        return Some(expired("our client", not_after, now));
    }
    if now < not_before {
        return Some(too_new("our client", not_before, now));
    }
    let words = if !read.is_for_clients {
        "our client certificate is not meant for clients: take one whose extended key usage has \
         clientAuth"
    } else if read.is_authority {
        "our client certificate is that of a certification authority: take one for a client"
    } else if read.version < 3 {
        "our client certificate is X.509 v1, which not every broker takes: take one of v3"
    } else {
        return None;
    };
    Some(words.to_owned())
}

#[cfg(test)]
mod tests;
