//! Programs and peers that do as told, and the means to watch them. Tests only.

#![forbid(unsafe_code)]

mod advisories; // a server that knows a few vulnerabilities
mod http; // a server that answers as told
mod processes; // who lives, who is a zombie, what is open
mod programs; // where the fake programs are

pub use advisories::Advisories;
pub use http::{Answer, Question, Server};
pub use processes::{
    children_of, is_zombie, lives, marked, marked_beginning, open_descriptors, parent_of,
    wait_until,
};
pub use programs::{fake_tool, program, shim};
pub use tempfile::{TempDir, tempdir};
