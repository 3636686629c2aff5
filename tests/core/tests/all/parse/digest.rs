//! The same bodies, the same verdicts to the last bit, on every architecture: each computes a
//! checksum of them all, and compares it with the one written here.

use core_tests::corpus::{THRESHOLDS, corpus};
use crc32fast::Hasher;

use super::*;

/// A checksum of verdicts in a row.
#[derive(Default)]
pub(super) struct Digest(Hasher);

impl Digest {
    pub(super) fn add(&mut self, verdict: Verdict) {
        let (kind, bits) = match verdict {
            Alert(temperature) => (0, temperature.to_bits()),
            Below => (1, 0),
            NoTemperature => (2, 0),
            Verdict::Malformed(NotUtf8) => (3, 0),
            Verdict::Malformed(NotJson) => (4, 0),
            Verdict::Malformed(TemperatureNotANumber) => (5, 0),
        };
        self.0.update(&[kind]);
        self.0.update(&bits.to_le_bytes());
    }

    pub(super) fn value(self) -> u32 {
        self.0.finalize()
    }
}

/// Bodies that the corpus has none of: large ones, deep ones, and all of a message's beginnings.
fn more_bodies() -> Vec<Vec<u8>> {
    let message = r#"{"machine":{"temperature":101.52791830163853,"pressure":9.8137},"readings":["#;
    let sizes = [140, 1_024, 8_192, 32_768, 65_536];
    let sized = sizes.into_iter().flat_map(|size| {
        let body = format!("{message}{}0]}}", "21.25,".repeat(size / 6)).into_bytes();
        let broken = body[..body.len() - 1].to_vec();
        let escaped = String::from_utf8_lossy(&body).replace("readings", "\\u0072eadings");
        [body, broken, escaped.into_bytes()]
    });
    let deep = [63, 64, 1_000, 50_000].into_iter().flat_map(|depth| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        [format!("{message}{open}{close}]}}"), format!("{message}{open}1.{close}]}}")]
    });
    let beginnings = (0..message.len()).map(|end| message.as_bytes()[..end].to_vec());
    sized.chain(deep.map(String::into_bytes)).chain(beginnings).collect()
}

/// Every way gives the recorded verdicts, on every architecture.
#[test]
fn the_corpus_has_the_recorded_verdicts() {
    let generated = corpus(6, 2_500).into_iter().map(|entry| entry.body);
    let bodies: Vec<_> = generated.chain(more_bodies()).collect();
    for ways in Ways::ALL {
        let mut parser = Parser::by(ways, JsonPath::default());
        let mut digest = Digest::default();
        for body in &bodies {
            for threshold in THRESHOLDS {
                digest.add(parser.judge(body, Threshold::new(threshold).unwrap()));
            }
        }
        assert_eq!(digest.value(), 0x5984_6518, "{ways:?}");
    }
}

/// What tells one verdict from another changes the checksum.
#[test]
fn each_verdict_counts() {
    let verdicts = [
        Alert(26.0),
        Alert(26.000000000000004),
        Alert(0.0),
        Alert(-0.0),
        Below,
        NoTemperature,
        Verdict::Malformed(NotUtf8),
        Verdict::Malformed(NotJson),
        Verdict::Malformed(TemperatureNotANumber),
    ];
    let digest = |verdict| {
        let mut digest = Digest::default();
        digest.add(verdict);
        digest.value()
    };
    let values: std::collections::BTreeSet<_> = verdicts.into_iter().map(digest).collect();
    assert_eq!(values.len(), verdicts.len());
}
