//! What other programs take of the cores that this one may use, from `/proc/stat` (proc(5)).

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity};
use rustix::time::{ClockId, clock_gettime};

use super::outcome::Others;

/// Cores that others may take without being a crowd: what any desktop does in the background.
const TAKEN_MIN: f64 = 0.25;
/// Idle cores of which a thread that wakes up finds one at once.
const LEFT_MIN: f64 = 1.0;
/// Cores that instrument and program under test take between them, at least: one that is slow
/// because it gets no core uses little.
const USED_MIN: f64 = 1.0;
/// Stolen cores that are worth a word.
const STOLEN_MIN: f64 = 0.05;

/// CPU time up to one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    at: Instant,
    machine: Ticks,
    ours_s: f64,
}

/// CPU time of the cores that this process may use, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    cores: u64,
    /// Of programs.
    busy: u64,
    /// Of other guests of the same hypervisor.
    stolen: u64,
}

impl Reading {
    /// Now; `ours_s` is what was used until now by whatever counts as ours. `None` where the system
    /// does not tell.
    pub(super) fn now(ours_s: f64) -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let ours = sched_getaffinity(None).ok()?;
        let is_ours = |core| core < CpuSet::MAX_CPU && ours.is_set(core);
        Some(Self { at: Instant::now(), machine: ticks(&stat, is_ours)?, ours_s })
    }

    /// What others took between an earlier instant and this one.
    pub(super) fn since(&self, earlier: &Self) -> Option<Others> {
        let wall_s = self.at.duration_since(earlier.at).as_secs_f64();
        let seconds = |now: u64, before: u64| seconds(now.saturating_sub(before));
        let busy_s = seconds(self.machine.busy, earlier.machine.busy);
        let stolen_s = seconds(self.machine.stolen, earlier.machine.stolen);
        let ours_s = (self.ours_s - earlier.ours_s).max(0.0);
        others(self.machine.cores, [busy_s, stolen_s, ours_s].map(|s| s / wall_s))
    }
}

impl Others {
    /// Whether they leave less than a core idle beside what the instrument and the program under
    /// test used, in cores.
    pub fn is_crowd(&self, used: f64) -> bool {
        let used = used.max(USED_MIN);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let left = self.cores as f64 - self.taken - used;
        self.taken >= TAKEN_MIN && left < LEFT_MIN
    }

    /// `1.4 of 2 cores`, and how much of that no program here has.
    pub fn share(&self) -> String {
        let cores = if self.cores == 1 { "core" } else { "cores" };
        let mut text = format!("{:.1} of {} {cores}", self.taken, self.cores);
        if self.stolen >= STOLEN_MIN {
            text.push_str(&format!(" ({:.1} taken by other guests of the host)", self.stolen));
        }
        text
    }
}

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "other programs took {}", self.share())
    }
}

/// What others take now, seen over this time in which this process does nothing.
pub fn look(time: Duration) -> Option<Others> {
    let before = Reading::now(own_cpu_s())?;
    std::thread::sleep(time);
    Reading::now(own_cpu_s())?.since(&before)
}

/// CPU time of this process until now, without its children.
pub(super) fn own_cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds of CPU time are far below 2^53")]
    let seconds = time.tv_sec as f64;
    #[expect(clippy::cast_precision_loss, reason = "below 10^9")]
    let nanoseconds = time.tv_nsec as f64;
    seconds + nanoseconds / 1e9
}

/// From cores of busy and stolen time and of our own use.
fn others(cores: u64, [busy, stolen, ours]: [f64; 3]) -> Option<Others> {
    // Without time in between there is nothing to divide by.
    if ![busy, stolen, ours].iter().all(|cores| cores.is_finite()) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let all = cores as f64;
    // Ticks are coarser than what is known of ourselves.
    let taken = (busy - ours).clamp(0.0, all) + stolen;
    Some(Others { taken: taken.min(all), stolen: stolen.min(all), cores })
}

/// Sums the `cpuN` lines of the cores asked for. Interrupts are left out: they are no program's,
/// and most of them here are of our own messages.
fn ticks(stat: &str, is_ours: impl Fn(usize) -> bool) -> Option<Ticks> {
    let mut sum = Ticks::default();
    for line in stat.lines() {
        let mut words = line.split_ascii_whitespace();
        let core = words.next().and_then(|word| word.strip_prefix("cpu")?.parse().ok());
        if !core.is_some_and(&is_ours) {
            continue;
        }
        let fields: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        let [user, nice, system, ..] = fields[..] else { continue };
        sum.cores += 1;
        sum.busy += user + nice + system;
        // Behind idle, iowait, irq and softirq; the time of our own guests is in user.
        sum.stolen += fields.get(7).copied().unwrap_or(0);
    }
    (sum.cores > 0).then_some(sum)
}

fn seconds(ticks: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "ticks of a century are below 2^53")]
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    seconds
}

#[cfg(test)]
mod tests;
