//! Tools that ask a server, against servers of our own: what they find, and that nothing is ever
//! clean because a server was not there.
//!
//! The tools are the real ones. pip-audit is installed once, into a folder of the build; npm is the
//! machine's own.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

use serde_json::Value;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};
use testkit::{Advisories, Answer, Server, TempDir};

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

const BOTH: [&str; 2] = ["pip-audit", "npm-audit"];

/// An app, its configuration and a home.
struct World {
    root: TempDir,
}

/// One analysis that has ended.
struct Ran {
    code: Option<i32>,
    report: Value,
}

/// Where pip-audit is installed; npm has to be there.
fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network-cache");
        let mut install = Command::new(env!("CARGO_BIN_EXE_assay"));
        install.args(["tools", "install", "pip-audit", "npm-audit"]).env("ASSAY_CACHE", &cache);
        let output = install.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        cache
    })
}

/// A lock file of one package.
fn lock(package: &str, version: &str) -> String {
    format!(
        r#"{{"name":"app","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{{
        "":{{"name":"app","version":"1.0.0","dependencies":{{"{package}":"{version}"}}}},
        "node_modules/{package}":{{"version":"{version}"}}}}}}"#
    )
}

// === impl World ===

impl World {
    fn new(requirements: &str, lock: &str) -> Self {
        let world = Self { root: testkit::tempdir().unwrap() };
        for name in ["app", "work", "home", "tmp"] {
            fs::create_dir(world.at(name)).unwrap();
        }
        world.file("app/requirements.txt", requirements);
        world.file("app/package-lock.json", lock);
        world
    }

    /// With a vulnerable package for each of both tools.
    fn vulnerable() -> Self {
        Self::new("flask==2.0.1\n", &lock("lodash", "4.17.20"))
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(path)
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes the configuration that names the server of both tools.
    fn server(&self, url: &str) {
        let text = format!(
            "[settings.pip-audit]\ntimeout = \"60s\"\noptions = {{ service-url = \"{url}/v1/query\" }}\n\
             [settings.npm-audit]\ntimeout = \"60s\"\noptions = {{ registry = \"{url}\" }}\n"
        );
        self.file("assay.toml", &text);
    }

    fn assay(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command
            .args(args)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.at("tmp"))
            .env("ASSAY_CACHE", cache())
            .current_dir(self.at("work"));
        if self.at("assay.toml").exists() {
            command.arg("--config").arg(self.at("assay.toml"));
        }
        command
    }

    fn analyze(&self, args: &[&str]) -> Ran {
        let app = self.at("app").display().to_string();
        let report = self.at("report.json").display().to_string();
        let json = format!("json={report}");
        let tools = BOTH.join(",");
        let mut words = vec!["analyze", &app, "--tools", &tools, "--format", &json];
        words.extend(args);
        let Output { status, stderr, .. } = self.assay(&words).output().unwrap();
        let text = fs::read_to_string(report)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
        Ran { code: status.code(), report: serde_json::from_str(&text).unwrap() }
    }
}

// === impl Ran ===

impl Ran {
    #[track_caller]
    fn tool(&self, id: &str) -> &Value {
        let tools = self.report["tools"].as_array().unwrap();
        tools.iter().find(|tool| tool["tool"] == id).unwrap_or_else(|| panic!("no `{id}`"))
    }

    /// Fails the test unless both tools ended so, for a reason with these words.
    #[track_caller]
    fn both(&self, status: &str, words: [&str; 2]) {
        for (id, words) in BOTH.into_iter().zip(words) {
            let tool = self.tool(id);
            assert_eq!(tool["status"], status, "{tool:#}");
            assert_eq!(tool["clean"], status == "ok", "{tool:#}");
            let reason = tool["reason"].as_str().unwrap_or_default();
            assert!(reason.contains(words), "no `{words}` in `{reason}`");
        }
    }

    fn findings(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = self.report["findings"].as_array().unwrap().iter().map(|finding| {
            let parts = [
                &finding["location"]["path"],
                &finding["rule"],
                &finding["kind"],
                &finding["severity"],
            ];
            parts.map(text).join(" ")
        });
        let mut findings: Vec<String> = findings.collect();
        findings.sort();
        findings
    }
}

#[test]
fn what_the_server_knows_is_found() {
    let advisories = Advisories::start().unwrap();
    let world = World::vulnerable();
    world.file("app/sub/requirements-dev.txt", "# nothing known\nclick==8.1.0\n");
    world.server(&advisories.url());
    let ran = world.analyze(&["--fail-on", "high"]);
    assert_eq!(
        ran.findings(),
        [
            "package-lock.json GHSA-35jh-r3h4-6jhm dependency high",
            "requirements.txt CVE-2023-30861 dependency high",
        ]
    );
    for id in BOTH {
        let tool = ran.tool(id);
        assert_eq!((&tool["status"], &tool["clean"]), (&"ok".into(), &false.into()), "{tool:#}");
    }
    assert_eq!(ran.code, Some(1));
}

#[test]
fn what_the_server_does_not_know_is_clean() {
    let advisories = Advisories::start().unwrap();
    let world = World::new("flask==3.1.3\n", &lock("lodash", "4.17.21"));
    world.server(&advisories.url());
    let ran = world.analyze(&[]);
    ran.both("ok", ["", ""]);
    assert_eq!((ran.code, ran.findings().len()), (Some(0), 0));
    let asked = advisories.asked();
    assert!(asked.iter().any(|asked| asked == "POST /v1/query"), "{asked:?}");
    assert!(asked.iter().any(|asked| asked.ends_with("/advisories/bulk")), "{asked:?}");
}

/// How a server answers everything.
type How = fn() -> Answer;

/// Both tools are `unavailable`, say what they were told, and how that is mended.
#[track_caller]
fn check_unavailable(world: &World, words: [&str; 2]) {
    let ran = world.analyze(&[]);
    ran.both("unavailable", words);
    for (id, option) in BOTH.into_iter().zip(["service-url", "registry"]) {
        let mend = ran.tool(id)["mend"].as_str().unwrap();
        assert!(mend.contains("--offline"), "{mend}");
        assert!(mend.contains(&format!("settings.{id}.options.{option}")), "{mend}");
    }
    assert_eq!(ran.code, Some(3), "named tools are required");
}

#[test]
fn a_server_that_is_gone_makes_them_unavailable() {
    let world = World::vulnerable();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    world.server(&format!("http://{free}"));
    check_unavailable(&world, ["Connection refused", "ECONNREFUSED"]);
}

#[test]
fn a_server_that_does_not_answer_as_it_should_makes_them_unavailable() {
    let world = World::vulnerable();
    let answers: [(How, [&str; 2]); 4] = [
        (|| Answer::status(500), ["500 Server Error", "500 "]),
        (|| Answer::status(405), ["405 Client Error", "405 "]),
        (
            || Answer { status: 200, content_type: "text/html", body: b"<html>".to_vec() },
            ["Expecting value", "invalid json response body"],
        ),
        (|| Answer::json(&serde_json::json!({ "x": 1 })), ["KeyError", "not iterable"]),
    ];
    for (answer, words) in answers {
        let server = Server::start(move |_| answer()).unwrap();
        world.server(&server.url());
        check_unavailable(&world, words);
    }
}

#[test]
fn a_server_that_never_answers_is_not_waited_for() {
    // Connections are taken by the system and never read.
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let world = World::vulnerable();
    world.server(&format!("http://{}", deaf.local_addr().unwrap()));
    let config = fs::read_to_string(world.at("assay.toml")).unwrap();
    world.file("assay.toml", &config.replace("60s", "5s"));
    let ran = world.analyze(&[]);
    ran.both("timed_out", ["did not end in time", "did not end in time"]);
    assert_eq!(ran.code, Some(3));
}

#[test]
fn offline_they_are_not_started() {
    let server = Server::start(|_| Answer::status(500)).unwrap();
    let world = World::vulnerable();
    world.server(&server.url());
    let ran = world.analyze(&["--offline"]);
    ran.both("unavailable", ["`--offline` forbids", "`--offline` forbids"]);
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn their_self_tests_ask_the_configured_server() {
    let check = |world: &World| -> Vec<String> {
        let output = world.assay(&["tools", "check", "--json", BOTH[0], BOTH[1]]).output().unwrap();
        let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = checked["tools"].as_array().unwrap();
        rows.iter().map(|row| format!("{}: {}", row["tool"], row["state"])).collect()
    };
    let world = World::vulnerable();
    let advisories = Advisories::start().unwrap();
    world.server(&advisories.url());
    assert_eq!(check(&world), [r#""npm-audit": "ok""#, r#""pip-audit": "ok""#]);
    let broken = Server::start(|_| Answer::status(500)).unwrap();
    world.server(&broken.url());
    assert_eq!(check(&world), [r#""npm-audit": "not proven""#, r#""pip-audit": "not proven""#]);
}

#[test]
fn what_names_no_exact_version_is_told_and_never_clean() {
    let advisories = Advisories::start().unwrap();
    let world = World::new("flask==3.1.3\nclick>=8\nprivate-package\n", &lock("semver", "7.0.0"));
    world.server(&advisories.url());
    let ran = world.analyze(&[]);
    let tool = ran.tool("pip-audit");
    assert_eq!((&tool["status"], &tool["clean"]), (&"ok".into(), &false.into()), "{tool:#}");
    assert!(tool["notes"].to_string().contains("`click>=8`, `private-package`"), "{tool:#}");
    world.file("app/requirements.txt", "click>=8\n");
    let ran = world.analyze(&[]);
    let tool = ran.tool("pip-audit");
    assert_eq!((&tool["status"], &tool["clean"]), (&"failed".into(), &false.into()), "{tool:#}");
    assert!(tool["reason"].as_str().unwrap().contains("it looked at nothing"), "{tool:#}");
    assert_eq!(tool["mend"], Value::Null, "nothing is wrong with the tool");
}

#[test]
fn an_app_can_neither_run_code_nor_choose_the_server() {
    let advisories = Advisories::start().unwrap();
    let evil = Server::start(|_| Answer::json(&serde_json::json!({}))).unwrap();
    let url = evil.url();
    let requirements = format!(
        "--index-url {url}/simple\n--extra-index-url {url}\n-r {url}/more.txt\n-c {url}/c.txt\n-e .\n\
         git+{url}/a.git#egg=a\nb @ {url}/b.whl\nfile:///etc/passwd\n./local\nflask==2.0.1\n"
    );
    let hostile_lock = lock("lodash", "4.17.20").replace(
        "\"version\":\"4.17.20\"",
        &format!("\"version\":\"4.17.20\",\"resolved\":\"{url}/l.tgz\""),
    );
    let world = World::new(&requirements, &hostile_lock);
    let marker = world.at("marker");
    let python = format!("open({:?}, 'w').close()\n", marker.display().to_string());
    for name in ["setup.py", "pip.py", "json.py", "sitecustomize.py", "pip/__main__.py"] {
        world.file(&format!("app/{name}"), &python);
        world.file(&format!("app/local/{name}"), &python);
    }
    let run = format!("touch {}", marker.display());
    let package = serde_json::json!({
        "name": "app", "version": "1.0.0", "dependencies": { "lodash": "4.17.20" },
        "scripts": { "preaudit": run, "audit": run, "postaudit": run, "preinstall": run },
    });
    world.file("app/package.json", &package.to_string());
    let npmrc = format!(
        "registry={url}/\n@scope:registry={url}/\nproxy={url}\nscript-shell=/bin/sh\naudit-level=none\nomit=prod\n"
    );
    world.file("app/.npmrc", &npmrc);
    world.server(&advisories.url());
    let ran = world.analyze(&["--no-ignore"]);
    assert!(!marker.exists(), "code of the app was run");
    assert_eq!(evil.asked(), Vec::<String>::new());
    assert_eq!(ran.findings().len(), 2, "{:#}", ran.report["tools"]);
    assert_eq!(ran.tool("npm-audit")["status"], "ok");
    assert_eq!(ran.tool("pip-audit")["status"], "ok");
}

#[test]
fn the_registry_of_the_users_own_npm_is_asked() {
    let advisories = Advisories::start().unwrap();
    let world = World::new("flask==3.1.3\n", &lock("lodash", "4.17.20"));
    world.server(&advisories.url());
    let config = fs::read_to_string(world.at("assay.toml")).unwrap();
    let (pip_alone, _) = config.split_once("[settings.npm-audit]").unwrap();
    world.file("assay.toml", pip_alone);
    world.file("home/.npmrc", &format!("registry={}/\n", advisories.url()));
    let ran = world.analyze(&[]);
    assert_eq!(ran.findings(), ["package-lock.json GHSA-35jh-r3h4-6jhm dependency high"]);
}

#[test]
fn an_app_may_not_name_the_server_in_its_own_configuration() {
    let evil = Server::start(|_| Answer::json(&serde_json::json!({}))).unwrap();
    let world = World::vulnerable();
    world.server(&evil.url());
    fs::rename(world.at("assay.toml"), world.at("app/assay.toml")).unwrap();
    let app = world.at("app");
    let output = world.assay(&["analyze", "."]).current_dir(&app).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("may not be set by a file of the analysed app"), "{words}");
    assert_eq!(evil.asked(), Vec::<String>::new());
}
