//! A row of the table: what is done, and what must hold.

use std::time::Duration;

use crate::trial::Trial;

/// How soon full rate must be back behind any fault, at default settings.
pub(crate) const RECOVERY: Duration = Duration::from_secs(10);

/// A fault, and what must hold while it happens and afterwards.
#[derive(Clone)]
pub(crate) struct Fault {
    /// What it is called in results and on the command line: `area/fault`.
    pub(crate) name: &'static str,
    /// What is done, in one sentence.
    pub(crate) what: &'static str,
    /// What must hold, beside the ledger's verdict.
    pub(crate) must: Must,
    /// Whether no other row runs beside it, because it measures more than a bound.
    pub(crate) is_alone: bool,
    /// Does it.
    pub(crate) run: fn(&mut Trial),
}

impl Fault {
    /// A row beside others, behind which each of the texts of `log` stands in the module's log.
    pub(crate) fn logging(
        name: &'static str,
        what: &'static str,
        run: fn(&mut Trial),
        log: &'static [&'static str],
    ) -> Self {
        let must = Must { log, ..Must::default() };
        Self { name, what, must, is_alone: false, run }
    }
}

/// What must hold. That nothing is lost, made up, changed or out of its sensor's order, and that
/// nothing comes again that was acknowledged when a fault began, must always hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Must {
    /// From the end of each injection until all that was sent before it has come back.
    pub(crate) recover_within: Duration,
    /// Most memory of the module that is resident, its mapped files aside, in bytes.
    pub(crate) memory_bytes: Option<u64>,
    /// Each of these texts stands in a line of the module's log.
    pub(crate) log: &'static [&'static str],
}

impl Default for Must {
    fn default() -> Self {
        Self { recover_within: RECOVERY, memory_bytes: None, log: &[] }
    }
}
