//! What a request asks for and what it is answered (edgelet: workload API, every version since
//! 2018-06-28: both requests are the same in all of them).
//!
//! Pure: method, path, query and body go in, status and body come out.

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sluicegate::azure::percent_decode;

use super::super::state::HubState;

/// Path of the trust bundle.
pub(super) const TRUST_BUNDLE: &str = "/trust-bundle";

/// API versions that daemons know.
const API_VERSIONS: [&str; 7] = [
    "2018-06-28",
    "2019-01-30",
    "2019-10-22",
    "2019-11-05",
    "2020-07-07",
    "2021-12-07",
    "2022-08-03",
];

/// Whose requests a listener serves.
#[derive(Debug)]
pub(super) enum Scope {
    /// This module's: its socket is in its container alone.
    Module(String),
    /// Every module's.
    Every,
}

/// Status and JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn ok(body: &Value) -> Self {
        Self { status: StatusCode::OK, body: body.to_string() }
    }

    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        Self { status, body: json!({ "message": message }).to_string() }
    }

    /// A text member of the body.
    pub(super) fn member(&self, name: &str) -> Option<String> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        body.get(name)?.as_str().map(str::to_owned)
    }

    /// The message of an error.
    pub(super) fn message(&self) -> String {
        self.member("message").unwrap_or_default()
    }
}

/// The one member that the daemon reads; `keyId` and `algo` are anything.
#[derive(Deserialize)]
struct SignRequest {
    data: String,
}

impl HubState {
    /// Answers one request as the security daemon would.
    pub(super) fn workload_answer(
        &self,
        scope: &Scope,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if let Err(answer) = check_version(query) {
            return answer;
        }
        let segments: Vec<_> = path.split('/').map(percent_decode).collect();
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        match (segments.as_slice(), method) {
            (["", "trust-bundle"], &Method::GET) => {
                Answer::ok(&json!({ "certificate": self.trust_bundle }))
            }
            (
                ["", "modules", "", "genid", _, "sign"] | ["", "modules", _, "genid", "", "sign"],
                _,
            ) => Answer::error(StatusCode::NOT_FOUND, "an empty name in the path"),
            (["", "modules", module, "genid", _, "sign"], &Method::POST) => {
                self.sign(scope, module, body)
            }
            (["", "trust-bundle"] | ["", "modules", _, "genid", _, "sign"], _) => {
                Answer::error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
            }
            _ => Answer::error(StatusCode::NOT_FOUND, "no such endpoint"),
        }
    }

    fn sign(&self, scope: &Scope, module: &str, body: &[u8]) -> Answer {
        // The daemon tells the caller by its process and strips `$` from names.
        let plain = |name: &str| name.replace('$', "");
        if let Scope::Module(owner) = scope
            && plain(owner) != plain(module)
        {
            return Answer::error(StatusCode::FORBIDDEN, "the caller is not this module");
        }
        let Some(peer) = self.peer_of_module(module) else {
            return Answer::error(StatusCode::NOT_FOUND, "no such module");
        };
        let Ok(SignRequest { data }) = serde_json::from_slice(body) else {
            return Answer::error(StatusCode::BAD_REQUEST, "the body has no text `data`");
        };
        match BASE64_STANDARD.decode(data) {
            Ok(data) => {
                let digest = BASE64_STANDARD.encode(self.peers[peer].key.sign(&data));
                Answer::ok(&json!({ "digest": digest }))
            }
            Err(_) => Answer::error(StatusCode::BAD_REQUEST, "`data` is not base64"),
        }
    }
}

fn check_version(query: &str) -> Result<(), Answer> {
    let version = query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
    match version.map(percent_decode) {
        Some(version) if API_VERSIONS.contains(&&*version) => Ok(()),
        Some(_) => Err(Answer::error(StatusCode::BAD_REQUEST, "the api-version is not supported")),
        None => Err(Answer::error(StatusCode::BAD_REQUEST, "the api-version is missing")),
    }
}
