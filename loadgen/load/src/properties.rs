//! Whether an alert carries the properties that it must.
//!
//! That is: the output's name, `MessageType=Alert` and every property of its input, whatever their
//! order and escaping; system properties (`$.`) are the hub's business and left aside.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The property that alerts are given.
const MESSAGE_TYPE: (&str, &str) = ("MessageType", "Alert");
/// The system property that names the output, and the output.
const OUTPUT: (&str, &str) = ("$.on", "output1");
/// The property that inputs carry.
const SEQUENCE: &str = "sequenceNumber";
const SYSTEM: &str = "$.";

/// Whether this is the property bag of the alert whose input has this `sequenceNumber`.
#[inline]
pub(super) fn are_of_alert(bag: &[u8], sequence: &str) -> bool {
    // The Node SDK puts a slash behind the bag.
    let bag = bag.strip_suffix(b"/").unwrap_or(bag);
    let (mut output, mut message_type, mut sequences) = (0, 0, 0);
    for pair in bag.split(|byte| *byte == b'&') {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let name = decoded(&pair[..at]);
        let value = decoded(pair.get(at + 1..).unwrap_or_default());
        match name.as_ref() {
            name if name == OUTPUT.0.as_bytes() => {
                output += 1;
                if value != OUTPUT.1.as_bytes() {
                    return false;
                }
            }
            name if name == MESSAGE_TYPE.0.as_bytes() => {
                message_type += 1;
                if value != MESSAGE_TYPE.1.as_bytes() {
                    return false;
                }
            }
            name if name == SEQUENCE.as_bytes() => {
                sequences += 1;
                if value != sequence.as_bytes() {
                    return false;
                }
            }
            name if name.starts_with(SYSTEM.as_bytes()) => {}
            _ => return false,
        }
    }
    (output, message_type, sequences) == (1, 1, 1)
}

/// Percent-decoded, which allocates only where there is something to decode.
#[inline]
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.contains(&b'%') { percent_decode(text).into() } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bags() {
        let cases = [
            ("%24.on=output1&sequenceNumber=0000017&MessageType=Alert", true),
            ("MessageType=Alert&$.on=output1&sequenceNumber=0000017/", true),
            ("%24.on=output1&%24.mid=x&sequenceNumber=0000017&MessageType=%41lert", true),
            ("%24.on=output1&sequenceNumber=0000018&MessageType=Alert", false),
            ("%24.on=output2&sequenceNumber=0000017&MessageType=Alert", false),
            ("%24.on=output1&sequenceNumber=0000017&MessageType=alert", false),
            ("%24.on=output1&sequenceNumber=0000017", false),
            ("%24.on=output1&MessageType=Alert", false),
            ("sequenceNumber=0000017&MessageType=Alert", false),
            ("%24.on=output1&sequenceNumber=0000017&MessageType=Alert&more=1", false),
            ("%24.on=output1&sequenceNumber=0000017&MessageType=Alert&MessageType=Alert", false),
            ("", false),
            ("%", false),
        ];
        for (bag, expected) in cases {
            assert_eq!(are_of_alert(bag.as_bytes(), "0000017"), expected, "{bag}");
        }
    }
}
