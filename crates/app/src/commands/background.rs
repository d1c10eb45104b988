//! `assay start`, `stop` and `restart`: a server in the background.
//!
//! Keeps: `start` returns when the server takes work, and where it does not come up it shows what the
//! server said; `stop` returns when it is gone; nobody but the holder of the lock is ever signalled.

use super::server::analyzer;
use crate::{
    cli::{Global, Listening, Start, Stop},
    exit::Exit,
    failure::{Failure, Outcome},
    serving::Papers,
    session::{self, Session},
};
use assay_exec::{Begin, Begun};
use assay_store::{Holder, PidFile};
use assay_wire::Analyzer;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a server may take until it takes work: a strict sandbox is tried first.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// How long a server may take to end beyond its time for running work.
const END_WITHIN: Duration = Duration::from_secs(30);

/// How long a process may take to be gone that has given its file back. One that nobody waits for is
/// there for ever, as a zombie.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// How often it is looked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) fn start(words: &Start, global: &Global, session: &Session) -> Outcome {
    let analyzer = service(words.service.as_deref())?;
    let papers = Papers::of(analyzer)?;
    if let Holder::Alive { pid } = PidFile::holder(&papers.pid())? {
        session.note(&format!("{} runs already{}", papers.name, numbered(pid)));
        return Ok(Exit::Done);
    }
    begin(words, analyzer, &papers, global)
}

pub(crate) fn stop(words: &Stop, global: &Global, session: &Session) -> Outcome {
    let papers = Papers::of(service(words.service.as_deref())?)?;
    if end(&papers, words.now, global)? {
        session::print(&format!("{} is stopped\n", papers.name))?;
    } else {
        session.note(&format!("no {} runs in the background", papers.name));
    }
    Ok(Exit::Done)
}

pub(crate) fn restart(words: &Start, global: &Global) -> Outcome {
    let analyzer = service(words.service.as_deref())?;
    let papers = Papers::of(analyzer)?;
    end(&papers, false, global)?;
    begin(words, analyzer, &papers, global)
}

/// `gateway`, or one service.
pub(super) fn service(name: Option<&str>) -> Result<Option<Analyzer>, Failure> {
    match name.map(str::to_lowercase).as_deref() {
        None | Some("gateway") => Ok(None),
        Some(name) => analyzer(name).map(Some),
    }
}

fn numbered(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

fn begin(words: &Start, analyzer: Option<Analyzer>, papers: &Papers, global: &Global) -> Outcome {
    papers.make_folder()?;
    let failed = |error: io::Error| {
        Failure::usage(format!("the {} cannot be started", papers.name)).because(error)
    };
    let errors = File::create(papers.errors()).map_err(failed)?;
    // Without a file: the path of one may have 107 bytes, and nobody would remove it after a kill.
    let notify = format!("assay-start-{}-{}", process::id(), papers.name);
    let socket =
        SocketAddr::from_abstract_name(&notify).and_then(|at| UnixDatagram::bind_addr(&at));
    let socket = socket.map_err(failed)?;
    socket.set_read_timeout(Some(LOOK_EVERY)).map_err(failed)?;
    let begin = Begin {
        args: args(words, analyzer, global),
        variables: vec![("NOTIFY_SOCKET".into(), format!("@{notify}").into())],
        errors,
    };
    let mut begun = begin.start().map_err(failed)?;
    let said = until_ready(&mut begun, &socket, papers)?;
    session::print(&format!("{} runs{}\n{said}", papers.name, numbered(Some(begun.id()))))?;
    Ok(Exit::Done)
}

/// Waits for `READY=1`. Returns what the server says of itself.
fn until_ready(
    begun: &mut Begun,
    socket: &UnixDatagram,
    papers: &Papers,
) -> Result<String, Failure> {
    let deadline = now() + READY_WITHIN;
    let mut buffer = [0; 4096];
    while now() < deadline {
        if let Ok(length) = socket.recv(&mut buffer) {
            let state = String::from_utf8_lossy(&buffer[..length]);
            if state.lines().any(|line| line == "READY=1") {
                let status = state.lines().find_map(|line| line.strip_prefix("STATUS="));
                return Ok(status.map(|status| format!("{status}\n")).unwrap_or_default());
            }
        }
        let ended = begun.ended().map_err(|error| {
            Failure::broken(format!("the {} is lost", papers.name)).because(error)
        })?;
        if let Some(status) = ended {
            let said = fs::read_to_string(papers.errors()).unwrap_or_default();
            return Err(Failure::usage(format!("the {} did not start ({status})", papers.name))
                .because(told(&said))
                .hint(
                    "mend that and start it again; `assay serve` in the foreground says the same",
                ));
        }
    }
    Err(Failure::usage(format!(
        "the {} (process {}) is not ready within {} s",
        papers.name,
        begun.id(),
        READY_WITHIN.as_secs()
    ))
    .hint("see `assay logs`, and end it with `assay stop`"))
}

/// What the server said, without the word `error` before it.
fn told(said: &str) -> String {
    let said = said.trim();
    let said = said.strip_prefix("error: ").unwrap_or(said);
    if said.is_empty() { "it said nothing".to_owned() } else { said.to_owned() }
}

/// Ends a server. Returns whether there was one.
fn end(papers: &Papers, now_at_once: bool, global: &Global) -> Result<bool, Failure> {
    let path = papers.pid();
    let pid = match PidFile::holder(&path)? {
        Holder::Alive { pid } => pid,
        Holder::Nobody | Holder::Dead { .. } => return Ok(false),
    };
    let lost = || {
        Failure::usage(format!(
            "the {} runs, and `{}` does not say as whom",
            papers.name,
            path.display()
        ))
        .hint("try again in a moment")
    };
    let process = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).ok_or_else(lost)?;
    let config = crate::setup::loader(global)?.check()?.config;
    let deadline = now() + config.serve.drain_timeout + END_WITHIN;
    signal(process, papers)?;
    let mut has_insisted = false;
    while now() < deadline {
        if !matches!(PidFile::holder(&path)?, Holder::Alive { .. }) {
            until_gone(process);
            return Ok(true);
        }
        if now_at_once && !has_insisted {
            // Two that come together may count as one.
            sleep(LOOK_EVERY);
            signal(process, papers)?;
            has_insisted = true;
        }
        sleep(LOOK_EVERY);
    }
    Err(Failure::usage(format!("the {}{} does not end", papers.name, numbered(pid)))
        .hint("end it at once with `assay stop --now`"))
}

/// Waits until the process itself is gone, which gives its file back a moment before.
fn until_gone(process: Pid) {
    let deadline = now() + GONE_WITHIN;
    while test_kill_process(process).is_ok() && now() < deadline {
        sleep(LOOK_EVERY);
    }
}

fn signal(process: Pid, papers: &Papers) -> Result<(), Failure> {
    match kill_process(process, Signal::TERM) {
        // It has ended meanwhile.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Failure::usage(format!("the {} may not be stopped by you", papers.name))
            .because(io::Error::from(error))
            .hint("ask whoever started it")),
    }
}

#[expect(clippy::disallowed_methods, reason = "a person waits for another process in real time")]
fn now() -> Instant {
    Instant::now()
}

/// The words of the server: what was said to `start`, handed on.
fn args(words: &Start, analyzer: Option<Analyzer>, global: &Global) -> Vec<OsString> {
    let mut args: Vec<OsString> = match analyzer {
        None => vec!["serve".into()],
        Some(analyzer) => vec!["service".into(), analyzer.as_str().into()],
    };
    args.push("--background".into());
    if words.no_service_ports && analyzer.is_none() {
        args.push("--no-service-ports".into());
    }
    let Listening { listen, drain_timeout, background: _ } = &words.listening;
    let mut option = |name: &str, value: Option<OsString>| {
        if let Some(value) = value {
            args.extend([name.into(), value]);
        }
    };
    option("--listen", listen.as_ref().map(Into::into));
    option("--drain-timeout", drain_timeout.as_ref().map(Into::into));
    // It writes to a file: neither colour nor another format than that of the file.
    let Global { config, set, color: _, quiet, verbose, log_format: _ } = global;
    option("--config", config.as_ref().map(Into::into));
    for assignment in set {
        option("--set", Some(assignment.into()));
    }
    args.extend(quiet.then(|| "--quiet".into()));
    args.extend((0..*verbose).map(|_| "--verbose".into()));
    args
}
