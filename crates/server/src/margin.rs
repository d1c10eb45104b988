//! One deadline, passed down: each hop keeps a margin for its own way back.

use std::time::Duration;

/// The least margin: what it takes to gather an answer and to send it.
const LEAST: Duration = Duration::from_millis(100);

/// The most: nobody needs longer than this to answer.
const MOST: Duration = Duration::from_secs(2);

/// Returns what a hop may give to the next one: what is left, less a twentieth, which is between
/// 100 ms and 2 s, but never more than half.
pub(crate) fn less_a_margin(left: Duration) -> Duration {
    let margin = (left / 20).clamp(LEAST, MOST).min(left / 2);
    left.saturating_sub(margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_a_twentieth_within_its_bounds() {
        let after = |ms| less_a_margin(Duration::from_millis(ms)).as_millis();
        assert_eq!((after(0), after(100), after(1_000)), (0, 50, 900));
        assert_eq!((after(3_000), after(20_000), after(300_000)), (2_850, 19_000, 298_000));
    }
}
