//! Finds the publish that a peer answers by hanging up.
//!
//! It is too large for the peer, or the peer does not allow it. MQTT 3.1.1 has no other answer
//! (§3.3.5). Sent again and again it would keep back all the others. But a bad link hangs up too,
//! at any publish, and then none is to blame. So one end proves nothing: each step isolates the
//! publish further, and asks for more proof.
//!
//! ```text
//!  sent in order          a b c d e | hang-up, oldest without PUBACK: a
//!  again                  a b c d e | hang-up, the same oldest             2 ends: careful
//!  careful                ping ok, a | hang-up                             a alone, 1st end
//!                         ping ok, a | hang-up                             2nd end: a is a suspect
//!  others first           b c d e  ok ok ok ok
//!  trials, with nothing   ping ok, a | hang-up                             1
//!  else under way         f ok  ping ok, a | hang-up                       2
//!                         g ok  ping ok, a | hang-up                       3: parked
//!  from its file          ... at growing intervals ...                     10 over 2 min: refused
//! ```
//!
//! - In: what was sent and acknowledged, that the peer hung up, and the time. Out: how many
//!   publishes may leave, whether a PINGREQ is wanted, which publish to try now, and what a hang-up
//!   says.
//! - **Careful.** Two connections in a row ended with the same publish as their oldest without
//!   PUBACK. The next one begins with a PINGREQ, and behind its answer with this publish alone: the
//!   link has just carried something in both directions. [`ALONE_ENDS`] hang-ups in a row make it a
//!   *suspect*. A PUBACK for it ends the suspicion.
//! - **A suspect** goes behind all others. They must not wait for it, and their PUBACKs are what a
//!   trial is compared with.
//! - **A trial** sends the suspect while nothing else is under way, right behind an answered
//!   PINGREQ, and behind PUBACKs of others where there are any. Others wait at most [`TRIAL_WAIT`]
//!   for each half of it:
//!
//! ```text
//!  Draining ──► Pinging ──► Ready ──► Sent ──► PUBACK: it has arrived
//!     │            │                   │
//!     └─ too long ─┴─► later           └─ too long ──► Late: others go on, and it is no proof
//! ```
//!
//! - **Parked.** After [`PARK_TRIES`] trials that failed, the owner writes it to a file. Then its
//!   input can be acknowledged, and its source flows on. Trials go on from the file.
//! - **Certain.** A trial counts for good only behind PUBACKs of others on the same connection.
//!   After [`CERTAIN_TRIES`] such trials over [`CERTAIN_TIME`] the suspect is to blame: no fault of
//!   a link picks the same publish so often and spares all others.
//! - Bounded: [`SUSPECTS_MAX`] at a time.
//! - Pure. Where there is no suspicion it costs nothing but a look at two fields.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::outbound::dead_letters::FileName;
pub(super) use suspect::{Fingerprint, KeptIn, Suspect, Work};

mod suspect;

/// Connections in a row that ended on the same publish alone, until it is a suspect.
pub(super) const ALONE_ENDS: u32 = 2;
/// Trials of a suspect at once, after which it is parked.
pub(super) const PARK_TRIES: u32 = 3;
/// Trials that count, and the time between the first and the last, until a suspect is to blame.
pub(super) const CERTAIN_TRIES: u32 = 10;
/// See [`CERTAIN_TRIES`].
pub(super) const CERTAIN_TIME: Duration = Duration::from_secs(120);
/// Suspects at a time: more than there are files for.
pub(super) const SUSPECTS_MAX: usize = 1024;
/// From a trial of a parked suspect that ended a connection to the next trial of any.
const TRIAL_INTERVAL: Duration = Duration::from_secs(5);
/// Longest interval between the trials of one suspect at first, and after [`CERTAIN_TRIES`] of
/// them.
const INTERVAL_MAX: Duration = Duration::from_secs(30);
/// See [`INTERVAL_MAX`].
const LATE_INTERVAL_MAX: Duration = Duration::from_secs(3600);
/// Intervals more that a trial waits for PUBACKs of others before it.
const PATIENCE: u32 = 4;
/// How long others may wait for each half of a trial: until it is sent, and for its PUBACK.
const TRIAL_WAIT: Duration = Duration::from_secs(5);
/// How long an answer to the PINGREQ at the start of a careful connection is waited for.
const PING_WAIT: Duration = Duration::from_secs(5);

/// What a hang-up says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nothing.
    Nobody,
    /// The publish that was sent alone is the likely cause.
    Alone,
    /// It was the last of [`ALONE_ENDS`] times: the publish under this id is to be a suspect.
    NewSuspect(u16),
    /// A trial of the suspect of this number has failed.
    Trial(usize),
}

/// How the connection is used at the moment, but for the suspects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    /// Publishes sent on this connection and without PUBACK.
    pub(super) under_way: usize,
    /// PUBACKs on this connection.
    pub(super) acknowledged: usize,
    /// Publishes of earlier connections are still to be sent.
    pub(super) has_old: bool,
    /// New alerts wait to be sent.
    pub(super) has_new: bool,
}

#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// The oldest publish without PUBACK at the end of the last connection, and of how many in a
    /// row.
    oldest: Option<(u16, u32)>,
    /// This connection begins with one publish alone.
    is_careful: bool,
    /// The publish on which, sent alone, the peer hung up so many times in a row.
    alone: Option<(u16, u32)>,
    suspects: Vec<Suspect>,
    /// The packet ids of the suspects in the table: there may be tens of thousands.
    in_table: HashSet<u16>,
    /// No parked suspect is tried before.
    next_trial: Option<Instant>,
    here: Here,
}

/// What is said of this connection.
#[derive(Debug, Default)]
struct Here {
    ping: Ping,
    /// Sent alone behind the answered PINGREQ, without PUBACK yet.
    alone: Option<u16>,
    trial: Option<Trial>,
    /// PUBACKs before the last trial that went well: others come in between.
    acknowledged_before: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Ping {
    #[default]
    None,
    Asked(Instant),
    Answered,
    /// No answer in time: what is sent goes without, and nobody is to blame.
    Unanswered,
}

#[derive(Debug)]
struct Trial {
    suspect: usize,
    step: TrialStep,
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrialStep {
    /// Until nothing else is under way.
    Draining,
    Pinging,
    /// To be sent now.
    Ready,
    /// Without PUBACK yet.
    Sent(u16),
    /// Without PUBACK for so long that others are sent again; the last trial on this connection.
    Late(u16),
}

impl Suspicion {
    /// Whether there is none.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_careful && self.suspects.is_empty()
    }

    /// Whether this connection begins with one publish alone.
    pub(super) fn is_careful(&self) -> bool {
        self.is_careful
    }

    /// A new connection, with so many publishes to send again, suspects left aside.
    pub(super) fn reconnected(&mut self, waiting: usize) {
        self.here = Here::default();
        self.is_careful &= waiting > 0;
    }

    /// Looks at the clock, and begins a trial where a suspect's time has come and `may_try`.
    /// Whether a PINGREQ is to be sent now.
    pub(super) fn prepare(&mut self, now: Instant, at: Use, may_try: bool) -> bool {
        if self.is_careful {
            match self.here.ping {
                Ping::None => {
                    self.here.ping = Ping::Asked(now);
                    return true;
                }
                Ping::Asked(since) if now - since >= PING_WAIT => self.here.ping = Ping::Unanswered,
                _ => {}
            }
        }
        if self.here.trial.is_none() && may_try {
            self.here.trial = self.begin(now, at);
        }
        let Some(trial) = &mut self.here.trial else { return false };
        let is_over = now >= trial.until;
        match trial.step {
            TrialStep::Draining | TrialStep::Pinging if is_over || !may_try => {
                // Later: it is in nobody's way meanwhile.
                self.suspects[trial.suspect].due = now + TRIAL_INTERVAL;
                self.here.trial = None;
            }
            TrialStep::Draining if at.under_way == 0 => {
                trial.step = TrialStep::Pinging;
                return true;
            }
            TrialStep::Ready => trial.until = now + TRIAL_WAIT,
            TrialStep::Sent(id) if is_over => trial.step = TrialStep::Late(id),
            _ => {}
        }
        false
    }

    /// The trial that may begin now: behind other publishes where there are any, and one trial of
    /// parked suspects after the other. What is not parked yet does not wait until all older
    /// publishes were sent: in a stream of bad ones there would always be some.
    fn begin(&self, now: Instant, at: Use) -> Option<Trial> {
        let is_behind_others = at.acknowledged > self.here.acknowledged_before;
        let is_idle = at.under_way == 0 && !at.has_new && !at.has_old;
        if self.suspects.is_empty() || !(is_behind_others || is_idle) {
            return None;
        }
        let may_parked = self.next_trial.is_none_or(|next| now >= next);
        let is_due = |suspect: &Suspect| {
            // A trial without others does not count: they are waited for, but not for ever.
            let patience = if is_behind_others { 0 } else { PATIENCE };
            suspect.due + patience * suspect.interval() <= now
                && (may_parked || !suspect.is_to_be_parked())
                && (!at.has_old || matches!(suspect.front(), Some(KeptIn::Table(_))))
                && suspect.work != Work::Refuse
        };
        let due = self.suspects.iter().enumerate().filter(|(_, suspect)| is_due(suspect));
        let (suspect, _) = due.min_by_key(|(_, suspect)| suspect.due)?;
        Some(Trial { suspect, step: TrialStep::Draining, until: now + TRIAL_WAIT })
    }

    /// The peer has answered a PINGREQ on this connection.
    pub(super) fn answered(&mut self) {
        if let Ping::Asked(_) = self.here.ping {
            self.here.ping = Ping::Answered;
        }
        if let Some(trial) = &mut self.here.trial
            && trial.step == TrialStep::Pinging
        {
            trial.step = TrialStep::Ready;
        }
    }

    /// Whether others than the suspects may be sent now.
    pub(super) fn may_send(&self) -> bool {
        let is_asking = self.is_careful && matches!(self.here.ping, Ping::None | Ping::Asked(_));
        let is_trying = |trial: &Trial| !matches!(trial.step, TrialStep::Late(_));
        !is_asking && !self.here.trial.as_ref().is_some_and(is_trying)
    }

    /// A publish was sent as the only one on this connection so far.
    pub(super) fn sent_alone(&mut self, id: u16) {
        if self.here.ping == Ping::Answered {
            self.here.alone = Some(id);
        }
    }

    /// The suspect to send now.
    pub(super) fn to_try(&self) -> Option<&KeptIn> {
        let trial = self.here.trial.as_ref().filter(|trial| trial.step == TrialStep::Ready)?;
        self.suspects[trial.suspect].places.front()
    }

    /// It was sent under this id.
    pub(super) fn tried(&mut self, id: u16) {
        if let Some(trial) = &mut self.here.trial {
            trial.step = TrialStep::Sent(id);
        }
    }

    /// It cannot be sent now.
    pub(super) fn postpone(&mut self) {
        self.here.trial = None;
    }

    /// The alert on trial is not kept any more.
    pub(super) fn forget_trial(&mut self) {
        if let Some(trial) = self.here.trial.take() {
            self.forget_place(trial.suspect);
        }
    }

    /// The packet id of the suspect that is under way.
    pub(super) fn under_way(&self) -> Option<u16> {
        match self.here.trial.as_ref()?.step {
            TrialStep::Sent(id) | TrialStep::Late(id) => Some(id),
            _ => None,
        }
    }

    /// A PUBACK came, with which there were so many. Gives the place of a suspect that has arrived.
    pub(super) fn acknowledged(&mut self, id: u16, acknowledged: usize) -> Option<KeptIn> {
        if self.here.alone == Some(id) {
            self.here.alone = None;
        }
        self.alone.take_if(|(suspect, _)| *suspect == id);
        if self.under_way() != Some(id) {
            return None;
        }
        self.here.acknowledged_before = acknowledged;
        let trial = self.here.trial.take()?;
        self.suspects[trial.suspect].certain = None;
        self.forget_place(trial.suspect)
    }

    fn forget_place(&mut self, suspect: usize) -> Option<KeptIn> {
        let place = self.pop(suspect);
        if self.suspects[suspect].places.is_empty() {
            self.give_up(suspect);
        }
        place
    }

    /// The peer hung up after so many PUBACKs. `oldest` is the oldest publish that was sent on the
    /// connection and has none, suspects left aside.
    pub(super) fn hung_up(
        &mut self,
        now: Instant,
        acknowledged: usize,
        oldest: Option<u16>,
    ) -> Blame {
        let here = std::mem::take(&mut self.here);
        if let Some(Trial {
            suspect, step: step @ (TrialStep::Sent(_) | TrialStep::Late(_)), ..
        }) = here.trial
        {
            let counts = acknowledged > 0 && matches!(step, TrialStep::Sent(_));
            self.failed(suspect, now, counts);
            return Blame::Trial(suspect);
        }
        if let Some(id) = here.alone {
            let before = self.alone.take_if(|(alone, _)| *alone == id);
            let ends = before.map_or(0, |(_, ends)| ends) + 1;
            if ends >= ALONE_ENDS && self.suspects.len() < SUSPECTS_MAX {
                return Blame::NewSuspect(id);
            }
            self.alone = Some((id, ends));
            return Blame::Alone;
        }
        let Some(id) = oldest else { return Blame::Nobody };
        let before = self.oldest.filter(|(oldest, _)| *oldest == id);
        let ends = before.map_or(0, |(_, ends)| ends).saturating_add(1);
        self.oldest = Some((id, ends));
        self.is_careful = ends >= 2 || (self.is_careful && acknowledged < super::RESENT_AT_ONCE);
        Blame::Nobody
    }

    fn failed(&mut self, suspect: usize, now: Instant, counts: bool) {
        let suspect = &mut self.suspects[suspect];
        suspect.tries = suspect.tries.saturating_add(1);
        if counts {
            let (tries, since) = suspect.certain.unwrap_or((0, now));
            suspect.certain = Some((tries.saturating_add(1), since));
        }
        suspect.due = now + suspect.interval();
        if suspect.is_to_be_parked() {
            self.next_trial = Some(now + TRIAL_INTERVAL);
        }
    }

    /// Makes publishes suspects, to be tried at once.
    pub(super) fn suspect(&mut self, mark: Fingerprint, places: VecDeque<KeptIn>, now: Instant) {
        let suspect = self.suspects.len();
        let none = VecDeque::with_capacity(places.len());
        let (tries, certain, work) = (0, None, Work::None);
        self.suspects.push(Suspect { mark, places: none, tries, certain, due: now, work });
        places.into_iter().for_each(|place| self.add(suspect, place));
    }

    /// Takes in a suspect that was parked by an earlier run.
    pub(super) fn resume(&mut self, mark: Fingerprint, place: KeptIn, now: Instant) {
        match self.find(mark) {
            Some(suspect) => self.add(suspect, place),
            None => {
                self.suspect(mark, VecDeque::from([place]), now);
                self.suspects.last_mut().expect("it was pushed").tries = PARK_TRIES;
            }
        }
    }

    /// One more is like this suspect.
    pub(super) fn add(&mut self, suspect: usize, place: KeptIn) {
        if let KeptIn::Table(id) = place {
            self.in_table.insert(id);
        }
        self.suspects[suspect].places.push_back(place);
    }

    /// What was in the table is in a file now.
    pub(super) fn parked(&mut self, suspect: usize, index: usize, name: FileName) {
        if let KeptIn::Table(id) =
            std::mem::replace(&mut self.suspects[suspect].places[index], KeptIn::File(name))
        {
            self.in_table.remove(&id);
        }
    }

    /// Forgets the first place of a suspect.
    pub(super) fn pop(&mut self, suspect: usize) -> Option<KeptIn> {
        let place = self.suspects[suspect].places.pop_front();
        if let Some(KeptIn::Table(id)) = &place {
            self.in_table.remove(id);
        }
        place
    }

    /// A suspect with something to do in each turn.
    pub(super) fn with_work(&self) -> Option<usize> {
        self.suspects.iter().position(|suspect| suspect.work != Work::None)
    }

    /// The number of the suspect that such a publish belongs to.
    pub(super) fn find(&self, mark: Fingerprint) -> Option<usize> {
        let is_it = |suspect: &Suspect| suspect.mark == mark && suspect.work != Work::Refuse;
        self.suspects.iter().position(is_it)
    }

    /// Whether a body of this length may belong to a suspect.
    pub(super) fn may_know(&self, body_bytes: usize) -> bool {
        self.suspects.iter().any(|suspect| suspect.mark.body_bytes == body_bytes)
    }

    /// The suspect of this number.
    pub(super) fn get(&mut self, suspect: usize) -> &mut Suspect {
        &mut self.suspects[suspect]
    }

    /// Forgets the suspect of this number, of which nothing is left. The last one gets its number.
    pub(super) fn give_up(&mut self, suspect: usize) {
        self.suspects.swap_remove(suspect);
        let last = self.suspects.len();
        if let Some(trial) = self.here.trial.as_mut().filter(|trial| trial.suspect == last) {
            trial.suspect = suspect;
        }
    }

    /// Whether the publish under this id is a suspect.
    pub(super) fn is_suspect(&self, id: u16) -> bool {
        self.in_table.contains(&id)
    }

    /// Suspects in the table.
    pub(super) fn in_table(&self) -> usize {
        self.in_table.len()
    }

    /// Suspects in files.
    pub(super) fn in_files(&self) -> usize {
        let places = self.suspects.iter().map(|suspect| suspect.places.len());
        places.sum::<usize>() - self.in_table.len()
    }
}

#[cfg(test)]
mod tests;
