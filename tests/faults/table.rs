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

impl Line {
    /// Of what is no row.
    pub(crate) fn failed(name: &'static str, why: String) -> Self {
        Self { name, found: Found::default(), took: Duration::ZERO, failure: Some(why) }
    }
}

/// The rows, and what each does.
pub(crate) fn list(faults: &[Fault]) {
    for fault in faults {
        println!("{:<32} {}", fault.name, fault.what);
    }
}

/// Between these lines stand the rows in docs/reliability.md.
const BEGIN: &str = "<!-- rows: UPDATE_DOCS=1 cargo test -q -p faults -- --list -->\n";
const END: &str = "\n<!-- end of the rows -->";

/// Fails unless the page has exactly these rows; with `UPDATE_DOCS` it writes them there.
///
/// # Errors
/// What to do about it.
pub(crate) fn check_page(faults: &[Fault]) -> Result<(), String> {
    let path = test_support::root().join("docs/reliability.md");
    let page = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no rows")?;
    let (_, after) = rest.split_once(END).ok_or("the page's rows do not end")?;
    let rows: String =
        faults.iter().map(|fault| format!("| {} | {} |\n", fault.name, fault.what)).collect();
    let right = format!("{before}{BEGIN}\n| row | what is done |\n|---|---|\n{rows}{END}{after}");
    if page == right {
        return Ok(());
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(&path, right).map_err(|error| error.to_string());
    }
    Err("docs/reliability.md has other rows: UPDATE_DOCS=1 cargo test -q -p faults -- --list"
        .into())
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
