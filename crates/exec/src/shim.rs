//! The program between us and every tool: `assay __shim`, one thread, no runtime.
//!
//! Two processes of it stand over each tool. The *keeper* is our child: it reads the order, makes
//! the cage, watches what is used, and reports when the last process is gone. Its child, the *init*,
//! is the first process inside: in a namespace for processes it is number 1, elsewhere a subreaper,
//! so that whatever the tool starts and leaves behind becomes its child. The tool is the child of
//! the init.
//!
//! Keeps: whoever of the supervisor, the keeper and the init dies, by whatever signal, the others
//! notice by an end of file and stop everything; the keeper's last word is said when the kernel
//! has no process left to wait for.
//!
//! Does not: decide anything. It asks and forces when it is told to, or when a limit is reached.

mod crowd; // the processes below one, and what they use
mod disk; // the bytes in its folders
mod filter; // system calls that no tool needs
mod init; // the first process inside the cage
mod keeper; // the process outside it
mod landlock; // the fence around files and ports that needs no namespace
mod room; // the file system as the tool sees it
mod start; // the last steps before it becomes the tool

pub(crate) use crowd::sweep;

use std::process::ExitCode;

/// The word on the command line that makes the program its own shim.
pub const SHIM_WORD: &str = "__shim";

/// Holds one tool, as ordered on standard input. Call it before anything else is started, for it
/// forks: with a second thread that would not be safe.
pub fn shim_main() -> ExitCode {
    match keeper::keep() {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is there to be told: who started us is gone, or is not who we take him for.
        Err(_) => ExitCode::from(70),
    }
}
