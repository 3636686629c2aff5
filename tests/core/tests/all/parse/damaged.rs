//! Every change of one byte and every truncation of twenty bodies: a verdict, no panic, all ways
//! agree, and serde_json where it knows.

use super::serde_json_agrees::compare;
use super::*;

/// As different as bodies get: the sensors' own, each kind of number, escapes, nesting, arrays,
/// equal names, white space, and what is malformed from the beginning on.
const BODIES: [&str; 20] = [
    r#"{"machine":{"temperature":26.5,"pressure":1.1},"timeCreated":"2026-01-01T00:00:00Z"}"#,
    r#"{"machine":{"temperature":24.9,"pressure":10.0},"ambient":{"temperature":20.9}}"#,
    r#"{"machine":{"temperature":25}}"#,
    r#"{"machine":{"temperature":-0}}"#,
    r#"{"machine":{"temperature":2.5e1}}"#,
    r#"{"machine":{"temperature":250000000000000018e-16}}"#,
    r#"{"machine":{"temperature":18446744073709551616}}"#,
    r#"{"machine":{"temperature":1e999}}"#,
    r#"{"machine":{"temperature":"26"}}"#,
    r#"{"machine":{"temperature":null,"temperature":26}}"#,
    r#"{"machine":{},"machine":{"temperature":26}}"#,
    r#"{"m\u0061chine":{"temp\u0065rature":26}}"#,
    r#"{"note":"\ud83d\ude00 \"\\\/\b\f\n\r\t","machine":{"temperature":26}}"#,
    r#"{"note":"é€😀","machine":{"temperature":26}}"#,
    "{ \"machine\" :\r\n\t{ \"temperature\" : 26 } }\n",
    r#"{"x":[[],[1,{"y":[true,false,null]}]],"machine":{"temperature":26}}"#,
    r#"{"machine":[{"temperature":26}]}"#,
    r#"[{"machine":{"temperature":26}}]"#,
    r#"{"machine":{"temperature":NaN}}"#,
    r#"{"machine":{"temperature":26}} {"machine":{"temperature":1}}"#,
];

/// Under emulation every 16th value is enough: the walk over words is what differs there.
const STEP: usize = if cfg!(target_pointer_width = "32") { 16 } else { 1 };

fn judge_both(body: &[u8]) {
    judge(body);
    compare(body);
}

#[test]
fn no_truncation_confuses() {
    for body in BODIES {
        for end in 0..=body.len() {
            judge_both(&body.as_bytes()[..end]);
        }
    }
}

/// The bodies from `first` on, every fourth.
fn change_every_byte(first: usize) {
    for body in BODIES.iter().skip(first).step_by(4) {
        let mut changed = body.as_bytes().to_vec();
        for place in 0..changed.len() {
            let whole = changed[place];
            for byte in (0..=u8::MAX).step_by(STEP) {
                changed[place] = byte;
                judge_both(&changed);
            }
            changed[place] = whole;
        }
    }
}

// Side by side, for there are 250,000 bodies.

#[test]
fn no_changed_byte_confuses_1() {
    change_every_byte(0);
}

#[test]
fn no_changed_byte_confuses_2() {
    change_every_byte(1);
}

#[test]
fn no_changed_byte_confuses_3() {
    change_every_byte(2);
}

#[test]
fn no_changed_byte_confuses_4() {
    change_every_byte(3);
}
