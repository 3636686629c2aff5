//! What a request asks for and what it is answered (edgelet: workload API, every version since
//! 2018-06-28: both requests are the same in all of them).
//!
//! Pure: method, path, query and body go in, status and body come out.

use hyper::{Method, StatusCode};
use serde_json::Value;
use sluicegate::azure::workload::{
    API_VERSIONS, Call, parse_sign_request, sign_response, trust_bundle_response,
};

use super::super::state::HubState;
use super::super::tally::worth_a_line;
use super::super::workload_answer::WorkloadAnswer;

/// What modules ask for: their key, and the one algorithm.
const KEY_ID: &str = "primary";
const ALGORITHM: &str = "HMACSHA256";

/// Whose requests a listener serves.
#[derive(Debug)]
pub(super) enum Scope {
    /// This module's: its socket is in its container alone.
    Module(String),
    /// Every module's.
    Every,
}

impl HubState {
    /// Answers one request as the security daemon would.
    pub(super) fn workload_answer(
        &mut self,
        scope: &Scope,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> WorkloadAnswer {
        let Some((call, version)) = Call::parse(method.as_str(), target) else {
            return if target.contains("api-version=") {
                WorkloadAnswer::error(StatusCode::NOT_FOUND, "no such endpoint")
            } else {
                WorkloadAnswer::error(StatusCode::BAD_REQUEST, "the api-version is missing")
            };
        };
        if !API_VERSIONS.contains(&&*version) {
            return WorkloadAnswer::error(
                StatusCode::BAD_REQUEST,
                "the api-version is not supported",
            );
        }
        match call {
            Call::TrustBundle => WorkloadAnswer::ok(trust_bundle_response(&self.trust_bundle)),
            Call::Sign { module, generation } => self.sign(scope, &module, &generation, body),
        }
    }

    fn sign(
        &mut self,
        scope: &Scope,
        module: &str,
        generation: &str,
        body: &[u8],
    ) -> WorkloadAnswer {
        // The daemon tells the caller by its process and strips `$` from names.
        let plain = |name: &str| name.replace('$', "");
        if let Scope::Module(owner) = scope
            && plain(owner) != plain(module)
        {
            return WorkloadAnswer::error(StatusCode::FORBIDDEN, "the caller is not this module");
        }
        let Some(peer) = self.peer_of_module(module) else {
            return WorkloadAnswer::error(StatusCode::NOT_FOUND, "no such module");
        };
        match parse_sign_request(body) {
            Ok(data) => {
                self.note_oddities(peer, generation, body);
                WorkloadAnswer::ok(sign_response(&self.peers[peer].key.sign(&data)))
            }
            Err(error) => WorkloadAnswer::error(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    /// The daemon has one key for each module and one algorithm, and signs whatever key, algorithm
    /// and generation it is asked for (edgelet: module/data/sign). That of IoT Edge 1.1 had none
    /// for another generation or key. So it is no error, but worth a word.
    fn note_oddities(&mut self, peer: usize, generation: &str, body: &[u8]) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let peer = &self.peers[peer];
        let odd = [
            ("keyId", asked["keyId"] != KEY_ID),
            ("algo", asked["algo"] != ALGORITHM),
            ("the generation id", generation != peer.generation_id()),
        ];
        let odd: Vec<&str> = odd.iter().filter(|(_, is_odd)| *is_odd).map(|(n, _)| *n).collect();
        if odd.is_empty() {
            return;
        }
        self.counters.workload_oddities += 1;
        if worth_a_line(self.counters.workload_oddities) {
            let (module, odd) = (&peer.name, odd.join(", "));
            let total = self.counters.workload_oddities;
            tracing::warn!(%module, %odd, total, "workload: signed, though not as a module asks");
        }
    }
}
