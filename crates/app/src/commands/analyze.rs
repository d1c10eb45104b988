//! `assay analyze`: one app, end to end.

use crate::{
    analysis::{self, Finished, Journal, Request},
    cli::{Analyze, Global},
    exit::Exit,
    failure::{Failure, Outcome},
    outputs::Outputs,
    session::{self, Session},
    setup::Setup,
};
use assay_model::{Report, ToolStatus};
use assay_report::{SarifLimits, html, write_json, write_sarif, write_tool_sarif};
use assay_rules::{Durations, Estimate};
use assay_store::{DurationsFile, RunLog, StoreError, TaskFolder, TaskInfo, make_task_id};
use assay_term::{WrittenReport, summary};
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The log of events, written by the journal's thread and ended by this one.
type SharedLog = Arc<Mutex<Option<RunLog>>>;

pub(crate) fn run(analyze: &Analyze, global: &Global, session: &Session) -> Outcome {
    let outputs = Outputs::of(&analyze.format)?;
    let setup = Setup::of(analyze, global)?;
    let provisioner = session::provisioner(setup.config.offline)?;
    let durations = DurationsFile::at(provisioner.settings().cache.join("durations.json"));
    let now = jiff::Timestamp::now();
    let info = TaskInfo::new(env!("CARGO_PKG_VERSION"), make_task_id(now)?, setup.app.clone(), now)
        .at(setup.path.display().to_string());
    let (folder, log) = super::results_root()?.create(&info, setup.config.output.as_deref())?;
    if let Some(why) = &folder.place().fell_back {
        session.note(&format!(
            "results go to `{}`, since they cannot go to {why}",
            folder.dir().display()
        ));
    }
    let log: SharedLog = Arc::new(Mutex::new(Some(log)));
    let journal = Arc::new(journal(&log, session));
    let request = Request {
        durations: known(&durations),
        logs: folder.dir().join("logs"),
        task: info.task,
        setup,
        provisioner,
    };
    let ended =
        session::block_on(async |interrupt| analysis::run(request, &journal, &interrupt).await);
    journal.finish();
    let log = log.lock().expect("the journal's thread has ended").take();
    let log = log.expect("nobody else takes the log");
    let finished = match ended {
        Ok(finished) => finished,
        Err(failure) => {
            folder.abandon(log)?;
            return Err(failure);
        }
    };
    learn(&durations, &finished.report);
    deliver(&finished, (folder, log), &outputs, session)
}

fn journal(log: &SharedLog, session: &Session) -> Journal {
    let log = Arc::clone(log);
    let mut is_broken = false;
    let append = move |event: &assay_model::Event| {
        let mut log = log.lock().expect("nothing panics while it holds the log");
        let Some(log) = &mut *log else { return };
        if let Err(error) = log.append(event)
            && !is_broken
        {
            // Once is enough: a full disk stays full, and the reports say the same.
            tracing::error!(%error, "events are not kept any more");
            is_broken = true;
        }
    };
    Journal::new(Box::new(append), session.progress())
}

/// Writes everything, says what there is to say, and judges.
fn deliver(
    finished: &Finished,
    (folder, log): (TaskFolder, RunLog),
    outputs: &Outputs,
    session: &Session,
) -> Outcome {
    let report = &finished.report;
    let dir = folder.dir().to_owned();
    keep(finished, &folder)?;
    folder.finish(log, report)?;
    outputs.write_files(report, &*finished.snapshot)?;
    if let Some(format) = outputs.stdout {
        let written = format.write(report, &*finished.snapshot, &mut io::stdout().lock());
        ignore_closed_pipe(written)?;
    }
    show(report, &dir, outputs, session)?;
    Ok(Exit::of_code(report.verdict.exit_code))
}

/// Writes the task folder.
fn keep(finished: &Finished, folder: &TaskFolder) -> Result<(), StoreError> {
    let report = &finished.report;
    for run in &report.tools {
        for name in &run.artifacts {
            folder.copy_in(name, &finished.artifact(name))?;
        }
        // A tool that had nothing to read has nothing to say either.
        if run.status != ToolStatus::NoInputs {
            let name = format!("sarif/static_{}.sarif.json", run.tool);
            folder.write(&name, |mut out| {
                write_tool_sarif(report, &run.tool, SarifLimits::default(), &mut out)
            })?;
        }
    }
    folder.write("sarif/consolidated.sarif.json", |mut out| {
        write_sarif(report, SarifLimits::default(), &mut out)
    })?;
    folder.write("services/static.json", |out| {
        let tools = &report.tools;
        let service = serde_json::json!({
            "service": "static-analyzer", "outcome": report.outcome, "counts": report.counts,
            "tools": tools,
        });
        Ok(serde_json::to_writer_pretty(out, &service)?)
    })?;
    folder.write("report.html", |out| html::write(report, &*finished.snapshot, out))?;
    folder.write("report.json", |mut out| write_json(report, &mut out))
}

/// Shows the summary: on standard output, unless a machine reads that.
fn show(report: &Report, dir: &Path, outputs: &Outputs, session: &Session) -> Result<(), Failure> {
    let mut written = written_reports(dir);
    written.extend(outputs.files.iter().map(|(format, path)| written_report(format.name(), path)));
    let to_stdout = outputs.stdout.is_none();
    let style = if to_stdout { session.style() } else { session.diagnostics() };
    let text = summary(report, &written, &style, assay_term::stdout_width());
    match (to_stdout, session.is_quiet()) {
        (true, _) => session::print(&text),
        (false, false) => {
            io::Write::write_all(&mut io::stderr(), text.as_bytes()).ok();
            Ok(())
        }
        (false, true) => Ok(()),
    }
}

/// The reports that every finished task folder holds, for the end of a summary.
pub(crate) fn written_reports(dir: &Path) -> Vec<WrittenReport> {
    let files = [
        ("html", "report.html"),
        ("json", "report.json"),
        ("sarif", "sarif/consolidated.sarif.json"),
    ];
    files.into_iter().map(|(what, name)| written_report(what, &dir.join(name))).collect()
}

fn written_report(what: &str, path: &Path) -> WrittenReport {
    WrittenReport { what: what.to_owned(), path: path.display().to_string() }
}

pub(crate) fn ignore_closed_pipe(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage("standard output cannot be written to").because(error))
        }
        _ => Ok(()),
    }
}

/// What tools are expected to take: as recorded on our machine, then as learnt on this one.
fn known(learnt: &DurationsFile) -> Durations {
    let recorded = assay_tools::recorded_durations();
    let learnt = learnt.load();
    let all = recorded.into_iter().chain(learnt);
    Durations::new(
        all.map(|(tool, (fixed_s, per_100k_lines_s))| {
            (tool, Estimate { fixed_s, per_100k_lines_s })
        }),
    )
}

fn learn(file: &DurationsFile, report: &Report) {
    let mut durations = known(file);
    for run in report.tools.iter().filter(|run| run.status == ToolStatus::Ok) {
        let wall = Duration::from_millis(run.usage.wall_ms);
        durations.learn(run.tool.as_str(), report.source.lines, wall);
    }
    let learnt = durations
        .iter()
        .map(|(tool, line)| (tool.to_owned(), (line.fixed_s, line.per_100k_lines_s)))
        .collect();
    if let Err(error) = file.save(&learnt) {
        tracing::warn!(%error, "what tools took is not remembered");
    }
}
