//! The topic of a forwarded alert, made from the bag of the message that raised it.
//!
//! In: the encoded bag of an input topic. Out: an output topic, written into a buffer that the
//! caller uses again for each message. Runs once per alert, so a token that is already as
//! [`percent_encode`](super::percent_encode) would write it is copied, not decoded; while `out` has
//! room, such tokens cost no allocation. All others are decoded and encoded again.
//!
//! The result carries the same properties as decoding the bag, dropping, setting `MessageType` and
//! encoding: the tests hold it against exactly that. Two equal names, which edgeHub never sends,
//! are both forwarded; every reader takes the last.

use super::percent_decode;
use super::properties::{encode_pair, split_token};

/// The `MessageType` of an alert.
pub const ALERT: &str = "Alert";

/// Appends the topic of an alert to `out`: `prefix`, the properties of `input_bag` in their order,
/// and `MessageType=Alert`. Whether the bag had a `MessageType` before.
///
/// `prefix` is what [`topics::output`] gives for no properties. Left out are `$.on`, `$.cdid` and
/// `$.cmid`, which the hub sets from the topic, and `MessageType` in any letter case, because
/// edgeHub drops a message with two names that differ only in case. Also tokens with an empty name,
/// which it refuses. The bag ends at a raw `/`, as for the official SDKs; it is read as by
/// [`Properties::decode`].
///
/// Encoding can make the topic longer than the bag was: the caller checks that it is not above
/// [`topics::TOPIC_LEN_MAX`].
///
/// [`topics::output`]: super::topics::output
/// [`topics::TOPIC_LEN_MAX`]: super::topics::TOPIC_LEN_MAX
/// [`Properties::decode`]: super::Properties::decode
pub fn alert_topic(out: &mut String, prefix: &str, input_bag: &str) -> bool {
    out.push_str(prefix);
    let bytes = input_bag.as_bytes();
    let mut had_type = false;
    let mut start = 0;
    loop {
        let end = match stamped_end(bytes, start) {
            Some(end) => end,
            None => match canonical(bytes, start) {
                Some(PropertySpan { name_end, end }) => {
                    if is_message_type(&bytes[start..name_end]) {
                        had_type = true;
                    } else {
                        out.push('&');
                        out.push_str(&input_bag[start..end]);
                    }
                    end
                }
                None => {
                    let end = token_end(bytes, start);
                    had_type |= forward_encoded(out, &input_bag[start..end]);
                    end
                }
            },
        };
        if bytes.get(end) != Some(&b'&') {
            break;
        }
        start = end + 1;
    }
    out.push_str("&MessageType=Alert");
    had_type
}

/// Whether it is a `MessageType`, which is left out.
#[cold]
fn forward_encoded(out: &mut String, token: &str) -> bool {
    let (name, value) = split_token(token);
    let name = percent_decode(name);
    if is_message_type(name.as_bytes()) {
        return true;
    }
    let stamped = matches!(&*name, "$.on" | "$.cdid" | "$.cmid");
    if !name.is_empty() && !stamped {
        out.push('&');
        encode_pair(&name, value.map(percent_decode).as_deref(), out);
    }
    false
}

/// Whether this is the name of the property that says what a message is.
pub fn is_message_type(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"MessageType")
}

/// Where the token at `start` ends, if the hub sets what it names: whatever its value is, it is not
/// looked at.
#[inline]
fn stamped_end(bytes: &[u8], start: usize) -> Option<usize> {
    let name = bytes[start..].strip_prefix(b"%24.")?;
    let name_len = match name {
        [b'o', b'n', ..] => 2,
        [b'c', b'd' | b'm', b'i', b'd', ..] => 4,
        _ => return None,
    };
    matches!(name.get(name_len), None | Some(b'=' | b'&' | b'/'))
        .then(|| token_end(bytes, start + 4 + name_len))
}

/// Where the token ends that `from` is a place of.
#[inline]
fn token_end(bytes: &[u8], from: usize) -> usize {
    let rest = &bytes[from..];
    from + rest.iter().position(|byte| matches!(byte, b'&' | b'/')).unwrap_or(rest.len())
}

/// Where a token and its name end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PropertySpan {
    name_end: usize,
    end: usize,
}

/// The token at `start`, if decoding and encoding would not change it, and it has a name.
#[inline]
fn canonical(bytes: &[u8], start: usize) -> Option<PropertySpan> {
    let mut name_end = None;
    let mut at = start;
    loop {
        at = behind_unreserved(bytes, at);
        at += match bytes.get(at) {
            None | Some(b'&' | b'/') => break,
            Some(b'=') if name_end.is_none() => {
                name_end = Some(at);
                1
            }
            Some(b'%') => escaped_char_len(&bytes[at..])?,
            Some(_) => return None,
        };
    }
    let name_end = name_end.unwrap_or(at);
    (name_end > start).then_some(PropertySpan { name_end, end: at })
}

/// The place behind the bytes from `at` on that stand for themselves. In steps of eight, whose
/// bytes need no look at the end of all.
#[inline]
fn behind_unreserved(bytes: &[u8], mut at: usize) -> usize {
    let is_reserved = |byte: &u8| !UNRESERVED[usize::from(*byte)];
    while let Some(step) = bytes[at..].first_chunk::<8>() {
        match step.iter().position(is_reserved) {
            Some(len) => return at + len,
            None => at += 8,
        }
    }
    let rest = &bytes[at..];
    at + rest.iter().position(is_reserved).unwrap_or(rest.len())
}

/// Length of the escapes of one character at the start of `bytes`, when they are as
/// [`percent_encode`](super::percent_encode) writes them: upper case, complete UTF-8, and not of an
/// unreserved character.
fn escaped_char_len(bytes: &[u8]) -> Option<usize> {
    let first = escaped_byte(bytes)?;
    let char_len = match first {
        0x00..=0x7f => return (!UNRESERVED[usize::from(first)]).then_some(3),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut decoded = [first; 4];
    for (index, byte) in decoded.iter_mut().enumerate().take(char_len).skip(1) {
        *byte = escaped_byte(bytes.get(index * 3..)?)?;
    }
    std::str::from_utf8(&decoded[..char_len]).is_ok().then_some(char_len * 3)
}

fn escaped_byte(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [b'%', high, low, ..] => Some(upper_hex(*high)? << 4 | upper_hex(*low)?),
        _ => None,
    }
}

fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Which bytes stand for themselves (RFC 3986 §2.3).
const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests;
