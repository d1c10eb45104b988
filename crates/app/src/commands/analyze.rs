//! `assay analyze`: one app, end to end.

use crate::{
    analysis::{Finished, Toolbox},
    analyzers::Here,
    cage,
    cli::{Analyze, Global},
    exit::Exit,
    failure::{Failure, Outcome},
    outputs::Outputs,
    session::{self, Session},
    setup::Setup,
    task::Task,
};
use assay_model::Report;
use assay_term::{WrittenReport, summary};
use std::{io, path::Path};

pub(crate) fn run(analyze: &Analyze, global: &Global, session: &Session) -> Outcome {
    let outputs = Outputs::of(&analyze.format)?;
    let setup = Setup::of(analyze, global)?;
    let provisioner = session::provisioner(setup.config.offline)?;
    // All that takes time is under one listener: a signal between two would be lost.
    let (done, show) = session::block_on(async |interrupt| {
        let cage = cage::of(setup.config.sandbox).await?;
        let here = Here::start(Toolbox::new(provisioner, cage, setup.jobs), 1);
        let task = Task::begin(setup, &super::results_root()?)?;
        if let Some(why) = &task.place().fell_back {
            let dir = task.place().dir.display();
            session.note(&format!("results go to `{dir}`, since they cannot go to {why}"));
        }
        let turn = here.toolbox().turn().await;
        let mut show = session.progress();
        let done = here.run(task, turn, &mut show, &interrupt).await?;
        Ok((done, show))
    })?;
    let (finished, dir) = done.keep()?;
    // A terminal that stands still may hold up what is shown, and never the results.
    drop(show);
    deliver(&finished, &dir, &outputs, session)
}

/// Writes what was asked for beside the results, says what there is to say, and judges.
fn deliver(finished: &Finished, dir: &Path, outputs: &Outputs, session: &Session) -> Outcome {
    let report = &finished.report;
    outputs.write_files(report, &*finished.snapshot)?;
    if let Some(format) = outputs.stdout {
        let written = format.write(report, &*finished.snapshot, &mut io::stdout().lock());
        ignore_closed_pipe(written)?;
    }
    show(report, dir, outputs, session)?;
    Ok(Exit::of_code(report.verdict.exit_code))
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
