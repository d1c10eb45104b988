//! A file system that can be filled and emptied: a tmpfs of a bounded size.
//!
//! Keeps: it is mounted in a mount namespace of the test's own, so that nothing is left of it
//! whatever becomes of the test.

use rustix::mount::{MountFlags, mount};
use std::{
    env,
    ffi::CString,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// Set where this process has mounts of its own.
const INSIDE: &str = "ASSAY_TEST_OWN_MOUNTS";

/// A small disk, mounted for as long as the process lives.
#[derive(Debug)]
pub struct SmallDisk {
    dir: PathBuf,
}

/// Runs the test `name` again in a process that may mount, and says how it ended: `true` here means
/// that the test has been run and was passed. `false`: this process is that one, or none can be had;
/// [`SmallDisk::mount`] then says which.
///
/// # Panics
///
/// If the test fails there.
pub fn with_mounts_of_its_own(name: &str) -> bool {
    if env::var_os(INSIDE).is_some() || !rustix::process::geteuid().is_root() {
        return false;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]);
    let can = command.arg("true").status().is_ok_and(|status| status.success());
    if !can {
        return false;
    }
    let own = env::current_exe().expect("a running test has a path");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]).arg(own);
    let status = command.args(["--exact", "--nocapture", name]).env(INSIDE, "1").status();
    assert!(status.is_ok_and(|status| status.success()), "`{name}` failed, see above");
    true
}

// === impl SmallDisk ===

impl SmallDisk {
    /// Mounts a disk of so many MiB at a folder. `None` where nothing may be mounted.
    pub fn mount(dir: &Path, mib: u32) -> Option<Self> {
        env::var_os(INSIDE)?;
        let size = CString::new(format!("size={mib}m")).ok()?;
        mount("none", dir, "tmpfs", MountFlags::empty(), Some(size.as_c_str())).ok()?;
        Some(Self { dir: dir.to_owned() })
    }

    /// Takes all the room that is left.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken for another reason than that there is no more.
    pub fn fill(&self) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.filling())?;
        for size in [64 << 10, 4 << 10, 1] {
            let block = vec![0; size];
            loop {
                match file.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives it back.
    pub fn free(&self) {
        fs::remove_file(self.filling()).ok();
    }

    fn filling(&self) -> PathBuf {
        self.dir.join("filling")
    }
}
