//! The sentences: what a failure means, and what to do about it.

use std::fmt;
use std::io::{self, ErrorKind};

use rustls::AlertDescription as Alert;
use rustls::CertificateError as Bad;

use super::super::Route;
use super::super::greeting::Stranger;
use super::super::names::{NamedSetting, Peer};
pub(crate) use crate::host::files::shortage;
use crate::mqtt::tls::flaw;

/// What a step of connecting is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectStep {
    /// The way that a proxy opens.
    Tunnel,
    /// The TLS handshake.
    Tls,
    /// The WebSocket handshake.
    WebSocket,
    /// CONNACK.
    Connack,
}

impl fmt::Display for ConnectStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tunnel => "way through the proxy",
            Self::Tls => "TLS handshake",
            Self::WebSocket => "WebSocket handshake",
            Self::Connack => "CONNACK",
        })
    }
}

impl ConnectStep {
    /// Why it may not have come.
    pub(super) fn cause(self) -> &'static str {
        match self {
            Self::Tunnel => "the proxy is overloaded, or something else is at its port",
            Self::Tls => "it takes no TLS at this port, or is overloaded",
            Self::WebSocket => "it takes no WebSocket at this port, or is overloaded",
            Self::Connack => "it speaks no MQTT at this port, or not this way, or is overloaded",
        }
    }

    pub(super) fn settings(self) -> &'static [NamedSetting] {
        match self {
            Self::Tunnel => &[NamedSetting::Proxy],
            _ => &[NamedSetting::Port, NamedSetting::Way],
        }
    }
}

/// What is spoken over `route`.
pub(super) fn spoken(route: &Route) -> &'static str {
    match route {
        Route::Direct => "MQTT over TLS",
        Route::WebSocket { .. } => "MQTT over WebSocket",
        Route::Plain | Route::Tcp => "MQTT without TLS",
    }
}

/// The return code of MQTT 3.1.1 that means what the reason code of MQTT 5 does; 0 for none.
pub(super) fn return_code(code: u8) -> u8 {
    match code {
        1..=5 => code,
        0x84 => 1,
        0x85 => 2,
        0x88 | 0x89 | 0x97 | 0x9f => 3,
        0x86 => 4,
        0x87 | 0x8a | 0x8c => 5,
        _ => 0,
    }
}

/// ` or a keep-alive of 60 s`, where somebody can set it.
pub(super) fn or_keep_alive(keep_alive_s: Option<u16>) -> String {
    keep_alive_s.map_or_else(String::new, |s| format!(" or a keep-alive of {s} s"))
}

/// `CONNACK 5 (not authorized: ...)`.
pub(super) fn refusal(code: u8, peer: Peer, keep_alive_s: Option<u16>) -> String {
    let number = if code < 0x80 { code.to_string() } else { format!("{code:#04x}") };
    let (meaning, advice) = match return_code(code) {
        1 => ("unacceptable protocol version", no_mqtt_3(peer)),
        2 => ("identifier rejected", rejected(peer)),
        3 => ("server unavailable", "it may come back, and is asked again"),
        4 => ("bad user name or password", bad_login(peer)),
        5 => ("not authorized", not_authorized(peer)),
        _ => (
            "no return code of MQTT 3.1.1",
            "another program is at this port, or it does not keep to MQTT 3.1.1",
        ),
    };
    let keep_alive = match (return_code(code), keep_alive_s) {
        (2, Some(s)) => format!(", and a keep-alive of {s} s no longer than it takes"),
        _ => String::new(),
    };
    format!("CONNACK {number} ({meaning}: {advice}{keep_alive})")
}

fn no_mqtt_3(peer: Peer) -> &'static str {
    match peer {
        Peer::EdgeHub | Peer::Hub | Peer::Provisioning => {
            "it does not speak MQTT 3.1.1, as a hub does; another program may be at this port"
        }
        Peer::Broker => {
            "it does not speak MQTT 3.1.1, perhaps MQTT 5 alone; allow 3.1.1 there, or use another \
             broker"
        }
    }
}

fn rejected(peer: Peer) -> &'static str {
    match peer {
        Peer::EdgeHub => "the module must be in the deployment",
        Peer::Hub => "the device must be registered there, and enabled",
        Peer::Provisioning => "the registration id must be enrolled in this ID scope",
        Peer::Broker => "this client id must be allowed there",
    }
}

fn bad_login(peer: Peer) -> &'static str {
    match peer {
        Peer::EdgeHub | Peer::Hub => "check the shared access key and this clock",
        Peer::Provisioning => "check ID scope, registration id, key and this clock",
        Peer::Broker => "check them",
    }
}

fn not_authorized(peer: Peer) -> &'static str {
    match peer {
        Peer::EdgeHub => "check device, module, shared access key and this clock",
        Peer::Hub => "check device, shared access key and this clock",
        Peer::Provisioning => "check ID scope, registration id, key and this clock",
        Peer::Broker => "check who may connect there",
    }
}

pub(super) fn refusal_settings(code: u8) -> &'static [NamedSetting] {
    match return_code(code) {
        2 => &[NamedSetting::ClientId, NamedSetting::KeepAlive],
        4 | 5 => &[NamedSetting::Identity],
        3 => &[],
        _ => &[NamedSetting::Host, NamedSetting::Port],
    }
}

/// What answered CONNECT in place of a broker, and what to do.
pub(super) fn stranger(what: Stranger, peer: Peer) -> String {
    match what {
        Stranger::Tls => {
            "in TLS: this port wants TLS; connect with TLS, or to the port without".to_owned()
        }
        Stranger::Http(status) => {
            let status = status.map(|code| format!(" status {code}")).unwrap_or_default();
            format!(
                "with HTTP{status}: a web server, a proxy or MQTT over WebSocket is at this port; \
                 use the port of MQTT, or connect over WebSocket"
            )
        }
        Stranger::OtherConnack => {
            format!("with a CONNACK that MQTT 3.1.1 does not have: {}", no_mqtt_3(peer))
        }
        Stranger::Other(first) => format!(
            "with something else than CONNACK (first byte {first:#04x}): another program is at \
             this port, or it does not keep to MQTT 3.1.1"
        ),
    }
}

/// `text` without web addresses, and what leads to them.
pub(super) fn without_addresses(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some(at) = ["https://", "http://"].iter().filter_map(|way| rest.find(way)).min() {
        kept.push_str(rest[..at].trim_end_matches([':', ' ']));
        let address = &rest[at..];
        let end = address.find(|c: char| c.is_whitespace() || ");,".contains(c));
        rest = &address[end.unwrap_or(address.len())..];
    }
    kept + rest
}

/// What rustls found, where it is rustls that failed.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether the other end has gone, without a word.
pub(in super::super) fn is_closed(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let is_gone = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof];
    is_gone.contains(&error.kind())
}

/// Whether it is about our certificate, or for want of one.
pub(super) fn is_about_our_certificate(error: &io::Error) -> bool {
    matches!(tls_error(error), Some(rustls::Error::AlertReceived(alert)) if is_about_us(*alert))
}

/// Why TLS failed. What the peer or the library calls it stands behind, in brackets, where that
/// says more.
pub(super) fn tls(error: &io::Error) -> String {
    let (meaning, name) = match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(bad)) => return flaw::certificate(bad),
        Some(rustls::Error::AlertReceived(alert)) => {
            (of_alert(*alert), format!("TLS alert: {}", flaw::spaced(&format!("{alert:?}"))))
        }
        Some(rustls::Error::InvalidMessage(why)) => (
            "what answers there is no TLS, but plain MQTT, HTTP or something else; use the port \
             with TLS, or connect without",
            flaw::spaced(&format!("{why:?}")),
        ),
        Some(rustls::Error::PeerIncompatible(why)) => (
            "it has no TLS 1.2 or 1.3 in common with us: allow one of them there",
            flaw::spaced(&format!("{why:?}")),
        ),
        Some(rustls::Error::PeerMisbehaved(why)) => (NO_TLS, flaw::spaced(&format!("{why:?}"))),
        Some(other) => (NO_TLS, flaw::words_of(other)),
        None if is_closed(error) => (
            "it closed the connection: it takes no TLS at this port, or no connections now",
            error.to_string(),
        ),
        None => (NO_TLS, error.to_string()),
    };
    format!("{meaning} ({name})")
}

const NO_TLS: &str = "it does not keep to TLS, or something in between changes what it says";

fn of_alert(alert: Alert) -> &'static str {
    match alert {
        Alert::HandshakeFailure => {
            "it has no TLS 1.2 or 1.3 in common with us, or asks for a client certificate, or its \
             own key is of a kind that is not taken here: RSA with 2048 to 8192 bits, ECDSA P-256 \
             or P-384, and Ed25519 are"
        }
        Alert::CertificateRequired => "it asks for a client certificate: give one",
        Alert::CertificateExpired => {
            "it says that our client certificate is not valid now: renew it, or check both clocks"
        }
        Alert::CertificateRevoked => {
            "it says that our client certificate is revoked: give another one"
        }
        Alert::UnknownCA => {
            "it does not trust who signed our client certificate: that authority must be known \
             there, and the file must hold all certificates in between"
        }
        _ if is_about_us(alert) => "it refuses our client certificate, or asks for one",
        _ => "it ended the handshake: it must allow TLS 1.2 or 1.3, and know this host name",
    }
}

fn is_about_us(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::HandshakeFailure
    )
}

pub(super) fn tls_settings(error: &io::Error) -> &'static [NamedSetting] {
    use rustls::Error::InvalidCertificate;
    match tls_error(error) {
        Some(InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature | Bad::Other(_))) => {
            &[NamedSetting::Roots]
        }
        Some(InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. })) => {
            &[NamedSetting::Host]
        }
        Some(InvalidCertificate(_)) => &[],
        _ if is_about_our_certificate(error) => &[NamedSetting::Certificate],
        _ => &[NamedSetting::Port, NamedSetting::Way],
    }
}
