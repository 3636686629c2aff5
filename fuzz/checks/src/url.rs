//! The URL of a broker or proxy: what is taken reads back, and a password is never shown.

use sluicegate::broker::BrokerAddress;
use sluicegate::mqtt::url::{Schemes, ServerUrl};

const SCHEMES: Schemes = Schemes { known: &[("http", 80), ("mqtts", 8883)], wanted: "http://" };
/// Shorter ones are shown by chance.
const SECRET_LEN_MIN: usize = 12;

/// `data` is a URL.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(url) = ServerUrl::read(text, &SCHEMES) {
        check_read(&url);
    }
    if let Ok(address) = text.parse::<BrokerAddress>() {
        assert!(!address.host().is_empty() && address.port() > 0);
        assert_eq!(address.is_tls(), text.trim().get(..5).is_some_and(|s| s.ends_with(['s', 'S'])));
        assert!(address.password().is_none() || address.user().is_some());
    }
}

fn check_read(url: &ServerUrl) {
    let (user, password) = (url.user.as_deref(), url.password.as_ref());
    let password = password.map(sluicegate::mqtt::url::Password::reveal);
    let encode = |text: &str| {
        let mut encoded = String::new();
        sluicegate::azure::percent_encode(text, &mut encoded);
        encoded
    };
    let login = match (user, password) {
        (Some(user), Some(password)) => format!("{}:{}@", encode(user), encode(password)),
        (Some(user), None) => format!("{}@", encode(user)),
        (None, Some(_)) => panic!("a password of nobody"),
        (None, None) => String::new(),
    };
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let again = format!("{}://{login}{host}:{}", url.scheme, url.port);
    assert_eq!(ServerUrl::read(&again, &SCHEMES).as_ref(), Ok(url), "{again}");
    let shown = format!("{url:?}");
    let is_secret = |text: &&str| text.len() >= SECRET_LEN_MIN && !url.host.contains(text);
    assert!(password.filter(is_secret).is_none_or(|secret| !shown.contains(secret)), "{shown}");
}
