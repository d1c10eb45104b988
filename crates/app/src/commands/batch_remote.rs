//! `assay batch --server`: many apps, analysed by a running server.
//!
//! Keeps: an app that has ended is on disk before it is counted, so that the same command goes on where
//! a killed one stopped; work that a killed one left with the server is joined, not done twice; what is
//! there is shown however the batch ends.

use super::remote::wishes;
use crate::{
    batch::{self, Choice, Record},
    cli::{self, Global},
    client::{Addresses, Client, Outcome as Said, Traced, said_no, status_of},
    exit::Exit,
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    outputs::{Format, Outputs},
    session::{self, Session},
    setup::{Setup, loader},
    target::Target,
};
use assay_config::Config;
use assay_model::{AnalysisOutcome, AppRef, CancelReason};
use assay_wire::{
    AnalysisRequest, AnalysisStatus, Payload,
    gateway::{CancelWish, Reply, Request},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

/// Requests of one batch that are with the server at once: it has a queue of its own, and what is
/// not sent needs no place in it.
const AT_ONCE: usize = 32;

/// How one app ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Landing {
    app: String,
    status: AnalysisStatus,
    findings: u64,
    by_severity: BTreeMap<assay_model::Severity, u64>,
    error: Option<String>,
}

pub(crate) fn run(words: &cli::Batch, global: &Global, session: &Session) -> Outcome {
    let outputs = Outputs::among(&words.format, &[Format::Human, Format::Json])?;
    if let Some((_, path)) = outputs.files.first() {
        let what = format!(
            "`{}` cannot be written: with --server the table goes to standard output",
            path.display()
        );
        return Err(Failure::usage(what).hint("leave `=FILE` away"));
    }
    let mut loader = loader(global)?;
    loader.flags.extend(Setup::flags_of_batch(words));
    let config = loader.check()?.config;
    let Choice { targets, notes } = batch::choose(words, &config.source_roots)?;
    for note in notes {
        session.note(&note);
    }
    let asked = asked(&targets, words, &config)?;
    let addresses = Addresses::of(&words.server, global)?;
    let mut record = Record::<Landing>::open(&asked, words.fresh)?;
    if !record.landed().is_empty() {
        session.note(&format!(
            "{} of {} apps have ended before",
            record.landed().len(),
            asked.len()
        ));
    }
    let stopped = session::block_on(async |interrupt| {
        let mut client = addresses.connect().await?;
        let left = asked.iter().filter(|(app, _)| !record.landed().contains_key(app));
        let left: Vec<(String, AnalysisRequest)> = left.cloned().collect();
        let flight =
            Flight { client: &mut client, record: &mut record, session, total: asked.len() };
        let stopped = flight.run(left, &interrupt).await?;
        client.leave().await;
        Ok(stopped)
    })?;
    let landings: Vec<Landing> =
        asked.iter().filter_map(|(app, _)| record.landed().get(app).cloned()).collect();
    if outputs.stdout.is_some() {
        session::print_json(&landings)?;
    } else {
        session::print(&table(&landings, asked.len()))?;
    }
    if landings.len() == asked.len() {
        record.close();
    }
    Ok(judge(&landings, stopped, &config))
}

/// The request of each app, by its name.
fn asked(
    targets: &[Target],
    words: &cli::Batch,
    config: &Config,
) -> Result<Vec<(String, AnalysisRequest)>, Failure> {
    let wishes = wishes(&words.what, &words.worth, config);
    let one = |target: &Target| {
        let mut request = wishes.clone();
        match &target.app {
            AppRef::ModelApp { model, number } => {
                request.model = Some(model.as_str().to_owned());
                request.app_number = Some(*number);
            }
            AppRef::Path { .. } => {
                request.source_path = Some(super::remote::text_of(&target.path)?);
            }
        }
        Ok((target.app.to_string(), request))
    };
    targets.iter().map(one).collect()
}

/// The gravest of all apps counts, and one that has not ended is a gap.
fn judge(landings: &[Landing], stopped: Option<CancelReason>, config: &Config) -> Exit {
    let exits = landings.iter().map(|landing| {
        let outcome = match landing.status {
            AnalysisStatus::Success => AnalysisOutcome::Complete,
            AnalysisStatus::Timeout => AnalysisOutcome::TimedOut,
            AnalysisStatus::Partial | AnalysisStatus::Error | AnalysisStatus::Cancelled => {
                AnalysisOutcome::Incomplete
            }
        };
        let counts = assay_model::Counts {
            total: landing.findings,
            by_severity: landing.by_severity.clone(),
            ..assay_model::Counts::default()
        };
        Exit::of(outcome, &counts, config)
    });
    let stopped = stopped.map(|reason| Failure::stopped(Some(reason)).exit());
    exits.chain(stopped).max().unwrap_or(Exit::Done)
}

fn table(landings: &[Landing], asked: usize) -> String {
    let rows: Vec<Vec<String>> = landings
        .iter()
        .map(|landing| {
            let worst = landing.by_severity.iter().rev().find(|(_, count)| **count > 0);
            let worst = worst.map(|(severity, count)| format!("{count} {severity}"));
            vec![
                landing.app.clone(),
                landing.status.to_string(),
                landing.findings.to_string(),
                worst.unwrap_or_default(),
                landing.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let headers = ["app", "status", "findings", "worst", "why"];
    let mut text = assay_term::table(&headers, &rows, assay_term::stdout_width());
    // Text takes all.
    let _ = writeln!(text, "\n{} of {asked} apps have ended", landings.len());
    if landings.len() < asked {
        text.push_str("the same command goes on with the others\n");
    }
    text
}

/// The requests that are with the server.
struct Flight<'a> {
    client: &'a mut Client,
    record: &'a mut Record<Landing>,
    session: &'a Session,
    total: usize,
}

// === impl Flight ===

impl Flight<'_> {
    /// Has all analysed. Returns why it was stopped, if it was: what the server has then goes no
    /// further, and what has ended is in the record.
    async fn run(
        self,
        left: Vec<(String, AnalysisRequest)>,
        interrupt: &Interrupt,
    ) -> Result<Option<CancelReason>, Failure> {
        let mut left = left.into_iter();
        let mut with_server: HashMap<String, (String, Traced)> = HashMap::new();
        let mut stopped = None;
        loop {
            while stopped.is_none() && with_server.len() < AT_ONCE {
                let Some((app, mut request)) = left.next() else { break };
                let traced = Traced::begin(&mut request, self.client.url());
                let id = self.client.send(Request::Analysis(Box::new(request))).await?;
                with_server.insert(id, (app, traced));
            }
            if with_server.is_empty() {
                return Ok(stopped);
            }
            let frame = tokio::select! {
                biased;
                reason = interrupt.asked(), if stopped.is_none() => {
                    stopped = Some(reason);
                    for id in with_server.keys() {
                        let wish = CancelWish { task_id: None, correlation_id: Some(id.clone()) };
                        self.client.send(Request::Cancel(wish)).await?;
                    }
                    continue;
                }
                frame = self.client.next() => frame?,
            };
            let Some(id) = frame.envelope.correlation_id else { continue };
            if let Reply::Task(status) = &frame.body
                && let (Some((_, traced)), Some(task)) = (with_server.get(&id), &status.task_id)
            {
                traced.accepted(task);
            }
            if !matches!(frame.body, Reply::AnalysisResult(_) | Reply::Error(_)) {
                continue;
            }
            let Some((app, traced)) = with_server.remove(&id) else { continue };
            let Some(landing) = self.landed(app, traced, frame.body) else { continue };
            // What we have cancelled ourselves is to be done by the next run.
            if stopped.is_some() && landing.status == AnalysisStatus::Cancelled {
                continue;
            }
            self.session.note(&format!(
                "{} of {}: {}: {}, {} findings",
                self.record.landed().len() + 1,
                self.total,
                landing.app,
                landing.status,
                landing.findings
            ));
            self.record.keep(landing.app.clone(), landing)?;
        }
    }

    /// How one app ended, if this is an end.
    fn landed(&self, app: String, traced: Traced, end: Reply) -> Option<Landing> {
        match end {
            Reply::AnalysisResult(reply) => {
                traced.answered(&reply);
                Some(landing(app, &reply))
            }
            Reply::Error(fault) => {
                traced.refused(&fault.message);
                let failure = said_no(self.client.url(), &fault);
                Some(Landing::without_reply(app, failure.in_full()))
            }
            _ => None,
        }
    }
}

fn landing(app: String, reply: &Payload) -> Landing {
    let said = Said::of(reply);
    let counts = said.counts();
    Landing {
        app,
        status: status_of(reply),
        findings: counts.total,
        by_severity: counts.by_severity,
        error: said.error().map(str::to_owned),
    }
}

// === impl Landing ===

impl Landing {
    fn without_reply(app: String, why: String) -> Self {
        let status = AnalysisStatus::Error;
        Self { app, status, findings: 0, by_severity: BTreeMap::new(), error: Some(why) }
    }
}
