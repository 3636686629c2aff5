//! Finds the programs that counting takes, or says what to install.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::arch::{Arch, Tool};

/// Paths of tools by their names. Children get no `PATH`: nothing is looked up twice.
pub(super) type Tools = HashMap<&'static str, PathBuf>;

/// The tools of all these architectures, found in `path` (as `PATH` has it).
///
/// # Errors
/// Which are missing and what to install, in words that can be pasted.
pub(super) fn find(archs: &[Arch], path: &OsStr) -> Result<Tools, String> {
    let mut found = Tools::new();
    let mut missing: Vec<Tool> = Vec::new();
    for tool in archs.iter().flat_map(|arch| arch.tools()) {
        match locate(tool.program, path) {
            Some(file) => drop(found.insert(tool.program, file)),
            None if missing.contains(tool) => {}
            None => missing.push(*tool),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(advice(&missing)) }
}

fn advice(missing: &[Tool]) -> String {
    let programs: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
    let packages: Vec<&str> = missing.iter().map(|tool| tool.packages).collect();
    format!(
        "missing: {}; as root run: apt-get update && apt-get install -y --no-install-recommends {}",
        programs.join(", "),
        packages.join(" ")
    )
}

pub(super) fn locate(program: &str, path: &OsStr) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path).map(|folder| folder.join(program)).find(is_program)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    /// Each missing program is named once with its package, and what is no program does not count.
    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, mode| {
            let file = folder.path().join(name);
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        };
        put("strip", 0o755);
        put("qemu-arm", 0o644);
        let text = find(&Arch::ALL, folder.path().as_os_str()).unwrap_err();
        assert_eq!(
            text,
            "missing: cc, valgrind, arm-linux-gnueabihf-gcc, arm-linux-gnueabihf-strip, qemu-arm; \
             as root run: apt-get update && apt-get install -y --no-install-recommends gcc \
             libc6-dev valgrind gcc-arm-linux-gnueabihf libc6-dev-armhf-cross \
             binutils-arm-linux-gnueabihf qemu-user"
        );
        for tool in Arch::ALL.iter().flat_map(|arch| arch.tools()) {
            put(tool.program, 0o755);
        }
        let tools = find(&Arch::ALL, folder.path().as_os_str()).unwrap();
        assert_eq!(tools["qemu-arm"], folder.path().join("qemu-arm"));
        assert_eq!(tools.len(), 6);
    }
}
