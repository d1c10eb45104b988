//! Why work must stop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a run must stop, mildest first. The order is used: a reason only gets graver.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CancelReason {
    /// The last one who wanted the result has left.
    NobodyWaits,
    /// Somebody asked: Ctrl-C, or a cancel request.
    Requested,
    /// The analysis' own deadline (`--timeout`) has passed.
    DeadlinePassed,
    /// The process was told to terminate.
    ShuttingDown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutting_down_is_graver_than_a_request() {
        assert!(CancelReason::Requested < CancelReason::ShuttingDown);
    }
}
