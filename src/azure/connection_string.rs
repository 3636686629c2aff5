//! The connection string of a device or module, as the portal and `iotedgehubdev` write it.
//!
//! `HostName={hub};[GatewayHostName={gateway};]DeviceId={d};[ModuleId={m};]SharedAccessKey={key}`:
//! parts split at `;`, each at its first `=` (a key ends in `=`), names case-sensitive, order free.
//! All that is wrong is reported at once, and never with a value: the key is one of them.

use std::fmt;
use std::str::FromStr;

use super::identity::{ID_LEN_MAX, is_host_name, is_id};
use super::{Identity, Key, KeyError};

/// An unknown name is shown only when it can be no key: short, letters alone, with a value.
const SHOWN_NAME_LEN_MAX: usize = 24;

const HOST: &str = "HostName";
const GATEWAY: &str = "GatewayHostName";
const DEVICE: &str = "DeviceId";
const MODULE: &str = "ModuleId";
const KEY: &str = "SharedAccessKey";
const KEY_NAME: &str = "SharedAccessKeyName";
const SIGNATURE: &str = "SharedAccessSignature";
const X509: &str = "x509";
const NAMES: [&str; 8] = [HOST, GATEWAY, DEVICE, MODULE, KEY, KEY_NAME, SIGNATURE, X509];

/// An identity and the key that proves it. `Debug` does not show the key.
#[derive(Debug, Clone)]
pub struct ConnectionString {
    /// Who connects, and where to.
    pub identity: Identity,
    /// Signs the tokens of that identity.
    pub key: Key,
}

/// One thing that is wrong with a connection string. Says what to do, and shows no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringProblem {
    /// A part without `=`; parts are counted from 1.
    #[error("part {0} has no '=': write parts as Name=value, separated by ';'")]
    NoEquals(usize),
    /// A name that no connection string has.
    #[error("unknown name `{0}`: allowed are {names}", names = NAMES.join(", "))]
    Unknown(String),
    /// The same, of a name that is not shown because it may be a piece of a key.
    #[error("unknown name in part {0}: allowed are {names}", names = NAMES.join(", "))]
    UnknownPart(usize),
    /// A known name in another letter case, or with spaces around it.
    #[error("write `{0}` exactly so: names are case-sensitive and have no spaces")]
    LetterCase(&'static str),
    /// A name that comes twice.
    #[error("`{0}` comes twice: keep one")]
    Duplicate(&'static str),
    /// A name that must be there.
    #[error("`{0}` is missing: copy the whole connection string of the module or device")]
    Missing(&'static str),
    /// Nothing is there but this name and its value.
    #[error(
        "nothing but `{0}` is there: where a shell reads the string, put it in quotation marks, as \
         ';' ends a command"
    )]
    Cut(&'static str),
    /// A name with nothing behind its `=`.
    #[error("`{0}` is empty: give it a value or leave it out")]
    Empty(&'static str),
    /// No host name or address.
    #[error("`{0}` is not a host name: give it without scheme, port and path")]
    Host(&'static str),
    /// No device or module id.
    #[error(
        "`{0}` is not an id: it has up to {ID_LEN_MAX} ASCII characters without space, '/', '+', \
         '#'"
    )]
    Id(&'static str),
    /// The key cannot be read.
    #[error("`SharedAccessKey` cannot be used: {0}")]
    Key(KeyError),
    /// `x509=true`.
    #[error(
        "`x509=true`: client certificates are out of scope; use a string with SharedAccessKey \
         instead"
    )]
    X509,
    /// `x509` that is neither true nor false.
    #[error("`x509` is neither true nor false: leave it out")]
    X509Value,
    /// A finished token, which ends and cannot be renewed.
    #[error(
        "`SharedAccessSignature` is a token that ends: give the SharedAccessKey of the module \
         instead"
    )]
    Signature,
    /// The policy of a hub, not the key of one identity.
    #[error(
        "`SharedAccessKeyName` belongs to a hub policy: use the module's own connection string, \
         which has none"
    )]
    KeyName,
}

/// All that is wrong with a connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionStringError {
    problems: Vec<ConnectionStringProblem>,
}

impl ConnectionStringError {
    /// What is wrong, in the order of the text; what is missing comes last. Never empty.
    pub fn problems(&self) -> &[ConnectionStringProblem] {
        &self.problems
    }
}

impl fmt::Display for ConnectionStringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection string cannot be used: ")?;
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectionStringError {}

impl FromStr for ConnectionString {
    type Err = ConnectionStringError;

    /// Parses a connection string; the gateway is the hub when there is no `GatewayHostName`.
    ///
    /// # Errors
    /// With every problem at once. White space around the text and empty parts are none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text, &[HOST, DEVICE, KEY])
    }
}

impl ConnectionString {
    /// Parses the connection string of a module; that of a device is none.
    ///
    /// # Errors
    /// With every problem at once, as for any other.
    pub fn of_module(text: &str) -> Result<Self, ConnectionStringError> {
        Self::read(text, &[HOST, DEVICE, MODULE, KEY])
    }

    fn read(text: &str, needed: &[&'static str]) -> Result<Self, ConnectionStringError> {
        let mut parts = Parts::split(text);
        let hub = parts.host(HOST);
        let gateway = parts.host(GATEWAY);
        let device = parts.id(DEVICE);
        let module = parts.id(MODULE);
        let key = parts.key();
        parts.note_missing(needed);
        if let (Some(hub), Some(device), Some(key), []) = (hub, device, key, &*parts.problems) {
            let gateway = gateway.unwrap_or(hub).to_owned();
            let (hub, device) = (hub.to_owned(), device.to_owned());
            let identity = Identity { hub, gateway, device, module: module.map(str::to_owned) };
            return Ok(Self { identity, key });
        }
        Err(ConnectionStringError { problems: parts.problems })
    }
}

/// The values by name, and what was wrong so far.
struct Parts<'a> {
    values: [Option<&'a str>; NAMES.len()],
    problems: Vec<ConnectionStringProblem>,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Self {
        let mut parts = Self { values: [None; NAMES.len()], problems: Vec::new() };
        for (index, part) in text.trim().split(';').enumerate() {
            if part.is_empty() {
                continue;
            }
            if let Err(problem) = parts.take(index + 1, part) {
                parts.problems.push(problem);
            }
        }
        parts
    }

    fn take(&mut self, number: usize, part: &'a str) -> Result<(), ConnectionStringProblem> {
        let (name, value) =
            part.split_once('=').ok_or(ConnectionStringProblem::NoEquals(number))?;
        let Some(index) = NAMES.iter().position(|known| *known == name) else {
            return Err(unknown(number, name, value));
        };
        match &mut self.values[index] {
            Some(_) => Err(ConnectionStringProblem::Duplicate(NAMES[index])),
            slot => {
                *slot = Some(value);
                if value.is_empty() {
                    return Err(ConnectionStringProblem::Empty(NAMES[index]));
                }
                Ok(())
            }
        }
    }

    /// A value that is there and not empty; emptiness was reported already.
    fn value(&self, name: &str) -> Option<&'a str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        NAMES.iter().position(|known| *known == name).and_then(|index| self.values[index])
    }

    fn host(&mut self, name: &'static str) -> Option<&'a str> {
        self.checked(name, is_host_name, ConnectionStringProblem::Host)
    }

    fn id(&mut self, name: &'static str) -> Option<&'a str> {
        self.checked(name, is_id, ConnectionStringProblem::Id)
    }

    fn checked(
        &mut self,
        name: &'static str,
        is_good: fn(&str) -> bool,
        problem: fn(&'static str) -> ConnectionStringProblem,
    ) -> Option<&'a str> {
        let value = self.value(name)?;
        if is_good(value) {
            return Some(value);
        }
        self.problems.push(problem(name));
        None
    }

    fn key(&mut self) -> Option<Key> {
        if let Some(x509) = self.value(X509) {
            match x509.to_ascii_lowercase().as_str() {
                "true" => self.problems.push(ConnectionStringProblem::X509),
                "false" => {}
                _ => self.problems.push(ConnectionStringProblem::X509Value),
            }
        }
        if self.value(SIGNATURE).is_some() {
            self.problems.push(ConnectionStringProblem::Signature);
        }
        if self.value(KEY_NAME).is_some() {
            self.problems.push(ConnectionStringProblem::KeyName);
        }
        match Key::from_base64(self.value(KEY)?) {
            Ok(key) => Some(key),
            Err(error) => {
                self.problems.push(ConnectionStringProblem::Key(error));
                None
            }
        }
    }

    /// Adds what is missing of `needed`. A key is not, where another problem already asks for it.
    fn note_missing(&mut self, needed: &[&'static str]) {
        use ConnectionStringProblem::{Cut, LetterCase, Missing, Signature, X509};
        let has_other = self.problems.iter().any(|problem| matches!(problem, X509 | Signature));
        let is_missing = |name: &&&'static str| {
            let is_misspelt = self.problems.contains(&LetterCase(name));
            self.raw(name).is_none() && !is_misspelt && !(**name == KEY && has_other)
        };
        let missing: Vec<_> = needed.iter().filter(is_missing).map(|name| Missing(name)).collect();
        let mut given = NAMES.iter().zip(&self.values).filter(|(_, value)| value.is_some());
        if let (Some((only, _)), None, []) = (given.next(), given.next(), &*self.problems) {
            self.problems.push(Cut(only));
        }
        self.problems.extend(missing);
    }
}

fn unknown(number: usize, name: &str, value: &str) -> ConnectionStringProblem {
    if let Some(known) = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name.trim())) {
        return ConnectionStringProblem::LetterCase(known);
    }
    // A key alone, `c2VjcmV0=`, would pass for a name with an empty value.
    let has_value = !value.trim_matches('=').is_empty();
    let is_word = name.len() <= SHOWN_NAME_LEN_MAX && name.bytes().all(|b| b.is_ascii_alphabetic());
    if has_value && is_word {
        ConnectionStringProblem::Unknown(name.to_owned())
    } else {
        ConnectionStringProblem::UnknownPart(number)
    }
}

#[cfg(test)]
mod tests;
