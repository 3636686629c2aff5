//! What a file holds where PEM of another kind was expected, so that the error can say how to mend
//! it.

use std::path::Path;

/// What is in a file that is not the PEM which is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForeignContent {
    Nothing,
    Utf16,
    /// Binary files, by what they hold.
    CertificateDer,
    KeyDer,
    Pkcs12,
    JavaKeyStore,
    /// PEM of another label.
    Certificate,
    TrustedCertificate,
    Request,
    Pkcs7,
    Key,
    PublicKey,
    Encrypted,
}

/// The ends of PEM labels, and what a section under such a label holds. The first end that fits
/// counts, so longer ends stand first.
const LABELS: [(&str, ForeignContent); 8] = [
    ("ENCRYPTED PRIVATE KEY", ForeignContent::Encrypted),
    ("PRIVATE KEY", ForeignContent::Key),
    ("TRUSTED CERTIFICATE", ForeignContent::TrustedCertificate),
    ("CERTIFICATE REQUEST", ForeignContent::Request),
    ("PKCS7", ForeignContent::Pkcs7),
    ("CMS", ForeignContent::Pkcs7),
    ("PUBLIC KEY", ForeignContent::PublicKey),
    ("CERTIFICATE", ForeignContent::Certificate),
];

/// What `bytes` are, where they show it.
pub(super) fn of(bytes: &[u8]) -> Option<ForeignContent> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Some(ForeignContent::Nothing);
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Some(ForeignContent::Utf16);
    }
    if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        return Some(ForeignContent::JavaKeyStore);
    }
    if bytes.first() == Some(&0x30) && !has_sections(bytes) {
        return binary(bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().find_map(|line| line.trim_start().strip_prefix("-----BEGIN "))?;
    let label = first.trim_end().trim_end_matches('-');
    LABELS.iter().find(|(known, _)| label.ends_with(known)).map(|(_, content)| *content)
}

/// Whether there is PEM in it, of whatever label.
pub(super) fn has_sections(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// Whether it holds a key that a passphrase protects, in either of its forms.
pub(super) fn is_encrypted(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.lines().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
}

/// DER: a certificate begins with a sequence, PKCS #12 with version 3, a key with version 0 or 1.
fn binary(bytes: &[u8]) -> Option<ForeignContent> {
    // A long length says in how many bytes it stands.
    let length = bytes.get(1).map(|first| if *first < 0x80 { 0 } else { first & 0x7f })?;
    match bytes.get(2 + usize::from(length)..)? {
        [0x02, 1, 3, ..] => Some(ForeignContent::Pkcs12),
        [0x02, 1, 0 | 1, ..] => Some(ForeignContent::KeyDer),
        [0x30, ..] if crate::mqtt::tls::is_certificate(bytes) => {
            Some(ForeignContent::CertificateDer)
        }
        _ => None,
    }
}

impl ForeignContent {
    /// Why it is no PEM certificate, and how to make one of it.
    pub(super) fn instead_of_certificate(self, path: &Path) -> String {
        let file = path.display();
        match self {
            Self::Key | Self::Encrypted | Self::KeyDer | Self::PublicKey => {
                "it holds a key and no PEM certificate (-----BEGIN CERTIFICATE-----): give the \
                 file of the certificate, or see whether the two are exchanged"
                    .to_owned()
            }
            Self::CertificateDer => format!(
                "it is a certificate in DER, not in PEM: openssl x509 -inform DER -in {file} -out \
                 {file}.pem"
            ),
            Self::Pkcs12 => format!(
                "it is PKCS #12, not PEM: openssl pkcs12 -in {file} -nokeys -out {file}.pem"
            ),
            Self::TrustedCertificate => format!(
                "it holds a certificate in OpenSSL's own form: openssl x509 -in {file} -out \
                 {file}.pem"
            ),
            Self::Request => "it holds a request for a certificate: give the certificate that the \
                              authority made of it"
                .to_owned(),
            Self::Pkcs7 => {
                format!("it is PKCS #7: openssl pkcs7 -in {file} -print_certs -out {file}.pem")
            }
            Self::Certificate => super::NO_PEM.to_owned(),
            _ => self.instead_of_either(),
        }
    }

    /// Why it is no PEM key, and how to make one of it.
    pub(super) fn instead_of_key(self, path: &Path) -> String {
        let file = path.display();
        match self {
            Self::Certificate | Self::CertificateDer | Self::TrustedCertificate => {
                "it holds a certificate and no PEM key (-----BEGIN PRIVATE KEY-----): give the \
                 file of the key, or see whether the two are exchanged"
                    .to_owned()
            }
            Self::Encrypted => format!(
                "the key is encrypted, and nobody is here to type its passphrase: openssl pkey -in \
                 {file} -out {file}.plain, and let nobody else read that file"
            ),
            Self::KeyDer => format!(
                "it is a key in DER, not in PEM: openssl pkey -inform DER -in {file} -out \
                 {file}.pem"
            ),
            Self::Pkcs12 => format!(
                "it is PKCS #12, not PEM: openssl pkcs12 -in {file} -nocerts -nodes -out {file}.pem"
            ),
            Self::PublicKey => {
                "it holds a public key: give the private one that belongs to it".to_owned()
            }
            Self::Request => "it holds a request for a certificate: give the key that the request \
                              was made with"
                .to_owned(),
            Self::Key => super::NO_PEM.to_owned(),
            _ => self.instead_of_either(),
        }
    }

    fn instead_of_either(self) -> String {
        match self {
            Self::Nothing => {
                "it is empty: write the PEM text into it, or see why its writer has not"
            }
            Self::Utf16 => "it is text in UTF-16: save it as UTF-8",
            Self::JavaKeyStore => {
                "it is a Java key store, not PEM: keytool -importkeystore makes PKCS #12 of it, \
                 and openssl pkcs12 makes PEM of that"
            }
            Self::Pkcs7 => "it is PKCS #7, which holds certificates alone: give the key",
            _ => super::NO_PEM,
        }
        .to_owned()
    }
}
