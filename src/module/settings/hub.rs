//! The hub: who the module is there, and the way to its gateway.

use std::net::IpAddr;
use std::time::Duration;

use super::identity::{self, Proof};
use super::table::{
    BROKER, GATEWAY_PORT, JUDGE_OWN_ALERTS, NO_PROXY, PLAIN, PROXY, TOKEN_LIFETIME, WEBSOCKET,
};
use crate::azure::Identity;
use crate::mqtt::{Proxy, Route};
use crate::settings::layers::Layers;
use crate::settings::values;

/// Port of MQTT over WebSocket, unless another is given.
const WEBSOCKET_PORT: u16 = 443;
/// Port of MQTT without TLS, unless another is given.
const PLAIN_PORT: u16 = 1883;
/// Shortest life of a token: for tests of its renewal. Tokens end on whole seconds.
const TOKEN_LIFETIME_MIN: Duration = Duration::from_millis(500);
/// Longest life of a token.
const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// What there is to know of the hub.
#[derive(Clone)]
pub struct HubSettings {
    /// Who the module is.
    pub identity: Identity,
    /// How it proves that, and whom it trusts.
    pub proof: Proof,
    /// Port of the gateway.
    pub gateway_port: u16,
    /// The way to it.
    pub route: Route,
    /// Life of a token.
    pub token_lifetime: Duration,
    /// Whether the module's own alerts are judged when a route brings them back.
    pub judge_own_alerts: bool,
}

/// `None` without a problem when there is no word of an identity and a broker is there instead;
/// what is set for a hub is checked all the same.
pub(super) fn resolve(layers: &mut Layers) -> Option<HubSettings> {
    let transport = transport(layers);
    let has_broker = layers.source(&BROKER).is_some();
    let identity = if has_broker && !identity::is_given(layers) {
        None
    } else {
        identity::resolve(layers, transport == Some(Transport::Plain))
    };
    let gateway_port = match (transport, layers.source(&GATEWAY_PORT)) {
        (Some(Transport::WebSocket), None) => Some(WEBSOCKET_PORT),
        (Some(Transport::Plain), None) => Some(PLAIN_PORT),
        _ => layers.required(&GATEWAY_PORT, |text| values::number(text, 1..=65_535)),
    };
    let port = gateway_port.unwrap_or(WEBSOCKET_PORT);
    let route = match (transport, &identity) {
        (Some(transport), Some((identity, _))) => route(layers, transport, &identity.gateway, port),
        // Where to is not known, but whether the proxy can be used is.
        (Some(Transport::WebSocket), None) => websocket_route(layers, "localhost", port),
        _ => None,
    };
    let token_lifetime = layers.required(&TOKEN_LIFETIME, |text| {
        values::duration_within(text, TOKEN_LIFETIME_MIN, TOKEN_LIFETIME_MAX)
    });
    let judge_own_alerts = layers.required(&JUDGE_OWN_ALERTS, values::switch);
    let (identity, proof) = identity?;
    Some(HubSettings {
        identity,
        proof,
        gateway_port: gateway_port?,
        route: route?,
        token_lifetime: token_lifetime?,
        judge_own_alerts: judge_own_alerts?,
    })
}

/// What carries MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Tls,
    WebSocket,
    Plain,
}

fn transport(layers: &mut Layers) -> Option<Transport> {
    let websocket = layers.required(&WEBSOCKET, values::switch);
    let plain = layers.required(&PLAIN, values::switch);
    match (websocket?, plain?) {
        (false, false) => Some(Transport::Tls),
        (true, false) => Some(Transport::WebSocket),
        (false, true) => Some(Transport::Plain),
        (true, true) => {
            let sources = [&PLAIN, &WEBSOCKET].map(|spec| layers.source(spec).unwrap_or(spec.name));
            layers.problem(format!(
                "{}: WebSocket runs over TLS, which plain leaves out; set one of the two to false",
                sources.join(" and ")
            ));
            None
        }
    }
}

fn route(layers: &mut Layers, transport: Transport, host: &str, port: u16) -> Option<Route> {
    match transport {
        Transport::Tls => Some(Route::Direct),
        Transport::WebSocket => websocket_route(layers, host, port),
        Transport::Plain => plain_route(layers, host),
    }
}

/// An address is judged here; a name is at each connect, by what it then resolves to.
fn plain_route(layers: &mut Layers, host: &str) -> Option<Route> {
    if host.parse().is_ok_and(|address: IpAddr| !address.is_loopback()) {
        let source = layers.source(&PLAIN).unwrap_or(PLAIN.name);
        layers.problem(format!(
            "{source}: the gateway {host} is no loopback address (127.0.0.0/8, ::1), and without \
             TLS the token would cross the network in clear; leave plain out"
        ));
        return None;
    }
    Some(Route::Plain)
}

fn websocket_route(layers: &mut Layers, host: &str, port: u16) -> Option<Route> {
    let exceptions = layers.optional(&NO_PROXY, |text| Ok(text.to_owned())).unwrap_or_default();
    if layers.source(&PROXY).is_none() {
        return Some(Route::WebSocket { proxy: None });
    }
    let proxy = layers
        .optional(&PROXY, |url| Proxy::to(host, port, url, &exceptions).map_err(values::text))?;
    Some(Route::WebSocket { proxy })
}
