//! How long a tool is expected to take, and how much memory.
//!
//! A straight line for each tool: a fixed part (starting the interpreter, loading rules) and a part
//! that grows with the lines of code. Both are learned from the runs on this machine, the recent
//! ones counting more, starting from what was measured on ours. Memory is learnt as the peak: up at
//! once, since too little kills, and down slowly.

use std::{collections::BTreeMap, time::Duration};

/// How much a new run moves the estimate: after seven runs the start is mostly forgotten.
const LEARNING_RATE: f64 = 0.3;

/// Below this many lines a run says more about the fixed part than about the slope.
const FEW_LINES: u64 = 5_000;

/// What a tool of which nothing is known is expected to take.
const UNKNOWN: Estimate = Estimate { fixed_s: 3.0, per_100k_lines_s: 10.0, peak_mib: None };

/// What is known of one tool: its line, in seconds, and its peak of memory once it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub fixed_s: f64,
    pub per_100k_lines_s: f64,
    pub peak_mib: Option<u64>,
}

/// What is known of all tools, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Durations {
    known: BTreeMap<String, Estimate>,
}

// === impl Durations ===

impl Durations {
    /// Starts from recorded estimates. Numbers that cannot be durations are left out.
    pub fn new(recorded: impl IntoIterator<Item = (String, Estimate)>) -> Self {
        let sane = |part: f64| part.is_finite() && (0.0..=86_400.0).contains(&part);
        let known = recorded
            .into_iter()
            .filter(|(_, line)| sane(line.fixed_s) && sane(line.per_100k_lines_s))
            .collect();
        Self { known }
    }

    /// Returns what `tool` is expected to take on so many lines.
    pub fn expected(&self, tool: &str, lines: u64) -> Duration {
        let line = self.known.get(tool).copied().unwrap_or(UNKNOWN);
        let seconds = line.fixed_s + line.per_100k_lines_s * hundred_thousands(lines);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Takes in how long a run really took.
    pub fn learn(&mut self, tool: &str, lines: u64, wall: Duration) {
        let line = self.known.entry(tool.to_owned()).or_insert(UNKNOWN);
        let seconds = wall.as_secs_f64();
        if lines < FEW_LINES {
            line.fixed_s += LEARNING_RATE * (seconds - line.fixed_s);
        } else {
            let slope = (seconds - line.fixed_s).max(0.0) / hundred_thousands(lines);
            line.per_100k_lines_s += LEARNING_RATE * (slope - line.per_100k_lines_s);
        }
    }

    /// Returns how much memory `tool` is expected to need at its peak, if it was ever seen.
    pub fn expected_mib(&self, tool: &str) -> Option<u64> {
        self.known.get(tool)?.peak_mib
    }

    /// Takes in how much memory a run needed at its peak. 0 was not measured.
    pub fn learn_memory(&mut self, tool: &str, peak_mib: u64) {
        if peak_mib == 0 {
            return;
        }
        let line = self.known.entry(tool.to_owned()).or_insert(UNKNOWN);
        let known = line.peak_mib.unwrap_or(0);
        // Three tenths of the way down, as the durations are learnt.
        let lower = known - known.saturating_sub(peak_mib) * 3 / 10;
        line.peak_mib = Some(peak_mib.max(lower));
    }

    /// Lists all estimates, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Estimate)> {
        self.known.iter().map(|(tool, line)| (tool.as_str(), *line))
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 lines of code")]
fn hundred_thousands(lines: u64) -> f64 {
    lines as f64 / 100_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_comes_near_what_is_measured_again_and_again() {
        let mut durations = Durations::default();
        for _ in 0..20 {
            durations.learn("x", 1_000, Duration::from_secs(2));
            durations.learn("x", 200_000, Duration::from_secs(12));
        }
        let near = |lines, seconds: f64| {
            let expected = durations.expected("x", lines).as_secs_f64();
            assert!((expected - seconds).abs() < 0.5, "{expected} is not near {seconds}");
        };
        near(0, 2.0);
        near(200_000, 12.0);
    }

    #[test]
    fn a_run_moves_one_part_of_the_line_by_three_tenths() {
        let after = |lines, seconds| {
            let mut durations = Durations::default();
            durations.learn("x", lines, Duration::from_secs(seconds));
            let (tool, line) = durations.iter().next().unwrap();
            assert_eq!(tool, "x");
            (line.fixed_s, line.per_100k_lines_s)
        };
        // Of a tool of which nothing is known: 3 s, and 10 s more for each 100,000 lines.
        assert_eq!(after(FEW_LINES - 1, 13), (6.0, 10.0));
        assert_eq!(after(FEW_LINES, 4), (3.0, 13.0));
        assert_eq!(after(FEW_LINES, 1), (3.0, 7.0));
    }

    #[test]
    fn what_was_recorded_is_listed_by_name() {
        let line = |peak_mib| Estimate { fixed_s: 1.0, per_100k_lines_s: 2.0, peak_mib };
        let recorded = [("b", line(None)), ("a", line(Some(7)))];
        let durations = Durations::new(recorded.map(|(tool, line)| (tool.to_owned(), line)));
        let listed: Vec<_> = durations.iter().collect();
        assert_eq!(listed, [recorded[1], recorded[0]]);
    }

    #[test]
    fn memory_is_learnt_up_at_once_and_down_slowly() {
        let mut durations = Durations::default();
        assert_eq!(durations.expected_mib("x"), None);
        let mut after = |mib| {
            durations.learn_memory("x", mib);
            durations.expected_mib("x")
        };
        assert_eq!(after(0), None, "0 was not measured");
        assert_eq!(after(500), Some(500));
        assert_eq!(after(1_000), Some(1_000));
        assert_eq!([after(500), after(500), after(0)], [Some(850), Some(745), Some(745)]);
    }

    #[test]
    fn numbers_that_are_no_durations_are_forgotten() {
        let bad = [f64::NAN, f64::INFINITY, -1.0, 1e300];
        let recorded = bad
            .map(|n| (n.to_string(), Estimate { fixed_s: n, per_100k_lines_s: n, peak_mib: None }));
        assert_eq!(Durations::new(recorded), Durations::default());
    }
}
