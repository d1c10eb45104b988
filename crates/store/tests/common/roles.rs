//! This test program, run again as a process of its own that may die, or that has a small disk.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const HERE: &str = "ASSAY_STORE_ROLE_HERE";

/// The folder that a role works in. Absent where the role is run as a test of its own.
pub(crate) fn here() -> Option<PathBuf> {
    env::var_os(HERE).map(PathBuf::from)
}

/// Starts the test named `role` in a process of its own.
pub(crate) fn start(role: &str, here: &Path) -> Child {
    command(Command::new(env::current_exe().unwrap()), role, here).spawn().unwrap()
}

/// Runs the test named `role` with a disk of `size` (`4m`) mounted at `here`, and fails if it does.
/// Where nothing may be mounted it says so.
pub(crate) fn on_a_small_disk(role: &str, size: &str, here: &Path) {
    let mount = format!("mount -t tmpfs -o size={size} none \"${HERE}\"");
    let shell = |what: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", what]).env(HERE, here);
        command
    };
    if !shell(&mount).output().is_ok_and(|output| output.status.success()) {
        assert!(env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none(), "nothing may be mounted here");
        eprintln!("skipped: nothing may be mounted here, so there is no small disk");
        return;
    }
    let mut run = shell(&format!("{mount} && exec \"$0\" \"$@\""));
    run.arg(env::current_exe().unwrap());
    let output = command(run, role, here).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "the role did not run: {said}");
}

pub(crate) fn command(mut program: Command, role: &str, here: &Path) -> Command {
    program.args(["--exact", "--nocapture", role]).env(HERE, here).stdout(Stdio::piped());
    program
}
