//! Every way in which a tool cannot be had, and the one step that mends it.

use std::{io, path::Path, path::PathBuf};

/// Why a tool is not there.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    #[error("no Python is on PATH, and 3.10 or newer is needed")]
    NoPython,
    #[error("`{path}` is Python {found}, and {needed} or newer is needed", path = .path.display())]
    PythonTooOld { path: PathBuf, found: String, needed: String },
    #[error("no Node is on PATH, and 20 or newer is needed")]
    NoNode,
    #[error("`{path}` is Node {found}, and 20 or newer is needed", path = .path.display())]
    NodeTooOld { path: PathBuf, found: String },
    #[error("no `npm` is on PATH")]
    NoNpm,
    #[error("`{program}` {}", if program.starts_with('/') { "is not there" } else { "is not on PATH" })]
    NotOnPath { program: String, mend: String },
    #[error("`{program}` {}, and {wanted} is needed", is_of(found.as_deref()), program = .program.display())]
    WrongVersion { program: PathBuf, found: Option<String>, wanted: String, mend: String },
    #[error("`{program}` is there but does not run: {why}")]
    Broken { program: PathBuf, why: String },
    #[error("{what} is not installed, and `--offline` forbids to fetch it")]
    Offline { what: String },
    #[error("`{file}` could not be fetched from `{host}`: {why}")]
    Download { file: String, host: String, why: String },
    #[error("`{file}` has the SHA-256 {found}, and {expected} was pinned")]
    HashMismatch { file: String, expected: String, found: String },
    #[error("`uv` has no pinned build for {platform}")]
    NoInstaller { platform: String },
    #[error("installing {what} failed: {why}")]
    InstallerFailed { what: String, why: String, stderr_tail: String },
    #[error("installing {what} took longer than {minutes} minutes")]
    TimedOut { what: String, minutes: u64 },
    #[error("no space is left for `{path}`", path = .path.display())]
    DiskFull { path: PathBuf },
    #[error("`{path}`: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the lock of {what} is not valid: {why}")]
    BadLock { what: String, why: String },
    #[error("it was cancelled")]
    Cancelled,
}

// === impl ProvisionError ===

impl ProvisionError {
    /// The one step that mends it, where one is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoPython => "install Python 3.10 or newer: apt-get install python3".to_owned(),
            Self::PythonTooOld { needed, .. } => {
                format!("install Python {needed} or newer and put it first on PATH as `python3`")
            }
            Self::NoNode => "install Node 20 or newer: apt-get install nodejs npm".to_owned(),
            Self::NodeTooOld { .. } => {
                "install Node 20 or newer and put it first on PATH".to_owned()
            }
            Self::NoNpm => "install npm: apt-get install npm".to_owned(),
            Self::NotOnPath { mend, .. } | Self::WrongVersion { mend, .. } => mend.clone(),
            Self::Broken { program, .. } => {
                format!("run `{}` yourself and mend what it says", program.display())
            }
            Self::Offline { .. } => {
                "install it once with the network: assay tools install".to_owned()
            }
            Self::Download { .. } => {
                "check the network, HTTPS_PROXY and SSL_CERT_FILE, or name a reachable package \
                 index in PIP_INDEX_URL"
                    .to_owned()
            }
            Self::HashMismatch { .. } => {
                "the package index serves another file than the pinned one: ask who runs it"
                    .to_owned()
            }
            Self::InstallerFailed { .. } | Self::TimedOut { .. } => {
                "try again: assay tools install".to_owned()
            }
            Self::DiskFull { .. } => {
                "make room, or set XDG_CACHE_HOME to a disk that has some".to_owned()
            }
            Self::Io { .. } => "set XDG_CACHE_HOME to a folder that you may write to".to_owned(),
            Self::NoInstaller { .. } | Self::BadLock { .. } | Self::Cancelled => return None,
        };
        Some(hint)
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, source },
        }
    }
}

fn is_of(found: Option<&str>) -> String {
    match found {
        Some(version) => format!("is of version {version}"),
        None => "does not tell its version".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_not_just_any_error_of_the_disk() {
        let full = ProvisionError::io(Path::new("/x"), io::ErrorKind::StorageFull.into());
        assert!(matches!(full, ProvisionError::DiskFull { .. }));
        let other = ProvisionError::io(Path::new("/x"), io::ErrorKind::NotADirectory.into());
        assert!(matches!(other, ProvisionError::Io { .. }));
    }
}
