//! What users see of this crate, from observations to files. One binary, since linking is dear.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of `#[test]` functions")]

mod batch; // many apps in every format
mod build; // merging, masking, ignore entries
mod identity; // what keeps a fingerprint and what changes it
mod limits; // SARIF with more than anyone takes
mod matching; // two reports
mod reply; // what a service answers
mod sample; // the report that all tests of formats share
mod schemas; // the official SARIF schema and our own
mod snapshots; // every format as it is written
