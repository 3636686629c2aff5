use super::*;
use proptest::prelude::*;

const BROKER: Schemes = Schemes { known: &[("mqtt", 1883), ("mqtts", 8883)], wanted: "mqtt://" };

fn read(text: &str) -> Result<ServerUrl, UrlProblem> {
    ServerUrl::read(text, &BROKER)
}

fn shown(text: &str) -> String {
    let address = read(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    format!(
        "{} {} {} {} {}",
        if address.scheme == "mqtts" { "tls" } else { "tcp" },
        address.host,
        address.port,
        address.user.as_deref().unwrap_or("-"),
        address.password.as_ref().map_or("-", Password::reveal),
    )
}

#[test]
fn urls_are_read() {
    let cases = [
        ("mqtt://broker", "tcp broker 1883 - -"),
        ("mqtts://broker", "tls broker 8883 - -"),
        ("MQTTS://Broker.example/", "tls Broker.example 8883 - -"),
        ("mqtt://my_broker:21883", "tcp my_broker 21883 - -"),
        ("mqtt://127.0.0.1:1", "tcp 127.0.0.1 1 - -"),
        ("mqtt://[::1]", "tcp ::1 1883 - -"),
        ("mqtts://[2001:db8::1]:65535", "tls 2001:db8::1 65535 - -"),
        ("mqtt://u@h", "tcp h 1883 u -"),
        ("mqtt://u:p@h:2", "tcp h 2 u p"),
        ("mqtt://u:p@[::1]:2", "tcp ::1 2 u p"),
        ("mqtt://u:p:q@r@h", "tcp h 1883 u p:q@r"),
        ("mqtt://a%40b%3A:%2F%3f%23%25@h", "tcp h 1883 a@b: /?#%"),
        ("mqtt://%C3%A9:+@h", "tcp h 1883 é +"),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn a_bad_url_is_refused_with_its_fault() {
    use UrlProblem as Is;
    let cases = [
        ("", Is::Scheme(&BROKER)),
        ("broker:1883", Is::Scheme(&BROKER)),
        ("tcp://broker", Is::Scheme(&BROKER)),
        ("ws://broker", Is::Scheme(&BROKER)),
        ("mqtt:broker", Is::Scheme(&BROKER)),
        ("mqtt://h/a", Is::Path),
        ("mqtt://h?a", Is::Path),
        ("mqtt://u:p/q@h", Is::Path),
        ("mqtt://u:12#3@h", Is::Path),
        ("mqtt://@h", Is::User),
        ("mqtt://:p@h", Is::User),
        ("mqtt://a%00@h", Is::User),
        ("mqtt://u:@h", Is::Password),
        ("mqtt://u:50%@h", Is::Percent),
        ("mqtt://u:%zz@h", Is::Percent),
        ("mqtt://u:%4@h", Is::Percent),
        ("mqtt://%ff@h", Is::Percent),
        ("mqtt://", Is::Host("mqtt")),
        ("mqtt://:1883", Is::Host("mqtt")),
        ("mqtt://u:p@", Is::Host("mqtt")),
        ("mqtt://a b", Is::Host("mqtt")),
        ("mqtt://-:1", Is::Host("mqtt")),
        ("mqtt://::1", Is::Brackets("mqtt")),
        ("mqtt://[::1", Is::Brackets("mqtt")),
        ("mqtt://[h]", Is::Brackets("mqtt")),
        ("mqtt://[fe80::1%25eth0]", Is::Brackets("mqtt")),
        ("mqtt://[::1]1883", Is::Port),
        ("mqtt://h:", Is::Port),
        ("mqtt://h:0", Is::Port),
        ("mqtt://h:65536", Is::Port),
        ("mqtt://h:+1", Is::Port),
        ("mqtt://h:x", Is::Port),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text), Err(expected), "{text}");
    }
    let long = "x".repeat(LOGIN_BYTES_MAX + 1);
    assert_eq!(read(&format!("mqtt://{long}@h")), Err(Is::User));
    assert_eq!(read(&format!("mqtt://u:{long}@h")), Err(Is::Password));
    assert!(Password::new(String::new()).is_err());
    // What to write begins as what was written.
    for (text, advice) in [
        ("mqtt://", "write mqtt://host or mqtt://host:port"),
        ("mqtts://u@", "write mqtts://host or mqtts://host:port"),
        ("MQTT://[::1", "write mqtt://[::1] or mqtt://[::1]:port"),
        ("mqtts://::1", "write mqtts://[::1] or mqtts://[::1]:port"),
    ] {
        let output = read(text).unwrap_err().to_string();
        assert!(output.ends_with(advice), "{text}: {output}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let address = read("mqtt://jane:hunter2@h").unwrap();
    let shown = format!("{address:?}");
    assert!(shown.contains("password: true"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("jane"), "{shown}");
}

proptest! {
    /// Every user and password arrive as they are once they are percent-encoded.
    #[test]
    fn percent_encoding_carries_everything(user in "[^\\p{Cc}]{1,8}", password in ".{1,8}") {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let text = format!("mqtt://{}:{}@h", encode(&user), encode(&password));
        let address = read(&text).unwrap();
        prop_assert_eq!(address.user, Some(user));
        prop_assert_eq!(address.password.as_ref().map(Password::reveal), Some(&*password));
    }

    /// Whatever is accepted, another reader of URLs finds the same host and port in it, or nothing;
    /// and the login is all that stands before the last `@`.
    #[test]
    fn another_reader_finds_the_same(
        login in "([a-z#/?:@%4]{0,6}@)?",
        host in "[a-z0-9.]{1,6}|\\[::1\\]",
        port in "(:[0-9a#/?]{0,6})?",
    ) {
        let text = format!("mqtt://{login}{host}{port}");
        if let Ok(read) = read(&text) {
            let raw = text.replacen(&login, "", 1);
            let other: hyper::Uri = raw.parse().expect("what is accepted is a URL");
            let other_host = other.host().map(|host| host.trim_matches(['[', ']']));
            prop_assert_eq!(other_host, Some(&*read.host));
            prop_assert_eq!(other.port_u16().unwrap_or(1883), read.port);
            let shown = format!("{}{}", read.user.unwrap_or_default(), read.host);
            prop_assert!(!shown.contains(['#', '?']) || login.contains('%'), "{}", shown);
        }
    }

    /// No text makes reading panic.
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        let _ = read(&text);
        let _ = read(&format!("mqtt://{text}"));
    }
}
