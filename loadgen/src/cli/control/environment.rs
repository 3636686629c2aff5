//! A module's environment for a developer's shell: what the manifest gives it, and over that what
//! the runtime sets.

use std::collections::BTreeMap;

/// Variables of the runtime, which no deployment sets, whatever it says; also all `IOTEDGE_*`.
const RUNTIME: [&str; 3] =
    ["EdgeHubConnectionString", "EdgeModuleCACertificateFile", "SLUICEGATE_GATEWAY_PORT"];
/// Variables of the shell that reads the others, or of its programs: it would not go on as before,
/// or refuse them. In a container they are the image's.
const SHELL: [&str; 13] = [
    "BASHOPTS",
    "BASH_ENV",
    "BASH_VERSINFO",
    "ENV",
    "EUID",
    "GID",
    "IFS",
    "PATH",
    "PPID",
    "PS4",
    "PWD",
    "SHELLOPTS",
    "UID",
];

/// All variables, the runtime's own last, and one text for each that is left out: its name and why.
pub(super) fn merge(
    own: Vec<(String, String)>,
    deployed: BTreeMap<String, String>,
) -> (Vec<(String, String)>, Vec<String>) {
    let (mut variables, mut left_out) = (Vec::new(), Vec::new());
    for (name, value) in deployed {
        let is_own = own.iter().any(|(known, _)| *known == name);
        let why = if is_own || name.starts_with("IOTEDGE_") || RUNTIME.contains(&&*name) {
            "the runtime sets it"
        } else if SHELL.contains(&&*name) || name.starts_with("LD_") {
            "this shell needs its own; set it for the program alone"
        } else if !is_shell_name(&name) {
            "no name for a shell; set it in the program's own launcher"
        } else {
            variables.push((name, value));
            continue;
        };
        left_out.push(format!("`{name}` of the manifest: {why}", name = name.escape_debug()));
    }
    variables.extend(own);
    (variables, left_out)
}

/// Letters, digits and `_`, no digit first (POSIX: name).
fn is_shell_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn the_runtime_comes_last_and_wins() {
        let own = pairs(&[("IOTEDGE_DEVICEID", "edge1"), ("SLUICEGATE_GATEWAY_PORT", "1")]);
        let deployed = pairs(&[
            ("A", "1"),
            ("IOTEDGE_DEVICEID", "x"),
            ("IOTEDGE_PARENTHOSTNAME", "x"),
            ("SLUICEGATE_GATEWAY_PORT", "8883"),
            ("EdgeHubConnectionString", "x"),
            ("_b9", "2"),
        ]);
        let (variables, left_out) = merge(own.clone(), deployed.into_iter().collect());
        let expected = [pairs(&[("A", "1"), ("_b9", "2")]), own].concat();
        assert_eq!(variables, expected);
        assert_eq!(left_out.len(), 4, "{left_out:?}");
        assert!(left_out.iter().all(|text| text.ends_with("the runtime sets it")), "{left_out:?}");
    }

    #[test]
    fn what_no_shell_can_take_is_left_out() {
        let names =
            ["9X", "a-b", "a.b", "Log:Level", "é", "", "a b", "$(x)", "PATH", "UID", "LD_PRELOAD"];
        for name in names {
            let deployed = [(name.to_owned(), "secret".to_owned())].into();
            let (variables, left_out) = merge(Vec::new(), deployed);
            assert_eq!((variables.len(), left_out.len()), (0, 1), "{name}");
            assert!(left_out[0].starts_with(&format!("`{name}`")), "{left_out:?}");
            assert!(!left_out[0].contains("secret"), "no value is told");
        }
    }
}
