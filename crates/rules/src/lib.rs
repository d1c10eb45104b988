//! What may happen. Pure: messages and `now` in, orders out; no clock, no task, no lock.

mod durations; // how long a tool is expected to take
mod schedule; // which tool next

pub use durations::{Durations, Estimate};
pub use schedule::{Scheduler, Work};
