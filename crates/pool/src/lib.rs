//! Who does the work: leases on connections, under one cap.
//!
//! Owns every connection to a service, from before it is opened until after it is closed, and the
//! queue of those who want one. What is hard is in [`machine`], which is pure; what threads hand to
//! each other goes through one lock; what waits on the world is a thin shell around both.
//!
//! Keeps: connections that are opened, idle, leased or closed on are together never more than the
//! cap; who came first is served first; a lease gives its connection back on every path, and
//! answers its breaker once; who stops waiting leaves no trace; no connection that could serve
//! somebody lies idle while he waits.
//!
//! Does not: try again, share answers (the ledger does both), speak a protocol, or resolve names.

pub mod machine; // who is served, by which connection: pure
pub mod stats; // what is told: one snapshot
pub mod terms; // what a pool is set up with

mod connect; // the edge: how a connection is made, tried and closed
mod error; // why there is no lease
mod handoff; // the one lock, and what is handed through it
mod lease; // a connection that is held by somebody
mod pool; // the shell: deadlines, and the world

pub use connect::Connect;
pub use error::LeaseError;
pub use lease::Lease;
pub use machine::{After, EndpointId, ServiceId};
pub use pool::{Pool, Wish};
pub use stats::Stats;
pub use terms::{EndpointTerms, PoolTerms};
