//! The second way, where the processor has SIMD: simd-json's tape, with every buffer reused from
//! message to message.
//!
//! simd-json is used where it is known to agree with JSON to the letter, and its word is not taken
//! elsewhere ([`Unsure`]: the exact parser decides). It is stricter than needed in harmless
//! ways (it refuses integers beyond 64 bits, floats beyond `f64`, some lone surrogates). In four
//! ways it is laxer than JSON or wrong, found by reading 0.17.3 and held by tests here:
//!
//! | input | what it does | what is done about it |
//! |---|---|---|
//! | a NUL byte after a number or literal: `1\0junk` | skips the junk | a NUL is refused before |
//! | junk after 19 digits or more: `1234567890123456789x` | accepts | long numbers are read again |
//! | an exponent beyond 32 bits: `1e4294967296` | gives `1.0` | with an exponent: read again |
//! | `"\ud800"`, `"\ud800\ue000"` | gives another character | paths with such never come here |

use serde::de::IgnoredAny;
use simd_json::{Buffers, Node, StaticNode, Tape};

use super::{Found, JsonPath, Number};

/// Largest body, in bytes, that simd-json is given.
///
/// A body of nothing but brackets makes buffers of up to 110 times its size, and they are kept for
/// the next message: the bound keeps a parser below 64 KiB. Larger bodies go to the exact parser,
/// which keeps nothing, and takes four fifths of the instructions (perf/notes.md).
pub const SIMD_BODY_BYTES_MAX: usize = 512;

/// Fewest bytes, from a number's first to the next token's, in which simd-json can overlook junk:
/// 19 digits and one byte of junk.
const LONG_NUMBER_BYTES: usize = 20;

/// simd-json cannot be relied upon for this body.
pub(super) struct Unsure;

/// Scratch memory of one parser thread.
pub(super) struct SimdParser {
    buffers: Buffers,
    /// simd-json un-escapes in place, and the body must be forwarded as it came: it gets a copy.
    copy: Vec<u8>,
    tape: Tape<'static>,
}

impl SimdParser {
    pub(super) fn new() -> Self {
        Self { buffers: Buffers::default(), copy: Vec::new(), tape: Tape(Vec::new()) }
    }

    /// What stands at `path` in `body`, after checking all of `body`.
    pub(super) fn find(&mut self, body: &[u8], path: &JsonPath) -> Result<Found<'static>, Unsure> {
        // No valid JSON text holds a NUL byte: in strings it must be escaped.
        if body.len() > SIMD_BODY_BYTES_MAX || body.contains(&0) {
            return Err(Unsure);
        }
        self.copy.clear();
        self.copy.extend_from_slice(body);
        let copy_address = self.copy.as_ptr().addr();

        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let filled = simd_json::fill_tape(&mut self.copy, &mut self.buffers, &mut tape);
        let found = match filled {
            Ok(()) => {
                let tokens = Tokens { body, starts: self.buffers.structural_indexes() };
                judge_tape(&tape.0, &tokens, copy_address, path)
            }
            Err(_) => Err(Unsure),
        };
        self.tape = tape.reset();
        found
    }
}

fn judge_tape(
    nodes: &[Node<'_>],
    tokens: &Tokens<'_>,
    copy_address: usize,
    path: &JsonPath,
) -> Result<Found<'static>, Unsure> {
    if !tokens.long_numbers_are_sound() {
        return Err(Unsure);
    }
    let Some((key, value)) = locate(nodes, path)? else {
        return Ok(Found::Absent);
    };
    let number = match nodes.get(value).ok_or(Unsure)? {
        Node::Static(StaticNode::I64(value)) => Number::Integer((*value).into()),
        Node::Static(StaticNode::U64(value)) => Number::Integer((*value).into()),
        Node::Static(StaticNode::F64(value)) => {
            // A key is a slice of the copy, so its address tells where in the body it stands.
            let key_at = key.as_ptr().addr().checked_sub(copy_address).ok_or(Unsure)?;
            exact_float(*value, tokens.value_after(key_at)?)?
        }
        _ => return Ok(Found::NotANumber),
    };
    Ok(Found::Number(number))
}

/// `parsed` is right unless the number has an exponent, which simd-json reads into 32 bits.
fn exact_float(parsed: f64, text: &[u8]) -> Result<Number<'static>, Unsure> {
    if !text.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return Ok(Number::Float(parsed));
    }
    let text = str::from_utf8(text).map_err(|_| Unsure)?;
    text.parse().map(Number::Float).map_err(|_| Unsure)
}

/// The key and the node index of the value at `path`; the last of equal keys counts.
fn locate<'t>(nodes: &[Node<'t>], path: &JsonPath) -> Result<Option<(&'t str, usize)>, Unsure> {
    let mut found = None;
    let mut object = 0;
    for name in path.members() {
        found = last_member(nodes, object, name)?;
        match found {
            Some((_, value)) => object = value,
            None => return Ok(None),
        }
    }
    Ok(found)
}

/// The last member called `name` of the object at node `object`; none when it is no object.
fn last_member<'t>(
    nodes: &[Node<'t>],
    object: usize,
    name: &str,
) -> Result<Option<(&'t str, usize)>, Unsure> {
    let Node::Object { len, .. } = *nodes.get(object).ok_or(Unsure)? else {
        return Ok(None);
    };
    let mut last = None;
    let mut at = object + 1;
    for _ in 0..len {
        let (Some(Node::String(key)), Some(value)) = (nodes.get(at), nodes.get(at + 1)) else {
            return Err(Unsure);
        };
        if *key == name {
            last = Some((*key, at + 1));
        }
        at += match value {
            Node::Object { count, .. } | Node::Array { count, .. } => 2 + count,
            Node::String(_) | Node::Static(_) => 2,
        };
    }
    Ok(last)
}

/// The body as simd-json's first stage cut it: where each token starts.
///
/// A token is a bracket, a colon, a comma, a whole string, or a run of other characters.
struct Tokens<'b> {
    body: &'b [u8],
    starts: &'b [u32],
}

impl<'b> Tokens<'b> {
    /// Reads again, by the JSON grammar, each number so long that simd-json skips its last check.
    fn long_numbers_are_sound(&self) -> bool {
        let body_end = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        let ends = self.starts.iter().skip(1).chain([&body_end]);
        self.starts.iter().zip(ends).all(|(start, end)| {
            let (start, end) = (*start as usize, *end as usize);
            end - start < LONG_NUMBER_BYTES
                || !matches!(self.body[start], b'-' | b'0'..=b'9')
                || serde_json::from_slice::<IgnoredAny>(&self.body[start..end]).is_ok()
        })
    }

    /// The text of the value, a number, whose key's first character stands at `key`.
    fn value_after(&self, key: usize) -> Result<&'b [u8], Unsure> {
        let quote = key.checked_sub(1).and_then(|quote| u32::try_from(quote).ok()).ok_or(Unsure)?;
        let token = self.starts.binary_search(&quote).map_err(|_| Unsure)?;
        // The key, the colon, the value, and what follows the value.
        let Some(&[value, next]) = self.starts.get(token + 2..token + 4) else {
            return Err(Unsure);
        };
        let text = self.body.get(value as usize..next as usize).ok_or(Unsure)?;
        Ok(text.trim_ascii_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Option<Found<'static>> {
        SimdParser::new().find(body.as_bytes(), &JsonPath::default()).ok()
    }

    /// What sensors send is judged here, and does not go to the exact parser: whatever stands
    /// around the temperature, long numbers, long strings and much white space among it.
    #[test]
    fn ordinary_bodies_are_sure() {
        let number = |number| Some(Found::Number(number));
        let (whole, half) = (number(Number::Integer(21)), number(Number::Float(99.5)));
        let gap = " ".repeat(30);
        let long = "x".repeat(40);
        let rows = [
            (r#"{"machine":{"temperature":21}}"#, whole),
            (r#"{"machine":{"temperature":99.5}}"#, half),
            (r#"{"machine":{"temperature":9.95e1}}"#, half),
            (r#"{"a":1.5,"machine":{"b":[1,{"c":3}],"temperature":99.5},"d":[]}"#, half),
            (r#"{"machine":{"b":{"temperature":1},"temperature":99.5,"e":{}}}"#, half),
            (r#"{"a":12345678901234567.875,"machine":{"temperature":21}}"#, whole),
            (&format!("{{{gap}\"machine\":{gap}{{\"temperature\":21{gap}}}}}"), whole),
            (&format!("{{\"a\":\"{long}\",\"machine\":{{\"temperature\":21}}}}"), whole),
            (r#"{"machine":{"temperature":"21"}}"#, Some(Found::NotANumber)),
            (r#"{"machine":{"a":1},"temperature":99.5}"#, Some(Found::Absent)),
        ];
        for (body, expected) in rows {
            assert_eq!(found(body), expected, "{body}");
        }
    }

    /// A member of an object is looked for in this object, and not behind it.
    #[test]
    fn what_stands_behind_an_object_is_none_of_its_members() {
        for inner in ["", r#""a":1"#, r#""a":1,"b":2"#, r#""a":{"b":2},"c":[3]"#] {
            for between in ["", r#""x":0,"#, r#""x":0,"y":[],"#] {
                let body = format!(r#"{{"machine":{{{inner}}},{between}"temperature":99.5}}"#);
                assert_eq!(found(&body), Some(Found::Absent), "{body}");
            }
        }
    }
}
