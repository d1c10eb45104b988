//! The processes below one, as `/proc` shows them.
//!
//! Keeps: what cannot be read counts as gone. It usually is.

use rustix::{
    fs::statfs,
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, waitpid,
    },
};
use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::Path};

/// How `statfs(2)` calls file systems in memory.
const TMPFS: rustix::fs::FsWord = libc::TMPFS_MAGIC;

/// Rounds of stopping before killing. Every round finds what the last one missed; a group that
/// forks faster than it can be stopped is bounded by the limit on processes.
const ROUNDS_MAX: u32 = 64;

/// What a number of processes use at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) processes: u32,
    pub(super) resident_kib: u64,
    /// The part of it that is no single process's.
    pub(super) shared_kib: u64,
    /// With that of children that have ended.
    pub(super) cpu_ticks: u64,
}

/// What is held by descriptors alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Nameless {
    pub(super) disk_bytes: u64,
    /// Files that never were on a disk (`memfd_create`), mapped or not.
    pub(super) memory_kib: u64,
}

/// What the kernel says of one process, or of what is left of it.
struct Stat {
    is_dead: bool,
    session: i32,
    /// Clock ticks after the start of the machine.
    begun: u64,
}

// === impl Stat ===

impl Stat {
    fn of(pid: Pid) -> Option<Self> {
        let stat = read(pid, "stat")?;
        // Behind the name, which may hold anything, the state is the first.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?;
        let session = fields.nth(2)?.parse().ok()?;
        Some(Self { is_dead: state == "Z", session, begun: fields.nth(15)?.parse().ok()? })
    }
}

/// All descendants of `root`, nearest first.
pub(super) fn below(root: Pid) -> Vec<Pid> {
    let mut all: Vec<Pid> = children(root);
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        // One that moved up while we looked would be counted twice.
        let more: Vec<Pid> = children(pid).into_iter().filter(|pid| !all.contains(pid)).collect();
        all.extend(more);
        next += 1;
    }
    all
}

/// Counts what `root` and all its descendants use; of the first only its processor time.
pub(super) fn used_below(root: Pid) -> Used {
    let mut used = Used { cpu_ticks: ticks(root), ..Used::default() };
    for pid in below(root) {
        used.cpu_ticks += ticks(pid);
        let Some(status) = read(pid, "status") else { continue };
        let number = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        used.processes += number("Threads:").and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        let shared_kib = number("RssShmem:").unwrap_or(0);
        used.resident_kib += number("RssAnon:").unwrap_or(0) + shared_kib;
        used.shared_kib += shared_kib;
    }
    used
}

/// The processor time of one process and of those of its children that it has waited for.
fn ticks(pid: Pid) -> u64 {
    let Some(stat) = read(pid, "stat") else { return 0 };
    // Behind the name, which may hold anything, fields 12 to 15 of those that follow.
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0 };
    rest.split_whitespace().skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// Counts the memory of all descendants of `root`, shared pages once (`Pss`). Slower, so only to
/// confirm: workers that were forked share most of what each of them seems to hold.
pub(super) fn share_below_kib(root: Pid) -> u64 {
    let of_one = |pid| -> Option<u64> {
        let text = read(pid, "smaps_rollup")?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    below(root).into_iter().filter_map(of_one).sum()
}

/// Kills all descendants of `root`: first everything is stopped, so that nothing can start another
/// while it is looked for. Returns those that were seen, who still have to be waited for.
pub(super) fn kill_below(root: Pid) -> Vec<Pid> {
    let mut seen: Vec<Pid> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let fresh: Vec<Pid> = below(root).into_iter().filter(|pid| !seen.contains(pid)).collect();
        if fresh.is_empty() {
            break;
        }
        for pid in &fresh {
            signal(*pid, root, Signal::STOP);
        }
        seen.extend(fresh);
    }
    signal_below(root, Signal::KILL);
    seen
}

/// Kills and reaps what is left of a run where keeper and init were both killed, all of which is ours
/// by then: those children of this process that were started with `mark` in their environment or
/// after their `keeper` in a session that is not ours, and all below them.
pub(crate) fn sweep(mark: &str, keeper: Pid) {
    let (own, begun) = (Stat::of(getpid()), Stat::of(keeper).map(|stat| stat.begun));
    // Every tool has a session of its own. Only that cannot be taken off, as an environment can, which
    // a dead process has not either.
    let is_stray = |pid: Pid| {
        let (Some(own), Some(stat)) = (&own, Stat::of(pid)) else { return false };
        let is_later = begun.is_some_and(|begun| stat.begun >= begun);
        stat.session != own.session && (stat.is_dead || is_later)
    };
    let is_left = |pid: &Pid| {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
        environment.unwrap_or_default().split(|byte| *byte == 0).any(|one| one == mark.as_bytes())
            || is_stray(*pid)
    };
    loop {
        let left: Vec<Pid> = children(getpid()).into_iter().filter(is_left).collect();
        if left.is_empty() {
            return;
        }
        for pid in left {
            signal(pid, getpid(), Signal::STOP);
            let mut all = vec![pid];
            all.extend(kill_below(pid));
            signal(pid, getpid(), Signal::KILL);
            // Parents first: what they leave behind becomes ours. (A dead process has no
            // environment to be known by any more.)
            for pid in all {
                let _ = waitpid(Some(pid), WaitOptions::empty());
            }
        }
    }
}

pub(super) fn signal_below(root: Pid, signal: Signal) {
    for pid in below(root) {
        self::signal(pid, root, signal);
    }
}

/// Signals a process, if it still is below `root`. A number that was listed a moment ago may belong
/// to a stranger by now (a fork bomb goes through all numbers in seconds), so the process is held
/// by a handle first, and then asked whose descendant it is.
fn signal(pid: Pid, root: Pid, signal: Signal) {
    if let Ok(handle) = pidfd_open(pid, PidfdFlags::empty())
        && is_below(pid, root)
    {
        let _ = pidfd_send_signal(handle, signal);
    }
}

fn is_below(pid: Pid, root: Pid) -> bool {
    let mut pid = pid;
    while let Some(parent) = parent_of(pid) {
        if parent == root {
            return true;
        }
        pid = parent;
    }
    false
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = read(pid, "stat")?;
    // Behind the name, which may hold anything: the state, then the parent.
    let (_, rest) = stat.rsplit_once(')')?;
    of_word(rest.split_whitespace().nth(1)?)
}

/// What is held open by descendants of `root` and has no name any more, so that no look at folders
/// finds it. At most `entries_max` descriptors are looked at; beginning with another process every
/// `time`, so that nobody hides behind others.
pub(super) fn nameless_below(root: Pid, time: usize, entries_max: usize) -> Nameless {
    let mut pids = below(root);
    let first = time.checked_rem(pids.len()).unwrap_or(0);
    pids.rotate_left(first);
    let descriptors = pids.iter().flat_map(|pid| {
        fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).into_iter().flatten().flatten()
    });
    let (mut held, mut seen) = (Nameless::default(), BTreeSet::new());
    for path in descriptors.take(entries_max).map(|entry| entry.path()) {
        // Leads to the open file itself, whatever its name was.
        let Ok(meta) = fs::metadata(&path) else { continue };
        if !meta.is_file() || meta.nlink() > 0 || !seen.insert((meta.dev(), meta.ino())) {
            continue;
        }
        let bytes = meta.blocks() * 512;
        if statfs(&path).is_ok_and(|disk| disk.f_type == TMPFS) {
            held.memory_kib += bytes >> 10;
        } else {
            held.disk_bytes += bytes;
        }
    }
    held
}

fn children(pid: Pid) -> Vec<Pid> {
    let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
    let Ok(tasks) = fs::read_dir(tasks) else { return Vec::new() };
    let mut all = Vec::new();
    for task in tasks.flatten() {
        // Each thread has those that it started itself.
        match fs::read_to_string(task.path().join("children")) {
            Ok(text) => all.extend(text.split_whitespace().filter_map(of_word)),
            Err(_) if !has_lists() => return scanned(pid),
            Err(_) => {}
        }
    }
    all
}

/// Whether this kernel lists children (`CONFIG_PROC_CHILDREN`).
fn has_lists() -> bool {
    let own = std::process::id();
    Path::new(&format!("/proc/{own}/task/{own}/children")).exists()
}

/// The slow way: who says that `parent` is its parent.
fn scanned(parent: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| of_word(entry.file_name().to_str()?));
    all.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn of_word(word: &str) -> Option<Pid> {
    Pid::from_raw(word.parse().ok()?)
}

fn read(pid: Pid, file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{}/{file}", pid.as_raw_nonzero())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn own() -> Pid {
        getpid()
    }

    fn shell(script: &str) -> Child {
        Command::new("/bin/sh").args(["-c", script]).spawn().unwrap()
    }

    fn pid_of(child: &Child) -> Pid {
        Pid::from_raw(child.id().try_into().unwrap()).unwrap()
    }

    #[test]
    fn grandchildren_are_found_by_both_ways_and_killed() {
        let mut child = shell("sleep 1000 & sleep 1000");
        let pid = pid_of(&child);
        let limit = std::time::Duration::from_mins(1);
        assert!(testkit::wait_until(limit, || below(pid).len() == 2), "{:?}", below(pid));
        let (mut listed, mut seen) = (children(pid), scanned(pid));
        listed.sort_by_key(|pid| pid.as_raw_nonzero());
        seen.sort_by_key(|pid| pid.as_raw_nonzero());
        assert_eq!(listed, seen);
        assert!(below(own()).len() >= 3);
        let used = used_below(pid);
        assert!(used.processes == 2 && used.resident_kib > 0, "{used:?}");
        assert!(share_below_kib(pid) > 0);
        kill_below(pid);
        assert!(testkit::wait_until(limit, || below(pid)
            .iter()
            .all(|pid| { !testkit::lives(pid.as_raw_nonzero().get().unsigned_abs()) })));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_stranger_is_never_signalled() {
        // No shell, whose child would outlive it.
        let sleeper = || Command::new("sleep").arg("1000").spawn().unwrap();
        let (mut stranger, mut child) = (sleeper(), sleeper());
        let (stranger_pid, root) = (pid_of(&stranger), pid_of(&child));
        assert!(is_below(stranger_pid, own()) && !is_below(stranger_pid, root));
        signal(stranger_pid, root, Signal::KILL);
        assert!(stranger.try_wait().unwrap().is_none(), "it was none of ours");
        signal(stranger_pid, own(), Signal::KILL);
        stranger.wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
