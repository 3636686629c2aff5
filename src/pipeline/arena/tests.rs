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
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A chunk whose alerts are all back is kept to be filled again exactly where it and those kept
    /// before fit beside what is kept, and are not too many; else its memory is given back.
    #[test]
    fn free_chunks_are_kept_beside_what_is_kept(
        steps in vec((1_usize..5000, any::<Index>(), 0_u8..5), 400..2000),
        fills in 50_usize..=130,
        rest in 0_usize..100,
        is_in_order: bool,
    ) {
        let mut arena = Arena::new(HELD_BYTES_MIN);
        let (chunk_bytes, bytes_max) = (arena.chunk_bytes, arena.bytes_max);
        let mut out: Vec<(Bytes, Place)> = Vec::new();
        let mut is_filling = true;
        for (bytes, which, kind) in steps {
            // Up to about the bound, which the caller may overstep, down some way, and up again.
            let fill = bytes_max / 100 * fills;
            let turn = if is_filling { fill } else { fill / 100 * rest };
            is_filling = out.is_empty() || arena.kept_bytes() < turn;
            if is_filling || kind == 0 {
                let bytes = if kind == 1 { bytes * 2 } else { bytes };
                let alert = vec![0; bytes];
                out.push(arena.keep(bytes, [&alert[..]].into_iter()));
            } else {
                let at = if is_in_order { 0 } else { which.index(out.len()) };
                let (alert, place) = out.remove(at);
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

/// The bound is that of all free chunks together: where there is room for one more, but not beside
/// those that are free already, its memory is given back.
#[test]
fn free_chunks_count_together() {
    const PIECE: [u8; CHUNK_BYTES_MIN / PIECE_SHARE] = [0; CHUNK_BYTES_MIN / PIECE_SHARE];
    let mut arena = Arena::new(HELD_BYTES_MIN);
    let keep = |arena: &mut Arena, bytes: &[u8]| arena.keep(bytes.len(), [bytes].into_iter()).1;
    // Two chunks that are full, and the start of a third one; the rest of the bound is used up.
    let full = [(); 2 * PIECE_SHARE].map(|()| keep(&mut arena, &PIECE));
    keep(&mut arena, &PIECE);
    let alone = [0; PIECE.len() + 1];
    let alone_bytes = alone_bytes(alone.len()) + ALERT_TABLES_BYTES;
    while arena.kept_bytes() + alone_bytes <= HELD_BYTES_MIN {
        keep(&mut arena, &alone);
    }
    let (first, second) = full.split_at(PIECE_SHARE);
    first.iter().for_each(|place| arena.back(*place, PIECE.len()));
    assert_eq!((arena.free.len(), arena.vacant.len()), (1, 0));
    // The third chunk takes the room that there was beside it.
    (1..PIECE_SHARE).for_each(|_| {
        keep(&mut arena, &PIECE);
    });
    second.iter().for_each(|place| arena.back(*place, PIECE.len()));
    assert!(arena.kept_bytes() + CHUNK_BYTES_MIN <= HELD_BYTES_MIN);
    assert_eq!((arena.free.len(), arena.vacant.len()), (1, 1));
}
