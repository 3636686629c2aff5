//! Child processes with an end: each has its time, and is killed with its group when that is over.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// Most of an output that is read.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// How often a wish to stop is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// What a child wrote, when it ended as it should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Bounds of a child.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) time: Duration,
    pub(super) is_stopped: &'a (dyn Fn() -> bool + Sync),
}

/// Runs `command` to its end with nothing to read.
///
/// # Errors
/// It cannot be started, fails, does not end in its time, or we were asked to stop. Then nothing of
/// its process group is left.
pub(super) fn run(mut command: Command, bounds: Bounds<'_>) -> Result<Said, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut start = || -> io::Result<(Child, [File; 2])> {
        let files = [tempfile::tempfile()?, tempfile::tempfile()?];
        command.stdin(Stdio::null()).stdout(files[0].try_clone()?).stderr(files[1].try_clone()?);
        // Out of the terminal's group: Ctrl-C is for us, who then end everything.
        Ok((command.process_group(0).spawn()?, files))
    };
    let (mut child, files) = start().map_err(|error| format!("cannot start {name}: {error}"))?;
    let end = wait(&mut child, bounds);
    let [stdout, stderr] = files.map(|file| read(file).unwrap_or_default());
    let why = match end {
        Ok(Some(0)) => return Ok(Said { stdout, stderr }),
        Ok(Some(code)) => format!("ended with exit code {code}"),
        Ok(None) => "was ended by a signal".to_owned(),
        Err(why) => why,
    };
    let last = last_line(&stderr);
    Err(if last.is_empty() { why } else { format!("{why}: {last}") })
}

/// Its exit code; `None` when a signal ended it.
fn wait(child: &mut Child, bounds: Bounds<'_>) -> Result<Option<i32>, String> {
    let deadline = Instant::now() + bounds.time;
    let ended = poll_end(child, deadline, bounds.is_stopped);
    if !matches!(ended, Ok(true)) {
        // Not reaped yet, so its id is nobody else's. Fails only when all have ended.
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }
    let status = child.wait();
    match ended {
        Ok(true) => status.map(|status| status.code()).map_err(|error| error.to_string()),
        Ok(false) if (bounds.is_stopped)() => Err("was stopped".to_owned()),
        Ok(false) => Err(format!("did not end in {:?}", bounds.time)),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether it has ended before the deadline, and before we were asked to stop.
fn poll_end(child: &Child, deadline: Instant, is_stopped: &dyn Fn() -> bool) -> io::Result<bool> {
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec::try_from(left.min(GLANCE)).unwrap_or_default();
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&time)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        if left.is_zero() || is_stopped() {
            return Ok(false);
        }
    }
}

fn read(mut file: File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What it said last, without what callgrind says of itself.
fn last_line(text: &str) -> &str {
    let lines = text.lines().map(str::trim);
    lines.rev().find(|line| !line.is_empty() && !line.starts_with("==")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn shell(script: &str, time: Duration) -> Result<Said, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, Bounds { time, is_stopped: &|| false })
    }

    #[test]
    fn outputs_and_ends_are_given_back() {
        let said = shell("echo one; echo two >&2", PATIENCE).unwrap();
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("one\n", "two\n"));
        assert_eq!(
            shell("echo why >&2; echo ==7== == >&2; exit 3", PATIENCE).unwrap_err(),
            "ended with exit code 3: why"
        );
        assert_eq!(shell("kill -9 $$", PATIENCE).unwrap_err(), "was ended by a signal");
        let absent =
            run(Command::new("/no/such/program"), Bounds { time: PATIENCE, is_stopped: &|| false });
        assert!(absent.unwrap_err().starts_with("cannot start /no/such/program: "));
    }

    /// A child that never ends is gone when its time is over, and so is what it started.
    #[test]
    fn nothing_runs_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ids");
        let script = format!("sleep 600 & echo $$ $! >{}; wait", file.display());
        let written = || fs::read_to_string(&file).unwrap_or_default().ends_with('\n');
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        // Stopped as soon as both are there.
        let why = run(command, Bounds { time: PATIENCE, is_stopped: &written }).unwrap_err();
        assert_eq!(why, "was stopped");
        let ids = fs::read_to_string(&file).unwrap();
        let own = ids.split_whitespace().next().unwrap();
        assert!(!fs::exists(format!("/proc/{own}")).unwrap(), "not reaped");
        for id in ids.split_whitespace() {
            let start = Instant::now();
            // Whoever adopts the second one may take a while to reap it.
            while fs::read_to_string(format!("/proc/{id}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
            {
                assert!(start.elapsed() < PATIENCE, "{id} runs on");
                std::thread::yield_now();
            }
        }
        let why = shell("exec sleep 600", Duration::from_millis(1)).unwrap_err();
        assert_eq!(why, "did not end in 1ms");
    }

    /// However much a child writes, a part is read.
    #[test]
    fn outputs_are_bounded() {
        let said = shell("head -c 200000 /dev/zero", PATIENCE).unwrap();
        assert_eq!(said.stdout.len() as u64, OUTPUT_BYTES_MAX);
    }
}
