//! What the kernel tells of a process, by its number.

use std::fs;

/// Whether it has a handler for SIGTERM, which is signal 15.
pub fn catches_sigterm(id: u32) -> bool {
    u64::from_str_radix(&status(id, "SigCgt:"), 16).unwrap() & (1 << 14) != 0
}

/// Most memory that was resident up to now, in bytes.
pub fn resident_peak(id: u32) -> u64 {
    bytes(id, "VmHWM:")
}

/// What is resident of the files that are mapped, in bytes: the program and its libraries.
pub fn resident_of_files(id: u32) -> u64 {
    bytes(id, "RssFile:")
}

/// Whether it exists and is no zombie.
pub fn is_running(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"));
    // The state follows the name, which stands in brackets.
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

fn bytes(id: u32, name: &str) -> u64 {
    let kib = status(id, name);
    kib.trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The value of a line of the process's status.
fn status(id: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    value.trim().to_owned()
}
