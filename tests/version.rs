//! What the program tells of its version.

use std::path::Path;
use std::process::Command;

use build_info::{digest, sources};

/// Name, version, and in parentheses the sources: those of this tree. Nothing of where it lies.
#[test]
fn the_version_tells_the_sources() {
    let output = Command::new(env!("CARGO_BIN_EXE_sluicegate")).arg("--version").output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let start = concat!("sluicegate ", env!("CARGO_PKG_VERSION"), " (");
    assert!(said.starts_with(start) && said.ends_with(")\n"), "{said:?}");
    let expected = digest(Path::new(env!("CARGO_MANIFEST_DIR")), "sluicegate").unwrap();
    assert_eq!(sources(&said), Some(expected.as_str()), "{said}");
    assert!(!said.contains('/'), "{said}");
}
