//! What tools say: the catalogue, their reports turned into findings, their verdicts. Pure.
//!
//! The way of one tool through this room:
//!
//! 1. A row (`catalogue/<id>.toml`, or a table of `assay.toml`) is a
//!    [`model::ToolDeclaration`](assay_model::ToolDeclaration): words. [`Catalogue`] checks it and
//!    makes a [`Tool`]; nothing else can. All faults of a row are told at once.
//! 2. [`select`] picks tools by profile, kind or name.
//! 3. [`Tool::recipe`] says how it is installed, [`Tool::config_files`] which neutral configuration
//!    it gets, [`Tool::calls`] which processes are to be started.
//! 4. [`Tool::read`] streams the output of one call into observations.
//! 5. [`verdict`] says what all calls together are worth. It alone can say *clean*.
//! 6. [`Tool::settler`] asks the source for what it alone knows: columns in characters, and which
//!    comment silences a finding.
//!
//! Adding a row: put `catalogue/<id>.toml` here and build; the file is found by itself. The tests
//! of `catalogue` say what is wrong with it, `tests/golden.rs` reads captured outputs from
//! `tests/golden/<id>/*.out` and shows what became of them.
//!
//! Keeps: memory stays bounded whatever a tool writes; no path of a finding leaves the project; no
//! end that a tool does not declare is ever `ok`.
//!
//! Does not: start processes, install anything, or give findings an identity (`report`).

#![forbid(unsafe_code)]

mod calls; // placeholders expanded: programs, arguments, folders
mod catalogue; // all tools by name, and the names they had elsewhere
mod check; // words to a tool, or every fault at once
mod defects; // what is wrong, across tools
mod durations; // how long tools took on the machine they were recorded on
mod lookup; // where a field of an item is
mod mapping; // all lookups of one tool
pub mod native; // analyzers that are part of the binary
mod paths; // what tools call a file, and whether it may be believed
mod read; // output to observations
mod recipe; // how a tool is installed
mod resolve; // what people type to what is run
mod select; // which tools an analysis runs
mod settle; // columns that count characters, and comments that silence
pub mod severity; // how bad, in one scale
mod stage; // copies that a tool sees instead of files of the app
mod steering; // what an app could steer a tool by, and what the tool sees instead
mod suppress; // comments that silence a finding
mod tool; // one checked tool
mod verdict; // what a run is worth

pub use calls::{Call, OutputSource, Places};
pub use catalogue::Catalogue;
pub use check::{CatalogueError, Problem};
pub use defects::{DefectClass, defect_classes};
pub use durations::recorded_durations;
pub use read::{OutputError, ReadContext, Reading};
pub use recipe::Recipe;
pub use resolve::{ResolveError, Resolved};
pub use select::{Optional, SECURITY_KINDS, Selected, Selection, select};
pub use settle::Settler;
pub use stage::Staging;
pub use steering::{NEUTRAL_NAME, Rest};
pub use tool::{Origin, SettingError, Settings, Tool};
pub use verdict::{CallResult, Verdict, verdict};

/// The texts that `build.rs` found.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}
