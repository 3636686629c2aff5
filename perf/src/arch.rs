//! The two architectures whose instructions are counted. Pure.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Root of Debian's libraries for arm32 programs on another machine.
const ARM32_ROOT: &str = "/usr/arm-linux-gnueabihf";

/// Makes glibc on x86-64 copy in the same way on every machine (package `stages` tells why).
const COPY_ALIKE: &str = "glibc.cpu.x86_rep_movsb_threshold=0x40000000:\
    glibc.cpu.x86_rep_stosb_threshold=0x40000000:\
    glibc.cpu.x86_non_temporal_threshold=0x40000000";

/// What the counted programs are built for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// x86-64, counted by callgrind.
    Amd64,
    /// 32-bit ARM (armv7, hard float), counted under qemu-arm.
    Arm32,
}

/// A program that the gate runs, and the Debian packages that bring it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// As looked for in `PATH`.
    pub program: &'static str,
    /// What to install.
    pub packages: &'static str,
}

const fn tool(program: &'static str, packages: &'static str) -> Tool {
    Tool { program, packages }
}

const CC: Tool = tool("cc", "gcc libc6-dev");
const AMD64_TOOLS: [Tool; 3] = [CC, tool("strip", "binutils"), tool("valgrind", "valgrind")];
const ARM32_TOOLS: [Tool; 4] = [
    CC,
    tool("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"),
    tool("arm-linux-gnueabihf-strip", "binutils-arm-linux-gnueabihf"),
    tool("qemu-arm", "qemu-user"),
];

impl Arch {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm32];

    /// As in file names and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm32 => "arm32",
        }
    }

    /// Everything that counting takes beside cargo.
    pub fn tools(self) -> &'static [Tool] {
        match self {
            Self::Amd64 => &AMD64_TOOLS,
            Self::Arm32 => &ARM32_TOOLS,
        }
    }

    /// The program that counts.
    pub fn counter(self) -> &'static str {
        match self {
            Self::Amd64 => "valgrind",
            Self::Arm32 => "qemu-arm",
        }
    }

    /// The program that strips binaries of symbols.
    pub fn strip(self) -> &'static str {
        match self {
            Self::Amd64 => "strip",
            Self::Arm32 => "arm-linux-gnueabihf-strip",
        }
    }

    /// Whether a host (as Rust names its architecture) can count for it. QEMU runs everywhere,
    /// callgrind on its own kind alone.
    pub fn counts_on(self, host: &str) -> bool {
        match self {
            Self::Amd64 => host == "x86_64",
            Self::Arm32 => true,
        }
    }

    /// What builds the counted programs, in the root folder of the workspace.
    pub fn build(self) -> (&'static str, Vec<&'static str>) {
        const BUILD: [&str; 7] =
            ["build", "--quiet", "--release", "--package", "stages", "--package", "sluicegate"];
        match self {
            Self::Amd64 => ("cargo", BUILD.into()),
            Self::Arm32 => ("deploy/cross", ["arm32"].into_iter().chain(BUILD).collect()),
        }
    }

    /// Where the build leaves them, when cargo's own folder is `target`.
    pub fn programs(self, root: &Path, target: &Path) -> PathBuf {
        match self {
            Self::Amd64 => root.join(target).join("release"),
            // The script has a folder of its own, whatever cargo is told.
            Self::Arm32 => root.join("target/cross/armv7-unknown-linux-gnueabihf/release"),
        }
    }

    /// The C library that they are run with.
    pub fn libc(self) -> PathBuf {
        match self {
            Self::Amd64 => PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"),
            Self::Arm32 => Path::new(ARM32_ROOT).join("lib/libc.so.6"),
        }
    }

    /// All variables that the counted programs have.
    pub fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Amd64 => &[("GLIBC_TUNABLES", COPY_ALIKE)],
            Self::Arm32 => &[],
        }
    }

    /// What stands before a program to run it: `path` is the counter's.
    pub fn run_prefix(self, path: &Path) -> Vec<String> {
        match self {
            Self::Amd64 => Vec::new(),
            Self::Arm32 => vec![path.display().to_string(), "-L".to_owned(), ARM32_ROOT.to_owned()],
        }
    }

    /// What stands before a program to count it: `path` is the counter's, `plugin` that of the
    /// built `count.c`.
    pub fn count_prefix(self, path: &Path, plugin: &Path) -> Vec<String> {
        let mut prefix = self.run_prefix(path);
        match self {
            Self::Amd64 => {
                prefix.push(path.display().to_string());
                prefix.push("--tool=callgrind".to_owned());
                prefix.push("--callgrind-out-file=/dev/null".to_owned());
                // A name with its process id in it would be part of what the program reads.
                prefix.push("--vgdb=no".to_owned());
            }
            Self::Arm32 => {
                prefix.push("-plugin".to_owned());
                prefix.push(plugin.display().to_string());
            }
        }
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is run is among the tools that are looked for.
    #[test]
    fn every_program_is_a_tool() {
        for arch in Arch::ALL {
            for program in [arch.counter(), arch.strip()] {
                assert!(arch.tools().iter().any(|tool| tool.program == program), "{program}");
            }
        }
        assert!(Arch::Arm32.counts_on("aarch64") && !Arch::Amd64.counts_on("aarch64"));
        assert!(Arch::ALL.iter().all(|arch| arch.counts_on("x86_64")));
    }

    #[test]
    fn prefixes_name_the_counter() {
        let (path, plugin) = (Path::new("/bin/counter"), Path::new("/t/count.so"));
        assert_eq!(Arch::Amd64.run_prefix(path), [""; 0]);
        assert_eq!(
            Arch::Amd64.count_prefix(path, plugin)[..2],
            ["/bin/counter", "--tool=callgrind"]
        );
        assert_eq!(
            Arch::Arm32.count_prefix(path, plugin),
            ["/bin/counter", "-L", ARM32_ROOT, "-plugin", "/t/count.so"]
        );
    }
}
