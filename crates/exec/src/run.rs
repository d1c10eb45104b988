//! Watches one tool from its start to the last of its processes.
//!
//! Keeps: both pipes are always drained; the tool and all that it started are gone before this
//! returns, and soon after when it is dropped; nothing waits without a deadline.
//!
//! Does not: judge whether an exit code is good or bad.

mod end; // what it amounts to

use self::end::{end_of, ended, hangs, millis, usage};
use crate::{
    cage::{Cage, RUN_VARIABLE},
    job::{Ended, Job},
    order::{Push, Stage, Tally, Word, framed, unframe},
    shim,
    stream::{self, Above, CopyEnd, Stream},
    sys::{self, Handle, OwnChild},
};
use assay_model::{Limit, ToolEnd, Usage};
use rustix::process::Pid;
use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long a child of the tool may go on writing after the tool itself has exited.
const LINGER: Duration = Duration::from_secs(2);

/// How long a pipe is read after the last process is gone. Everything is in it by then.
const LAST_READ: Duration = Duration::from_millis(500);

/// How long killed processes may take to die. One can hang in the kernel (a dead network disk).
const DEATH: Duration = Duration::from_secs(10);

/// One thing that the supervisor noticed.
#[derive(Debug)]
enum Seen {
    Cancel,
    Time,
    Word(Word),
    /// The keeper is gone, without its last word.
    Lost,
    Stdout(CopyEnd),
    Stderr(CopyEnd),
}

/// Why the supervisor stopped watching.
#[derive(Debug)]
enum Why {
    Exited,
    NotStarted(String),
    TimedOut,
    Cancelled,
    Reached(Limit, u64),
    Unwritten(io::Error),
    Lost,
}

/// A tool with its keeper. Dropping it closes the stream to the keeper, which stops everything.
#[derive(Debug)]
struct Tool {
    keeper: OwnChild,
    control: UnixStream,
    unread: Vec<u8>,
    /// The first process of the cage, once there is one.
    init: Option<Handle>,
    stdout: Stream,
    stderr: Stream,
    stdout_open: bool,
    stderr_open: bool,
    status: Option<ExitStatus>,
    tally: Option<Tally>,
    reached: Option<(Limit, u64)>,
    failed_at: Option<Stage>,
    keeper_is_gone: bool,
    /// Names this run in the environment of all that belongs to it.
    run: String,
}

/// Runs `job` to its end inside `cage`. Cancelled when `cancel` says so.
///
/// # Cancel safety
///
/// Dropping the future stops everything that was started; it is gone soon after.
pub async fn run(cage: &Cage, job: Job, cancel: CancellationToken) -> Ended {
    run_noting(cage, job, cancel).await.0
}

/// Runs `job`, and also says where starting it failed.
pub(crate) async fn run_noting(
    cage: &Cage,
    job: Job,
    cancel: CancellationToken,
) -> (Ended, Option<Stage>) {
    let begun = Instant::now();
    if cancel.is_cancelled() {
        return (Ended::without_process(ToolEnd::Cancelled), None);
    }
    let mut tool = match Tool::start(cage, &job).await {
        Ok(tool) => tool,
        Err(why) => return (Ended::without_process(ToolEnd::NotStarted { why }), None),
    };
    let why = tool.watch(&job, &cancel).await;
    let failed_at = tool.failed_at;
    let mut ended = tool.finish(why, &job).await;
    ended.usage.wall_ms = millis(begun.elapsed());
    (ended, failed_at)
}

// === impl Tool ===

impl Tool {
    async fn start(cage: &Cage, job: &Job) -> Result<Self, String> {
        sys::keep_ended_children();
        let lost = |error: io::Error| format!("it could not be watched: {error}");
        let run = next_run();
        let order = framed(&cage.order(job, &run))
            .map_err(|_| format!("the command line of `{}` is too long", job.program.display()))?;
        let (stdout, stderr) = (stream::create(&job.stdout)?, stream::create(&job.stderr)?);
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(lost)?;
        ours.set_nonblocking(true).map_err(lost)?;
        let control = UnixStream::from_std(ours).map_err(lost)?;
        let mut child = shim_command(cage, theirs)
            .spawn()
            .map_err(|error| format!("Assay could not start itself as a shim: {error}"))?;
        let keeper = OwnChild::watch(child.id()).map_err(lost)?;
        let pipe = child.stdout.take().expect("`shim_command` pipes standard output").into();
        let stdout = Stream::new(pipe, stdout, Above::Stop, job.limits.stdout_bytes_max);
        let pipe = child.stderr.take().expect("`shim_command` pipes standard error").into();
        let stderr = Stream::new(pipe, stderr, Above::KeepEnds, job.limits.stderr_bytes_max);
        let tool = Self {
            keeper,
            control,
            unread: Vec::new(),
            init: None,
            stdout: stdout.map_err(lost)?,
            stderr: stderr.map_err(lost)?,
            stdout_open: true,
            stderr_open: true,
            status: None,
            tally: None,
            reached: None,
            failed_at: None,
            keeper_is_gone: false,
            run,
        };
        // A shim that ends before it has read everything says so by its end.
        tool.write(&order).await.ok();
        Ok(tool)
    }

    /// Watches until the tool exited and its output closed, or until it must be stopped.
    async fn watch(&mut self, job: &Job, cancel: &CancellationToken) -> Why {
        let mut until = job.deadline;
        loop {
            if self.status.is_some() && !self.stdout_open && !self.stderr_open {
                return Why::Exited;
            }
            let seen = tokio::select! {
                biased;
                () = cancel.cancelled() => Seen::Cancel,
                () = sleep_until(until) => Seen::Time,
                seen = self.next() => seen,
            };
            match seen {
                // Something that the tool started may still hold its output open.
                Seen::Cancel | Seen::Time | Seen::Word(Word::Gone { .. })
                    if self.status.is_some() =>
                {
                    return Why::Exited;
                }
                Seen::Cancel => return Why::Cancelled,
                Seen::Time => return Why::TimedOut,
                Seen::Stdout(CopyEnd::OverLimit) => {
                    return Why::Reached(Limit::Output, job.limits.stdout_bytes_max);
                }
                Seen::Stdout(CopyEnd::Unwritten(error))
                | Seen::Stderr(CopyEnd::Unwritten(error)) => return Why::Unwritten(error),
                Seen::Word(Word::NotStarted { why, .. }) => return Why::NotStarted(why),
                Seen::Word(Word::Stopped { limit, most }) => return Why::Reached(limit, most),
                Seen::Word(Word::Exited { .. }) => until = until.min(Instant::now() + LINGER),
                Seen::Word(Word::Gone { .. }) | Seen::Lost => return Why::Lost,
                Seen::Word(Word::Held { .. }) | Seen::Stdout(_) | Seen::Stderr(_) => {}
            }
        }
    }

    /// The next thing that happens, already noted down.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting consumes nothing, what was read of a word stays in `unread`, and a copy writes
    /// what it has read before it waits.
    async fn next(&mut self) -> Seen {
        let seen = tokio::select! {
            end = self.stdout.copy(), if self.stdout_open => Seen::Stdout(end),
            end = self.stderr.copy(), if self.stderr_open => Seen::Stderr(end),
            word = word(&self.control, &mut self.unread), if !self.keeper_is_gone => word,
        };
        match &seen {
            Seen::Stdout(_) => self.stdout_open = false,
            Seen::Stderr(_) => self.stderr_open = false,
            Seen::Lost => self.keeper_is_gone = true,
            Seen::Word(word) => self.note(word),
            Seen::Cancel | Seen::Time => {}
        }
        seen
    }

    fn note(&mut self, word: &Word) {
        match word {
            Word::Held { init } => {
                let Some(init) = Pid::from_raw(*init) else { return };
                self.keeper.has_heir(init);
                // One that is gone already needs no handle.
                self.init = Handle::open(init).ok();
            }
            Word::Exited { status } => self.status = Some(ExitStatus::from_raw(*status)),
            Word::Gone { tally } => self.tally = Some(*tally),
            Word::NotStarted { stage, .. } => self.failed_at = Some(*stage),
            Word::Stopped { limit, most } => self.reached = Some((*limit, *most)),
        }
    }

    /// Drains the pipes until `done`, at most until `end`.
    async fn drain_until(&mut self, end: Instant, done: impl Fn(&Self) -> bool) {
        while !done(self) && timeout_at(end, self.next()).await.is_ok() {}
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.control.writable().await?;
            match self.control.try_write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One that is gone is not told.
    fn push(&self, push: Push) {
        self.control.try_write(&[push.byte()]).ok();
    }

    /// Asks, waits, forces, waits for the last process, reads what is left.
    async fn finish(mut self, why: Why, job: &Job) -> Ended {
        let asked = Instant::now();
        let is_over = |tool: &Self| tool.tally.is_some() || tool.keeper_is_gone;
        let may_ask = matches!(why, Why::TimedOut | Why::Cancelled) && !job.grace.is_zero();
        if may_ask {
            self.push(Push::Ask);
            self.drain_until(asked + job.grace, is_over).await;
        }
        self.push(Push::Force);
        self.drain_until(Instant::now() + DEATH, is_over).await;
        let is_gone = self.tally.is_some() || self.guards_end().await;
        if self.tally.is_none() {
            // Whoever killed the keeper may have killed the init too; what is left is ours by now.
            shim::sweep(&format!("{RUN_VARIABLE}={}", self.run), self.keeper.id());
        }
        let stopping = matches!(why, Why::TimedOut | Why::Cancelled).then(|| asked.elapsed());
        self.drain_until(Instant::now() + LAST_READ, |tool| !tool.stdout_open && !tool.stderr_open)
            .await;
        let drained = !self.stdout_open && !self.stderr_open;
        let usage = self.tally.map_or_else(Usage::default, usage);
        let why = match (why, self.reached) {
            // It was told after the tool had ended of it.
            (Why::Exited, Some((limit, most))) => Why::Reached(limit, most),
            (why, _) => why,
        };
        let end = if is_gone { end_of(why, self.status, job) } else { hangs() };
        let Self { keeper, control, stdout, stderr, .. } = self;
        // Its stream ends here, so a keeper that waits for a word waits no longer.
        drop(control);
        if timeout_at(Instant::now() + DEATH, keeper.exited()).await.is_ok() {
            keeper.reap();
        }
        let streams = stdout.finish().and_then(|out| Ok((out, stderr.finish()?)));
        Ended { stopping, drained, ..ended(end, usage, streams) }
    }

    /// Waits for the end of a cage whose keeper was killed: its init notices, and when that is gone
    /// all are, or are ours.
    async fn guards_end(&mut self) -> bool {
        let end = Instant::now() + DEATH;
        if self.keeper_is_gone {
            // Its stream ends a moment before what it held becomes ours.
            timeout_at(end, self.keeper.exited()).await.ok();
        }
        let Some(init) = self.init.take() else { return self.keeper_is_gone };
        timeout_at(end, init.exited()).await.is_ok()
    }
}

/// A name that no other run of this machine has at the same time.
fn next_run() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The next word of the shim.
///
/// # Cancel safety
///
/// Safe: what was read stays in `unread`.
async fn word(control: &UnixStream, unread: &mut Vec<u8>) -> Seen {
    let mut buffer = [0; 4096];
    loop {
        match unframe(unread) {
            Ok(Some(word)) => return Seen::Word(word),
            Ok(None) => {}
            Err(_) => return Seen::Lost,
        }
        if control.readable().await.is_err() {
            return Seen::Lost;
        }
        match control.try_read(&mut buffer) {
            Ok(0) => return Seen::Lost,
            Ok(count) => unread.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Seen::Lost,
        }
    }
}

/// Our own binary, as the keeper. It inherits three streams and nothing else.
fn shim_command(cage: &Cage, control: std::os::unix::net::UnixStream) -> Command {
    let mut command = cage.shim().command();
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(control)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A Ctrl-C of the terminal is for us; what becomes of the tools is ours to say.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}
