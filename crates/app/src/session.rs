//! What every command has: the looks of its streams, its folders, its tools.

use crate::{
    cli::{Color, Global},
    failure::Failure,
    interrupt::Interrupt,
    painter::Painter,
};
use assay_model::Event;
use assay_provision::{Provisioner, Settings};
use assay_server::Tell;
use assay_term::{BatchProgress, ColorChoice, Progress, ProgressMode, Style, Terminal};
use serde::Serialize;
use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};
use tokio::runtime::Runtime;

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Session {
    out: Style,
    err: Style,
    err_is_terminal: bool,
    quiet: bool,
    verbose: bool,
}

// === impl Session ===

impl Session {
    pub(crate) fn new(global: &Global) -> Self {
        let choice = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let style = |terminal: bool| {
            let terminal = if terminal { Terminal::Yes } else { Terminal::No };
            Style::detect(choice, terminal, |name| env::var(name).ok())
        };
        let err_is_terminal = io::stderr().is_terminal();
        Self {
            out: style(io::stdout().is_terminal()),
            err: style(err_is_terminal),
            err_is_terminal,
            quiet: global.quiet,
            verbose: global.verbose > 0,
        }
    }

    /// The looks of standard output.
    pub(crate) fn style(&self) -> Style {
        self.out
    }

    /// The looks of standard error.
    pub(crate) fn diagnostics(&self) -> Style {
        self.err
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Begins to show the progress of something. What comes back takes its events; dropping it
    /// leaves a clean terminal. Nobody ever waits for that terminal but whoever drops it.
    pub(crate) fn progress(&self) -> Tell {
        let mut progress = Progress::new(self.progress_mode(), self.err, Box::new(io::stderr()));
        let painter = Painter::begin("progress", move |at_ms, event: Option<Event>| match event {
            Some(event) => progress.event(&event),
            None => progress.tick(at_ms),
        });
        Box::new(move |event| painter.tell(event.clone()))
    }

    /// Begins to show the progress of so many apps.
    pub(crate) fn batch_progress(&self, apps: usize) -> BatchProgress {
        BatchProgress::new(apps, self.progress_mode(), self.err, Box::new(io::stderr()))
    }

    /// How progress is told. Log lines and moving lines would tear each other.
    fn progress_mode(&self) -> ProgressMode {
        match (self.quiet, self.err_is_terminal && !self.verbose) {
            (true, _) => ProgressMode::Quiet,
            (false, true) => ProgressMode::Terminal,
            (false, false) => ProgressMode::Plain,
        }
    }

    /// Tells an error on standard error.
    pub(crate) fn complain(&self, failure: &Failure) {
        let text = assay_term::error(failure, failure.advice(), &self.err);
        io::stderr().write_all(text.as_bytes()).ok();
    }

    /// Says something on standard error that is neither progress nor error.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            writeln!(io::stderr(), "{}", assay_term::sanitise(text)).ok();
        }
    }
}

/// Writes to standard output what was asked for. A reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage("standard output cannot be written to").because(error))
        }
        _ => Ok(()),
    }
}

/// Writes a value to standard output as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::usage("this cannot be written as JSON").because(error))?;
    print(&(text + "\n"))
}

/// Makes the one that brings tools here.
pub(crate) fn provisioner(offline: bool) -> Result<Arc<Provisioner>, Failure> {
    let cache = match env::var_os("ASSAY_CACHE").filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(
            std::path::absolute(dir)
                .map_err(|error| Failure::usage("ASSAY_CACHE names no folder").because(error))?,
        ),
        None => Settings::default_cache(),
    };
    let cache = cache.ok_or_else(|| {
        Failure::usage("there is no folder for installed tools")
            .hint("set HOME, XDG_CACHE_HOME or ASSAY_CACHE to an absolute path")
    })?;
    let mut settings =
        Settings::new(cache, include_str!("../../tools/locks/uv-wheels.toml").to_owned());
    settings.offline = offline;
    let provisioner = Provisioner::new(settings)
        .map_err(|error| Failure::usage("tools cannot be installed").because(error))?;
    Ok(Arc::new(provisioner))
}

/// How long that which is dropped may take.
const DROPS: Duration = Duration::from_secs(2);

/// Runs a future to its end. A second Ctrl-C (or SIGTERM) drops it: then every tool is killed
/// at once and nothing more is written.
pub(crate) fn block_on<T, F: Future<Output = Result<T, Failure>>>(
    work: impl FnOnce(Interrupt) -> F,
) -> Result<T, Failure> {
    let runtime = Runtime::new()
        .map_err(|error| Failure::usage("no threads can be started").because(error))?;
    let result = runtime.block_on(async {
        let interrupt = Interrupt::listen()
            .map_err(|error| Failure::usage("signals cannot be listened to").because(error))?;
        let listener = interrupt.clone();
        tokio::select! {
            biased;
            reason = listener.insisted() => Err(Failure::stopped(Some(reason))),
            result = work(interrupt) => result,
        }
    });
    // What was dropped removes its folders on threads of the runtime. One that reads a report may be
    // in the middle of it; nobody waits for that.
    runtime.shutdown_timeout(DROPS);
    result
}
