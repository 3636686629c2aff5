//! Builds what is counted, and what counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::measure::Counter;
use super::places::Places;
use super::tools::Tools;
use crate::arch::Arch;
use crate::budgets::PROGRAM;
use crate::cargo;
use crate::child::{self, Bounds};
use crate::failure::Failure;
use crate::provenance::Sources;
use crate::stop::Stop;

/// The counting plugin; its text travels with this program.
const PLUGIN: &str = include_str!("count.c");
const BUILD_MAX: Duration = Duration::from_secs(3600);
const TOOL_MAX: Duration = Duration::from_secs(60);
/// What the cross script says of what is missing begins so; what the compiler says does not.
const SCRIPT: &str = ": deploy/cross: ";

/// Everything ready to count programs of `arch`.
///
/// # Errors
/// Something is missing, does not build, or was built from something else than this tree.
pub(super) fn counter(
    arch: Arch,
    tools: &Tools,
    places: &Places,
    no_build: bool,
    stop: &Stop,
) -> Result<Counter, Failure> {
    let (stages, module) =
        (Sources::of(&places.root, "stages")?, Sources::of(&places.root, PROGRAM)?);
    if !no_build {
        build(arch, places, stop)?;
    }
    let programs = programs(arch, places);
    let counted = [("stages", &stages), ("stages-heap", &stages), (PROGRAM, &module)];
    for (name, _) in counted {
        let file = programs.join(name);
        if !file.is_file() {
            let text = format!("{} is missing: leave out --no-build", file.display());
            return Err(Failure::unavailable(text));
        }
    }
    let path = &tools[arch.counter()];
    for (name, sources) in counted {
        sources.verify(&programs.join(name), &arch.run_prefix(path), stop)?;
    }
    let plugin = match arch {
        Arch::Amd64 => PathBuf::new(),
        Arch::Arm32 => plugin(&tools["cc"], places, stop)?,
    };
    let count = arch.count_prefix(path, &plugin);
    Ok(Counter { arch, programs, run: arch.run_prefix(path), count })
}

/// Bytes of the stripped module.
///
/// # Errors
/// It is not there, or cannot be stripped.
pub(super) fn stripped_size(
    arch: Arch,
    strip: &Path,
    places: &Places,
    stop: &Stop,
) -> Result<u64, String> {
    let stripped = places.own().join(format!("{PROGRAM}-{}", arch.name()));
    fs::create_dir_all(places.own()).map_err(|error| error.to_string())?;
    let mut command = Command::new(strip);
    command.arg("-o").arg(&stripped).arg(programs(arch, places).join(PROGRAM));
    let is_stopped = || stop.is_asked();
    child::run(command, Bounds { time: TOOL_MAX, is_stopped: &is_stopped })?;
    fs::metadata(&stripped).map(|facts| facts.len()).map_err(|error| error.to_string())
}

/// As a path that does not depend on where a child is.
fn programs(arch: Arch, places: &Places) -> PathBuf {
    let folder = arch.programs(&places.root, &places.target);
    std::path::absolute(&folder).unwrap_or(folder)
}

fn build(arch: Arch, places: &Places, stop: &Stop) -> Result<(), Failure> {
    let (program, arguments) = arch.build();
    eprintln!("perf gate: {program} {}", arguments.join(" "));
    let mut command = match arch {
        Arch::Amd64 => cargo::command(program),
        Arch::Arm32 => cargo::command(places.root.join(program)),
    };
    command.args(&arguments).current_dir(&places.root);
    let is_stopped = || stop.is_asked();
    let built = child::run(command, Bounds { time: BUILD_MAX, is_stopped: &is_stopped });
    built.map(drop).map_err(|why| {
        let text = format!("{program} {}: {why}", arguments.join(" "));
        let is_missing = why.contains(SCRIPT) || why.starts_with("cannot start");
        if is_missing { Failure::unavailable(text) } else { Failure::no_answer(text) }
    })
}

fn plugin(cc: &Path, places: &Places, stop: &Stop) -> Result<PathBuf, Failure> {
    let folder = places.own();
    let (source, plugin) = (folder.join("count.c"), folder.join("count.so"));
    let compile = || -> Result<PathBuf, String> {
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        fs::write(&source, PLUGIN).map_err(|error| error.to_string())?;
        let mut command = Command::new(cc);
        command.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&plugin).arg(&source);
        let is_stopped = || stop.is_asked();
        child::run(command, Bounds { time: TOOL_MAX, is_stopped: &is_stopped })?;
        std::path::absolute(&plugin).map_err(|error| error.to_string())
    };
    compile().map_err(|why| Failure::no_answer(format!("the counting plugin: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tools;

    /// The plugin is C that compiles without a warning.
    #[test]
    fn the_plugin_compiles() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { root: folder.path().to_owned(), target: "target".into() };
        let path = std::env::var_os("PATH").unwrap();
        let Some(cc) = tools::locate("cc", &path) else { panic!("no C compiler") };
        let plugin = plugin(&cc, &places, &Stop::default()).unwrap();
        assert!(plugin.is_file() && plugin.is_absolute());
    }

    #[test]
    fn programs_that_are_not_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        test_support::put_workspace(folder.path());
        let places = Places { root: folder.path().to_owned(), target: "target".into() };
        let why = counter(Arch::Amd64, &Tools::new(), &places, true, &Stop::default()).unwrap_err();
        assert_eq!(why.code, 69);
        assert!(why.text.ends_with("target/release/stages is missing: leave out --no-build"));
    }

    /// Without the cross script nothing can be built: something is missing.
    #[test]
    fn a_build_that_cannot_start_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { root: folder.path().to_owned(), target: "target".into() };
        let why = build(Arch::Arm32, &places, &Stop::default()).unwrap_err();
        assert_eq!(why.code, 69, "{why}");
        assert!(why.text.starts_with("deploy/cross arm32 build"), "{why}");
    }
}
