//! The only room that knows the operating system's calls, and the only one with `unsafe`.
//!
//! Everything above speaks of keepers, rooms and rights by our own names.

#![expect(unsafe_code, reason = "the one place of the workspace where system calls are made")]

mod given; // descriptors that whoever started us has opened
mod spaces; // namespaces and mounts
mod turn; // from a child of ours to the tool

pub use given::inherited;
pub(crate) use spaces::{
    Forked, MountRights, Spaces, fork_into, landlock_abi, raise_loopback, restrict_mount,
};
pub(crate) use turn::{
    Image, ask_everyone, become_user, bound_capabilities, close_later_from, drop_capabilities,
    leave, replace, usual_signals, watch_children,
};

use crate::order::Tally;
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};
use std::{fs, future, io, mem, os::fd::OwnedFd, sync::Once, thread};
use tokio::io::{Interest, unix::AsyncFd};

/// A process seen through a handle that the kernel cannot reuse.
#[derive(Debug)]
pub(crate) struct Handle(AsyncFd<OwnedFd>);

/// A child of ours. Dropping it has it reaped by a thread, whenever it ends.
#[derive(Debug)]
pub(crate) struct OwnChild {
    id: Pid,
    handle: Option<Handle>,
    /// A child of its own, which becomes ours if it is killed.
    heir: Option<Pid>,
    is_reaped: bool,
}

// === impl Handle ===

impl Handle {
    /// Opens the process with this number. Must be called inside a runtime.
    pub(crate) fn open(id: Pid) -> io::Result<Self> {
        let handle = pidfd_open(id, PidfdFlags::empty())?;
        // SAFETY: an `OwnedFd` names the same open descriptor until it is dropped.
        let handle = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) };
        Ok(Self(handle.map_err(io::Error::from)?))
    }

    /// Waits until the process has exited. Does not reap it.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn exited(&self) {
        match self.0.readable().await {
            Ok(mut ready) => ready.retain_ready(),
            // The runtime is going down, and drops us next.
            Err(_) => future::pending().await,
        }
    }
}

// === impl OwnChild ===

impl OwnChild {
    /// Takes over a child. On an error it is reaped in the background.
    pub(crate) fn watch(id: u32) -> io::Result<Self> {
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        let id = id.expect("the number of a child is positive and fits");
        let mut child = Self { id, handle: None, heir: None, is_reaped: false };
        child.handle = Some(Handle::open(id)?);
        Ok(child)
    }

    pub(crate) fn id(&self) -> Pid {
        self.id
    }

    /// Names the child of its own that we take over should it be killed.
    pub(crate) fn has_heir(&mut self, heir: Pid) {
        self.heir = Some(heir);
    }

    /// Waits until it has exited. Does not reap it.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn exited(&self) {
        let handle = self.handle.as_ref().expect("`watch` gives out no child without a handle");
        handle.exited().await;
    }

    /// Reaps it. It must have exited, else this blocks.
    pub(crate) fn reap(mut self) {
        self.is_reaped = true;
        reap_both(self.id, self.heir);
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        if self.is_reaped {
            return;
        }
        let (id, heir) = (self.id, self.heir);
        // It may take a while: that must not hold up whoever dropped us.
        let reaper = thread::Builder::new().name("assay-reaper".to_owned());
        if reaper.spawn(move || reap_both(id, heir)).is_err() {
            reap_both(id, heir);
        }
    }
}

/// Reaps a child, then its heir, if that has become ours too.
fn reap_both(id: Pid, heir: Option<Pid>) {
    reap(id);
    if let Some(heir) = heir {
        reap(heir);
    }
}

/// Reaps a process, if it is a child of ours. Blocks until it has ended.
fn reap(id: Pid) {
    while matches!(waitpid(Some(id), WaitOptions::empty()), Err(rustix::io::Errno::INTR)) {}
}

/// Our own largest size so far.
pub(crate) fn own_peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Clock ticks in a second, in which `/proc` counts processor time.
pub(crate) fn ticks_per_second() -> u64 {
    // SAFETY: a plain call with a number.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// What all children that were waited for took, and all that these waited for.
pub(crate) fn tally_of_children() -> Tally {
    // SAFETY: a structure of integers, for which all zeroes is a value; the call only writes it.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    // Ours counts, from the end of the children on, what they counted; we ourselves read little.
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let count =
        |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Tally {
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
        read_bytes: count("rchar:"),
        written_bytes: count("wchar:"),
    }
}

fn micros(time: libc::timeval) -> u64 {
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(time.tv_sec) * 1_000_000 + part(time.tv_usec)
}

/// Makes this process the parent of what its descendants leave behind, and has the kernel keep
/// ended children until we ask for them: whoever started us may have told it otherwise, and every
/// tool would then be lost.
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
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    });
}
