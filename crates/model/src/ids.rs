//! Names that cannot be mixed up: a `String` can be given to anything.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// Text that is not the id it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: {rule}")]
pub struct ParseIdError {
    pub what: &'static str,
    pub text: String,
    pub rule: &'static str,
}

/// A cheap, checked name: cloned by the thousand, never allocated again.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            pub fn new(text: &str) -> Result<Self, ParseIdError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(ParseIdError { what: $what, text: text.to_owned(), rule: $rule })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// The name of a tool: `ruff`, `npm-audit`. Also a folder and a file name, so it is kept tame.
    ToolId, "tool name", "lower-case letters, digits and `-`, at most 40",
    |text| {
        !text.is_empty()
            && text.len() <= 40
            && !text.starts_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
}

id! {
    /// The name that a tool gives to what it looks for: `F401`, `security/detect-eval-with-expression`.
    /// Comes from a tool's output, so only its length and control characters are checked.
    RuleId, "rule name", "1 to 200 characters, none of them a control character",
    |text| !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control)
}

id! {
    /// The name of one analysis; also the last part of a folder's name (`task_<id>`).
    TaskId, "task id", "letters, digits, `-` and `_`, at most 64",
    |text| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }
}

id! {
    /// The identity of a defect, without its path and line: 32 hex digits. Never the key of single
    /// flight, which is called `WorkKey`.
    Fingerprint, "fingerprint", "32 lower-case hex digits",
    |text| text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

id! {
    /// The BLAKE3 digest of some content: 64 hex digits.
    Digest, "digest", "64 lower-case hex digits",
    |text| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_name_can_never_leave_its_folder() {
        for bad in ["", "..", "a/b", "A", "-x", "a b"] {
            assert!(ToolId::new(bad).is_err(), "{bad}");
        }
        assert_eq!(ToolId::new("npm-audit").unwrap().as_str(), "npm-audit");
    }

    #[test]
    fn a_rule_name_cannot_carry_an_escape_sequence() {
        assert!(RuleId::new("\u{1b}[31mred").is_err());
    }

    #[test]
    fn ids_are_checked_when_read_from_json() {
        assert!(serde_json::from_str::<TaskId>("\"../../etc\"").is_err());
        assert!(serde_json::from_str::<TaskId>("\"20261123-1\"").is_ok());
    }
}
