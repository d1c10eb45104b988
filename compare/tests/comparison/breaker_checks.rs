//! How ours and each crate are asked. A check returns whether the property holds.

pub mod failsafe; // failsafe, its time frozen
pub mod ours; // ours, on paper time
pub mod recloser; // recloser, with open times of nothing: its time cannot be turned
pub mod tower; // tower-resilience, with open times of nothing: its time cannot be turned
