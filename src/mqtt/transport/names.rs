//! What the settings behind an endpoint are called.

use std::fmt;

/// The names of the settings that an endpoint comes from, as they stand at the end of an error;
/// empty where there is none.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is the name of the setting that it is called after")]
pub struct Names {
    pub peer: Peer,
    pub host: &'static str,
    pub port: &'static str,
    /// With TLS or without, over WebSocket or not.
    pub way: &'static str,
    /// User, password, key.
    pub identity: &'static str,
    pub client_id: &'static str,
    pub keep_alive: &'static str,
    /// Whom to trust.
    pub roots: &'static str,
    /// The client's own.
    pub certificate: &'static str,
    pub proxy: &'static str,
}

/// What the endpoint leads to: advice that fits one of them misleads at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// edgeHub, or a hub, that a module connects to.
    EdgeHub,
    /// The hub that a device connects to.
    Hub,
    /// The provisioning service.
    Provisioning,
    /// A broker.
    Broker,
}

/// Which of them has to do with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedSetting {
    Host,
    Port,
    Way,
    Identity,
    ClientId,
    KeepAlive,
    Roots,
    Certificate,
    Proxy,
}

impl Names {
    /// No names.
    pub const NONE: Self = Self {
        peer: Peer::Broker,
        host: "",
        port: "",
        way: "",
        identity: "",
        client_id: "",
        keep_alive: "",
        roots: "",
        certificate: "",
        proxy: "",
    };

    /// Whether anybody can set the keep-alive.
    pub(crate) fn has_keep_alive(&self) -> bool {
        !self.keep_alive.is_empty()
    }

    fn of(&self, setting: NamedSetting) -> &'static str {
        match setting {
            NamedSetting::Host => self.host,
            NamedSetting::Port => self.port,
            NamedSetting::Way => self.way,
            NamedSetting::Identity => self.identity,
            NamedSetting::ClientId => self.client_id,
            NamedSetting::KeepAlive => self.keep_alive,
            NamedSetting::Roots => self.roots,
            NamedSetting::Certificate => self.certificate,
            NamedSetting::Proxy => self.proxy,
        }
    }
}

/// `; see A, B`: each name once, and nothing where there is none.
pub(crate) struct See(pub(crate) &'static Names, pub(crate) &'static [NamedSetting]);

impl fmt::Display for See {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut listed: Vec<&str> = Vec::new();
        // One setting may come from several, and several settings from one.
        for name in self.1.iter().flat_map(|setting| self.0.of(*setting).split(", ")) {
            if !name.is_empty() && !listed.contains(&name) {
                f.write_str(if listed.is_empty() { "; see " } else { ", " })?;
                f.write_str(name)?;
                listed.push(name);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Names {
    /// Fails unless each name is told once, whatever settings a failure has to do with.
    #[track_caller]
    pub(crate) fn assert_are_listed_once(&'static self) {
        use NamedSetting::{
            Certificate, ClientId, Host, Identity, KeepAlive, Port, Proxy, Roots, Way,
        };
        let listed =
            See(self, &[Host, Port, Way, Identity, ClientId, KeepAlive, Roots, Certificate, Proxy]);
        let listed = listed.to_string();
        let mut names: Vec<_> = listed.trim_start_matches("; see ").split(", ").collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{listed}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_listed_once_whatever_it_stands_with() {
        const NAMES: Names =
            Names { host: "A", port: "A", way: "B, A", identity: "C, B", ..Names::NONE };
        const SETTINGS: [NamedSetting; 5] = [
            NamedSetting::Host,
            NamedSetting::Port,
            NamedSetting::Way,
            NamedSetting::Roots,
            NamedSetting::Identity,
        ];
        assert_eq!(See(&NAMES, &SETTINGS).to_string(), "; see A, B, C");
        assert_eq!(See(&NAMES, &SETTINGS[2..]).to_string(), "; see B, A, C");
        assert_eq!(See(&NAMES, &[NamedSetting::Roots]).to_string(), "");
        NAMES.assert_are_listed_once();
    }
}
