//! Diagnostics for people and machines, on standard error; of a server in the background in a log that
//! rotates. Levels: debug tells commands, info starts and ends, warn what is degraded, error what
//! somebody must act on.

use crate::{
    cli::{Global, LogFormat},
    failure::Failure,
    serving,
};
use assay_store::{LogTerms, LogTrouble, RotatingLog};
use assay_term::Style;
use std::io;
use tracing_subscriber::{EnvFilter, fmt};

/// Who logs. Nobody sits before a server, so its log is where it tells what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Logger {
    Command,
    Server,
    /// A server without a terminal: the gateway, or the service of this name.
    Background(Option<String>),
}

/// Begins to log. `ASSAY_LOG` (or `LOG_LEVEL`) beats `--verbose`.
///
/// # Errors
///
/// Where the log of a server in the background cannot be opened.
pub(crate) fn begin(global: &Global, style: Style, logger: &Logger) -> Result<(), Failure> {
    let filter = ["ASSAY_LOG", "LOG_LEVEL"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|level| !level.is_empty()))
        .and_then(|level| EnvFilter::try_new(level.to_lowercase()).ok())
        .unwrap_or_else(|| EnvFilter::new(level(global, logger)));
    let begun = fmt().with_env_filter(filter);
    let result = match (logger, global.log_format) {
        (Logger::Background(name), _) => {
            let log = log_of(name.as_deref())?;
            begun.json().flatten_event(true).with_writer(move || log.clone()).try_init()
        }
        (_, LogFormat::Text) => {
            begun.with_writer(io::stderr).with_ansi(style.color).with_target(false).try_init()
        }
        (_, LogFormat::Json) => begun.with_writer(io::stderr).json().flatten_event(true).try_init(),
    };
    // Only a second call could fail, and `main` makes one.
    result.ok();
    Ok(())
}

fn level(global: &Global, logger: &Logger) -> &'static str {
    let is_read_by_machines =
        global.log_format == LogFormat::Json || matches!(logger, Logger::Background(_));
    match (logger, global.quiet, global.verbose) {
        (Logger::Command, _, 0) => "off",
        (Logger::Server | Logger::Background(_), true, _) => "assay=error,assay_server=error",
        (Logger::Server | Logger::Background(_), false, 0) if !is_read_by_machines => {
            "assay=warn,assay_server=warn"
        }
        (_, _, 0 | 1) => "assay=info,assay_server=info",
        (..) => "assay=debug,assay_server=debug,assay_exec=debug,assay_provision=debug",
    }
}

fn log_of(name: Option<&str>) -> Result<RotatingLog, Failure> {
    let papers = serving::papers(name)?;
    papers.make_folder()?;
    let trouble = |trouble: LogTrouble<'_>| {
        let words = match trouble {
            LogTrouble::Began { path, error } => {
                format!("{} takes no more records: {error}", path.display())
            }
            LogTrouble::Ended { path, lost } => {
                format!("{} takes records again; {lost} were lost", path.display())
            }
        };
        // Where the log itself is the trouble, nobody else is left to be told.
        io::Write::write_all(&mut io::stderr(), (words + "\n").as_bytes()).ok();
    };
    Ok(RotatingLog::open(&papers.log(), LogTerms::default(), trouble)?)
}
