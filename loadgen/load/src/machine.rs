//! What is written beside every figure about where it was measured.

use std::fs;

use serde::{Deserialize, Serialize};

/// Facts of a machine. Unknown texts are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model name of the processor.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: u64,
    /// Memory in all.
    pub memory_kib: u64,
    /// Operating system and its release.
    pub system: String,
    /// Instruction set, as Rust names it.
    pub architecture: String,
    /// Load of the last minute, in hundredths: what else went on here.
    pub load_percent: u64,
}

impl Machine {
    /// Reads the facts of this machine from `/proc` and the system.
    pub fn here() -> Self {
        let uname = rustix::system::uname();
        let system = [uname.sysname(), uname.release()].map(|text| text.to_string_lossy());
        Self {
            processor: value_of("/proc/cpuinfo", "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
            memory_kib: value_of("/proc/meminfo", "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse().ok())
                .unwrap_or_default(),
            system: system.join(" "),
            architecture: std::env::consts::ARCH.to_owned(),
            load_percent: load_percent().unwrap_or_default(),
        }
    }
}

/// The first `name : value` line of a file of `/proc`.
pub(super) fn value_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

/// `/proc/loadavg` has it with two decimals.
fn load_percent() -> Option<u64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.replace('.', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_facts() {
        let here = Machine::here();
        assert!(here.cores > 0 && here.memory_kib > 1024, "{here:?}");
        assert!(here.system.starts_with("Linux "), "{here:?}");
    }
}
