//! What every test of running needs: a folder, a job for the fake tool, who is in it.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use assay_exec::{Ended, Job, Limits, Network, clean_environment, run};
use std::{fs, path::PathBuf, time::Duration};
use testkit::{TempDir, fake_tool, lives, tempdir, wait_until};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// No run of these takes a tenth of it.
pub(crate) const LONG: Duration = Duration::from_mins(1);

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { dir: tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A job for the fake tool, which notes its process id and those of its children.
    pub(crate) fn job(&self, steps: &str) -> Job {
        let pids = format!("pid-file={}", self.path("pids").display());
        let steps = steps.split_whitespace().map(str::to_owned);
        Job {
            program: fake_tool(),
            args: std::iter::once(pids).chain(steps).map(Into::into).collect(),
            cwd: self.dir.path().to_owned(),
            env: clean_environment(
                &["/usr/bin".into(), "/bin".into()],
                self.dir.path(),
                self.dir.path(),
                Network::None,
            ),
            stdout: self.path("stdout"),
            stderr: self.path("stderr"),
            limits: Limits::default(),
            deadline: Instant::now() + LONG,
            grace: Duration::ZERO,
        }
    }

    pub(crate) async fn run(&self, steps: &str) -> Ended {
        run(self.job(steps), CancellationToken::new()).await
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.path("stdout")).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.path("pids")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    pub(crate) async fn until_there_are(&self, count: usize) {
        let path = self.path("pids");
        let there = tokio::task::spawn_blocking(move || {
            wait_until(LONG, || {
                fs::read_to_string(&path).unwrap_or_default().lines().count() == count
            })
        });
        assert!(there.await.unwrap(), "{count} processes were to start: {:?}", self.pids());
    }

    /// Nobody that was started runs, at once.
    #[track_caller]
    pub(crate) fn all_are_gone(&self, count: usize) {
        let pids = self.pids();
        assert_eq!(pids.len(), count, "{pids:?}");
        for pid in pids {
            assert!(!lives(pid), "process {pid} lives");
        }
    }

    /// Nobody that was started runs, soon.
    #[track_caller]
    pub(crate) fn all_are_soon_gone(&self, count: usize) {
        let pids = self.pids();
        assert_eq!(pids.len(), count, "{pids:?}");
        assert!(wait_until(LONG, || !pids.iter().any(|pid| lives(*pid))), "{pids:?} live");
    }
}
