//! Whose name a client publishes in: its own, or its connection ends.

use sluicegate::azure::Identity;

use super::state::HubState;
use super::tally::worth_a_line;

/// Whether a topic below `devices/` stands in another name than the identity's: another device's
/// or module's, a module's for a device, or the device's for its module. All other topics a
/// connection has to itself.
fn is_of_another(identity: &Identity, topic: &str) -> bool {
    let Some(rest) = topic.strip_prefix("devices/") else { return false };
    let (device, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let module = rest.strip_prefix("modules/").map(|rest| rest.split('/').next().unwrap_or(rest));
    device != identity.device || module != identity.module.as_deref()
}

impl HubState {
    /// Whether a peer may publish there; where it may not, that is counted and logged.
    pub(super) fn may_publish(&mut self, peer: usize, topic: &str) -> bool {
        let identity = &self.peers[peer].identity;
        if !is_of_another(identity, topic) {
            return true;
        }
        self.counters.identity_mismatches += 1;
        let total = self.counters.identity_mismatches;
        if worth_a_line(total) {
            let client = identity.client_id();
            tracing::warn!(%client, topic, total, "refused: published in another identity's name");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_a_topic_is_the_identitys_own_or_anothers() {
        let identity = |module: Option<&str>| Identity {
            hub: "h".to_owned(),
            gateway: "g".to_owned(),
            device: "d".to_owned(),
            module: module.map(str::to_owned),
        };
        let (module, device) = (identity(Some("m")), identity(None));
        let table = [
            ("devices/d/modules/m/messages/events/a=1", true, false),
            ("devices/d/modules/m/inputs/in", true, false),
            ("devices/d/modules/m", true, false),
            ("devices/d/messages/events/", false, true),
            ("devices/d/messages/events/modules/m", false, true),
            ("devices/d", false, true),
            ("devices/d/modules/n/messages/events/", false, false),
            ("devices/d/modules//messages/events/", false, false),
            ("devices/d/modules/M/messages/events/", false, false),
            ("devices/D/modules/m/messages/events/", false, false),
            ("devices/e/modules/m/messages/events/", false, false),
            ("devices/e/messages/events/", false, false),
            ("devices//messages/events/", false, false),
            ("devices/", false, false),
            ("devices", true, true),
            ("$iothub/twin/GET/?$rid=1", true, true),
        ];
        for (topic, of_module, of_device) in table {
            assert_eq!(!is_of_another(&module, topic), of_module, "module: {topic}");
            assert_eq!(!is_of_another(&device, topic), of_device, "device: {topic}");
        }
    }
}
