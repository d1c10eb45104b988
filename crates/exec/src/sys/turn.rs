//! System calls by which the shim's child becomes the tool.

use std::{
    convert::Infallible,
    ffi::{CString, OsStr, OsString},
    io, mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
};

/// Has SIGCHLD arrive at a descriptor instead of interrupting. Returns the descriptor.
pub(crate) fn watch_children() -> io::Result<OwnedFd> {
    // SAFETY: every pointer is to our own `set`, which the calls only write or read; a new
    // descriptor that the kernel returned is owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// Undoes what we did to signals, for the tool: none is blocked, and a closed pipe ends it as
/// usual. (Rust ignores SIGPIPE, and what is ignored stays so in the new program.)
pub(crate) fn usual_signals() {
    // SAFETY: the pointer is to our own `set`; a default disposition runs no code of ours.
    unsafe {
        for signal in [libc::SIGPIPE, libc::SIGCHLD, libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Asks every process of our own namespace to end, but us, who are number 1 in it.
pub(crate) fn ask_everyone() {
    // SAFETY: a plain call with numbers. In a namespace of our own nobody else can be meant.
    unsafe { libc::kill(-1, libc::SIGTERM) };
}

/// Becomes an ordinary user, without any group but his own.
pub(crate) fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: plain calls with numbers; an empty list of groups needs no memory.
    let done = unsafe {
        libc::setgroups(0, std::ptr::null()) == 0
            && libc::setresgid(id, id, id) == 0
            && libc::setresuid(id, id, id) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Rules out that any capability is ever gained again. Takes a right of its own, so it comes before
/// those are given up.
pub(crate) fn bound_capabilities() {
    for capability in 0..64 {
        // SAFETY: a plain call with numbers. One that the kernel does not know is no error of ours.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
}

/// Gives up all capabilities.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(set_capabilities(None, sets)?)
}

/// Has every descriptor from `first` on closed by the next program.
pub(crate) fn close_later_from(first: RawFd) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).expect("a descriptor is not negative");
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: it only sets flags of descriptors.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flag) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes `from` one of the three standard streams.
pub(crate) fn replace(from: &OwnedFd, standard: RawFd) -> io::Result<()> {
    // SAFETY: the standard streams are used by nobody who cares which file is behind them.
    match unsafe { libc::dup2(from.as_raw_fd(), standard) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A program with its arguments and its environment, as the kernel takes them.
#[derive(Debug)]
pub(crate) struct Image {
    args: Vec<CString>,
    env: Vec<CString>,
}

// === impl Image ===

impl Image {
    pub(crate) fn new<'a>(
        name: &'a OsStr,
        args: impl IntoIterator<Item = &'a OsString>,
        env: impl IntoIterator<Item = &'a (OsString, OsString)>,
    ) -> io::Result<Self> {
        let name = std::iter::once(name);
        let args = name.chain(args.into_iter().map(OsString::as_os_str));
        let args: Result<_, _> = args.map(|arg| CString::new(arg.as_bytes())).collect();
        let env = env
            .into_iter()
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        Ok(Self { args: args?, env: env.collect::<Result<_, _>>()? })
    }

    /// Becomes the program at `path`. Returns only if that fails. Unlike the C library's call it
    /// hands nothing to a shell, which would take a damaged program for commands.
    pub(crate) fn start(&self, path: &OsStr) -> io::Result<Infallible> {
        let path = CString::new(path.as_bytes())?;
        let list = |texts: &[CString]| -> Vec<*const libc::c_char> {
            texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (args, env) = (list(&self.args), list(&self.env));
        // SAFETY: both lists end in a null, their texts end in zeroes, and all live through the call.
        unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
        Err(io::Error::last_os_error())
    }
}

/// Ends this process at once, without what Rust and C do at an exit: in a forked child that would
/// write the parent's buffers a second time.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: it does not return and touches nothing.
    unsafe { libc::_exit(code) }
}
