//! The last steps before the shim's child becomes the tool, in the only order that works: what
//! needs rights first, then giving them up, then what nobody can take back.

use crate::{
    job::Limits,
    order::{Order, Stage, Word, send},
    shim::{filter, landlock},
    sys::{
        Image, become_user, bound_capabilities, close_later_from, drop_capabilities, leave,
        replace, usual_signals,
    },
};
use rustix::{
    io::Errno,
    process::{
        DumpableBehavior, Resource, Rlimit, chdir, getrlimit, set_dumpable_behavior, setrlimit,
        setsid,
    },
    thread::set_no_new_privs,
};
use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Files that a tool may have open. Some open every file of an app at once.
const OPEN_FILES_MAX: u64 = 16_384;

const CPU_REPRIEVE_S: u64 = 5;

/// Processes that may be there for the moment until the keeper looks.
const PROCESSES_BEYOND: u64 = 64;

/// How often a start is tried again while the program's file is still open for writing: a process
/// that was just started elsewhere holds a copy of every descriptor for a moment.
const BUSY_TRIES: u32 = 40;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// What the init is told of a child that did not become the tool.
pub(super) const NOT_STARTED: i32 = 127;

type Failed = (Stage, String);

/// Becomes the tool, or says why not and ends.
pub(super) fn become_tool(order: &Order, words: &mut UnixStream) -> ! {
    let (stage, why) = match prepare(order).and_then(|()| start(order)) {
        Ok(None) => leave(0),
        Err(failed) => failed,
    };
    // If nobody listens any more, nobody waits for it either.
    send(words, &Word::NotStarted { stage, why }).ok();
    leave(NOT_STARTED)
}

fn prepare(order: &Order) -> Result<(), Failed> {
    let limits = |error: Errno| (Stage::Limits, format!("its limits could not be set: {error}"));
    usual_signals();
    go_first();
    // A session of its own: no terminal, and signals of ours do not reach it.
    let _ = setsid();
    let null =
        File::open("/dev/null").map_err(|error| (Stage::Room, format!("/dev/null: {error}")))?;
    replace(&null.into(), 0).map_err(|error| (Stage::Room, format!("standard input: {error}")))?;
    restrict(&order.limits, order.fence.user.is_some() || order.fence.spaces.user)
        .map_err(limits)?;
    if order.fence.powerless {
        bound_capabilities();
    }
    if let Some(user) = order.fence.user {
        become_user(user)
            .map_err(|error| (Stage::User, format!("it could not become user {user}: {error}")))?;
    }
    chdir(Path::new(&order.cwd)).map_err(|_| {
        let cwd = Path::new(&order.cwd).display();
        (Stage::Program, format!("the folder `{cwd}` to start it in does not exist"))
    })?;
    if order.fence.powerless {
        let failed = |error| (Stage::User, format!("its rights could not be given up: {error}"));
        drop_capabilities().map_err(failed)?;
    }
    set_no_new_privs(true)
        .map_err(|error| (Stage::User, format!("new rights could not be ruled out: {error}")))?;
    if order.fence.landlock {
        landlock::restrict(&order.fence.room, &order.fence.reach)
            .map_err(|why| (Stage::Landlock, why))?;
    }
    if order.fence.seccomp {
        filter::apply().map_err(|why| (Stage::Seccomp, why))?;
    }
    close_later_from(3).map_err(|error| (Stage::Program, format!("descriptors: {error}")))
}

/// Where memory runs out for the whole machine, the kernel ends a tool before anybody else, and before
/// the guards over it.
fn go_first() {
    // Who cannot be looked into cannot write about himself either. The program is again as usual.
    let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Whoever limited us further already is obeyed: only root may go back.
fn restrict(limits: &Limits, counts_alone: bool) -> rustix::io::Result<()> {
    let cpu_s = limits.cpu_s_max.saturating_add(CPU_REPRIEVE_S);
    let mut all = vec![
        (Resource::Core, 0, 0),
        (Resource::Fsize, limits.file_bytes_max, limits.file_bytes_max),
        // The keeper looks at all processes together. This is for the case that it does not.
        (Resource::Cpu, cpu_s, cpu_s.saturating_add(CPU_REPRIEVE_S)),
        (Resource::Nofile, OPEN_FILES_MAX, OPEN_FILES_MAX),
    ];
    // Where the user is not the tool's own, what he runs already counts too, so it is added.
    let others = if counts_alone { 0 } else { processes_of_the_user() };
    // A little more than the limit: who goes beyond is to be seen and named, not only refused.
    let most = others + u64::from(limits.processes_max) + PROCESSES_BEYOND;
    all.push((Resource::Nproc, most, most));
    for (resource, soft, hard) in all {
        let hard = getrlimit(resource).maximum.map_or(hard, |most| most.min(hard));
        setrlimit(resource, Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) })?;
    }
    Ok(())
}

fn processes_of_the_user() -> u64 {
    let own = rustix::process::getuid().as_raw();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads = entries.filter_map(|entry| {
        let is_own = entry.metadata().ok()?.uid() == own;
        let tasks = is_own.then(|| std::fs::read_dir(entry.path().join("task")).ok()).flatten()?;
        u64::try_from(tasks.count()).ok()
    });
    threads.sum()
}

/// Starts the program. Returns if there is none to start, or if it cannot be.
fn start(order: &Order) -> Result<Option<Infallible>, Failed> {
    if order.program.is_empty() {
        return Ok(None);
    }
    let failed = |why: String| (Stage::Program, why);
    let image = Image::new(&order.program, &order.args, &order.env)
        .map_err(|_| failed("a zero byte stands in its command line".to_owned()))?;
    let mut worst = None;
    for path in candidates(order) {
        let error = start_one(&image, path.as_os_str());
        let is_missing = error.kind() == io::ErrorKind::NotFound && !path.is_file();
        if worst.is_none() || !is_missing {
            let why = why_not(&order.program, &path, &error);
            // As a shell does: one that may not be started is only told if no other can.
            if !is_missing && error.kind() != io::ErrorKind::PermissionDenied {
                return Err(failed(why));
            }
            worst = Some(why);
        }
    }
    let missing = || format!("`{}` does not exist", Path::new(&order.program).display());
    Err(failed(worst.unwrap_or_else(missing)))
}

fn start_one(image: &Image, path: &OsStr) -> io::Error {
    for _ in 0..BUSY_TRIES {
        let Err(error) = image.start(path);
        if error.kind() != io::ErrorKind::ExecutableFileBusy {
            return error;
        }
        thread::sleep(BUSY_PAUSE);
    }
    io::ErrorKind::ExecutableFileBusy.into()
}

/// The files that the name may mean.
fn candidates(order: &Order) -> Vec<PathBuf> {
    if order.program.as_bytes().contains(&b'/') {
        return vec![PathBuf::from(&order.program)];
    }
    let path = order.env.iter().find(|(name, _)| name == "PATH");
    let path = path.map(|(_, value)| value.clone()).unwrap_or_default();
    let dirs = path.as_bytes().split(|byte| *byte == b':');
    dirs.map(|dir| Path::new(OsStr::from_bytes(dir)).join(&order.program)).collect()
}

/// Says what the kernel's one word hides: which of several files is missing.
fn why_not(name: &OsString, path: &Path, error: &io::Error) -> String {
    let program = Path::new(name).display();
    match error.kind() {
        io::ErrorKind::NotFound if path.is_file() => {
            format!("the interpreter that `{program}` names in its first line does not exist")
        }
        io::ErrorKind::NotFound => format!("`{program}` does not exist"),
        io::ErrorKind::PermissionDenied => format!("`{program}` is not executable"),
        io::ErrorKind::ArgumentListTooLong => {
            format!("the command line of `{program}` is longer than the system allows")
        }
        io::ErrorKind::ExecutableFileBusy => {
            format!("`{program}` is being written by another process")
        }
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => {
            format!("`{program}` is neither a program nor a script (exec format error)")
        }
        _ => format!("`{program}`: {error}"),
    }
}
