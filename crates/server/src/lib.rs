//! What is served: the base of every service, and the gateway before them.
//!
//! Owns sessions, slots, the desk, and what becomes of a request between its first frame and its
//! one end. Keeps: every accepted request has exactly one end; everything is answered on every
//! connection at any time; nothing waits without a deadline, no queue is without a bound.
//!
//! Does not: know what an analysis is (an [`Analyze`] does), or parse a command line.

#![forbid(unsafe_code)]

mod analyzer; // what a service does

pub use analyzer::{Analyze, Answer, Job, Tell, ToolsAtHand};
