//! What a terminal shows: progress, summary, tables, errors.
//!
//! Pure but for [`Progress`], which writes to the standard error that it is given. Time is an
//! argument everywhere. Every text that comes from a tool or a file passes [`sanitise`] first.
#![forbid(unsafe_code)]

mod batch; // what came out of many apps
mod error; // error, cause, hint
mod layout; // columns, wrapping, cutting
mod progress; // what runs now
mod sanitise; // hostile text made harmless
mod size; // cells of the terminal
mod style; // colour, links and signs, or their plain stand-ins
mod summary; // what came out
mod table; // lists

pub use batch::batch_summary;
pub use error::error;
pub use layout::duration;
pub use progress::{
    BatchProgress, BatchView, Came, HEARTBEAT_MS, Landed, Plain, Progress, ProgressMode, Screen,
    batch_screen, screen,
};
pub use sanitise::sanitise;
pub use size::stdout_width;
pub use style::{ColorChoice, Style, Terminal};
pub use summary::{WrittenReport, summary};
pub use table::table;
