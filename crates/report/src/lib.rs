//! What people read: what tools said becomes findings, and findings become reports.
//!
//! Pure: no clock, no file, no process. Today's date and the source are arguments; reports go to
//! an `io::Write`. `build` joins what makes findings; the formats read a finished report only.
#![forbid(unsafe_code)]

// from observations to findings
mod advisory; // which advisory on which package a dependency finding is about
mod build; // the one entry: observations in, findings out
mod identity; // observation -> fingerprint
mod lines; // a file as lines: folding, statements, enclosing definitions
mod matching; // which finding of an older report is which of a newer one
mod merge; // observations of one defect -> one finding
mod owasp; // weaknesses and the OWASP Top Ten
mod rules; // `[[ignore]]` entries and severity overrides
mod secrets; // credentials masked before anything is shown or hashed
mod snippet; // a few lines around a finding
mod text; // hostile text made harmless: hidden characters shown, long text cut

// from findings to what is written
mod batch; // many reports become one table
mod csv_format; // rows for spreadsheets
mod github; // workflow commands
mod gitlab; // Code Quality
pub mod html; // one page for a browser
mod json; // our own shape, and its schema
mod junit; // test results
mod markdown; // a comment on a pull request
mod reply; // what a service answers
mod sameness; // tools that say the same of every app
mod sarif; // SARIF 2.1.0, within the limits of who takes it
mod summary; // the numbers and gaps that every format shows alike

pub use batch::{
    app_result, batch_counts, batch_outcome, batch_schema, batch_tools, write_batch_csv,
    write_batch_json, write_batch_markdown,
};
pub use build::{Built, build};
pub use csv_format::write_csv;
pub use github::write_github;
pub use gitlab::write_gitlab;
pub use identity::fingerprint;
pub use json::{report_schema, write_json};
pub use junit::write_junit;
pub use markdown::{MarkdownOptions, write_markdown};
pub use matching::{Matched, Pair, match_findings};
pub use owasp::categories;
pub use reply::{REPLY_BYTES_MAX, ReplyTerms, Shelf, reply_status, tool_word, write_reply};
pub use rules::{IgnoreRule, InSource, PatternError, Rules, SeverityRule};
pub use sameness::{
    Claim, SAME_COUNT_APPS_MIN, Said, Sample, ZERO_ALONE_APPS_MIN, ZERO_APPS_MIN, alarms,
};
pub use sarif::{SarifLimits, write_sarif, write_tool_sarif};
pub use summary::{Gap, Summary, ToolRow, summary};
pub use text::{shown, shown_line};
