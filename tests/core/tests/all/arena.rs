//! What an arena keeps is what it counts.

use bytes::Bytes;
use proptest::prelude::*;
use sluicegate::pipeline::arena::{Arena, FREE_CHUNKS_MAX};
use sluicegate::pipeline::limits::HELD_BYTES_MIN;
use sluicegate::pipeline::message::ALERT_TABLES_BYTES;
use sluicegate::pipeline::place::Place;

use crate::properties;

/// The smallest chunks there are.
const CHUNK_BYTES: usize = HELD_BYTES_MIN / 64;

/// A piece that is out, and what is to be in it.
struct Piece {
    bytes: Bytes,
    place: Place,
    expected: Vec<u8>,
}

fn keep(arena: &mut Arena, number: usize, length: usize) -> Piece {
    let expected = vec![u8::try_from(number % 251).expect("it is less"); length];
    let (bytes, place) = arena.keep(length, [expected.as_slice()].into_iter());
    Piece { bytes, place, expected }
}

/// Gives it back, and drops it.
fn back(arena: &mut Arena, piece: Piece) {
    assert!(piece.bytes == piece.expected, "a piece of {} bytes changed", piece.expected.len());
    arena.back(piece.place, piece.bytes.len());
}

/// What the pieces keep alive by what is known of them alone: each its own pages and an eighth, if
/// large, else the whole chunk that it is in; and its places in tables.
fn alive_bytes(pieces: &[Piece]) -> usize {
    let (alone, small): (Vec<_>, Vec<_>) =
        pieces.iter().partition(|piece| piece.place == Place::ALONE);
    let mut places: Vec<Place> = Vec::new();
    for piece in small {
        if !places.contains(&piece.place) {
            places.push(piece.place);
        }
    }
    let of_its_own = |bytes: usize| (bytes + bytes / 8).next_multiple_of(4096);
    let alone: usize = alone.iter().map(|piece| of_its_own(piece.bytes.len())).sum();
    alone + places.len() * CHUNK_BYTES + pieces.len() * ALERT_TABLES_BYTES
}

/// One thing that is done with an arena.
#[derive(Debug, Clone)]
enum Step {
    Keep(usize),
    Back(prop::sample::Index),
    /// All but each so many-th.
    BackBut(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![
        8 => 0usize..300,
        2 => 300usize..CHUNK_BYTES / 4 + 2,
        1 => CHUNK_BYTES / 4..20_000,
    ];
    prop_oneof![
        20 => length.prop_map(Step::Keep),
        6 => any::<prop::sample::Index>().prop_map(Step::Back),
        1 => (2usize..100).prop_map(Step::BackBut),
    ]
}

proptest! {
    #![proptest_config(properties())]

    /// Whatever is kept and given back in whatever order: nothing changes that is out, and what is
    /// kept alive is less than what is counted and the chunk that is filled.
    #[test]
    fn what_is_counted_is_what_is_kept(steps in prop::collection::vec(step(), 1..150)) {
        let (mut arena, mut pieces) = (Arena::new(HELD_BYTES_MIN), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Keep(length) => pieces.push(keep(&mut arena, number, length)),
                Step::Back(_) if pieces.is_empty() => {}
                Step::Back(pick) => {
                    let piece = pieces.swap_remove(pick.index(pieces.len()));
                    back(&mut arena, piece);
                }
                Step::BackBut(nth) => {
                    for (index, piece) in std::mem::take(&mut pieces).into_iter().enumerate() {
                        if index % nth == 0 {
                            pieces.push(piece);
                        } else {
                            back(&mut arena, piece);
                        }
                    }
                }
            }
            let (alive, counted) = (alive_bytes(&pieces), arena.kept_bytes());
            prop_assert!(alive <= counted + CHUNK_BYTES, "{alive} alive, {counted} counted");
            prop_assert!(counted <= alive, "{counted} counted, {alive} alive");
        }
        pieces.into_iter().for_each(|piece| back(&mut arena, piece));
        prop_assert_eq!(arena.kept_bytes(), 0);
    }
}

/// Alerts that are given together are one piece, which is kept until the last of them is back.
#[test]
fn alerts_of_one_piece_are_given_back_one_by_one() {
    let mut arena = Arena::new(HELD_BYTES_MIN);
    let alerts: [&[u8]; 3] = [b"one", b"two", b"three"];
    let (bytes, place) = arena.keep(11, alerts.into_iter());
    assert_eq!(bytes, b"onetwothree".as_slice());
    for left in [2, 1] {
        arena.back(place, 3);
        assert_eq!(arena.kept_bytes(), 11 + left * ALERT_TABLES_BYTES);
    }
    arena.back(place, 5);
    assert_eq!(arena.kept_bytes(), 0);
}

/// One piece after the other lies in the same memory; so do as many at a time as free chunks are
/// kept for.
#[test]
fn memory_serves_again() {
    let mut arena = Arena::new(HELD_BYTES_MIN);
    let first = keep(&mut arena, 0, 40);
    let address = first.bytes.as_ptr().addr();
    back(&mut arena, first);
    for number in 0..10_000 {
        let piece = keep(&mut arena, number, 40);
        assert!(piece.bytes.as_ptr().addr() - address < CHUNK_BYTES, "piece {number}");
        back(&mut arena, piece);
    }
    let many = FREE_CHUNKS_MAX * CHUNK_BYTES / 100;
    let lap = |arena: &mut Arena| {
        let pieces: Vec<_> = (0..many).map(|number| keep(arena, number, 100)).collect();
        let mut addresses: Vec<_> = pieces.iter().map(|p| p.bytes.as_ptr().addr()).collect();
        pieces.into_iter().for_each(|piece| back(arena, piece));
        addresses.sort_unstable();
        addresses
    };
    let laps = [lap(&mut arena), lap(&mut arena), lap(&mut arena)];
    let chunks =
        |addresses: &[usize]| addresses.chunk_by(|one, next| next - one < CHUNK_BYTES / 2).count();
    assert!(chunks(&laps[2]) <= FREE_CHUNKS_MAX + 1);
    let shared = laps[2].iter().filter(|at| laps[1].binary_search(at).is_ok()).count();
    assert!(shared > many / 2, "{shared} of {many} pieces lie where others lay");
}
