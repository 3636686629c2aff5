use super::*;
use crate::azure::Properties;
use crate::azure::properties::tests::{any_bag_text, any_properties};
use proptest::prelude::*;

const PREFIX: &str = "devices/edge1/modules/filter/messages/events/%24.on=output1";

fn alert(bag: &str) -> String {
    let mut out = String::new();
    let had_type = alert_topic(&mut out, PREFIX, bag);
    let properties = Properties::decode(bag.split('/').next().unwrap_or_default());
    let has_type = properties.iter().any(|(name, _)| name.eq_ignore_ascii_case("MessageType"));
    assert_eq!(had_type, has_type, "{bag}");
    out
}

/// The properties that an alert must carry, by way of the types alone.
fn naive_properties(bag: &str) -> Properties {
    let bag = bag.split_once('/').map_or(bag, |(bag, _)| bag);
    let mut kept: Properties = Properties::decode(bag)
        .iter()
        .filter(|(name, _)| !["$.on", "$.cdid", "$.cmid"].contains(name))
        .filter(|(name, _)| !name.eq_ignore_ascii_case("messagetype"))
        .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
        .collect();
    kept.set("MessageType", Some("Alert"));
    kept
}

fn naive(bag: &str) -> String {
    let mut out = format!("{PREFIX}&");
    naive_properties(bag).encode(&mut out);
    out
}

fn check(bag: &str, forwarded: &str) {
    assert_eq!(alert(bag), format!("{PREFIX}{forwarded}&MessageType=Alert"), "{bag}");
}

#[test]
fn what_is_kept_and_what_is_dropped() {
    check("", "");
    check(
        "%24.cdid=MTC0304&%24.cmid=IoTEdgeASA&%24.ce=utf-8&%24.ct=application%2Fjson",
        "&%24.ce=utf-8&%24.ct=application%2Fjson",
    );
    let kept = "&%24.mid=1&%24.cid=2&%24.uid=3&%24.exp=2030-01-02T03%3A04%3A05&%24.to=t&%24.sub=s\
                &%24.schema=x&%24.ctime=c&%24.new=n&%24.ifid=i&k=v&bare&empty=";
    check(&kept[1..], kept);
    for dropped in ["%24.on=output2", "%24.cdid", "%24.cmid=", "$.on=x", "%24%2eon=x", "$.cmid"] {
        check(&format!("a=1&{dropped}&b=2"), "&a=1&b=2");
    }
    for near in ["%24.CDID=x", "cdid=x", "%24.cdid2=x", "MessageTypes=x", "Message%20Type=x"] {
        check(near, &format!("&{near}"));
    }
}

#[test]
fn message_type_is_replaced_in_any_letter_case() {
    for name in ["MessageType", "messagetype", "MESSAGETYPE", "%4DessageType", "m%65ssagetype"] {
        for value in ["", "=", "=Warning", "=a=b"] {
            check(&format!("{name}{value}&a=1"), "&a=1");
        }
    }
}

#[test]
fn what_is_not_canonical_is_encoded_again() {
    for (token, forwarded) in [
        ("a=b=c", "&a=b"),
        ("a==", "&a="),
        ("$.mid=x", "&%24.mid=x"),
        ("a=%2f%41+'", "&a=%2FA%2B%27"),
        ("a=%zz%4%", "&a=%25zz%254%25"),
        ("é=ö/ü", "&%C3%A9=%C3%B6"),
        ("a=%FF%C3", "&a=%EF%BF%BD%EF%BF%BD"),
        ("=v", ""),
        ("&&a&", "&a"),
    ] {
        check(token, forwarded);
    }
}

/// A raw `/` ends the bag, wherever it stands, and whatever is behind it.
#[test]
fn the_bag_ends_at_a_slash() {
    for behind in ["/", "/b=2", "/&b=2", "//", "/é=%zz"] {
        for (bag, forwarded) in [
            ("", ""),
            ("a=1", "&a=1"),
            ("a=1&", "&a=1"),
            ("a", "&a"),
            ("a=", "&a="),
            ("a=b=c", "&a=b"),
            ("a=%4", "&a=%254"),
            ("sequence=1234567&nameOfEight", "&sequence=1234567&nameOfEight"),
            ("a=1&%24.cdid", "&a=1"),
            ("a=1&%24.cmid=", "&a=1"),
            ("%24.on=x&a=1", "&a=1"),
            ("a=1&$.on=x", "&a=1"),
            ("MessageType=x", ""),
        ] {
            check(&format!("{bag}{behind}"), forwarded);
        }
    }
}

/// What the hub sets is left out whatever its value is.
#[test]
fn values_of_what_the_hub_sets_are_of_no_consequence() {
    for name in ["%24.on", "%24.cdid", "%24.cmid"] {
        for value in ["", "=", "=edge1", "=a=b", "=%zz", "=é", "=a%2fb", "=a+b"] {
            check(&format!("a=1&{name}{value}&b=2"), "&a=1&b=2");
            check(&format!("{name}{value}"), "");
        }
        for near in ["x", "%20", "."] {
            check(&format!("{name}{near}=1"), &format!("&{name}{near}=1"));
        }
    }
}

/// Equal names stay, so that the last wins with every reader.
#[test]
fn equal_names_stay() {
    check("a=1&b&a=2", "&a=1&b&a=2");
}

#[test]
fn canonical_tokens_fit_the_reserved_buffer() {
    let bag = "%24.cdid=edge1&seq=17&%24.mid=a%20b&u=%C3%A9%E2%82%AC%F0%9F%98%80";
    assert!(bag.split('&').all(is_canonical));
    let mut out = String::with_capacity(256);
    let (place, capacity) = (out.as_ptr(), out.capacity());
    for _ in 0..3 {
        out.clear();
        alert_topic(&mut out, PREFIX, bag);
    }
    assert_eq!(out, naive(bag));
    assert_eq!((out.as_ptr(), out.capacity()), (place, capacity));
}

fn is_canonical(token: &str) -> bool {
    canonical(token.as_bytes(), 0).is_some_and(|found| found.end == token.len())
}

/// For every token: it counts as canonical exactly when decoding and encoding do not change it.
fn check_canonical(token: &str) {
    let mut again = String::new();
    Properties::decode(token).encode(&mut again);
    let expected = again == token && !token.is_empty();
    assert_eq!(is_canonical(token), expected, "{token:?} {again:?}");
}

#[test]
fn canonical_is_exact_for_all_short_tokens() {
    let ascii = || (0..128_u8).map(char::from).filter(|byte| *byte != '&');
    for first in ascii() {
        check_canonical(&format!("{first}"));
        for second in ascii() {
            check_canonical(&format!("{first}{second}"));
            check_canonical(&format!("a=%{first}{second}"));
        }
    }
    for first in 0..=255_u8 {
        for second in 0..=255_u8 {
            check_canonical(&format!("%{first:02X}%{second:02X}"));
        }
    }
    // Three and four bytes: every lead byte with the edges of what may follow.
    let edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff_u8];
    for lead in 0xe0..=0xff_u8 {
        for second in edges {
            for third in edges {
                check_canonical(&format!("k=%{lead:02X}%{second:02X}%{third:02X}"));
                for fourth in edges {
                    check_canonical(&format!("%{lead:02X}%{second:02X}%{third:02X}%{fourth:02X}"));
                }
            }
        }
    }
}

proptest! {
    /// For every bag, the topic is the one that decode, filter, set, encode give.
    #[test]
    fn equals_the_naive_way_for_bags(properties in any_properties()) {
        let mut bag = String::new();
        properties.encode(&mut bag);
        prop_assert_eq!(alert(&bag), naive(&bag));
    }

    /// For every text, both readers find in the topic what the naive way gives; without equal
    /// names it is the same text.
    #[test]
    fn equals_the_naive_way_for_texts(text in any_bag_text()) {
        let topic = alert(&text);
        let expected = naive_properties(&text);
        let carried = topic.strip_prefix(PREFIX).unwrap().strip_prefix('&').unwrap();
        prop_assert_eq!(&Properties::decode(carried), &expected);
        prop_assert!(Properties::decode_strict(carried).is_ok());
        if carried.split('&').count() == expected.len() {
            prop_assert_eq!(topic, naive(&text));
        }
    }

    /// The same for texts that do not try to look like a bag.
    #[test]
    fn never_panics(text in any::<String>()) {
        let expected = naive_properties(&text);
        prop_assert_eq!(Properties::decode(&alert(&text)[PREFIX.len()..]), expected);
    }
}
