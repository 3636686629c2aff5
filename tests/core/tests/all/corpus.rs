use std::collections::HashMap;

use core_tests::corpus::{CorpusEntry, Kind, corpus};

/// FNV-1a over the lengths and bytes of all bodies.
fn fingerprint(entries: &[CorpusEntry]) -> u64 {
    let bytes = entries.iter().flat_map(|entry| {
        let length = u32::try_from(entry.body.len()).unwrap();
        length.to_le_bytes().into_iter().chain(entry.body.iter().copied())
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Same seed, same bytes, on every machine and in every version: a change here must be meant.
#[test]
fn the_bytes_of_a_seed_are_fixed() {
    assert_eq!(fingerprint(&corpus(1, 2_000)), 0x27dc_153c_7ce6_fedf);
    assert_eq!(fingerprint(&corpus(2, 2_000)), 0xb814_1ad8_c7b1_b9c1);
}

#[test]
fn a_shorter_corpus_is_a_beginning() {
    let long = corpus(7, 1_000);
    assert_eq!(long.len(), 1_000);
    for count in [0, 1, 100, 999] {
        assert_eq!(corpus(7, count), long[..count]);
    }
}

/// Each kind is there in numbers, valid where it should be, and of every verdict there are plenty.
#[test]
fn every_kind_is_there() {
    let entries = corpus(1, 2_000);
    let mut counts: HashMap<Kind, usize> = HashMap::new();
    for entry in &entries {
        *counts.entry(entry.kind).or_default() += 1;
    }
    for kind in [
        Kind::Normal,
        Kind::Boundary,
        Kind::Malformed,
        Kind::Unicode,
        Kind::DuplicateKeys,
        Kind::HugeNumber,
        Kind::Shape,
        Kind::Mutated,
        Kind::PythonConstant,
    ] {
        assert!(counts[&kind] >= 100, "{kind}: {counts:?}");
    }
    assert!(counts[&Kind::PythonLimit] >= 10, "{counts:?}");
}

/// The kinds that are not about broken bodies hold none.
#[test]
fn valid_kinds_are_valid() {
    for entry in corpus(3, 3_000) {
        let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&entry.body).is_ok();
        let text = String::from_utf8_lossy(&entry.body);
        match entry.kind {
            Kind::Malformed | Kind::Mutated | Kind::PythonConstant | Kind::PythonLimit => {}
            kind => assert!(valid, "{kind}: {text}"),
        }
    }
}
