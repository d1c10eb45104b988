//! Watches one tool from its start to the last process of its group.
//!
//! Keeps: the tool leads its own group; both pipes are always drained; the group is dead and its
//! leader reaped before this returns, and soon after when it is dropped; nothing waits without
//! a deadline.
//!
//! Does not: judge whether an exit code is good or bad.

use crate::{
    job::{Ended, Job},
    stream::{self, Above, Copied, CopyEnd, Stream},
    sys::{self, Cost, Leader, Stop},
};
use assay_model::{Limit, ToolEnd, Usage};
use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long a child of the tool may go on writing after the tool itself has exited.
const LINGER: Duration = Duration::from_secs(2);

/// How long a pipe is read after the whole group was killed: only somebody who left the group can
/// still hold it, and he may hold it for ever.
const LAST_READ: Duration = Duration::from_millis(500);

/// How long a killed process may take to die. It can hang in the kernel (a dead network disk).
const DEATH: Duration = Duration::from_secs(10);

/// How often the leader's size is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// How often a start is tried again when the program's file is still open for writing: a thread
/// that starts another process just then holds a copy of every descriptor for a moment.
const BUSY_TRIES: u32 = 40;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// One thing that the supervisor noticed.
#[derive(Debug)]
enum Seen {
    Cancel,
    Time,
    Exit,
    Sample,
    Stdout(CopyEnd),
    Stderr(CopyEnd),
}

/// Why the supervisor stopped watching.
#[derive(Debug)]
enum Why {
    Exited,
    TimedOut,
    Cancelled,
    OutputLimit,
    Unwritten(io::Error),
}

/// A running tool. Dropping it kills its group and has it reaped.
#[derive(Debug)]
struct Tool {
    leader: Leader,
    stdout: Stream,
    stderr: Stream,
    exited: bool,
    stdout_open: bool,
    stderr_open: bool,
    /// The largest size of the leader that was seen.
    sampled_kib: u64,
    /// Our own largest size when it was started.
    own_kib: u64,
}

/// Runs `job` to its end. Cancelled when `cancel` says so.
pub async fn run(job: Job, cancel: CancellationToken) -> Ended {
    let begun = Instant::now();
    if cancel.is_cancelled() {
        return Ended::without_process(ToolEnd::Cancelled);
    }
    let mut tool = match Tool::start(&job).await {
        Ok(tool) => tool,
        Err(why) => return Ended::without_process(ToolEnd::NotStarted { why }),
    };
    let why = tool.watch(&job, &cancel).await;
    let mut ended = tool.finish(why, &job).await;
    ended.usage.wall_ms = millis(begun.elapsed());
    ended
}

// === impl Tool ===

impl Tool {
    async fn start(job: &Job) -> Result<Self, String> {
        sys::keep_ended_children();
        let stdout = stream::create(&job.stdout)?;
        let stderr = stream::create(&job.stderr)?;
        let own_kib = sys::own_peak_kib();
        let mut child = spawn(job).await?;
        let lost = |error: io::Error| format!("it could not be watched: {error}");
        let leader = Leader::watch(child.id()).map_err(lost)?;
        let limits = job.limits;
        let pipe = child.stdout.take().expect("`spawn` pipes standard output").into();
        let stdout =
            Stream::new(pipe, stdout, Above::Stop, limits.stdout_bytes_max).map_err(lost)?;
        let pipe = child.stderr.take().expect("`spawn` pipes standard error").into();
        let stderr =
            Stream::new(pipe, stderr, Above::KeepEnds, limits.stderr_bytes_max).map_err(lost)?;
        let (exited, stdout_open, stderr_open) = (false, true, true);
        let sampled_kib = 0;
        Ok(Self { leader, stdout, stderr, exited, stdout_open, stderr_open, sampled_kib, own_kib })
    }

    /// Watches until the tool exited and its output closed, or until it must be stopped.
    async fn watch(&mut self, job: &Job, cancel: &CancellationToken) -> Why {
        let mut until = job.deadline;
        while !self.exited || self.stdout_open || self.stderr_open {
            let seen = tokio::select! {
                biased;
                () = cancel.cancelled() => Seen::Cancel,
                () = sleep_until(until) => Seen::Time,
                seen = self.next() => seen,
            };
            match seen {
                // Something that the tool started still holds its output open.
                Seen::Cancel | Seen::Time if self.exited => return Why::Exited,
                Seen::Cancel => return Why::Cancelled,
                Seen::Time => return Why::TimedOut,
                Seen::Stdout(CopyEnd::OverLimit) => return Why::OutputLimit,
                Seen::Stdout(CopyEnd::Unwritten(error))
                | Seen::Stderr(CopyEnd::Unwritten(error)) => return Why::Unwritten(error),
                Seen::Exit => until = until.min(Instant::now() + LINGER),
                Seen::Sample | Seen::Stdout(_) | Seen::Stderr(_) => {}
            }
        }
        Why::Exited
    }

    /// The next thing that the tool does, already noted down.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting consumes nothing, and a copy writes what it has read before it waits.
    async fn next(&mut self) -> Seen {
        let seen = tokio::select! {
            end = self.stdout.copy(), if self.stdout_open => Seen::Stdout(end),
            end = self.stderr.copy(), if self.stderr_open => Seen::Stderr(end),
            () = self.leader.exited(), if !self.exited => Seen::Exit,
            () = sleep(SAMPLE_EVERY), if !self.exited => Seen::Sample,
        };
        match &seen {
            Seen::Stdout(_) => self.stdout_open = false,
            Seen::Stderr(_) => self.stderr_open = false,
            Seen::Exit => self.exited = true,
            Seen::Sample => {
                let size = self.leader.peak_kib().unwrap_or(0);
                self.sampled_kib = self.sampled_kib.max(size);
            }
            Seen::Cancel | Seen::Time => {}
        }
        seen
    }

    /// Drains the pipes until the leader has exited, at most until `end`.
    async fn until_exit(&mut self, end: Instant) {
        while !self.exited && timeout_at(end, self.next()).await.is_ok() {}
    }

    /// Drains the pipes until both are closed, at most until `end`.
    async fn until_closed(&mut self, end: Instant) {
        while (self.stdout_open || self.stderr_open) && timeout_at(end, self.next()).await.is_ok() {
        }
    }

    /// Asks, waits, forces, reads what is left, reaps.
    async fn finish(mut self, why: Why, job: &Job) -> Ended {
        let may_ask = matches!(why, Why::TimedOut | Why::Cancelled) && !job.grace.is_zero();
        if !self.exited && may_ask {
            self.leader.signal_group(Stop::Ask);
            self.until_exit(Instant::now() + job.grace).await;
        }
        self.leader.signal_group(Stop::Force);
        self.until_exit(Instant::now() + DEATH).await;
        self.until_closed(Instant::now() + LAST_READ).await;
        let drained = !self.stdout_open && !self.stderr_open;
        let (sampled_kib, own_kib) = (self.sampled_kib, self.own_kib);
        let reaped = if self.exited {
            let (reaped, rest) = self.leader.reap();
            let end = Instant::now() + DEATH;
            while rest.lives() && Instant::now() < end {
                sleep(Duration::from_millis(1)).await;
            }
            reaped
        } else {
            drop(self.leader);
            Err(io::Error::other("it was killed and has not died: it hangs in the kernel"))
        };
        let usage = reaped
            .as_ref()
            .map_or_else(|_| Usage::default(), |(_, cost)| usage(*cost, sampled_kib, own_kib));
        let streams = self.stdout.finish().and_then(|out| Ok((out, self.stderr.finish()?)));
        let end = end_of(why, reaped.map(|(status, _)| status), job);
        ended(end, usage, streams, drained)
    }
}

fn end_of(why: Why, reaped: io::Result<ExitStatus>, job: &Job) -> ToolEnd {
    let most = job.limits.stdout_bytes_max;
    match (why, reaped) {
        (Why::TimedOut, _) => ToolEnd::TimedOut,
        (Why::Cancelled, _) => ToolEnd::Cancelled,
        (Why::OutputLimit, _) => ToolEnd::LimitReached { limit: Limit::Output, most },
        (Why::Unwritten(error), _) => {
            ToolEnd::Lost { why: format!("its output could not be written: {error}") }
        }
        (Why::Exited, Err(error)) => ToolEnd::Lost { why: error.to_string() },
        (Why::Exited, Ok(status)) => status.code().map_or_else(
            || ToolEnd::Signalled { signal: status.signal().unwrap_or(0) },
            |code| ToolEnd::Exited { code },
        ),
    }
}

fn ended(
    end: ToolEnd,
    usage: Usage,
    streams: io::Result<(Copied, Copied)>,
    drained: bool,
) -> Ended {
    match streams {
        Ok((stdout, stderr)) => Ended {
            end,
            usage,
            stdout_bytes: stdout.bytes,
            stderr_bytes: stderr.bytes,
            stderr_omitted: stderr.omitted,
            stderr_tail: stderr.tail,
            drained,
        },
        Err(error) => {
            let why = format!("its output could not be written: {error}");
            Ended { usage, drained, ..Ended::without_process(ToolEnd::Lost { why }) }
        }
    }
}

/// The kernel's peak is never below our own size at the start, so a small tool's comes from the
/// samples, and is 0, unknown, where it was too quick for one.
fn usage(cost: Cost, sampled_kib: u64, own_kib: u64) -> Usage {
    let peak_kib = if cost.peak_kib > own_kib { cost.peak_kib } else { sampled_kib };
    let (user_ms, system_ms) = (millis(cost.user), millis(cost.system));
    Usage { user_ms, system_ms, peak_kib, ..Usage::default() }
}

async fn spawn(job: &Job) -> Result<Child, String> {
    if is_neither_program_nor_script(job) {
        let program = job.program.display();
        return Err(format!("`{program}` is neither a program nor a script (exec format error)"));
    }
    let mut command = Command::new(&job.program);
    command
        .args(&job.args)
        .current_dir(&job.cwd)
        .env_clear()
        .envs(&job.env)
        .process_group(0) // so that stopping the tool also stops what it started
        .stdin(Stdio::null()) // a tool that asks a question must fail, not wait
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    sys::limit_files(&mut command, job.limits.file_bytes_max);
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Ok(child) => return Ok(child),
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                sleep(BUSY_PAUSE).await;
            }
            Err(error) => return Err(why_not(job, &error)),
        }
    }
    Err(format!("`{}` is being written by another process", job.program.display()))
}

/// The C library hands a file that the kernel refuses to a shell, which would take a damaged
/// program for commands.
fn is_neither_program_nor_script(job: &Job) -> bool {
    let path = job.env.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
    let found = if job.program.components().count() > 1 {
        Some(job.cwd.join(&job.program))
    } else {
        env::split_paths(path).map(|dir| dir.join(&job.program)).find(|path| path.is_file())
    };
    let Some(mut file) = found.and_then(|path| File::open(path).ok()) else { return false };
    let mut start = Vec::new();
    let read = file.by_ref().take(4).read_to_end(&mut start);
    read.is_ok() && !start.starts_with(b"#!") && start != b"\x7fELF"
}

/// Says what the kernel's one word hides: which of several files is missing.
fn why_not(job: &Job, error: &io::Error) -> String {
    let program = job.program.display();
    match error.kind() {
        _ if !job.cwd.is_dir() => {
            format!("the folder `{}` to start it in does not exist", job.cwd.display())
        }
        io::ErrorKind::NotFound if is_script(&job.program) => {
            format!("the interpreter that `{program}` names in its first line does not exist")
        }
        io::ErrorKind::NotFound => format!("`{program}` does not exist"),
        io::ErrorKind::PermissionDenied => format!("`{program}` is not executable"),
        io::ErrorKind::ArgumentListTooLong => {
            format!("the command line of `{program}` is longer than the system allows")
        }
        _ => format!("`{program}`: {error}"),
    }
}

fn is_script(program: &Path) -> bool {
    program.is_file()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
