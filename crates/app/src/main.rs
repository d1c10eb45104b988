//! The binary: joins the rooms.

#![forbid(unsafe_code)]

mod analysis; // one analysis from its request to its report
mod analyzers; // what services do
mod batch; // many apps, one table
mod cage; // what holds tools, and what they see
mod cli; // the command line, as typed
mod client; // what is asked of a running server
mod commands; // what each command does
mod exit; // how the program ends
mod failure; // what ends it before there is a result
mod host; // the machine
mod interrupt; // signals
mod logging; // diagnostics for people and machines
mod outputs; // the files and streams that reports go to
mod painter; // a thread that nobody waits for
mod serving; // `serve` and `service`
mod session; // what every command has: styles, cache, journal
mod setup; // what an analysis was told, checked
mod target; // which app is meant
mod task; // one analysis with its task folder

use clap::{CommandFactory as _, FromArgMatches as _};
use std::{process::ExitCode, time::Duration};

fn main() -> ExitCode {
    // Before anything else: the shim forks, and that is safe with a single thread only.
    if std::env::args_os().nth(1).is_some_and(|word| word == assay_exec::SHIM_WORD) {
        return assay_exec::shim_main();
    }
    let matches = match cli::Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let cli = match cli::Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let session = session::Session::new(&cli.global);
    let logger = cli.command.logger();
    let logging = logging::begin(&cli.global, session.diagnostics(), &logger);
    let traces = logging::begin_traces(&cli.command, &session);
    let exit = logging.and_then(|()| commands::run(cli, &session)).unwrap_or_else(|failure| {
        session.complain(&failure);
        failure.exit()
    });
    traces.end(LAST_SPANS);
    ExitCode::from(exit.code())
}

/// How long the end waits for a collector: long enough for one that is there.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Help and version are no errors; everything else that clap objects to is one of usage.
fn usage(error: &clap::Error) -> ExitCode {
    // Whoever closed the pipe does not want to read it.
    error.print().ok();
    ExitCode::from(if error.use_stderr() {
        exit::Exit::Usage.code()
    } else {
        exit::Exit::Done.code()
    })
}
