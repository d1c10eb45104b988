//! `assay batch`: many apps, one table.

use crate::{
    analysis::Toolbox,
    analyzers::Here,
    batch::{self, Batch, Board, Choice, Record, Told},
    cage, cli,
    exit::Exit,
    failure::{Failure, Outcome},
    outputs::{Format, Outputs},
    session::{self, Session},
    setup::{OfBatch, Setup},
};
use assay_model::BatchReport;
use assay_store::make_task_id;
use assay_term::{WrittenReport, batch_summary};
use std::{
    io,
    sync::{Arc, Mutex},
};

/// Formats in which a batch can be told. The others are about single findings: each app's folder has
/// them.
const FORMATS: [Format; 5] =
    [Format::Human, Format::Json, Format::Csv, Format::Markdown, Format::Html];

pub(crate) fn run(words: &cli::Batch, global: &cli::Global, session: &Session) -> Outcome {
    let outputs = Outputs::among(&words.format, &FORMATS)?;
    let mut notes = Vec::new();
    let OfBatch { setup, targets, values } = Setup::of_batch(words, global, |config| {
        let Choice { targets, notes: said } = batch::choose(words, &config.source_roots)?;
        notes = said;
        Ok(targets)
    })?;
    let names: Vec<String> = targets.iter().map(batch::name_of).collect();
    let record = Record::open(&(env!("CARGO_PKG_VERSION"), &values, names), words.fresh)?;
    let provisioner = session::provisioner(setup.config.offline)?;
    let board = Arc::new(Board::new(session.batch_progress(targets.len())));
    let telling = Arc::clone(&board);
    // All that takes time is under one listener: a signal between two would be lost.
    let ended = session::block_on(async |interrupt| {
        let cage = cage::of(setup.config.sandbox).await?;
        let (root, started) = (super::results_root()?, jiff::Timestamp::now());
        let id = make_task_id(started)?;
        let folder = root.create_batch(&id, words.output.as_deref())?;
        notes.extend(folder.place().fell_back.as_ref().map(|why| {
            format!("the tables go to `{}`, since: {why}", folder.place().dir.display())
        }));
        for note in notes.iter().chain(&setup.warnings) {
            telling.warn(note);
        }
        let (record, earlier) = batch::take_up(record, &targets, &interrupt).await?;
        let record = Arc::new(Mutex::new(record));
        let done = earlier.iter().flatten().count();
        if done > 0 {
            telling.warn(&batch::gone_on(done, targets.len()));
        }
        let toolbox = Toolbox::new(provisioner, cage, setup.jobs);
        let here = Here::start(toolbox, batch::at_once(setup.jobs));
        let batch = Batch { setup, targets, here, root, board: telling, earlier, record };
        let landings = batch.run(&interrupt).await;
        let told = Told { id, started, stopped: interrupt.reason() };
        Ok((batch, folder, told, landings))
    });
    board.finish();
    let (batch, folder, told, landings) = ended?;
    let is_whole = told.stopped.is_none();
    let report = batch::report(&batch, told, landings);
    let written = batch::deliver(&report, &folder, &outputs)?;
    if is_whole {
        batch.finish();
    }
    show(&report, &written, &outputs, session)?;
    Ok(Exit::of_code(report.verdict.exit_code))
}

/// Shows the summary: on standard output, unless a machine reads that.
fn show(
    report: &BatchReport,
    written: &[WrittenReport],
    outputs: &Outputs,
    session: &Session,
) -> Result<(), Failure> {
    let to_stdout = outputs.stdout.is_none();
    let style = if to_stdout { session.style() } else { session.diagnostics() };
    let text = batch_summary(report, written, &style, assay_term::stdout_width());
    if to_stdout {
        return session::print(&text);
    }
    if !session.is_quiet() {
        io::Write::write_all(&mut io::stderr(), text.as_bytes()).ok();
    }
    Ok(())
}
