//! Servers: `assay serve` and `assay service`, from the command to the last answer.
//!
//! Owns sockets, tokens, signals and the order in which a server begins and ends. Keeps: clients are
//! accepted before tools are looked for; nobody of another machine gets in without a token; what was
//! accepted is finished before the process ends, or cancelled when the time for that is over.
//!
//! Does not: know frames, queues or tools. Those are of `assay-server` and of the analyzers.

mod door; // one request at the door: pages, and clients who are let in
mod house; // what one process serves
mod life; // signals, and the end
mod papers; // the files of a server in the background
mod places; // where is listened
mod rules; // whom the door lets in
mod shelf; // the book of the gateway
mod systemd; // what the system's manager is told, and what it gives

use crate::{
    cli::{self, Global},
    exit::Exit,
    failure::{Failure, Outcome},
    session::Session,
    setup::loader,
};
use assay_config::{Config, Loaded, Loader};
use assay_store::PidFile;
use assay_wire::{Analyzer, WireError};
use house::House;
use life::Life;
use places::Places;
use rules::Rules;
use serde_json::Value;
use std::{error::Error, path::PathBuf, sync::Arc};

pub(crate) use papers::Papers;
pub(crate) use rules::{TOKEN_VARIABLE, own_token};
pub(crate) use shelf::book_folder;

/// What a server runs on, and how it learns that this has changed.
pub(crate) struct Told {
    loader: Loader,
    config: Config,
    /// What was read.
    files: Vec<PathBuf>,
}

/// Serves the gateway, and every service that is built.
pub(crate) fn serve(words: &cli::Serve, global: &Global, session: &Session) -> Outcome {
    // Before anything of ours is opened, so that no number is one of ours.
    let given = systemd::sockets()?;
    let told = Told::of(&words.listening, "serve.host", "serve.port", global)?;
    let _held = held(&words.listening, None)?;
    life::live(session, async |life| {
        let rules = Arc::new(Rules::of(&told.config.serve)?);
        let places =
            Places::of_gateway(&told.config.serve, words.no_service_ports, &rules, given).await?;
        let house = House::with_gateway(told, places, rules, global).await?;
        run(house, life, session).await
    })
}

/// Serves one service.
pub(crate) fn service(words: &cli::Service, global: &Global, session: &Session) -> Outcome {
    let analyzer = analyzer(&words.name)?;
    let given = systemd::sockets()?;
    let told = Told::of(&words.listening, "serve.service-host", "serve.service-port", global)?;
    let _held = held(&words.listening, Some(analyzer))?;
    life::live(session, async |life| {
        let rules = Arc::new(Rules::of(&told.config.serve)?);
        let places = Places::of_service(&told.config.serve, analyzer, &rules, given).await?;
        let house = House::with_service(told, places, rules, global).await?;
        run(house, life, session).await
    })
}

/// Serves until the end is asked for, then ends in order.
async fn run(mut house: House, mut life: Life, session: &Session) -> Outcome {
    let welcome = house.welcome();
    say(session, &welcome);
    systemd::tell(&format!("READY=1\nSTATUS={welcome}"));
    loop {
        // Also after a file that was wrong: it is read again when it has changed again.
        life.watch(house.files());
        match life.next().await {
            life::Wish::Reload => match house.reload() {
                Ok(said) => say(session, &said),
                Err(failure) => {
                    tracing::error!(error = %failure.in_full(), "the configuration is not reloaded");
                    session.note("the configuration is not reloaded; the old one stays in force:");
                    session.complain(&failure);
                }
            },
            life::Wish::End(_) => break,
        }
    }
    let within = house.drain_timeout();
    systemd::tell("STOPPING=1\nSTATUS=draining");
    let words = format!(
        "draining: running work may take {} more; a second signal ends at once",
        assay_term::duration(u64::try_from(within.as_millis()).unwrap_or(u64::MAX))
    );
    say(session, &words);
    let cut = house.end(within).await?;
    say(session, if cut { "ended; what still ran was cancelled" } else { "ended" });
    Ok(Exit::Done)
}

/// Leaves the terminal and takes the pid file, where a server runs in the background.
fn held(words: &cli::Listening, analyzer: Option<Analyzer>) -> Result<Option<PidFile>, Failure> {
    if !words.background {
        return Ok(None);
    }
    // Whoever leads a group of processes already has left.
    rustix::process::setsid().ok();
    let papers = Papers::of(analyzer)?;
    papers.make_folder()?;
    Ok(Some(PidFile::take(&papers.pid())?))
}

/// The files of a server in the background: of the gateway, or of the service of this name.
pub(crate) fn papers(name: Option<&str>) -> Result<Papers, Failure> {
    Papers::of(name.map(analyzer).transpose()?)
}

/// Says something where whoever runs the server sees it, and once.
fn say(session: &Session, text: &str) {
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!("{text}");
    } else {
        session.note(text);
    }
}

/// The analyzer behind a name: `static`, or `static-analyzer`.
fn analyzer(name: &str) -> Result<Analyzer, Failure> {
    let lower = name.trim().to_lowercase();
    let found = Analyzer::ALL.iter().copied().find(|analyzer| {
        let full = analyzer.as_str();
        full == lower || full.split('-').next() == Some(&lower)
    });
    match found {
        Some(Analyzer::Static) => Ok(Analyzer::Static),
        Some(other) => {
            Err(Failure::usage(format!("the service `{other}` is not built yet"))
                .hint("use `static`"))
        }
        None => Err(Failure::usage(format!("there is no service `{name}`")).hint("use `static`")),
    }
}

// === impl Told ===

impl Told {
    /// Reads the configuration; `--listen` stands for two of its keys.
    fn of(
        words: &cli::Listening,
        host: &str,
        port: &str,
        global: &Global,
    ) -> Result<Self, Failure> {
        let mut loader = loader(global)?;
        if let Some(address) = &words.listen {
            let (name, number) = places::parted(address)?;
            loader.flags.push((host.to_owned(), Value::from(name), "--listen".to_owned()));
            loader.flags.push((port.to_owned(), Value::from(number), "--listen".to_owned()));
        }
        if let Some(time) = &words.drain_timeout {
            let flag = "--drain-timeout".to_owned();
            loader.flags.push(("serve.drain-timeout".to_owned(), Value::from(time.as_str()), flag));
        }
        let Loaded { config, files, .. } = loader.check()?;
        Ok(Self { loader, config, files })
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let hint = error.hint();
        let cause = error.source().map(ToString::to_string);
        let failure = Self::usage(error.to_string()).maybe_hint(hint);
        match cause {
            Some(cause) => failure.because(cause),
            None => failure,
        }
    }
}
