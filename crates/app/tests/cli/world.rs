//! A world of its own for every test: an app, a working directory, a cache, a home, fake tools.
//!
//! Keeps: nothing of this machine's configuration reaches the binary; every analysis is run by the
//! real binary in a process of its own.

use crate::fake::Fake;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};
use testkit::{TempDir, wait_until};

/// No condition of a test takes so long on any machine that is worth testing on.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Where shells and coreutils are; no version manager of the user is among these.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// ```text
/// root/assay.toml     the configuration, outside of the app
/// root/app            what is analysed
/// root/cwd            the working directory
/// root/cache, home, tmp
/// ```
pub(crate) struct World {
    root: TempDir,
    tools: Map<String, Value>,
    settings: Map<String, Value>,
    /// As whom the binary runs, where the test is root and must not be.
    unprivileged: bool,
}

/// A run of the binary that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) output: Output,
    /// The folder of results that was not there before.
    pub(crate) results: Option<PathBuf>,
    report: Option<Value>,
}

// === impl World ===

impl World {
    /// With an empty app.
    pub(crate) fn empty() -> Self {
        let root = testkit::tempdir().unwrap();
        for name in ["app", "cwd", "cache", "home", "tmp"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let (tools, settings) = (Map::new(), Map::new());
        Self { root, tools, settings, unprivileged: false }
    }

    /// With an app of one file with five lines, `a.py`.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.file("a.py", "one = 1\ntwo = 2\nthree = 3\nfour = 4\nfive = 5\n");
        world
    }

    /// A world with one tool, `fake`.
    pub(crate) fn with(fake: Fake) -> Self {
        let mut world = Self::new();
        world.tool("fake", fake);
        world
    }

    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(path)
    }

    pub(crate) fn app(&self) -> PathBuf {
        self.at("app")
    }

    /// From here on tools may write where this test can look: in the cage they could not, and a test
    /// that waits for what they note down would prove nothing.
    pub(crate) fn without_a_cage(&mut self) {
        self.set("sandbox", json!("off"));
    }

    /// Writes a file of the app.
    pub(crate) fn file(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let full = self.app().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, text).unwrap();
        full
    }

    /// Declares a tool. Without a setting `tools`, all that are declared run.
    pub(crate) fn tool(&mut self, id: &str, fake: Fake) {
        self.tools.insert(id.to_owned(), fake.declaration());
    }

    /// Declares a tool in the words of `assay.toml`.
    pub(crate) fn declare(&mut self, id: &str, says: Value) {
        self.tools.insert(id.to_owned(), says);
    }

    /// Changes what a tool is declared as.
    pub(crate) fn edit(&mut self, id: &str, edit: impl FnOnce(&mut Value)) {
        edit(self.tools.get_mut(id).unwrap());
    }

    /// Sets a key of the configuration.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.settings.insert(key.to_owned(), value);
    }

    /// From here on the binary runs as somebody who may not read everything. Says whether that
    /// can be had.
    pub(crate) fn become_unprivileged(&mut self) -> bool {
        self.unprivileged = rustix::process::geteuid().is_root();
        if self.unprivileged {
            fs::set_permissions(self.root.path(), PermissionsExt::from_mode(0o755)).unwrap();
            for name in ["cwd", "cache", "home", "tmp"] {
                fs::set_permissions(self.at(name), PermissionsExt::from_mode(0o777)).unwrap();
            }
            // The folder of the build may be closed to others.
            fs::copy(env!("CARGO_BIN_EXE_assay"), self.at("assay")).unwrap();
            fs::copy(testkit::fake_tool(), self.at("fake-tool")).unwrap();
        }
        !self.unprivileged || Command::new("setpriv").arg("--version").output().is_ok()
    }

    fn configuration(&self) -> String {
        let mut all = self.settings.clone();
        if !self.tools.is_empty() {
            let names: Vec<&String> = self.tools.keys().collect();
            all.entry("tools").or_insert_with(|| json!(names));
            all.insert("tool".to_owned(), Value::Object(self.tools.clone()));
        }
        let text = toml::to_string(&all).unwrap();
        let fake = testkit::fake_tool().display().to_string();
        if self.unprivileged {
            text.replace(&fake, &self.at("fake-tool").display().to_string())
        } else {
            text
        }
    }

    /// The binary with what it is told, in the working directory of this world.
    pub(crate) fn assay<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        fs::write(self.at("assay.toml"), self.configuration()).unwrap();
        let mut command = if self.unprivileged {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
            setpriv.arg(self.at("assay"));
            setpriv
        } else {
            Command::new(env!("CARGO_BIN_EXE_assay"))
        };
        command
            .args(args)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.at("tmp"))
            .env("ASSAY_CACHE", self.at("cache"))
            .env("COLUMNS", "100")
            .current_dir(self.at("cwd"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Ran {
        let before = self.all_results();
        let output = command.output().unwrap();
        let results = self.all_results().difference(&before).next().cloned();
        let text = results.as_ref().and_then(|dir| fs::read(dir.join("report.json")).ok());
        let report = text.map(|text| serde_json::from_slice(&text).unwrap());
        Ran { output, results, report }
    }

    /// Runs `assay` with these words.
    pub(crate) fn says(&self, args: &[&str]) -> Ran {
        self.run(&mut self.assay(args))
    }

    /// Runs `assay analyze` on the app, with these further words.
    pub(crate) fn analyze(&self, args: &[&str]) -> Ran {
        self.run(&mut self.analysis(args))
    }

    /// `assay analyze` on the app, with these further words.
    pub(crate) fn analysis(&self, args: &[&str]) -> Command {
        let app = self.app();
        let words = ["analyze".as_ref(), app.as_os_str()];
        self.assay(words.into_iter().chain(args.iter().map(AsRef::as_ref)))
    }

    /// Every folder of results where they are looked for.
    pub(crate) fn all_results(&self) -> BTreeSet<PathBuf> {
        let roots =
            ["cwd/.assay/results", "home/.local/state/assay/results", "state/assay/results"];
        let entries = roots.map(|root| fs::read_dir(self.at(root)));
        entries.into_iter().flatten().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// Names what is left in the temporary folder.
    pub(crate) fn left_over(&self) -> Vec<PathBuf> {
        fs::read_dir(self.at("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits for the numbers of `count` processes in a file that fake tools write.
    #[track_caller]
    pub(crate) fn pids(&self, name: &str, count: usize) -> Vec<u32> {
        let path = self.at(name);
        let read = || fs::read_to_string(&path).unwrap_or_default();
        let whole = |text: &str| text.ends_with('\n') && text.lines().count() >= count;
        assert!(wait_until(LONG, || whole(&read())), "only {:?} started", read());
        read().lines().map(|line| line.parse().unwrap()).collect()
    }
}

// === impl Ran ===

impl Ran {
    /// Takes the report of results that lie where [`World::run`] does not look.
    pub(crate) fn read_from(&mut self, results: &Path) {
        let text = fs::read(results.join("report.json")).unwrap();
        self.report = Some(serde_json::from_slice(&text).unwrap());
        self.results = Some(results.to_owned());
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Fails the test unless the binary ended with this code.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(
            self.code(),
            Some(code),
            "{:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.output.status,
            self.stdout(),
            self.stderr()
        );
        self
    }

    /// The whole report.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        self.report
            .clone()
            .unwrap_or_else(|| panic!("there is no new report\n{}{}", self.stdout(), self.stderr()))
    }

    #[track_caller]
    pub(crate) fn results_dir(&self) -> &Path {
        self.results.as_deref().unwrap_or_else(|| {
            panic!("there are no new results\n{}{}", self.stdout(), self.stderr())
        })
    }

    /// What the report says of one tool.
    #[track_caller]
    pub(crate) fn tool(&self, id: &str) -> Value {
        tool(&self.report(), id)
    }

    /// Every finding as `path:line rule`.
    #[track_caller]
    pub(crate) fn findings(&self) -> Vec<String> {
        findings(&self.report())
    }

    /// Fails the test unless standard error holds all of these.
    #[track_caller]
    pub(crate) fn complains(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr().contains(word), "no `{word}` in:\n{}", self.stderr());
        }
        self
    }
}

/// Says why a test shows nothing on this machine; fails where everything has to be there.
pub(crate) fn skipped(what: &str) {
    assert!(std::env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none(), "`{what}` is missing");
    eprintln!("skipped: there is no `{what}` on this machine");
}

/// What a report says of one tool.
#[track_caller]
pub(crate) fn tool(report: &Value, id: &str) -> Value {
    let tools = report["tools"].as_array().unwrap();
    let found = tools.iter().find(|run| run["tool"] == id);
    found.unwrap_or_else(|| panic!("no `{id}` in {tools:#?}")).clone()
}

/// Every finding of a report as `path:line rule`.
pub(crate) fn findings(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let one = |finding: &Value| {
        let place = &finding["location"];
        let line = text(&place["region"]["line"]);
        format!("{}:{line} {}", text(&place["path"]), text(&finding["rule"]))
    };
    report["findings"].as_array().unwrap().iter().map(one).collect()
}
