//! The builds of the program under test, and what starts them.

use std::process::Command;

use build_info::sources;

/// Where `deploy/cross arm32 build --release` leaves the program.
const ARM32: &str = "target/cross/armv7-unknown-linux-gnueabihf/release/sluicegate";
/// What runs it here: system calls are this machine's, every instruction is emulated.
const ARM32_EMULATOR: [&str; 3] = ["qemu-arm", "-L", "/usr/arm-linux-gnueabihf"];

/// A build of `sluicegate`: the words that start it, an emulator's in front where it needs one.
#[derive(Debug, Clone)]
pub(crate) struct Program(Vec<String>);

impl Program {
    /// The build for this machine, of the sources as they are now.
    #[track_caller]
    pub(crate) fn host() -> Self {
        let path = test_support::program("sluicegate");
        Self(vec![path.to_str().expect("a path in UTF-8").to_owned()])
    }

    /// The build for 32-bit ARM, under emulation. It must be there: nothing here builds it.
    #[track_caller]
    pub(crate) fn arm32() -> Self {
        let path = test_support::root().join(ARM32);
        assert!(
            path.is_file(),
            "{} is missing: run `deploy/cross arm32 build --release`, or the whole step: \
             `tests/run arm32`",
            path.display()
        );
        let words = ARM32_EMULATOR.iter().map(|word| (*word).to_owned());
        let program =
            Self(words.chain([path.to_str().expect("a path in UTF-8").to_owned()]).collect());
        assert_eq!(
            program.sources(),
            Self::host().sources(),
            "{} was built from other sources than these tests: run `deploy/cross arm32 build \
             --release`",
            path.display()
        );
        program
    }

    /// The digest of what it was built from.
    #[track_caller]
    fn sources(&self) -> String {
        let output = self.command().arg("--version").output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout);
        sources(&said).unwrap_or_else(|| panic!("it tells no sources: {said}")).to_owned()
    }

    /// The words of the program's command line that stand before its own arguments.
    pub(crate) fn words(&self) -> &[String] {
        &self.0
    }

    /// The command that starts it with an empty environment, so that nothing leaks in from outside.
    /// It hears SIGHUP even when the tests run where that is ignored, as under `nohup`, because a
    /// child inherits what its parent ignores.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("/usr/bin/env");
        command.env_clear();
        command.arg("--default-signal=HUP").args(&self.0);
        command
    }
}
