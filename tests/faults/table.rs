//! What the suite prints.

use std::time::Duration;

use crate::fault::Fault;
use crate::trial::Found;

/// A row that has run.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) found: Found,
    pub(crate) took: Duration,
    /// What did not hold.
    pub(crate) failure: Option<String>,
}

/// The rows, and what each does.
pub(crate) fn list(faults: &[Fault]) {
    for fault in faults {
        println!("{:<32} {}", fault.name, fault.what);
    }
}

/// What came out.
pub(crate) fn print(lines: &[Line]) {
    let heads = ["injections", "sent", "alerts", "lost", "again", "recovery", "memory", "took"];
    print!("{:<32}", "fault");
    for head in heads {
        print!(" {head:>10}");
    }
    println!();
    for line in lines {
        let found = &line.found;
        let recovery = found.worst_recovery.map_or_else(|| "-".to_owned(), seconds);
        let memory = match found.memory_bytes {
            0 => "-".to_owned(),
            bytes => format!("{:.1} MB", bytes as f64 / 1e6),
        };
        print!("{:<32}", line.name);
        for count in [found.injections, found.sent, found.alerts, found.lost, found.duplicates] {
            print!(" {count:>10}");
        }
        print!(" {recovery:>10} {memory:>10} {:>10}", seconds(line.took));
        println!("{}", if line.failure.is_some() { "  FAILED" } else { "" });
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
