//! Where results go.
//!
//! Keeps: results go where the user looks for them, and if they cannot, it is said where they went
//! and why. A `.assay` that is a link is not followed: the analysed app may have brought it.

use crate::{RunLog, StoreError, TaskFolder, TaskInfo, disk::make_folders};
use assay_model::AppRef;
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// Where the results of one analysis are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The task folder, absolute.
    pub dir: PathBuf,
    /// Why it is not under the working directory, where it is not.
    pub fell_back: Option<String>,
}

/// The folders under which task folders are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsRoot {
    working_directory: PathBuf,
    state_home: Option<PathBuf>,
}

// === impl ResultsRoot ===

impl ResultsRoot {
    /// `working_directory` must be absolute; for `state_home` see [`state_home`].
    pub fn new(working_directory: &Path, state_home: Option<PathBuf>) -> Self {
        Self { working_directory: working_directory.to_owned(), state_home }
    }

    /// All folders that [`list`](crate::list) should look into.
    pub fn roots(&self) -> Vec<PathBuf> {
        let here = [".assay/results", "results"].map(|name| self.working_directory.join(name));
        here.into_iter().chain(self.state_root()).collect()
    }

    pub(crate) fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// Where results go if they cannot go where the user looks for them.
    pub(crate) fn state_root(&self) -> Option<PathBuf> {
        self.state_home.as_ref().map(|home| home.join("assay/results"))
    }

    /// Makes the task folder of an analysis. With `output` that is the folder itself, which has to
    /// be absent, empty or ours; ours is cleared of the older analysis.
    pub fn create(
        &self,
        info: &TaskInfo,
        output: Option<&Path>,
    ) -> Result<(TaskFolder, RunLog), StoreError> {
        if let Some(output) = output {
            return TaskFolder::create_in(&self.working_directory.join(output), info);
        }
        let wanted = self.wanted(info);
        let here =
            self.prepare(&wanted).and_then(|()| TaskFolder::create_new(wanted.clone(), info));
        let here = match here {
            // The name is taken, which is no reason to look for another place.
            Ok(_) | Err(StoreError::Exists { .. }) => return here,
            Err(error) => error,
        };
        let nowhere =
            |elsewhere| StoreError::Nowhere { path: wanted.clone(), why: cause(&here), elsewhere };
        let Some(root) = self.state_root() else {
            return Err(nowhere("neither `XDG_STATE_HOME` nor `HOME` is set".to_owned()));
        };
        let (mut folder, log) = make_folders(&root)
            .map_err(|error| StoreError::io("made", &root, error))
            .and_then(|()| TaskFolder::create_new(root.join(info.task.as_str()), info))
            .map_err(|error| match error {
                // Taken here too: whoever tries again under another name has to know.
                StoreError::Exists { .. } => error,
                other => nowhere(other.in_full()),
            })?;
        folder.fell_back(format!("`{}`: {}", wanted.display(), cause(&here)));
        Ok((folder, log))
    }

    fn wanted(&self, info: &TaskInfo) -> PathBuf {
        let here = &self.working_directory;
        match &info.app {
            AppRef::Path { .. } => here.join(".assay/results").join(info.task.as_str()),
            AppRef::ModelApp { model, number } => here
                .join("results")
                .join(model.as_str())
                .join(format!("app{number}"))
                .join(format!("task_{}", info.task)),
        }
    }

    /// Makes the folders above a task folder.
    fn prepare(&self, wanted: &Path) -> Result<(), StoreError> {
        let ours = self.working_directory.join(".assay");
        if wanted.starts_with(&ours) {
            for path in [&ours, &ours.join("results")] {
                if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
                    let link = io::Error::other("it is a link, and the app may have brought it");
                    return Err(StoreError::io("used", path, link));
                }
            }
            let is_new = !ours.exists();
            make_folders(&ours).map_err(|error| StoreError::io("made", &ours, error))?;
            if is_new {
                // So that nobody commits results, as caches of other tools do it. Not vital.
                fs::write(ours.join(".gitignore"), "*\n").ok();
            }
        }
        let above = wanted.parent().unwrap_or(wanted);
        make_folders(above).map_err(|error| StoreError::io("made", above, error))
    }
}

/// What the system said, without the path that the reader sees beside it.
fn cause(error: &StoreError) -> String {
    match error {
        StoreError::Io { source, .. } => source.to_string(),
        StoreError::DiskFull { .. } => "no space is left".to_owned(),
        other => other.to_string(),
    }
}

/// Where state belongs: `XDG_STATE_HOME`, else `~/.local/state`. `var` reads the environment.
pub fn state_home(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    home(var, "XDG_STATE_HOME", ".local/state")
}

/// Where caches belong: `XDG_CACHE_HOME`, else `~/.cache`. `var` reads the environment.
pub fn cache_home(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    home(var, "XDG_CACHE_HOME", ".cache")
}

/// A relative path there is invalid and to be ignored, says the XDG specification.
fn home(var: impl Fn(&str) -> Option<OsString>, name: &str, below: &str) -> Option<PathBuf> {
    let absolute = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(name).or_else(|| absolute("HOME").map(|home| home.join(below)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_state_home_is_ignored() {
        let var = |name: &str| match name {
            "XDG_STATE_HOME" => Some("relative".into()),
            "XDG_CACHE_HOME" => Some("/cache".into()),
            _ => Some("/home/me".into()),
        };
        assert_eq!(state_home(var), Some("/home/me/.local/state".into()));
        assert_eq!(cache_home(var), Some("/cache".into()));
        assert_eq!(state_home(|_| None), None);
    }
}
