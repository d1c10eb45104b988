//! Analyses to remember.
#![allow(dead_code, reason = "no test file uses all of it")]

use assay_model::{
    AnalysisOutcome, AppInfo, AppRef, Counts, Digest, Environment, Event, EventKind, Profile,
    REPORT_VERSION, Report, SelectionInfo, Severity, SourceInfo, TaskId, ToolId, ToolRun,
    ToolStatus, Verdict,
};
use assay_store::{Manifest, ResultsRoot, TaskFolder, TaskInfo};
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn path_app() -> AppRef {
    AppRef::Path { path: "notes".to_owned() }
}

/// The task of second `n`.
pub(crate) fn info(n: u32, app: AppRef) -> TaskInfo {
    let started = format!("2026-11-23T15:36:{n:02}Z").parse().unwrap();
    let task = TaskId::new(&format!("20261123-1536{n:02}-abcdef")).unwrap();
    TaskInfo::new("0.1.0", task, app, started).at("/srv/notes")
}

pub(crate) fn report(info: &TaskInfo) -> Report {
    let mut ruff = ToolRun::not_run(ToolId::new("ruff").unwrap(), ToolStatus::Ok, true);
    ruff.version = Some("0.14.0".to_owned());
    Report {
        report_version: REPORT_VERSION.to_owned(),
        task: info.task.clone(),
        app: AppInfo { app: info.app.clone(), path: info.path.clone(), git: None },
        started: info.started,
        duration_ms: 1500,
        outcome: AnalysisOutcome::Complete,
        verdict: Verdict { fail_on: "none".to_owned(), at_or_above: 0, exit_code: 0 },
        selection: SelectionInfo {
            analyses: vec!["static".to_owned()],
            profile: Profile::Standard,
            tools: Vec::new(),
            from_project: Vec::new(),
        },
        source: SourceInfo {
            digest: Digest::new(&"0".repeat(64)).unwrap(),
            files: 1,
            bytes: 2,
            lines: 3,
            languages: [].into(),
            frameworks: Vec::new(),
            manifests: Vec::new(),
            skipped: [].into(),
        },
        environment: Environment {
            assay: "0.1.0".to_owned(),
            os: "Linux".to_owned(),
            cpus: 2,
            jobs: 2,
            python: None,
            node: None,
            isolation: Vec::new(),
        },
        tools: vec![ruff],
        counts: Counts { total: 2, by_severity: [(Severity::High, 2)].into(), ..Counts::default() },
        findings: Vec::new(),
        ignores: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(crate) fn warned(seq: u32) -> Event {
    Event { seq, at_ms: 1, kind: EventKind::Warned { message: "note".to_owned() } }
}

pub(crate) fn write_report(folder: &TaskFolder, report: &Report) {
    folder.write("report.json", |out| Ok(serde_json::to_writer(out, report)?)).unwrap();
}

/// Runs a whole analysis and returns its folder.
pub(crate) fn finished(
    root: &ResultsRoot,
    info: &TaskInfo,
    output: Option<&Path>,
) -> (PathBuf, Manifest) {
    let (folder, mut log) = root.create(info, output).unwrap();
    log.append(&warned(0)).unwrap();
    folder.write("sarif/static_ruff.sarif.json", |out| out.write_all(b"{}")).unwrap();
    write_report(&folder, &report(info));
    let dir = folder.dir().to_owned();
    (dir, folder.finish(log, &report(info)).unwrap())
}

/// Every name below a folder, sorted.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    fn visit(folder: &Path, root: &Path, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if entry.file_type().unwrap().is_dir() {
                visit(&path, root, names);
            }
        }
    }
    let mut names = Vec::new();
    visit(folder, folder, &mut names);
    names.sort();
    names
}
