//! What becomes of the publishes that the peer answers by hanging up: they are tried alone, parked
//! in files so that their inputs can be settled, tried again from there, and at last given up,
//! kept.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Instant;

use tracing::{error, info};

use super::suspicion::{Blame, Fingerprint, KeptIn, Work};
use super::{HungUp, Outbound, Unacknowledged, outgoing};
use crate::host::logging::excerpt;
use crate::mqtt::session;
use crate::mqtt::{ByteStream, Connection, ConnectionError};
use crate::outbound::dead_letters::{DeadLetters, FileName, Problem};
use crate::outbound::naming::Naming;
use crate::pipeline::Pipeline;
use crate::pipeline::message::Alert;

/// Files written or moved in one turn, and as many at a hang-up: each waits for the disk, and
/// others wait for it.
pub(super) const FILES_AT_ONCE: usize = 8;
/// Why an alert is parked.
const PARKED: &str = "the receiver hung up each time when it got this alone; it is tried again";
/// Why it is given up.
const GIVEN_UP: &str = "the receiver hung up each time when it got this alone, behind others that \
                        it acknowledged and a ping that it answered; it is not tried any more";
/// What to do about it, in every line.
const ADVICE: &str = "let the receiver take larger packets, or allow this topic";

impl<N: Naming> Outbound<N> {
    /// Parks in `dead_letters`, and takes up what an earlier run has parked there.
    pub fn park_in(&mut self, dead_letters: DeadLetters, now: Instant) {
        for (name, head, body) in dead_letters.pending() {
            self.suspicion.resume(Fingerprint::of(&head.topic, &body), KeptIn::File(name), now);
        }
        self.dead_letters = Some(dead_letters);
    }

    /// The peer hung up, or never answered a publish; not when the link is known to be dead. Parks
    /// and gives up the alerts whose trials are over, which takes as long as the disk does.
    pub fn hung_up(&mut self, now: Instant, pipeline: &mut Pipeline) -> HungUp {
        let oldest = self.oldest_under_way();
        let blame = self.suspicion.hung_up(now, self.acknowledged, oldest);
        self.end_trial();
        match blame {
            Blame::Nobody => HungUp::default(),
            Blame::Alone => HungUp { is_explained: true, ..HungUp::default() },
            Blame::NewSuspect(id) => {
                self.new_suspect(id, now);
                HungUp { is_explained: true, ..HungUp::default() }
            }
            Blame::Trial(suspect) => self.trial_failed(suspect, now, pipeline),
        }
    }

    /// A parked alert that was under way is in its file.
    pub(super) fn end_trial(&mut self) {
        if let Some(id) = self.parked_under_way.take() {
            self.inflight.complete(id);
        }
    }

    /// The oldest publish that was sent on this connection and has no PUBACK, but for suspects.
    fn oldest_under_way(&self) -> Option<u16> {
        if self.is_watched {
            return self.sent_here.front().copied();
        }
        self.inflight.ids().next()
    }

    /// All publishes of the same bytes go last from now on.
    fn new_suspect(&mut self, id: u16, now: Instant) {
        let Some(mark) = self.mark(id) else { return };
        let bytes = self.inflight.get(id).map(Unacknowledged::body_bytes);
        let others = self.inflight.ids().filter(|other| *other != id);
        let alike: Vec<u16> = others
            .filter(|other| self.inflight.get(*other).map(Unacknowledged::body_bytes) == bytes)
            .collect();
        let copies = alike.into_iter().filter(|other| self.mark(*other) == Some(mark));
        let mut places = VecDeque::from([KeptIn::Table(id)]);
        places.extend(copies.collect::<Vec<_>>().into_iter().map(KeptIn::Table));
        self.suspicion.suspect(mark, places, now);
        self.aside = self.suspicion.in_table();
    }

    fn mark(&mut self, id: u16) -> Option<Fingerprint> {
        match self.inflight.get(id)? {
            Unacknowledged::Alert(alert) => {
                Some(Fingerprint::of(self.naming.topic(alert).ok()?, alert.body()))
            }
            Unacknowledged::Report(report) => Some(Fingerprint::of(&report.topic, &report.body)),
            Unacknowledged::Parked => None,
        }
    }

    /// A PUBACK came while there are suspicions.
    pub(super) fn suspect_acknowledged(&mut self, id: u16) {
        let Some(place) = self.suspicion.acknowledged(id, self.acknowledged + 1) else { return };
        self.parked_under_way = None;
        self.aside = self.suspicion.in_table();
        if let (KeptIn::File(name), Some(dead_letters)) = (place, &mut self.dead_letters) {
            dead_letters.delivered(&name);
            info!("an alert that was kept aside has arrived");
        }
    }

    /// Sends the suspect whose turn it is, alone.
    pub(super) fn try_suspect<S: ByteStream>(
        &mut self,
        connection: &mut Connection<S>,
        pipeline: &mut Pipeline,
    ) -> Result<(), ConnectionError> {
        let name = match self.suspicion.to_try() {
            None => return Ok(()),
            Some(KeptIn::Table(id)) => {
                let id = *id;
                self.send_again(id, connection, pipeline)?;
                self.suspicion.tried(id);
                return Ok(());
            }
            Some(KeptIn::File(name)) => name,
        };
        let Some(dead_letters) = &self.dead_letters else { return Ok(()) };
        match dead_letters.read(name) {
            Ok((head, body)) if self.inflight.room() > 1 => {
                let id = self.inflight.next_id();
                connection.publish(outgoing(&head.topic, id, &body))?;
                self.inflight.push(Unacknowledged::Parked).expect("there is room");
                self.parked_under_way = Some(id);
                self.suspicion.tried(id);
            }
            Ok(_) => self.suspicion.postpone(),
            Err(error) => {
                let path = dead_letters.pending_path(name);
                if error.kind() != ErrorKind::NotFound {
                    error!("{} is not tried again before a restart: {error}", path.display());
                }
                self.suspicion.forget_trial();
            }
        }
        Ok(())
    }

    /// The suspect that has the topic and the body of this alert.
    #[cold]
    pub(super) fn suspect_like(&mut self, alert: &Alert) -> Option<usize> {
        if !self.suspicion.may_know(alert.body().len()) {
            return None;
        }
        let topic = self.naming.topic(alert).ok()?;
        self.suspicion.find(Fingerprint::of(topic, alert.body()))
    }

    /// A new alert is like a suspect: it shares its fate, and is not sent. Where the suspect is
    /// parked it is parked at once, which settles its input.
    #[cold]
    pub(super) fn keep_copy(&mut self, suspect: usize, alert: Alert, pipeline: &mut Pipeline) {
        let known = self.suspicion.get(suspect);
        let kept = if !known.is_to_be_parked() {
            Ok(None)
        } else if self.files_left == 0 || known.work == Work::Park {
            known.work = Work::Park;
            Ok(None)
        } else {
            self.files_left -= 1;
            park(self.dead_letters.as_mut(), &mut self.naming, &alert).map(Some)
        };
        let lines = self.copy_lines.allow(session::now(), 1);
        let place = match kept {
            Ok(Some(name)) => {
                pipeline.parked(&alert);
                if let Some(suppressed) = lines {
                    error!(
                        "an alert like one that the receiver hung up on is kept beside it (and \
                         {suppressed} more)"
                    );
                }
                KeptIn::File(name)
            }
            other => {
                if other.is_err() {
                    self.files_left = 0;
                }
                if let (Err(problem), Some(suppressed)) = (other, lines) {
                    error!(
                        "an alert like one that the receiver hung up on holds up its source: \
                         {problem} (and {suppressed} more)"
                    );
                }
                self.aside += 1;
                KeptIn::Table(
                    self.inflight.push(Unacknowledged::Alert(alert)).expect("there is room"),
                )
            }
        };
        self.suspicion.add(suspect, place);
    }

    /// The peer hung up on a suspect, or never answered it, when it was sent alone.
    fn trial_failed(&mut self, suspect: usize, now: Instant, pipeline: &mut Pipeline) -> HungUp {
        let mut outcome = HungUp { is_explained: true, ..HungUp::default() };
        let mut problem = None;
        if self.suspicion.get(suspect).is_to_be_parked() {
            self.files_left = FILES_AT_ONCE;
            match self.park_some(suspect, pipeline) {
                Ok(settled) => outcome.has_settled = settled > 0,
                Err(why) => problem = Some(why),
            }
        }
        let is_to_blame = self.suspicion.get(suspect).is_to_blame(now);
        let what = self.described(suspect);
        let (tries, interval) = {
            let suspect = self.suspicion.get(suspect);
            (suspect.tries, suspect.interval())
        };
        let is_whole = self.suspicion.get(suspect).work == Work::None;
        let refused = if is_to_blame && is_whole {
            self.files_left = FILES_AT_ONCE;
            self.refuse_some(suspect, pipeline)
        } else {
            Ok(None)
        };
        let state = match refused {
            Ok(Some(Refused::Kept(path))) => {
                format!("it is given up, and kept in {}", path.display())
            }
            Ok(Some(Refused::Report)) => {
                outcome.is_report_refused = true;
                "it is given up".to_owned()
            }
            Ok(None) => match problem {
                Some(problem) => format!(
                    "it stays in memory, where it holds up its source, and is tried again in \
                     {interval:?}: {problem}"
                ),
                None if interval.is_zero() => "it is tried again behind all others".to_owned(),
                None => format!("{} and is tried again in {interval:?}", self.whereabouts(suspect)),
            },
            Err(problem) => format!("it would be given up, but {problem}"),
        };
        error!("the receiver hung up {tries} time(s) on {what}, sent alone: {state}; {ADVICE}");
        outcome
    }

    fn whereabouts(&mut self, suspect: usize) -> String {
        match (self.suspicion.get(suspect).front(), &self.dead_letters) {
            (Some(KeptIn::File(name)), Some(dead_letters)) => {
                format!("it is kept in {}", dead_letters.pending_path(name).display())
            }
            _ => "it stays behind all others".to_owned(),
        }
    }

    fn described(&mut self, suspect: usize) -> String {
        let (what, topic, bytes) = match self.suspicion.get(suspect).front() {
            Some(KeptIn::Table(id)) => match self.inflight.get(*id) {
                Some(Unacknowledged::Alert(alert)) => {
                    let topic = self.naming.topic(alert).unwrap_or_default().to_owned();
                    ("an alert", topic, alert.body().len())
                }
                Some(Unacknowledged::Report(report)) => {
                    ("a report", report.topic.clone(), report.body.len())
                }
                _ => return "a publish".to_owned(),
            },
            Some(KeptIn::File(name)) => {
                match self.dead_letters.as_ref().map(|letters| letters.read(name)) {
                    Some(Ok((head, body))) => ("an alert", head.topic, body.len()),
                    _ => return "an alert".to_owned(),
                }
            }
            None => return "a publish".to_owned(),
        };
        format!("{what} (topic \"{}\", body of {bytes} bytes)", excerpt(topic.as_bytes()))
    }

    /// Goes on with what was too much for one turn.
    pub(super) fn work_on_files(&mut self, pipeline: &mut Pipeline) {
        while self.files_left > 0
            && let Some(suspect) = self.suspicion.with_work()
        {
            let outcome = match self.suspicion.get(suspect).work {
                Work::Park => self.park_some(suspect, pipeline).map(|_| ()),
                Work::Refuse | Work::None => self.refuse_some(suspect, pipeline).map(|_| ()),
            };
            if let Err(problem) = outcome {
                if let Some(suppressed) = self.copy_lines.allow(session::now(), 1) {
                    error!(
                        "alerts that the receiver hung up on stay where they are until the next \
                         try: {problem} (and {suppressed} more)"
                    );
                }
                return;
            }
        }
    }

    /// Parks alerts of a suspect that are not yet, as many as this turn may, and settles their
    /// inputs. Gives their number. The others follow in the next turns, unless there is a problem:
    /// they wait for the next trial then.
    fn park_some(&mut self, suspect: usize, pipeline: &mut Pipeline) -> Result<usize, Problem> {
        let mut settled = 0;
        let ids = self.suspicion.get(suspect).in_table(self.files_left + 1);
        self.suspicion.get(suspect).work = Work::None;
        for (index, id) in ids {
            // Its PUBACK may come yet.
            if self.suspicion.under_way() == Some(id) {
                continue;
            }
            let Some(Unacknowledged::Alert(alert)) = self.inflight.get(id) else { continue };
            if self.files_left == 0 {
                self.suspicion.get(suspect).work = Work::Park;
                break;
            }
            self.files_left -= 1;
            let name = match park(self.dead_letters.as_mut(), &mut self.naming, alert) {
                Ok(name) => name,
                Err(problem) => {
                    self.files_left = 0;
                    return Err(problem);
                }
            };
            pipeline.parked(alert);
            self.suspicion.parked(suspect, index, name);
            self.inflight.complete(id);
            settled += 1;
            self.aside = self.suspicion.in_table();
        }
        Ok(settled)
    }

    /// Gives a suspect up, all that is alike, as much as this turn may: what is in files is kept
    /// there. The others follow in the next turns. What could not be parked stays.
    fn refuse_some(
        &mut self,
        suspect: usize,
        pipeline: &mut Pipeline,
    ) -> Result<Option<Refused>, Problem> {
        let mut refused = None;
        self.suspicion.get(suspect).work = Work::None;
        while let Some(place) = self.suspicion.get(suspect).front().cloned() {
            if self.files_left == 0 {
                self.suspicion.get(suspect).work = Work::Refuse;
                return Ok(refused);
            }
            refused = match (place, &self.dead_letters) {
                (KeptIn::File(name), Some(dead_letters)) => {
                    self.files_left -= 1;
                    let path = dead_letters.refuse(&name, GIVEN_UP)?;
                    pipeline.counters.refused += 1;
                    Some(Refused::Kept(path))
                }
                (KeptIn::Table(id), _) => {
                    if !matches!(self.inflight.get(id), Some(Unacknowledged::Report(_))) {
                        return Ok(refused);
                    }
                    self.inflight.complete(id);
                    Some(Refused::Report)
                }
                (KeptIn::File(_), None) => return Ok(refused),
            };
            self.suspicion.pop(suspect);
            self.aside = self.suspicion.in_table();
        }
        self.suspicion.give_up(suspect);
        Ok(refused)
    }
}

/// What was given up last.
enum Refused {
    Kept(PathBuf),
    Report,
}

fn park(
    dead_letters: Option<&mut DeadLetters>,
    naming: &mut impl Naming,
    alert: &Alert,
) -> Result<FileName, Problem> {
    let dead_letters = dead_letters.ok_or(Problem::NoFolder)?;
    // It was sent by this topic before.
    let topic = naming.topic(alert).unwrap_or_default().to_owned();
    let properties = naming.properties(&topic);
    dead_letters.park(&topic, properties, PARKED, alert.body())
}
