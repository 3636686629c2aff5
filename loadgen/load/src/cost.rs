//! What a program and its children use, from `/proc` (proc(5)).

use std::fs;

use super::machine::value_of;
use super::outcome::{Cost, Sample};

/// Processes of one tree that are added up.
const PROCESSES_MAX: usize = 64;

/// Use up to one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    cpu_s: f64,
    rss_peak_kib: u64,
    threads: u64,
    voluntary: u64,
    involuntary: u64,
}

impl Usage {
    /// What the process `id` and its children have used until now; a process that has ended counts
    /// with its parent, once that has noticed.
    pub(super) fn of(id: u32) -> Self {
        let mut sum = Self::default();
        for id in tree(id) {
            sum.add(id);
        }
        sum
    }

    /// CPU time in seconds.
    pub(super) fn cpu_s(&self) -> f64 {
        self.cpu_s
    }

    /// What was used between this and an earlier instant, for so many messages.
    pub(super) fn since(&self, earlier: &Self, wall_s: f64, messages: u64) -> Cost {
        let cpu_s = (self.cpu_s - earlier.cpu_s).max(0.0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
        let (messages, cores) = (messages as f64, cores as f64);
        Cost {
            cpu_s,
            cpu_ns_per_message: if messages > 0.0 { cpu_s * 1e9 / messages } else { 0.0 },
            cpu_share: if wall_s > 0.0 { cpu_s / wall_s / cores } else { 0.0 },
            rss_peak_kib: self.rss_peak_kib,
            threads: self.threads,
            context_switches_voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            context_switches_involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }

    fn add(&mut self, id: u32) {
        self.cpu_s += cpu_s(id).unwrap_or(0.0);
        self.rss_peak_kib += status(id, "VmHWM");
        self.threads += status(id, "Threads");
        for task in tasks(id) {
            let status = format!("/proc/{id}/task/{task}/status");
            let number = |name| value_of(&status, name).and_then(|text| text.parse::<u64>().ok());
            self.voluntary += number("voluntary_ctxt_switches").unwrap_or(0);
            self.involuntary += number("nonvoluntary_ctxt_switches").unwrap_or(0);
        }
    }
}

/// What a process and its children hold now, at this instant of a run.
pub(super) fn sample(id: u32, at_s: f64) -> Sample {
    let mut sum = Sample { at_s, ..Sample::default() };
    for id in tree(id) {
        sum.rss_kib += status(id, "VmRSS");
        sum.threads += status(id, "Threads");
        sum.descriptors += entries(&format!("/proc/{id}/fd")).count() as u64;
    }
    sum
}

/// A process and its children, and theirs.
fn tree(id: u32) -> Vec<u32> {
    let parents = parents();
    let mut tree = vec![id];
    let mut index = 0;
    while let Some(&id) = tree.get(index).filter(|_| index < PROCESSES_MAX) {
        index += 1;
        tree.extend(parents.iter().filter(|(_, parent)| *parent == id).map(|(child, _)| child));
    }
    tree.truncate(PROCESSES_MAX);
    tree
}

/// A number of a process's status; 0 where there is none.
fn status(id: u32, name: &str) -> u64 {
    let text = value_of(&format!("/proc/{id}/status"), name);
    text.and_then(|text| text.trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// User and system time of a process and of its children that have ended. Of the threads that
/// live, nanoseconds are known; the rest is in clock ticks.
fn cpu_s(id: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks: Vec<u64> =
        fields.split(' ').skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    let [_, _, children_user, children_system] = ticks[..] else { return None };
    #[expect(clippy::cast_precision_loss, reason = "ticks of a century are below 2^53")]
    let seconds = |ticks: u64| ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    let own_ticks = seconds(ticks[0] + ticks[1]);
    #[expect(clippy::cast_precision_loss, reason = "three months of nanoseconds are below 2^53")]
    let living: f64 = tasks(id)
        .filter_map(|task| fs::read_to_string(format!("/proc/{id}/task/{task}/schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .map(|nanoseconds| nanoseconds as f64 / 1e9)
        .sum();
    // Threads that have ended are in the ticks alone.
    let own = if living > 0.0 && own_ticks - living < 0.1 { living } else { own_ticks };
    Some(own + seconds(children_user + children_system))
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent_of = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        Some((id, fields.split(' ').nth(1)?.parse().ok()?))
    };
    ids.filter_map(parent_of).collect()
}

fn tasks(id: u32) -> impl Iterator<Item = String> {
    entries(&format!("/proc/{id}/task"))
}

/// Names of what is in a folder; none where it cannot be read.
fn entries(folder: &str) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn this_process_uses_what_it_burns() {
        let before = Usage::of(std::process::id());
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(start);
        }
        let after = Usage::of(std::process::id());
        let cost = after.since(&before, 0.2, 1000);
        // Other tests of this process burn too; a busy machine gives less than was asked.
        assert!(cost.cpu_s > 0.02 && cost.cpu_ns_per_message > 20_000.0, "{cost:?}");
        assert!(cost.rss_peak_kib > 1000 && cost.threads >= 1, "{cost:?}");
    }

    /// What is opened is counted, of this process and of its children.
    #[test]
    fn a_sample_has_what_is_held_now() {
        let before = sample(std::process::id(), 1.5);
        assert!(before.rss_kib > 1000 && before.threads >= 1 && before.descriptors >= 3);
        let files: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let after = sample(std::process::id(), 2.5);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(after.descriptors >= before.descriptors + 60, "{before:?} {after:?}");
        assert_eq!(after.at_s.to_bits(), 2.5f64.to_bits());
        drop(files);
    }

    #[test]
    fn a_process_that_is_not_there_uses_nothing() {
        assert_eq!(Usage::of(u32::MAX), Usage::default());
        assert_eq!(sample(u32::MAX, 0.0), Sample::default());
    }
}
