//! What is traced: spans, the way to a collector, and the ids on log lines.
//!
//! Owns the spans of this process from their beginning to the collector (OTLP over HTTP, in protobuf),
//! and how a line of the log names its task and its span. Keeps: whoever does the work never waits for
//! a collector, and no collector changes how work ends; without one a span is a few numbers; what is
//! kept for it has a bound.
//!
//! Does not: decide what is worth a span, or read a frame.

#![forbid(unsafe_code)]

mod courier; // one request to a collector
mod export; // what waits for a collector, and the thread that brings it there
mod ids; // names that nobody else has
mod log; // lines of the log, with the ids of the work that they are about
mod otlp; // spans as a collector reads them
mod sampler; // which traces are recorded
mod settings; // what the variables of OpenTelemetry say
mod span; // one piece of work, measured

pub use export::{Export, is_exported};
pub use log::{Ids, JsonLines, TextFields, about, here, is_of_ours};
pub use settings::{Settings, given};
pub use span::{Part, Span, Value};
