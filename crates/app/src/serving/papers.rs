//! The files of a server that runs in the background, all in the state folder.

use crate::failure::Failure;
use assay_store::state_home;
use assay_wire::Analyzer;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Where a server's files are. It need not run, nor ever have run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Papers {
    /// `gateway`, or the first word of a service.
    pub(crate) name: &'static str,
    folder: PathBuf,
}

// === impl Papers ===

impl Papers {
    /// The files of the gateway (with the services of its process), or of one service alone.
    pub(crate) fn of(analyzer: Option<Analyzer>) -> Result<Self, Failure> {
        let home = state_home(|name| env::var_os(name)).ok_or_else(|| {
            Failure::usage("there is no folder for the files of servers")
                .hint("set HOME or XDG_STATE_HOME to an absolute path")
        })?;
        let name = analyzer.map_or("gateway", first_word);
        Ok(Self { name, folder: home.join("assay/servers") })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder.
    pub(crate) fn make_folder(&self) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder).map_err(|error| {
            Failure::usage(format!("`{}` cannot be made", self.folder.display()))
                .because(error)
                .hint("check XDG_STATE_HOME, and that you may write there")
        })
    }

    /// Its number, held while it runs.
    pub(crate) fn pid(&self) -> PathBuf {
        self.file("pid")
    }

    /// What it logs, as lines of JSON.
    pub(crate) fn log(&self) -> PathBuf {
        self.file("log")
    }

    /// What it says before it can log, and where it panics.
    pub(crate) fn errors(&self) -> PathBuf {
        self.file("err")
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }
}

fn first_word(analyzer: Analyzer) -> &'static str {
    let name = analyzer.as_str();
    name.split_once('-').map_or(name, |(first, _)| first)
}
