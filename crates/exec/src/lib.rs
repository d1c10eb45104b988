//! How a tool runs: the only crate that starts processes.
//!
//! One way in: a [`Job`] is [`run`] and becomes an [`Ended`]. How the process is held (today a
//! process group; later the shim, namespaces and cgroups) is known in here and nowhere else.

mod environment; // the variables that a tool may see
mod isolation; // what is in force on this machine, in words
mod job; // what is run, and what became of it
mod run; // watches one tool from its start to the last of its processes
mod stream; // one pipe, copied to disk within its limit
mod sys; // the operating system; the only `unsafe` of the workspace

pub use environment::{Network, clean_environment};
pub use isolation::describe_isolation;
pub use job::{Ended, Job, Limits};
pub use run::run;
