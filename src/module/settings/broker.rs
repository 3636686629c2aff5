//! The plain broker: where it is, who logs in there, what is taken from it, and, without a hub, the
//! topics that stand in for the hub.

mod password;
mod tls;
mod topics;

use super::identity;
use super::table::{
    ALERTS_TOPIC, BROKER, BROKER_CA, BROKER_CERT, BROKER_KEY, BROKER_PASSWORD,
    BROKER_PASSWORD_FILE, CLIENT_ID, CONTROL_TOPIC, REPORTED_TOPIC, SUBSCRIBE,
};
use crate::broker::settings::{BrokerSettings, OUTLET_ENDING, random_client_id};
use crate::broker::{BrokerAddress, TopicFilter};
use crate::mqtt::Route;
use crate::mqtt::text::is_refused;
use crate::mqtt::topics::overlap;
use crate::settings::layers::Layers;
use crate::settings::{Spec, values};

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
/// Longest client id: with the outlet's ending it still fits into MQTT (3.1.1 §1.5.3).
const CLIENT_ID_BYTES_MAX: usize = 65_535 - OUTLET_ENDING.len();
/// Most pairs of overlapping filters that have a warning each.
const OVERLAPS_SHOWN_MAX: usize = 10;

/// `None` when there is no broker, or a problem, which is noted.
pub(super) fn resolve(layers: &mut Layers) -> Option<BrokerSettings> {
    if layers.source(&BROKER).is_none() {
        let advice = format!("this is for a broker: add --{}, or leave it out", BROKER.name);
        refuse(layers, OF_BROKER.iter().chain(&OF_STANDALONE), &advice);
        return None;
    }
    let address: Option<BrokerAddress> =
        layers.optional(&BROKER, |text| text.parse().map_err(values::text));
    let password = password::resolve(layers, address.as_ref());
    let tls = tls::resolve(layers, address.as_ref());
    let client_id = match layers.source(&CLIENT_ID) {
        None => Some(None),
        Some(_) => layers.optional(&CLIENT_ID, client_id).map(Some),
    };
    let filters = topics::filters(layers);
    let standalone = if identity::is_given(layers) {
        let advice = "the hub takes the alerts, and its twin has the threshold: leave it out";
        refuse(layers, OF_STANDALONE.iter(), advice);
        Some(None)
    } else {
        topics::standalone(layers, filters.as_deref().unwrap_or_default()).map(Some)
    };
    let address = address?;
    Some(BrokerSettings {
        route: if address.is_tls() { Route::Direct } else { Route::Tcp },
        host: address.host().to_owned(),
        port: address.port(),
        tls: tls?,
        user: address.user().map(str::to_owned),
        password: password?,
        client_id: client_id?,
        random_id: random_client_id(),
        filters: filters?,
        standalone: standalone?,
    })
}

/// What is worth a word although it is allowed, one line each.
pub(crate) fn warnings(broker: &BrokerSettings) -> Vec<String> {
    let mut lines = overlaps(&broker.filters);
    if broker.sends_password_in_clear() {
        lines.push(
            "the broker's password crosses the network in clear, and so do all messages: \
             mqtts:// encrypts them"
                .to_owned(),
        );
    }
    lines
}

/// A line for each two of `filters` that overlap, up to [`OVERLAPS_SHOWN_MAX`].
fn overlaps(filters: &[TopicFilter]) -> Vec<String> {
    let pairs = filters.iter().enumerate().flat_map(|(index, one)| {
        let overlapping = filters[index + 1..].iter().filter(|other| overlap(one, other));
        overlapping.map(move |other| (one, other))
    });
    let mut lines = Vec::new();
    let mut untold = 0;
    for (one, other) in pairs {
        if lines.len() == OVERLAPS_SHOWN_MAX {
            untold += 1;
            continue;
        }
        lines.push(format!(
            "--{}: {:?} and {:?} overlap: a broker may deliver a message once for each filter that \
             it matches (MQTT 3.1.1 §3.3.5), and then it is judged and forwarded as often: leave \
             one of them out, or make them disjoint",
            SUBSCRIBE.name,
            one.as_str(),
            other.as_str(),
        ));
    }
    if untold > 0 {
        lines.push(format!("--{}: {untold} more pairs of filters overlap", SUBSCRIBE.name));
    }
    lines
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

fn client_id(text: &str) -> Result<String, String> {
    let is_id = (1..=CLIENT_ID_BYTES_MAX).contains(&text.len()) && !text.contains(is_refused);
    is_id.then(|| text.to_owned()).ok_or_else(|| {
        format!(
            "{text:?} is not a client id: up to {CLIENT_ID_BYTES_MAX} bytes without control \
             characters; leave it out for a random one"
        )
    })
}
