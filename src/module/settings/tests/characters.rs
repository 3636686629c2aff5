//! Characters that a text of MQTT must not hold.

use super::broker::{URL, check};

/// Wherever a text of MQTT is set, a character at which brokers hang up is refused.
#[test]
fn characters_that_mqtt_has_no_place_for_are_refused() {
    let flags = ["--subscribe", "--alerts-topic", "--control-topic", "--reported-topic"];
    for bad in ['\0', '\u{1}', '\t', '\n', '\u{7f}', '\u{9f}', '\u{fdd0}', '\u{fffe}', '\u{10ffff}']
    {
        for flag in flags {
            let text = format!("x/{bad}y");
            check(
                &["--broker", URL, flag, &text],
                &[],
                &[flag, "control character", "take it out"],
            );
        }
        let text = format!("$share/g{bad}/x");
        check(&["--broker", URL, "--subscribe", &text], &[], &["control character"]);
        let code = percent_encoding::utf8_percent_encode(
            bad.encode_utf8(&mut [0; 4]),
            percent_encoding::NON_ALPHANUMERIC,
        )
        .to_string();
        check(&["--broker", &format!("mqtt://u{code}@h")], &[], &["control characters"]);
        if bad != '\0' {
            check(
                &["--broker", URL, "--client-id", &format!("x{bad}")],
                &[],
                &["control characters"],
            );
        }
    }
}
