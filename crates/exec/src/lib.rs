//! How a tool runs: the only crate that starts processes.
//!
//! One way in: a [`Job`] is [`run`] inside a [`Cage`] and becomes an [`Ended`]. How the processes
//! are held (shim, namespaces, control groups, Landlock, seccomp) is known in here and nowhere else.

mod background; // a server of our own that outlives us
mod cage; // the layers in force on this machine
mod environment; // the variables that a tool may see
mod group; // control groups
mod job; // what is run, and what became of it
mod order; // what supervisor and shim say to each other
mod run; // watches one tool from its start to the last of its processes
mod shim; // the program between us and every tool
mod stream; // one pipe, copied to disk within its limit
mod sys; // the operating system; the only `unsafe` of the workspace

pub use background::{Begin, Begun};
pub use cage::{Cage, Layer, LayerState, Shim, is_too_wide};
pub use environment::{
    Network, clean_environment, proxy_has_a_login, trace_environment, without_login,
};
pub use job::{Access, Ended, Job, Limits, Room, Shown};
pub use run::run;
pub use shim::{SHIM_WORD, shim_main};
pub use sys::inherited;
