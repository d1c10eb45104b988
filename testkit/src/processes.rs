//! Watches processes through `/proc`, with a limit on every wait.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// Waits until `condition` holds and says whether it did within `limit`.
///
/// Blocks its thread: in an asynchronous test use the multi-threaded runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "it waits for real processes, whose time cannot be paused"
)]
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the process runs; a zombie does not.
pub fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Whether the process has ended and nobody has asked how.
pub fn is_zombie(pid: u32) -> bool {
    state(pid) == Some('Z')
}

/// Every process whose parent is `parent`, zombies included.
pub fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| parent_of(*pid) == Some(parent))
        .collect()
}

/// The parent of a process that is there.
pub fn parent_of(pid: u32) -> Option<u32> {
    field(pid, 1)?.parse().ok()
}

/// Every living process that was started with `mark` (`NAME=VALUE`) in its environment. Finds what
/// has left its parent, its group and its session, also from outside its namespaces.
pub fn marked(mark: &str) -> Vec<u32> {
    with_variable(|one| one == mark.as_bytes())
}

/// The same, where only the beginning of the mark is known.
pub fn marked_beginning(mark: &str) -> Vec<u32> {
    with_variable(|one| one.starts_with(mark.as_bytes()))
}

fn with_variable(is_wanted: impl Fn(&[u8]) -> bool) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(&is_wanted) && lives(*pid)
        })
        .collect()
}

/// How many descriptors this process holds.
pub fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn state(pid: u32) -> Option<char> {
    field(pid, 0)?.chars().next()
}

/// A field of `/proc/PID/stat`, counted from behind the name, which may hold anything.
fn field(pid: u32, index: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(index).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_no_process_has_the_last_number() {
        assert!(lives(std::process::id()));
        assert!(!lives(u32::MAX));
    }

    #[test]
    fn a_condition_that_never_holds_is_given_up() {
        assert!(!wait_until(Duration::from_millis(5), || false));
    }
}
