//! The end of every body: which message of which lap it is.
//!
//! It is a point in time, as the simulated sensor has it: date, time of day and the tens of seconds
//! count the laps, six digits of the fraction the slot. The last digit of the seconds and of the
//! fraction make the sums of all digits before them, since the last such digit, multiples of ten:
//! so no change of one byte makes the stamp of one message that of another.

/// Bytes of a lap's text.
pub const LAP_TEXT_BYTES: usize = 19;
/// Bytes of a stamp: the lap's text, a dot, seven digits of the slot, and `Z"}`.
pub const STAMP_BYTES: usize = 30;
/// Laps that can be told apart: six in a minute, 28 days in a month, the rest of the century.
pub const LAPS_MAX: u32 = YEARS * 12 * 28 * 24 * 60 * 6;
/// Slots that can be told apart.
pub(super) const SLOTS_END: u32 = 1_000_000;

const YEAR_FIRST: u32 = 26;
const YEARS: u32 = 100 - YEAR_FIRST;
/// A stamp; a digit stands where `0` does.
const TEMPLATE: &[u8; STAMP_BYTES] = b"2000-00-00T00:00:00.0000000Z\"}";
const YEAR_AT: usize = 2;
const MONTH_AT: usize = 5;
const DAY_AT: usize = 8;
const HOUR_AT: usize = 11;
const MINUTE_AT: usize = 14;
const SECOND_AT: usize = 17;
const SLOT_AT: usize = LAP_TEXT_BYTES + 1;
const SLOT_END: usize = STAMP_BYTES - 3;

/// The date and time that stand for a lap; that of the first is 2026-01-01T00:00:00. From
/// [`LAPS_MAX`] on they begin again.
pub fn lap_text(lap: u32) -> [u8; LAP_TEXT_BYTES] {
    let mut text = [0; LAP_TEXT_BYTES];
    text.copy_from_slice(&TEMPLATE[..LAP_TEXT_BYTES]);
    let mut rest = lap % LAPS_MAX;
    text[SECOND_AT] = digit(rest % 6);
    rest /= 6;
    for (at, count, first) in
        [(MINUTE_AT, 60, 0), (HOUR_AT, 24, 0), (DAY_AT, 28, 1), (MONTH_AT, 12, 1)]
    {
        write_two(&mut text, at, first + rest % count);
        rest /= count;
    }
    write_two(&mut text, YEAR_AT, YEAR_FIRST + rest);
    text[SECOND_AT + 1] = check_digit(&text[YEAR_AT..=SECOND_AT]);
    text
}

/// The stamp of a slot in lap 0.
pub(super) fn first_stamp(slot: u32) -> [u8; STAMP_BYTES] {
    let mut stamp = *TEMPLATE;
    stamp[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(0));
    let mut rest = slot;
    for byte in stamp[SLOT_AT..SLOT_END - 1].iter_mut().rev() {
        *byte = digit(rest % 10);
        rest /= 10;
    }
    stamp[SLOT_END - 1] = check_digit(&stamp[SLOT_AT..SLOT_END - 1]);
    stamp
}

/// Lap and slot of a body that ends with a stamp, read strictly; `None` for anything else.
#[inline]
pub fn identify(body: &[u8]) -> Option<(u32, u32)> {
    let stamp = body.last_chunk::<STAMP_BYTES>()?;
    // A digit stands exactly where one must.
    let fits = |(byte, like): (&u8, &u8)| match like {
        b'0' => byte.is_ascii_digit(),
        _ => byte == like,
    };
    if stamp[..YEAR_AT] != TEMPLATE[..YEAR_AT]
        || !stamp[YEAR_AT..].iter().zip(&TEMPLATE[YEAR_AT..]).all(fits)
        || check_digit(&stamp[YEAR_AT..=SECOND_AT]) != stamp[SECOND_AT + 1]
        || check_digit(&stamp[SLOT_AT..SLOT_END - 1]) != stamp[SLOT_END - 1]
    {
        return None;
    }
    let number = |from: usize, to: usize| {
        stamp[from..to].iter().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'))
    };
    let mut lap = number(YEAR_AT, YEAR_AT + 2).checked_sub(YEAR_FIRST)?;
    for (at, length, count, first) in [
        (MONTH_AT, 2, 12, 1),
        (DAY_AT, 2, 28, 1),
        (HOUR_AT, 2, 24, 0),
        (MINUTE_AT, 2, 60, 0),
        (SECOND_AT, 1, 6, 0),
    ] {
        let part = number(at, at + length).checked_sub(first).filter(|part| *part < count)?;
        lap = lap * count + part;
    }
    Some((lap, number(SLOT_AT, SLOT_END - 1)))
}

/// The digit that makes the sum of the digits before it a multiple of ten. What is no digit does
/// not count.
#[inline]
fn check_digit(text: &[u8]) -> u8 {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let sum: u32 = digits.map(|byte| u32::from(byte - b'0')).sum();
    digit((10 - sum % 10) % 10)
}

fn write_two(text: &mut [u8; LAP_TEXT_BYTES], at: usize, value: u32) {
    text[at] = digit(value / 10);
    text[at + 1] = digit(value % 10);
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
            (1, "2026-01-01T00:00:19"),
            (6, "2026-01-01T00:01:09"),
            (8_639, "2026-01-01T23:59:56"),
            (8_640, "2026-01-02T00:00:09"),
            (28 * 8_640, "2026-02-01T00:00:09"),
            (12 * 28 * 8_640, "2027-01-01T00:00:09"),
            (LAPS_MAX - 1, "2099-12-28T23:59:55"),
            (LAPS_MAX, "2026-01-01T00:00:00"),
        ] {
            assert_eq!(lap_text(lap), *text.as_bytes(), "{lap}");
        }
    }

    #[test]
    fn anything_else_is_nobody() {
        let good = br#"{"timeCreated":"2099-12-28T23:59:55.0047117Z"}"#;
        assert_eq!(identify(good), Some((LAPS_MAX - 1, 4_711)));
        assert_eq!(identify(b""), None);
        assert_eq!(identify(&good[good.len() - STAMP_BYTES + 1..]), None);
        // Of a day that is none, with the digit that belongs to it.
        assert_eq!(identify(br#""2026-01-00T00:00:01.0000000Z"}"#), None);
    }

    proptest! {
        /// Every lap and slot reads back.
        #[test]
        fn stamps_read_back(lap in 0..LAPS_MAX, slot in 0..SLOTS_END) {
            let mut stamp = first_stamp(slot);
            prop_assert_eq!(identify(&stamp), Some((0, slot)));
            stamp[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
            prop_assert_eq!(identify(&stamp), Some((lap, slot)));
        }

        /// One byte changed is nobody's stamp.
        #[test]
        fn one_byte_makes_it_nobodys(
            at in 0..STAMP_BYTES,
            byte: u8,
            lap in 0..LAPS_MAX,
            slot in 0..SLOTS_END,
        ) {
            let mut stamp = first_stamp(slot);
            stamp[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
            prop_assume!(stamp[at] != byte);
            stamp[at] = byte;
            prop_assert_eq!(identify(&stamp), None);
        }

        /// Whatever reads as a lap and a slot is the text of that lap and slot.
        #[test]
        fn strict(
            text in "20[0-9]{2}-[01][0-9]-[0-2][0-9]\
                T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{7}Z\"\\}",
        ) {
            if let Some((lap, slot)) = identify(text.as_bytes()) {
                let mut again = first_stamp(slot);
                again[..LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
                prop_assert_eq!(&again[..], text.as_bytes());
            }
        }
    }
}
