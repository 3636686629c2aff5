//! The workload API of the edge runtime as text: what is asked of the security daemon, and what it
//! answers (edgelet: workload API, all versions of [`API_VERSIONS`]).
//!
//! ```text
//! GET  /trust-bundle?api-version=V                      -> {"certificate": PEM certificates}
//! POST /modules/M/genid/G/sign?api-version=V            -> {"digest": base64}
//!      {"keyId":"primary","algo":"HMACSHA256","data":base64}
//! ```
//! An error is any other status, with `{"message": text}`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{percent_decode, percent_encode};

/// The version for a runtime that names none: every daemon knows it.
pub const API_VERSION_DEFAULT: &str = "2018-06-28";
/// The versions that daemons know; both requests are the same in all of them.
pub const API_VERSIONS: [&str; 7] = [
    API_VERSION_DEFAULT,
    "2019-01-30",
    "2019-10-22",
    "2019-11-05",
    "2020-07-07",
    "2021-12-07",
    "2022-08-03",
];

const VERSION_PARAMETER: &str = "api-version";

/// Why a body cannot be used. Says nothing of its contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON, or not of the form above.
    #[error("not the JSON that the workload API defines: {0}")]
    Json(String),
    /// `data` or `digest` is not padded standard base64.
    #[error("`{0}` is not base64")]
    Base64(&'static str),
    /// A digest that is no HMAC-SHA256.
    #[error("`digest` has {0} bytes, HMAC-SHA256 has 32")]
    DigestLength(usize),
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// The certificates to trust.
    TrustBundle,
    /// An HMAC-SHA256 with the key of the module.
    Sign {
        /// Module id.
        module: String,
        /// Generation of the module's identity.
        generation: String,
    },
}

impl Call {
    /// HTTP method.
    pub fn method(&self) -> &'static str {
        match self {
            Self::TrustBundle => "GET",
            Self::Sign { .. } => "POST",
        }
    }

    /// Path and query; every part is percent-encoded.
    pub fn target(&self, api_version: &str) -> String {
        let mut target = match self {
            Self::TrustBundle => String::from("/trust-bundle"),
            Self::Sign { module, generation } => {
                let mut path = String::from("/modules/");
                percent_encode(module, &mut path);
                path.push_str("/genid/");
                percent_encode(generation, &mut path);
                path + "/sign"
            }
        };
        target.push_str(&format!("?{VERSION_PARAMETER}="));
        percent_encode(api_version, &mut target);
        target
    }

    /// Reads method, path and query as a daemon does, and the API version with them; `None` for
    /// anything that is neither call.
    pub fn parse(method: &str, target: &str) -> Option<(Self, String)> {
        let (path, query) = target.split_once('?')?;
        let parameter = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            (name == VERSION_PARAMETER).then(|| percent_decode(value).into_owned())
        };
        let version = query.split('&').find_map(parameter)?;
        let parts: Vec<_> = path.split('/').collect();
        let call = match (method, parts.as_slice()) {
            ("GET", ["", "trust-bundle"]) => Self::TrustBundle,
            ("POST", ["", "modules", module, "genid", generation, "sign"])
                if !module.is_empty() && !generation.is_empty() =>
            {
                let decoded = |text| percent_decode(text).into_owned();
                Self::Sign { module: decoded(module), generation: decoded(generation) }
            }
            _ => return None,
        };
        Some((call, version))
    }
}

#[derive(Serialize)]
struct SignRequest {
    #[serde(rename = "keyId")]
    key_id: &'static str,
    algo: &'static str,
    data: String,
}

#[derive(Deserialize)]
struct DataOnly {
    data: String,
}

#[derive(Serialize, Deserialize)]
struct Digest {
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct CertificateBody {
    certificate: String,
}

#[derive(Serialize, Deserialize)]
struct ErrorBody {
    message: String,
}

/// The body that asks for the HMAC of `data`.
pub fn sign_request(data: &[u8]) -> String {
    let data = BASE64_STANDARD.encode(data);
    json(&SignRequest { key_id: "primary", algo: "HMACSHA256", data })
}

/// The bytes to sign. A daemon looks at nothing else of the body.
///
/// # Errors
/// When the body is not such JSON, or `data` not base64.
pub fn parse_sign_request(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let request: DataOnly = parse(body)?;
    BASE64_STANDARD.decode(request.data).map_err(|_| BodyError::Base64("data"))
}

/// The answer to a sign request.
pub fn sign_response(digest: &[u8; 32]) -> String {
    json(&Digest { digest: BASE64_STANDARD.encode(digest) })
}

/// The HMAC in an answer.
///
/// # Errors
/// When the body is not such JSON, or the digest not 32 bytes in base64.
pub fn parse_sign_response(body: &[u8]) -> Result<[u8; 32], BodyError> {
    let answer: Digest = parse(body)?;
    let digest = BASE64_STANDARD.decode(answer.digest).map_err(|_| BodyError::Base64("digest"))?;
    digest.try_into().map_err(|other: Vec<u8>| BodyError::DigestLength(other.len()))
}

/// The answer to a trust-bundle request: PEM text, whatever the API description says of base64.
pub fn trust_bundle_response(pem: &str) -> String {
    json(&CertificateBody { certificate: pem.to_owned() })
}

/// The PEM text in an answer.
///
/// # Errors
/// When the body is not such JSON.
pub fn parse_trust_bundle_response(body: &[u8]) -> Result<String, BodyError> {
    parse(body).map(|answer: CertificateBody| answer.certificate)
}

/// The body of an answer that is an error.
pub fn error_response(message: &str) -> String {
    json(&ErrorBody { message: message.to_owned() })
}

/// The daemon's words in an answer that is an error; `None` when it has none.
pub fn parse_error_response(body: &[u8]) -> Option<String> {
    parse(body).ok().map(|error: ErrorBody| error.message)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings alone, which always serialize")
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    // serde_json's own text may repeat a piece of the input: its place is enough.
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        BodyError::Json(format!("{:?} error at line {line} column {column}", error.classify()))
    })
}

#[cfg(test)]
mod tests;
