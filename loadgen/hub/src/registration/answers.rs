//! What a request of a registration is answered: status, retry-after, JSON body.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sluicegate::azure::dps::Asked;

use super::super::provisioning::RegistrationFault;
use super::super::state::HubState;
use super::devices::NoDevice;
use crate::simulator::utc_text;

/// Seconds after which a device asks again whose registration could not be kept.
const NOT_SAVED_RETRY_S: u64 = 5;

/// An answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RegistrationAnswer {
    pub(super) status: u32,
    pub(super) retry_after_s: Option<u64>,
    pub(super) body: Value,
}

impl HubState {
    /// Answers a request; `None` when it is to stay without an answer.
    pub(super) fn registration_answer(
        &mut self,
        registration: &str,
        asked: &Asked<'_>,
        body: &[u8],
    ) -> Option<RegistrationAnswer> {
        let fault = self.provisioning.faults.get(registration).cloned();
        match &fault {
            Some(RegistrationFault::Silence) => return None,
            Some(RegistrationFault::Status { status, retry_after_s, times }) => {
                let left = times.saturating_sub(1);
                let rest = RegistrationFault::Status {
                    status: *status,
                    retry_after_s: *retry_after_s,
                    times: left,
                };
                self.provisioning.set_fault(registration.to_owned(), (left > 0).then_some(rest));
                if *times > 0 {
                    return Some(self.refuse(*status, *retry_after_s));
                }
            }
            _ => {}
        }
        let Some(key) = self.provisioning.key(registration) else {
            return Some(self.refuse(404, None));
        };
        let operation_id = match asked {
            Asked::Register { .. } => {
                if !names(body, registration) {
                    return Some(self.refuse(400, None));
                }
                let id = self.provisioning.begin(registration);
                return Some(self.assigning(&id));
            }
            Asked::Poll { operation_id, .. } => operation_id,
        };
        Some(match (self.provisioning.poll(registration, operation_id), fault) {
            (None, _) => self.refuse(404, None),
            (Some(true), _) => self.assigning(operation_id),
            (Some(false), Some(RegistrationFault::Failed)) => {
                self.ended(operation_id, registration, "failed", "the allocation failed")
            }
            (Some(false), Some(RegistrationFault::Disabled)) => {
                self.ended(operation_id, registration, "disabled", "the enrollment is disabled")
            }
            (Some(false), _) => match self.assign_device(registration, key) {
                Ok(()) => {
                    self.counters.registrations += 1;
                    self.assigned(operation_id, registration)
                }
                Err(NoDevice::TooMany) => {
                    self.ended(operation_id, registration, "failed", "no room for another device")
                }
                // The device asks again, and the disk may have room by then.
                Err(NoDevice::NotSaved) => self.refuse(500, Some(NOT_SAVED_RETRY_S)),
            },
        })
    }

    fn assigning(&self, operation_id: &str) -> RegistrationAnswer {
        RegistrationAnswer {
            status: 202,
            retry_after_s: Some(self.provisioning.config.retry_after_s),
            body: json!({ "operationId": operation_id, "status": "assigning" }),
        }
    }

    fn assigned(&self, operation_id: &str, registration: &str) -> RegistrationAnswer {
        let now = now_text();
        let state = json!({
            "registrationId": registration,
            "createdDateTimeUtc": now,
            "assignedHub": self.config.host_name,
            "deviceId": registration,
            "status": "assigned",
            "substatus": "initialAssignment",
            "lastUpdatedDateTimeUtc": now,
            "etag": "IjAi",
        });
        done(operation_id, "assigned", state)
    }

    /// A registration that ended without a device.
    fn ended(
        &mut self,
        operation_id: &str,
        registration: &str,
        status: &str,
        why: &str,
    ) -> RegistrationAnswer {
        self.counters.registrations_refused += 1;
        let now = now_text();
        let state = json!({
            "registrationId": registration,
            "createdDateTimeUtc": now,
            "status": status,
            "errorCode": 400_207,
            "errorMessage": why,
            "lastUpdatedDateTimeUtc": now,
            "etag": "IjAi",
        });
        done(operation_id, status, state)
    }

    fn refuse(&mut self, status: u32, retry_after_s: Option<u64>) -> RegistrationAnswer {
        self.counters.registrations_refused += 1;
        let message = match status {
            400 => "The request is invalid: its body must name the registration id.",
            401 => "Unauthorized",
            404 => "The registration or its operation was not found.",
            429 => "Operations are being throttled for this tenant.",
            _ => "The service has an error.",
        };
        let body = json!({
            "errorCode": u64::from(status) * 1000 + 2,
            "trackingId": format!("{:032x}", self.counters.registrations_refused),
            "message": message,
            "timestampUtc": now_text(),
        });
        RegistrationAnswer { status, retry_after_s, body }
    }
}

fn done(operation_id: &str, status: &str, state: Value) -> RegistrationAnswer {
    let body = json!({ "operationId": operation_id, "status": status, "registrationState": state });
    RegistrationAnswer { status: 200, retry_after_s: None, body }
}

/// Whether a register body names this registration; ids compare without regard to letter case.
fn names(body: &[u8], registration: &str) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| {
        body["registrationId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(registration))
    })
}

fn now_text() -> String {
    utc_text(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
