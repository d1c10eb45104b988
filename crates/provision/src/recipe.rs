//! What is wanted, and what is there afterwards.

use assay_exec::{Cage, Shim};
use assay_model::Digest;
use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
    time::Duration,
};

/// How a provisioner works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that holds everything.
    pub cache: PathBuf,
    /// Only what is there already.
    pub offline: bool,
    /// The text of `locks/uv-wheels.toml`: which `uv` installs Python packages.
    pub uv_lock: String,
    /// The user's environment: `PATH`, and where pip and npm get their packages from.
    pub env: BTreeMap<OsString, OsString>,
    /// Python packages that are installed at the same time.
    pub at_once: usize,
    /// How long one installation may take.
    pub install_time_max: Duration,
    pub byte_code: ByteCode,
    /// What installers and interpreters run in.
    pub cage: Cage,
}

/// When Python modules are compiled.
///
/// Measured: compiling everything takes a cold installation of 24 targets from 19 s of user CPU
/// time to 35 s; left to the first run it costs that run 0 to 2 s, for what it really uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteCode {
    /// By the first run that needs them. Every run would pay where tools cannot write into their
    /// installation.
    FirstRun,
    /// By the installer.
    Compile,
}

/// What is wanted. The catalogue makes these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// A Python package in an environment of its own; `lock` is a requirements file with hashes.
    Python { name: String, version: String, lock: String },
    /// The one prefix of all npm packages.
    Node { package_json: String, package_lock: String },
    /// A program that the user has, of a version that begins with `version`; `mend` says how to get
    /// it.
    Path { program: String, version_args: Vec<String>, version: Option<String>, mend: String },
    /// A part of Assay. `lock` brings the Python package that holds its data.
    Builtin { name: String, version: String, lock: Option<String> },
}

/// A tool that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub prefix: PathBuf,
    /// Folders for `PATH`, best first. `/usr/bin` and `/bin` belong behind them: the scripts of
    /// Python packages begin in `/bin/sh`.
    pub bin_dirs: Vec<PathBuf>,
    /// The interpreter of its own environment.
    pub python: Option<PathBuf>,
    /// Where its modules and data files are.
    pub site_packages: Option<PathBuf>,
    pub node: Option<PathBuf>,
    /// The user's program, where that is what was asked for.
    pub program: Option<PathBuf>,
    /// Names all that decides how it behaves: lock, installer, interpreter, platform.
    pub digest: Digest,
    pub version: String,
}

/// What is being done about a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Somebody else installs it, or the installers are all at work.
    Waiting,
    Downloading {
        what: String,
        bytes: u64,
        total: u64,
    },
    Installing,
    /// It is there.
    Ready,
}

// === impl Settings ===

impl Settings {
    /// The usual settings, with the environment of this process.
    pub fn new(cache: PathBuf, uv_lock: String) -> Self {
        Self {
            cache,
            offline: false,
            uv_lock,
            env: env::vars_os().collect(),
            at_once: 4,
            install_time_max: Duration::from_mins(15),
            byte_code: ByteCode::Compile,
            cage: Cage::bare(Shim::own()),
        }
    }

    /// `$XDG_CACHE_HOME/assay`, else `$HOME/.cache/assay`. Relative paths there are ignored, as
    /// the standard demands.
    pub fn default_cache() -> Option<PathBuf> {
        let absolute =
            |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        Some(caches?.join("assay"))
    }

    pub(crate) fn var(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.var(name)?.to_str()
    }

    /// The folders of the user's `PATH`; a relative one would depend on where we are started.
    pub(crate) fn path_dirs(&self) -> Vec<PathBuf> {
        let path = self.var("PATH").unwrap_or_default();
        env::split_paths(path).filter(|dir| dir.is_absolute()).collect()
    }
}

// === impl Recipe ===

impl Recipe {
    /// What it is called in messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Python { name, .. } | Self::Builtin { name, .. } => name,
            Self::Node { .. } => "the npm tools",
            Self::Path { program, .. } => program,
        }
    }
}
