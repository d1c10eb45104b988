//! The process outside the cage: between us and its init.
//!
//! Owns what must not be inside: the control groups, the map of users, the counts of what is used.
//! Keeps: an end of file on standard input stops everything; the last word is said when no process
//! is left; the control groups are gone by then too.

use super::{
    crowd::{self, Nameless, Used},
    disk::DiskCount,
    init,
};
use crate::{
    job::Access,
    order::{Group, Order, Push, Stage, Tally, Word, receive, send, unframe},
    sys::{self, Forked, fork_into, replace, tally_of_children},
};
use assay_model::Limit;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait, waitpid},
};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{fs::lchown, net::UnixStream},
    },
    path::{Path, PathBuf},
};

/// How often what is used is looked at. A program can take some gigabytes a second.
const LOOK_EVERY_MS: i64 = 25;

/// The same where a control group holds the memory, so that looking is only for the report.
const LOOK_SELDOM_MS: i64 = 100;

/// Looks at processes between two at the disk.
const LOOKS_PER_DISK: u32 = 8;

/// Files that are counted in one look at the disk, and descriptors.
const ENTRIES_MAX: usize = 20_000;

/// One tool being kept.
struct Keeper {
    order: Order,
    control: UnixStream,
    init: Pid,
    /// To and from the init.
    words: UnixStream,
    unread: Vec<u8>,
    is_forced: bool,
    /// Whether it was said which limit was reached.
    is_told: bool,
    looks: u32,
    peak_kib: u64,
    /// The folders that it may write.
    folders: Vec<PathBuf>,
    disk: DiskCount,
    /// As it was at the last look at the disk.
    nameless: Nameless,
    ticks_per_second: u64,
}

/// What became of one wait.
struct Seen {
    control: bool,
    words: bool,
}

/// Reads the order and keeps what it says until the last process is gone.
pub(super) fn keep() -> io::Result<()> {
    let mut control = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?);
    let order: Order = receive(&mut control)?;
    set_child_subreaper(Some(getpid()))?;
    // Whatever mask we were started with, what is made for the tool can be read by it.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if let Some(user) = order.fence.user {
        for seat in order.fence.room.iter().filter(|seat| seat.access == Access::Write) {
            give(Path::new(&seat.from), user);
        }
    }
    let groups = order.fence.groups.clone();
    let kept = match Keeper::start(order, control) {
        Ok(Some(mut keeper)) => {
            keeper.watch();
            keeper.finish()
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    for group in &groups {
        group.remove();
    }
    kept
}

// === impl Keeper ===

impl Keeper {
    /// Starts the init. `None` where that failed and was said.
    fn start(order: Order, mut control: UnixStream) -> io::Result<Option<Self>> {
        let (words, inside) = UnixStream::pair()?;
        for group in &order.fence.groups {
            if let Err(error) = group.make(&order.limits) {
                let why = format!("the control group could not be made: {error}");
                return give_up(&mut control, Stage::Groups, why).map(|()| None);
            }
        }
        let init = match fork_into(order.fence.spaces) {
            Ok(Forked::Child) => {
                drop((words, control));
                init::run(&order, inside)
            }
            Ok(Forked::Parent(init)) => init,
            Err(error) => {
                let why = format!("its namespaces could not be made: {error}");
                return give_up(&mut control, Stage::Spaces, why).map(|()| None);
            }
        };
        drop(inside);
        let null: OwnedFd = File::options().read(true).write(true).open("/dev/null")?.into();
        for standard in [0, 1, 2] {
            replace(&null, standard)?;
        }
        let writes = order.fence.room.iter().filter(|seat| seat.access == Access::Write);
        let folders = writes.map(|seat| PathBuf::from(&seat.from)).collect();
        let mut keeper = Self {
            order,
            control,
            init,
            words,
            unread: Vec::new(),
            is_forced: false,
            is_told: false,
            looks: 0,
            peak_kib: 0,
            folders,
            disk: DiskCount::default(),
            nameless: Nameless::default(),
            ticks_per_second: sys::ticks_per_second(),
        };
        keeper.let_go();
        Ok(Some(keeper))
    }

    /// Does what only we can do for the init, and lets it go on.
    fn let_go(&mut self) {
        let prepared = self.map_users().and_then(|()| {
            let taken =
                self.order.fence.groups.iter().try_for_each(|group| group.take_in(self.init));
            taken.map_err(|error| {
                (Stage::Groups, format!("its control group did not take it: {error}"))
            })
        });
        match prepared {
            Ok(()) => {
                self.say(&Word::Held { init: self.init.as_raw_nonzero().get() });
                if self.words.write_all(&[0]).is_err() {
                    self.force();
                }
            }
            Err((stage, why)) => {
                self.say(&Word::NotStarted { stage, why });
                self.force();
            }
        }
    }

    /// Says who is who inside: every user is himself, as far as we may say so.
    fn map_users(&self) -> Result<(), (Stage, String)> {
        if !self.order.fence.spaces.user {
            return Ok(());
        }
        let of_init = |file: &str| format!("/proc/{}/{file}", self.init.as_raw_nonzero());
        let write = |file: &str, text: String| {
            fs::write(of_init(file), text)
                .map_err(|error| (Stage::Spaces, format!("its {file} could not be set: {error}")))
        };
        if rustix::process::geteuid().is_root() {
            write("uid_map", everyone("/proc/self/uid_map"))?;
            return write("gid_map", everyone("/proc/self/gid_map"));
        }
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        write("uid_map", format!("{0} {0} 1\n", user.as_raw()))?;
        write("setgroups", "deny".to_owned())?;
        write("gid_map", format!("{0} {0} 1\n", group.as_raw()))
    }

    /// Watches until the init is gone.
    fn watch(&mut self) {
        loop {
            let seen = self.wait();
            if seen.control && !self.is_forced {
                self.obey();
            }
            if seen.words && !self.pass_on() {
                return;
            }
            if !seen.control && !seen.words {
                self.look();
            }
        }
    }

    fn wait(&self) -> Seen {
        let holds_memory = self.order.fence.groups.iter().any(Group::counts_memory);
        let ms = if holds_memory { LOOK_SELDOM_MS } else { LOOK_EVERY_MS };
        let timeout = Timespec { tv_sec: 0, tv_nsec: ms * 1_000_000 };
        // Once it is forced nothing more is to be heard from above; an ended stream would wake us
        // for ever.
        let control = if self.is_forced { PollFlags::empty() } else { PollFlags::IN };
        let mut seen =
            [PollFd::new(&self.words, PollFlags::IN), PollFd::new(&self.control, control)];
        let count = if self.is_forced { 1 } else { 2 };
        match poll(&mut seen[..count], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            // Nothing can be waited for: the reads below block, or tell what is wrong.
            Err(_) => return Seen { control: true, words: true },
        }
        Seen { words: !seen[0].revents().is_empty(), control: !seen[1].revents().is_empty() }
    }

    fn obey(&mut self) {
        let mut byte = [0];
        match self.control.read(&mut byte) {
            Ok(1) if Push::of(byte[0]) == Push::Ask => {
                if self.words.write_all(&byte).is_err() {
                    self.force();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.force(),
        }
    }

    /// Passes on what the init says. False once it is gone.
    fn pass_on(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.words.read(&mut buffer) {
            Ok(count @ 1..) => self.unread.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return false,
        }
        while let Ok(Some(word)) = unframe::<Word>(&mut self.unread) {
            self.say(&word);
        }
        true
    }

    /// Whoever listens may be gone; the end of his stream tells us so.
    fn say(&mut self, word: &Word) {
        send(&mut self.control, word).ok();
    }

    fn force(&mut self) {
        self.is_forced = true;
        for group in &self.order.fence.groups {
            group.kill();
        }
        if self.order.fence.spaces.pid {
            let _ = kill_process(self.init, Signal::KILL);
        } else {
            self.words.write_all(&[Push::Force.byte()]).ok();
        }
    }

    /// Looks at what is used, and stops everything at a limit.
    fn look(&mut self) {
        self.looks += 1;
        let limits = self.order.limits;
        let used = crowd::used_below(self.init);
        let sees_disk = self.looks.is_multiple_of(LOOKS_PER_DISK);
        if sees_disk {
            self.look_for_nameless();
        }
        let taken_kib = used.resident_kib + self.hidden_kib(used);
        self.peak_kib = self.peak_kib.max(taken_kib);
        if self.is_forced {
            return;
        }
        let memory_kib_max = limits.memory_bytes_max >> 10;
        let reached = if taken_kib > memory_kib_max && self.is_shared_out_above(used) {
            Some(Limit::Memory)
        } else if used.processes > limits.processes_max {
            Some(Limit::Processes)
        } else if used.cpu_ticks / self.ticks_per_second > limits.cpu_s_max {
            Some(Limit::Cpu)
        } else if sees_disk && self.disk_bytes() > limits.disk_bytes_max {
            Some(Limit::Disk)
        } else {
            self.order.fence.groups.iter().find_map(Group::reached)
        };
        if let Some(limit) = reached {
            self.stop_at(limit);
            self.force();
        }
    }

    fn look_for_nameless(&mut self) {
        self.nameless = crowd::nameless_below(self.init, self.looks as usize, ENTRIES_MAX);
    }

    /// Memory that only descriptors hold. What is mapped too is in what is resident already.
    fn hidden_kib(&self, used: Used) -> u64 {
        self.nameless.memory_kib.saturating_sub(used.shared_kib)
    }

    /// Whether memory is above its limit where every page is counted once, as of now.
    fn is_shared_out_above(&mut self, used: Used) -> bool {
        self.look_for_nameless();
        let share_kib = crowd::share_below_kib(self.init) + self.hidden_kib(used);
        share_kib > self.order.limits.memory_bytes_max >> 10
    }

    fn disk_bytes(&mut self) -> u64 {
        self.disk.look(&self.folders, ENTRIES_MAX) + self.nameless.disk_bytes
    }

    fn stop_at(&mut self, limit: Limit) {
        self.is_told = true;
        let limits = self.order.limits;
        let most = match limit {
            Limit::Memory => limits.memory_bytes_max,
            Limit::Processes => u64::from(limits.processes_max),
            Limit::Disk => limits.disk_bytes_max,
            Limit::FileSize => limits.file_bytes_max,
            Limit::Cpu => limits.cpu_s_max,
            Limit::Output => limits.stdout_bytes_max,
        };
        self.say(&Word::Stopped { limit, most });
    }

    /// Reaps the init and whatever outlived it, and says what all took.
    fn finish(mut self) -> io::Result<()> {
        while matches!(waitpid(Some(self.init), WaitOptions::empty()), Err(Errno::INTR)) {}
        // Nobody, unless somebody killed the init where no namespace ends with it.
        loop {
            crowd::kill_below(getpid());
            match wait(WaitOptions::empty()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        if !self.is_told
            && let Some(limit) = self.order.fence.groups.iter().find_map(Group::reached)
        {
            self.stop_at(limit);
        }
        let mut tally: Tally = tally_of_children();
        // The kernel's largest is never below our own size: a child begins as a copy of us.
        let largest = if tally.peak_kib > sys::own_peak_kib() { tally.peak_kib } else { 0 };
        tally.peak_kib = self.peak_kib.max(largest);
        for group in &self.order.fence.groups {
            group.remove();
        }
        send(&mut self.control, &Word::Gone { tally })
    }
}

/// Makes `user` the owner of a folder and of all in it. Links are given, not followed: an earlier
/// tool may have left them. What cannot be given stays as it is, and the tool will say so.
fn give(path: &Path, user: u32) {
    lchown(path, Some(user), Some(user)).ok();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => give(&entry.path(), user),
            _ => lchown(entry.path(), Some(user), Some(user)).unwrap_or(()),
        }
    }
}

fn give_up(control: &mut UnixStream, stage: Stage, why: String) -> io::Result<()> {
    send(control, &Word::NotStarted { stage, why })?;
    send(control, &Word::Gone { tally: Tally::default() })
}

/// A map in which everyone whom we know is himself.
fn everyone(own_map: &str) -> String {
    let text = fs::read_to_string(own_map).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (first, count) = (fields.next()?, fields.nth(1)?);
        Some(format!("{first} {first} {count}\n"))
    });
    lines.collect()
}
