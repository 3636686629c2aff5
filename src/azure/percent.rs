//! Percent-encoding as topics and tokens need it (RFC 3986 §2).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All that RFC 3986 §2.3 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Appends `text` to `out`, all but `A-Za-z0-9-_.~` as `%XX` of its UTF-8 bytes in upper case.
///
/// A space becomes `%20`, never `+` (IoT Hub MQTT: telemetry topics).
pub fn percent_encode(text: &str, out: &mut String) {
    out.extend(utf8_percent_encode(text, RESERVED));
}

/// Decodes `%XX` of either case; borrows when there is none.
///
/// `+` stays `+`, an invalid sequence such as `%zz` stays as it is, and bytes that are not UTF-8
/// become U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(text: &str) -> String {
        let mut out = String::new();
        percent_encode(text, &mut out);
        out
    }

    #[test]
    fn keeps_only_the_unreserved() {
        assert_eq!(encoded("azAZ09-_.~"), "azAZ09-_.~");
        assert_eq!(encoded("a b@c'(d)*!:=+/"), "a%20b%40c%27%28d%29%2A%21%3A%3D%2B%2F");
        assert_eq!(encoded("é€"), "%C3%A9%E2%82%AC");
        assert_eq!(encoded("\0\n\u{7f}"), "%00%0A%7F");
    }

    #[test]
    fn decoding_is_tolerant() {
        assert_eq!(percent_decode("a+b%2b%2B"), "a+b++");
        assert_eq!(percent_decode("%zz%4%"), "%zz%4%");
        assert_eq!(percent_decode("%ff"), "\u{fffd}");
        assert!(matches!(percent_decode("plain"), Cow::Borrowed("plain")));
    }

    proptest! {
        /// For every text, decoding undoes encoding.
        #[test]
        fn decoding_undoes_encoding(text in any::<String>()) {
            let encoded = encoded(&text);
            prop_assert_eq!(percent_decode(&encoded), text);
        }
    }
}
