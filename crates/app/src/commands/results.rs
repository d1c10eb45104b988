//! `assay results`: what is remembered, without a server.

use crate::{
    cli::Results,
    exit::Exit,
    failure::{Failure, Outcome},
    outputs::Outputs,
    session::{self, Session},
};
use assay_model::{Severity, SourcePath, SourceText};
use assay_store::{Entry, Listing, PrunePlan, Pruning, find, list, prune};
use assay_term::{summary, table};
use serde_json::json;
use std::{io, sync::Arc};

/// The source of an old report is gone; what it quotes stands in its findings.
struct NoSource;

impl SourceText for NoSource {
    fn text(&self, _: &SourcePath) -> Option<Arc<str>> {
        None
    }
}

pub(crate) fn run(command: Results, session: &Session) -> Outcome {
    let roots = super::results_root()?.roots();
    match command {
        Results::List { json } => listed(list(&roots), json, session),
        Results::Show { task, json } => show(&find(&roots, &task)?, json, session),
        Results::Export { task, format } => export(&find(&roots, &task)?, &format, session),
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

fn listed(listing: Listing, as_json: bool, session: &Session) -> Outcome {
    if as_json {
        let entries: Vec<_> = listing.entries.iter().map(entry_json).collect();
        session::print_json(&entries)?;
    } else if listing.entries.is_empty() && listing.unreadable.is_empty() {
        session::print("no results yet; run `assay analyze PATH`\n")?;
    } else {
        let rows: Vec<Vec<String>> = listing.entries.iter().map(entry_row).collect();
        let headers = ["task", "app", "started", "state", "findings", "worst"];
        session::print(&table(&headers, &rows, assay_term::stdout_width()))?;
    }
    for broken in &listing.unreadable {
        session.note(&format!("{}: cannot be read: {}", broken.path.display(), broken.why));
    }
    Ok(Exit::Done)
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
