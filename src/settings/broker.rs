//! The plain broker: where it is, who logs in there, what is taken from it, and, without a hub, the
//! topics that stand in for the hub.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::layers::Layers;
use super::table::{
    ALERTS_TOPIC, BROKER, BROKER_CA, BROKER_CERT, BROKER_KEY, BROKER_PASSWORD,
    BROKER_PASSWORD_FILE, CLIENT_ID, CONTROL_TOPIC, REPORTED_TOPIC, SUBSCRIBE,
};
use super::{Spec, identity, values};
use crate::broker::topics::check_topic;
use crate::broker::{Address, AlertsTopic, Password, TopicFilter, could_match};
use crate::mqtt::Route;
use crate::trust::{client_config, client_config_as};

/// What a broker is needed for.
const OF_BROKER: [Spec; 7] = [
    BROKER_PASSWORD,
    BROKER_PASSWORD_FILE,
    BROKER_CA,
    BROKER_CERT,
    BROKER_KEY,
    CLIENT_ID,
    SUBSCRIBE,
];
/// What no hub may be there for.
const OF_STANDALONE: [Spec; 3] = [ALERTS_TOPIC, CONTROL_TOPIC, REPORTED_TOPIC];
/// What TLS is needed for.
const OF_TLS: [Spec; 3] = [BROKER_CA, BROKER_CERT, BROKER_KEY];
/// Longest file that can hold a password and its newline.
const PASSWORD_FILE_BYTES_MAX: u64 = 65_537;
/// Longest client id: with the outlet's ending it still fits into MQTT (3.1.1 §1.5.3).
const CLIENT_ID_BYTES_MAX: usize = 65_535 - OUTLET_ENDING.len();
/// What the client id of the second connection ends with, on which alerts leave.
pub(crate) const OUTLET_ENDING: &str = "-out";
/// Most filters: one SUBSCRIBE carries them all.
const FILTERS_MAX: usize = 1000;

/// What there is to know of the broker.
#[derive(Clone)]
pub struct BrokerSettings {
    /// Host name or address; IPv6 without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The way to it: TLS or not.
    pub route: Route,
    /// Trusted roots, and the client certificate where there is one.
    pub tls: Arc<ClientConfig>,
    /// User name.
    pub user: Option<String>,
    /// Password; never without a user name.
    pub password: Option<Password>,
    /// Client id of a session that is kept; none: a random one, and a session that ends.
    pub client_id: Option<String>,
    /// What to subscribe to; at least one, each once.
    pub filters: Vec<TopicFilter>,
    /// Where alerts go and thresholds come from; there exactly when there is no hub.
    pub standalone: Option<Standalone>,
}

/// The topics that stand in for a hub. None of them can come back through a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standalone {
    /// Where alerts go.
    pub alerts: AlertsTopic,
    /// Where patches come from.
    pub control: String,
    /// Where they are acknowledged.
    pub reported: String,
}

impl BrokerSettings {
    /// Whether the password can be read on its way: no TLS, and a host that is not this machine.
    pub fn sends_password_in_clear(&self) -> bool {
        let is_here = self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        matches!(self.route, Route::Tcp) && self.password.is_some() && !is_here
    }
}

/// `None` when there is no broker, or a problem, which is noted.
pub(super) fn resolve(layers: &mut Layers) -> Option<BrokerSettings> {
    if layers.source(&BROKER).is_none() {
        let advice = format!("this is for a broker: add --{}, or leave it out", BROKER.name);
        refuse(layers, OF_BROKER.iter().chain(&OF_STANDALONE), &advice);
        return None;
    }
    let address: Option<Address> =
        layers.optional(&BROKER, |text| text.trim().parse().map_err(values::text));
    let password = password(layers, address.as_ref());
    let tls = tls(layers, address.as_ref());
    // Judged even when it is not there, so that one run shows every problem.
    let client_id = match layers.source(&CLIENT_ID) {
        None => Some(None),
        Some(_) => layers.optional(&CLIENT_ID, client_id).map(Some),
    };
    let filters = filters(layers);
    let standalone = if identity::is_given(layers) {
        let advice = "the hub takes the alerts, and its twin has the threshold: leave it out";
        refuse(layers, OF_STANDALONE.iter(), advice);
        Some(None)
    } else {
        standalone(layers, filters.as_deref().unwrap_or_default()).map(Some)
    };
    let address = address?;
    Some(BrokerSettings {
        route: if address.is_tls { Route::Direct } else { Route::Tcp },
        host: address.host,
        port: address.port,
        tls: tls?,
        user: address.user,
        password: password?,
        client_id: client_id?,
        filters: filters?,
        standalone: standalone?,
    })
}

/// A setting without effect is a mistake of somebody who counts on it.
fn refuse<'a>(layers: &mut Layers, specs: impl Iterator<Item = &'a Spec>, advice: &str) {
    for spec in specs {
        if let Some(source) = layers.source(spec) {
            let problem = format!("{source}: {advice}");
            layers.problem(problem);
        }
    }
}

/// The password from the one place that has it.
fn password(layers: &mut Layers, address: Option<&Address>) -> Option<Option<Password>> {
    let in_url = address.and_then(|address| address.password.clone());
    let url = in_url.is_some().then_some(&BROKER);
    let places: Vec<_> = url
        .into_iter()
        .chain([&BROKER_PASSWORD, &BROKER_PASSWORD_FILE])
        .filter_map(|spec| layers.source(spec).map(str::to_owned))
        .collect();
    if places.len() > 1 {
        let places = places.join(", ");
        layers
            .problem(format!("the broker's password is given more than once ({places}): keep one"));
        return None;
    }
    let [place] = places.as_slice() else { return Some(None) };
    if address.is_some_and(|address| address.user.is_none()) {
        layers.problem(format!(
            "{place}: MQTT has no password without a user name: write mqtt://user@host"
        ));
    }
    let given = layers
        .optional(&BROKER_PASSWORD, |text| Password::new(text.to_owned()).map_err(values::text))
        .or_else(|| layers.optional(&BROKER_PASSWORD_FILE, read_password));
    in_url.or(given).map(Some)
}

fn read_password(path: &str) -> Result<Password, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map(|file| file.take(PASSWORD_FILE_BYTES_MAX + 1));
    file.and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read the password from {path}: {error}"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{path}: the password is not UTF-8; choose another one"))?;
    let text = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    Password::new(text.to_owned()).map_err(|problem| format!("{path}: {problem}"))
}

/// TLS as the broker wants it; without TLS nothing is trusted and nothing may be set.
fn tls(layers: &mut Layers, address: Option<&Address>) -> Option<Arc<ClientConfig>> {
    if address.is_some_and(|address| !address.is_tls) {
        refuse(layers, OF_TLS.iter(), "mqtt:// has no TLS: write mqtts://, or leave it out");
        return client_config(RootCertStore::empty()).ok();
    }
    let roots = if layers.source(&BROKER_CA).is_some() {
        layers.optional(&BROKER_CA, |path| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(values::certificates(Path::new(path))?);
            Ok(roots)
        })
    } else if address.is_some() {
        let roots = values::system_roots(BROKER_CA.env);
        roots.map_err(|problem| layers.problem(problem)).ok()
    } else {
        None
    };
    let sources = [&BROKER_CERT, &BROKER_KEY].map(|spec| layers.source(spec).map(str::to_owned));
    let chain = layers.optional(&BROKER_CERT, |path| values::certificate_chain(Path::new(path)));
    let key = layers.optional(&BROKER_KEY, |path| values::private_key(Path::new(path)));
    match sources {
        [None, None] => client_config(roots?).map_err(values::text),
        [Some(certificate), Some(key_source)] => {
            // Whether they fit can be told without roots.
            client_config_as(roots.unwrap_or_else(RootCertStore::empty), chain?, key?)
                .map_err(|error| format!("{certificate} and {key_source}: {}", mismatch(&error)))
        }
        [Some(one), None] => Err(format!("{one}: the key is missing: set {}", BROKER_KEY.env)),
        [None, Some(one)] => {
            Err(format!("{one}: the certificate is missing: set {}", BROKER_CERT.env))
        }
    }
    .map_err(|problem| layers.problem(problem))
    .ok()
}

/// Why a certificate and a key, each of which was read, cannot be used together.
fn mismatch(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key does not belong to the first certificate: \
             put the client's own certificate first, and give its key"
            .to_owned(),
        rustls::Error::InvalidCertificate(error) => {
            format!("the first certificate cannot be used ({error}): give the client's own")
        }
        _ => "the key cannot be used: give one of RSA, ECDSA P-256 or P-384, or Ed25519".to_owned(),
    }
}

fn client_id(text: &str) -> Result<String, String> {
    let is_id = (1..=CLIENT_ID_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
    is_id.then(|| text.to_owned()).ok_or_else(|| {
        format!(
            "{text:?} is not a client id: up to {CLIENT_ID_BYTES_MAX} bytes without control \
             characters; leave it out for a random one"
        )
    })
}

fn filters(layers: &mut Layers) -> Option<Vec<TopicFilter>> {
    let all = layers.list(&SUBSCRIBE, |text| {
        text.parse::<TopicFilter>().map_err(|problem| format!("{text:?} is no filter: {problem}"))
    })?;
    let mut filters = Vec::with_capacity(all.len());
    for filter in all {
        if !filters.contains(&filter) {
            filters.push(filter);
        }
    }
    if filters.len() > FILTERS_MAX {
        let source = layers.source_or_default(&SUBSCRIBE);
        let problem = format!("{source}: more than {FILTERS_MAX} filters: use '+' and '#'");
        layers.problem(problem);
        return None;
    }
    Some(filters)
}

fn standalone(layers: &mut Layers, filters: &[TopicFilter]) -> Option<Standalone> {
    let alerts = layers.required(&ALERTS_TOPIC, |text| {
        text.parse::<AlertsTopic>().map_err(|problem| no_topic(text, &problem))
    });
    let control = layers.required(&CONTROL_TOPIC, |text| {
        check_topic(text).map_err(|problem| no_topic(text, &problem))?;
        if text.starts_with("$share/") {
            return Err(format!("{text:?} would be shared: each process needs every patch"));
        }
        Ok(text.to_owned())
    });
    let reported = layers.required(&REPORTED_TOPIC, |text| {
        check_topic(text).map_err(|problem| no_topic(text, &problem))?;
        Ok(text.to_owned())
    });
    check_loops(layers, filters, alerts.as_ref(), control.as_deref(), reported.as_deref());
    Some(Standalone { alerts: alerts?, control: control?, reported: reported? })
}

fn no_topic(text: &str, problem: &dyn std::fmt::Display) -> String {
    format!("{text:?} is no topic: {problem}")
}

/// What is published must not come back: not as a message, and not as a patch. Those who write the
/// control topic publish too.
fn check_loops(
    layers: &mut Layers,
    filters: &[TopicFilter],
    alerts: Option<&AlertsTopic>,
    control: Option<&str>,
    reported: Option<&str>,
) {
    let own: Option<TopicFilter> = control.and_then(|control| control.parse().ok());
    let subscriptions = filters.iter().map(|filter| (&SUBSCRIBE, filter));
    for (subscribed, filter) in subscriptions.chain(own.iter().map(|own| (&CONTROL_TOPIC, own))) {
        let control = control.filter(|_| subscribed.name != CONTROL_TOPIC.name);
        let back = [
            (&CONTROL_TOPIC, control.filter(|topic| filter.matches(topic)).map(str::to_owned)),
            (&REPORTED_TOPIC, reported.filter(|topic| filter.matches(topic)).map(str::to_owned)),
            (
                &ALERTS_TOPIC,
                alerts.filter(|topic| could_match(filter, topic)).map(AlertsTopic::to_string),
            ),
        ];
        for (spec, topic) in back {
            let Some(topic) = topic else { continue };
            let problem = format!(
                "{}: what is published on {topic:?} could come back through {:?} ({}), in a loop: \
                 choose another topic or filter",
                layers.source_or_default(spec),
                filter.as_str(),
                layers.source_or_default(subscribed),
            );
            layers.problem(problem);
        }
    }
}
