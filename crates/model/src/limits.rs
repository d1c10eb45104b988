//! What one run of a tool may take, as a row or a user says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// Limits of one tool. What is absent has its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ToolLimits {
    /// Memory of all its processes together, in MiB. Default: 4096.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<NonZeroU32>,
    /// Processes and threads at the same time. Default: 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<NonZeroU32>,
    /// Processor time of all its processes together, in seconds. Default: 7200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<NonZeroU32>,
    /// The largest file that it may write, in MiB. Default: 4096.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_mib: Option<NonZeroU32>,
    /// All that lies in its private folders, in MiB. Default: 8192.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_mib: Option<NonZeroU32>,
    /// Its standard output, in MiB. Default: 512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_mib: Option<NonZeroU32>,
}

// === impl ToolLimits ===

impl ToolLimits {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Takes from `below` what is not said here.
    pub fn over(self, below: Self) -> Self {
        Self {
            memory_mib: self.memory_mib.or(below.memory_mib),
            processes: self.processes.or(below.processes),
            cpu_s: self.cpu_s.or(below.cpu_s),
            file_mib: self.file_mib.or(below.file_mib),
            disk_mib: self.disk_mib.or(below.disk_mib),
            output_mib: self.output_mib.or(below.output_mib),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_says_lies_over_what_the_row_says() {
        let some = |number| NonZeroU32::new(number);
        let row = ToolLimits { memory_mib: some(1), cpu_s: some(2), ..ToolLimits::default() };
        let user = ToolLimits { memory_mib: some(9), ..ToolLimits::default() };
        let both = user.over(row);
        assert_eq!((both.memory_mib, both.cpu_s, both.processes), (some(9), some(2), None));
    }

    #[test]
    fn zero_is_no_limit_that_anybody_means() {
        assert!(serde_json::from_str::<ToolLimits>(r#"{"memory-mib": 0}"#).is_err());
    }
}
