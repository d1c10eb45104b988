//! What each command does.

pub(crate) mod analyze; // one app, end to end
mod background; // servers in the background
mod batch; // many apps, one table
mod batch_remote; // many apps, analysed by a running server
mod config; // the configuration in force
mod logs; // what servers have logged
mod remembered; // what the book of a gateway remembers
mod remote; // work that a running server does
mod results; // earlier analyses
mod server; // what is asked of a running server
mod shell; // completions and the manual page
mod tasks; // what runs, and what has run
mod tools; // what there is, what is installed, what works

use crate::{
    cli::{Cli, Command},
    exit::Exit,
    failure::{Failure, Outcome},
    serving,
    session::Session,
};
use assay_store::{ResultsRoot, StoreError, state_home};
use std::{env, ffi::OsString, io};

/// Carries out a command.
pub(crate) fn run(cli: Cli, session: &Session) -> Outcome {
    let global = &cli.global;
    match cli.command {
        Command::Analyze(analyze) if remote::is_asked_for(&analyze.server) => {
            remote::analyze(&analyze, global, session)
        }
        Command::Analyze(analyze) => analyze::run(&analyze, global, session),
        Command::Batch(words) if remote::is_asked_for(&words.server) => {
            batch_remote::run(&words, global, session)
        }
        Command::Batch(words) => batch::run(&words, global, session),
        Command::Serve(words) => serving::serve(&words, global, session),
        Command::Service(words) => serving::service(&words, global, session),
        Command::Start(words) => background::start(&words, global, session),
        Command::Stop(words) => background::stop(&words, global, session),
        Command::Restart(words) => background::restart(&words, global),
        Command::Logs(words) => logs::run(&words),
        Command::Status(words) => server::status(&words, global),
        Command::Health(words) => server::health(&words, global, session),
        Command::Ping(words) => server::ping(&words, global),
        Command::Watch(words) => remote::watch(&words, global, session),
        Command::Test(words) => remote::test(&words, global, session),
        Command::Cancel(words) => server::cancel(&words, global),
        Command::Results(command) => results::run(command, global, session),
        Command::Tasks(tasks) => tasks::run(&tasks, global, session),
        Command::Backup(words) => tasks::backup(&words, global),
        Command::Tools(command) => tools::run(command, global, session),
        Command::Config(command) => config::run(command, global),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man => shell::man(),
        Command::Native { name, args } => Ok(native(&name, &args)),
    }
}

/// Runs an analyzer that is part of the binary, as a process of its own.
fn native(name: &str, args: &[OsString]) -> Exit {
    match assay_tools::native::run(name, args, &mut io::stdout().lock(), &mut io::stderr()) {
        0 => Exit::Done,
        1 => Exit::Findings,
        _ => Exit::Usage,
    }
}

/// The folders that results are looked for in.
pub(crate) fn results_root() -> Result<ResultsRoot, Failure> {
    let here = env::current_dir()
        .map_err(|error| Failure::usage("the working directory is gone").because(error))?;
    Ok(ResultsRoot::new(&here, state_home(|name| env::var_os(name))))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        let failure = Self::usage(error.to_string()).maybe_hint(hint);
        match error {
            StoreError::Io { source, .. } => failure.because(source),
            _ => failure,
        }
    }
}
