//! Strings of MQTT (section 1.5.3), topic names and topic filters (section 4.7).

use super::violation::{Result, violation};

/// Characters of a client's text that a log line shows.
const SHOWN_CHARS: usize = 200;

/// What is left of a packet, read field by field.
pub(super) struct PacketReader<'a>(pub(super) &'a [u8]);

impl<'a> PacketReader<'a> {
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Bytes behind their length in two bytes.
    pub(super) fn field(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

/// A string of MQTT. `what` names it: "the topic of a PUBLISH".
pub(super) fn text<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str> {
    text_without_nul(what, bytes, &["MQTT-1.5.3-2"])
}

fn text_without_nul<'a>(
    what: &str,
    bytes: &'a [u8],
    nul: &'static [&'static str],
) -> Result<&'a str> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(violation(format!("{what} is not UTF-8"), &["MQTT-1.5.3-1"]));
    };
    if text.contains('\0') {
        let what = format!("{what} holds U+0000: {}", shown(text));
        return Err(violation(what, nul));
    }
    Ok(text)
}

/// What a publish, or a will, is sent to.
pub(super) fn topic_name<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str> {
    let topic = topic(what, bytes)?;
    if topic.contains(['+', '#']) {
        let what = format!("{what} has a wildcard: {}", shown(topic));
        return Err(violation(what, &["MQTT-3.3.2-2", "MQTT-4.7.1-1"]));
    }
    Ok(topic)
}

/// What a client subscribes to, or no longer.
pub(super) fn topic_filter<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str> {
    let filter = topic(what, bytes)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            let what =
                format!("{what} has a `#` that is not its last level alone: {}", shown(filter));
            return Err(violation(what, &["MQTT-4.7.1-2"]));
        }
        if level.contains('+') && level != "+" {
            let what = format!("{what} has a `+` that is no level alone: {}", shown(filter));
            return Err(violation(what, &["MQTT-4.7.1-3"]));
        }
    }
    Ok(filter)
}

fn topic<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str> {
    if bytes.is_empty() {
        return Err(violation(format!("{what} is empty"), &["MQTT-4.7.3-1"]));
    }
    text_without_nul(what, bytes, &["MQTT-4.7.3-2", "MQTT-1.5.3-2"])
}

/// A client's text in quotation marks, control characters escaped, cut where it is long.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
