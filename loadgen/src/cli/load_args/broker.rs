//! The flags for a program that runs elsewhere, behind a broker.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use sluicegate::host::files::{self, FileProblem};
use sluicegate::mqtt::url::LOGIN_BYTES_MAX;
use sluicegate::settings::quotes;

use super::parse::{parse_broker, parse_topic};
use crate::cli::CommandError;
use crate::cli::output::note;
use loadgen_load::settings::{BrokerUrl, Password, Target, UrlError};

/// Most connections to a broker: each has a socket and buffers of its own.
const CONNECTIONS_MAX: i64 = 1000;
/// Where the password is, unless a file was named.
pub(crate) const ENV_PASSWORD: &str = "LOADGEN_BROKER_PASSWORD";
/// Longest file that can hold a password and the end of its line.
const PASSWORD_FILE_BYTES_MAX: u64 = LOGIN_BYTES_MAX as u64 + 2;

/// A program that runs elsewhere.
#[derive(Debug, Args)]
#[command(next_help_heading = "Broker, instead of a command")]
pub(crate) struct BrokerArgs {
    /// Publish to this broker and receive the alerts from it: mqtt://HOST:PORT, mqtt://USER@HOST,
    /// or mqtts:// with TLS; the user's password comes from LOADGEN_BROKER_PASSWORD
    #[arg(long, value_name = "URL", value_parser = parse_broker,
        conflicts_with_all = ["listen", "plain", "cut_every", "command"])]
    broker: Option<Result<BrokerUrl, UrlError>>,
    /// File that holds the user's password
    #[arg(long, value_name = "FILE")]
    broker_password_file: Option<PathBuf>,
    /// The only roots to trust, PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    broker_ca: Option<PathBuf>,
    /// Connections that the sensors share [default: 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=CONNECTIONS_MAX))]
    connections: Option<u32>,
    /// Topic of a sensor; {sensor} stands for its name [default: sensors/{sensor}]
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    topic: Option<String>,
    /// Topic of its alerts; {topic} stands for the sensor's [default: alerts/{topic}]
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    alerts_topic: Option<String>,
}

impl BrokerArgs {
    /// The broker, when one was named.
    ///
    /// # Errors
    /// The URL is none, a file cannot be read, or flags do not fit each other.
    pub(super) fn target(&self) -> Result<Option<Target>, CommandError> {
        let target = self.target_with(|| std::env::var_os(ENV_PASSWORD))?;
        if let Some(Target::Broker { url, password: Some(_), .. }) = &target
            && is_exposed(url)
        {
            note(format_args!("the password goes to {} unencrypted: mqtts:// is TLS", url.host()));
        }
        Ok(target)
    }

    fn target_with(
        &self,
        password: impl FnOnce() -> Option<OsString>,
    ) -> Result<Option<Target>, CommandError> {
        let usage = |text: String| CommandError::usage(text);
        let Some(url) = &self.broker else {
            return match self.lonely_flag() {
                Some(flag) => Err(usage(format!("{flag} needs --broker URL"))),
                None => Ok(None),
            };
        };
        let url = url.clone().map_err(|error| usage(format!("--broker: {error}")))?;
        if self.broker_ca.is_some() && !url.is_tls() {
            return Err(usage("--broker-ca is for mqtts://, which has TLS".to_owned()));
        }
        let password = self.password(password).map_err(usage)?;
        if password.is_some() && url.user().is_none() {
            let text = "there is a password for the broker and no user: write mqtt://user@host";
            return Err(usage(text.to_owned()));
        }
        Ok(Some(Target::Broker {
            url,
            ca_file: self.broker_ca.clone(),
            password,
            connections: self.connections.unwrap_or(1),
            topic: self.topic.clone().unwrap_or("sensors/{sensor}".to_owned()),
            alerts_topic: self.alerts_topic.clone().unwrap_or("alerts/{topic}".to_owned()),
        }))
    }

    /// A flag that means nothing without a broker. clap's `requires` would be silent about it when
    /// there is a command.
    fn lonely_flag(&self) -> Option<&'static str> {
        let flags = [
            (self.broker_password_file.is_some(), "--broker-password-file"),
            (self.broker_ca.is_some(), "--broker-ca"),
            (self.connections.is_some(), "--connections"),
            (self.topic.is_some(), "--topic"),
            (self.alerts_topic.is_some(), "--alerts-topic"),
        ];
        flags.into_iter().find_map(|(given, flag)| given.then_some(flag))
    }

    /// What the file holds, or else the environment.
    fn password(
        &self,
        environment: impl FnOnce() -> Option<OsString>,
    ) -> Result<Option<Password>, String> {
        let (text, source) = match &self.broker_password_file {
            Some(path) => {
                let source = path.display().to_string();
                let text = read_password(path).map_err(|error| {
                    format!(
                        "cannot read the password from --broker-password-file {source}: {error}"
                    )
                })?;
                (text, source)
            }
            None => match environment().filter(|text| !text.is_empty()) {
                Some(text) => {
                    let text = text.into_string();
                    let text = text.map_err(|_| format!("{ENV_PASSWORD} is not UTF-8"))?;
                    if quotes::are_around(&text) {
                        note(format_args!(
                            "warning: {ENV_PASSWORD}: the value is in quotation marks, which are \
                             taken for a part of it"
                        ));
                    }
                    (quotes::without_line_end(&text).to_owned(), ENV_PASSWORD.to_owned())
                }
                None => return Ok(None),
            },
        };
        Password::new(text).map(Some).map_err(|problem| format!("{source}: {problem}"))
    }
}

/// Whether what is sent there leaves this machine unencrypted, as far as the host's name tells.
fn is_exposed(url: &BrokerUrl) -> bool {
    let address = url.host().parse::<IpAddr>();
    !url.is_tls()
        && url.host() != "localhost"
        && !address.is_ok_and(|address| address.is_loopback())
}

/// The text of a file less the end of its line.
fn read_password(path: &Path) -> Result<String, FileProblem> {
    let text = files::read_text(path, PASSWORD_FILE_BYTES_MAX)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests;
