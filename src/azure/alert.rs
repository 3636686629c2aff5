//! The topic of a forwarded alert, made from the bag of the message that raised it.
//!
//! In: the encoded bag of an input topic. Out: an output topic, written into a buffer that the
//! caller uses again for each message. Runs once per alert, so a token that is already as
//! [`percent_encode`](super::percent_encode) would write it is copied, not decoded; while `out` has room, such tokens
//! cost no allocation. All others are decoded and encoded again.
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
/// which it refuses. The bag is read as by [`Properties::decode`].
///
/// Encoding can make the topic longer than the bag was: the caller checks that it is not above
/// [`topics::TOPIC_LEN_MAX`].
///
/// [`topics::output`]: super::topics::output
/// [`topics::TOPIC_LEN_MAX`]: super::topics::TOPIC_LEN_MAX
/// [`Properties::decode`]: super::Properties::decode
pub fn alert_topic(out: &mut String, prefix: &str, input_bag: &str) -> bool {
    out.push_str(prefix);
    let mut tokens = input_bag.split('&');
    while let Some(token) = tokens.next() {
        if forward(out, token) {
            return forward_rest(out, tokens);
        }
    }
    out.push_str("&MessageType=Alert");
    false
}

/// What is behind a `MessageType`, which is rare: so that nobody else keeps in mind whether there was
/// one.
#[cold]
#[inline(never)]
fn forward_rest<'a>(out: &mut String, tokens: impl Iterator<Item = &'a str>) -> bool {
    for token in tokens {
        forward(out, token);
    }
    out.push_str("&MessageType=Alert");
    true
}

/// Whether it is a `MessageType`, which is left out.
#[inline]
fn forward(out: &mut String, token: &str) -> bool {
    match canonical_name(token) {
        Some("%24.on" | "%24.cdid" | "%24.cmid") => {}
        Some(name) if is_message_type(name) => return true,
        Some(_) => {
            out.push('&');
            out.push_str(token);
        }
        None => return forward_encoded(out, token),
    }
    false
}

/// Whether it is a `MessageType`, which is left out.
#[cold]
fn forward_encoded(out: &mut String, token: &str) -> bool {
    let (name, value) = split_token(token);
    let name = percent_decode(name);
    if is_message_type(&name) {
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
pub fn is_message_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("MessageType")
}

/// The name of a token that decoding and encoding would not change, and that has a name.
fn canonical_name(token: &str) -> Option<&str> {
    let bytes = token.as_bytes();
    let mut name_len = None;
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        index += match byte {
            _ if UNRESERVED[usize::from(byte)] => 1,
            b'%' => escaped_char_len(&bytes[index..])?,
            b'=' if name_len.is_none() => {
                name_len = Some(index);
                1
            }
            _ => return None,
        };
    }
    let name = &token[..name_len.unwrap_or(index)];
    (!name.is_empty()).then_some(name)
}

/// Length of the escapes of one character at the start of `bytes`, when they are as
/// [`percent_encode`](super::percent_encode) writes them: upper case, complete UTF-8, and not of an unreserved character.
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
