//! Where it all happens: folders, apps of which it is known what is in them, tools, disks and clocks.
//!
//! Keeps: no app is without findings, and no two have as many: a zero is a lie, and so is another
//! app's answer.

use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::{Fake, SmallDisk, TempDir};

/// Apps, numbered from 1. App N has N findings of the tool `reader`, and one of `parent`.
pub(crate) const APPS: u32 = 6;

pub(crate) const MODEL: &str = "chaos";

/// ```text
/// root/assay.toml
/// root/cwd            the working directory, with the apps
/// root/assay          the binary, by a name that only this round uses
/// root/tool           what every tool runs, likewise
/// root/disk           the gateway's book, on a small disk
/// root/work           the temporary folder of services, on another
/// root/clock-NAME     what the clock of a process is moved by
/// ```
pub(crate) struct Stage {
    root: TempDir,
    /// Of the gateway, and of the services. `None` where nothing may be mounted.
    pub(crate) disks: Option<[SmallDisk; 2]>,
    /// What moves clocks, where it is installed.
    faketime: Option<PathBuf>,
    /// Whether the clock that only goes forward is moved, too.
    pub(crate) moves_monotonic: bool,
}

/// MiB of the disks of the gateway and of the services.
const DISKS: [u32; 2] = [32, 48];

// === impl Stage ===

impl Stage {
    pub(crate) fn new(seed: u64) -> Self {
        let root = testkit::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["cwd", "disk", "work", "home", "cache", "tmp", "logs"] {
            fs::create_dir(at(name)).unwrap();
        }
        for number in 1..=APPS {
            write_app(&at("cwd/generated/apps").join(MODEL).join(format!("app{number}")), number);
        }
        let own = |from: &Path, to: &str| {
            // A name of its own is enough, and a copy takes 100 MiB.
            if fs::hard_link(from, at(to)).is_err() {
                fs::copy(from, at(to)).unwrap();
            }
        };
        own(Path::new(env!("CARGO_BIN_EXE_assay")), "assay");
        fs::create_dir(at("tools")).unwrap();
        fs::copy(testkit::fake_tool(), at("tools/tool")).unwrap();
        fs::write(at("assay.toml"), configuration(&at("tools/tool"))).unwrap();
        let mounted = ["disk", "work"].map(at);
        let [one, other] = [0, 1].map(|number| SmallDisk::mount(&mounted[number], DISKS[number]));
        let disks = one.zip(other).map(|(one, other)| [one, other]);
        let faketime = faketime();
        missing(disks.is_some(), "a disk that can be filled (root, `unshare` and `mount`)");
        missing(faketime.is_some(), "faketime");
        Self { root, disks, faketime, moves_monotonic: seed % 5 == 4 }
    }

    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(path)
    }

    pub(crate) fn can_move_clocks(&self) -> bool {
        self.faketime.is_some()
    }

    /// Moves the clock of a process from now on, by so many seconds in all.
    pub(crate) fn set_clock(&self, name: &str, seconds: i64) {
        let part = self.at(format!("clock-{name}.part"));
        fs::write(&part, format!("{seconds:+}\n")).unwrap();
        fs::rename(part, self.at(format!("clock-{name}"))).unwrap();
    }

    /// The binary with these words, as a process of this name.
    pub(crate) fn assay(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.at("assay"));
        let tmp = if name == "gateway" { "tmp" } else { "work" };
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.at(tmp))
            .env("XDG_STATE_HOME", self.at("disk/state"))
            .env("ASSAY_CACHE", self.at("cache"))
            .env("COLUMNS", "100")
            .current_dir(self.at("cwd"));
        if let (Some(library), true) = (&self.faketime, self.at(format!("clock-{name}")).exists()) {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", self.at(format!("clock-{name}")))
                .env("FAKETIME_NO_CACHE", "1");
            if !self.moves_monotonic {
                command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            }
        }
        command
    }

    /// Copies what lies on disks that go with this process, and has all stay.
    pub(crate) fn keep(&self) -> PathBuf {
        let kept = std::env::temp_dir().join(format!("assay-chaos-{}", std::process::id()));
        fs::create_dir_all(&kept).ok();
        let mut copy = Command::new("cp");
        copy.arg("-a").args(["logs", "disk", "assay.toml"].map(|name| self.at(name))).arg(&kept);
        copy.status().ok();
        kept
    }
}

/// Says what is not tried on this machine; fails where everything has to be there.
fn missing(is_there: bool, what: &str) {
    if !is_there {
        assert!(std::env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none(), "missing: {what}");
        println!("chaos: not tried here, for want of it: {what}");
    }
}

fn write_app(dir: &Path, number: u32) {
    fs::create_dir_all(dir).unwrap();
    let lines = |of: u32, line: &dyn Fn(u32) -> String| -> String {
        (1..=of).map(line).collect::<Vec<_>>().concat()
    };
    let source = lines(2 * APPS, &|line| format!("value_{line} = {line} * {number}\n"));
    fs::write(dir.join("a.py"), source).unwrap();
    let found = lines(number, &|line| {
        format!("a.py:{line}: high bad-{number}: line {line} of app {number}\n")
    });
    fs::write(dir.join("report.txt"), found).unwrap();
    let odd = format!("a.py:{}: low odd-{number}: odd app {number}\n", 2 * APPS);
    fs::write(dir.join("more.txt"), odd).unwrap();
}

fn configuration(tool: &Path) -> String {
    let fake = |steps: &[&str]| {
        Fake::new(steps.iter().copied()).with("run.program", json!(tool)).declaration()
    };
    let all = json!({
        "tools": ["reader", "parent"],
        "tool": {
            "reader": fake(&["stdout-file={project}/report.txt", "exit=1"]),
            // It leaves somebody behind who has left its group and its session.
            "parent": fake(&["daemon", "sleep-ms=150", "stdout-file={project}/more.txt", "exit=1"]),
        },
        "serve": {
            "lost-grace": "3s", "slots": 2, "queue": 12, "drain-timeout": "5s",
            "pool": { "max-connections": 12, "connect-timeout": "2s" },
            // Shorter than in earnest, so that it opens and closes again within a round.
            "breaker": { "failures": 5, "open-for": "1s", "successes": 1 },
        },
    });
    toml::to_string(&all).unwrap()
}

/// Where Debian's package puts it.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let mut all = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    all.find(|library| library.exists())
}
