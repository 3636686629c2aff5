//! A schedule as text: how things are set up, then a step a line; `;` ends a line as well.
//!
//! ```text
//! hub window=100 jitter=0 pool
//! input first count=1 value=30 bytes=0
//! hang-up output reset kept
//! wait ms=300
//! ```

use std::fmt::{self, Display, Formatter};
use std::str::{FromStr, SplitWhitespace};

use super::script::{Change, End, From, Script, Setup, Step, Topology, Way};

type Names<T> = [(&'static str, T)];

const TOPOLOGIES: &Names<Topology> =
    &[("hub", Topology::Hub), ("both", Topology::Both), ("broker", Topology::Broker)];
const ENDS: &Names<End> = &[("input", End::Input), ("output", End::Output)];
const SOURCES: &Names<From> = &[("first", From::First), ("second", From::Second)];
const WAYS: &Names<Way> = &[("in", Way::In), ("out", Way::Out), ("both", Way::Both)];
const PROMPT: &Names<bool> = &[("held", false), ("prompt", true)];
const REVERSED: &Names<bool> = &[("in-order", false), ("reversed", true)];
const RESET: &Names<bool> = &[("closed", false), ("reset", true)];
const LOST: &Names<bool> = &[("kept", false), ("lost", true)];
const ANSWERED: &Names<bool> = &[("unanswered", false), ("answered", true)];

fn name<T: PartialEq>(names: &Names<T>, value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("?", |(name, _)| name)
}

impl Display for Setup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { topology, window, jitter, pool, tight, renews, refuses, exactly_once, ones } =
            *self;
        write!(f, "{} window={window} jitter={jitter}", name(TOPOLOGIES, topology))?;
        let some = [("pool", pool), ("tight", tight), ("renews", renews)];
        let others = [("refuses", refuses), ("exactly-once", exactly_once), ("ones", ones)];
        let flags = some.iter().chain(&others);
        flags.filter(|(_, is_set)| *is_set).try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Input { from, count, value, bytes } => {
                let from = name(SOURCES, from);
                write!(f, "input {from} count={count} value={value} bytes={bytes}")
            }
            Self::Unacknowledged { from, value } => {
                write!(f, "unacknowledged {} value={value}", name(SOURCES, from))
            }
            Self::Acks { prompt } => write!(f, "acks {}", name(PROMPT, prompt)),
            Self::Ack { which, times } => write!(f, "ack which={which} times={times}"),
            Self::AckAll { reversed } => write!(f, "ack-all {}", name(REVERSED, reversed)),
            Self::StrayAck { end } => write!(f, "stray-ack {}", name(ENDS, end)),
            Self::Answers { prompt } => write!(f, "answers {}", name(PROMPT, prompt)),
            Self::Answer { which } => write!(f, "answer which={which}"),
            Self::Trouble { status, times } => write!(f, "trouble status={status} times={times}"),
            Self::Stall { end, way, after } => {
                write!(f, "stall {} {} after={after}", name(ENDS, end), name(WAYS, way))
            }
            Self::Flow { end } => write!(f, "flow {}", name(ENDS, end)),
            Self::Cut { end, bytes } => write!(f, "cut {} bytes={bytes}", name(ENDS, end)),
            Self::HangUp { end, reset, lost } => {
                let (reset, lost) = (name(RESET, reset), name(LOST, lost));
                write!(f, "hang-up {} {reset} {lost}", name(ENDS, end))
            }
            Self::Refuse { end, times, answered } => {
                let answered = name(ANSWERED, answered);
                write!(f, "refuse {} times={times} {answered}", name(ENDS, end))
            }
            Self::Patch(Change::Set(value)) => write!(f, "patch set={value}"),
            Self::Patch(Change::Removed) => write!(f, "patch removed"),
            Self::Patch(Change::Bad) => write!(f, "patch bad"),
            Self::Judge { which } => write!(f, "judge which={which}"),
            Self::Wait { ms } => write!(f, "wait ms={ms}"),
            Self::Kill => write!(f, "kill"),
            Self::Stop => write!(f, "stop"),
        }
    }
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.setup)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

/// The words of a line.
struct Words<'a> {
    line: &'a str,
    words: SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        Self { line, words: line.split_whitespace() }
    }

    fn next(&mut self) -> Result<&'a str, String> {
        self.words.next().ok_or_else(|| self.problem("a word is missing"))
    }

    fn problem(&self, what: &str) -> String {
        format!("{what}: \"{}\"", self.line)
    }

    fn one_of<T: Copy>(&mut self, names: &Names<T>) -> Result<T, String> {
        let word = self.next()?;
        let found = names.iter().find(|(name, _)| *name == word);
        found.map(|(_, value)| *value).ok_or_else(|| self.problem(&format!("no {word} here")))
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        let word = self.next()?;
        let text = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        text.and_then(|text| text.parse().ok())
            .ok_or_else(|| self.problem(&format!("{name}=NUMBER is wanted, not {word}")))
    }
}

impl FromStr for Setup {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = Words::of(line);
        let topology = words.one_of(TOPOLOGIES)?;
        let (window, jitter) = (words.number("window")?, words.number("jitter")?);
        let flags: Vec<&str> = words.words.collect();
        let is_set = |name: &str| flags.contains(&name);
        Ok(Self {
            topology,
            pool: is_set("pool"),
            tight: is_set("tight"),
            renews: is_set("renews"),
            refuses: is_set("refuses"),
            exactly_once: is_set("exactly-once"),
            ones: is_set("ones"),
            window,
            jitter,
        })
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = Words::of(line);
        let w = &mut words;
        // Fields are read in the order in which they are written here.
        Ok(match w.next()? {
            "input" => Self::Input {
                from: w.one_of(SOURCES)?,
                count: w.number("count")?,
                value: w.number("value")?,
                bytes: w.number("bytes")?,
            },
            "unacknowledged" => {
                Self::Unacknowledged { from: w.one_of(SOURCES)?, value: w.number("value")? }
            }
            "acks" => Self::Acks { prompt: w.one_of(PROMPT)? },
            "ack" => Self::Ack { which: w.number("which")?, times: w.number("times")? },
            "ack-all" => Self::AckAll { reversed: w.one_of(REVERSED)? },
            "stray-ack" => Self::StrayAck { end: w.one_of(ENDS)? },
            "answers" => Self::Answers { prompt: w.one_of(PROMPT)? },
            "answer" => Self::Answer { which: w.number("which")? },
            "trouble" => Self::Trouble { status: w.number("status")?, times: w.number("times")? },
            "stall" => Self::Stall {
                end: w.one_of(ENDS)?,
                way: w.one_of(WAYS)?,
                after: w.number("after")?,
            },
            "flow" => Self::Flow { end: w.one_of(ENDS)? },
            "cut" => Self::Cut { end: w.one_of(ENDS)?, bytes: w.number("bytes")? },
            "hang-up" => Self::HangUp {
                end: w.one_of(ENDS)?,
                reset: w.one_of(RESET)?,
                lost: w.one_of(LOST)?,
            },
            "refuse" => Self::Refuse {
                end: w.one_of(ENDS)?,
                times: w.number("times")?,
                answered: w.one_of(ANSWERED)?,
            },
            "patch" if line.ends_with("removed") => Self::Patch(Change::Removed),
            "patch" if line.ends_with("bad") => Self::Patch(Change::Bad),
            "patch" => Self::Patch(Change::Set(w.number("set")?)),
            "judge" => Self::Judge { which: w.number("which")? },
            "wait" => Self::Wait { ms: w.number("ms")? },
            "kill" => Self::Kill,
            "stop" => Self::Stop,
            other => return Err(format!("there is no step {other}")),
        })
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
        let setup = lines.next().ok_or("no line says how things are set up")?.parse()?;
        let steps = lines.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { setup, steps })
    }
}
