//! Bodies as the simulated temperature sensor sends them, of an exact size.

/// Sizes that are counted; larger bodies than the first carry a list of further readings.
pub const SIZES: [usize; 3] = [140, 1024, 8192];

/// Readings above [`Threshold::DEFAULT`](sluicegate::pipeline::threshold::Threshold::DEFAULT), with
/// few and with many digits.
pub const HOT: [f64; 8] =
    [101.25, 25.5, 99.527_918_3, 26.0625, 30.0, 88.125, 101.527_918, 40.062_518_2];

/// The same at or below it.
pub const COLD: [f64; 8] = [21.5, 24.99, 21.527_918_3, 20.0625, 22.0, 23.125, 24.527_918, 25.0];

/// A message of exactly `size` bytes, which are at least [`SIZES`]`[0]`; spaces fill it up.
pub fn sensor(size: usize, temperature: f64) -> Vec<u8> {
    let mut text = format!(
        concat!(
            r#"{{"machine":{{"temperature":{temperature},"pressure":10.125}}"#,
            r#","ambient":{{"temperature":20.75,"humidity":25}}"#,
            r#","timeCreated":"2026-01-02T03:04:05Z""#
        ),
        temperature = temperature
    );
    let (open, reading, close) =
        (r#","readings":["#, r#"{"sensor":"inlet-7","value":20.0625},"#, "0]}");
    if size > text.len() + open.len() + close.len() {
        text += open;
        while text.len() + reading.len() + close.len() <= size {
            text += reading;
        }
        text += close;
    } else {
        text += "}";
    }
    let mut body = text.into_bytes();
    assert!(body.len() <= size, "{size} bytes are too few for a reading of {temperature}");
    body.resize(size, b' ');
    body
}

/// The same message with a wrong bracket at its very end: no JSON.
pub fn malformed(size: usize, temperature: f64) -> Vec<u8> {
    let mut body = sensor(size, temperature);
    if let Some(end) = body.iter_mut().rfind(|byte| **byte == b'}') {
        *end = b']';
    }
    body
}

#[cfg(test)]
mod tests {
    use sluicegate::pipeline::parse::{Malformed, Parser, Verdict};
    use sluicegate::pipeline::threshold::Threshold;

    use super::*;

    /// Every body has its size, and is what its list says.
    #[test]
    fn bodies_are_what_they_are_called() {
        let mut parser = Parser::default();
        let mut judge = |size: usize, body: &[u8]| {
            assert_eq!(body.len(), size);
            parser.judge(body, Threshold::DEFAULT)
        };
        for size in SIZES {
            for (hot, cold) in HOT.into_iter().zip(COLD) {
                assert_eq!(judge(size, &sensor(size, hot)), Verdict::Alert(hot));
                assert_eq!(judge(size, &sensor(size, cold)), Verdict::Below);
                let broken = judge(size, &malformed(size, hot));
                assert_eq!(broken, Verdict::Malformed(Malformed::NotJson));
            }
        }
    }
}
