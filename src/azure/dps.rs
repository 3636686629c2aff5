//! The Device Provisioning Service over MQTT, by symmetric key: who registers, topics and bodies.
//!
//! ```text
//! SUBSCRIBE $dps/registrations/res/#
//! register ──► 202 assigning, operation id, retry-after
//! poll     ──► 202 assigning ... 200 assigned: hub and device id
//! ```
//! [`Registration`] walks through that; everything else here is text. Device ids and hub names of
//! an answer are checked before they can become part of a topic or be dialled.
//!
//! Source: Azure IoT Hub Device Provisioning Service, "Communicate with your DPS using the MQTT
//! protocol", "Symmetric key attestation", "Runtime registration".

pub mod registration;

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::digits::number;
use super::{percent_decode, percent_encode};

pub use registration::{Registration, RegistrationError, RegistrationProgress, Request};

/// Filter of the service's answers.
pub const RESPONSES: &str = "$dps/registrations/res/#";
/// The policy (`skn`) that a token for the service names.
pub const POLICY: &str = "registration";
/// The service version that is spoken.
const API_VERSION: &str = "2019-03-31";
/// Most characters of the service's own words that an error repeats.
const MESSAGE_CHARS_MAX: usize = 200;

/// Who registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// Id scope of the service.
    pub id_scope: String,
    /// Registration id: also the MQTT client id.
    pub registration_id: String,
}

impl Enrollment {
    /// The MQTT username; there is no `?` in it, and `user_agent` is percent-encoded.
    pub fn username(&self, user_agent: &str) -> String {
        let mut name = format!("{}/api-version={API_VERSION}&ClientVersion=", self.resource());
        percent_encode(user_agent, &mut name);
        name
    }

    /// What a SAS token for the service grants: `{id scope}/registrations/{registration id}`.
    pub fn resource(&self) -> String {
        format!("{}/registrations/{}", self.id_scope, self.registration_id)
    }
}

/// Where a device was assigned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Fully qualified name of the IoT Hub.
    pub hub: String,
    /// Device id there; with an enrollment group it is the registration id.
    pub device: String,
}

/// Topic that asks for a registration.
pub fn register(rid: &str) -> String {
    let mut topic = "$dps/registrations/PUT/iotdps-register/?$rid=".to_owned();
    percent_encode(rid, &mut topic);
    topic
}

/// Body of a registration; a DTDL model is announced in `payload`.
pub fn register_body(registration_id: &str, model_id: Option<&str>) -> String {
    let body = match model_id {
        None => json!({ "registrationId": registration_id }),
        Some(model) => {
            json!({ "registrationId": registration_id, "payload": { "modelId": model } })
        }
    };
    body.to_string()
}

/// Topic that asks how a registration goes.
pub fn poll(rid: &str, operation_id: &str) -> String {
    let mut topic = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=".to_owned();
    percent_encode(rid, &mut topic);
    topic.push_str("&operationId=");
    percent_encode(operation_id, &mut topic);
    topic
}

/// Topic of the service's answer.
pub fn response(status: u32, rid: &str, retry_after_s: Option<u64>) -> String {
    let mut topic = format!("$dps/registrations/res/{status}/?$rid=");
    percent_encode(rid, &mut topic);
    if let Some(seconds) = retry_after_s {
        topic.push_str(&format!("&retry-after={seconds}"));
    }
    topic
}

/// What the topic of an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response<'a> {
    /// 200, 202 or an HTTP error.
    pub status: u32,
    /// Of the request, decoded.
    pub rid: Cow<'a, str>,
    /// How long to wait before the next request.
    pub retry_after: Option<Duration>,
}

/// Reads the topic of an answer; `None` for any other and for a malformed one. A `retry-after` that
/// is no number counts as absent.
pub fn parse_response(topic: &str) -> Option<Response<'_>> {
    let (status, query) = topic.strip_prefix("$dps/registrations/res/")?.split_once('/')?;
    let mut rid = None;
    let mut retry_after = None;
    for (name, value) in pairs(query)? {
        match name {
            "$rid" => rid = Some(percent_decode(value)),
            "retry-after" => retry_after = number(value).map(Duration::from_secs),
            _ => {}
        }
    }
    Some(Response { status: number(status)?, rid: rid?, retry_after })
}

/// What the service is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A registration.
    Register {
        /// For the answer, decoded.
        rid: Cow<'a, str>,
    },
    /// How a registration goes.
    Poll {
        /// For the answer, decoded.
        rid: Cow<'a, str>,
        /// Of the registration, decoded.
        operation_id: Cow<'a, str>,
    },
}

/// Reads the topic of a request, on the service's side; `None` for any other.
pub fn parse_request(topic: &str) -> Option<Asked<'_>> {
    let rest = topic.strip_prefix("$dps/registrations/")?;
    let value = |query, wanted| {
        let found = pairs(query)?.find(|(name, _)| *name == wanted)?;
        Some(percent_decode(found.1))
    };
    if let Some(query) = rest.strip_prefix("PUT/iotdps-register/") {
        return Some(Asked::Register { rid: value(query, "$rid")? });
    }
    let query = rest.strip_prefix("GET/iotdps-get-operationstatus/")?;
    Some(Asked::Poll { rid: value(query, "$rid")?, operation_id: value(query, "operationId")? })
}

/// The pairs of `?a=b&c=d`; parts without `=` are passed over.
fn pairs(query: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    Some(query.strip_prefix('?')?.split('&').filter_map(|pair| pair.split_once('=')))
}

/// The body of an answer, as far as it matters.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    operation_id: Option<String>,
    status: Option<String>,
    registration_state: Option<RegistrationState>,
    error_code: Option<u64>,
    message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RegistrationState {
    assigned_hub: Option<String>,
    device_id: Option<String>,
    error_code: Option<u64>,
    error_message: Option<String>,
}

impl RegistrationState {
    /// The assignment, when host and id are such.
    fn assignment(self) -> Option<Assignment> {
        let hub = self.assigned_hub.filter(|hub| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            !hub.is_empty() && hub.len() <= 253 && hub.bytes().all(allowed)
        })?;
        // `/`, `+` and `#` would change what the device's topics mean.
        let device = self.device_id.filter(|id| {
            let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b'+' | b'#');
            !id.is_empty() && id.len() <= 128 && id.bytes().all(allowed)
        })?;
        Some(Assignment { hub, device })
    }
}

/// The service's own words, cut to [`MESSAGE_CHARS_MAX`]; empty where there are none.
fn shortened(message: Option<String>) -> String {
    message.unwrap_or_default().chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
