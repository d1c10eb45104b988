//! The analyzer as a service asks it, with tools that do as told.

#[path = "../../../tests/cli/fake.rs"]
mod fake;
mod serving; // over a connection, as clients have it
mod stopping; // what becomes of an analysis that must stop
mod world; // apps, a configuration, a cache

use crate::analyzers::{Subjects, subject::Subject};
use assay_model::{AnalysisOutcome, Event, EventKind, ToolStatus};
use assay_report::tool_word;
use assay_server::{Analyze as _, Answer};
use assay_wire::{AnalysisStatus, ErrorCode, ToolWord};
use fake::Fake;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    sync::{Arc, Mutex},
};
use world::{World, analysis, asked, job, request, said};

#[tokio::test]
async fn a_request_is_answered_and_its_results_are_kept() {
    let world = World::with(&[("fake", Fake::finding("high")), ("clean", Fake::clean())]);
    let analyzer = world.analyzer().await;
    let heard = Arc::new(Mutex::new(Vec::<Event>::new()));
    let hears = Arc::clone(&heard);
    let (job, _stop) = job("task-7", json!({"model": "Acme/Demo"}));
    let tell = Box::new(move |event: &Event| hears.lock().unwrap().push(event.clone()));
    let answer = analyzer.analyse(job, tell).await;
    let analysis = analysis(&answer);
    assert_eq!(answer.status, AnalysisStatus::Success, "{analysis}");
    assert_eq!(
        (&analysis["model_slug"], &analysis["app_number"]),
        (&json!("Acme/Demo"), &json!(1))
    );
    assert_eq!(analysis["tools_used"], json!(["clean", "fake"]));
    let fake = &analysis["tool_results"]["fake"];
    assert_eq!((&fake["status"], &fake["exit_code"]), (&json!("success"), &json!(1)));
    assert_eq!(
        (&fake["issues"][0]["file"], &fake["issues"][0]["line"]),
        (&json!("a.py"), &json!(3))
    );
    assert_eq!(analysis["tool_results"]["clean"]["status"], "no_issues");
    assert_eq!(analysis["results"]["javascript"]["status"], "no_files");
    assert_eq!(world.tasks("acme_demo/app1"), ["task_task-7"]);
    let dir = world.at("cwd/results/acme_demo/app1/task_task-7");
    assert!(dir.join("manifest.json").is_file() && dir.join("report.html").is_file());
    let heard = heard.lock().unwrap();
    assert!(matches!(heard[0].kind, EventKind::Accepted { .. }));
    let last = &heard.last().unwrap().kind;
    assert!(matches!(last, EventKind::Ended { outcome: AnalysisOutcome::Complete }), "{last:?}");
    assert!(heard.iter().zip(0..).all(|(event, seq)| event.seq == seq));
    // Nothing of where we are is told.
    let place = world.root.path().to_str().unwrap().to_owned();
    assert!(!answer.analysis.as_str().contains(&place), "{}", answer.analysis.as_str());
}

#[tokio::test]
async fn another_attempt_at_a_task_leaves_the_older_one_alone() {
    let world = World::with(&[("fake", Fake::clean())]);
    let analyzer = world.analyzer().await;
    for _ in 0..3 {
        let answer = asked(&analyzer, "same", json!({})).await;
        assert_eq!(answer.status, AnalysisStatus::Success);
    }
    assert_eq!(world.tasks("acme_demo/app1"), ["task_same", "task_same-2", "task_same-3"]);
}

#[tokio::test]
async fn an_app_that_is_not_there_or_not_allowed_is_told_in_words() {
    let world = World::with(&[("fake", Fake::clean())]);
    let outside = world.at("cwd").display().to_string();
    symlink(world.at("cwd"), world.at("apps/acme_demo/app2")).unwrap();
    let analyzer = world.analyzer().await;
    let (status, analysis) = said(&analyzer, json!({"model": "nosuch"})).await;
    assert_eq!(status, AnalysisStatus::Error);
    let words = "Model path not found for nosuch app1 (checked flat and template structures)";
    assert_eq!(analysis, json!({"status": "error", "error": words}));
    for outside in [json!({"source_path": outside}), json!({"app": 2})] {
        let (status, analysis) = said(&analyzer, outside).await;
        assert_eq!(status, AnalysisStatus::Error);
        assert_eq!(analysis["code"], ErrorCode::PathNotAllowed.as_str());
    }
    let inside = world.at("apps/acme_demo/app1").display().to_string();
    let (status, analysis) = said(&analyzer, json!({"source_path": inside})).await;
    assert_eq!(status, AnalysisStatus::Success, "{analysis}");
}

#[tokio::test]
async fn names_of_tools_are_found_whatever_their_case_and_else_told_in_words() {
    let world = World::with(&[("fake", Fake::clean()), ("other", Fake::clean())]);
    let analyzer = world.analyzer().await;
    let (status, analysis) = said(&analyzer, json!({"tools": ["FAKE"]})).await;
    assert_eq!((status, &analysis["tools_used"]), (AnalysisStatus::Success, &json!(["fake"])));
    let (status, analysis) = said(&analyzer, json!({"tools": ["fake", "othre"]})).await;
    assert_eq!(status, AnalysisStatus::Error);
    assert_eq!(analysis["error"], "no tool is called `othre`");
    assert!(analysis["suggestion"].as_str().unwrap().contains("did you mean `other`?"));
    // A tool that needs an account is a gap, and one of another service is none.
    let (status, analysis) = said(&analyzer, json!({"tools": ["fake", "snyk"]})).await;
    assert_eq!(status, AnalysisStatus::Partial);
    assert_eq!(analysis["tool_results"]["snyk"]["status"], "not_available");
    let (status, _) = said(&analyzer, json!({"tools": ["fake", "zap"]})).await;
    assert_eq!(status, AnalysisStatus::Success);
    let (status, analysis) = said(&analyzer, json!({"tools": ["zap"]})).await;
    assert_eq!(status, AnalysisStatus::Error, "nothing ran: {analysis}");
}

#[tokio::test]
async fn a_request_decides_what_is_looked_for_and_nothing_else() {
    let options = json!({
        "level": {"summary": "x", "args": ["say={value}"]},
        "host": {"summary": "x", "args": ["say={value}"], "privileged": true},
    });
    let fake = Fake::finding("high").with("options", options);
    let world = World::with(&[("fake", fake)]);
    let analyzer = world.analyzer().await;
    let config = json!({
        "fake": {"level": ["a.py:1: low extra", " more"], "exclude_dirs": ["x"], "timeout": 2.5},
        "nonsense": 3,
    });
    let (status, analysis) = said(&analyzer, json!({"config": config})).await;
    assert_eq!(status, AnalysisStatus::Success, "{analysis}");
    assert_eq!(analysis["configuration_applied"], true);
    let notes = analysis["tool_results"]["fake"]["notes"].to_string();
    assert!(notes.contains("set by the user: level"), "{notes}");
    let warnings = analysis["warnings"].to_string();
    for word in ["`config.fake.exclude_dirs` is not in force", "`config.nonsense` is not in force"]
    {
        assert!(warnings.contains(word), "{warnings}");
    }
    for refused in [
        json!({"sandbox": "off"}),
        json!({"offline": false}),
        json!({"source_roots": ["/"]}),
        json!({"tool": {"mine": {}}}),
        json!({"fake": {"limits": {"memory-mib": 1}}}),
        json!({"fake": {"host": "evil.example"}}),
        json!({"settings": {"fake": {"options": {"host": "evil.example"}}}}),
    ] {
        let (status, analysis) = said(&analyzer, json!({"config": refused})).await;
        let error = analysis["error"].as_str().unwrap();
        assert_eq!(status, AnalysisStatus::Error);
        assert!(error.contains("may not be set by a request"), "{error}");
    }
    let wrong = json!({"config": {"timeout": "soon"}});
    assert!(said(&analyzer, wrong).await.1["error"].to_string().contains("is no duration"));
    // What one asked for reaches no other.
    let (_, analysis) = said(&analyzer, json!({})).await;
    assert_eq!(analysis["configuration_applied"], false);
    assert_eq!(analysis["tool_results"]["fake"]["notes"], Value::Null);
}

#[tokio::test]
async fn a_type_of_analysis_chooses_by_kind_and_language() {
    let python = |kind: &str| {
        Fake::clean().with("kind", json!(kind)).with("inputs", json!({"languages": ["python"]}))
    };
    let script = Fake::clean().with("inputs", json!({"languages": ["javascript"]}));
    let world = World::with(&[
        ("weakness", python("security").with("profile", json!("quick"))),
        ("form", python("style").with("profile", json!("quick"))),
        ("script", script.with("profile", json!("quick"))),
    ]);
    let shipped: Vec<String> = assay_tools::Catalogue::shipped()
        .unwrap()
        .iter()
        .map(|tool| tool.id().to_string())
        .collect();
    // Only ours shall be chosen: the others would be installed.
    let off = shipped.into_iter().map(|tool| (tool, json!({"enabled": false})));
    let world = world.set("tools", json!([])).set("settings", Value::Object(off.collect()));
    let analyzer = world.analyzer().await;
    let chosen = async |kind: &str| {
        let (_, analysis) = said(&analyzer, json!({"type": kind})).await;
        let results = analysis["tool_results"].as_object().unwrap();
        results.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(chosen("security_python").await, ["weakness"]);
    assert_eq!(chosen("security_javascript").await, ["script"]);
    assert_eq!(chosen("code_quality_python").await, ["form"]);
    assert_eq!(chosen("security").await, ["script", "weakness"]);
    assert_eq!(chosen("static").await, ["form", "script", "weakness"]);
}

#[tokio::test]
async fn analyses_at_once_say_what_each_says_alone() {
    // What it says of an app is what the app holds.
    let say = Fake::new(["stdout-file={project}/a.py", "exit=1"]);
    let world = World::with(&[("says", say), ("clean", Fake::clean())]).set("jobs", json!(2));
    for number in 1..=12 {
        let lines = (1..=number).map(|line| format!("a.py:{line}: high rule-{number}: x\n"));
        world.app("many", number, &lines.collect::<String>());
    }
    let analyzer = world.analyzer().await;
    let shown = |answer: &Answer| {
        let mut analysis = analysis(answer);
        let issues = analysis["tool_results"]["says"]["issues"].take();
        (answer.status, issues)
    };
    let running: Vec<_> = (1..=12_u32)
        .map(|number| {
            let analyzer = analyzer.clone();
            tokio::spawn(async move {
                let more = json!({"model": "many", "app": number});
                asked(&analyzer, &format!("at-once-{number}"), more).await
            })
        })
        .collect();
    for (number, running) in (1..=12_u32).zip(running) {
        let together = shown(&running.await.unwrap());
        let more = json!({"model": "many", "app": number});
        let alone = shown(&asked(&analyzer, &format!("alone-{number}"), more).await);
        assert_eq!(together, alone, "app{number}");
        assert_eq!(alone.0, AnalysisStatus::Success);
        assert_eq!(alone.1.as_array().map(Vec::len), Some(number as usize));
    }
}

#[tokio::test]
async fn only_tools_that_were_seen_are_at_hand() {
    let world = World::with(&[
        ("fake", Fake::clean()),
        ("untrusted", Fake::untrusted()),
        ("missing", Fake::missing()),
    ]);
    let analyzer = world.analyzer().await;
    let (status, analysis) = said(&analyzer, json!({})).await;
    assert_eq!(status, AnalysisStatus::Partial, "{analysis}");
    let now = analyzer.tools();
    assert!(now.available.contains(&"fake".to_owned()), "{now:?}");
    for tool in ["untrusted", "missing"] {
        assert!(!now.available.contains(&tool.to_owned()), "{now:?}");
        assert!(now.unavailable.contains_key(tool), "{now:?}");
    }
    assert!(now.unavailable["untrusted"].contains("its self-test failed"), "{now:?}");
}

#[tokio::test]
async fn a_new_configuration_holds_from_the_next_request_on_and_a_wrong_one_never() {
    let mut world = World::with(&[("fake", Fake::clean()), ("new", Fake::missing())]);
    let analyzer = world.analyzer().await;
    assert_eq!(said(&analyzer, json!({})).await.1["tools_used"], json!(["fake"]));
    // Another tool by the name of one that was not there.
    world.tools.insert("new".to_owned(), Fake::clean().declaration());
    world.configure();
    analyzer.reload().unwrap();
    let both = json!(["fake", "new"]);
    assert_eq!(said(&analyzer, json!({})).await.1["tools_used"], both);
    fs::write(world.at("cwd/assay.toml"), "profile = 3\n").unwrap();
    assert!(analyzer.reload().is_err());
    assert_eq!(said(&analyzer, json!({})).await.1["tools_used"], both);
}

#[tokio::test]
async fn the_configuration_is_told_without_its_secrets() {
    let options = json!({
        "api-token": {"summary": "x", "args": ["say={value}"]},
        "server": {"summary": "x", "args": ["say={value}"]},
    });
    let set = json!({"fake": {"options": {
        "api-token": "hunter2", "server": "https://me:hunter2@example.org/x",
    }}});
    let world =
        World::with(&[("fake", Fake::clean().with("options", options))]).set("settings", set);
    let told = world.analyzer().await.configuration();
    assert!(!told.as_str().contains("hunter2"), "{}", told.as_str());
    let told: Value = told.parse().unwrap();
    let options = &told["settings"]["fake"]["options"];
    assert_eq!(options, &json!({"api-token": "***", "server": "https://example.org/x"}));
}

#[tokio::test]
async fn a_subject_is_named_by_what_it_holds() {
    let world = World::with(&[]);
    world.app("acme_demo", 2, "one = 1\ntwo = 2\nthree = 3\n");
    let subjects = Subjects::new(vec![world.at("apps")]);
    let of = async |more: Value| subjects.resolve(&request(more)).await;
    let first = of(json!({"model": "Acme/Demo"})).await.unwrap();
    assert_eq!((first.model.as_str(), first.app), ("acme_demo", 1));
    assert_eq!(first.path, Some(world.at("apps/acme_demo/app1")));
    assert_eq!(of(json!({"app": 2})).await.unwrap().digest, first.digest);
    world.app("acme_demo", 2, "one = 2\n");
    assert_ne!(of(json!({"app": 2})).await.unwrap().digest, first.digest);
    assert_eq!(first.found_as.as_deref(), Some("acme_demo"));
    world.app("Capital", 1, "");
    let capital = of(json!({"model": "Capital"})).await.unwrap();
    assert_eq!((capital.model.as_str(), capital.found_as), ("capital", None));
    let missing = Subject { app: 9, found_as: None, path: None, digest: None, ..first };
    assert_eq!(of(json!({"app": 9})).await, Ok(missing));
    let fault = of(json!({"source_path": "/etc"})).await.unwrap_err();
    assert_eq!(fault.code, ErrorCode::PathNotAllowed);
    subjects.look_in(Vec::new());
    assert_eq!(of(json!({})).await.unwrap().path, None);
}

#[tokio::test]
async fn the_gateway_passes_a_name_on_under_which_the_app_is_found() {
    let world = World::with(&[]);
    world.app("Capital", 1, "");
    let resolve = Arc::new(Subjects::new(vec![world.at("apps")])).resolver();
    let passed_on = async |model: &str| {
        let resolved = resolve(request(json!({"model": model}))).await.unwrap();
        (resolved.request.model.unwrap(), resolved.digest.is_some())
    };
    assert_eq!(passed_on(" Acme/Demo").await, ("acme_demo".to_owned(), true));
    assert_eq!(passed_on("Capital").await, ("Capital".to_owned(), true));
    assert_eq!(passed_on("No/Such").await, ("No/Such".to_owned(), false));
}

#[test]
fn the_words_of_a_report_are_those_of_the_wire() {
    for status in ToolStatus::ALL {
        for observations in [0, 3] {
            let wire = ToolWord::of(*status, observations).as_str();
            assert_eq!(tool_word(*status, observations), wire);
        }
    }
}
