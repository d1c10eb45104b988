//! A world for every test: apps, a configuration, a cache, and tools that do as told.

use super::fake::Fake;
use crate::analyzers::{StaticAnalyzer, Surroundings};
use assay_config::Loader;
use assay_exec::{Cage, Shim};
use assay_model::{CancelReason, TaskId};
use assay_provision::{Provisioner, Settings};
use assay_server::{Analyze as _, Answer, Job};
use assay_store::ResultsRoot;
use assay_wire::{AnalysisRequest, AnalysisStatus, AnalysisType};
use serde_json::{Map, Value, json};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// No analysis of these tests takes so long on any machine that is worth testing on.
pub(super) const LONG: Duration = Duration::from_mins(5);

/// ```text
/// apps/<model>/app<N>   what can be asked for
/// cwd/assay.toml        the configuration; results go to cwd/results
/// cache
/// ```
pub(super) struct World {
    pub(super) root: testkit::TempDir,
    pub(super) tools: Map<String, Value>,
    settings: Map<String, Value>,
}

// === impl World ===

impl World {
    pub(super) fn with(tools: &[(&str, Fake)]) -> Self {
        let root = testkit::tempdir().unwrap();
        let each = |(id, fake): &(&str, Fake)| ((*id).to_owned(), fake.clone().declaration());
        let world = Self { root, tools: tools.iter().map(each).collect(), settings: Map::new() };
        for name in ["cwd", "cache", "apps"] {
            fs::create_dir(world.at(name)).unwrap();
        }
        world.app("acme_demo", 1, "one = 1\ntwo = 2\nthree = 3\n");
        world
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(path)
    }

    pub(super) fn app(&self, model: &str, number: u32, text: &str) {
        let dir = self.at(&format!("apps/{model}/app{number}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.py"), text).unwrap();
    }

    pub(super) fn set(mut self, key: &str, value: Value) -> Self {
        self.settings.insert(key.to_owned(), value);
        self
    }

    pub(super) fn configure(&self) {
        let mut all = self.settings.clone();
        let names: Vec<&String> = self.tools.keys().collect();
        all.entry("tools").or_insert_with(|| json!(names));
        all.insert("source-roots".to_owned(), json!([self.at("apps")]));
        all.insert("tool".to_owned(), Value::Object(self.tools.clone()));
        fs::write(self.at("cwd/assay.toml"), toml::to_string(&all).unwrap()).unwrap();
    }

    pub(super) async fn analyzer(&self) -> StaticAnalyzer {
        self.configure();
        let cage = Cage::bare(Shim::at(testkit::shim()));
        let provisioner = |offline| {
            let lock = include_str!("../../../../../tools/locks/uv-wheels.toml");
            let mut settings = Settings::new(self.at("cache"), lock.to_owned());
            settings.offline = offline;
            settings.cage = cage.clone();
            Arc::new(Provisioner::new(settings).unwrap())
        };
        let around = Surroundings {
            loader: Loader { working_dir: self.at("cwd"), ..Loader::default() },
            provisioner: provisioner(false),
            looker: provisioner(true),
            root: ResultsRoot::new(&self.at("cwd"), None),
            cage: Some(cage),
        };
        StaticAnalyzer::start(around).await.unwrap()
    }

    /// The names of the task folders of an app.
    pub(super) fn tasks(&self, app: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(&format!("cwd/results/{app}"))).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub(super) fn request(more: Value) -> AnalysisRequest {
    let text = |key: &str| more[key].as_str().map(str::to_owned);
    let list = more["tools"].as_array().into_iter().flatten();
    AnalysisRequest {
        model: Some(text("model").unwrap_or_else(|| "acme_demo".to_owned())),
        app_number: Some(more["app"].as_u64().map_or(1, |number| number.try_into().unwrap())),
        source_path: text("source_path"),
        analysis_type: text("type").map(|word| AnalysisType::new(&word)),
        tools: list.map(|name| name.as_str().unwrap().to_owned()).collect(),
        config: more["config"].as_object().cloned().unwrap_or_default(),
        ..AnalysisRequest::default()
    }
}

/// A job that runs under this name, and the way to cancel it.
pub(super) fn job(task: &str, more: Value) -> (Job, watch::Sender<Option<CancelReason>>) {
    let (stop, cancel) = watch::channel(None);
    let task = TaskId::new(task).unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = assay_model::TraceContext::parse(trace, None).unwrap();
    let deadline = Instant::now() + LONG;
    (Job { request: request(more), task, trace, deadline, cancel }, stop)
}

pub(super) async fn asked(analyzer: &StaticAnalyzer, task: &str, more: Value) -> Answer {
    let (job, _stop) = job(task, more);
    analyzer.analyse(job, Box::new(|_| {})).await
}

pub(super) fn analysis(answer: &Answer) -> Value {
    answer.analysis.parse().unwrap()
}

pub(super) async fn said(analyzer: &StaticAnalyzer, more: Value) -> (AnalysisStatus, Value) {
    let answer = asked(analyzer, "task-1", more).await;
    (answer.status, analysis(&answer))
}
