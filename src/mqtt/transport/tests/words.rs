//! What each failure says, word for word, and the settings that it names: all inputs of the tables
//! of words, without a socket.

use rustls::{AlertDescription as Alert, CertificateError as Bad, OtherError};

use super::sentences::NAMES;
use super::*;

fn at() -> At {
    At { host: "h".to_owned(), port: 1 }
}

fn shown(failure: Failure) -> String {
    ConnectError { failure, names: &NAMES }.to_string()
}

/// Every alert of TLS: one about the client's certificate leads there, one about nothing of it
/// leads to port and way. Behind the handshake, as TLS 1.3 may tell it, only the first kind names a
/// setting.
#[test]
fn of_every_tls_alert() {
    for number in 0..=u8::MAX {
        let alert = Alert::from(number);
        let of_certificate = match number {
            40 => Some(
                "it has no TLS 1.2 or 1.3 in common with us, or asks for a client certificate, or \
                 its own key is of a kind that is not taken here: RSA with 2048 to 8192 bits, \
                 ECDSA P-256 or P-384, and Ed25519 are",
            ),
            42 | 43 | 46 => Some("it refuses our client certificate, or asks for one"),
            44 => Some("it says that our client certificate is revoked: give another one"),
            45 => Some(
                "it says that our client certificate is not valid now: renew it, or check both \
                 clocks",
            ),
            48 => Some(
                "it does not trust who signed our client certificate: that authority must be known \
                 there, and the file must hold all certificates in between",
            ),
            116 => Some("it asks for a client certificate: give one"),
            _ => None,
        };
        let meaning = of_certificate.unwrap_or(
            "it ended the handshake: it must allow TLS 1.2 or 1.3, and know this host name",
        );
        let source = || io::Error::other(rustls::Error::AlertReceived(alert));
        for (failure, begin, other) in [
            (Failure::Tls { at: at(), source: source() }, "TLS handshake with h:1 failed", true),
            (Failure::Broken { at: at(), source: source() }, "h:1 did not answer CONNECT", false),
        ] {
            let message = shown(failure);
            let end = match (of_certificate, other) {
                (Some(_), _) => "); see CERTIFICATE",
                (None, true) => "); see PORT, WAY",
                (None, false) => ")",
            };
            let begin = format!("{begin}: {meaning} (TLS alert: ");
            assert!(message.starts_with(&begin) && message.ends_with(end), "{number}: {message}");
        }
    }
}

/// What is wrong with a certificate decides which setting can help: the roots, the host's name, or
/// none.
#[test]
fn of_each_kind_of_certificate() {
    let other = Bad::Other(OtherError(Arc::new(io::Error::other("x"))));
    let name = ServerName::try_from("h").unwrap();
    let named = Bad::NotValidForNameContext { expected: name, presented: Vec::new() };
    let rows = [
        (Bad::UnknownIssuer, "; see ROOTS"),
        (Bad::BadSignature, "; see ROOTS"),
        (other, "; see ROOTS"),
        (Bad::NotValidForName, "; see HOST"),
        (named, "; see HOST"),
        (Bad::Expired, "both clocks"),
        (Bad::NotValidYet, "both clocks"),
        (Bad::Revoked, "is revoked: it needs another one"),
        (Bad::BadEncoding, "is whole"),
        (Bad::InvalidPurpose, "has serverAuth"),
        (Bad::UnhandledCriticalExtension, "have it issued without"),
        (Bad::ApplicationVerificationFailure, "cannot be accepted: it needs another one"),
    ];
    for (bad, end) in rows {
        let is_untrusted = end == "; see ROOTS";
        let source = io::Error::other(rustls::Error::InvalidCertificate(bad));
        let error = ConnectError { failure: Failure::Tls { at: at(), source }, names: &NAMES };
        let message = error.to_string();
        assert!(
            message.starts_with("TLS handshake with h:1 failed: its certificate "),
            "{message}"
        );
        assert!(message.ends_with(end), "{message}");
        assert_eq!(error.is_untrusted(), is_untrusted, "{message}");
    }
}

/// What is no fault of a certificate is none that other roots could mend.
#[test]
fn of_an_issuer_nothing_is_said_without_one() {
    let failures = [
        Failure::Tls { at: at(), source: io::ErrorKind::UnexpectedEof.into() },
        Failure::Tls { at: at(), source: io::Error::other(rustls::Error::DecryptError) },
        Failure::Tcp { at: at(), source: io::ErrorKind::ConnectionRefused.into() },
    ];
    for failure in failures {
        let error = ConnectError { failure, names: &NAMES };
        assert!(!error.is_untrusted(), "{error}");
    }
}

/// What rustls can find beside alerts and certificates.
#[test]
fn of_other_ends_of_a_handshake() {
    use rustls::{Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};
    const NO_TLS: &str = "it does not keep to TLS, or something in between changes what it says";
    const CLOSED: &str =
        "it closed the connection: it takes no TLS at this port, or no connections now";
    let rows = [
        (
            io::Error::other(Error::InvalidMessage(InvalidMessage::InvalidContentType)),
            "what answers there is no TLS, but plain MQTT, HTTP or something else; use the port \
             with TLS, or connect without (invalid content type)"
                .to_owned(),
        ),
        (
            io::Error::other(Error::PeerIncompatible(PeerIncompatible::KeyShareExtensionRequired)),
            "it has no TLS 1.2 or 1.3 in common with us: allow one of them there (key share \
             extension required)"
                .to_owned(),
        ),
        (
            io::Error::other(Error::PeerMisbehaved(PeerMisbehaved::IncorrectBinder)),
            format!("{NO_TLS} (incorrect binder)"),
        ),
        (io::Error::other(Error::DecryptError), format!("{NO_TLS} (decrypt error)")),
        (io::Error::other("odd"), format!("{NO_TLS} (odd)")),
        (io::ErrorKind::TimedOut.into(), format!("{NO_TLS} (timed out)")),
        (io::ErrorKind::ConnectionReset.into(), format!("{CLOSED} (connection reset)")),
        (io::ErrorKind::ConnectionAborted.into(), format!("{CLOSED} (connection aborted)")),
        (io::ErrorKind::BrokenPipe.into(), format!("{CLOSED} (broken pipe)")),
        (io::ErrorKind::UnexpectedEof.into(), format!("{CLOSED} (unexpected end of file)")),
    ];
    for (source, words) in rows {
        let message = shown(Failure::Tls { at: at(), source });
        assert_eq!(message, format!("TLS handshake with h:1 failed: {words}; see PORT, WAY"));
    }
}

/// The end in place of CONNACK: the error says what ended, and by which way.
#[test]
fn of_other_ends_behind_connect() {
    let broken = |kind: io::ErrorKind| shown(Failure::Broken { at: at(), source: kind.into() });
    let words = "h:1 did not answer CONNECT: the connection failed (timed out)";
    assert_eq!(broken(io::ErrorKind::TimedOut), words);
    for (route, spoken) in [
        (Route::Direct, "MQTT over TLS"),
        (Route::WebSocket { proxy: None }, "MQTT over WebSocket"),
        (Route::Plain, "MQTT without TLS"),
        (Route::Tcp, "MQTT without TLS"),
    ] {
        let tls = crate::hub::trust::trusting([]).unwrap();
        let (host, peers) = ("h".to_owned(), Peers::default());
        let endpoint = Endpoint { host, port: 1, route, tls, peers, names: &NAMES };
        let source = io::ErrorKind::ConnectionReset.into();
        let failure = Failure::unanswered(&endpoint, "d/m".to_owned(), 60, source);
        let message = ConnectError { failure, names: &NAMES }.to_string();
        let words = format!("without a word: it speaks no {spoken} at this port, or refuses");
        assert!(message.contains(&words), "{message}");
    }
}

#[test]
fn of_each_step_that_takes_too_long() {
    let rows = [
        (
            ConnectStep::Tunnel,
            "no way through the proxy from h:1 within 6s: the proxy is overloaded, or something \
             else is at its port; see PROXY",
        ),
        (
            ConnectStep::Tls,
            "no TLS handshake from h:1 within 6s: it takes no TLS at this port, or is overloaded; \
             see PORT, WAY",
        ),
        (
            ConnectStep::WebSocket,
            "no WebSocket handshake from h:1 within 6s: it takes no WebSocket at this port, or is \
             overloaded; see PORT, WAY",
        ),
        (
            ConnectStep::Connack,
            "no CONNACK from h:1 within 6s: it speaks no MQTT at this port, or not this way, or \
             is overloaded; see PORT, WAY",
        ),
    ];
    for (step, expected) in rows {
        assert_eq!(shown(Failure::Timeout { step, at: at() }), expected);
    }
}

/// Every code that refuses, those of MQTT 5 with the meaning that MQTT 3.1.1 has for it (MQTT 3.1.1
/// §3.2.2.3, MQTT 5 §3.2.2.2).
#[test]
fn of_every_code_of_connack() {
    for code in 1..=u8::MAX {
        let (meaning, end) = match code {
            1 | 0x84 => ("unacceptable protocol version", "; see HOST, PORT"),
            2 | 0x85 => ("identifier rejected", "; see CLIENT-ID, KEEP-ALIVE"),
            3 | 0x88 | 0x89 | 0x97 | 0x9f => ("server unavailable", "asked again)"),
            4 | 0x86 => ("bad user name or password", "; see IDENTITY"),
            5 | 0x87 | 0x8a | 0x8c => ("not authorized", "; see IDENTITY"),
            _ => ("no return code of MQTT 3.1.1", "; see HOST, PORT"),
        };
        // Those of MQTT 5 are known by their hexadecimal names.
        let number = if code >= 0x80 { format!("0x{code:02x}") } else { code.to_string() };
        let (client_id, keep_alive_s) = ("d/m".to_owned(), Some(60));
        let message =
            shown(Failure::Refused { at: at(), client_id, keep_alive_s, code, peer: Peer::Broker });
        let begin = format!("h:1 refused \"d/m\": CONNACK {number} ({meaning}: ");
        assert!(message.starts_with(&begin) && message.ends_with(end), "{message}");
    }
}

/// A library's own text may name pages, of either scheme: the error shows none, and the rest.
#[test]
fn of_addresses_nothing_is_left() {
    let rows = [
        ("odd", "odd"),
        ("see: https://docs.rs/x#y", "see"),
        ("see: http://docs.rs/x", "see"),
        ("bad (https://a.b/c), so", "bad (), so"),
        ("bad http://a.b/c; https://d.e then", "bad; then"),
        ("bad https://a.b/c http://d.e then", "bad then"),
        ("http://a.b, odd", ", odd"),
    ];
    for (text, expected) in rows {
        let message = shown(Failure::Broken { at: at(), source: io::Error::other(text) });
        let expected = format!("h:1 did not answer CONNECT: the connection failed ({expected})");
        assert_eq!(message, expected, "{text}");
    }
}
