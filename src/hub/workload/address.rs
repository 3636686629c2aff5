//! Where the security daemon listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::mqtt::url::{Schemes, ServerUrl};

/// With the port that stands for it.
const SCHEMES: Schemes =
    Schemes { known: &[("http", 80)], wanted: "http://, or with unix:// and a path" };
const WANTED: &str = "unix:///path/of.sock or http://host:port";

/// The value of `IOTEDGE_WORKLOADURI`: a socket of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadAddress {
    /// `unix:///path`, the usual form.
    Unix(PathBuf),
    /// `http://host[:port]`, where there are no such sockets.
    Http {
        /// Host name or address; IPv6 without its brackets.
        host: String,
        /// TCP port, 80 unless given.
        port: u16,
    },
}

impl WorkloadAddress {
    /// The `Host` of requests; a unix socket has none, and daemons expect this one.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Http { host, port: 80 } => bracketed(host),
            Self::Http { host, port } => format!("{}:{port}", bracketed(host)),
        }
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl FromStr for WorkloadAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(char::is_control) {
            return Err(format!("{text:?} holds a control character: take it out"));
        }
        if let Some(path) = text.strip_prefix("unix://") {
            // `unix://host/path` names another machine, which no socket can reach.
            return if path.starts_with('/') && path.len() > 1 {
                Ok(Self::Unix(path.into()))
            } else {
                Err(format!("{text:?} is not {WANTED}"))
            };
        }
        // Its text may hold a login.
        let url = ServerUrl::read(text, &SCHEMES).map_err(|why| format!("not {WANTED}: {why}"))?;
        match url.user {
            None => Ok(Self::Http { host: url.host, port: url.port }),
            Some(_) => {
                Err(format!("not {WANTED}: the daemon has no users, leave out what is before '@'"))
            }
        }
    }
}

impl fmt::Display for WorkloadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http { .. } => write!(f, "http://{}", self.authority()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_shown_as_they_are() {
        let cases = [
            ("unix:///var/run/iotedge/workload.sock", "localhost"),
            ("unix:///a b.sock", "localhost"),
            ("http://172.17.0.1:15581", "172.17.0.1:15581"),
            ("http://edge", "edge"),
            ("http://[::1]:81", "[::1]:81"),
        ];
        for (text, authority) in cases {
            let address: WorkloadAddress = text.parse().unwrap();
            assert_eq!(
                (address.to_string().as_str(), address.authority().as_str()),
                (text, authority)
            );
        }
        let slash: WorkloadAddress = "http://edge/".parse().unwrap();
        assert_eq!(slash, WorkloadAddress::Http { host: "edge".into(), port: 80 });
    }

    #[test]
    fn everything_else_is_refused_with_what_is_wanted() {
        let others = [
            "",
            "unix://",
            "unix:///",
            "unix://edge/a.sock",
            "unix:a",
            "https://edge",
            "edge:80",
            "http://",
            "http://edge/path",
            "http://u:p@edge",
            "http://u@edge",
            "http://u:p#q@edge",
            "http://edge:99999",
            "http://edge:0",
            "http://edge:port",
            "http://edge:",
            "http://edge#1",
            "http://:80",
            "npipe://a",
        ];
        for text in others {
            let error = text.parse::<WorkloadAddress>().unwrap_err();
            assert!(error.contains("unix:///path"), "{text}: {error}");
            assert!(!error.contains("u:p"), "{error}");
        }
    }
}
