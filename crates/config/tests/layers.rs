//! Layers as users have them: files on disk, variables, flags.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use assay_config::{FailOn, Loaded, Loader, Origin};
use assay_model::{Profile, Severity};
use serde_json::json;
use std::{fs, path::Path};

struct Home(tempfile::TempDir);

impl Home {
    fn with(files: &[(&str, &str)]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = home.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir_all(home.0.path().join("project/sub")).unwrap();
        home
    }

    fn path(&self, inner: &str) -> std::path::PathBuf {
        self.0.path().canonicalize().unwrap().join(inner)
    }

    fn loader(&self) -> Loader {
        Loader {
            working_dir: self.path("project/sub"),
            user_dir: Some(self.path("user")),
            ..Loader::default()
        }
    }
}

fn told(loader: &Loader) -> String {
    loader.check().unwrap_err().to_string()
}

fn origin<'a>(loaded: &'a Loaded, key: &str) -> &'a Origin {
    loaded.origins.of(key).unwrap()
}

#[test]
fn a_flag_beats_the_environment_beats_the_project_beats_the_user_beats_the_default() {
    let home = Home::with(&[
        (
            "user/assay/assay.toml",
            "profile = \"quick\"\njobs = 1\ntimeout = \"1m\"\noffline = true\n",
        ),
        ("project/assay.toml", "profile = \"thorough\"\njobs = 2\ntimeout = \"2m\"\n"),
    ]);
    let mut loader = home.loader();
    loader.variables = vec![
        ("ASSAY_JOBS".into(), "3".into()),
        ("ASSAY_TIMEOUT".into(), "3m".into()),
        ("STATIC_ANALYSIS_TIMEOUT".into(), "77".into()),
    ];
    loader.flags = vec![("timeout".into(), json!("4m"), "--timeout".into())];
    let loaded = loader.check().unwrap();
    assert_eq!(loaded.config.timeout.as_secs(), 240);
    assert_eq!(loaded.config.jobs.unwrap().get(), 3);
    assert_eq!(loaded.config.profile, Profile::Thorough);
    assert!(loaded.config.offline);
    assert_eq!(loaded.config.fail_on, FailOn::Never);
    assert_eq!(*origin(&loaded, "timeout"), Origin::Flag("--timeout".into()));
    assert_eq!(*origin(&loaded, "jobs"), Origin::Environment("ASSAY_JOBS".into()));
    assert_eq!(*origin(&loaded, "profile"), Origin::ProjectFile(home.path("project/assay.toml")));
    assert_eq!(*origin(&loaded, "offline"), Origin::UserFile(home.path("user/assay/assay.toml")));
    assert_eq!(*origin(&loaded, "fail-on"), Origin::BuiltIn);
}

#[test]
fn an_old_name_holds_where_no_new_one_is_set() {
    let mut loader = Home::with(&[]).loader();
    loader.variables = vec![("STATIC_ANALYSIS_TIMEOUT".into(), "77".into())];
    assert_eq!(loader.check().unwrap().config.timeout.as_secs(), 77);
}

#[test]
fn the_variables_of_the_first_system_describe_a_server() {
    let set = |pairs: &[(&str, &str)]| {
        let mut loader = Home::with(&[]).loader();
        loader.variables =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        loader.check().map(|loaded| loaded.config.serve)
    };
    let old = [
        ("GATEWAY_HOST", "0.0.0.0"),
        ("GATEWAY_PORT", "9000"),
        ("WEBSOCKET_HOST", "127.0.0.1"),
        ("WEBSOCKET_PORT", "9001"),
        ("STATIC_ANALYZER_URL", "ws://a:1"),
        ("STATIC_ANALYZER_URLS", "ws://b:1, ws://c:1"),
        ("PERF_TESTER_URL", "ws://p:1"),
        ("ANALYZER_MAX_CONNECTIONS", "7"),
        ("ANALYZER_CONNECTION_TIMEOUT", "2.5"),
        ("ANALYZER_IDLE_TIMEOUT", "60"),
        ("ANALYZER_CIRCUIT_THRESHOLD", "2"),
        ("ANALYZER_CIRCUIT_TIMEOUT", "30"),
        ("ANALYZER_CIRCUIT_HALF_OPEN_CALLS", "1"),
    ];
    let serve = set(&old).unwrap();
    assert_eq!((serve.host.as_str(), serve.port), ("0.0.0.0", 9000));
    assert_eq!((serve.service_host.as_str(), serve.service_port), ("127.0.0.1", Some(9001)));
    assert_eq!(serve.services.static_analyzer, ["ws://b:1", "ws://c:1"]);
    assert_eq!(serve.services.performance, ["ws://p:1"]);
    assert_eq!(serve.pool.max_connections.get(), 7);
    assert_eq!(serve.pool.connect_timeout.as_secs(), 3);
    assert_eq!(serve.pool.idle_timeout.as_secs(), 60);
    assert_eq!((serve.breaker.failures.get(), serve.breaker.successes.get()), (2, 1));
    assert_eq!(serve.breaker.open_for.as_secs(), 30);
    let ours = [("ASSAY_PORT", "9100"), ("ASSAY_BREAKER_FAILURES", "4")];
    let serve = set(&[&old[..], &ours].concat()).unwrap();
    assert_eq!((serve.port, serve.breaker.failures.get()), (9100, 4));
    assert!(set(&[("GATEWAY_PORT", "many")]).is_err());
    assert!(set(&[("ANALYZER_IDLE_TIMEOUT", "-1")]).is_err());
}

#[test]
fn tool_files_lie_between_the_built_in_and_the_project() {
    let home = Home::with(&[
        ("project/sub/configs/static/ruff.yaml", "timeout: 5s\noptions:\n  width: 90\n"),
        ("project/sub/configs/static/mypy.ini", "enabled = false\n[options]\nstrict = true\n"),
        ("project/assay.toml", "[settings.ruff.options]\nwidth = 120\n"),
    ]);
    let loaded = home.loader().check().unwrap();
    let ruff = &loaded.config.settings["ruff"];
    assert_eq!((ruff.timeout.unwrap().as_secs(), ruff.options["width"].as_str()), (5, "120"));
    assert_eq!(loaded.config.settings["mypy"].enabled, Some(false));
    assert_eq!(loaded.config.settings["mypy"].options["strict"], "true");
}

#[test]
fn a_file_of_the_app_decides_only_how_strictly_it_is_judged() {
    let home = Home::with(&[(
        "project/assay.toml",
        "fail-on = \"high\"\n[severity]\n\"ruff:*\" = \"low\"\n[settings.ruff]\nenabled = false\n\
         [tool.evil]\ntitle = \"x\"\nkind = \"style\"\ninputs = {}\n\
         install = { from = \"path\", mend = \"x\" }\nrun = { program = \"sh\" }\noutput = { format = \"sarif\" }\n",
    )]);
    let mut loader = home.loader();
    loader.app = Some(home.path("project"));
    let told = told(&loader);
    assert!(told.contains("`settings` may not be set by a file of the analysed app"), "{told}");
    assert!(told.contains("`tool` may not be set"), "{told}");
    loader.trust_project = true;
    assert!(loader.check().unwrap().config.own_tools.contains_key("evil"));
}

#[test]
fn a_link_does_not_make_a_file_of_the_app_trusted() {
    let home = Home::with(&[("elsewhere/evil.toml", "jobs = 1\n")]);
    let target = home.path("elsewhere/evil.toml");
    std::os::unix::fs::symlink(target, home.path("project/assay.toml")).unwrap();
    let mut loader = home.loader();
    loader.app = Some(home.path("project"));
    assert!(told(&loader).contains("`jobs` may not be set"));
}

#[test]
fn what_a_file_of_the_app_did_set_is_listed() {
    let home = Home::with(&[("project/assay.toml", "fail-on = \"high\"\n")]);
    let mut loader = home.loader();
    loader.app = Some(home.path("project"));
    let loaded = loader.check().unwrap();
    assert_eq!(loaded.config.fail_on, FailOn::At(Severity::High));
    assert_eq!(loaded.from_project, ["fail-on = \"high\""]);
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let home = Home::with(&[
        ("user/assay/assay.toml", "profil = \"quick\"\n"),
        ("project/assay.toml", "jobs = \"many\"\n"),
        ("project/sub/configs/static/ruff.json", "{"),
    ]);
    let mut loader = home.loader();
    loader.variables =
        vec![("ASSAY_PROFLIE".into(), "x".into()), ("ASSAY_JOBS".into(), "x".into())];
    let told = told(&loader);
    for part in [
        "assay.toml:1: there is no setting `profil`\n  hint: did you mean `profile`?",
        "project/assay.toml:1: invalid type: string \"many\", expected u32",
        "ruff.json:1: is not JSON",
        "ASSAY_PROFLIE: there is no such setting\n  hint: did you mean `ASSAY_PROFILE`?",
        "ASSAY_JOBS: `x` is no number",
    ] {
        assert!(told.contains(part), "{part}\nis not in\n{told}");
    }
}

#[test]
fn a_named_file_replaces_the_search() {
    let home = Home::with(&[("project/assay.toml", "jobs = 1\n"), ("other.toml", "jobs = 2\n")]);
    let mut loader = home.loader();
    loader.named = Some(home.path("other.toml"));
    assert_eq!(loader.check().unwrap().config.jobs.unwrap().get(), 2);
    loader.named = Some(Path::new("nowhere.toml").to_owned());
    assert!(told(&loader).contains("there is no such file"));
}

#[test]
fn a_date_may_be_written_with_and_without_quotes() {
    let text = "[[ignore]]\nrule = \"a\"\nreason = \"b\"\nuntil = 2027-01-31\n\
                [[ignore]]\nrule = \"a\"\nreason = \"b\"\nuntil = \"2027-01-31\"\n";
    let home = Home::with(&[("project/assay.toml", text)]);
    let ignore = home.loader().check().unwrap().config.ignore;
    assert_eq!(ignore[0], ignore[1]);
}

#[test]
fn the_schema_that_is_checked_in_is_the_one_of_the_types() {
    let written = include_str!("../../../docs/schema/assay.schema.json");
    let current = serde_json::to_string_pretty(&assay_config::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/assay.schema.json"),
            &current,
        )
        .unwrap();
    }
    assert!(written == current, "stale: run the test with UPDATE_SCHEMA=1 and read the diff");
}

#[test]
fn the_shipped_file_is_valid_under_the_schema() {
    let table: toml::Table = assay_config::DEFAULTS.parse().unwrap();
    let value = serde_json::to_value(table).unwrap();
    let validator = jsonschema::validator_for(&assay_config::schema()).unwrap();
    assert!(validator.is_valid(&value));
}

#[test]
fn what_one_request_wants_lies_over_what_was_read_and_is_checked_alike() {
    let home = Home::with(&[("project/assay.toml", "profile = \"quick\"\njobs = 3\n")]);
    let loaded = home.loader().check().unwrap();
    let flag = |key: &str, value: serde_json::Value| vec![(key.into(), value, "config".into())];
    let over = loaded.over(&flag("settings.ruff", serde_json::json!({"timeout": "9s"}))).unwrap();
    assert_eq!(over.config.settings["ruff"].timeout.unwrap().as_secs(), 9);
    assert_eq!(over.config.jobs, loaded.config.jobs);
    assert!(loaded.config.settings.is_empty());
    let error = loaded.over(&flag("settings.ruff", serde_json::json!({"timout": "9s"})));
    assert!(error.unwrap_err().to_string().contains("did you mean `timeout`?"));
}
