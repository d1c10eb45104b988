//! System calls that make and furnish namespaces.

use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use std::{ffi::CString, io, os::unix::ffi::OsStrExt, path::Path};

/// Which of two processes this is.
#[derive(Debug)]
pub(crate) enum Forked {
    Child,
    Parent(Pid),
}

/// The namespaces that a child begins in.
#[expect(clippy::struct_excessive_bools, reason = "the kernel has each with or without the others")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spaces {
    pub(crate) user: bool,
    pub(crate) pid: bool,
    pub(crate) mount: bool,
    pub(crate) ipc: bool,
    pub(crate) network: bool,
}

// === impl Spaces ===

impl Spaces {
    fn flags(self) -> libc::c_int {
        let all = [
            (self.user, libc::CLONE_NEWUSER),
            (self.pid, libc::CLONE_NEWPID),
            (self.mount, libc::CLONE_NEWNS),
            (self.ipc, libc::CLONE_NEWIPC | libc::CLONE_NEWUTS),
            (self.network, libc::CLONE_NEWNET),
        ];
        all.iter().filter(|(wanted, _)| *wanted).fold(0, |flags, (_, flag)| flags | flag)
    }
}

/// Forks into new namespaces. Only for a process with a single thread, which the shim is: a lock
/// that another thread holds would stay locked in the child for ever.
pub(crate) fn fork_into(spaces: Spaces) -> io::Result<Forked> {
    let flags = libc::c_long::from(spaces.flags() | libc::SIGCHLD);
    // SAFETY: without a stack of its own the child goes on with a copy of ours, as after fork(2);
    // the process has one thread, so no lock is held by anybody else.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match i32::try_from(pid) {
        Ok(0) => Ok(Forked::Child),
        Ok(..0) => Err(io::Error::last_os_error()),
        Ok(pid) => {
            Ok(Forked::Parent(Pid::from_raw(pid).expect("the arms above leave what is positive")))
        }
        Err(_) => Err(io::Error::other("the number of a new process does not fit")),
    }
}

/// What may be done through a mount, for it and for all that is mounted below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountRights {
    pub(crate) write: bool,
    pub(crate) execute: bool,
    pub(crate) devices: bool,
}

/// Takes rights from a mount and everything mounted below it (Linux 5.12).
pub(crate) fn restrict_mount(path: &Path, rights: MountRights) -> io::Result<()> {
    let all = [
        (!rights.write, libc::MOUNT_ATTR_RDONLY),
        (!rights.execute, libc::MOUNT_ATTR_NOEXEC),
        (!rights.devices, libc::MOUNT_ATTR_NODEV),
        (true, libc::MOUNT_ATTR_NOSUID),
    ];
    let attr_set =
        all.iter().filter(|(wanted, _)| *wanted).fold(0, |set, (_, attribute)| set | attribute);
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = libc::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path ends in a zero, the structure is as large as is said, and both live through
    // the call, which keeps neither.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Switches the loopback of a new network namespace on: some tools talk to themselves through it.
pub(crate) fn raise_loopback() -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    // SAFETY: a structure of integers and an array of bytes, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = libc::c_char::try_from(from).expect("the letters of `lo` are ASCII");
    }
    let up = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING);
    request.ifr_ifru.ifru_flags = up.expect("both flags are below 0x100");
    // SAFETY: the request lives through the call, which reads the name and the flags.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The generation of Landlock that this kernel has.
pub(crate) fn landlock_abi() -> Option<u32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call reads no memory; a null of no size is what it asks for.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION)
    };
    u32::try_from(abi).ok()
}
