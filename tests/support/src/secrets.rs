//! No secret reaches a log: every process that a test starts is held to that when it ends.

use std::process::Command;

/// Variables that hold a key or a password.
const KEYS: [&str; 3] = ["SLUICEGATE_KEY", "SLUICEGATE_GROUP_KEY", "SLUICEGATE_BROKER_PASSWORD"];
/// Variables that hold a connection string.
const CONNECTION_STRINGS: [&str; 1] = ["EdgeHubConnectionString"];
/// What stands before the key in a connection string.
const KEY_OF_PAIR: &str = "SharedAccessKey=";
/// What a token begins with, what stands before its signature, and before that of the workload API.
const MARKS: [&str; 3] = ["SharedAccessSignature sr", "sig=", "\"digest\""];
/// So much of a key's text is enough to call it shown.
const SHOWN_LEN: usize = 16;

/// Texts that must not be in an output.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// The keys in the environment of `command`.
    pub(crate) fn of(command: &Command) -> Self {
        let mut secrets = Self::default();
        for (name, value) in command.get_envs() {
            let (Some(name), Some(value)) = (name.to_str(), value.and_then(|v| v.to_str())) else {
                continue;
            };
            if KEYS.contains(&name) {
                secrets.add(value);
            }
            if CONNECTION_STRINGS.contains(&name)
                && let Some(key) = value.split(';').find_map(|part| part.strip_prefix(KEY_OF_PAIR))
            {
                secrets.add(key);
            }
        }
        secrets
    }

    /// One more text: base64 of a key, or a password.
    pub(crate) fn add(&mut self, text: &str) {
        self.0.push(text.chars().take(SHOWN_LEN).collect());
    }

    /// The first line that shows a secret.
    fn find<'a>(&self, lines: &'a [String]) -> Option<&'a String> {
        let secret = |text: &str| {
            self.0.iter().any(|secret| text.contains(secret))
                || MARKS.iter().any(|mark| text.contains(mark))
        };
        lines.iter().find(|line| secret(line))
    }

    /// Panics if a line shows a secret.
    pub(crate) fn assert_none_in(&self, lines: &[String]) {
        let found = self.find(lines);
        assert!(found.is_none(), "a secret in the output: {found:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The search itself finds what it looks for, whoever may have let it slip.
    #[test]
    fn secrets_are_found() {
        const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let pair = format!("HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey={KEY}");
        let mut by_pair = Command::new("none");
        by_pair.env("EdgeHubConnectionString", &pair);
        let mut by_key = Command::new("none");
        by_key.env("SLUICEGATE_KEY", KEY);
        let mut by_password = Command::new("none");
        by_password.env("SLUICEGATE_BROKER_PASSWORD", KEY);
        for command in [by_pair, by_key, by_password] {
            let secrets = Secrets::of(&command);
            for line in [
                pair.clone(),
                format!("key {KEY:?}"),
                format!("cut off {}", &KEY[..20]),
                "password SharedAccessSignature sr=h&se=1".to_owned(),
                "token sr=h&sig=abc".to_owned(),
                "answer {\"digest\":\"abc\"}".to_owned(),
            ] {
                let lines = ["harmless".to_owned(), line];
                assert_eq!(secrets.find(&lines), Some(&lines[1]));
            }
            assert_eq!(secrets.find(&["SharedAccessKey is not base64".to_owned()]), None);
        }
    }

    /// A process that shows a secret fails its test.
    #[test]
    #[should_panic(expected = "a secret in the output")]
    fn a_process_is_held_to_it() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo harmless; echo $SLUICEGATE_KEY"])
            .env("SLUICEGATE_KEY", "MDEyMzQ1Njc4");
        crate::Process::spawn("sh", &mut command).wait_for_exit();
    }
}
