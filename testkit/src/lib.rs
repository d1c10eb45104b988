//! Programs and peers that do as told, and the means to watch them. Tests only.

#![forbid(unsafe_code)]

mod advisories; // a server that knows a few vulnerabilities
mod collector; // a collector of traces
mod daemon; // a server in a process of its own
mod fake; // declarations of fake tools
mod http; // a server that answers as told
mod processes; // who lives, who is a zombie, what is open
mod programs; // where the fake programs are
mod protobuf; // the fields of a message
mod proxy; // a network that is not to be relied on
mod seeds; // simulations by seed
mod small_disk; // a file system that can be filled

pub use advisories::Advisories;
pub use collector::{Collected, Collector, decode};
pub use daemon::Daemon;
pub use fake::{FINDING, Fake};
pub use http::{Answer, Question, Server};
pub use processes::{
    children_of, is_zombie, lives, marked, marked_beginning, open_descriptors, parent_of,
    wait_until,
};
pub use programs::{fake_tool, program, shim};
pub use proxy::{Proxy, Toxin, Way};
pub use seeds::{each_seed, replays_a_seed};
pub use small_disk::{SmallDisk, with_mounts_of_its_own};
pub use tempfile::{TempDir, tempdir};
