//! The first process inside the cage.
//!
//! Owns every process that runs there: whatever loses its parent becomes its child. Keeps: it ends
//! when none of them is left, and not before; when the keeper is gone or says so it kills them all.

use super::{
    crowd,
    room::{self, View},
    start,
};
use crate::{
    order::{Order, Push, Reach, Stage, Word, send},
    sys::{self, Forked, Spaces, leave, raise_loopback, replace, watch_children},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{
        DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, getpid, getuid,
        set_child_subreaper, set_dumpable_behavior, set_parent_process_death_signal, wait,
    },
    system::sethostname,
};
use std::{
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::net::UnixStream},
};

/// What is said of a cage that could not be made. The keeper tells it from a tool's own end by the
/// word that comes before it.
const NO_CAGE: i32 = 126;

/// The init at work.
#[derive(Debug)]
struct Init {
    words: UnixStream,
    children: OwnedFd,
    /// Absent once it was reaped: its number may then be another's.
    tool: Option<Pid>,
    has_space: bool,
}

/// Makes the cage from the inside, starts the tool, and stays until the last process is gone.
pub(super) fn run(order: &Order, mut words: UnixStream) -> ! {
    if order.fence.spaces.pid {
        // The end of the stream tells us too when the keeper is gone; this needs no look. Without a
        // namespace that ends with us we have to live on, to stop the others.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
    let mut go = [0];
    if words.read_exact(&mut go).is_err() {
        leave(NO_CAGE);
    }
    if let Err((stage, why)) = furnish(order) {
        let why = format!("its cage could not be made: {why}");
        send(&mut words, &Word::NotStarted { stage, why }).ok();
        leave(NO_CAGE);
    }
    match Init::start(order, words) {
        Ok(mut init) => init.watch(),
        Err(_) => leave(NO_CAGE),
    }
}

fn furnish(order: &Order) -> Result<(), (Stage, String)> {
    let fence = &order.fence;
    // A tool of the same user must not look into us, or hold us.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    set_child_subreaper(Some(getpid()))
        .map_err(|error| (Stage::Spaces, format!("it could not become a subreaper: {error}")))?;
    if fence.spaces.ipc {
        let _ = sethostname(b"assay");
    }
    if fence.spaces.network {
        raise_loopback().map_err(|error| (Stage::Spaces, format!("its loopback: {error}")))?;
    }
    if fence.spaces.mount {
        let user = fence.user.unwrap_or_else(|| getuid().as_raw());
        let has_network = fence.reach != Reach::Nowhere;
        let view = View { seats: &fence.room, user, has_network };
        room::enter(&view).map_err(|why| (Stage::Room, why))?;
    }
    Ok(())
}

// === impl Init ===

impl Init {
    fn start(order: &Order, mut words: UnixStream) -> io::Result<Self> {
        let children = watch_children()?;
        let has_space = order.fence.spaces.pid;
        match sys::fork_into(Spaces::default()) {
            Ok(Forked::Child) => start::become_tool(order, &mut words),
            Ok(Forked::Parent(tool)) => {
                // The pipes belong to the tool: as long as we hold them too they do not end with it.
                let null: OwnedFd = File::options().write(true).open("/dev/null")?.into();
                for standard in [0, 1, 2] {
                    replace(&null, standard)?;
                }
                Ok(Self { words, children, tool: Some(tool), has_space })
            }
            Err(error) => {
                let why = format!("no process could be started: {error}");
                send(&mut words, &Word::NotStarted { stage: Stage::Limits, why })?;
                Err(error)
            }
        }
    }

    fn watch(&mut self) -> ! {
        loop {
            self.reap();
            let mut seen = [
                PollFd::new(&self.words, PollFlags::IN),
                PollFd::new(&self.children, PollFlags::IN),
            ];
            match poll(&mut seen, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => self.force(),
            }
            let is_told = !seen[0].revents().is_empty();
            self.drain_signals();
            if is_told {
                self.obey();
            }
        }
    }

    /// Takes in every child that has ended. Ends this process when there is none left.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.tool => self.tell(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return,
                // None is left.
                Err(_) => leave(0),
            }
        }
    }

    fn tell(&mut self, status: WaitStatus) {
        self.tool = None;
        let word = Word::Exited { status: status.as_raw() };
        if send(&mut self.words, &word).is_err() {
            self.force();
        }
    }

    fn obey(&mut self) {
        let mut byte = [0];
        match self.words.read(&mut byte) {
            Ok(1) if Push::of(byte[0]) == Push::Ask => self.ask(),
            _ => self.force(),
        }
    }

    /// Kills everything, and ends when it is gone.
    fn force(&mut self) -> ! {
        if self.has_space {
            // With number 1 the kernel ends the whole namespace, and waits for it.
            leave(0);
        }
        loop {
            crowd::kill_below(getpid());
            // Blocks until one has ended; what it left behind is ours by then.
            match wait(WaitOptions::empty()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => leave(0),
            }
        }
    }

    fn ask(&self) {
        if self.has_space {
            sys::ask_everyone();
        } else {
            crowd::signal_below(getpid(), Signal::TERM);
        }
    }

    /// The descriptor only says that something happened.
    fn drain_signals(&self) {
        let mut buffer = [0_u8; 1024];
        while rustix::io::read(&self.children, &mut buffer).is_ok_and(|count| count > 0) {}
    }
}
