//! Control groups: one of our own for every run, where somebody delegated a place for it.
//!
//! Keeps: a group is removed after the last process in it; what a killed run left is removed by the
//! next detection, unless its owner lives.

use crate::{
    job::Limits,
    order::{Group, GroupSort},
};
use assay_model::Limit;
use rustix::process::Pid;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// How our groups are called; behind it stand the process that made them, and the namespace that
/// its number is from: containers may share groups, and see only their own processes.
const PREFIX: &str = "assay.";

/// The kernel lets go of a group a moment after its last process is gone.
const REMOVE_TRIES: u32 = 50;
const REMOVE_PAUSE: Duration = Duration::from_millis(2);

/// A folder in which groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) sort: GroupSort,
}

// === impl Place ===

impl Place {
    /// Finds every hierarchy in which we may make groups that are of use, and removes what dead
    /// processes of ours left there.
    pub(crate) fn all() -> Vec<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut places = candidates(&own, &mounts);
        for place in &mut places {
            sweep(&place.dir);
            place.take_controllers();
        }
        places.retain(Self::works);
        places
    }

    /// Describes one group, which nobody has made yet.
    pub(crate) fn group(&self) -> Group {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{}.{number}", prefix(), std::process::id());
        Group { dir: self.dir.join(name).into(), sort: self.sort }
    }

    /// Has our own group hand its controllers down, if they were delegated. The kernel allows that
    /// only where no process is in the group itself, so we move into one below; not if anybody else
    /// is there, who did not ask for it.
    fn take_controllers(&mut self) {
        let GroupSort::Unified { memory, processes } = &mut self.sort else { return };
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let there = read("cgroup.controllers");
        let has = |name: &str| there.split_whitespace().any(|word| word == name);
        let wanted: Vec<&str> = ["memory", "pids"].into_iter().filter(|name| has(name)).collect();
        if wanted.is_empty() {
            return;
        }
        let own = std::process::id().to_string();
        let enable =
            |name: &str| fs::write(self.dir.join("cgroup.subtree_control"), format!("+{name}"));
        let mut enabled: Vec<&str> =
            wanted.iter().copied().filter(|name| enable(name).is_ok()).collect();
        if enabled.is_empty() && read("cgroup.procs").trim() == own {
            let inner = self.dir.join(format!("{}{own}.main", prefix()));
            let moved = fs::create_dir(&inner)
                .and_then(|()| fs::write(inner.join("cgroup.procs"), own.as_bytes()));
            if moved.is_ok() {
                enabled = wanted.into_iter().filter(|name| enable(name).is_ok()).collect();
            }
        }
        *memory = enabled.contains(&"memory");
        *processes = enabled.contains(&"pids");
    }

    fn works(&self) -> bool {
        let group = self.group();
        let dir = Path::new(&group.dir);
        let made = fs::create_dir(dir).is_ok();
        let able = made
            && match self.sort {
                GroupSort::MemoryV1 => dir.join("memory.limit_in_bytes").exists(),
                GroupSort::ProcessesV1 => dir.join("pids.max").exists(),
                GroupSort::Unified { .. } => dir.join("cgroup.kill").exists(),
            };
        fs::remove_dir(dir).ok();
        able
    }
}

/// The places that `/proc/self/cgroup` and the mounts speak of.
fn candidates(own: &str, mounts: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(names), Some(path)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let sort = match names {
            "" => GroupSort::Unified { memory: false, processes: false },
            "memory" => GroupSort::MemoryV1,
            "pids" => GroupSort::ProcessesV1,
            _ => continue,
        };
        if let Some(root) = mount_of(mounts, names) {
            let below = path.trim_start_matches('/');
            let dir = if below.is_empty() { root } else { root.join(below) };
            places.push(Place { dir, sort });
        }
    }
    places
}

/// Where a hierarchy is mounted: `… / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`.
fn mount_of(mounts: &str, controller: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let is_it = match controller {
            "" => name == "cgroup2",
            _ => name == "cgroup" && options.split(',').any(|option| option == controller),
        };
        is_it.then(|| place.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

/// What the groups of our PID namespace begin with.
fn prefix() -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let number: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{PREFIX}{number}.")
}

/// Removes groups whose maker is dead. One that still holds a process stays, and so does one whose
/// maker cannot be looked for from here: its run may be just about to enter it.
fn sweep(dir: &Path) {
    if !Path::new("/proc/self").exists() {
        return;
    }
    let prefix = prefix();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.split_once('.'));
        let Some((maker, _)) = maker else { continue };
        if !Path::new("/proc").join(maker).exists() {
            fs::remove_dir(entry.path()).ok();
        }
    }
}

// === impl Group ===

impl Group {
    /// Makes the group and sets its limits.
    pub(crate) fn make(&self, limits: &Limits) -> io::Result<()> {
        let memory = limits.memory_bytes_max.to_string();
        let processes = limits.processes_max.to_string();
        fs::create_dir(&self.dir)?;
        match self.sort {
            GroupSort::MemoryV1 => {
                self.write("memory.limit_in_bytes", &memory)?;
                // Not every kernel counts swap.
                self.write("memory.memsw.limit_in_bytes", &memory).ok();
            }
            GroupSort::ProcessesV1 => self.write("pids.max", &processes)?,
            GroupSort::Unified { memory: counts_memory, processes: counts_processes } => {
                if counts_memory {
                    self.write("memory.max", &memory)?;
                    self.write("memory.oom.group", "1")?;
                    self.write("memory.swap.max", "0").ok();
                }
                if counts_processes {
                    self.write("pids.max", &processes)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a process in, and all that it will start.
    pub(crate) fn take_in(&self, pid: Pid) -> io::Result<()> {
        self.write("cgroup.procs", &pid.as_raw_nonzero().to_string())
    }

    /// The limit that this group had to enforce, if it had to.
    pub(crate) fn reached(&self) -> Option<Limit> {
        let count = |file: &str, name: &str| -> u64 {
            let text = fs::read_to_string(Path::new(&self.dir).join(file)).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        };
        let memory = match self.sort {
            GroupSort::MemoryV1 => count("memory.oom_control", "oom_kill"),
            GroupSort::Unified { .. } => count("memory.events", "oom_kill"),
            GroupSort::ProcessesV1 => 0,
        };
        let processes = match self.sort {
            GroupSort::MemoryV1 => 0,
            GroupSort::ProcessesV1 | GroupSort::Unified { .. } => count("pids.events", "max"),
        };
        match (memory, processes) {
            (1.., _) => Some(Limit::Memory),
            (0, 1..) => Some(Limit::Processes),
            (0, 0) => None,
        }
    }

    pub(crate) fn counts_memory(&self) -> bool {
        matches!(self.sort, GroupSort::MemoryV1 | GroupSort::Unified { memory: true, .. })
    }

    /// Kills everything in it at once, where the kernel can.
    pub(crate) fn kill(&self) {
        if matches!(self.sort, GroupSort::Unified { .. }) {
            self.write("cgroup.kill", "1").ok();
        }
    }

    /// Removes it, once the last process is gone.
    pub(crate) fn remove(&self) {
        for _ in 0..REMOVE_TRIES {
            match fs::remove_dir(&self.dir) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    thread::sleep(REMOVE_PAUSE);
                }
                _ => return,
            }
        }
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(Path::new(&self.dir).join(file), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
        29 23 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
        30 23 0:27 / /sys/fs/cgroup/pids rw,relatime shared:10 - cgroup cgroup rw,pids\n\
        31 23 0:28 / /sys/fs/cgroup/unified rw,relatime shared:11 - cgroup2 cgroup2 rw\n";

    #[test]
    fn both_generations_are_found_where_they_are_mounted() {
        let own = "8:pids:/\n4:memory:/a/b\n1:cpu:/\n0::/user.slice/x:y\n";
        let places = candidates(own, MOUNTS);
        let shown: Vec<_> =
            places.iter().map(|place| (place.dir.to_str().unwrap(), place.sort)).collect();
        let unified = GroupSort::Unified { memory: false, processes: false };
        assert_eq!(
            shown,
            [
                ("/sys/fs/cgroup/pids", GroupSort::ProcessesV1),
                ("/sys/fs/cgroup/memory/a/b", GroupSort::MemoryV1),
                ("/sys/fs/cgroup/unified/user.slice/x:y", unified),
            ]
        );
        assert!(candidates(own, "").is_empty());
    }

    #[test]
    fn what_a_group_had_to_enforce_is_read_from_its_own_words() {
        let dir = testkit::tempdir().unwrap();
        let check = |sort, file: &str, text: &str, expected| {
            fs::write(dir.path().join(file), text).unwrap();
            let group = Group { dir: dir.path().into(), sort };
            assert_eq!(group.reached(), expected, "{file}: {text}");
        };
        let unified = GroupSort::Unified { memory: true, processes: true };
        check(GroupSort::MemoryV1, "memory.oom_control", "under_oom 0\noom_kill 0\n", None);
        check(
            GroupSort::MemoryV1,
            "memory.oom_control",
            "under_oom 0\noom_kill 2\n",
            Some(Limit::Memory),
        );
        check(GroupSort::ProcessesV1, "pids.events", "max 3\n", Some(Limit::Processes));
        check(
            unified,
            "memory.events",
            "oom 1\noom_kill 1\noom_group_kill 1\n",
            Some(Limit::Memory),
        );
    }

    #[test]
    fn groups_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let dir = testkit::tempdir().unwrap();
        let prefix = prefix();
        let dead = format!("{prefix}{}.3", i32::MAX);
        let own = format!("{prefix}{}.3", std::process::id());
        let of_a_container = format!("{PREFIX}1.{}.3", i32::MAX);
        for name in [&dead, &own, &of_a_container, "somebody-else"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        sweep(dir.path());
        let left = |name: &str| dir.path().join(name).exists();
        assert!(!left(&dead) && left(&own) && left(&of_a_container) && left("somebody-else"));
    }
}
