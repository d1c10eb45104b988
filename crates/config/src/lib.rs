//! What the user wants: flags, environment, files and built-in defaults, in layers.
//!
//! Owns the words of `assay.toml`. Keeps: a [`Config`] is valid, since [`check`](Loader::check) is
//! the only way to one; every value knows where it came from; all problems are told at once, each
//! with its file, line and mend; a file that lies inside the analysed app decides nothing but
//! thresholds, profile, ignores and severities (`trust`).
//!
//! Does not: know the catalogue of tools. Names of tools are checked by whoever has it.

mod check; // written words -> a valid configuration
mod environment; // `ASSAY_…` and the old names
mod files; // TOML, YAML, JSON and INI -> one kind of value
mod known; // unknown keys and the nearest known one
mod layers; // merging, and where each value came from
mod load; // finding and reading all layers
mod problem; // what is wrong, where, and how to mend it
mod raw; // what may be written
mod serve; // what a server is told
mod trust; // what a file of the app itself may say

pub use check::{Config, FailOn, IgnoreEntry, Kinds, ToolSettings, parse_duration};
pub use known::nearest;
pub use layers::{Origin, Origins};
pub use load::{Loaded, Loader};
pub use problem::{ConfigError, Problem};
pub use raw::{RawConfig, RawIgnore, RawToolSettings, Sandbox};
pub use serve::{
    BreakerSettings, PoolSettings, RawBreaker, RawPool, RawRetention, RawServe, RawServices,
    RawToken, Resume, RetentionSettings, Serve, ServiceUrls, TlsFiles, TokenEntry, TokenScope,
};

/// The defaults, as the documented file that a user would start from.
pub const DEFAULTS: &str = include_str!("default-config.toml");

/// Returns the JSON Schema of `assay.toml`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RawConfig).to_value()
}
