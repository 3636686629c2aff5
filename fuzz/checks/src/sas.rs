//! Keys and tokens: a signature counts for exactly what was signed, and no text of a key or a
//! signature is told.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use loadgen_hub::authentication::{Clock, Username, verify_token};
use sluicegate::azure::{Identity, Key, Token, percent_decode, sign_token};

use crate::input::lines;

const NOW_UNIX_S: u64 = 1_700_000_000;
const CLOCK: Clock = Clock { now_unix_s: NOW_UNIX_S, skew_s: 300 };
/// Shorter ones stand in an error by chance.
const SECRET_LEN_MIN: usize = 12;

/// The lines of `data` are a token, a key, a resource, a policy, and a user name.
pub fn check(data: &[u8]) {
    let Some(mut lines) = lines(data) else { return };
    let mut line = || lines.next().unwrap_or_default();
    let (token, key, resource, policy, username) = (line(), line(), line(), line(), line());
    let key = read_key(key);
    check_token(token, &key);
    check_signed(&key, resource, policy);
    if let Ok(username) = Username::parse(username, CLOCK) {
        assert!(!username.device.is_empty() && !username.hub.is_empty());
    }
}

/// The key, or another where that is none.
fn read_key(text: &str) -> Key {
    match Key::from_base64(text) {
        Ok(key) => {
            assert_eq!(key.to_base64(), text, "one text for one key");
            assert_eq!(format!("{key:?}"), "Key(..)");
            key
        }
        Err(error) => {
            assert!(text.len() < SECRET_LEN_MIN || !error.to_string().contains(text));
            Key::from_base64("a2V5").expect("this is base64")
        }
    }
}

/// A token as it came.
fn check_token(text: &str, key: &Key) {
    let identity = Identity {
        hub: "h".to_owned(),
        gateway: "g".to_owned(),
        device: "d".to_owned(),
        module: Some("m".to_owned()),
    };
    let admitted = verify_token(text, &identity, key, CLOCK).ok();
    let Ok(token) = Token::parse(text) else { return assert_eq!(admitted, None) };
    let field = |wanted: &str| {
        let fields = text.split_once(' ').map_or("", |(_, fields)| fields).split('&');
        let mut named = fields.filter_map(|field| field.split_once('='));
        named.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let (sr, se) = (field("sr").unwrap_or_default(), field("se").unwrap_or_default());
    assert_eq!(token.resource(), percent_decode(sr));
    assert_eq!(Ok(token.expiry_unix_s()), se.parse());
    assert_eq!(token.policy(), field("skn").map(percent_decode).as_deref());
    let sig = field("sig").map(percent_decode).unwrap_or_default();
    let signature = BASE64_STANDARD.decode(sig.as_bytes()).expect("it was read");
    let is_signed = key.sign(format!("{sr}\n{se}").as_bytes()).as_slice() == signature;
    assert_eq!(token.verify(key), is_signed);
    let is_late = u128::from(token.expiry_unix_s()) + 300 < u128::from(NOW_UNIX_S);
    assert_eq!(token.is_expired(NOW_UNIX_S, 300), is_late);
    if let Some(expiry) = admitted {
        assert!(is_signed && !is_late && expiry == token.expiry_unix_s());
    }
    assert!(sig.len() < SECRET_LEN_MIN || !format!("{token:?}").contains(&*sig));
}

/// A token that is made reads back, and only its key has signed it.
fn check_signed(key: &Key, resource: &str, policy: &str) {
    let policy = Some(policy).filter(|policy| !policy.is_empty());
    let text = sign_token(key, resource, NOW_UNIX_S, policy);
    let token = Token::parse(&text).expect("what is signed here is a token");
    assert!(token.verify(key));
    assert_eq!(token.resource(), resource);
    assert_eq!(token.policy(), policy);
    assert!(!token.verify(&key.derive(resource)), "another key");
}
