//! What came of all apps together, and where it is written.

use super::run::{Batch, Landing};
use crate::{
    commands::analyze::ignore_closed_pipe,
    exit::{Exit, at_or_above},
    failure::Failure,
    host,
    outputs::{Format, Outputs},
    setup::Setup,
};
use assay_model::{
    AppEnd, BATCH_VERSION, BatchReport, CancelReason, Environment, SelectionInfo, TaskId, Verdict,
};
use assay_report::{
    Claim, Sample, alarms, batch_counts, batch_outcome, batch_tools, html, write_batch_csv,
    write_batch_json, write_batch_markdown,
};
use assay_store::{BATCH_JSON, BatchFolder};
use assay_term::WrittenReport;
use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

/// A batch that has ended, but for what its apps say.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: TaskId,
    pub(crate) started: jiff::Timestamp,
    pub(crate) stopped: Option<CancelReason>,
}

/// Puts the report together.
pub(crate) fn report(batch: &Batch, told: Told, landings: Vec<Landing>) -> BatchReport {
    let claims = claims(&batch.setup);
    let (mut apps, mut samples) = (Vec::new(), Vec::<Sample>::new());
    for Landing { app, sample } in landings {
        apps.push(app);
        samples.extend(sample);
    }
    let config = &batch.setup.config;
    let counts = batch_counts(&apps);
    let ends = apps.iter().map(|app| exit_of(&app.end, told.stopped));
    let exit = ends.max().unwrap_or(Exit::Done);
    BatchReport {
        batch_version: BATCH_VERSION.to_owned(),
        batch: told.id,
        started: told.started,
        duration_ms: batch.board.elapsed_ms(),
        outcome: batch_outcome(&apps),
        verdict: Verdict {
            fail_on: config.fail_on.to_string(),
            at_or_above: at_or_above(&counts, config),
            exit_code: exit.code(),
        },
        selection: SelectionInfo {
            analyses: vec![config.kinds.as_str().to_owned()],
            profile: config.profile,
            tools: config.tools.clone(),
            from_project: Vec::new(),
        },
        environment: Environment {
            assay: env!("CARGO_PKG_VERSION").to_owned(),
            os: host::os(),
            cpus: host::cpus(),
            jobs: batch.setup.jobs,
            python: None,
            node: None,
            isolation: batch.here.toolbox().cage().describe(),
        },
        counts,
        tools: batch_tools(&apps),
        alarms: alarms(&samples, &claims),
        apps,
        warnings: batch.board.warnings(),
    }
}

fn exit_of(end: &AppEnd, stopped: Option<CancelReason>) -> Exit {
    match end {
        AppEnd::Analysed(result) => Exit::of_code(result.exit_code),
        AppEnd::Failed { exit_code, .. } => Exit::of_code(*exit_code),
        AppEnd::NotRun if stopped == Some(CancelReason::ShuttingDown) => Exit::Terminated,
        AppEnd::NotRun => Exit::Interrupted,
    }
}

/// Says of every tool that reports findings and has a self-test what it is known to find.
fn claims(setup: &Setup) -> Vec<Claim> {
    let tools = || setup.chosen.iter().map(|chosen| &chosen.tool);
    tools()
        .filter_map(|tool| {
            let says = tool.declaration();
            let canary = says.canary.as_ref()?;
            // A bill of materials never holds a finding.
            if says.output.format == assay_model::Format::Cyclonedx {
                return None;
            }
            let class = tool.defect_class(&canary.expect).map(|class| class.name.as_str());
            let looks =
                |class| tools().any(|other| other.id() != tool.id() && other.looks_for(class));
            let defect =
                class.map_or_else(|| format!("{}:{}", tool.id(), canary.expect), str::to_owned);
            let others_look = class.is_some_and(looks);
            Some(Claim { tool: tool.id().clone(), defect, others_look })
        })
        .collect()
}

/// Writes the tables of the batch's folder, and what `--format` asked for.
pub(crate) fn deliver(
    report: &BatchReport,
    folder: &BatchFolder,
    outputs: &Outputs,
) -> Result<Vec<WrittenReport>, Failure> {
    let files = [
        (Format::Html, "batch.html"),
        (Format::Csv, "batch.csv"),
        (Format::Markdown, "batch.md"),
        (Format::Json, BATCH_JSON),
    ];
    let mut written = Vec::new();
    for (format, name) in files {
        let path =
            folder.write(name, |out| write(report, format, (Some(&folder.place().dir), out)))?;
        written.push(written_report(format, &path));
    }
    // Where these lie at last is the user's affair, so they link to no other page.
    outputs.write_files_with(|format, out| write(report, format, (None, out)))?;
    written.extend(outputs.files.iter().map(|(format, path)| written_report(*format, path)));
    if let Some(format) = outputs.stdout {
        ignore_closed_pipe(write(report, format, (None, &mut io::stdout().lock())))?;
    }
    Ok(written)
}

fn written_report(format: Format, path: &Path) -> WrittenReport {
    WrittenReport { what: format.name().to_owned(), path: path.display().to_string() }
}

/// Writes the batch to where it goes: a stream, and the folder in which it will lie, where that is
/// ours.
fn write(
    report: &BatchReport,
    format: Format,
    (folder, out): (Option<&Path>, &mut dyn Write),
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    match format {
        Format::Human => {
            let text = assay_term::batch_summary(report, &[], &assay_term::Style::default(), 100);
            out.write_all(text.as_bytes())
        }
        Format::Json => write_batch_json(report, &mut out),
        Format::Csv => write_batch_csv(report, &mut out),
        Format::Markdown => write_batch_markdown(report, &mut out),
        Format::Html => html::write_batch(report, folder, &mut out),
        Format::Sarif | Format::Junit | Format::Gitlab | Format::Github => {
            unreachable!("`Outputs::among` lets no other format through")
        }
    }?;
    out.flush()
}
