//! A security daemon that is dead, slow, or something else, while tokens are renewed and while the
//! module has to connect anew.

use std::time::Duration;

use test_support::daemon::{Daemon, Mood};
use test_support::peer::{Peer, Role, Stream};
use test_support::wait_until;

use crate::fault::Fault;
use crate::peer_way::PeerWay;
use crate::trial::Trial;

/// Renewed after 1.6 s.
const TOKEN_LIFETIME: &str = "2s";

pub(crate) fn faults() -> Vec<Fault> {
    let row = Fault::logging;
    vec![
        row(
            "peer/daemon-dead",
            "the security daemon is gone, hangs up, or says nothing",
            dead,
            &["cannot connect", "closed the connection without an answer", "no answer within"],
        ),
        row("peer/daemon-slow", "the security daemon answers 3 s late", slow, &["token renewed"]),
        row(
            "peer/daemon-garbage",
            "the security daemon says what is no HTTP, no JSON, no signature, or half an answer",
            garbage,
            &["no HTTP answer", "unusable signature"],
        ),
    ]
}

/// The daemon is so for a time, in which tokens are due. What is connected stays so; what is cut
/// comes back once the daemon is well.
fn moods(trial: &mut Trial, moods: &[Mood]) {
    let time = trial.either(Duration::from_secs(3), Duration::from_secs(30));
    trial.at_once(moods, |mood, trial| {
        let (daemon, peer) = (Daemon::start(), Peer::start(Role::Hub));
        let variables = daemon.variables();
        let mut variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.push(("SLUICEGATE_TOKEN_LIFETIME", TOKEN_LIFETIME));
        let way = PeerWay::before(peer, &variables);
        way.wait_until_subscribed();
        way.stream(Stream::default());
        let before = daemon.requests();
        wait_until("a token is renewed", || daemon.requests() > before);
        daemon.is(*mood);
        // The connection outlives it.
        std::thread::sleep(time);
        way.wait_until_full_rate();
        way.peer.cut();
        std::thread::sleep(time);
        daemon.is(Mood::Good);
        way.recover(trial);
        way.finish(trial);
    });
}

fn dead(trial: &mut Trial) {
    moods(trial, &[Mood::Gone, Mood::Close, Mood::Silent]);
}

fn slow(trial: &mut Trial) {
    moods(trial, &[Mood::Slow(Duration::from_secs(3))]);
}

fn garbage(trial: &mut Trial) {
    moods(
        trial,
        &[
            Mood::Says(b"220 smtp ready\r\n"),
            Mood::Says(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{]}["),
            Mood::Says(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"digest\":\"QQ==\"}"),
            Mood::Half,
        ],
    );
}
