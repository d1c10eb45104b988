//! A hostile app against the real tools: no code of it runs, nothing outside of it is read, and no
//! tool sees less than in the same app without the hostile files.
//!
//! The app holds a defect for every tool of the catalogue, and every file by which the documentation
//! of a tool lets an app steer it. Code in those files leaves witnesses and calls a port. A tool that
//! is new in the catalogue fails the test until it has hostile files.
//!
//! `ASSAY_TEST_TOOLS=ruff,mypy` runs these alone.
#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod hole; // a tool that runs code of the app, and what a tool sees of our secrets
mod payload; // code that tells that it was run
mod project; // the app: defects, and everything hostile
mod vectors; // every way in that is documented

use assay_model::SourcePath;
use assay_tools::Catalogue;
use payload::{Payload, Port, SECRET};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};
use testkit::{Advisories, TempDir};

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Everything around one analysis.
struct World {
    root: TempDir,
    server: Advisories,
}

/// What one tool made of the code with the defects.
#[derive(Debug, Default)]
struct Seen {
    status: String,
    reason: String,
    /// Path, rule and line.
    findings: BTreeSet<String>,
}

/// An analysis that has ended.
struct Ran {
    seen: BTreeMap<String, Seen>,
    results: PathBuf,
}

// === impl World ===

impl World {
    fn new() -> Self {
        let world =
            Self { root: testkit::tempdir().unwrap(), server: Advisories::start().unwrap() };
        for name in ["app", "work", "home", "tmp", "outside", "witness"] {
            fs::create_dir(world.at(name)).unwrap();
        }
        project::plant_victims(&world.at("app"));
        let url = world.server.url();
        let configuration = format!(
            "[settings.pip-audit]\noptions = {{ service-url = \"{}\" }}\n\
             [settings.npm-audit]\noptions = {{ registry = \"{url}\" }}\n",
            world.server.osv_url()
        );
        fs::write(world.at("assay.toml"), configuration).unwrap();
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(path)
    }

    fn analyze(&self, sandbox: &str) -> Ran {
        let results = self.at(&format!("results-{sandbox}"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../assay-test-cache");
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command
            .args(["analyze", "--no-ignore", "--sandbox", sandbox, "--timeout", "30m"])
            .args(["--tools", &tools().join(",")])
            .arg("--output")
            .arg(&results)
            .arg("--config")
            .arg(self.at("assay.toml"))
            .arg(self.at("app"))
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.at("tmp"))
            .env("ASSAY_CACHE", cache)
            .current_dir(self.at("work"))
            .stdin(Stdio::null());
        // Where packages come from is said in the user's environment.
        let own = |name: &str| {
            ["PIP_", "UV_", "NPM_", "npm_", "HTTP", "HTTPS", "SSL_", "REQUESTS_", "NODE_EXTRA"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        command.envs(env::vars().filter(|(name, _)| own(name)));
        let output = command.output().unwrap();
        let code = output.status.code();
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(
            matches!(code, Some(0 | 3)),
            "{code:?} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = fs::read(results.join("report.json")).unwrap();
        Ran { seen: seen(&serde_json::from_slice(&text).unwrap()), results }
    }
}

/// The tools that are tried.
fn tools() -> Vec<String> {
    let all = Catalogue::shipped().unwrap();
    let wanted = env::var("ASSAY_TEST_TOOLS").ok();
    let is_wanted =
        |id: &String| wanted.as_ref().is_none_or(|names| names.split(',').any(|name| name == id));
    all.iter().map(|tool| tool.id().to_string()).filter(is_wanted).collect()
}

/// Where npm is, which is the machine's own.
fn path() -> String {
    let npm = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .find(|folder| folder.join("npm").is_file());
    npm.map_or_else(|| PATH.to_owned(), |folder| format!("{PATH}:{}", folder.display()))
}

/// Sorts a report by tool, as far as it is about the code with the defects.
fn seen(report: &Value) -> BTreeMap<String, Seen> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for run in report["tools"].as_array().unwrap() {
        let (status, reason) = (text(&run["status"]), text(&run["reason"]));
        seen.insert(text(&run["tool"]), Seen { status, reason, findings: BTreeSet::new() });
    }
    for finding in report["findings"].as_array().unwrap() {
        let place = &finding["location"];
        for sighting in finding["sightings"].as_array().unwrap() {
            let rule = text(&sighting["rule"]);
            // At which of its ends a clone is told depends on what else there is.
            let words = match finding["kind"].as_str() {
                Some("duplication") => rule,
                _ => format!(
                    "{} {rule} {} {}",
                    text(&place["path"]),
                    place["region"]["line"],
                    finding["suppression"]
                ),
            };
            let tool = seen.get_mut(sighting["tool"].as_str().unwrap()).unwrap();
            tool.findings.insert(words);
        }
    }
    seen
}

/// The app without anything hostile. Analysed once, for both ways to hold the other.
fn innocent() -> &'static BTreeMap<String, Seen> {
    static INNOCENT: OnceLock<BTreeMap<String, Seen>> = OnceLock::new();
    INNOCENT.get_or_init(|| {
        let seen = World::new().analyze("auto").seen;
        let strict = env::var_os("ASSAY_TEST_REQUIRE_ALL").is_some();
        for (tool, seen) in &seen {
            let may_miss = seen.status == "unavailable" && (!strict || is_optional(tool));
            assert!(seen.status == "ok" || may_miss, "{tool}: {} {}", seen.status, seen.reason);
            // A bill of materials finds nothing; what it names is looked at elsewhere.
            let must_find = seen.status == "ok" && !tool.starts_with("cyclonedx");
            assert!(!must_find || !seen.findings.is_empty(), "{tool} finds nothing to lose");
        }
        seen
    })
}

fn is_optional(tool: &str) -> bool {
    Catalogue::shipped().unwrap().get(tool).is_some_and(|tool| tool.is_optional())
}

/// Everything that a tool sees less than before, in words.
fn lost(ran: &BTreeMap<String, Seen>) -> Vec<String> {
    let mut lost = Vec::new();
    for (tool, before) in innocent() {
        let Some(now) = ran.get(tool) else {
            lost.push(format!("{tool}: it is not in the report"));
            continue;
        };
        if now.status != before.status {
            lost.push(format!("{tool}: {} and not {}: {}", now.status, before.status, now.reason));
        }
        lost.extend(before.findings.difference(&now.findings).map(|f| format!("{tool}: {f}")));
    }
    lost
}

/// Files of the results in which something of outside stands.
fn leaks(folder: &Path) -> Vec<String> {
    let mut leaks = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
                continue;
            }
            let text = fs::read(entry.path()).unwrap();
            if String::from_utf8_lossy(&text).contains(SECRET) {
                leaks.push(entry.path().display().to_string());
            }
        }
    }
    leaks
}

/// Names, kinds and contents of a folder, links not followed.
fn listing(folder: &Path) -> Vec<u8> {
    let listed = Command::new("find")
        .arg(folder)
        .args(["-printf", "%p %y %s %m %T@ %l\n"])
        .output()
        .unwrap();
    let mut lines: Vec<_> = listed.stdout.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines.join(&b'\n')
}

/// Analyses the hostile app and returns everything that was not held, in words.
fn faults(sandbox: &str) -> Vec<String> {
    let port = Port::open();
    let world = World::new();
    let payload = Payload { dir: world.at("witness"), port: port.number };
    project::plant_outside(&world.at("outside"));
    project::plant_hostility(&world.at("app"), &payload, &world.at("outside"));
    let before = ["app", "outside", "work"].map(|name| listing(&world.at(name)));
    let ran = world.analyze(sandbox);
    let after = ["app", "outside", "work"].map(|name| listing(&world.at(name)));
    let mut faults = lost(&ran.seen);
    faults.extend(payload.witnesses(&world.at("")).into_iter().map(|path| format!("run: {path}")));
    faults.extend(port.heard().into_iter().map(|words| format!("called: {words:?}")));
    faults.extend(leaks(&ran.results).into_iter().map(|path| format!("of outside: {path}")));
    faults.extend((before != after).then(|| "something was written beside the results".to_owned()));
    payload.forget();
    faults.into_iter().map(|fault| format!("--sandbox {sandbox}: {fault}")).collect()
}

/// In the cage; and without one, where flags and staging hold it alone. One test, since the app
/// without anything hostile is analysed for both.
#[test]
fn a_hostile_app_is_held() {
    let faults = ["auto", "off"].map(faults).concat();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Whatever a row says steers its tool has to lie in the hostile app, and every tool has to have
/// something to withstand.
#[test]
fn every_tool_of_the_catalogue_has_hostile_files() {
    let payload = Payload { dir: "/witness".into(), port: 9 };
    let vectors = vectors::vectors(&payload, Path::new("/outside"));
    for tool in Catalogue::shipped().unwrap().iter() {
        let id = tool.id().as_str();
        let is_for = |name: &&&str| **name == id;
        let own = vectors.iter().filter(|vector| vector.tools.iter().any(|name| is_for(&name)));
        assert!(own.count() > 0, "nothing in the hostile app is meant for {id}");
        let names: Vec<SourcePath> = vectors
            .iter()
            .filter(|vector| vector.tools.iter().any(|name| is_for(&name) || *name == "*"))
            .map(|vector| SourcePath::new(vector.name.trim_start_matches('/')).unwrap())
            .collect();
        for entry in &tool.declaration().steered_by {
            for pattern in &entry.files {
                let name = pattern.trim_start_matches('/').replace('*', "");
                let is_there = names.iter().any(|path| {
                    let file = path.file_name();
                    file == name
                        || (pattern.contains('*') && file.starts_with(name.trim_end_matches('.')))
                        || (pattern.starts_with("*.") && file.ends_with(&name))
                });
                assert!(is_there, "no hostile `{pattern}` for {id}");
            }
        }
    }
}

/// The test is worth nothing if the code of its app would not be noticed when it runs.
#[test]
fn code_of_the_app_is_noticed_when_it_runs() {
    let port = Port::open();
    let folder = testkit::tempdir().unwrap();
    let payload = Payload { dir: folder.path().to_owned(), port: port.number };
    let texts = [
        ("python3", "a.py", payload.python("python")),
        ("python3", "b.py", payload.python_line("line")),
        ("node", "c.cjs", payload.node("cjs")),
        ("node", "d.mjs", payload.node("mjs")),
        ("bash", "e.sh", payload.shell("shell")),
    ];
    for (program, name, text) in &texts {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        // Else it leaves its witness in the home of whoever runs the tests, and in `/`.
        command.env("HOME", folder.path()).env("TMPDIR", folder.path());
        let status = command.arg(file).current_dir(folder.path()).status().unwrap();
        assert!(status.success(), "{name}");
    }
    let witnesses = payload.witnesses(folder.path());
    testkit::wait_until(std::time::Duration::from_mins(1), || port.heard().len() == texts.len());
    payload.forget();
    for of in ["python", "line", "cjs", "mjs", "shell"] {
        let name = payload.witness(of);
        assert!(witnesses.iter().any(|path| path.ends_with(&name)), "{of}: {witnesses:?}");
        assert!(port.heard().iter().any(|words| words.trim() == name), "{of}: {:?}", port.heard());
    }
}
