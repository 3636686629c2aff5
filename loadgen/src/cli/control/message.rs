//! A message as the monitor shows it.

use std::fmt;

use serde::{Deserialize, Serialize};

use loadgen_hub::UpstreamMessage;

/// One message that went upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitoredMessage {
    /// Sending device.
    pub(crate) device: String,
    /// Sending module, if it was one.
    pub(crate) module: Option<String>,
    /// Output it was sent to, if any.
    pub(crate) output: Option<String>,
    /// Properties in order; a bare name has no value.
    pub(crate) properties: Vec<(String, Option<String>)>,
    /// The body.
    pub(crate) body: Body,
}

/// A body as text where it is text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Body {
    /// UTF-8.
    Text(String),
    /// Anything else, two hexadecimal digits a byte.
    Hex(String),
}

impl From<&UpstreamMessage> for MonitoredMessage {
    fn from(message: &UpstreamMessage) -> Self {
        let owned = |(name, value): (&str, Option<&str>)| (name.into(), value.map(str::to_owned));
        Self {
            device: message.device.clone(),
            module: message.module.clone(),
            output: message.output.clone(),
            properties: message.properties.iter().map(owned).collect(),
            body: Body::from(&message.body[..]),
        }
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

impl fmt::Display for MonitoredMessage {
    /// One line: `edge1/filter output1 MessageType=Alert sequenceNumber=7 {"machine":…}`.
    ///
    /// Control characters are escaped: a message must not move the reader's cursor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Plain(&self.device))?;
        if let Some(module) = &self.module {
            write!(f, "/{}", Plain(module))?;
        }
        write!(f, " {}", Plain(self.output.as_deref().unwrap_or("(no output)")))?;
        for (name, value) in &self.properties {
            match value {
                Some(value) => write!(f, " {}={}", Plain(name), Plain(value))?,
                None => write!(f, " {}", Plain(name))?,
            }
        }
        match &self.body {
            Body::Text(text) => write!(f, " {}", Plain(text)),
            Body::Hex(digits) => write!(f, " (not UTF-8) {digits}"),
        }
    }
}

/// Text with its control characters escaped.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> MonitoredMessage {
        MonitoredMessage {
            device: "edge1".to_owned(),
            module: Some("filter".to_owned()),
            output: None,
            properties: vec![
                ("MessageType".to_owned(), Some("Alert".to_owned())),
                ("bare".to_owned(), None),
            ],
            body: Body::from(body),
        }
    }

    #[test]
    fn a_message_is_one_harmless_line() {
        let line = message(b"{\n\"a\":\"\x1b[2J\xc3\xa9\"}").to_string();
        let expected = r#"edge1/filter (no output) MessageType=Alert bare {\n"a":"\u{1b}[2Jé"}"#;
        assert_eq!(line, expected);
        assert!(message(&[0xff, 0x00]).to_string().ends_with("(not UTF-8) ff00"));
    }

    #[test]
    fn the_wire_form_reads_back() {
        for body in [&b"text"[..], &[0xff]] {
            let message = message(body);
            let text = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<MonitoredMessage>(&text).unwrap(), message);
        }
    }
}
