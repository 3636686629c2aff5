//! Log lines in the form that edgeAgent's log upload reads, and a limit on repeated ones.
//!
//! `<severity> yyyy-MM-dd HH:mm:ss.fff zzz [LVL] - [name] message`, with syslog severities, to
//! standard output, where container engines collect logs. The name is that of the module, device or
//! client, so that lines of several processes can be told apart. Whoever logs never waits for its
//! reader: see [`queue`]. What fails again and again takes few lines: see [`outage`].

pub mod outage;
pub mod queue;

use std::fmt;
use std::io;
use std::time::Instant;

use humantime::format_rfc3339_millis;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::host::limits::{LOG_LINES_MAX, LOG_NAME_CHARS_MAX, LOG_WINDOW};
use crate::host::utc;
pub use queue::Log;

/// The names of `RuntimeLogLevel` as edgeHub has them, and the level each stands for.
pub const LEVELS: [(&str, LevelFilter); 7] = [
    ("fatal", LevelFilter::ERROR),
    ("error", LevelFilter::ERROR),
    ("warning", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("information", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("verbose", LevelFilter::TRACE),
];

/// Starts logging for the process, which is called `name`, until what it returns is dropped. A
/// second call changes nothing.
///
/// # Errors
/// The system refuses the thread that writes.
pub fn start(level: LevelFilter, name: &str) -> io::Result<Log> {
    let format = EdgeAgentFormat::named(name);
    let tag = format.tag.clone();
    let log = Log::start(io::stdout(), move |count| {
        let head = LinePrefix(Level::WARN);
        format!("{head} {tag}{count} log lines dropped: nobody took them in time\n")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        // Where nobody reads standard output any more, as behind `head`, nobody may read standard
        // error either, and a failed complaint there would end the process.
        .log_internal_errors(false)
        .event_format(format)
        .with_writer(log.lines())
        .finish();
    // Fails only when a subscriber is set: in tests, and then that one is wanted.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(log)
}

/// What stands before a message.
struct LinePrefix(Level);

impl fmt::Display for LinePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (severity, name) = severity(self.0);
        // "2026-01-02T03:04:05.678Z"
        let now = format_rfc3339_millis(utc::now()).to_string();
        let (date, time) = now.split_once('T').unwrap_or_default();
        write!(f, "<{severity}> {date} {} +00:00 [{name}] -", time.trim_end_matches('Z'))
    }
}

pub(crate) struct EdgeAgentFormat {
    /// `[name] `; nothing without a name.
    tag: String,
}

impl EdgeAgentFormat {
    /// The name may come from outside: it is printable, not long, and ends at the first `]`.
    pub(crate) fn named(name: &str) -> Self {
        let printable = |char: char| match char {
            ']' => ')',
            char if char.is_control() => '?',
            char => char,
        };
        let name: String = name.chars().take(LOG_NAME_CHARS_MAX).map(printable).collect();
        Self { tag: if name.is_empty() { name } else { format!("[{name}] ") } }
    }
}

impl<S, N> FormatEvent<S, N> for EdgeAgentFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "{} {}", LinePrefix(*event.metadata().level()), self.tag)?;
        let mut message = MessageField(writer.by_ref(), Ok(()));
        event.record(&mut message);
        message.1?;
        writeln!(writer)
    }
}

fn severity(level: Level) -> (u8, &'static str) {
    match level {
        Level::ERROR => (3, "ERR"),
        Level::WARN => (4, "WRN"),
        Level::INFO => (6, "INF"),
        Level::DEBUG => (7, "DBG"),
        Level::TRACE => (7, "VRB"),
    }
}

/// Writes the message bare and other fields as ` name=value`.
struct MessageField<'a>(Writer<'a>, fmt::Result);

impl Visit for MessageField<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.0, " {name}={value:?}"),
        };
        self.1 = self.1.and(written);
    }
}

/// Lets [`LOG_LINES_MAX`] lines pass in [`LOG_WINDOW`], or as many as it is made for, and counts
/// the rest.
#[derive(Debug)]
pub struct LineLimit {
    lines_max: u32,
    window: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Default for LineLimit {
    fn default() -> Self {
        Self::of(LOG_LINES_MAX)
    }
}

impl LineLimit {
    /// Lets so many lines pass in [`LOG_WINDOW`].
    pub fn of(lines_max: u32) -> Self {
        Self { lines_max, window: None, lines: 0, suppressed: 0 }
    }

    /// Whether a line that stands for `count` events may be written now: then how many events went
    /// unwritten since the last line.
    pub fn allow(&mut self, now: Instant, count: u64) -> Option<u64> {
        if self.window.is_none_or(|start| now - start >= LOG_WINDOW) {
            self.window = Some(now);
            self.lines = 0;
        }
        if self.lines >= self.lines_max {
            self.suppressed += count;
            return None;
        }
        self.lines += 1;
        self.suppressed += count - 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// The beginning of a body for a log line: printable, at most 80 bytes of it.
pub fn excerpt(body: &[u8]) -> String {
    const BYTES: usize = 80;
    let mut text = body.get(..BYTES).unwrap_or(body).escape_ascii().to_string();
    if body.len() > BYTES {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    #[test]
    fn lines_have_the_form_that_edge_agent_reads() {
        #[derive(Clone, Default)]
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(EdgeAgentFormat::named("edge/filter"))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(count = 3, "three things");
        });
        let line = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let (severity, rest) = line.split_once(' ').expect("a severity");
        assert_eq!(severity, "<4>");
        let (time, text) = rest.split_at(30);
        assert!(time.ends_with(" +00:00"), "{time:?}");
        let (date, time) = time.trim_end_matches(" +00:00").split_once(' ').expect("a date");
        let now = humantime::parse_rfc3339(&format!("{date}T{time}Z")).expect("a time");
        let age = std::time::SystemTime::now().duration_since(now).unwrap();
        assert!(age < std::time::Duration::from_secs(60), "{age:?}");
        assert_eq!(time.split_once('.').unwrap().1.len(), 3, "{time:?}");
        assert_eq!(text, " [WRN] - [edge/filter] three things count=3\n");
    }

    /// Whatever a client is called, its lines stay lines, and what is behind its name can be found.
    #[test]
    fn names_are_printable_and_short() {
        let long = "x".repeat(1000);
        for (name, tag) in [
            ("", String::new()),
            ("d/m", "[d/m] ".to_owned()),
            ("a b", "[a b] ".to_owned()),
            ("a]\n<3> b\u{7f}", "[a)?<3> b?] ".to_owned()),
            (&long, format!("[{}] ", "x".repeat(LOG_NAME_CHARS_MAX))),
        ] {
            assert_eq!(EdgeAgentFormat::named(name).tag, tag);
        }
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let mut limit = LineLimit::default();
        let now = Instant::now();
        for _ in 0..LOG_LINES_MAX {
            assert_eq!(limit.allow(now, 1), Some(0));
        }
        assert_eq!(limit.allow(now, 5), None);
        assert_eq!(limit.allow(now + LOG_WINDOW - Duration::from_nanos(1), 5), None);
        assert_eq!(limit.allow(now + LOG_WINDOW, 3), Some(12), "5 + 5 + the 2 besides this one");
    }

    #[test]
    fn a_limit_of_one_lets_one_line_pass() {
        let mut limit = LineLimit::of(1);
        let now = Instant::now();
        assert_eq!([limit.allow(now, 1), limit.allow(now, 1)], [Some(0), None]);
        assert_eq!(limit.allow(now + LOG_WINDOW, 1), Some(1));
    }

    #[test]
    fn an_excerpt_is_printable_and_short() {
        assert_eq!(excerpt(b"a\n\xff"), "a\\n\\xff");
        assert_eq!(excerpt(&[b'x'; 200]).len(), 83);
    }
}
