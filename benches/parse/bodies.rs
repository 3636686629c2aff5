//! The simulated sensor's messages, of an exact size.

/// Sizes that budgets speak of: the sensor's own, and with further readings.
pub(crate) const BODY_BYTES: [usize; 3] = [140, 1_024, 8_192];

/// Temperatures above and below the default threshold.
pub(crate) const HIT: f64 = 101.52;
/// See [`HIT`].
pub(crate) const MISS: f64 = 21.52;

/// A message of exactly `size` bytes, at least 140; larger ones carry a list of numbers.
///
/// # Panics
/// When `size` is too small.
pub(crate) fn body(size: usize, temperature: f64) -> Vec<u8> {
    let head = format!(
        r#"{{"machine":{{"temperature":{temperature:.2},"pressure":1.1}},"ambient":{{"temperature":20.7,"humidity":25}},"#
    );
    let tail = r#""timeCreated":"2026-01-02T03:04:05.678Z"}"#;
    let room = size.checked_sub(head.len() + tail.len()).expect("a size that holds the message");
    let (open, reading, close) = (r#""samples":["#, "21.52,", "21.5],");
    let mut text = head;
    let text_bytes = text.len() + room;
    if room >= open.len() + close.len() {
        text += open;
        while text.len() + reading.len() + close.len() <= text_bytes {
            text += reading;
        }
        text += close;
    }
    text += &" ".repeat(text_bytes - text.len());
    text += tail;
    text.into_bytes()
}
