//! Diagnostics for people and machines, on standard error. Levels: debug tells commands, info
//! starts and ends, warn what is degraded, error what somebody must act on.

use crate::cli::{Global, LogFormat};
use assay_term::Style;
use std::io;
use tracing_subscriber::{EnvFilter, fmt};

/// Begins to log. `ASSAY_LOG` (or `LOG_LEVEL`) beats `--verbose`.
pub(crate) fn begin(global: &Global, style: Style) {
    let by_flag = match global.verbose {
        0 => "off",
        1 => "assay=info",
        _ => "assay=debug,assay_exec=debug,assay_provision=debug",
    };
    let filter = ["ASSAY_LOG", "LOG_LEVEL"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|level| !level.is_empty()))
        .and_then(|level| EnvFilter::try_new(level.to_lowercase()).ok())
        .unwrap_or_else(|| EnvFilter::new(by_flag));
    let begun = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(style.color);
    let result = match global.log_format {
        LogFormat::Text => begun.with_target(false).try_init(),
        LogFormat::Json => begun.json().flatten_event(true).try_init(),
    };
    // Only a second call could fail, and `main` makes one.
    result.ok();
}
