use super::*;
use proptest::prelude::*;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const SE: u64 = 1_700_000_000;
const S1: &str = "SharedAccessSignature sr=contoso.azure-devices.net%2Fdevices%2Fdev-1\
    &sig=%2Fa37QTBoqk%2BDuH495BsVETZ6NYq4ElmEapfyWA5BERE%3D&se=1700000000";
const S4: &str = "SharedAccessSignature sr=0ne00ABCDEF%2Fregistrations%2Fdev-1\
    &sig=0pA8rln4VyDJksh7L%2BQMDklFGZYVMCvZ9aBavkYUrBM%3D&se=1700000000&skn=registration";
/// The Node DPS client: `sr` neither encoded nor signed encoded, `skn` before `se`.
const S5: &str = "SharedAccessSignature sr=0ne00ABCDEF/registrations/dev-1\
    &sig=An%2B0YKcQ89naDwzpMzTEGKY5V45w3uSVQwZpGaZx3L8%3D&skn=registration&se=1700000000";

fn key() -> Key {
    Key::from_base64(KEY).unwrap()
}

fn parse(text: &str) -> Token {
    Token::parse(text).unwrap()
}

/// Signing `resource` gives `sr` and `sig`, and the token verifies with the key and no other.
fn check(resource: &str, sr: &str, sig: &str) {
    let token = sign_token(&key(), resource, SE, None);
    let mut expected = format!("SharedAccessSignature sr={sr}&sig=");
    percent_encode(sig, &mut expected);
    expected.push_str("&se=1700000000");
    assert_eq!(token, expected);
    let token = parse(&token);
    assert!(token.verify(&key()));
    assert!(!token.verify(&key().derive("another")));
    assert_eq!(token.resource(), resource);
    assert_eq!((token.expiry_unix_s(), token.policy()), (SE, None));
}

#[test]
fn sdk_vectors() {
    check(
        "contoso.azure-devices.net/devices/dev-1",
        "contoso.azure-devices.net%2Fdevices%2Fdev-1",
        "/a37QTBoqk+DuH495BsVETZ6NYq4ElmEapfyWA5BERE=",
    );
    check(
        "contoso.azure-devices.net/devices/edge1/modules/mod1",
        "contoso.azure-devices.net%2Fdevices%2Fedge1%2Fmodules%2Fmod1",
        "f6dZ7OqsWAeNIw1ay3mqtneqFiNTtdeNhvc8C5mkOVo=",
    );
    check(
        "contoso.azure-devices.net/devices/edge1/modules/$edgeHub",
        "contoso.azure-devices.net%2Fdevices%2Fedge1%2Fmodules%2F%24edgeHub",
        "CCy7vZqwHygoXhzmL60HnUHOXg60Me6vt99UOtNyF0M=",
    );
    check(
        "0ne00ABCDEF/registrations/dev-1",
        "0ne00ABCDEF%2Fregistrations%2Fdev-1",
        "0pA8rln4VyDJksh7L+QMDklFGZYVMCvZ9aBavkYUrBM=",
    );
    check(
        "hub.azure-devices.net/devices/a b@c'(d)*!:=",
        "hub.azure-devices.net%2Fdevices%2Fa%20b%40c%27%28d%29%2A%21%3A%3D",
        "aIgshX3zi6f/JlxWlGDS85yyYoSWPYA/uMppeK/+4Pw=",
    );
}

#[test]
fn full_tokens() {
    assert_eq!(sign_token(&key(), "contoso.azure-devices.net/devices/dev-1", SE, None), S1);
    assert_eq!(sign_token(&key(), "0ne00ABCDEF/registrations/dev-1", SE, Some("registration")), S4);
}

/// The same resource under three encodings verifies each time over `sr` as it came.
#[test]
fn verification_is_over_the_raw_resource() {
    let node_lowercase = "SharedAccessSignature \
        sr=hub.azure-devices.net%2Fdevices%2Fa%20b%40c%27%28d%29%2a%21%3A%3D\
        &sig=Md%2BQH0de3IBDr9QNHJcBB1NYtHxfi0EReUhO8mk18w0%3D&se=1700000000";
    for (token, resource, policy) in [
        (S4, "0ne00ABCDEF/registrations/dev-1", Some("registration")),
        (S5, "0ne00ABCDEF/registrations/dev-1", Some("registration")),
        (node_lowercase, "hub.azure-devices.net/devices/a b@c'(d)*!:=", None),
    ] {
        let token = parse(token);
        assert!(token.verify(&key()), "{token:?}");
        assert_eq!((token.resource().as_str(), token.policy()), (resource, policy));
    }
}

#[test]
fn any_order_and_letter_case_of_names() {
    let token = parse(
        "SharedAccessSignature SE=1700000000&x=y&SIG=%2Fa37QTBoqk%2BDuH495BsVETZ6NYq4ElmEapfyWA5\
         BERE%3D&Sr=contoso.azure-devices.net%2Fdevices%2Fdev-1",
    );
    assert!(token.verify(&key()));
    // Of what must be encoded in a signature, `/` alone means the same as it is.
    assert!(parse(&S1.replace("sig=%2F", "sig=/")).verify(&key()));
}

/// At every place of a good token, whatever is no visible ASCII character makes it none.
#[test]
fn no_white_space_or_control_character_anywhere() {
    let strangers = (0..=b' ').map(char::from).chain("\u{7f}\u{85}\u{a0}\u{2028}é".chars());
    for stranger in strangers {
        for place in 0..=S1.len() {
            let mut text = S1.to_owned();
            text.insert(place, stranger);
            assert!(Token::parse(&text).is_err(), "{stranger:?} at {place}");
        }
        if stranger != ' ' {
            let text = S1.replacen(' ', &stranger.to_string(), 1);
            assert!(Token::parse(&text).is_err(), "{stranger:?} for the space");
        }
    }
}

#[test]
fn a_change_anywhere_fails_verification() {
    for (from, to) in [("dev-1", "dev-2"), ("%2Fdev", "%2fdev"), ("a37", "b37"), ("00000&", "00&")]
    {
        let changed = format!("{S1}&").replace(from, to);
        assert_ne!(changed, format!("{S1}&"));
        assert!(!parse(changed.trim_end_matches('&')).verify(&key()), "{changed}");
    }
    assert!(!parse("SharedAccessSignature sr=a&sig=&se=1").verify(&key()));
}

#[test]
fn errors_name_the_field() {
    for (text, error) in [
        ("", SasError::Scheme),
        ("SharedAccessSignature", SasError::Scheme),
        ("sharedaccesssignature sr=a&sig=YQ==&se=1", SasError::Scheme),
        ("SharedAccessSignature sr=a&sig=YWJj&se=1 x", SasError::Character),
        ("SharedAccessSignature sr=a&sig=YWJj&se=1&", SasError::Field),
        ("SharedAccessSignature sr=a&sig=YQ==&se=1", SasError::Field),
        ("SharedAccessSignature sr=a=b&sig=YWJj&se=1", SasError::Field),
        ("SharedAccessSignature sr=a&sr=a&sig=YWJj&se=1", SasError::Duplicate("sr")),
        ("SharedAccessSignature sr=a&sig=YWJj&SE=1&se=1", SasError::Duplicate("se")),
        ("SharedAccessSignature x=1&sr=a&X=1&sig=YWJj&se=1", SasError::DuplicateUnknown),
        ("SharedAccessSignature sig=YWJj&se=1", SasError::Missing("sr")),
        ("SharedAccessSignature sr=a&se=1", SasError::Missing("sig")),
        ("SharedAccessSignature sr=a&sig=YWJj", SasError::Missing("se")),
        ("SharedAccessSignature sr=a&sig=Y&se=1", SasError::Signature),
        ("SharedAccessSignature sr=a&sig=+WJj&se=1", SasError::Signature),
        ("SharedAccessSignature sr=a&sig=YWJj&se=+1", SasError::Expiry),
        ("SharedAccessSignature sr=a&sig=YWJj&se=", SasError::Expiry),
        ("SharedAccessSignature sr=a&sig=YWJj&se=99999999999999999999", SasError::Expiry),
    ] {
        assert_eq!(Token::parse(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn expiry_allows_the_skew() {
    let token = parse(S1);
    assert!(!token.is_expired(SE, 0));
    assert!(token.is_expired(SE + 1, 0));
    assert!(!token.is_expired(SE + 300, 300));
    assert!(token.is_expired(SE + 301, 300));
    let eternal = parse(&sign_token(&key(), "r", u64::MAX, None));
    assert!(!eternal.is_expired(u64::MAX, 300));
}

#[test]
fn derived_key_and_workload_digest() {
    assert_eq!(key().derive("dev-1").to_base64(), "OMh199of2VbMZydm9WzziAMshZm/6i8BTTfCPw6adZM=");
    let signed = b"contoso.azure-devices.net%2Fdevices%2Fedge1%2Fmodules%2Fmod1\n1795242483";
    assert_eq!(
        BASE64_STANDARD.encode(key().sign(signed)),
        "rYnHTu7tuIFaVfU1KshsoR+phimGXmC25QV3qARXRcY="
    );
}

#[test]
fn keys_are_read_strictly_and_shown_never() {
    assert_eq!(key().to_base64(), KEY);
    assert_eq!(Key::from_base64("").unwrap_err(), KeyError::Empty);
    assert_eq!(Key::from_base64(&KEY[..43]).unwrap_err(), KeyError::NotBase64);
    assert_eq!(Key::from_base64(" a").unwrap_err(), KeyError::Blank);
    assert_eq!(format!("{:?}", key()), "Key(..)");
    let shown = format!("{:?}", parse(S1));
    assert!(shown.contains("dev-1") && !shown.contains("a37QTBoqk"), "{shown}");
}

proptest! {
    /// For every key, resource, expiry and policy: the token parses back to them and verifies.
    #[test]
    fn tokens_round_trip(
        bytes in prop::collection::vec(any::<u8>(), 1..80),
        resource in any::<String>(),
        expiry in any::<u64>(),
        policy in any::<Option<String>>(),
    ) {
        let key = Key(bytes);
        let token = parse(&sign_token(&key, &resource, expiry, policy.as_deref()));
        prop_assert!(token.verify(&key));
        prop_assert_eq!(token.resource(), resource);
        prop_assert_eq!(token.expiry_unix_s(), expiry);
        prop_assert_eq!(token.policy(), policy.as_deref());
    }

    /// No text makes the parser panic.
    #[test]
    fn parsing_never_panics(text in "(SharedAccessSignature )?[a-zA-Z0-9=&%+/ é]*") {
        if let Ok(token) = Token::parse(&text) {
            prop_assert!(!token.verify(&key()));
        }
    }
}
