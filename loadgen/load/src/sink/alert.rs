//! What makes a message an alert.

/// What stands before the number that decides.
const KEY: &[u8; 14] = b"\"temperature\":";

/// Whether the number after the first `"temperature":` of `body` is above `threshold`.
///
/// This is a scan and no parser: it is right about the bodies that sensors send, where the
/// machine's temperature comes first, and may be wrong about odd ones. A real filter pays for a
/// parser; what an instrument is calibrated with must not.
#[inline]
pub(super) fn exceeds(body: &[u8], threshold: f64) -> bool {
    let Some(at) = body.array_windows().position(|window| window == KEY) else { return false };
    let text = body[at + KEY.len()..].trim_ascii_start();
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E');
    let length = text.iter().position(|byte| !is_number(byte)).unwrap_or(text.len());
    let number = str::from_utf8(&text[..length]).ok().and_then(|text| text.parse::<f64>().ok());
    number.is_some_and(|number| number > threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_temperature_decides() {
        let table = [
            (r#"{"machine":{"temperature":25.000000000000004,"pressure":1}}"#, true),
            (r#"{"machine":{"temperature":25.0,"pressure":1}}"#, false),
            (r#"{"machine":{"temperature":24.9},"ambient":{"temperature":30}}"#, false),
            (r#"{"temperature": 26}"#, true),
            (r#"{"temperature":-26}"#, false),
            (r#"{"temperature":2.6e1}"#, true),
            (r#"{"temperature":"26"}"#, false),
            (r#"{"temperature":"#, false),
            (r#"{"temperature":26"#, true),
            (r#"{"temperatur":26}"#, false),
            ("", false),
        ];
        for (body, expected) in table {
            assert_eq!(exceeds(body.as_bytes(), 25.0), expected, "{body}");
        }
    }
}
