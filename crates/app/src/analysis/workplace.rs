//! The folders of one analysis: the copy of the app, and a private one for every tool.

use super::{files, staging::Staging};
use crate::failure::Failure;
use assay_exec::{Access, Cage, Shown};
use assay_model::ToolId;
use assay_source::{Stage, is_going, remove_tree};
use assay_tools::Places;
use camino::{Utf8Path, Utf8PathBuf};
use std::{
    ffi::CStr,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

/// A temporary folder, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Workplace {
    root: Utf8PathBuf,
    project: Utf8PathBuf,
    assay: Utf8PathBuf,
    cage: Cage,
    _guard: tempfile::TempDir,
    /// Held as long as this process lives, however it ends.
    _lock: File,
}

const PREFIX: &str = "assay-";
const LOCK: &CStr = c"lock";

/// All that a workplace may hold. A folder with anything else in it is somebody else's.
const ENTRIES: &[&str] = &["lock", "project", "tools", "canaries", "artifacts"];

/// A killed tool is gone within hundredths of a second; a second is for a machine that is busy.
const REMOVE_TRIES: u32 = 100;
const REMOVE_PAUSE: Duration = Duration::from_millis(10);

/// Removes what killed analyses left behind: a whole copy of an app each. A folder whose lock can
/// be taken has no process any more.
fn sweep(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let is_named_so = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_named_so || !is_folder || !is_workplace(&entry.path()) {
            continue;
        }
        let Ok(lock) = files::open_regular(&entry.path().join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            // What belongs to another user stays; the system says no.
            remove_tree(&entry.path(), Some(LOCK)).ok();
        }
    }
}

fn is_workplace(folder: &Path) -> bool {
    let is_known = |name: &str| ENTRIES.contains(&name) || is_going(name);
    let names =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.map(|e| e.file_name()));
    names.into_iter().all(|name| name.is_ok_and(|name| name.to_str().is_some_and(is_known)))
}

impl Drop for Workplace {
    /// Removes everything. What was stopped in the same moment may still write for a little while.
    fn drop(&mut self) {
        for _ in 0..REMOVE_TRIES {
            match remove_tree(self.root.as_std_path(), Some(LOCK)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    thread::sleep(REMOVE_PAUSE);
                }
                _ => return,
            }
        }
    }
}

/// A tool's part of the workplace.
#[derive(Clone, Debug)]
pub(crate) struct Corner {
    root: Utf8PathBuf,
    pub(crate) project: Utf8PathBuf,
    assay: Utf8PathBuf,
    pub(crate) cage: Cage,
}

/// Where a tool sees its folders, the same on every machine and in every analysis, so that what it
/// says does not depend on where things lie.
mod inside {
    pub(super) const PROJECT: &str = "/assay/project";
    pub(super) const SCRATCH: &str = "/assay/scratch";
    pub(super) const CONFIG: &str = "/assay/config";
    pub(super) const HOME: &str = "/assay/home";
    pub(super) const TMP: &str = "/assay/tmp";
}

// === impl Workplace ===

impl Workplace {
    pub(crate) fn new(cage: Cage) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::usage("there is no place for temporary files")
                .because(error)
                .hint("set TMPDIR to a folder that you may write to")
        };
        sweep(&std::env::temp_dir());
        let guard = tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(failed)?;
        // Held before it has its name: a sweep in between would take the folder for a dead one's.
        let unnamed = guard.path().join("lock.new");
        let lock = File::create(&unnamed).map_err(failed)?;
        lock.lock().map_err(failed)?;
        fs::rename(&unnamed, guard.path().join("lock")).map_err(failed)?;
        let path = guard.path().canonicalize().map_err(failed)?;
        let root = Utf8PathBuf::from_path_buf(path).map_err(|path| {
            Failure::usage(format!(
                "the folder for temporary files, `{}`, is not UTF-8",
                path.display()
            ))
            .hint("set TMPDIR to a folder whose name is")
        })?;
        let assay = std::env::current_exe().map_err(failed)?;
        let assay = Utf8PathBuf::from_path_buf(assay).map_err(|path| {
            Failure::usage(format!("the path of this program, `{}`, is not UTF-8", path.display()))
                .hint("move it to a folder whose name is")
        })?;
        let project = root.join("project");
        fs::create_dir(&project).map_err(failed)?;
        Ok(Self { root, project, assay, cage, _guard: guard, _lock: lock })
    }

    pub(crate) fn cage(&self) -> &Cage {
        &self.cage
    }

    /// The folder for the copy of the app.
    pub(crate) fn project(&self) -> &Utf8Path {
        &self.project
    }

    /// The folder for files that tools make for the reader.
    pub(crate) fn artifacts(&self) -> Utf8PathBuf {
        self.root.join("artifacts")
    }

    /// A place for one run of one tool on the app.
    pub(crate) fn corner(&self, tool: &ToolId) -> Corner {
        let root = self.root.join("tools").join(tool.as_str());
        Corner {
            root,
            project: self.project.clone(),
            assay: self.assay.clone(),
            cage: self.cage.clone(),
        }
    }

    /// A place for the self-test of a tool, with a project of its own.
    pub(crate) fn canary_corner(&self, tool: &ToolId, sample: &str) -> Corner {
        let root = self.root.join("canaries").join(tool.as_str()).join(sample);
        Corner {
            project: root.join("project"),
            root,
            assay: self.assay.clone(),
            cage: self.cage.clone(),
        }
    }
}

// === impl Corner ===

impl Corner {
    /// The folders that the tool's placeholders stand for, as the tool sees them.
    pub(crate) fn places(&self, prefix: Utf8PathBuf) -> Places {
        Places {
            project: self.seen(inside::PROJECT, &self.project),
            scratch: self.seen(inside::SCRATCH, &self.root.join("scratch")),
            config: self.seen(inside::CONFIG, &self.root.join("config")),
            prefix,
            assay: self.assay.clone(),
        }
    }

    fn seen(&self, inside: &str, outside: &Utf8Path) -> Utf8PathBuf {
        if self.cage.has_own_paths() { inside.into() } else { outside.to_owned() }
    }

    /// Every folder that the tool sees, with where it lies.
    fn folders(&self) -> [(&'static str, Utf8PathBuf, Access); 5] {
        [
            (inside::PROJECT, self.project.clone(), Access::Data),
            (inside::CONFIG, self.root.join("config"), Access::Data),
            (inside::SCRATCH, self.root.join("scratch"), Access::Write),
            (inside::HOME, self.root.join("home"), Access::Write),
            (inside::TMP, self.root.join("tmp"), Access::Write),
        ]
    }

    /// The program that we are, for analyzers that are built in.
    pub(crate) fn assay(&self) -> &Path {
        self.assay.as_std_path()
    }

    /// What the tool is shown of our folders.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let shown = |(inside, outside, access): (&str, Utf8PathBuf, Access)| Shown {
            to: self.seen(inside, &outside).into_std_path_buf(),
            from: outside.into_std_path_buf(),
            access,
        };
        self.folders().into_iter().map(shown).collect()
    }

    /// Where a file lies that the tool sees under this path.
    pub(crate) fn outside(&self, path: &Utf8Path) -> Utf8PathBuf {
        if !self.cage.has_own_paths() {
            return path.to_owned();
        }
        let lies = |(inside, outside, _): (&str, Utf8PathBuf, _)| {
            path.strip_prefix(inside).ok().map(|rest| outside.join(rest))
        };
        self.folders().into_iter().find_map(lies).unwrap_or_else(|| path.to_owned())
    }

    /// Gives the tool a project of its own, if it is not to see the copy as it is.
    ///
    /// # Cancel safety
    ///
    /// Dropped midway, the tree is finished and then removed.
    pub(crate) async fn stage(
        &mut self,
        staging: Option<Arc<Staging>>,
    ) -> io::Result<Option<Stage>> {
        let Some(staging) = staging else { return Ok(None) };
        fs::create_dir_all(&self.root)?;
        let into = self.root.join("project");
        let making = into.clone().into_std_path_buf();
        let made = tokio::task::spawn_blocking(move || staging.make(&making)).await;
        let stage = made.map_err(io::Error::other)??;
        self.project = into;
        Ok(Some(stage))
    }

    /// Its private home, as it sees it.
    pub(crate) fn home(&self) -> Utf8PathBuf {
        self.seen(inside::HOME, &self.root.join("home"))
    }

    /// Its private temporary folder, as it sees it.
    pub(crate) fn tmp(&self) -> Utf8PathBuf {
        self.seen(inside::TMP, &self.root.join("tmp"))
    }

    /// Makes the folders and the neutral configuration files.
    pub(crate) fn furnish<'a>(
        &self,
        places: &Places,
        files: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> io::Result<()> {
        for folder in [&places.scratch, &places.config, &self.home(), &self.tmp()] {
            fs::create_dir_all(self.outside(folder))?;
        }
        for (name, text) in files {
            let path = self.outside(&places.config).join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, text)?;
        }
        Ok(())
    }

    /// Removes everything but the project. What is left is removed with the workplace.
    pub(crate) fn clear(&self) {
        for folder in ["scratch", "config", "home", "tmp", "project"] {
            remove_tree(self.root.join(folder).as_std_path(), None).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_analysis_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["assay-dead", "assay-alive", "assay-thesis", "assay-bare", "other"] {
            fs::create_dir_all(at(name).join("project/deep")).unwrap();
            if name != "assay-bare" {
                fs::write(at(name).join("lock"), "").unwrap();
            }
        }
        // One whose removal was itself cut off.
        fs::create_dir(at("assay-dead/assay-going-3")).unwrap();
        fs::write(at("assay-thesis/thesis.txt"), "years").unwrap();
        let lock = File::open(at("assay-alive/lock")).unwrap();
        lock.lock().unwrap();
        sweep(dir.path());
        let left = |name: &&str| at(name).join("project/deep").exists();
        let stay = ["assay-alive", "assay-thesis", "assay-bare", "other"];
        assert!(stay.iter().all(left), "{:?}", stay.map(|name| left(&name)));
        assert!(!at("assay-dead").exists());
    }
}
