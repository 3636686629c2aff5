//! One run after another, each shown while it lasts, until a signal ends them.

use std::cell::Cell;
use std::fmt::Display;
use std::ops::ControlFlow;

use crossbeam_channel::Receiver;

use super::CommandError;
use super::output::print;
use super::show::Live;
use super::signals::stop_channel;
use loadgen_load::LoadError;
use loadgen_load::outcome::Outcome;
use loadgen_load::process::check_program;
use loadgen_load::progress::Progress;
use loadgen_load::settings::RunSettings;

/// Refuses programs that cannot be started, before anything is measured or waited for.
///
/// # Errors
/// One of them is not there, or no program.
pub(super) fn check_programs<'a>(
    commands: impl IntoIterator<Item = &'a [String]>,
) -> Result<(), CommandError> {
    let programs = commands.into_iter().filter_map(<[String]>::first);
    for program in programs {
        check_program(program).map_err(|error| {
            CommandError::unavailable(format!(
                "cannot start {program}: {error}: give the path of a program that can be run"
            ))
        })?;
    }
    Ok(())
}

/// Who is told how a measurement goes, and may end it.
pub(super) type Watch<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// Runs on behalf of a command that can be interrupted.
#[derive(Debug)]
pub(super) struct Engine {
    stop: Receiver<()>,
    interrupted: Cell<bool>,
}

impl Engine {
    /// From now on signals end the run and no longer the process.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub(super) fn new() -> Result<Self, CommandError> {
        let stop = stop_channel().map_err(CommandError::no_start)?;
        Ok(Self { stop, interrupted: Cell::new(false) })
    }

    /// Whether a signal came, or the reader of a series went away: the last run was cut short.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    /// Runs once. A signal ends it early, with what was measured until then.
    ///
    /// # Errors
    /// There is no result.
    pub(super) fn run(&self, settings: &RunSettings, live: Live) -> Result<Outcome, LoadError> {
        self.watch(live, &mut |watch| loadgen_load::run(settings, watch))
    }

    /// Measures once in any way, shown while it lasts. A signal ends it early.
    ///
    /// # Errors
    /// There is no result.
    pub(super) fn watch<T>(
        &self,
        mut live: Live,
        measure: &mut dyn FnMut(&mut Watch<'_>) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let result = measure(&mut |progress| {
            if self.stop.try_recv().is_ok() {
                self.interrupted.set(true);
            }
            live.show(progress);
            if self.is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        live.clear();
        result
    }

    /// Runs once more in a series.
    ///
    /// # Errors
    /// There is no result, or it was cut short.
    pub(super) fn run_whole(
        &self,
        settings: &RunSettings,
        live: Live,
    ) -> Result<Outcome, LoadError> {
        if self.is_interrupted() {
            return Err(LoadError::Interrupted);
        }
        let outcome = self.run(settings, live)?;
        if self.is_interrupted() { Err(LoadError::Interrupted) } else { Ok(outcome) }
    }

    /// Prints a line between the runs of a series, which ends when nobody reads any more.
    pub(super) fn tell(&self, text: impl Display) {
        if print(text).is_err() {
            self.interrupted.set(true);
        }
    }
}
