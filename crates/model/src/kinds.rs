//! What is looked for, how bad it is, and in which language.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A closed list of words: one enum, its spelling on the wire, in files and on the command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word as it is written everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or_else(|| {
                    UnknownWord {
                        what: $what,
                        word: word.to_owned(),
                        known: Self::ALL.iter().map(|known| known.as_str()).collect(),
                    }
                })
            }
        }
    };
}

/// A word that is not in one of our closed lists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no {what}; known: {}", known.join(", "))]
pub struct UnknownWord {
    pub what: &'static str,
    pub word: String,
    pub known: Vec<&'static str>,
}

words! {
    /// How bad a finding is, mildest first: the order is used.
    Severity, "severity" {
        Info = "info",
        Low = "low",
        Medium = "medium",
        High = "high",
        Critical = "critical",
    }
}

words! {
    /// The class of concern that a finding belongs to.
    Kind, "kind" {
        /// A weakness that an attacker could use.
        Security = "security",
        /// A credential in the source.
        Secret = "secret",
        /// A known vulnerability or fault of a dependency.
        Dependency = "dependency",
        /// Code that does not do what it says.
        Correctness = "correctness",
        /// A type error.
        Types = "types",
        /// Code that is hard to follow by measure.
        Complexity = "complexity",
        /// Code that nothing uses.
        DeadCode = "dead-code",
        /// The same code twice.
        Duplication = "duplication",
        /// A barrier for people who use assistive technology.
        Accessibility = "accessibility",
        /// Form, naming and layout.
        Style = "style",
        /// A misspelt word.
        Spelling = "spelling",
    }
}

words! {
    /// A language or file format that Assay knows by name.
    Language, "language" {
        Python = "python",
        JavaScript = "javascript",
        TypeScript = "typescript",
        Html = "html",
        Css = "css",
        Shell = "shell",
        Sql = "sql",
        Dockerfile = "dockerfile",
        Yaml = "yaml",
        Json = "json",
        Toml = "toml",
        Markdown = "markdown",
        Terraform = "terraform",
        GithubWorkflow = "github-workflow",
        Java = "java",
        Kotlin = "kotlin",
        Go = "go",
        Rust = "rust",
        C = "c",
        Cpp = "cpp",
        CSharp = "csharp",
        Php = "php",
        Ruby = "ruby",
        Swift = "swift",
        Scala = "scala",
        Lua = "lua",
        Vue = "vue",
        Svelte = "svelte",
        Xml = "xml",
        /// Text of no known language.
        Text = "text",
        /// Anything with NUL bytes in it.
        Binary = "binary",
    }
}

words! {
    /// How much is run. Each profile holds the ones before it.
    Profile, "profile" {
        Quick = "quick",
        Standard = "standard",
        Thorough = "thorough",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_spelt_alike_in_text_and_in_json() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.as_str().parse::<Kind>().unwrap(), *kind);
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let error = "hihg".parse::<Severity>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`hihg` is no severity; known: info, low, medium, high, critical"
        );
    }

    #[test]
    fn critical_is_the_worst() {
        assert_eq!(Severity::ALL.iter().max(), Some(&Severity::Critical));
    }
}
