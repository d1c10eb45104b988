//! What services do: the analyzers behind `assay service` and behind our own commands, and which app
//! a request is about.
//!
//! Owns the way from a request over the wire to an analysis and back. Keeps: analyses of one process
//! share installations, self-tests and slots, and nothing else; of our own folders no answer tells.
//!
//! Does not: speak to anybody, queue, or decide whether work is new.

mod at_hand; // which tools can be used now
mod discretion; // paths of ours made unrecognisable
mod here; // the desk of `analyze` and `batch`
mod one; // one analysis, from its job to its answer
mod refusal; // why there is no report
mod static_analyzer; // the analyzer of source
mod subject; // which app a request is about, and what it holds

pub(crate) use here::Here;
pub(crate) use static_analyzer::{StaticAnalyzer, Surroundings};
pub(crate) use subject::Subjects;
