use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Every chunk is filled, holds alerts, is free, or has no memory any more.
fn assert_all_are_known(arena: &Arena) {
    for (index, chunk) in arena.chunks.iter().enumerate() {
        let is_vacant = arena.vacant.contains(&index);
        let uses = [index == arena.filling || chunk.out > 0, arena.free.contains(&index)];
        let uses = uses.into_iter().chain([is_vacant]).filter(|is_so| *is_so).count();
        assert_eq!(uses, 1, "chunk {index}: {arena:?}");
        assert!(!is_vacant || chunk.rest.capacity() == 0, "chunk {index} keeps its memory");
    }
}

proptest! {
    /// A chunk whose alerts are all back is kept to be filled again exactly where it and those kept
    /// before fit beside what is kept, and are not too many; else its memory is given back.
    #[test]
    fn free_chunks_are_kept_beside_what_is_kept(
        steps in vec((1_usize..5000, any::<Index>(), 0_u8..5), 400..2000),
        fills in 1_usize..=100,
    ) {
        let mut arena = Arena::new(HELD_BYTES_MIN);
        let (chunk_bytes, bytes_max) = (arena.chunk_bytes, arena.bytes_max);
        let mut out: Vec<(Bytes, Place)> = Vec::new();
        let mut is_filling = true;
        for (bytes, which, kind) in steps {
            // Up to some share of the bound, and down again.
            let fill = bytes_max / 100 * fills;
            is_filling = out.is_empty() || is_filling && arena.kept_bytes() < fill;
            if is_filling || kind == 0 {
                let bytes = if kind == 1 { bytes * 10 } else { bytes };
                let alert = vec![0; bytes];
                out.push(arena.keep(bytes, [&alert[..]].into_iter()));
            } else {
                let (alert, place) = out.swap_remove(which.index(out.len()));
                let (free, vacant) = (arena.free.len(), arena.vacant.len());
                arena.back(place, alert.len());
                let beside = arena.kept_bytes() + (free + 1) * chunk_bytes;
                let is_kept = free < FREE_CHUNKS_MAX && beside <= bytes_max;
                match (arena.free.len() - free, arena.vacant.len() - vacant) {
                    (0, 0) => {}
                    (1, 0) => prop_assert!(is_kept, "{beside} of {bytes_max} bytes, {free} free"),
                    (0, 1) => prop_assert!(!is_kept, "{beside} of {bytes_max} bytes, {free} free"),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            assert_all_are_known(&arena);
        }
    }
}
