use super::*;
use proptest::prelude::*;

impl Properties {
    /// Puts the properties in the order of the Python SDK: `$.on`, `$.mid`, `$.cid`, `$.uid`,
    /// `$.ct`, `$.ce`, `$.ifid`, `$.exp`, then all others by code point.
    pub(crate) fn sort_canonical(&mut self) {
        // Bytewise order of UTF-8 is code point order.
        self.0.sort_by(|(a, _), (b, _)| (system_rank(a), a).cmp(&(system_rank(b), b)));
    }
}

/// Properties from literals.
pub(crate) fn bag(pairs: &[(&str, Option<&str>)]) -> Properties {
    pairs.iter().map(|(name, value)| ((*name).into(), value.map(Into::into))).collect()
}

fn encoded(properties: &Properties) -> String {
    let mut out = String::new();
    properties.encode(&mut out);
    out
}

/// Any bag: names that tend to meet system names, `MessageType`, and characters to escape.
pub(crate) fn any_properties() -> impl Strategy<Value = Properties> {
    let name = prop_oneof![
        3 => any::<String>(),
        2 => "[a-zA-Z0-9 $.&=/%+é-]{1,8}",
        2 => prop::sample::select(&["$.on", "$.cdid", "$.cmid", "$.mid", "$.cid", "$.uid", "$.ct",
            "$.ce", "$.exp", "$.to", "$.x", "$.ifid", "MessageType", "messagetype", "MESSAGETYPE",
            "MessageType2"][..]).prop_map(str::to_owned),
    ];
    let value = prop::option::of(prop_oneof![any::<String>(), "[a-zA-Z0-9 &=/%+é-]{0,8}"]);
    prop::collection::vec((name, value), 0..12).prop_map(|pairs| pairs.into_iter().collect())
}

/// Any text that looks enough like a bag to reach every branch.
pub(crate) fn any_bag_text() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => "(a|b|%24\\.[a-z]{2,4}|[Mm]essage[Tt]ype|%4DessageType|%[0-9A-Fa-f]{2}|%[a-z0-9]?\
            |é|/|\\+| |=){0,6}",
        2 => "[a-zA-Z0-9._~-]{1,6}=([a-zA-Z0-9._~-]\
            |%(2[0-9A-F]|C3%A9|E2%82%AC|F0%9F%98%80|80|C3|ED%A0%80)){0,4}",
        1 => prop::sample::select(&["%24.on=x", "%24.cdid=d", "%24.cmid=m", "$.cdid=d", "%24.cdid",
            "%24.mid=1", "MESSAGETYPE", "MessageType=Alert", "%24.cdid2=x"][..])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(token, 0..8).prop_map(|tokens| tokens.join("&"))
}

#[test]
fn decode_takes_what_it_can() {
    let sdk = "%24.cdid=edge1&%24.cmid=tempSensor&%24.mid=m&k=v%3D1&nul&emp=";
    for (text, expected) in [
        ("", bag(&[])),
        (
            sdk,
            bag(&[
                ("$.cdid", Some("edge1")),
                ("$.cmid", Some("tempSensor")),
                ("$.mid", Some("m")),
                ("k", Some("v=1")),
                ("nul", None),
                ("emp", Some("")),
            ]),
        ),
        ("a=b=c", bag(&[("a", Some("b"))])),
        ("a==", bag(&[("a", Some(""))])),
        ("a=1&b=2&a=3", bag(&[("a", Some("3")), ("b", Some("2"))])),
        ("$.on=x&a+b=%zz%4", bag(&[("$.on", Some("x")), ("a+b", Some("%zz%4"))])),
        ("&&=v&a&", bag(&[("a", None)])),
        ("%ff=%C3%A9/b", bag(&[("\u{fffd}", Some("é/b"))])),
    ] {
        assert_eq!(Properties::decode(text), expected, "{text}");
    }
}

#[test]
fn decode_strict_is_edge_hub() {
    for (text, expected) in [
        ("", Ok(bag(&[]))),
        ("/a&", Ok(bag(&[]))),
        ("a=1&b=&c", Ok(bag(&[("a", Some("1")), ("b", None), ("c", None)]))),
        ("a=1/&b==", Ok(bag(&[("a", Some("1"))]))),
        ("a=1&b=2&a=3", Ok(bag(&[("a", Some("3")), ("b", Some("2"))]))),
        ("$.mid=a+b%2Fc", Ok(bag(&[("$.mid", Some("a+b/c"))]))),
        ("a=b=c", Err(BagError::RawEquals)),
        ("a==", Err(BagError::RawEquals)),
        ("=v", Err(BagError::EmptyName)),
        ("a&&b", Err(BagError::EmptyName)),
        ("&a", Err(BagError::EmptyName)),
        ("a&", Err(BagError::TrailingSeparator)),
        ("a&/b", Err(BagError::TrailingSeparator)),
        ("&", Err(BagError::TrailingSeparator)),
    ] {
        assert_eq!(Properties::decode_strict(text), expected, "{text}");
    }
}

#[test]
fn names_are_unique_and_never_empty() {
    let mut properties = bag(&[("a", Some("1")), ("b", None)]);
    properties.set("a", None);
    properties.set("", Some("lost"));
    properties.set("c", Some("3"));
    assert_eq!(properties, bag(&[("a", None), ("b", None), ("c", Some("3"))]));
    assert_eq!(properties.get("a"), Some(None));
    assert_eq!(properties.get("c"), Some(Some("3")));
    assert_eq!(properties.get("A"), None);
    assert!(properties.remove("b") && !properties.remove("b"));
    assert_eq!((properties.len(), properties.is_empty()), (2, false));
    assert_eq!(encoded(&properties), "a&c=3");
}

#[test]
fn canonical_order() {
    let mut properties = bag(&[]);
    for name in ["é", "b", "$.x", "B", "$.exp", "$.ce", "$.mid", "a b", "$.on", "$.to", "a"] {
        properties.set(name, None);
    }
    properties.sort_canonical();
    let names: Vec<_> = properties.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["$.on", "$.mid", "$.ce", "$.exp", "$.to", "$.x", "B", "a", "a b", "b", "é"]);
}

proptest! {
    /// For every bag: decode(encode(bag)) = bag.
    #[test]
    fn decoding_undoes_encoding(properties in any_properties()) {
        prop_assert_eq!(Properties::decode(&encoded(&properties)), properties);
    }

    /// For every bag: edgeHub takes what we encode, and reads only empty values differently.
    #[test]
    fn edge_hub_reads_what_we_encode(properties in any_properties()) {
        let expected: Properties = properties
            .iter()
            .map(|(name, value)| {
                (name.to_owned(), value.filter(|value| !value.is_empty()).map(str::to_owned))
            })
            .collect();
        prop_assert_eq!(Properties::decode_strict(&encoded(&properties)), Ok(expected));
    }

    /// No text makes a reader panic, and where edgeHub takes a bag without empty values and raw
    /// slashes, both readers agree.
    #[test]
    fn readers_never_panic_and_agree(text in any_bag_text()) {
        let tolerant = Properties::decode(&text);
        if let Ok(strict) = Properties::decode_strict(&text)
            && !text.contains('/')
        {
            let emptied: Properties = tolerant
                .iter()
                .map(|(name, value)| {
                    (name.to_owned(), value.filter(|value| !value.is_empty()).map(str::to_owned))
                })
                .collect();
            prop_assert_eq!(strict, emptied);
        }
    }
}
