//! Certificates for tests: of rcgen where it makes them, and by hand.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PublicKeyData, SigningKey,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::mqtt::tls::certificate::{self, der};

/// A certificate with its key, which can sign others.
pub(crate) struct Made {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: KeyPair,
    params: CertificateParams,
}

impl Made {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        pem(&self.der)
    }

    /// A certificate from this one.
    pub(crate) fn issue(
        &self,
        common_name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let (params, key) = (params(common_name, change), KeyPair::generate().unwrap());
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&key, &issuer).unwrap().der().clone();
        Self { der, key, params }
    }
}

pub(crate) fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn params(common_name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    change(&mut params);
    params
}

/// One that signs itself.
pub(crate) fn self_signed(common_name: &str, change: impl FnOnce(&mut CertificateParams)) -> Made {
    let (params, key) = (params(common_name, change), KeyPair::generate().unwrap());
    Made { der: params.self_signed(&key).unwrap().der().clone(), key, params }
}

/// An authority that signs itself.
pub(crate) fn authority(common_name: &str) -> Made {
    self_signed(common_name, as_authority)
}

pub(crate) fn as_authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

/// With these names.
pub(crate) fn named(names: &[&str]) -> impl FnOnce(&mut CertificateParams) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    |params| params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names
}

/// Valid in these years.
pub(crate) fn valid(first: i32, last: i32) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        params.not_before = rcgen::date_time_ymd(first, 1, 1);
        params.not_after = rcgen::date_time_ymd(last, 1, 1);
    }
}

pub(crate) fn for_clients(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// A certificate by hand.
pub(crate) struct ByHand<'a> {
    pub(crate) version: u8,
    pub(crate) subject: &'a str,
    /// UTCTime or GeneralizedTime, by its length.
    pub(crate) not_before: &'a str,
    pub(crate) not_after: &'a str,
    /// SubjectPublicKeyInfo.
    pub(crate) key: Vec<u8>,
    /// The whole of them.
    pub(crate) extensions: Vec<u8>,
}

impl ByHand<'_> {
    /// X.509 v1, as it is made by `openssl x509 -req` without extensions.
    pub(crate) fn v1<'a>(subject: &'a str, key: &KeyPair) -> ByHand<'a> {
        ByHand {
            version: 1,
            subject,
            not_before: "200101000000Z",
            not_after: "20990101000000Z",
            key: key.subject_public_key_info(),
            extensions: Vec::new(),
        }
    }

    /// Signed by the key of `issuer`, with ECDSA and SHA-256.
    pub(crate) fn signed(&self, issuer: &str, key: &KeyPair) -> CertificateDer<'static> {
        let version = match self.version {
            1 => Vec::new(),
            version => tlv(der::explicit(0), &[tlv(der::INTEGER, &[vec![version - 1]])]),
        };
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            all => tlv(der::explicit(3), &[tlv(der::SEQUENCE, &[all.to_vec()])]),
        };
        let tbs = sequence(&[
            version,
            tlv(der::INTEGER, &[vec![7]]),
            ecdsa_with_sha256(),
            name(issuer),
            sequence(&[time(self.not_before), time(self.not_after)]),
            name(self.subject),
            self.key.clone(),
            extensions,
        ]);
        let signature = [vec![0], key.sign(&tbs).unwrap()].concat();
        let whole = sequence(&[tbs, ecdsa_with_sha256(), tlv(der::BITS, &[signature])]);
        CertificateDer::from(whole)
    }
}

/// The public key of RSA with so many bytes.
pub(crate) fn rsa(bytes: usize) -> Vec<u8> {
    let modulus = [vec![0], vec![0xc3; bytes]].concat();
    let key = sequence(&[tlv(der::INTEGER, &[modulus]), tlv(der::INTEGER, &[vec![1, 0, 1]])]);
    let algorithm = sequence(&[tlv(der::OID, &[certificate::RSA.to_vec()]), tlv(5, &[])]);
    sequence(&[algorithm, tlv(der::BITS, &[vec![0], key])])
}

/// A public key on P-521.
pub(crate) fn p521() -> Vec<u8> {
    let algorithm =
        [certificate::EC, certificate::CURVES[2].0].map(|id| tlv(der::OID, &[id.to_vec()]));
    sequence(&[sequence(&algorithm), tlv(der::BITS, &[vec![0, 4], vec![0x11; 132]])])
}

/// The extension subjectAltName with one DNS name.
pub(crate) fn alt_name(name: &str) -> Vec<u8> {
    let names = sequence(&[tlv(der::implicit(2), &[name.into()])]);
    extension(certificate::ALT_NAMES, false, names)
}

pub(crate) fn extension(id: &[u8], is_critical: bool, value: Vec<u8>) -> Vec<u8> {
    let critical = if is_critical { tlv(der::BOOLEAN, &[vec![0xff]]) } else { Vec::new() };
    sequence(&[tlv(der::OID, &[id.to_vec()]), critical, tlv(der::OCTETS, &[value])])
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(der::SEQUENCE, parts)
}

fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let length = match u8::try_from(length) {
        Ok(short @ ..0x80) => vec![short],
        Ok(long) => vec![0x81, long],
        Err(_) => {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            vec![0x82, high, low]
        }
    };
    [vec![tag], length, content].concat()
}

fn ecdsa_with_sha256() -> Vec<u8> {
    sequence(&[tlv(der::OID, &[vec![0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]])])
}

fn name(common_name: &str) -> Vec<u8> {
    let part =
        [tlv(der::OID, &[certificate::COMMON_NAME.to_vec()]), tlv(0x0c, &[common_name.into()])];
    sequence(&[tlv(0x31, &[sequence(&part)])])
}

fn time(text: &str) -> Vec<u8> {
    let tag = if text.len() == 13 { der::UTC_TIME } else { der::GENERALIZED_TIME };
    tlv(tag, &[text.into()])
}
