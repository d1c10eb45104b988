//! `assay results`: what is remembered, without a server.

use super::remembered::{Kept, kept, of_book};
use crate::{
    cli::{Global, Results},
    client::{Ended, Outcome as Said},
    exit::Exit,
    failure::{Failure, Outcome},
    outputs::Outputs,
    session::{self, Session},
    setup::loader,
};
use assay_model::{Severity, SourcePath, SourceText};
use assay_store::{Entry, Listing, PrunePlan, Pruning, StoreError, find, list, prune};
use assay_term::{summary, table};
use serde_json::json;
use std::{collections::BTreeSet, io, sync::Arc};

/// The source of an old report is gone; what it quotes stands in its findings.
struct NoSource;

impl SourceText for NoSource {
    fn text(&self, _: &SourcePath) -> Option<Arc<str>> {
        None
    }
}

pub(crate) fn run(command: Results, global: &Global, session: &Session) -> Outcome {
    let roots = super::results_root()?.roots();
    match command {
        Results::List { json } => listed(list(&roots), json, global, session),
        Results::Show { task, json } => match find(&roots, &task) {
            Ok(entry) => show(&entry, json, session),
            Err(missing @ StoreError::NoTask { .. }) => {
                show_kept(&task, json, global, missing.into())
            }
            Err(error) => Err(error.into()),
        },
        Results::Export { task, format } => match find(&roots, &task) {
            Ok(entry) => export(&entry, &format, session),
            Err(missing @ StoreError::NoTask { .. }) => {
                Err(elsewhere(&task, global, missing.into()))
            }
            Err(error) => Err(error.into()),
        },
        Results::Prune { keep, dry_run } => {
            let plan = PrunePlan { keep_last: Some(keep), older_than: None };
            let pruning = if dry_run { Pruning::DryRun } else { Pruning::Remove };
            let pruned = prune(&roots, plan, pruning);
            let verb = if dry_run { "would be removed" } else { "removed" };
            for entry in &pruned.removed {
                session::print(&format!("{}\n", entry.path.display()))?;
            }
            let freed = pruned.bytes.div_ceil(1 << 20);
            session::print(&format!("{} results {verb}, {freed} MiB\n", pruned.removed.len()))?;
            match pruned.failed.first() {
                None => Ok(Exit::Done),
                Some(failed) => Err(Failure::usage(format!(
                    "{} results could not be removed, such as `{}`: {}",
                    pruned.failed.len(),
                    failed.path.display(),
                    failed.why
                ))
                .hint("remove them by hand")),
            }
        }
    }
}

fn listed(listing: Listing, as_json: bool, global: &Global, session: &Session) -> Outcome {
    let here: BTreeSet<String> =
        listing.entries.iter().map(|entry| entry.task.to_string()).collect();
    // Of a service on another machine there is only what it has sent.
    let remembered = loader(global).and_then(|loader| {
        let config = loader.check()?.config;
        session::block_on(async |_| of_book(&config.serve).await)
    });
    let mut kept = match remembered {
        Err(stopped) if matches!(stopped.exit(), Exit::Interrupted | Exit::Terminated) => {
            return Err(stopped);
        }
        Err(failure) => {
            session.note(&format!("what a gateway remembers is left out: {failure}"));
            Vec::new()
        }
        Ok(kept) => kept,
    };
    kept.retain(|row| !row.is_open && !here.contains(&row.task));
    if as_json {
        let entries = listing.entries.iter().map(entry_json);
        let all: Vec<_> = entries.chain(kept.into_iter().map(|row| row.json)).collect();
        session::print_json(&all)?;
    } else if listing.entries.is_empty() && listing.unreadable.is_empty() && kept.is_empty() {
        session::print("no results yet; run `assay analyze PATH`\n")?;
    } else {
        let entries = listing.entries.iter().map(entry_row);
        let rows: Vec<_> = entries.chain(kept.into_iter().map(|row| row.cells)).collect();
        let headers = ["task", "app", "started", "state", "findings", "worst"];
        session::print(&table(&headers, &rows, assay_term::stdout_width()))?;
    }
    for broken in &listing.unreadable {
        session.note(&format!("{}: cannot be read: {}", broken.path.display(), broken.why));
    }
    Ok(Exit::Done)
}

/// Shows what the book of a gateway has kept, or says why there is nothing.
fn show_kept(task: &str, as_json: bool, global: &Global, missing: Failure) -> Outcome {
    let config = loader(global)?.check()?.config;
    let kept = session::block_on(async |_| kept(&config.serve, task).await)?;
    let Some(Kept { task, status, reply }) = kept else { return Err(missing) };
    if as_json {
        session::print(&format!("{}\n", reply.as_str()))?;
    } else {
        let ended = Ended { task: Some(task), status, reply, stopped: None };
        session::print(&Said::of(&ended.reply).shown(&ended, &config))?;
    }
    Ok(Exit::Done)
}

/// Why there is no report to write in another format.
fn elsewhere(task: &str, global: &Global, missing: Failure) -> Failure {
    let config = loader(global).and_then(|loader| Ok(loader.check()?.config));
    let kept =
        config.and_then(|config| session::block_on(async |_| kept(&config.serve, task).await));
    match kept {
        Ok(Some(Kept { task, .. })) => {
            let words = format!("the report of `{task}` lies with the service that made it");
            Failure::usage(words)
                .hint(format!("see `assay results show {task} --json`, or export it there"))
        }
        Ok(None) | Err(_) => missing,
    }
}

pub(super) fn entry_json(entry: &Entry) -> serde_json::Value {
    json!({
        "task": entry.task, "app": entry.app, "started": entry.started,
        "state": entry.state.to_string(), "counts": entry.counts,
        "duration_ms": entry.duration_ms, "path": entry.path.display().to_string(),
    })
}

pub(super) fn entry_row(entry: &Entry) -> Vec<String> {
    let counts = entry.counts.clone().unwrap_or_default();
    let worst = counts.by_severity.iter().rev().find(|(_, count)| **count > 0);
    let worst = worst.map(|(severity, count): (&Severity, &u64)| format!("{count} {severity}"));
    let started = entry.started.to_zoned(jiff::tz::TimeZone::system());
    vec![
        entry.task.to_string(),
        entry.app.to_string(),
        started.strftime("%Y-%m-%d %H:%M").to_string(),
        entry.state.to_string(),
        entry.counts.as_ref().map_or_else(String::new, |counts| counts.total.to_string()),
        worst.unwrap_or_default(),
    ]
}

fn show(entry: &Entry, as_json: bool, session: &Session) -> Outcome {
    let report = entry.load_report()?;
    if as_json {
        session::print_json(&report)?;
        return Ok(Exit::Done);
    }
    let written = super::analyze::written_reports(&entry.path);
    session::print(&summary(&report, &written, &session.style(), assay_term::stdout_width()))?;
    Ok(Exit::Done)
}

fn export(entry: &Entry, formats: &[String], session: &Session) -> Outcome {
    let outputs = Outputs::of(formats)?;
    let report = entry.load_report()?;
    outputs.write_files(&report, &NoSource)?;
    if let Some(format) = outputs.stdout {
        let written = format.write(&report, &NoSource, &mut io::stdout().lock());
        super::analyze::ignore_closed_pipe(written)?;
    } else if outputs.files.is_empty() {
        session::print(&summary(&report, &[], &session.style(), assay_term::stdout_width()))?;
    }
    Ok(Exit::Done)
}
