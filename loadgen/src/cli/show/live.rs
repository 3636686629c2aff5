//! A run while it lasts: a bar on a terminal, else a line a second.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::figures::{grouped, latency, rate};
use crate::cli::output::note;
use loadgen_load::progress::{Phase, Progress};

/// Time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Shows the progress of one run.
#[derive(Debug)]
pub(crate) struct Live {
    label: String,
    face: Face,
}

#[derive(Debug)]
enum Face {
    Bar(ProgressBar),
    Lines { next: Instant },
    Nothing,
}

impl Live {
    /// A bar on a terminal. Where there is none: `lines` each second, or nothing.
    pub(crate) fn new(label: &str, lines: bool) -> Self {
        let term = std::env::var_os("TERM");
        let face = if draws(std::io::stderr().is_terminal(), term.as_deref()) {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {prefix}");
            let style = style.expect("the template above is valid").progress_chars("━╸─");
            Face::Bar(ProgressBar::new(0).with_style(style))
        } else if lines {
            Face::Lines { next: Instant::now() + LINE_INTERVAL }
        } else {
            Face::Nothing
        };
        Self { label: label.to_owned(), face }
    }

    /// Shows where the run is.
    pub(crate) fn show(&mut self, progress: &Progress) {
        match &mut self.face {
            Face::Bar(bar) => {
                let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                bar.set_length(ms(progress.total).max(1));
                bar.set_position(ms(progress.elapsed.min(progress.total)));
                bar.set_prefix(format!("{}/{}", time(progress.elapsed), time(progress.total)));
                bar.set_message(line(&self.label, progress));
            }
            Face::Lines { next } => {
                let now = Instant::now();
                if now >= *next {
                    // Not from now, or each line would be later than the one before.
                    *next += LINE_INTERVAL;
                    let text = line(&self.label, progress);
                    note(format_args!("{:>8}  {text}", time(progress.elapsed)));
                }
            }
            Face::Nothing => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(self) {
        if let Face::Bar(bar) = self.face {
            bar.finish_and_clear();
        }
    }
}

/// Whether a bar can be drawn: it moves about, which a dumb terminal cannot.
fn draws(is_terminal: bool, term: Option<&OsStr>) -> bool {
    is_terminal && term.is_some_and(|term| term != "dumb")
}

fn time(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Label, phase, rate and latency, and how much is wrong.
fn line(label: &str, progress: &Progress) -> String {
    let phase = match progress.phase {
        Phase::Starting => "starting",
        Phase::WarmUp => "warm-up",
        Phase::Measuring => "measuring",
        Phase::Draining => "draining",
        Phase::Ending => "ending",
    };
    let mut text = if label.is_empty() { String::new() } else { format!("{label}  ") };
    text.push_str(&format!("{phase:9}  {:>11}", rate(progress.rate)));
    if let Some(us) = progress.p99_us {
        text.push_str(&format!("  p99 {:>7}", latency(us)));
    }
    text.push_str(&format!("  {} alerts", grouped(progress.alerts as f64)));
    match progress.faults {
        0 => {}
        1 => text.push_str("  1 fault"),
        faults => text.push_str(&format!("  {faults} faults")),
    }
    if progress.failures > 0 {
        text.push_str(&format!("  {} WRONG", grouped(progress.failures as f64)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_what_is_known() {
        let mut progress = Progress {
            phase: Phase::Measuring,
            elapsed: Duration::from_millis(2500),
            total: Duration::from_secs(11),
            sent: 500_000,
            rate: 199_998.0,
            alerts: 50_000,
            p99_us: Some(312.0),
            failures: 0,
            faults: 0,
        };
        assert_eq!(line("", &progress), "measuring    199,998/s  p99  312 µs  50,000 alerts");
        progress.faults = 7;
        assert!(line("", &progress).ends_with("  50,000 alerts  7 faults"));
        (progress.failures, progress.faults) = (3, 0);
        (progress.phase, progress.p99_us) = (Phase::WarmUp, None);
        let text = line("a", &progress);
        assert_eq!(text, "a  warm-up      199,998/s  50,000 alerts  3 WRONG");
        assert_eq!(time(progress.elapsed), "2.5 s");
    }

    #[test]
    fn a_bar_needs_a_terminal_that_can_draw() {
        let table = [
            (true, Some("xterm-256color"), true),
            (true, Some("dumb"), false),
            (true, None, false),
            (false, Some("xterm"), false),
            (false, None, false),
        ];
        for (is_terminal, term, expected) in table {
            assert_eq!(draws(is_terminal, term.map(OsStr::new)), expected, "{term:?}");
        }
    }

    /// Tests have no terminal: a bar would be drawn for nobody.
    #[test]
    fn without_a_terminal_there_is_no_bar() {
        if !std::io::stderr().is_terminal() {
            assert!(matches!(Live::new("", true).face, Face::Lines { .. }));
            assert!(matches!(Live::new("", false).face, Face::Nothing));
        }
    }
}
