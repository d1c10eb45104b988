//! One process as a container would be: a network, files, a user and rights of its own.
//!
//! Keeps: nothing of it is left when it is dropped.
//!
//! Does not: hold memory or processors, filter system calls, or have another process as number 1. The engine of
//! a real stack does.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use testkit::{TempDir, children_of, wait_until};

/// No condition of a test takes so long on any machine that is worth testing on.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// What a container is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipe {
    pub(crate) namespace: String,
    pub(crate) command: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) user: String,
    pub(crate) working_dir: String,
    /// Which names lead where: a file that may change.
    pub(crate) hosts: PathBuf,
    /// `bind SOURCE TARGET`, `read SOURCE TARGET`, `tmpfs TARGET`.
    pub(crate) mounts: Vec<String>,
}

pub(crate) struct Container {
    child: Child,
    said: Arc<Mutex<Said>>,
    hearing: Vec<thread::JoinHandle<()>>,
    _files: TempDir,
}

/// What a container has said.
#[derive(Clone, Debug, Default)]
struct Said {
    /// Both streams.
    all: String,
    /// Standard output alone.
    out: String,
}

/// How a container has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) said: String,
}

const SCRIPT: &str = include_str!("container.sh");

// === impl Container ===

impl Container {
    pub(crate) fn start(recipe: &Recipe) -> Self {
        let files = testkit::tempdir().unwrap();
        let at = |name: &str| files.path().join(name);
        fs::create_dir(at("root")).unwrap();
        let lines = |all: &[String]| all.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        fs::write(at("script"), SCRIPT).unwrap();
        fs::write(at("run"), lines(&recipe.command)).unwrap();
        fs::write(at("mounts"), lines(&recipe.mounts)).unwrap();
        let paths = [at("script"), at("root"), recipe.hosts.clone()];
        let mut child = Command::new("ip")
            .args(["netns", "exec", &recipe.namespace])
            .args(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"])
            .args(["sh", "-e"])
            .args(paths)
            .arg(Path::new(env!("CARGO_BIN_EXE_assay")))
            .args([&recipe.user, &recipe.working_dir])
            .args([at("run"), at("mounts")])
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(&recipe.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::<Mutex<Said>>::default();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let hears_out = hear(out, Arc::clone(&said), |said, line| {
            said.out += line;
            said.all += line;
        });
        let hears_err = hear(err, Arc::clone(&said), |said, line| said.all += line);
        let hearing = vec![hears_out, hears_err];
        Self { child, said, hearing, _files: files }
    }

    /// All that it has said so far, on both streams.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().all.clone()
    }

    #[track_caller]
    pub(crate) fn until_said(&mut self, words: &str) {
        let heard = wait_until(LONG, || {
            self.said().contains(words) || self.child.try_wait().unwrap().is_some()
        });
        assert!(
            heard && self.said().contains(words),
            "it does not say `{words}`:\n{}",
            self.said()
        );
    }

    /// Sends a signal to process 1 of the container.
    pub(crate) fn signal(&self, signal: Signal) {
        for pid in children_of(self.child.id()) {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            kill_process(pid, signal).ok();
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Ended {
        let has_ended = wait_until(LONG, || self.child.try_wait().unwrap().is_some());
        assert!(has_ended, "it does not end:\n{}", self.said());
        let code = self.child.wait().unwrap().code();
        self.hearing.drain(..).for_each(|hearing| hearing.join().unwrap());
        let Said { all, out } = self.said.lock().unwrap().clone();
        Ended { code, out, said: all }
    }
}

fn hear(
    stream: impl Read + Send + 'static,
    said: Arc<Mutex<Said>>,
    keep: fn(&mut Said, &str),
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            keep(&mut said.lock().unwrap(), &format!("{line}\n"));
        }
    })
}

// === impl Ended ===

impl Ended {
    /// Takes it for granted that it ended so.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.said);
        self
    }

    /// What it said on standard output, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {}", self.said))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Who changes his user is no longer ended with his parent.
        self.signal(Signal::KILL);
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
