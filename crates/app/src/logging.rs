//! Diagnostics for people and machines, on standard error; of a server in the background in a log that
//! rotates; and what is traced, to a collector. Levels: debug tells commands, info starts and ends, warn what is degraded, error what
//! somebody must act on.

use crate::{
    cli::{Command, Global, LogFormat},
    failure::Failure,
    serving,
    session::Session,
};
use assay_store::{LogTerms, LogTrouble, RotatingLog};
use assay_term::Style;
use assay_trace::{Export, Ids, JsonLines, Settings, TextFields, is_of_ours};
use std::io;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
};

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
    match (logger, global.log_format) {
        (Logger::Background(name), _) => {
            let log = log_of(name.as_deref())?;
            set(lines(filter, move || log.clone()));
        }
        (_, LogFormat::Json) => set(lines(filter, io::stderr)),
        (_, LogFormat::Text) => {
            // A person wants to know which task of a server it is about, and nothing more.
            let is_server = *logger != Logger::Command;
            let is_told = move |span: &Metadata<'_>| is_of_ours(span) && span.name() == "run";
            let spans = filter_fn(move |span| is_server && is_told(span));
            let text = fmt::layer()
                .fmt_fields(TextFields)
                .with_writer(io::stderr)
                .with_ansi(style.color)
                .with_target(false);
            set(registry().with(text.with_filter(filter.or(spans))));
        }
    }
    Ok(())
}

/// Lines for machines.
fn lines<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Whatever the level: which task a line is about is told by the spans around it.
    let lines = fmt::layer().event_format(JsonLines).with_writer(writer);
    let lines = lines.with_filter(filter.or(filter_fn(is_of_ours)));
    registry().with(Ids.with_filter(filter_fn(is_of_ours))).with(lines)
}

fn set(subscriber: impl Subscriber + Send + Sync) {
    // Only a second call could fail, and `main` makes one.
    tracing::subscriber::set_global_default(subscriber).ok();
}

/// Begins to send what is traced to a collector, where the environment names one. What is wrong with
/// that is logged, and ends nothing.
pub(crate) fn begin_traces(command: &Command, session: &Session) -> Export {
    let settings = Settings::read(&service_name(command), |name| std::env::var(name).ok());
    let begun = settings.and_then(|settings| Export::begin(settings.as_ref()));
    begun.unwrap_or_else(|why| {
        if tracing::enabled!(tracing::Level::WARN) {
            tracing::warn!(why, "nothing is traced");
        } else {
            // Who names a collector wants to know why it hears nothing, also where the log is off.
            session.note(&format!("nothing is traced: {why}"));
        }
        Export::default()
    })
}

/// The `service.name` of what a process traces.
fn service_name(command: &Command) -> String {
    match command {
        Command::Serve(_) => "assay-gateway".to_owned(),
        Command::Service(words) => {
            let name = words.name.trim().to_lowercase();
            format!("assay-{}", name.trim_end_matches("-analyzer"))
        }
        _ => "assay".to_owned(),
    }
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
