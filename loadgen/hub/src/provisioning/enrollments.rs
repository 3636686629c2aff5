//! Who may register, and by which key (IoT Hub DPS: symmetric key attestation).

use std::collections::BTreeMap;

use sluicegate::azure::Key;

use super::Provisioning;

/// Longest registration id.
const REGISTRATION_CHARS_MAX: usize = 128;

/// Where the key of the enrollment group comes from.
#[derive(Debug, Clone, Default)]
pub enum GroupKey {
    /// Made once and kept in the state folder.
    #[default]
    StateFolder,
    /// This one.
    Given(Key),
    /// There is no group: only individual enrollments register.
    None,
}

/// What the provisioning service is started with.
#[derive(Debug, Clone)]
pub struct ProvisioningConfig {
    /// Id scope that devices must name.
    pub id_scope: String,
    /// The enrollment group: any registration id, with the key derived for it.
    pub group_key: GroupKey,
    /// Individual enrollments by registration id; they go before the group.
    pub individual: BTreeMap<String, Key>,
    /// Seconds that a device is told to wait before it asks again.
    pub retry_after_s: u64,
    /// Polls answered "assigning" before the one answered "assigned".
    pub assigning_polls: u32,
    /// Devices that registrations may make; a further registration fails.
    pub devices_max: usize,
}

impl Default for ProvisioningConfig {
    fn default() -> Self {
        Self {
            id_scope: "0ne0000LOCAL".to_owned(),
            group_key: GroupKey::default(),
            individual: BTreeMap::new(),
            retry_after_s: 1,
            assigning_polls: 0,
            devices_max: 1024,
        }
    }
}

/// What a device needs to register. `Debug` shows nothing of the key.
#[derive(Debug, Clone)]
pub struct Enrollment {
    /// Id scope of the service.
    pub id_scope: String,
    /// Registration id.
    pub registration_id: String,
    /// Key of the device: its own, or derived from the group's.
    pub key: Key,
}

impl Provisioning {
    /// Id scope that devices must name.
    pub(crate) fn id_scope(&self) -> &str {
        &self.config.id_scope
    }

    /// The key that a registration must prove; `None` when nobody enrolled it.
    pub(crate) fn key(&self, registration_id: &str) -> Option<Key> {
        let individual = self.config.individual.get(registration_id).cloned();
        individual.or_else(|| self.group_key.as_ref().map(|key| key.derive(registration_id)))
    }

    /// The enrollment of a registration; `None` when the id is not one, or nobody enrolled it.
    pub(crate) fn enrollment(&self, registration_id: &str) -> Option<Enrollment> {
        let key = self.key(registration_id).filter(|_| is_registration_id(registration_id))?;
        let (id_scope, registration_id) = (self.id_scope().to_owned(), registration_id.to_owned());
        Some(Enrollment { id_scope, registration_id, key })
    }
}

/// Letters, digits and `- . _ :`, the last one a letter, a digit or `-`.
pub(crate) fn is_registration_id(text: &str) -> bool {
    text.len() <= REGISTRATION_CHARS_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
        && text.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_ids() {
        for good in ["a", "dev-1", "sn:007.b_c", "A-", &"x".repeat(128)] {
            assert!(is_registration_id(good), "{good}");
        }
        for bad in ["", "a/b", "a.", "a:", "a_", "a b", "é", "a#", "$a", &"x".repeat(129)] {
            assert!(!is_registration_id(bad), "{bad}");
        }
    }

    #[test]
    fn an_individual_enrollment_goes_before_the_group() {
        let key = |text| Key::from_base64(text).unwrap();
        let (group, own) = (key("Z3JvdXA="), key("b3du"));
        let individual = BTreeMap::from([("own".to_owned(), own.clone())]);
        let config = ProvisioningConfig { individual, ..ProvisioningConfig::default() };
        let service = Provisioning::new(config.clone(), Some(group.clone()));
        let of = |service: &Provisioning, id: &str| service.key(id).map(|key| key.to_base64());
        assert_eq!(of(&service, "own"), Some(own.to_base64()));
        assert_eq!(of(&service, "other"), Some(group.derive("other").to_base64()));
        let alone = Provisioning::new(config, None);
        assert_eq!(of(&alone, "own"), Some(own.to_base64()));
        assert_eq!(of(&alone, "other"), None);
    }
}
