//! What people read: what tools said becomes findings, and findings become reports.
//!
//! Pure: no clock, no file, no process. Today's date and the source are arguments; reports go to
//! an `io::Write`. A room may use the rooms listed before it, never those after.
#![forbid(unsafe_code)]

mod advisory; // which advisory on which package a dependency finding is about
mod build;
mod identity; // observation -> fingerprint
mod lines; // a file as lines: folding, statements, enclosing definitions
mod merge; // observations of one defect -> one finding
mod owasp; // weaknesses and the OWASP Top Ten
mod rules; // `[[ignore]]` entries and severity overrides
mod secrets; // credentials masked before anything is shown or hashed
mod snippet; // a few lines around a finding
mod text; // hostile text made harmless: hidden characters shown, long text cut // the one entry: observations in, findings out

pub use build::{Built, build};
pub use identity::fingerprint;
pub use owasp::categories;
pub use rules::{IgnoreRule, InSource, PatternError, Rules, SeverityRule};
pub use text::{shown, shown_line};
