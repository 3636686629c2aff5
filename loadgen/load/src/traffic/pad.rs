//! Brings bodies to an exact size with more readings, as a sensor of many channels would have.

const OPEN: &[u8] = b"\"samples\":[";
const CLOSE: &[u8] = b"],";
/// A reading and its comma, as `21.52,`.
const SAMPLE_BYTES: usize = 6;

/// Appends exactly `bytes` bytes that may stand before a member of an object: a member with
/// numbers, or spaces where that does not fit.
pub(super) fn pad(out: &mut Vec<u8>, bytes: usize, random: &mut fastrand::Rng) {
    let end = out.len() + bytes;
    if bytes <= OPEN.len() + CLOSE.len() {
        out.resize(end, b' ');
        return;
    }
    out.extend_from_slice(OPEN);
    let numbers_end = end - CLOSE.len();
    while numbers_end - out.len() >= 2 * SAMPLE_BYTES {
        number(out, SAMPLE_BYTES - 1, random);
        out.push(b',');
    }
    let rest = numbers_end - out.len();
    number(out, rest, random);
    out.extend_from_slice(CLOSE);
    debug_assert_eq!(out.len(), end);
}

/// Appends a number of exactly `bytes` bytes, at least one: two digits before the point where there
/// is room for one behind it.
fn number(out: &mut Vec<u8>, bytes: usize, random: &mut fastrand::Rng) {
    out.push(random.u8(b'1'..=b'9'));
    let point = match bytes {
        0..3 => None,
        3 => Some(1),
        _ => Some(2),
    };
    for index in 1..bytes {
        out.push(if point == Some(index) { b'.' } else { random.u8(b'0'..=b'9') });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of bytes is met exactly, and the object stays one.
    #[test]
    fn exact_at_every_size() {
        let mut random = fastrand::Rng::with_seed(1);
        for bytes in 0..2_000 {
            let mut body = b"{".to_vec();
            pad(&mut body, bytes, &mut random);
            assert_eq!(body.len(), 1 + bytes);
            body.extend_from_slice(b"\"last\":1}");
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let samples = value["samples"].as_array().map_or(0, Vec::len);
            assert!(bytes < 14 || samples >= (bytes - 13) / 12, "{bytes} bytes, {samples} numbers");
        }
    }
}
