//! `assay batch --server`: many apps, analysed by a running server.
//!
//! Keeps: an app that was analysed is on disk before it is counted, so that the same command goes on
//! where a killed one stopped; work that a killed one left with the server is joined, not done twice;
//! what is there is shown however the batch ends.

mod flight; // the requests that are with the server
mod landing; // how one app ended

use self::{
    flight::{Flight, Flown, Order},
    landing::Landing,
};
use super::remote::wishes;
use crate::{
    batch::{self, Board, Choice, Record},
    cli::{self, Global},
    client::Addresses,
    exit::Exit,
    failure::{Failure, Outcome},
    outputs::{Format, Outputs},
    session::{self, Session},
    setup::{Setup, loader},
    target::Target,
};
use assay_config::Config;
use assay_model::{AppRef, CancelReason};
use assay_wire::AnalysisRequest;
use std::fmt::Write as _;

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
    let asked = asked(&targets, words, &config)?;
    let addresses = Addresses::of(&words.server, global)?;
    let mut record = Record::<Landing>::open(&asked, words.fresh)?;
    let board = Board::new(session.batch_progress(asked.len()));
    for note in notes {
        board.warn(&note);
    }
    let done = asked.iter().filter(|order| record.landed().contains_key(&order.name)).count();
    if done > 0 {
        board.warn(&batch::gone_on(done, asked.len()));
    }
    let flown = session::block_on(async |interrupt| {
        Flight::new(&addresses, &board, &mut record, &interrupt, asked.clone()).run().await
    });
    board.finish();
    let Flown { landings, stopped, failure } = flown?;
    if outputs.stdout.is_some() {
        session::print_json(&landings)?;
    } else {
        session::print(&table(&landings, asked.len()))?;
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    // Every app has had its turn, so the next run of the same batch begins anew.
    if stopped.is_none() {
        record.close();
    }
    Ok(judge(&landings, stopped, &config))
}

/// The request for each app.
fn asked(targets: &[Target], words: &cli::Batch, config: &Config) -> Result<Vec<Order>, Failure> {
    let wishes = wishes(&words.what, &words.worth, config);
    let one = |target: &Target| {
        let mut request: AnalysisRequest = wishes.clone();
        match &target.app {
            AppRef::ModelApp { model, number } => {
                request.model = Some(model.as_str().to_owned());
                request.app_number = Some(*number);
            }
            AppRef::Path { .. } => {
                request.source_path = Some(super::remote::text_of(&target.path)?);
            }
        }
        Ok(Order { name: batch::name_of(target), app: target.app.to_string(), request })
    };
    targets.iter().map(one).collect()
}

/// The gravest of all apps counts, and one that has not ended is a gap.
fn judge(landings: &[Landing], stopped: Option<CancelReason>, config: &Config) -> Exit {
    let exits = landings.iter().map(|landing| landing.exit(config));
    let stopped = stopped.map(|reason| Failure::stopped(Some(reason)).exit());
    exits.chain(stopped).max().unwrap_or(Exit::Done)
}

fn table(landings: &[Landing], asked: usize) -> String {
    let rows: Vec<Vec<String>> = landings.iter().map(Landing::row).collect();
    let headers = ["app", "status", "findings", "worst", "why"];
    let mut text = assay_term::table(&headers, &rows, assay_term::stdout_width());
    // Text takes all.
    let _ = writeln!(text, "\n{} of {asked} apps have ended", landings.len());
    if landings.len() < asked {
        text.push_str("the same command goes on with the others\n");
    }
    text
}
