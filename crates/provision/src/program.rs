//! One installer or interpreter, run to its end.

use crate::{error::ProvisionError, folder::Scratch, recipe::Settings};
use assay_exec::{Cage, Job, Limits, Network, Room, clean_environment, run};
use assay_model::ToolEnd;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An interpreter that does not tell its version within this is broken.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A start that is being put together.
#[derive(Debug)]
pub(crate) struct Program {
    cage: Cage,
    path: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) end: ToolEnd,
    pub(crate) stdout: String,
    pub(crate) stderr_tail: String,
}

// === impl Program ===

impl Program {
    /// With a clean environment: the user's `PATH`, home and way to the network, nothing else.
    pub(crate) fn new(path: &Path, settings: &Settings, scratch: &Scratch) -> Self {
        let home = settings.var("HOME").map_or_else(|| scratch.path().into(), PathBuf::from);
        let mut env =
            clean_environment(&settings.path_dirs(), &home, scratch.path(), Network::None);
        for (name, value) in &settings.env {
            if is_about_the_network(&name.to_string_lossy()) {
                env.insert(name.clone(), value.clone());
            }
        }
        Self { cage: settings.cage.clone(), path: path.to_owned(), args: Vec::new(), env }
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Runs it in the scratch folder until `deadline`.
    pub(crate) async fn run(
        self,
        scratch: &Scratch,
        deadline: Instant,
        cancel: &CancellationToken,
    ) -> Result<Ran, ProvisionError> {
        let stdout = scratch.path().join("stdout");
        let job = Job {
            program: self.path,
            args: self.args,
            cwd: scratch.path().to_owned(),
            env: self.env,
            stdout: stdout.clone(),
            stderr: scratch.path().join("stderr"),
            room: Room::default(),
            network: Network::Declared,
            limits: Limits::default(),
            deadline,
            grace: Duration::ZERO,
        };
        let ended = run(&self.cage, job, cancel.clone()).await;
        if ended.end == ToolEnd::Cancelled {
            return Err(ProvisionError::Cancelled);
        }
        let stdout = fs::read(&stdout).map_err(|error| ProvisionError::io(&stdout, error));
        let stdout = String::from_utf8_lossy(&stdout.unwrap_or_default()).into_owned();
        Ok(Ran { end: ended.end, stdout, stderr_tail: ended.stderr_tail })
    }

    /// Runs it for a short answer.
    pub(crate) async fn ask(
        self,
        scratch: &Scratch,
        cancel: &CancellationToken,
    ) -> Result<String, ProvisionError> {
        let program = self.path.clone();
        let ran = self.run(scratch, Instant::now() + ANSWER_MAX, cancel).await?;
        match ran.end {
            ToolEnd::Exited { code: 0 } => Ok(ran.stdout.trim().to_owned()),
            end => {
                let last = ran.stderr_tail.lines().last().unwrap_or_default();
                let why = if last.is_empty() { end.to_string() } else { format!("{end}: {last}") };
                Err(ProvisionError::Broken { program, why })
            }
        }
    }
}

// === impl Ran ===

impl Ran {
    /// Nothing, or why the installation of `what` failed.
    pub(crate) fn installed(self, what: &str, settings: &Settings) -> Result<(), ProvisionError> {
        let what = what.to_owned();
        let full = ["No space left on device", "ENOSPC", "os error 28", "Disk quota exceeded"];
        match self.end {
            ToolEnd::Exited { code: 0 } => Ok(()),
            ToolEnd::TimedOut => Err(ProvisionError::TimedOut {
                what,
                minutes: settings.install_time_max.as_secs() / 60,
            }),
            _ if full.iter().any(|words| self.stderr_tail.contains(words)) => {
                Err(ProvisionError::DiskFull { path: settings.cache.clone() })
            }
            end => Err(ProvisionError::InstallerFailed {
                what,
                why: end.to_string(),
                stderr_tail: self.stderr_tail,
            }),
        }
    }
}

fn is_about_the_network(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    matches!(upper.as_str(), "ALL_PROXY" | "HTTP_PROXY" | "HTTPS_PROXY" | "NO_PROXY")
        || matches!(name, "SSL_CERT_FILE" | "SSL_CERT_DIR" | "NODE_EXTRA_CA_CERTS" | "NETRC")
}
