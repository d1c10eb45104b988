//! What is left when all is over: it must be nothing.
//!
//! Keeps: everything is waited for, under one deadline, and nothing is asked of the one who leaks but
//! what it says of itself and what the kernel says of it.

use crate::house::{House, REPLICAS, Who};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use testkit::wait_until;

/// The servers before anything was done to them, after some work.
pub(crate) struct Before {
    descriptors: usize,
    resident_kib: u64,
}

/// Longer than any tool, any keep-alive and any breaker.
const GONE_WITHIN: Duration = Duration::from_mins(2);

/// Descriptors that the gateway may have more than at its beginning: readers of the book, which
/// come with need, and the sockets to services that lie idle.
const DESCRIPTORS_MORE: usize = 24;

/// KiB that the gateway may have more. It keeps the ends of the last thousand runs.
const RESIDENT_MORE_KIB: u64 = 200 << 10;

// === impl Before ===

impl Before {
    pub(crate) fn of(house: &mut House) -> Self {
        analyse(house, "before");
        let pid = house.daemon(Who::Gateway).unwrap().pid();
        Self { descriptors: descriptors(pid), resident_kib: resident_kib(pid) }
    }
}

/// Looks for everything that may be left.
pub(crate) fn look(house: &mut House, before: &Before) {
    is_quiet(house);
    // A plain analysis works. It is also what sweeps what the killed have left: a copy of the app, and
    // groups whose last process ended after them.
    analyse(house, "after");
    by_command(house);
    nothing_of_tools(house);
    no_folder(house);
    let pid = house.daemon(Who::Gateway).unwrap().pid();
    let most = before.descriptors + DESCRIPTORS_MORE;
    if !wait_until(GONE_WITHIN, || descriptors(pid) <= most) {
        let (now, was) = (descriptors(pid), before.descriptors);
        house.diary.fault(format!("the gateway holds {now} descriptors; it began with {was}"));
    }
    let (now, was) = (resident_kib(pid), before.resident_kib);
    house.diary.figure(format!("gateway: {was} KiB before, {now} KiB after, of memory"));
    house.diary.figure(format!(
        "{} descriptors before, {} after",
        before.descriptors,
        descriptors(pid)
    ));
    if now > was + RESIDENT_MORE_KIB {
        house.diary.fault(format!("the gateway took {was} KiB of memory, and takes {now} now"));
    }
}

/// Nothing runs, waits or is held anywhere.
fn is_quiet(house: &mut House) {
    let (status, body) = house.daemon(Who::Gateway).unwrap().page("/healthz", "");
    if status != 200 {
        house.diary.fault(format!("/healthz says {status}: {body}"));
    }
    let mut last = String::new();
    let is_quiet = wait_until(GONE_WITHIN, || {
        last = noise(house);
        last.is_empty()
    });
    if !is_quiet {
        house.diary.fault(format!("it is not quiet: {last}"));
    }
}

/// What is not quiet.
fn noise(house: &mut House) -> String {
    let mut noise = Vec::new();
    let mut look = |who: Who, wanted: &[(&str, f64)]| {
        let page = house.daemon(who).unwrap().page("/metrics", "").1;
        for (name, most) in wanted {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            match line.map(str::parse::<f64>) {
                Some(Ok(value)) if value <= *most => {}
                other => noise.push(format!("{}: {name} {other:?}", who.name())),
            }
        }
    };
    look(
        Who::Gateway,
        &[
            ("assay_running", 0.0),
            ("assay_queued", 0.0),
            ("assay_clients", 0.0),
            ("assay_pool_connections{state=\"active\"}", 0.0),
            ("assay_pool_connections{state=\"connecting\"}", 0.0),
            ("assay_pool_connections{state=\"closing\"}", 0.0),
            ("assay_pool_waiting", 0.0),
        ],
    );
    for number in 0..REPLICAS {
        // The gateway's idle connections are clients of a service.
        look(
            Who::Replica(number),
            &[("assay_running", 0.0), ("assay_queued", 0.0), ("assay_clients", 12.0)],
        );
    }
    noise.join(", ")
}

/// One analysis over the wire, as any client makes it.
fn analyse(house: &mut House, when: &str) {
    let url = house.front_url();
    let words = ["analyze", crate::stage::MODEL, "3", "--server", &url, "--timeout", "60s"];
    let words = [&words[..], &["--format", "json"]].concat();
    let output = house.stage.assay("client", &words).output().unwrap();
    let says: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let total = &says["analysis"]["summary"]["total_findings"];
    if output.status.code() != Some(0) || *total != 4 {
        house.diary.fault(format!("a plain analysis {when}: {output:?}"));
    }
}

/// One analysis without a server, in the folder for temporary files that services use.
fn by_command(house: &House) {
    let mut command = house.stage.assay("sweeper", &["analyze", crate::stage::MODEL, "2"]);
    let output = command.output().unwrap();
    if output.status.code() != Some(0) {
        house.diary.fault(format!("an analysis without a server: {output:?}"));
    }
}

/// No process of a tool or of its keepers, and no group of them.
fn nothing_of_tools(house: &mut House) {
    let (tool, assay) = (house.stage.at("tools/tool"), house.stage.at("assay"));
    let servers: Vec<u32> = Who::all().map(|who| house.daemon(who).unwrap().pid()).collect();
    let mut left = Vec::new();
    let is_gone = wait_until(GONE_WITHIN, || {
        left = running(&[&tool, &assay]);
        left.retain(|pid| !servers.contains(pid));
        left.is_empty()
    });
    if !is_gone {
        let shown: Vec<String> = left.iter().map(|pid| command_line(*pid)).collect();
        house.diary.fault(format!("processes are left: {shown:?}"));
    }
    let mut groups = Vec::new();
    let is_gone = wait_until(Duration::from_secs(10), || {
        groups = groups_of(&house.pids);
        // A server may keep itself in a group below its own, if groups were handed to it.
        groups.retain(|group| !group.to_string_lossy().ends_with(".main"));
        groups.is_empty()
    });
    if !is_gone {
        house.diary.fault(format!("control groups are left: {groups:?}"));
    }
}

fn no_folder(house: &House) {
    for name in ["work", "tmp"] {
        let mut left = Vec::new();
        let dir = house.stage.at(name);
        let is_gone = wait_until(GONE_WITHIN, || {
            let entries = fs::read_dir(&dir).unwrap().filter_map(Result::ok);
            left = entries.map(|entry| entry.file_name()).collect();
            left.is_empty()
        });
        if !is_gone {
            house.diary.fault(format!("folders are left in {name}: {left:?}"));
        }
    }
}

/// Processes that run one of these programs.
fn running(programs: &[&Path]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        programs.contains(&program.as_path())
    })
    .collect()
}

fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid}: {}", String::from_utf8_lossy(&line).replace('\0', " "))
}

/// Groups that one of these processes has made: `assay.NAMESPACE.PID.NUMBER`.
fn groups_of(pids: &[u32]) -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut folders = Vec::new();
    for line in own.lines() {
        let Some((_, path)) = line.rsplit_once(':') else { continue };
        for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            folders.push(hierarchy.path().join(path.trim_start_matches('/')));
        }
        folders.push(Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/')));
    }
    folders.sort();
    folders.dedup();
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let ours = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut parts = name.strip_prefix("assay.").unwrap_or_default().split('.');
        parts.nth(1).and_then(|pid| pid.parse().ok()).is_some_and(|pid| pids.contains(&pid))
    });
    ours.collect()
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
