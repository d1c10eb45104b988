//! Output to observations.
//!
//! Keeps: what is held at once is bounded, whatever a tool writes: one item, one run's rules, and
//! up to [`PENDING_BYTES_MAX`](sarif) of results that wait for rules which come after them. What a
//! tool says is cleaned before it gets out: control characters, paths that leave the project,
//! regions that cannot be, endless messages.
//!
//! Observations are handed out as they are read. When the end then turns out to be broken they
//! were still said, but the reading is an error: [`verdict`](crate::verdict()) decides what that is
//! worth.

mod collector; // a draft to an observation, cleaned and counted
mod cwe; // numbers of the Common Weakness Enumeration in what tools write
mod cyclonedx; // a bill of materials
mod lines; // JSON lines, CSV, text
mod mapped; // one JSON document, by a mapping
mod mapped_item; // one item of its list, to a draft
mod region; // numbers that may be anything, to places that can exist
mod sarif; // SARIF 2.1.0, streamed
mod sarif_parts; // the shapes of SARIF that are looked at
mod sarif_result; // one result, with its rule
mod sarif_rules; // what a run says about its rules
mod scanner; // one JSON document, value by value

use crate::{
    calls::{Call, Places},
    tool::Tool,
};
use assay_model::{ColumnUnit, Format, Observation, SourcePath};
use collector::Collector;
pub(crate) use collector::cleaned;
use std::io::{self, BufRead};

/// What a reader has to know about the call whose output it reads.
#[derive(Clone, Copy)]
pub struct ReadContext<'a> {
    pub places: &'a Places,
    pub call: &'a Call,
    /// Whether the snapshot holds that file: tells `a%20b` from `a b`, and names relative to the
    /// project from those relative to the working directory.
    pub is_file: &'a dyn Fn(&SourcePath) -> bool,
    /// The stream that holds no report, or its end: some tools name there what they could not read.
    pub other_stream: &'a str,
}

/// What came out of one call's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Observations handed out, and those beyond the cap that were only counted.
    pub observations: u64,
    /// Among them: those that the tool itself marks as suppressed.
    pub suppressed: u64,
    /// Items that the row says are no findings, or that the tool says are none (`kind: pass`).
    pub dropped: u64,
    /// Files that it says it read, where it says so.
    pub files_scanned: Option<u64>,
    /// Files of the app that it could not read, ascending.
    pub files_failed: Vec<SourcePath>,
    /// Elements of its list that it did look at, where the row says how it tells of others.
    pub looked_at: Option<u64>,
    /// What it complains about without naming a file of the app. With any, nothing is clean.
    pub complaints: Vec<String>,
    /// What a reader of the result must know.
    pub notes: Vec<String>,
    /// The tool's own word on its version.
    pub version: Option<String>,
    /// Components of a bill of materials.
    pub components: Option<u64>,
    /// What the columns of its observations count; [`Tool::settler`] makes them count characters.
    pub columns: ColumnUnit,
}

/// Output that is not the report that it should be.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("it wrote no report")]
    Empty,
    #[error("it wrote its report to the other stream")]
    Elsewhere,
    #[error("its report ends in the middle, after {at} bytes")]
    Truncated { at: u64 },
    #[error("its report is no JSON: {why} at byte {at}")]
    Malformed { at: u64, why: String },
    #[error("its report is not UTF-8, at byte {at}")]
    NotUtf8 { at: u64 },
    #[error("something follows its report, at byte {at}")]
    Trailing { at: u64 },
    #[error("its report is nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("one part of its report is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("its report is not this tool's: {missing} is missing")]
    NotIts { missing: String },
    #[error("its report is of `{found}`, not of `{expected}`")]
    OtherTool { found: String, expected: String },
    #[error("its report is of version `{found}`, not `{expected}`")]
    Version { found: String, expected: &'static str },
    #[error("line {number} of its report is not understood: `{line}`")]
    Line { number: u64, line: String },
    #[error("it complains: `{line}`")]
    FailureLine { line: String },
    #[error("it says that it failed: {why}")]
    SaysFailed { why: String },
    #[error("its report cannot be read")]
    Io { source: io::Error },
}

// === impl Tool ===

impl Tool {
    /// Reads the output of one call and hands out what it says, in its order.
    pub fn read(
        &self,
        input: &mut dyn BufRead,
        context: &ReadContext<'_>,
        emit: &mut dyn FnMut(Observation),
    ) -> Result<Reading, OutputError> {
        let mut collector = Collector::new(self, context, emit);
        let output = &self.says.output;
        let result = match output.format {
            Format::Sarif => sarif::read(input, &mut collector),
            Format::Json => mapped::read(input, &mut collector),
            Format::JsonLines => lines::read_json(input, &mut collector),
            Format::Csv => lines::read_csv(input, &mut collector),
            Format::Text => lines::read_text(input, &mut collector),
            Format::Cyclonedx => cyclonedx::read(input, &mut collector),
        };
        match result {
            Ok(()) => Ok(collector.finish(context.other_stream)),
            Err(OutputError::Empty) if output.empty_is_clean => {
                let mut reading = collector.finish(context.other_stream);
                self.doubt_silence(context, &mut reading)?;
                Ok(reading)
            }
            Err(error) => Err(error),
        }
    }

    /// No report means that nothing was found only where the tool is silent altogether: its report
    /// may stand on the other stream, and words there may say why there is none.
    fn doubt_silence(
        &self,
        context: &ReadContext<'_>,
        reading: &mut Reading,
    ) -> Result<(), OutputError> {
        let words = context.other_stream.lines().find(|line| !line.trim().is_empty());
        let Some(words) = words else { return Ok(()) };
        let mut elsewhere = 0u64;
        let mut count = |_| elsewhere += 1;
        let mut collector = Collector::new(self, context, &mut count);
        let mut input = context.other_stream.as_bytes();
        let read = match self.says.output.format {
            Format::JsonLines => lines::read_json(&mut input, &mut collector),
            Format::Csv => lines::read_csv(&mut input, &mut collector),
            Format::Text => lines::read_text(&mut input, &mut collector),
            // Such a report is never empty.
            Format::Sarif | Format::Json | Format::Cyclonedx => Ok(()),
        };
        drop(collector);
        if read.is_ok() && elsewhere > 0 {
            return Err(OutputError::Elsewhere);
        }
        if reading.complaints.is_empty() && reading.files_failed.is_empty() {
            reading.complaints.push(cleaned(words, 300));
        }
        Ok(())
    }
}

impl std::fmt::Debug for ReadContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadContext").field("call", &self.call.shown).finish_non_exhaustive()
    }
}

impl OutputError {
    /// Whether the tool itself says that it did not do its work, rather than that we do not
    /// understand it.
    pub fn is_the_tools_word(&self) -> bool {
        match self {
            Self::FailureLine { .. } | Self::SaysFailed { .. } => true,
            Self::Empty
            | Self::Elsewhere
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::NotUtf8 { .. }
            | Self::Trailing { .. }
            | Self::TooDeep { .. }
            | Self::TooLarge { .. }
            | Self::NotIts { .. }
            | Self::OtherTool { .. }
            | Self::Version { .. }
            | Self::Line { .. }
            | Self::Io { .. } => false,
        }
    }
}

impl From<io::Error> for OutputError {
    fn from(source: io::Error) -> Self {
        Self::Io { source }
    }
}
