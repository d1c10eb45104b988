//! `assay analyze --server`, `watch` and `test`: work that a running server does.

use super::server::{Checked, check, odd, task_id};
use crate::{
    cli::{Analyze, Global, Server, Smoke, Watch, What, Worth},
    client::{Addresses, Client, Ended, Follow, Outcome as Said},
    exit::Exit,
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    outputs::{Format, Outputs},
    session::{self, Session},
    setup::Setup,
    target,
};
use assay_config::{Config, Kinds};
use assay_model::AppRef;
use assay_wire::{
    AnalysisRequest, AnalysisStatus, AnalysisType,
    gateway::{Reply, Request},
};
use serde_json::{Map, Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Runs `assay analyze` on a server.
pub(crate) fn analyze(analyze: &Analyze, global: &Global, session: &Session) -> Outcome {
    let outputs = Outputs::of(&analyze.format)?;
    let as_json = only_json(&outputs)?;
    let config = Setup::config_of(analyze, global)?;
    let request = request(analyze, &config)?;
    let addresses = Addresses::of(&analyze.server, global)?;
    session::block_on(async |interrupt| {
        let mut client = addresses.connect().await?;
        let follow = Follow::new(&mut client, session.progress());
        let ended = follow.analysis(request, &interrupt).await?;
        client.leave().await;
        deliver(&ended, &config, as_json)
    })
}

/// Shows what came out, and judges it.
fn deliver(ended: &Ended, config: &Config, as_json: bool) -> Outcome {
    let said = Said::of(&ended.reply);
    if as_json {
        session::print(&format!("{}\n", ended.reply.as_str()))?;
    } else {
        session::print(&said.shown(ended, config))?;
    }
    Ok(said.exit(ended, config))
}

/// A server keeps the reports where it runs; what comes back is its reply.
fn only_json(outputs: &Outputs) -> Result<bool, Failure> {
    if outputs.files.is_empty() && matches!(outputs.stdout, None | Some(Format::Json)) {
        return Ok(outputs.stdout.is_some());
    }
    Err(Failure::usage(
        "with --server, reports stay with the server; only `--format json` comes back",
    )
    .hint("leave --format away, or analyse without --server"))
}

/// What a server is asked to run, whatever the app.
pub(super) fn wishes(what: &What, worth: &Worth, config: &Config) -> AnalysisRequest {
    let kind = match config.kinds {
        Kinds::Static => "static",
        Kinds::Security => "security",
    };
    let mut wishes: Map<String, Value> = Map::new();
    if let Some(profile) = &what.profile {
        wishes.insert("profile".to_owned(), Value::from(profile.as_str()));
    }
    for (key, is_set) in
        [("require-all", worth.require_all), ("ignore-suppressions", worth.ignore_suppressions)]
    {
        if is_set {
            wishes.insert(key.to_owned(), Value::from(true));
        }
    }
    AnalysisRequest {
        analysis_type: Some(AnalysisType::new(kind)),
        tools: config.tools.clone(),
        config: wishes,
        timeout_s: what.timeout.as_ref().map(|_| config.timeout.as_secs_f64()),
        ..AnalysisRequest::default()
    }
}

/// Says to a server what `assay analyze` was told.
fn request(analyze: &Analyze, config: &Config) -> Result<AnalysisRequest, Failure> {
    let mut request = wishes(&analyze.what, &analyze.worth, config);
    match analyze.app.as_slice() {
        [path] => {
            let target = target::of_path(path.as_ref())?;
            request.source_path = Some(text_of(&target.path)?);
        }
        words => {
            let text = |at: usize| words[at].to_string_lossy().into_owned();
            let app = AppRef::model_app(&text(0), &text(1)).map_err(|error| {
                Failure::usage(error.to_string()).hint("write MODEL and `1` or `app1`")
            })?;
            if let AppRef::ModelApp { model, number } = app {
                request.model = Some(model.as_str().to_owned());
                request.app_number = Some(number);
            }
        }
    }
    Ok(request)
}

pub(super) fn text_of(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!("`{}` is not UTF-8, so no server can be told it", path.display()))
            .hint("rename it, or analyse without --server")
    })
}

pub(crate) fn watch(words: &Watch, global: &Global, session: &Session) -> Outcome {
    let addresses = Addresses::of(&words.server, global)?;
    let task = task_id(&words.task)?;
    let config = crate::setup::loader(global)?.check()?.config;
    session::block_on(async |interrupt| {
        let mut client = addresses.connect().await?;
        let ended = Follow::new(&mut client, session.progress()).task(&task, &interrupt).await?;
        client.leave().await;
        let Some(ended) = ended else {
            session.note(&format!("the task goes on; see `assay watch {task}`"));
            return Ok(Failure::stopped(interrupt.reason()).exit());
        };
        deliver(&ended, &config, words.json)
    })
}

/// One thing that was tried.
struct Tried {
    what: String,
    took: Duration,
    /// What there is to say, or why it did not work.
    said: Result<String, Failure>,
}

pub(crate) fn test(words: &Smoke, global: &Global, session: &Session) -> Outcome {
    let addresses = Addresses::of(&words.server, global)?;
    session::block_on(async |interrupt| {
        let mut client = addresses.connect().await?;
        let all = try_all(words, &addresses, &mut client, &interrupt).await;
        client.leave().await;
        let is_well = all.iter().all(|tried| tried.said.is_ok());
        if words.json {
            session::print_json(&all.iter().map(Tried::to_json).collect::<Vec<_>>())?;
        } else {
            let rows: Vec<Vec<String>> = all.iter().map(Tried::row).collect();
            let headers = ["tried", "took", "came"];
            session::print(&assay_term::table(&headers, &rows, assay_term::stdout_width()))?;
            for failure in all.iter().filter_map(|tried| tried.said.as_ref().err()) {
                session.complain(failure);
            }
        }
        Ok(if is_well { Exit::Done } else { Exit::Incomplete })
    })
}

async fn try_all(
    words: &Smoke,
    addresses: &Addresses,
    client: &mut Client,
    interrupt: &Interrupt,
) -> Vec<Tried> {
    let mut all = Vec::new();
    let begun = now();
    let pong = client.ask(Request::Ping).await;
    let said = pong.and_then(|reply| match reply {
        Reply::Pong => Ok("answers".to_owned()),
        other => Err(odd(client.url(), &other)),
    });
    all.push(Tried::since(begun, "gateway: ping", said));
    let begun = now();
    match check(addresses, client).await {
        Ok((_, services)) => {
            all.extend(services.into_iter().map(|Checked { name, url, health }| {
                let said = health.map(|health| {
                    format!("{}, {} tools", health.status, health.available_tools.len())
                });
                Tried::since(begun, &format!("{name} at {url}: health"), said)
            }));
        }
        Err(failure) => all.push(Tried::since(begun, "gateway: status", Err(failure))),
    }
    if let [model, app] = words.app.as_slice() {
        let begun = now();
        let said = try_analysis(model, app, words, client, interrupt).await;
        all.push(Tried::since(begun, &format!("analysis of {model} {app}"), said));
    }
    all
}

/// One small analysis through the gateway.
async fn try_analysis(
    model: &str,
    app: &str,
    words: &Smoke,
    client: &mut Client,
    interrupt: &Interrupt,
) -> Result<String, Failure> {
    let app = AppRef::model_app(model, app)
        .map_err(|error| Failure::usage(error.to_string()).hint("write MODEL and `1` or `app1`"))?;
    let AppRef::ModelApp { model, number } = app else { return Err(Failure::usage("no app")) };
    let request = AnalysisRequest {
        model: Some(model.as_str().to_owned()),
        app_number: Some(number),
        analysis_type: Some(AnalysisType::new("static")),
        tools: words.tools.clone(),
        config: Map::from_iter([("profile".to_owned(), Value::from("quick"))]),
        ..AnalysisRequest::default()
    };
    let ended = Follow::new(client, Box::new(|_| {})).analysis(request, interrupt).await?;
    let total = Said::of(&ended.reply).counts().total;
    match ended.status {
        AnalysisStatus::Success => Ok(format!("complete, {total} findings")),
        AnalysisStatus::Partial => Ok(format!("incomplete, {total} findings")),
        AnalysisStatus::Error | AnalysisStatus::Timeout | AnalysisStatus::Cancelled => {
            Err(Failure::usage(format!("the analysis ended with `{}`", ended.status))
                .hint("`assay analyze MODEL APP --server URL` shows why"))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what a person is told is real time")]
fn now() -> Instant {
    Instant::now()
}

// === impl Tried ===

impl Tried {
    fn since(begun: Instant, what: &str, said: Result<String, Failure>) -> Self {
        Self { what: what.to_owned(), took: begun.elapsed(), said }
    }

    fn row(&self) -> Vec<String> {
        let said = match &self.said {
            Ok(said) => said.clone(),
            Err(failure) => format!("failed: {}", failure.in_full()),
        };
        vec![self.what.clone(), format!("{:.0} ms", self.took.as_secs_f64() * 1000.0), said]
    }

    fn to_json(&self) -> Value {
        let (said, error) = match &self.said {
            Ok(said) => (Some(said.clone()), None),
            Err(failure) => (None, Some(failure.in_full())),
        };
        let ms = self.took.as_secs_f64() * 1000.0;
        json!({ "tried": self.what, "ms": ms, "ok": error.is_none(), "said": said, "error": error })
    }
}

/// Whether a command is to be carried out by a server.
pub(crate) fn is_asked_for(words: &Server) -> bool {
    words.server.is_some()
}
