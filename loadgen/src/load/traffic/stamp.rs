//! The end of every body: which message of which lap it is.

/// Bytes of a lap's text.
pub const LAP_TEXT_BYTES: usize = 19;
/// Bytes of a stamp: the lap's text, a dot, seven digits of the slot, and `Z"}`.
pub const STAMP_BYTES: usize = 30;
/// Laps that can be told apart: the seconds of January.
pub const LAPS_MAX: u32 = 31 * 86_400;

/// A stamp; a digit stands where `0` does.
const TEMPLATE: &[u8; STAMP_BYTES] = b"2026-01-00T00:00:00.0000000Z\"}";
const DAY_AT: usize = 8;
const HOUR_AT: usize = 11;
const MINUTE_AT: usize = 14;
const SECOND_AT: usize = 17;
const SLOT_AT: usize = LAP_TEXT_BYTES + 1;
const SLOT_END: usize = STAMP_BYTES - 3;

/// The date and time that stand for a lap: as many seconds after 2026-01-01T00:00:00. From
/// [`LAPS_MAX`] on they begin again.
pub fn lap_text(lap: u32) -> [u8; LAP_TEXT_BYTES] {
    let lap = lap % LAPS_MAX;
    let mut text = [0; LAP_TEXT_BYTES];
    text.copy_from_slice(&TEMPLATE[..LAP_TEXT_BYTES]);
    for (at, value) in [
        (DAY_AT, 1 + lap / 86_400),
        (HOUR_AT, lap / 3_600 % 24),
        (MINUTE_AT, lap / 60 % 60),
        (SECOND_AT, lap % 60),
    ] {
        text[at] = digit(value / 10);
        text[at + 1] = digit(value % 10);
    }
    text
}

/// The stamp of a slot in lap 0.
pub(super) fn first_stamp(slot: u32) -> [u8; STAMP_BYTES] {
    let mut stamp = *TEMPLATE;
    stamp[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(0));
    let mut rest = slot;
    for byte in stamp[SLOT_AT..SLOT_END].iter_mut().rev() {
        *byte = digit(rest % 10);
        rest /= 10;
    }
    stamp
}

/// Lap and slot of a body that ends with a stamp, read strictly; `None` for anything else.
#[inline]
pub fn identify(body: &[u8]) -> Option<(u32, u32)> {
    let stamp = body.last_chunk::<STAMP_BYTES>()?;
    // The year and month are constant; everywhere else a digit stands exactly where one must.
    let (year, rest) = stamp.split_at(DAY_AT);
    let fits = |(byte, like): (&u8, &u8)| match like {
        b'0' => byte.is_ascii_digit(),
        _ => byte == like,
    };
    if year != &TEMPLATE[..DAY_AT] || !rest.iter().zip(&TEMPLATE[DAY_AT..]).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| {
        stamp[from..to].iter().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'))
    };
    let two = |at| number(at, at + 2);
    let (day, hour, minute, second) = (two(DAY_AT), two(HOUR_AT), two(MINUTE_AT), two(SECOND_AT));
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let lap = (((day - 1) * 24 + hour) * 60 + minute) * 60 + second;
    Some((lap, number(SLOT_AT, SLOT_END)))
}

fn digit(value: u32) -> u8 {
    b'0' + u8::try_from(value).expect("one decimal digit")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_of_laps() {
        for (lap, text) in [
            (0, "2026-01-01T00:00:00"),
            (12, "2026-01-01T00:00:12"),
            (86_399, "2026-01-01T23:59:59"),
            (86_400, "2026-01-02T00:00:00"),
            (LAPS_MAX - 1, "2026-01-31T23:59:59"),
            (LAPS_MAX, "2026-01-01T00:00:00"),
        ] {
            assert_eq!(lap_text(lap), *text.as_bytes(), "{lap}");
        }
    }

    #[test]
    fn anything_else_is_nobody() {
        let good = br#"{"timeCreated":"2026-01-31T23:59:58.0004711Z"}"#;
        assert_eq!(identify(good), Some((LAPS_MAX - 2, 4_711)));
        let stamp = good.len() - STAMP_BYTES;
        for (at, byte) in [
            (0, b'3'),
            (6, b'2'),
            (8, b'4'),
            (9, b'2'),
            (10, b' '),
            (11, b'3'),
            (14, b'6'),
            (17, b'6'),
            (19, b','),
            (20, b'-'),
            (26, b' '),
            (27, b'z'),
            (28, b'\''),
            (29, b' '),
        ] {
            let mut body = good.to_vec();
            body[stamp + at] = byte;
            assert_eq!(identify(&body), None, "{}", String::from_utf8_lossy(&body));
        }
        assert_eq!(identify(b""), None);
        assert_eq!(identify(&good[stamp + 1..]), None);
        assert_eq!(identify(br#""2026-01-00T00:00:00.0000000Z"}"#), None);
    }

    proptest! {
        /// Every lap and slot reads back.
        #[test]
        fn stamps_read_back(lap in 0..LAPS_MAX, slot in 0u32..10_000_000) {
            let mut stamp = first_stamp(slot);
            prop_assert_eq!(identify(&stamp), Some((0, slot)));
            stamp[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
            prop_assert_eq!(identify(&stamp), Some((lap, slot)));
        }

        /// Whatever reads as a lap and a slot is the text of that lap and slot.
        #[test]
        fn strict(at in 0..STAMP_BYTES, byte: u8, lap in 0..LAPS_MAX, slot in 0u32..10_000_000) {
            let mut stamp = first_stamp(slot);
            stamp[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
            stamp[at] = byte;
            if let Some((lap, slot)) = identify(&stamp) {
                let mut again = first_stamp(slot);
                again[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
                prop_assert_eq!(again, stamp);
            }
        }
    }
}
