//! What is wrong, where, and how to mend it.

use std::fmt;

/// One thing that does not hold. A rule makes it; a person reads it and mends the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub path: String,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// The name of the rule; whoever runs the rules sets it.
    pub rule: &'static str,
    pub what: String,
    pub mend: String,
}

// === impl Fault ===

impl Fault {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>, mend: &str) -> Self {
        Self { path: path.to_owned(), line, rule: "", what: what.into(), mend: mend.to_owned() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, what, mend } = self;
        match line {
            0 => write!(f, "{path}: {rule}: {what}\n  mend: {mend}"),
            _ => write!(f, "{path}:{line}: {rule}: {what}\n  mend: {mend}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_as_place_rule_and_mend() {
        let fault = Fault { rule: "sizes", ..Fault::new("a.rs", 7, "too long", "split it") };
        assert_eq!(fault.to_string(), "a.rs:7: sizes: too long\n  mend: split it");
        let whole = Fault { line: 0, ..fault };
        assert_eq!(whole.to_string(), "a.rs: sizes: too long\n  mend: split it");
    }
}
