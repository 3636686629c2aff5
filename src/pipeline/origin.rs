//! Where a message came from, in the words of a log line.
//!
//! In: what the wire says of it, which is outside input. Out: text that is printable and short.
//! Runs once for each line that is written, never for each message.

use std::fmt;

use crate::azure::Properties;
use crate::host::logging::excerpt;
use crate::pipeline::message::SourceId;

/// Who sent a message, or on which topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The encoded property bag of a hub's message, in which the hub names the sender.
    Bag(&'a str),
    /// The topic that it came on.
    Topic(&'a [u8]),
}

impl<'a> Origin<'a> {
    /// By what [`Message::origin`](crate::pipeline::message::Message::origin) holds.
    pub fn of(source: SourceId, origin: &'a [u8]) -> Self {
        match (source, std::str::from_utf8(origin)) {
            (SourceId::Hub, Ok(bag)) => Self::Bag(bag),
            _ => Self::Topic(origin),
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bag = match self {
            Self::Topic(topic) => return write!(f, "on topic \"{}\"", excerpt(topic)),
            // It ends at a raw `/`, as for the official SDKs.
            Self::Bag(bag) => Properties::decode(bag.split('/').next().unwrap_or_default()),
        };
        let id = |name| bag.get(name).flatten().filter(|id| !id.is_empty()).unwrap_or_default();
        let (device, module) = (id("$.cdid"), id("$.cmid"));
        let sender = match (device, module) {
            ("", "") => return f.write_str("from a sender that the hub does not name"),
            (device, "") => device.to_owned(),
            ("", module) => format!("module {module}"),
            (device, module) => format!("{device}/{module}"),
        };
        write!(f, "from {}", excerpt(sender.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_or_the_topic_is_shown() {
        let nameless = "from a sender that the hub does not name";
        let hub = [
            ("n=1&%24.cdid=edge1&%24.cmid=tempSensor&%24.ct=x", "from edge1/tempSensor"),
            ("%24.cdid=leaf%201", "from leaf 1"),
            ("%24.cmid=m", "from module m"),
            ("$.cdid=d&$.cmid=$edgeHub", "from d/$edgeHub"),
            ("%24.cdid=a&%24.cdid=b&%24.cmid=m/%24.cmid=other", "from b/m"),
            ("%24.cdid=a%0Ab%1B&%24.cmid=%FF", "from a\\nb\\x1b/\\xef\\xbf\\xbd"),
            ("", nameless),
            ("k=v", nameless),
            ("%24.cdid=&%24.cmid", nameless),
            ("%24.CDID=d", nameless),
        ];
        for (bag, shown) in hub {
            assert_eq!(Origin::of(SourceId::Hub, bag.as_bytes()).to_string(), shown, "{bag}");
        }
        let broker = [
            ("sensors/hall/1", "on topic \"sensors/hall/1\""),
            ("sensors/\u{1}\n\"", "on topic \"sensors/\\x01\\n\\\"\""),
            ("\u{85}\u{0}", "on topic \"\\xc2\\x85\\x00\""),
            ("", "on topic \"\""),
            ("%24.cdid=d", "on topic \"%24.cdid=d\""),
        ];
        for (topic, shown) in broker {
            assert_eq!(Origin::of(SourceId::Broker, topic.as_bytes()).to_string(), shown);
        }
        let bad = Origin::of(SourceId::Hub, b"\xff");
        assert_eq!(bad.to_string(), "on topic \"\\xff\"");
    }

    /// However long and odd it is: one short line.
    #[test]
    fn an_origin_is_shown_in_one_short_line() {
        let long = "\u{7}".repeat(60_000);
        let bag = format!("%24.cdid={long}&%24.cmid={long}");
        for (source, origin) in [(SourceId::Hub, &bag), (SourceId::Broker, &long)] {
            let shown = Origin::of(source, origin.as_bytes()).to_string();
            assert!(shown.len() < 400 && shown.ends_with(['.', '"']), "{}", shown.len());
            assert!(!shown.contains('\u{7}'));
        }
    }
}
