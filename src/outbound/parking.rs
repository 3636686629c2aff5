//! What becomes of the publishes that the peer answers by hanging up: they are tried alone, parked in
//! files so that their inputs can be settled, tried again from there, and at last given up, kept.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::mem;
use std::path::PathBuf;
use std::time::Instant;

use tracing::{error, info};

use super::suspicion::{Blame, Mark, Place};
use super::{HungUp, Outbound, Sent, outgoing};
use crate::dead_letters::{DeadLetters, Name, Problem};
use crate::forward::Naming;
use crate::logging::excerpt;
use crate::message::Alert;
use crate::mqtt::{ByteStream, Connection, ConnectionError};
use crate::pipeline::Pipeline;

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
            self.suspicion.resume(Mark::of(&head.topic, &body), Place::File(name), now);
        }
        self.dead_letters = Some(dead_letters);
    }

    /// The peer hung up, or never answered a publish; not when the link is known to be dead. Parks
    /// and gives up what is due for it, which takes as long as the disk does.
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
        let is_other = |id: &u16| {
            Some(*id) != self.parked_under_way
                && (self.aside == 0 || !self.suspicion.is_suspect(*id))
        };
        let oldest = self.inflight.ids().find(is_other)?;
        (self.resend.front() != Some(&oldest)).then_some(oldest)
    }

    /// All publishes of the same bytes go last from now on.
    fn new_suspect(&mut self, id: u16, now: Instant) {
        let Some(mark) = self.mark(id) else { return };
        let bytes = self.inflight.get(id).map(Sent::body_bytes);
        let others = self.inflight.ids().filter(|other| *other != id);
        let alike: Vec<u16> = others
            .filter(|other| self.inflight.get(*other).map(Sent::body_bytes) == bytes)
            .collect();
        let copies = alike.into_iter().filter(|other| self.mark(*other) == Some(mark));
        let mut places = VecDeque::from([Place::Table(id)]);
        places.extend(copies.collect::<Vec<_>>().into_iter().map(Place::Table));
        self.suspicion.suspect(mark, places, now);
        self.aside = self.suspicion.in_table().count();
    }

    fn mark(&mut self, id: u16) -> Option<Mark> {
        match self.inflight.get(id)? {
            Sent::Alert(alert) => Some(Mark::of(self.naming.topic(alert).ok()?, alert.body())),
            Sent::Report { topic, body } => Some(Mark::of(topic, body)),
            Sent::Parked => None,
        }
    }

    /// A PUBACK came while there are suspicions.
    pub(super) fn suspect_acknowledged(&mut self, id: u16) {
        let Some(place) = self.suspicion.acknowledged(id, self.acknowledged + 1) else { return };
        self.parked_under_way = None;
        self.aside = self.suspicion.in_table().count();
        if let (Place::File(name), Some(dead_letters)) = (place, &mut self.dead_letters) {
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
            Some(Place::Table(id)) => {
                let id = *id;
                self.send_again(id, connection, pipeline)?;
                self.suspicion.tried(id);
                return Ok(());
            }
            Some(Place::File(name)) => name,
        };
        let Some(dead_letters) = &self.dead_letters else { return Ok(()) };
        match dead_letters.read(name) {
            Ok((head, body)) if self.inflight.room() > 1 => {
                let id = self.inflight.next_id();
                connection.publish(outgoing(&head.topic, id, &body))?;
                self.inflight.push(Sent::Parked).expect("there is room");
                self.parked_under_way = Some(id);
                self.suspicion.tried(id);
            }
            Ok(_) => self.suspicion.postpone(),
            Err(error) => {
                let path = dead_letters.pending_path(name);
                if error.kind() != ErrorKind::NotFound {
                    error!("{} is not tried again before a restart: {error}", path.display());
                }
                self.suspicion.gone();
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
        self.suspicion.find(Mark::of(topic, alert.body()))
    }

    /// A new alert is like a suspect: it shares its fate, and is not sent. Where the suspect is
    /// parked it is parked at once, which settles its input.
    #[cold]
    pub(super) fn keep_copy(&mut self, suspect: usize, alert: Alert, pipeline: &mut Pipeline) {
        let kept = if self.suspicion.get(suspect).is_to_be_parked() {
            park(self.dead_letters.as_mut(), &mut self.naming, &alert).map(Some)
        } else {
            Ok(None)
        };
        let lines = self.copy_lines.allow(Instant::now(), 1);
        let place = match kept {
            Ok(Some(name)) => {
                pipeline.parked(&alert);
                if let Some(suppressed) = lines {
                    error!(
                        "an alert like one that the receiver hung up on is kept beside it (and \
                         {suppressed} more)"
                    );
                }
                Place::File(name)
            }
            other => {
                if let (Err(problem), Some(suppressed)) = (other, lines) {
                    error!(
                        "an alert like one that the receiver hung up on holds up its source: \
                         {problem} (and {suppressed} more)"
                    );
                }
                self.aside += 1;
                Place::Table(self.inflight.push(Sent::Alert(alert)).expect("there is room"))
            }
        };
        self.suspicion.get(suspect).places.push_back(place);
    }

    /// The peer hung up on a suspect, or never answered it, when it was sent alone.
    fn trial_failed(&mut self, suspect: usize, now: Instant, pipeline: &mut Pipeline) -> HungUp {
        let mut outcome = HungUp { is_explained: true, ..HungUp::default() };
        let mut problem = None;
        if self.suspicion.get(suspect).is_to_be_parked() {
            match self.park_all(suspect, pipeline) {
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
        let refused = if is_to_blame { self.refuse(suspect, pipeline) } else { Ok(None) };
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
        match (self.suspicion.get(suspect).places.front(), &self.dead_letters) {
            (Some(Place::File(name)), Some(dead_letters)) => {
                format!("it is kept in {}", dead_letters.pending_path(name).display())
            }
            _ => "it stays behind all others".to_owned(),
        }
    }

    fn described(&mut self, suspect: usize) -> String {
        let (what, topic, bytes) = match self.suspicion.get(suspect).places.front() {
            Some(Place::Table(id)) => match self.inflight.get(*id) {
                Some(Sent::Alert(alert)) => {
                    let topic = self.naming.topic(alert).unwrap_or_default().to_owned();
                    ("an alert", topic, alert.body().len())
                }
                Some(Sent::Report { topic, body }) => ("a report", topic.clone(), body.len()),
                _ => return "a publish".to_owned(),
            },
            Some(Place::File(name)) => {
                match self.dead_letters.as_ref().map(|letters| letters.read(name)) {
                    Some(Ok((head, body))) => ("an alert", head.topic, body.len()),
                    _ => return "an alert".to_owned(),
                }
            }
            None => return "a publish".to_owned(),
        };
        format!("{what} (topic \"{}\", body of {bytes} bytes)", excerpt(topic.as_bytes()))
    }

    /// Parks all alerts of a suspect that are not yet, and settles their inputs. Gives their number.
    fn park_all(&mut self, suspect: usize, pipeline: &mut Pipeline) -> Result<usize, Problem> {
        let mut places = mem::take(&mut self.suspicion.get(suspect).places);
        let (mut settled, mut problem) = (0, None);
        for place in &mut places {
            let Place::Table(id) = *place else { continue };
            let Some(Sent::Alert(alert)) = self.inflight.get(id) else { continue };
            match park(self.dead_letters.as_mut(), &mut self.naming, alert) {
                Ok(name) => {
                    *place = Place::File(name);
                    pipeline.parked(alert);
                    self.inflight.complete(id);
                    settled += 1;
                }
                Err(why) => {
                    problem = Some(why);
                    break;
                }
            }
        }
        self.suspicion.get(suspect).places = places;
        self.aside = self.suspicion.in_table().count();
        problem.map_or(Ok(settled), Err)
    }

    /// Gives a suspect up, all that is alike: what is in files is kept there. What could not be
    /// parked stays.
    fn refuse(
        &mut self,
        suspect: usize,
        pipeline: &mut Pipeline,
    ) -> Result<Option<Refused>, Problem> {
        let mut refused = None;
        while let Some(place) = self.suspicion.get(suspect).places.front().cloned() {
            refused = match (place, &self.dead_letters) {
                (Place::File(name), Some(dead_letters)) => {
                    let path = dead_letters.refuse(&name, GIVEN_UP)?;
                    pipeline.counters.refused += 1;
                    Some(Refused::Kept(path))
                }
                (Place::Table(id), _) => {
                    if !matches!(self.inflight.get(id), Some(Sent::Report { .. })) {
                        return Ok(refused);
                    }
                    self.inflight.complete(id);
                    Some(Refused::Report)
                }
                (Place::File(_), None) => return Ok(refused),
            };
            self.suspicion.get(suspect).places.pop_front();
        }
        self.suspicion.give_up(suspect);
        self.aside = self.suspicion.in_table().count();
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
) -> Result<Name, Problem> {
    let dead_letters = dead_letters.ok_or(Problem::NoFolder)?;
    // It was sent by this topic before.
    let topic = naming.topic(alert).unwrap_or_default().to_owned();
    let properties = naming.properties(&topic);
    dead_letters.park(&topic, properties, PARKED, alert.body())
}
