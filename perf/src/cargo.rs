//! Cargo, started by a program that Cargo may have started itself.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

/// Prefixes of the variables that Cargo sets for what it runs (its reference, "Environment
/// variables Cargo sets for crates").
const OF_A_PACKAGE: [&str; 4] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];

/// A command for `program`, Cargo or a script around it, as from a shell. With the variables of the
/// package whose program this is, build scripts that look at them (ring's does) would run again,
/// and most of the module be built anew. Never incremental, whatever the shell says: such a build
/// has other units of code, and a stage of it up to a sixth more instructions.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("CARGO_INCREMENTAL", "0");
    for (name, _) in env::vars_os() {
        let is_ours = name.to_str().is_some_and(is_of_a_package);
        if is_ours {
            command.env_remove(name);
        }
    }
    command
}

fn is_of_a_package(name: &str) -> bool {
    OF_A_PACKAGE.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test is itself run by Cargo, with the variables of this package.
    #[test]
    fn a_cargo_within_cargo_knows_nothing_of_the_outer_package() {
        assert!(env::var_os("CARGO_MANIFEST_DIR").is_some());
        let command = command("cargo");
        let removed = |name: &str| command.get_envs().any(|env| env == (OsStr::new(name), None));
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_NAME"));
        let incremental = command.get_envs().find(|(name, _)| *name == "CARGO_INCREMENTAL");
        assert_eq!(incremental.and_then(|(_, value)| value), Some(OsStr::new("0")));
        assert!(!removed("PATH") && !is_of_a_package("CARGO_TARGET_DIR"));
    }
}
