//! What the Device Provisioning Service of the hub knows: enrollments, registrations under way, and
//! what a test has happen to them. Its clients are served by `registration`.
//!
//! Bounded: [`OPERATIONS_MAX`] registrations under way (the oldest is forgotten), `devices_max`
//! devices (a further registration fails).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use sluicegate::azure::Key;

pub(super) mod enrollments;

pub use enrollments::{Enrollment, GroupKey, ProvisioningConfig};

/// Registrations whose operation id is remembered.
const OPERATIONS_MAX: usize = 1024;

/// What a test may have happen to one registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegistrationFault {
    /// The next `times` requests are answered by this error; what follows is as usual.
    Status {
        /// 401, 404, 429, 5xx.
        status: u32,
        /// Seconds that the answer tells the device to wait.
        retry_after_s: Option<u64>,
        /// Requests so answered.
        times: u32,
    },
    /// The registration ends as failed.
    Failed,
    /// The registration ends as disabled.
    Disabled,
    /// Requests are acknowledged and never answered.
    Silence,
}

/// State of the service.
pub(super) struct Provisioning {
    pub(super) config: ProvisioningConfig,
    /// Key of the enrollment group, if there is one.
    group_key: Option<Key>,
    /// Registrations under way, oldest first.
    operations: VecDeque<Operation>,
    started: u64,
    pub(super) faults: BTreeMap<String, RegistrationFault>,
}

/// One registration under way.
struct Operation {
    id: String,
    registration: String,
    /// Polls yet to be answered 202.
    polls: u32,
}

impl Provisioning {
    pub(super) fn new(config: ProvisioningConfig, group_key: Option<Key>) -> Self {
        Self { config, group_key, operations: VecDeque::new(), started: 0, faults: BTreeMap::new() }
    }

    /// Makes a registration fail in this way from now on, or, with `None`, as usual again.
    pub(super) fn set_fault(&mut self, registration: String, fault: Option<RegistrationFault>) {
        match fault {
            Some(fault) => self.faults.insert(registration, fault),
            None => self.faults.remove(&registration),
        };
    }

    /// Begins a registration and gives its operation id.
    pub(super) fn begin(&mut self, registration: &str) -> String {
        if self.operations.len() >= OPERATIONS_MAX {
            self.operations.pop_front();
        }
        self.started += 1;
        let id = format!("4.{:016x}.{registration}", self.started);
        let polls = self.config.assigning_polls;
        let registration = registration.to_owned();
        self.operations.push_back(Operation { id: id.clone(), registration, polls });
        id
    }

    /// Takes one poll: whether the registration is still under way, `None` when there is none.
    pub(super) fn poll(&mut self, registration: &str, operation_id: &str) -> Option<bool> {
        let operation = self
            .operations
            .iter_mut()
            .find(|known| known.id == operation_id && known.registration == registration)?;
        let is_under_way = operation.polls > 0;
        operation.polls = operation.polls.saturating_sub(1);
        Some(is_under_way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_operation_is_forgotten() {
        let mut service = Provisioning::new(ProvisioningConfig::default(), None);
        let ids: Vec<_> = (0..=OPERATIONS_MAX).map(|_| service.begin("dev-1")).collect();
        assert_eq!(service.poll("dev-1", &ids[0]), None);
        assert_eq!(service.poll("dev-1", &ids[1]), Some(false));
        assert_eq!(service.poll("dev-2", &ids[1]), None);
        assert_eq!(service.poll("dev-1", &ids[OPERATIONS_MAX]), Some(false));
    }
}
