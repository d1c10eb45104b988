//! What may happen. Pure: messages and `now` in, orders out; no clock, no task, no lock.
//!
//! One clock: every `now` is an [`Instant`] of ours, whose arithmetic saturates. One source of
//! chance: whoever decides by chance is given [`Dice`].

pub mod admission; // who may begin, who waits, who is told to come back later
pub mod balance; // which replica gets the next call
pub mod breaker; // whether an endpoint may be called
pub mod concurrency; // how many calls at once a service can bear
pub mod ledger; // which work is under way, for whom, and why it must stop
pub mod rate_limit; // whether a client may ask now
pub mod retry; // whether a call may be made again, and when

mod by_id; // maps whose keys we gave ourselves
mod clock; // time as an argument
mod dice; // randomness as an argument
mod durations; // how long a tool is expected to take
mod percent; // a share, without fractions
mod schedule; // which tool next

pub use by_id::ById;
pub use clock::Instant;
pub use dice::Dice;
pub use durations::{Durations, Estimate};
pub use percent::Percent;
pub use schedule::{Capacity, Scheduler, Work};
