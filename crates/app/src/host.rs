//! The machine, as far as reports tell of it.

use std::{fs, num::NonZero, thread::available_parallelism};

/// Processors that this process may use.
pub(crate) fn cpus() -> u32 {
    available_parallelism().map_or(1, NonZero::get).try_into().unwrap_or(u32::MAX)
}

/// Memory that is free for programs, in MiB; without a limit where the kernel does not say.
pub(crate) fn memory_mib() -> u64 {
    let words = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = words.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib / 1024)
}

/// The system and its kernel: `Debian GNU/Linux 12 (bookworm), Linux 6.1.0, x86_64`.
pub(crate) fn os() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("Linux", |name| name.trim_matches('"'));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{name}, Linux {}, {}", kernel.trim(), std::env::consts::ARCH)
}
