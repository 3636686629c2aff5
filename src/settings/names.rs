//! Names that no setting has: what was probably meant.

use std::ffi::OsString;

use super::Spec;
use crate::host::text::{nearest, shown};

/// How alike whole variables must be, where even what they begin with may be misspelt.
const SLIP_MIN: f64 = 0.95;
/// Most names that have a warning each.
const SHOWN_MAX: usize = 10;

/// The variables that a program reads.
#[derive(Debug, Clone)]
pub struct KnownNames {
    /// What all of its own begin with.
    prefix: &'static str,
    /// Other words for a variable, in capitals and without the prefix, and the variable.
    words: Vec<(String, &'static str)>,
    /// What this program or its other commands read.
    known: Vec<&'static str>,
}

impl KnownNames {
    /// The variables of `names`, those of a program that begin with `prefix` among them.
    pub fn new(prefix: &'static str, names: &[&'static str]) -> Self {
        let words = names.iter().map(|name| (word(name, prefix), *name)).collect();
        Self { prefix, words, known: names.to_vec() }
    }

    /// The variables of `table`, each also by its flag's name.
    pub(crate) fn of(prefix: &'static str, table: &[Spec]) -> Self {
        let names: Vec<_> = table.iter().map(|spec| spec.env).collect();
        let mut all = Self::new(prefix, &names);
        all.words.extend(table.iter().map(|spec| (word(spec.name, prefix), spec.env)));
        all
    }

    /// The same, with others that are known and not offered: another command's.
    pub fn beside(mut self, others: impl IntoIterator<Item = &'static str>) -> Self {
        self.known.extend(others);
        self
    }

    /// A warning for each variable that has the program's prefix, or nearly a name of its own, and
    /// is none. Empty ones count as unset. No value is shown.
    pub fn strays(&self, variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut untold = 0_usize;
        for (name, value) in variables {
            let name = name.to_string_lossy();
            if value.is_empty() || !self.is_stray(&name, &value.to_string_lossy()) {
                continue;
            }
            if lines.len() == SHOWN_MAX {
                untold += 1;
                continue;
            }
            let meant = self.nearest(&name).map_or_else(
                || "--help lists those that there are".to_owned(),
                |known| format!("did you mean {known}?"),
            );
            lines.push(format!("variable {} is not read by anything: {meant}", shown(&name)));
        }
        if untold > 0 {
            lines.push(format!("{untold} more variables are not read by anything"));
        }
        lines
    }

    fn is_stray(&self, name: &str, value: &str) -> bool {
        if self.known.contains(&name) || is_of_a_container(name, value) {
            return false;
        }
        let is_ours = name.get(..self.prefix.len()).is_some_and(|start| {
            start.eq_ignore_ascii_case(self.prefix)
                // Read by this project's tests.
                && !name[self.prefix.len()..].starts_with("TEST_")
        });
        is_ours || self.known.iter().any(|known| is_slip_of(name, known, self.prefix))
    }

    /// The variable whose name, or whose flag's, is nearest.
    fn nearest(&self, name: &str) -> Option<&'static str> {
        let slips = self.words.iter().map(|(_, known)| (*known, *known));
        let slips = slips.filter(|(known, _)| is_slip_of(name, known, self.prefix));
        if let Some(known) = nearest(name, slips) {
            return Some(known);
        }
        let word = word(name, self.prefix);
        nearest(&word, self.words.iter().map(|(known, name)| (known.as_str(), *name)))
    }
}

/// In capitals, with `_` between words, and without what all names begin with.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    let name = super::quotes::trimmed(name).replace(['-', '.', ' '], "_").to_ascii_uppercase();
    name.strip_prefix(prefix).map_or(name.clone(), str::to_owned)
}

/// Whether `name` is `known` in another letter case, or, where `known` has the prefix, after a few
/// slips anywhere in it.
fn is_slip_of(name: &str, known: &str, prefix: &str) -> bool {
    // Lower-case names of a proxy are names of their own.
    let is_special = known.to_ascii_uppercase().ends_with("_PROXY");
    let is_near = known.starts_with(prefix) && strsim::jaro_winkler(name, known) >= SLIP_MIN;
    !is_special && (name.eq_ignore_ascii_case(known) || is_near)
}

/// Whether Kubernetes or a container link made it, for a service that has this program's name.
fn is_of_a_container(name: &str, value: &str) -> bool {
    let is_port = |name: &str| {
        let (_, port) = name.split_once("_PORT_")?;
        let (number, protocol) = port.split_once('_')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let is_protocol = ["TCP", "UDP", "SCTP"].iter().any(|known| protocol.starts_with(known));
        (is_number && is_protocol).then_some(())
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || is_port(name).is_some()
        || (name.ends_with("_PORT") && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::settings::TABLE;

    fn strays(variables: &[(&str, &str)]) -> Vec<String> {
        let known = KnownNames::of("SLUICEGATE_", &TABLE).beside(["SLUICEGATE_KEY"]);
        known.strays(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_misspelt_variable_is_reported_with_the_nearest_name() {
        let cases = [
            ("SLUICEGATE_TRESHOLD", "SLUICEGATE_THRESHOLD"),
            ("SLUICEGATE_THRESHHOLD", "SLUICEGATE_THRESHOLD"),
            ("sluicegate_threshold", "SLUICEGATE_THRESHOLD"),
            ("SLUICEGATE_WORKER", "SLUICEGATE_WORKERS"),
            ("SLUICEGATE_SUBSCRIPTION", "SLUICEGATE_SUBSCRIBE"),
            ("SLUICEGATE_BROKER_PASWORD", "SLUICEGATE_BROKER_PASSWORD"),
            ("SLUICEGATE_KEEPALIVE", "SLUICEGATE_KEEP_ALIVE"),
            ("SLUICEGATE_LOG_LEVEL", "RuntimeLogLevel"),
            ("SLUICEGATE_CONNECTION_STRING", "EdgeHubConnectionString"),
            ("SLUICEGAT_BROKER", "SLUICEGATE_BROKER"),
            ("SLUICE_GATE_BROKER", "SLUICEGATE_BROKER"),
            ("\u{feff}SLUICEGATE_BROKER", "SLUICEGATE_BROKER"),
            ("RUNTIMELOGLEVEL", "RuntimeLogLevel"),
            ("EDGEHUBCONNECTIONSTRING", "EdgeHubConnectionString"),
            ("iotedge_deviceid", "IOTEDGE_DEVICEID"),
        ];
        for (name, meant) in cases {
            let lines = strays(&[(name, "hunter2")]);
            let [line] = lines.as_slice() else { panic!("{name}: {lines:?}") };
            assert!(line.contains(&format!("did you mean {meant}?")), "{name}: {line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
    }

    #[test]
    fn a_variable_unlike_all_others_is_reported_without_a_guess() {
        let lines = strays(&[("SLUICEGATE_FAVOURITE_COLOUR", "hunter2")]);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("SLUICEGATE_FAVOURITE_COLOUR"), "{lines:?}");
        assert!(lines[0].contains("--help"), "{lines:?}");
        let long = format!("SLUICEGATE_{}\n", "x".repeat(100));
        assert!(strays(&[(&long, "1")])[0].chars().count() < 160);
    }

    #[test]
    fn what_others_made_is_passed_over() {
        let others = [
            ("SLUICEGATE_THRESHOLD", "1"),
            ("SLUICEGATE_KEY", "1"),
            ("SLUICEGATE_TRESHOLD", ""),
            ("SLUICEGATE_TEST_DATA", "/data"),
            ("SLUICEGATE_SERVICE_HOST", "10.0.0.1"),
            ("SLUICEGATE_SERVICE_PORT_MQTT", "1883"),
            ("SLUICEGATE_PORT", "tcp://10.0.0.1:1883"),
            ("SLUICEGATE_PORT_1883_TCP_ADDR", "10.0.0.1"),
            ("SLUICEGATE_BROKER_PORT_1883_TCP", "tcp://10.0.0.1:1883"),
            ("PATH", "/bin"),
            ("Path", "/bin"),
            ("https_proxy", "x"),
            ("IOTEDGE_MANAGEMENTURI", "x"),
            ("EDGE", "x"),
        ];
        assert_eq!(strays(&others), [""; 0]);
        assert_eq!(strays(&[("SLUICEGATE_PORT", "8883")]).len(), 1);
    }

    #[test]
    fn many_are_counted() {
        let names: Vec<String> = (0..25).map(|number| format!("SLUICEGATE_X{number}")).collect();
        let variables: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let lines = strays(&variables);
        assert_eq!(lines.len(), 11);
        assert!(lines[10].starts_with("15 more"), "{lines:?}");
    }
}
