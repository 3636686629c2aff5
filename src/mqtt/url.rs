//! The URL of a server and who logs in there: `scheme://[user[:password]@]host[:port]`.
//!
//! The one reader of such a text, for brokers and proxies, in every program. It is stricter than
//! the URL standard of browsers, which mends what it can: there a `#` in a password ends the host,
//! a broken `%XX` stays as it is, and a password may so become a name that is looked up.

use std::fmt;
use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;

use crate::mqtt::text::is_refused;

/// Most bytes of a user name or password (MQTT 3.1.1 §1.5.3, §3.1.3.5).
pub const LOGIN_BYTES_MAX: usize = 65_535;

/// A password. Its `Debug` does not show it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password `text`.
    ///
    /// # Errors
    /// When it is empty or too long for MQTT.
    pub fn new(text: String) -> Result<Self, UrlProblem> {
        if (1..=LOGIN_BYTES_MAX).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(UrlProblem::Password)
        }
    }

    /// The text, to be sent to the server and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The schemes that one kind of server has.
#[derive(Debug, PartialEq, Eq)]
pub struct Schemes {
    /// Each in lower case, with the port that it stands for.
    pub known: &'static [(&'static str, u16)],
    /// What to write, for the one who wrote another.
    pub wanted: &'static str,
}

/// The parts of a server's URL. `Debug` tells only whether there are a user and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// One of the schemes that were asked for.
    pub scheme: &'static str,
    /// Host name or address; IPv6 without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name, percent-decoded.
    pub user: Option<String>,
    /// Password, percent-decoded; never without a user.
    pub password: Option<Password>,
}

/// What is wrong with a server's URL, and what to do. Repeats nothing of it: wherever the text went
/// wrong, it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// None of the schemes that were asked for.
    #[error("the URL begins with {}", .0.wanted)]
    Scheme(&'static Schemes),
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
    #[error("there is no usable host name or address: write {0}://host or {0}://host:port")]
    Host(&'static str),
    /// An IPv6 address that is none, or has no brackets.
    #[error(
        "an IPv6 address stands in brackets, without a zone: write {0}://[::1] or {0}://[::1]:port"
    )]
    Brackets(&'static str),
    /// None of 1 to 65535.
    #[error("the port is none of 1 to 65535: write host:port, or leave :port out")]
    Port,
}

impl ServerUrl {
    /// Reads `text`, with white space around it, as the URL of a server that has `schemes`.
    ///
    /// # Errors
    /// The first problem that it has.
    pub fn read(text: &str, schemes: &'static Schemes) -> Result<Self, UrlProblem> {
        let no_scheme = UrlProblem::Scheme(schemes);
        let (scheme, rest) = text.trim().split_once("://").ok_or(no_scheme)?;
        let known = schemes.known.iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known));
        let (scheme, default_port) = *known.ok_or(no_scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(UrlProblem::Path);
        }
        // Whatever a password is made of, it is before the last of these.
        let (login, authority) = match rest.rsplit_once('@') {
            Some((login, authority)) => (Some(login), authority),
            None => (None, rest),
        };
        let (user, password) = login.map(read_login).transpose()?.unzip();
        let (host, port) = split_port(scheme, authority)?;
        let port = port.map_or(Ok(default_port), read_port)?;
        ServerName::try_from(host).map_err(|_| UrlProblem::Host(scheme))?;
        Ok(Self { scheme, host: host.to_owned(), port, user, password: password.flatten() })
    }
}

fn read_login(text: &str) -> Result<(String, Option<Password>), UrlProblem> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    let user = decode(user)?;
    let is_user = (1..=LOGIN_BYTES_MAX).contains(&user.len()) && !user.contains(is_refused);
    if !is_user {
        return Err(UrlProblem::User);
    }
    let password = password.map(|text| decode(text).and_then(Password::new)).transpose()?;
    Ok((user, password))
}

/// Unlike a lenient decoder, which would send another password than the one that was meant.
fn decode(text: &str) -> Result<String, UrlProblem> {
    let is_hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !(is_hex(bytes.next()) && is_hex(bytes.next())) {
            return Err(UrlProblem::Percent);
        }
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| UrlProblem::Percent)?;
    Ok(decoded.into_owned())
}

/// The host, without the brackets of an IPv6 address, and what stands behind its colon.
fn split_port<'a>(
    scheme: &'static str,
    authority: &'a str,
) -> Result<(&'a str, Option<&'a str>), UrlProblem> {
    let brackets = UrlProblem::Brackets(scheme);
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or(brackets)?;
        host.parse::<Ipv6Addr>().map_err(|_| brackets)?;
        return match (behind, behind.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err(UrlProblem::Port),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(brackets),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn read_port(text: &str) -> Result<u16, UrlProblem> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0).ok_or(UrlProblem::Port)
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, user, password } = self;
        f.debug_struct("ServerUrl")
            .field("scheme", scheme)
            .field("host", host)
            .field("port", port)
            .field("user", &user.is_some())
            .field("password", &password.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
