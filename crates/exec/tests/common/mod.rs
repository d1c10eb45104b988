//! What every test of running needs: a folder, a job for the fake tool, who is in it.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use assay_exec::{
    Access, Cage, Ended, Job, Limits, Network, Room, Shim, Shown, clean_environment, run,
};
use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use testkit::{TempDir, fake_tool, marked, parent_of, tempdir, wait_until};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// No run of these takes a tenth of it.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// What a tool leaves behind to survive: a child in its group, one in a session of its own, a daemon,
/// one that is deaf to TERM.
pub(crate) const SURVIVORS: [&str; 4] = ["spawn-child", "setsid-child", "daemon", "deaf-child"];

/// Kills several at once.
pub(crate) fn kill(pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    // Who dies with the first of them is gone before he is hit himself.
    Command::new("kill").arg("-9").args(pids).output().unwrap();
}

/// Set for a test that runs again as an ordinary user: the folder that holds the programs, since he
/// may not be able to read ours.
const PROGRAMS: &str = "ASSAY_TEST_PROGRAMS";

pub(crate) fn shim() -> Shim {
    let shim = env!("CARGO_BIN_EXE_assay-shim");
    Shim::at(programs().map_or_else(|| shim.into(), |dir| dir.join("shim")))
}

pub(crate) fn fake() -> PathBuf {
    programs().map_or_else(fake_tool, |dir| dir.join("fake-tool"))
}

pub(crate) fn programs() -> Option<PathBuf> {
    env::var_os(PROGRAMS).map(PathBuf::from)
}

/// Runs all tests of this file again as an ordinary user, if we are root. Only from one test of a
/// file, which must be left out by its name.
pub(crate) fn again_as_an_ordinary_user(this_test: &str) {
    if programs().is_some() || !fs::metadata("/proc/self").unwrap().uid().eq(&0) {
        return;
    }
    let dir = tempdir().unwrap();
    let copy = |from: &Path, name: &str| {
        fs::copy(from, dir.path().join(name)).unwrap();
    };
    copy(Path::new(env!("CARGO_BIN_EXE_assay-shim")), "shim");
    copy(&fake_tool(), "fake-tool");
    copy(&env::current_exe().unwrap(), "tests");
    let tmp = dir.path().join("tmp");
    fs::create_dir(&tmp).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&tmp, fs::Permissions::from_mode(0o777)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(dir.path().join("tests"))
        .args(["--skip", this_test])
        .current_dir(&tmp)
        .env(PROGRAMS, dir.path())
        .env("TMPDIR", &tmp)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains(" 0 passed"), "no test ran: {said}");
}

/// The best cage of this machine, and none.
pub(crate) async fn cages() -> [Cage; 2] {
    [Cage::bare(shim()), Cage::best(shim()).await]
}

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) cage: Cage,
    /// Everything that the job starts has it in its environment.
    mark: String,
}

impl Bench {
    pub(crate) fn new(cage: &Cage) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", std::process::id());
        Self { dir: tempdir().unwrap(), cage: cage.clone(), mark }
    }

    /// One without any fence, and one in the best cage there is.
    pub(crate) async fn both() -> [Self; 2] {
        cages().await.map(|cage| Self::new(&cage))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A job for the fake tool.
    pub(crate) fn job(&self, steps: &str) -> Job {
        let tool = fake();
        let mut env = clean_environment(
            &["/usr/bin".into(), "/bin".into()],
            self.dir.path(),
            self.dir.path(),
            Network::None,
        );
        env.insert("ASSAY_TEST_MARK".into(), self.mark.clone().into());
        let (from, to) = (self.dir.path().to_owned(), self.dir.path().to_owned());
        Job {
            args: steps.split_whitespace().map(Into::into).collect(),
            cwd: self.dir.path().to_owned(),
            env,
            stdout: self.path("stdout"),
            stderr: self.path("stderr"),
            room: Room {
                readable: vec![tool.clone()],
                shown: vec![Shown { from, to, access: Access::Write }],
            },
            network: Network::None,
            limits: Limits::default(),
            deadline: Instant::now() + LONG,
            grace: Duration::ZERO,
            program: tool,
        }
    }

    /// A job for a shell.
    pub(crate) fn script(&self, script: &str) -> Job {
        let mut job = self.job("");
        job.program = "/bin/bash".into();
        job.args = vec!["-c".into(), script.into()];
        job
    }

    pub(crate) async fn run(&self, steps: &str) -> Ended {
        run(&self.cage, self.job(steps), CancellationToken::new()).await
    }

    /// Runs in the background, so that something can be done to it.
    pub(crate) fn start(
        &self,
        job: Job,
        cancel: &CancellationToken,
    ) -> tokio::task::JoinHandle<Ended> {
        let (cage, cancel) = (self.cage.clone(), cancel.clone());
        tokio::spawn(async move { run(&cage, job, cancel).await })
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.path("stdout")).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    /// The living processes of the job, as the machine numbers them.
    pub(crate) fn living(&self) -> Vec<u32> {
        marked(&format!("ASSAY_TEST_MARK={}", self.mark))
    }

    /// The keeper and the init that stand over the living processes.
    pub(crate) fn guards(&self) -> [u32; 2] {
        let own = std::process::id();
        let mut line = vec![*self.living().first().unwrap()];
        while *line.last().unwrap() != own {
            line.push(parent_of(*line.last().unwrap()).unwrap());
        }
        line.reverse();
        [line[1], line[2]]
    }

    pub(crate) async fn until_there_are(&self, count: usize) {
        let mark = format!("ASSAY_TEST_MARK={}", self.mark);
        let there =
            tokio::task::spawn_blocking(move || wait_until(LONG, || marked(&mark).len() == count));
        assert!(there.await.unwrap(), "{count} processes were to start: {:?}", self.living());
    }

    /// Nobody that was started runs, at once.
    #[track_caller]
    pub(crate) fn all_are_gone(&self) {
        assert_eq!(self.living(), [0; 0]);
    }

    /// Nobody that was started runs, soon.
    #[track_caller]
    pub(crate) fn all_are_soon_gone(&self) {
        assert!(wait_until(LONG, || self.living().is_empty()), "{:?} live", self.living());
    }
}
