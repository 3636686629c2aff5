//! A module whose only peer is one by script, and a stream through it.

use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use test_support::peer::{Peer, Role, Script, Stream};
use test_support::{Process, program, wait_until};

use crate::trial::Trial;

/// Both roles of a peer.
pub(crate) const BOTH: [Role; 2] = [Role::Hub, Role::Broker];
/// Messages a second, unless the row says otherwise.
const RATE: u32 = 500;
/// Full rate is back once no more than this is under way: what comes in 0.2 s.
const UNDER_WAY: usize = 100;

/// A peer and its module.
pub(crate) struct PeerWay {
    pub(crate) peer: Peer,
    pub(crate) module: Process,
    _folder: TempDir,
}

impl PeerWay {
    /// A module that has subscribed, and a stream through it.
    pub(crate) fn start(role: Role, variables: &[(&str, &str)]) -> Self {
        let way = Self::start_only(role, variables, |_| {});
        way.wait_until_subscribed();
        way.stream(Stream::default());
        way.wait_until_full_rate();
        way
    }

    /// The same where the peer has a fault from the beginning on; nobody is waited for.
    pub(crate) fn start_only(
        role: Role,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut Script),
    ) -> Self {
        let peer = Peer::start(role);
        peer.play(change);
        Self::before(peer, variables)
    }

    /// A module of this peer; nobody is waited for.
    pub(crate) fn before(peer: Peer, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (arguments, environment) = peer.settings();
        let mut command = Command::new(program("sluicegate"));
        command.env_clear().args(arguments).envs(environment);
        command.env("SLUICEGATE_REFUSED_DIR", folder.path()).envs(variables.iter().copied());
        let module = Process::spawn("sluicegate", &mut command);
        Self { peer, module, _folder: folder }
    }

    pub(crate) fn wait_until_subscribed(&self) {
        wait_until("the module has subscribed", || {
            assert!(self.module.is_running(), "the module ended before it subscribed");
            self.peer.is_subscribed()
        });
    }

    /// From now on messages come at the usual rate, and what `more` has.
    pub(crate) fn stream(&self, more: Stream) {
        self.peer.stream(Stream { messages_per_s: RATE, ..more });
    }

    /// Waits until what has come is acknowledged but for a moment's work.
    #[track_caller]
    pub(crate) fn wait_until_full_rate(&self) {
        wait_until("full rate is back", || self.peer.backlog() <= UNDER_WAY);
    }

    /// The peer has a fault until `is_over`; then full rate must be back in time.
    #[track_caller]
    pub(crate) fn fault(
        &self,
        trial: &mut Trial,
        change: impl FnOnce(&mut Script),
        is_over: impl FnOnce(&Self),
    ) {
        self.peer.play(change);
        is_over(self);
        self.recover(trial);
    }

    /// The peer does well again, and full rate must be back in time.
    #[track_caller]
    pub(crate) fn recover(&self, trial: &mut Trial) {
        assert!(self.module.is_running(), "the module has ended");
        self.peer.play_well();
        let end = Instant::now();
        // One that is not subscribed has no full rate, however little has come.
        wait_until("the module has subscribed again", || self.peer.takes_messages());
        self.wait_until_full_rate();
        trial.recovered(end.elapsed());
    }

    /// The same for a time.
    #[track_caller]
    pub(crate) fn fault_for(
        &self,
        trial: &mut Trial,
        time: Duration,
        change: impl FnOnce(&mut Script),
    ) {
        self.fault(trial, change, |_| std::thread::sleep(time));
    }

    /// Ends stream and module, and judges all that there was.
    #[track_caller]
    pub(crate) fn finish(mut self, trial: &mut Trial) {
        self.peer.stream(Stream::default());
        wait_until("every message is acknowledged", || self.peer.backlog() == 0);
        let tally = self.peer.tally();
        let count = |count: usize| u64::try_from(count).unwrap();
        trial.found.sent += count(tally.messages);
        trial.found.alerts += count(tally.alerts);
        trial.found.lost += count(tally.lost);
        trial.found.duplicates += count(tally.duplicates);
        tally.assert_kept();
        trial.observe_memory(self.module.id());
        self.module.signal("TERM");
        let status = self.module.wait_for_exit();
        trial.observe(&self.module);
        assert_eq!(status.code(), Some(0), "{status}");
    }
}
