//! The real tools on the sample app: every planted defect is found by the tools that must find it.
//!
//! Installs what is missing into a cache under the target folder, so the first run needs the
//! network and minutes, and later ones neither.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of `#[test]` functions")]

use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// examples/notes/DEFECTS.toml, as far as it is read here.
#[derive(Debug, Deserialize)]
struct Planted {
    defect: Vec<Defect>,
    decoy: Vec<Decoy>,
    component: Vec<Component>,
}

#[derive(Debug, Deserialize)]
struct Defect {
    class: String,
    path: String,
    line: u64,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    rules: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    suppressed: bool,
}

/// Code that looks like a defect and is none.
#[derive(Debug, Deserialize)]
struct Decoy {
    path: String,
    line: u64,
    silent: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Component {
    ecosystem: String,
    name: String,
    version: String,
}

/// The sample app analysed by the standard profile.
struct Analysed {
    results: PathBuf,
    report: Value,
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/notes").canonicalize().unwrap()
}

fn planted() -> Planted {
    toml::from_str(&fs::read_to_string(sample().join("DEFECTS.toml")).unwrap()).unwrap()
}

/// Copies the sample without the list of what is wrong with it.
fn copy_to(dir: &Path) {
    let copied = Command::new("cp").arg("-R").arg(sample().join(".")).arg(dir).status().unwrap();
    assert!(copied.success());
    fs::remove_file(dir.join("DEFECTS.toml")).unwrap();
    fs::remove_dir_all(dir.join(".assay")).ok();
}

/// The binary with a cache that outlives the test.
fn assay(work: &Path) -> Command {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../assay-test-cache");
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    // Where packages come from is said in the user's environment; what concerns us is not.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("ASSAY_") {
            command.env_remove(name);
        }
    }
    command.env("ASSAY_CACHE", cache).current_dir(work).stdin(Stdio::null());
    command
}

fn analyse(app: &Path, work: &Path) -> Analysed {
    let results = work.join("results");
    let mut command = assay(work);
    command.arg("analyze").arg(app).arg("--output").arg(&results);
    command.args(["--profile", "standard", "--timeout", "20m", "--color", "never"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{:?}\n{said}{complaints}", output.status);
    // Shown where the test fails.
    println!("{said}");
    let text = fs::read(results.join("report.json")).unwrap();
    Analysed { results, report: serde_json::from_slice(&text).unwrap() }
}

// === impl Analysed ===

impl Analysed {
    fn runs(&self) -> &Vec<Value> {
        self.report["tools"].as_array().unwrap()
    }

    /// Tools that did their work. Those that need the network may find it closed; all others have
    /// to be there where the test has to prove something.
    fn worked(&self) -> BTreeSet<&str> {
        let strict = env::var_os("ASSAY_TEST_REQUIRE_ALL").is_some();
        let mut worked = BTreeSet::new();
        for run in self.runs() {
            let id = run["tool"].as_str().unwrap();
            match run["status"].as_str().unwrap() {
                "ok" => drop(worked.insert(id)),
                "unavailable" if run["required"] == false => {}
                "unavailable" if !strict => eprintln!("skipped: {id}: {}", run["reason"]),
                _ => panic!("{run:#}"),
            }
        }
        worked
    }

    /// Whether a tool reports the defect within a line of its place, and if so, whether all that
    /// it reports of it is suppressed.
    fn sees(&self, tool: &str, defect: &Defect) -> Option<bool> {
        let findings = self.report["findings"].as_array().unwrap().iter();
        let here = findings.filter(|finding| {
            let place = &finding["location"];
            // A library is vulnerable as a whole, so its finding has no line.
            let line = place["region"]["line"].as_u64();
            place["path"] == defect.path.as_str()
                && line.is_none_or(|line| line.abs_diff(defect.line) <= 1)
        });
        let seen = here.filter(|finding| {
            let sightings = finding["sightings"].as_array().unwrap().iter();
            sightings.filter(|sighting| sighting["tool"] == tool).any(|sighting| {
                let rule = sighting["rule"].as_str().unwrap();
                let named = defect.rules.get(tool).into_iter().flatten();
                // Where the report has a name of its own for the rule, the class has to agree.
                finding["defect"] == defect.class.as_str()
                    || named.into_iter().any(|name| rule.contains(name.as_str()))
                    || defect.class == "vulnerable-dependency" && finding["kind"] == "dependency"
            })
        });
        seen.map(|finding| !finding["suppression"].is_null()).reduce(|a, b| a && b)
    }

    /// What of a finding must not depend on where and when the app was analysed.
    fn identities(&self) -> Vec<String> {
        let of = |f: &Value| {
            format!(
                "{} {} {} {} {} {}",
                f["location"]["path"],
                f["location"]["region"],
                f["defect"],
                f["fingerprint"],
                f["occurrence"],
                f["suppression"]
            )
        };
        self.report["findings"].as_array().unwrap().iter().map(of).collect()
    }
}

/// Everything that is not as planted, in words.
fn faults(planted: &Planted, analysed: &Analysed) -> Vec<String> {
    let mut faults = Vec::new();
    let worked = analysed.worked();
    for defect in &planted.defect {
        let place = format!("{}:{} {}", defect.path, defect.line, defect.class);
        for tool in defect.tools.iter().filter(|tool| worked.contains(tool.as_str())) {
            match analysed.sees(tool, defect) {
                None => faults.push(format!("{place}: not seen by {tool}")),
                Some(suppressed) if suppressed != defect.suppressed => {
                    faults.push(format!("{place} ({tool}): suppressed is {suppressed}"));
                }
                Some(_) => {}
            }
        }
    }
    for decoy in &planted.decoy {
        for (tool, rules) in &decoy.silent {
            // A neighbour's finding is none about the decoy.
            let findings = analysed.report["findings"].as_array().unwrap().iter();
            let hit = findings.filter(|f| f["location"]["path"] == decoy.path.as_str()).any(|f| {
                f["location"]["region"]["line"] == decoy.line
                    && f["sightings"].as_array().unwrap().iter().any(|sighting| {
                        sighting["tool"] == tool.as_str()
                            && rules.iter().any(|rule| sighting["rule"] == rule.as_str())
                    })
            });
            if hit {
                faults.push(format!("{}:{}: {tool} falls for a decoy", decoy.path, decoy.line));
            }
        }
    }
    for component in &planted.component {
        let tool = format!("cyclonedx-{}", if component.ecosystem == "npm" { "npm" } else { "py" });
        let kept = analysed.runs().iter().find(|run| run["tool"] == tool.as_str());
        let Some(run) = kept.filter(|_| worked.contains(tool.as_str())) else { continue };
        let texts = run["artifacts"].as_array().into_iter().flatten();
        let text: String = texts
            .map(|name| fs::read_to_string(analysed.results.join(name.as_str().unwrap())).unwrap())
            .collect();
        if !text.contains(&component.version)
            || !text.contains(component.name.trim_start_matches("@types/"))
        {
            faults.push(format!(
                "{} {}: not in the list of {tool}",
                component.name, component.version
            ));
        }
    }
    faults
}

#[test]
fn every_planted_defect_is_found_wherever_the_app_lies() {
    let work = testkit::tempdir().unwrap();
    let folders = ["one", "another place/deeper"].map(|name| work.path().join(name));
    let [first, second] = folders.map(|dir| {
        let app = dir.join("app");
        fs::create_dir_all(&app).unwrap();
        copy_to(&app);
        analyse(&app, &dir)
    });
    let faults = faults(&planted(), &first);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    // From another place, in another order of ends, it is the same report.
    assert_eq!(first.worked(), second.worked());
    assert_eq!(first.identities(), second.identities());
    assert_eq!(first.report["source"]["digest"], second.report["source"]["digest"]);
}

#[test]
fn what_was_installed_once_runs_without_the_network() {
    let work = testkit::tempdir().unwrap();
    fs::write(work.path().join("a.py"), "print(eval(input()))\n").unwrap();
    let analyze = |more: &[&str]| {
        let mut command = assay(work.path());
        command.args(["analyze", "a.py", "--tools", "ruff", "--output", "results"]).args(more);
        command
    };
    let installed = analyze(&[]).output().unwrap();
    if installed.status.code() == Some(3) && env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none() {
        return eprintln!("skipped: {}", String::from_utf8_lossy(&installed.stdout));
    }
    assert_eq!(installed.status.code(), Some(0), "{installed:?}");
    for more in [&["--offline"][..], &[]] {
        // Nobody listens there, so every question would fail.
        let mut command = analyze(more);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(name, "http://127.0.0.1:1").env(name.to_lowercase(), "http://127.0.0.1:1");
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = fs::read(work.path().join("results/report.json")).unwrap();
        let report: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(report["tools"][0]["status"], "ok");
        assert!(report["findings"].to_string().contains("S307"), "{}", report["findings"]);
    }
}
