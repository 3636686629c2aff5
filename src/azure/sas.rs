//! Shared access signatures: the key, the token that proves it, and its verification.
//!
//! ```text
//! sr    = percent_encode(resource)              sig = base64(HMAC-SHA256(key, sr + LF + se))
//! token = SharedAccessSignature sr={sr}&sig={percent_encode(sig)}&se={se}[&skn={policy}]
//! ```
//! Clients differ in how they encode `sr` (some not at all), so a token is verified over `sr` as it
//! was received, never over a text encoded again (IoT Hub: control access with SAS).

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use ring::hmac;

use super::digits::number;
use super::{percent_decode, percent_encode};

const SCHEME: &str = "SharedAccessSignature";

/// A symmetric key. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// Why a text is no key. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is empty.
    #[error("the key is empty")]
    Empty,
    /// The text is not padded standard base64.
    #[error("the key is not base64 (was it cut off, or its trailing '=' lost?)")]
    NotBase64,
    /// It has `%XX` in it.
    #[error(
        "the key is not base64 but percent-encoded: write %2B as '+', %2F as '/' and %3D as '='"
    )]
    PercentEncoded,
    /// It is base64 of the alphabet for URLs.
    #[error("the key is base64 for URLs: write '-' as '+' and '_' as '/'")]
    UrlAlphabet,
    /// White space or quotation marks in it or around it.
    #[error("the key is not base64, as it holds white space or quotation marks: take them out")]
    Blank,
    /// What a text tells to replace.
    #[error("the key is not base64 but a placeholder: put the key itself in its place")]
    Placeholder,
}

/// What kind of text it is that is not base64.
fn why_no_key(text: &str) -> KeyError {
    if text.contains(['<', '>', '{', '}', '$']) || text.contains("...") {
        KeyError::Placeholder
    } else if text.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
        KeyError::Blank
    } else if text.contains('%') {
        KeyError::PercentEncoded
    } else if BASE64_URL_SAFE.decode(text).is_ok() {
        KeyError::UrlAlphabet
    } else {
        KeyError::NotBase64
    }
}

impl Key {
    /// Reads a key as the portal shows it: standard base64 with padding.
    ///
    /// # Errors
    /// When the text is empty or not base64.
    pub fn from_base64(text: &str) -> Result<Key, KeyError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| why_no_key(text))?;
        if bytes.is_empty() { Err(KeyError::Empty) } else { Ok(Key(bytes)) }
    }

    /// The key in standard base64: a secret, for files that only its owner reads.
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }

    /// HMAC-SHA256 of `data`.
    pub fn sign(&self, data: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.hmac(), data);
        tag.as_ref().try_into().expect("an HMAC-SHA256 tag has 32 bytes")
    }

    /// The key of one device of an enrollment group (DPS: symmetric key attestation).
    pub fn derive(&self, registration_id: &str) -> Key {
        Key(self.sign(registration_id.as_bytes()).to_vec())
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A token that waits for its signature: the key may be elsewhere, behind the workload API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedToken {
    sr: String,
    expiry_unix_s: u64,
}

impl UnsignedToken {
    /// A token for `resource` that ends at `expiry_unix_s`.
    pub fn new(resource: &str, expiry_unix_s: u64) -> Self {
        let mut sr = String::new();
        percent_encode(resource, &mut sr);
        Self { sr, expiry_unix_s }
    }

    /// The bytes to sign with HMAC-SHA256.
    pub fn text(&self) -> String {
        signed_text(&self.sr, &self.expiry_unix_s.to_string())
    }

    /// The finished token; `policy` is `skn`, for DPS only. A secret until it expires.
    pub fn with_signature(self, signature: &[u8; 32], policy: Option<&str>) -> String {
        let mut token = format!("{SCHEME} sr={}&sig=", self.sr);
        percent_encode(&BASE64_STANDARD.encode(signature), &mut token);
        token.push_str(&format!("&se={}", self.expiry_unix_s));
        if let Some(policy) = policy {
            token.push_str("&skn=");
            percent_encode(policy, &mut token);
        }
        token
    }
}

/// Signs a token for `resource` that ends at `expiry_unix_s`; `policy` is `skn`, for DPS only.
///
/// The result is a secret until it expires.
pub fn sign_token(key: &Key, resource: &str, expiry_unix_s: u64, policy: Option<&str>) -> String {
    let unsigned = UnsignedToken::new(resource, expiry_unix_s);
    let signature = key.sign(unsigned.text().as_bytes());
    unsigned.with_signature(&signature, policy)
}

fn signed_text(sr: &str, se: &str) -> String {
    format!("{sr}\n{se}")
}

/// A token as received. `Debug` shows what it is for, not its signature.
#[derive(Clone)]
pub struct Token {
    /// As received: what was signed.
    sr: String,
    se: String,
    signature: Vec<u8>,
    expiry_unix_s: u64,
    policy: Option<String>,
}

/// Why a text is no token. Says nothing of its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SasError {
    /// Not `SharedAccessSignature`, white space, fields.
    #[error("a token is `SharedAccessSignature` and its fields, separated by one space")]
    Scheme,
    /// White space, a control character, or one outside ASCII within the fields.
    #[error("a token has no white space, control or non-ASCII character in its fields")]
    Character,
    /// A field without `=`, or with more than one: hubs cut the value there.
    #[error("a token field has not one '=' (within a value write %3D)")]
    Field,
    /// A field that comes twice.
    #[error("the token field `{0}` comes twice")]
    Duplicate(&'static str),
    /// A field of no known name that comes twice.
    #[error("an unknown token field comes twice")]
    DuplicateUnknown,
    /// A field that must be there.
    #[error("the token field `{0}` is missing")]
    Missing(&'static str),
    /// `sig` is not percent-encoded base64; a hub reads its raw `+` as a space.
    #[error("the token field `sig` is not percent-encoded base64")]
    Signature,
    /// `se` is not a decimal number of seconds.
    #[error("the token field `se` is not a number of seconds")]
    Expiry,
}

impl Token {
    /// Parses a token as hubs do; fields in any order, names in any letter case, unknown ones
    /// ignored.
    ///
    /// # Errors
    /// When the form is wrong, a field is missing or comes twice, or its value cannot be read.
    pub fn parse(text: &str) -> Result<Token, SasError> {
        let fields = text.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix(' '));
        let fields = fields.ok_or(SasError::Scheme)?;
        if !fields.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SasError::Character);
        }
        let [mut sr, mut sig, mut se, mut skn] = [None; 4];
        let mut others = HashSet::new();
        for field in fields.split('&') {
            let (name, value) = field.split_once('=').ok_or(SasError::Field)?;
            if value.contains('=') {
                return Err(SasError::Field);
            }
            let name = name.to_ascii_lowercase();
            let (slot, name) = match name.as_str() {
                "sr" => (&mut sr, "sr"),
                "sig" => (&mut sig, "sig"),
                "se" => (&mut se, "se"),
                "skn" => (&mut skn, "skn"),
                _ if others.insert(name.clone()) => continue,
                _ => return Err(SasError::DuplicateUnknown),
            };
            if slot.replace(value).is_some() {
                return Err(SasError::Duplicate(name));
            }
        }
        let present = |field: Option<_>, name| field.ok_or(SasError::Missing(name));
        let (sr, sig, se) = (present(sr, "sr")?, present(sig, "sig")?, present(se, "se")?);
        if sig.contains('+') {
            return Err(SasError::Signature);
        }
        Ok(Token {
            sr: sr.to_owned(),
            se: se.to_owned(),
            signature: BASE64_STANDARD
                .decode(percent_decode(sig).as_bytes())
                .map_err(|_| SasError::Signature)?,
            expiry_unix_s: number(se).ok_or(SasError::Expiry)?,
            policy: skn.map(|skn| percent_decode(skn).into_owned()),
        })
    }

    /// Whether `key` signed this token, in constant time. Neither expiry nor resource are checked.
    pub fn verify(&self, key: &Key) -> bool {
        let signed = signed_text(&self.sr, &self.se);
        hmac::verify(&key.hmac(), signed.as_bytes(), &self.signature).is_ok()
    }

    /// What the token grants, decoded: compare it with [`Identity::resource`], ids without regard
    /// to case.
    ///
    /// [`Identity::resource`]: super::Identity::resource
    pub fn resource(&self) -> String {
        percent_decode(&self.sr).into_owned()
    }

    /// Last second of validity, in Unix time.
    pub fn expiry_unix_s(&self) -> u64 {
        self.expiry_unix_s
    }

    /// Whether the token ended more than `skew_s` seconds before `now_unix_s`; hubs allow 300.
    pub fn is_expired(&self, now_unix_s: u64, skew_s: u64) -> bool {
        now_unix_s > self.expiry_unix_s.saturating_add(skew_s)
    }

    /// The policy (`skn`) that signed, when it is named.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("resource", &self.resource())
            .field("expiry_unix_s", &self.expiry_unix_s)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
