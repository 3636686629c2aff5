use super::*;

mod certificates;
mod deadlines;
mod dial;
mod early;
mod flush;
mod greeting;
mod late;
mod lookup;
mod network;
mod sentences;
mod words;

/// What the peer answered decides how long is waited, and each failure is one of three answers.
#[test]
fn every_failure_is_classed_by_what_the_peer_answered() {
    use rustls::AlertDescription as Alert;
    let at = || At { host: "h".to_owned(), port: 1 };
    let io = |kind: io::ErrorKind| io::Error::from(kind);
    let alert = |alert| io::Error::other(rustls::Error::AlertReceived(alert));
    let dns = Failure::Dns { host: "h".to_owned(), source: io(io::ErrorKind::NotFound) };
    let tls = |source| Failure::Tls { at: at(), source };
    let broken = |source| Failure::Broken { at: at(), source };
    let refused = |code| {
        let client_id = "c".to_owned();
        Failure::Refused { at: at(), client_id, keep_alive_s: None, code, peer: Peer::Hub }
    };
    let proxy = "p:1".to_owned();
    let cases = [
        (dns, Answer::Nothing),
        (Failure::Tcp { at: at(), source: io(io::ErrorKind::TimedOut) }, Answer::Nothing),
        (Failure::ProxyAway { proxy, source: io(io::ErrorKind::TimedOut) }, Answer::Nothing),
        (Failure::Timeout { step: ConnectStep::Connack, at: at() }, Answer::Nothing),
        (Failure::Stranger { at: at(), what: Stranger::Tls, peer: Peer::Hub }, Answer::Refusal),
        (tls(io(io::ErrorKind::UnexpectedEof)), Answer::Nothing),
        (tls(alert(Alert::InternalError)), Answer::Refusal),
        (tls(alert(Alert::UnknownCA)), Answer::Identity),
        (broken(io(io::ErrorKind::InvalidData)), Answer::Nothing),
        (broken(alert(Alert::CertificateRequired)), Answer::Identity),
        (refused(1), Answer::Refusal),
        (refused(2), Answer::Identity),
        (refused(3), Answer::Refusal),
        (refused(4), Answer::Identity),
        (refused(5), Answer::Identity),
        (refused(6), Answer::Refusal),
        (refused(0x84), Answer::Refusal),
        (refused(0x86), Answer::Identity),
        (refused(0x87), Answer::Identity),
        (refused(0x88), Answer::Refusal),
    ];
    for (failure, expected) in cases {
        let error = ConnectError { failure, names: &Names::NONE };
        assert_eq!(error.answer(), expected, "{error}");
    }
}
