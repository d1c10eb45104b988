//! How long tools took on the machine they were recorded on: a start for estimates, no promise.

use serde::Deserialize;
use std::collections::BTreeMap;

/// One row of `durations.toml`, in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Row {
    fixed: f64,
    per_100k_lines: f64,
}

/// Returns, by tool, the fixed seconds and the seconds for 100,000 lines.
pub fn recorded_durations() -> BTreeMap<String, (f64, f64)> {
    let rows: BTreeMap<String, Row> =
        toml::from_str(include_str!("../durations.toml")).expect("a test reads `durations.toml`");
    rows.into_iter().map(|(tool, row)| (tool, (row.fixed, row.per_100k_lines))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_duration_is_one() {
        let recorded = recorded_durations();
        assert!(!recorded.is_empty());
        for (tool, (fixed, slope)) in recorded {
            assert!(
                fixed.is_finite() && fixed > 0.0 && slope.is_finite() && slope >= 0.0,
                "{tool}"
            );
        }
    }
}
