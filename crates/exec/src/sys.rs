//! The only room that knows the operating system, and the only one with `unsafe`.
//!
//! Everything above speaks of groups and stops by our own names.

#![expect(unsafe_code, reason = "the one place of the workspace where system calls are made")]

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process_group, pidfd_open,
    setrlimit, test_kill_process_group,
};
use std::{
    fs, future, io, mem,
    os::fd::OwnedFd,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, ExitStatus},
    sync::Once,
    thread,
    time::Duration,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Limits the size of each file that `command` and its children write, and keeps them from leaving
/// core files. In the new process itself: set from outside, a quick tool would be done before.
pub(crate) fn limit_files(command: &mut Command, bytes_max: u64) {
    let limits = [(Resource::Core, 0), (Resource::Fsize, bytes_max)].map(|(resource, wish)| {
        // Somebody may have limited us further already, and only root may go back.
        let most = getrlimit(resource).maximum.map_or(wish, |most| most.min(wish));
        (resource, most)
    });
    let set = move || {
        for (resource, most) in limits {
            setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes two system calls, and neither allocates nor locks.
    unsafe { command.pre_exec(set) };
}

/// How a group is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Ask,
    Force,
}

/// What a reaped process, and every descendant that it waited for, had cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// At least our own size when it was started: the kernel counts the memory that a new process
    /// shares with its parent until it becomes another program.
    pub(crate) peak_kib: u64,
}

/// The first process of a group, seen through a handle that the kernel cannot reuse.
///
/// The group may be signalled only while its leader is not reaped: until then nobody else can own
/// the number. Dropping a `Leader` stops the group and has the leader reaped by a thread.
#[derive(Debug)]
pub(crate) struct Leader {
    id: Pid,
    handle: Option<AsyncFd<OwnedFd>>,
    reaped: bool,
}

// === impl Leader ===

impl Leader {
    /// Takes over a child that leads its own group. On an error the child is stopped and reaped.
    pub(crate) fn watch(id: u32) -> io::Result<Self> {
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        let id = id.expect("the number of a child is positive and fits");
        let mut leader = Self { id, handle: None, reaped: false };
        let handle = pidfd_open(id, PidfdFlags::empty())?;
        // SAFETY: an `OwnedFd` names the same open descriptor until it is dropped.
        let handle = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) };
        leader.handle = Some(handle.map_err(io::Error::from)?);
        Ok(leader)
    }

    /// Waits until the leader has exited. Does not reap it.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn exited(&self) {
        let handle = self.handle.as_ref().expect("`watch` gives out no leader without a handle");
        match handle.readable().await {
            Ok(mut ready) => ready.retain_ready(),
            // The runtime is going down, and drops us next.
            Err(_) => future::pending().await,
        }
    }

    /// Stops every process of the group. A group that is already empty is not an error.
    pub(crate) fn signal_group(&self, how: Stop) {
        let signal = match how {
            Stop::Ask => Signal::TERM,
            Stop::Force => Signal::KILL,
        };
        let _ = kill_process_group(self.id, signal);
    }

    /// The largest size of the leader alone so far, while it runs.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        peak_kib(&self.id.as_raw_nonzero().to_string())
    }

    /// Stops what is left of the group, then reaps the leader, which must have exited. In this
    /// order: a reaped leader's number may belong to a stranger.
    pub(crate) fn reap(mut self) -> (io::Result<(ExitStatus, Cost)>, Rest) {
        self.signal_group(Stop::Force);
        self.reaped = true;
        (wait(self.id), Rest(self.id))
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        // A supervisor that is dropped half-way must not leave a scan running.
        self.signal_group(Stop::Force);
        let id = self.id;
        // It may hang in the kernel for a while: that must not hold up whoever dropped us.
        let reaper = thread::Builder::new().name("assay-reaper".to_owned());
        if reaper.spawn(move || wait(id)).is_err() {
            let _ = wait(id);
        }
    }
}

/// What may be left of a group whose leader has been reaped: killed, but perhaps not yet gone.
#[derive(Debug)]
pub(crate) struct Rest(Pid);

// === impl Rest ===

impl Rest {
    /// Whether a process of the group may still do something.
    pub(crate) fn lives(&self) -> bool {
        // Only asks: should the number belong to a stranger by now, nothing happens to him.
        test_kill_process_group(self.0).is_ok() && self.has_running_member()
    }

    /// Somebody else's zombies stay in the group until their parent looks; they do nothing more.
    fn has_running_member(&self) -> bool {
        let group = self.0.as_raw_nonzero().to_string();
        let Ok(entries) = fs::read_dir("/proc") else { return false };
        entries.filter_map(Result::ok).any(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let Some((_, rest)) = stat.rsplit_once(')') else { return false };
            let mut fields = rest.split_whitespace();
            let state = fields.next().unwrap_or("X");
            fields.nth(1) == Some(&group) && !matches!(state, "Z" | "X")
        })
    }
}

/// Our own largest size so far.
pub(crate) fn own_peak_kib() -> u64 {
    peak_kib("self").unwrap_or(0)
}

fn peak_kib(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Has the kernel keep ended children until we ask for them. Whoever started us may have told it
/// otherwise, and every tool would then be lost.
pub(crate) fn keep_ended_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: both calls read and write only the structure that is given to them.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            let asked = libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action);
            if asked == 0 && action.sa_sigaction == libc::SIG_IGN {
                libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            }
        }
    });
}

/// Reaps a child. Blocks until it has ended.
fn wait(id: Pid) -> io::Result<(ExitStatus, Cost)> {
    let id = id.as_raw_nonzero().get();
    let mut status = 0;
    // SAFETY: a structure of integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    loop {
        // SAFETY: both pointers are to our own variables and live through the call.
        let done = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) };
        if done == id {
            let cost = Cost {
                user: duration(usage.ru_utime),
                system: duration(usage.ru_stime),
                peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
            };
            return Ok((ExitStatus::from_raw(status), cost));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0)) + Duration::from_micros(micros)
}
