//! The file system as the tool sees it: an empty one of our own, into which is mounted what the
//! system needs to start a program, and what the order names. Nothing else of the machine is there.
//!
//! Keeps: nothing that is mounted here is seen outside; what is not to be written is mounted
//! read-only with everything below it; no device but the harmless ones.

use crate::{
    job::Access,
    order::Seat,
    sys::{MountRights, restrict_mount},
};
use rustix::{
    fs::{Mode, mkdir},
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
        mount_remount, unmount,
    },
    process::{chdir, pivot_root},
};
use std::{
    ffi::CStr,
    fs, io,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
};

/// Where the new root is put together. Any folder that every system has would do: it is covered
/// only in our own namespace, and bare again once we have moved.
const SITE: &str = "/tmp";

/// Where the old root is meanwhile.
const OLD: &str = "/.outside";

/// Folders of the system that programs and libraries lie in. Links among them are made anew.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Files of the system that programs read at their start. Nothing in them is about a user.
const SETTINGS: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/magic",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki",
];

/// What finding a host needs besides; only for tools that may.
const NETWORK_SETTINGS: &[&str] =
    &["/etc/resolv.conf", "/etc/hosts", "/etc/services", "/etc/protocols", "/etc/gai.conf"];

const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];

/// Memory that a tool may share between its processes; counted as its memory where that is counted.
const SHARED_MEMORY: &CStr = c"mode=1777,size=268435456";

/// Folders and small files only; what is mounted lies elsewhere.
const ROOT_SIZE: &CStr = c"mode=755,size=16777216";

/// What is to be seen, and by whom.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) seats: &'a [Seat],
    /// The number of the user that the tool will be.
    pub(super) user: u32,
    pub(super) has_network: bool,
}

/// Makes the room and moves into it. On an error this process must not start the tool.
pub(super) fn enter(view: &View<'_>) -> Result<(), String> {
    let at = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(io::Error::from).map_err(at("mounts made private"))?;
    tmpfs(Path::new(SITE), ROOT_SIZE).map_err(at("a root of its own"))?;
    let old = format!("{SITE}{OLD}");
    folder(Path::new(&old)).map_err(at("a place for the old root"))?;
    pivot_root(SITE, &old).map_err(io::Error::from).map_err(at("moving to the new root"))?;
    chdir("/").map_err(io::Error::from).map_err(at("moving to the new root"))?;
    system(view.has_network)?;
    devices()?;
    processes().map_err(at("/proc"))?;
    people(view.user).map_err(at("/etc"))?;
    for seat in view.seats {
        let (from, to) = (Path::new(&seat.from), Path::new(&seat.to));
        show(from, to, seat.access).map_err(at(&to.display().to_string()))?;
    }
    unmount(OLD, UnmountFlags::DETACH).map_err(io::Error::from).map_err(at("the old root"))?;
    fs::remove_dir(OLD).map_err(at("the old root"))?;
    // Of this mount alone, not of what is mounted below.
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount_remount("/", flags, "").map_err(io::Error::from).map_err(at("making the root read-only"))
}

fn tmpfs(at: &Path, options: &CStr) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("assay", at, "tmpfs", flags, options)?)
}

fn system(has_network: bool) -> Result<(), String> {
    for path in SYSTEM {
        let path = Path::new(path);
        let old = outside(path);
        let shown = match fs::read_link(&old) {
            Ok(target) => symlink(target, path),
            Err(_) if old.is_dir() => show(path, path, Access::Read),
            Err(_) => Ok(()),
        };
        shown.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let network = NETWORK_SETTINGS.iter().filter(|_| has_network);
    for path in SETTINGS.iter().chain(network) {
        let path = Path::new(path);
        // A link that leads out of what is mounted (`/etc/resolv.conf` often does) is followed now.
        let Ok(real) = real_outside(path) else { continue };
        show(&real, path, Access::Data).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn devices() -> Result<(), String> {
    let made = || -> io::Result<()> {
        folder(Path::new("/dev"))?;
        for name in DEVICES {
            let path = Path::new("/dev").join(name);
            file(&path)?;
            mount_bind_recursive(outside(&path), &path)?;
        }
        for (link, target) in [
            ("fd", "self/fd"),
            ("stdin", "self/fd/0"),
            ("stdout", "self/fd/1"),
            ("stderr", "self/fd/2"),
        ] {
            symlink(Path::new("/proc").join(target), Path::new("/dev").join(link))?;
        }
        let shared = Path::new("/dev/shm");
        folder(shared)?;
        tmpfs(shared, SHARED_MEMORY)
    };
    made().map_err(|error| format!("/dev: {error}"))
}

/// Shows only what runs in the namespace that we are in.
fn processes() -> io::Result<()> {
    folder(Path::new("/proc"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None::<&CStr>)?)
}

/// Programs ask who they are, and some fail without an answer.
fn people(user: u32) -> io::Result<()> {
    let (home, shell) = ("/nowhere", "/bin/false");
    let mut users = format!("assay:x:{user}:{user}:assay:{home}:{shell}\n");
    let mut groups = format!("assay:x:{user}:\n");
    if user != 0 {
        users.push_str("root:x:0:0:root:/nowhere:/bin/false\n");
        groups.push_str("root:x:0:\n");
    }
    let texts = [
        ("/etc/passwd", users.as_str()),
        ("/etc/group", groups.as_str()),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ];
    for (path, text) in texts {
        fs::write(path, text)?;
    }
    Ok(())
}

/// Mounts `from`, a path outside, at `to`.
fn show(from: &Path, to: &Path, access: Access) -> io::Result<()> {
    let from = outside(from);
    if from.is_dir() {
        folders(to)?;
    } else {
        to.parent().map_or(Ok(()), folders)?;
        file(to)?;
    }
    mount_bind_recursive(&from, to)?;
    let rights = match access {
        Access::Read => MountRights { write: false, execute: true, devices: false },
        Access::Data => MountRights { write: false, execute: false, devices: false },
        Access::Write => MountRights { write: true, execute: true, devices: false },
    };
    restrict_mount(to, rights)
}

fn outside(path: &Path) -> PathBuf {
    Path::new(OLD).join(path.strip_prefix("/").unwrap_or(path))
}

/// Where a path leads outside, as a path outside. Links there are absolute to the old root, which
/// is not ours any more, so they are followed by hand.
fn real_outside(path: &Path) -> io::Result<PathBuf> {
    const LINKS_MAX: u32 = 16;
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(outside(&path)) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return fs::symlink_metadata(outside(&path)).map(|_| path),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

fn folders(path: &Path) -> io::Result<()> {
    match fs::create_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn folder(path: &Path) -> io::Result<()> {
    Ok(mkdir(path, Mode::from_raw_mode(0o755))?)
}

fn file(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
