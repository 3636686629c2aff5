//! Where a broker is and who logs in there: `mqtt[s]://[user[:password]@]host[:port]`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;

/// Port of MQTT without TLS, unless another is given (IANA: mqtt).
const PORT: u16 = 1883;
/// Port of MQTT over TLS, unless another is given (IANA: secure-mqtt).
const TLS_PORT: u16 = 8883;
/// Most bytes of a user name or password (MQTT 3.1.1 §1.5.3, §3.1.3.5).
const LOGIN_BYTES_MAX: usize = 65_535;

/// A password. It has no `Debug` and no `Display`: nothing shows it by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password `text`.
    ///
    /// # Errors
    /// When it is empty or too long for MQTT.
    pub fn new(text: String) -> Result<Self, AddressProblem> {
        if (1..=LOGIN_BYTES_MAX).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(AddressProblem::Password)
        }
    }

    /// The text, to be sent to the broker and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The parts of a broker's URL. `Debug` tells only whether there is a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether MQTT runs over TLS.
    pub is_tls: bool,
    /// Host name or address; IPv6 without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name, percent-decoded.
    pub user: Option<String>,
    /// Password, percent-decoded.
    pub password: Option<Password>,
}

/// What is wrong with a broker's URL, and what to do. Repeats nothing of it: wherever the text went
/// wrong, it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Neither `mqtt://` nor `mqtts://`.
    #[error("it must begin with mqtt:// or, for TLS, with mqtts://")]
    Scheme,
    /// Something behind host and port.
    #[error(
        "nothing may follow host and port; in user and password write '/' as %2F, '?' as %3F and \
         '#' as %23"
    )]
    Path,
    /// No user name before the `@`, or one that MQTT has no room for.
    #[error(
        "there is no usable user name before the '@': up to {LOGIN_BYTES_MAX} bytes without \
         control characters"
    )]
    User,
    /// An empty password, or one that MQTT has no room for.
    #[error(
        "the password is empty or longer than {LOGIN_BYTES_MAX} bytes: leave it out or mend it"
    )]
    Password,
    /// A broken `%XX`.
    #[error("user and password are percent-encoded UTF-8: write '%' itself as %25")]
    Percent,
    /// No host name or address.
    #[error("there is no usable host name or address: write mqtt://broker.example:1883")]
    Host,
    /// An IPv6 address that is none, or has no brackets.
    #[error("an IPv6 address stands in brackets, without a zone: write mqtt://[::1]:1883")]
    Brackets,
    /// None of 1 to 65535.
    #[error("the port is none of 1 to 65535: write mqtt://host:port, or leave :port out")]
    Port,
}

impl FromStr for Address {
    type Err = AddressProblem;

    fn from_str(text: &str) -> Result<Self, AddressProblem> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressProblem::Scheme)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(AddressProblem::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(AddressProblem::Path);
        }
        // Whatever a password is made of, it is before the last of these.
        let (login, authority) = match rest.rsplit_once('@') {
            Some((login, authority)) => (Some(login), authority),
            None => (None, rest),
        };
        let (user, password) = login.map(read_login).transpose()?.unzip();
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(port) => read_port(port)?,
            None if is_tls => TLS_PORT,
            None => PORT,
        };
        ServerName::try_from(host).map_err(|_| AddressProblem::Host)?;
        Ok(Self { is_tls, host: host.to_owned(), port, user, password: password.flatten() })
    }
}

fn read_login(text: &str) -> Result<(String, Option<Password>), AddressProblem> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    let user = decode(user)?;
    let is_user = (1..=LOGIN_BYTES_MAX).contains(&user.len()) && !user.contains(char::is_control);
    if !is_user {
        return Err(AddressProblem::User);
    }
    let password = password.map(|text| decode(text).and_then(Password::new)).transpose()?;
    Ok((user, password))
}

/// Unlike a lenient decoder, which would send another password than the one that was meant.
fn decode(text: &str) -> Result<String, AddressProblem> {
    let is_hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !(is_hex(bytes.next()) && is_hex(bytes.next())) {
            return Err(AddressProblem::Percent);
        }
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| AddressProblem::Percent)?;
    Ok(decoded.into_owned())
}

/// The host, without the brackets of an IPv6 address, and what stands behind its colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), AddressProblem> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or(AddressProblem::Brackets)?;
        host.parse::<Ipv6Addr>().map_err(|_| AddressProblem::Brackets)?;
        return match (behind, behind.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err(AddressProblem::Port),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(AddressProblem::Brackets),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn read_port(text: &str) -> Result<u16, AddressProblem> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0).ok_or(AddressProblem::Port)
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_tls, host, port, user, password } = self;
        f.debug_struct("Address")
            .field("is_tls", is_tls)
            .field("host", host)
            .field("port", port)
            .field("user", &user.is_some())
            .field("password", &password.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        let address: Address = text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"));
        format!(
            "{} {} {} {} {}",
            if address.is_tls { "tls" } else { "tcp" },
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
    fn what_is_wrong_is_told() {
        use AddressProblem as Is;
        let cases = [
            ("", Is::Scheme),
            ("broker:1883", Is::Scheme),
            ("tcp://broker", Is::Scheme),
            ("ws://broker", Is::Scheme),
            ("mqtt:broker", Is::Scheme),
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
            ("mqtt://", Is::Host),
            ("mqtt://:1883", Is::Host),
            ("mqtt://u:p@", Is::Host),
            ("mqtt://a b", Is::Host),
            ("mqtt://-:1", Is::Host),
            ("mqtt://::1", Is::Brackets),
            ("mqtt://[::1", Is::Brackets),
            ("mqtt://[h]", Is::Brackets),
            ("mqtt://[fe80::1%25eth0]", Is::Brackets),
            ("mqtt://[::1]1883", Is::Port),
            ("mqtt://h:", Is::Port),
            ("mqtt://h:0", Is::Port),
            ("mqtt://h:65536", Is::Port),
            ("mqtt://h:+1", Is::Port),
            ("mqtt://h:x", Is::Port),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Address>(), Err(expected), "{text}");
        }
        let long = "x".repeat(LOGIN_BYTES_MAX + 1);
        assert_eq!(format!("mqtt://{long}@h").parse::<Address>(), Err(Is::User));
        assert_eq!(format!("mqtt://u:{long}@h").parse::<Address>(), Err(Is::Password));
        assert!(Password::new(String::new()).is_err());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let address: Address = "mqtt://jane:hunter2@h".parse().unwrap();
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
            let address: Address = text.parse().unwrap();
            prop_assert_eq!(address.user, Some(user));
            prop_assert_eq!(address.password.as_ref().map(Password::reveal), Some(&*password));
        }

        /// No text makes reading panic.
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = text.parse::<Address>();
            let _ = format!("mqtt://{text}").parse::<Address>();
        }
    }
}
