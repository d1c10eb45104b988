//! What ends the program before there is a result, and how to mend it.

use crate::exit::Exit;
use assay_config::ConfigError;
use assay_model::CancelReason;
use std::{error::Error, fmt};

/// A situation that leaves nothing to report on. Shown as `error:`, `caused by:`, `hint:`.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
    exit: Exit,
}

/// What a command comes to.
pub(crate) type Outcome = Result<Exit, Failure>;

// === impl Failure ===

impl Failure {
    /// Something that the user typed, wrote or has to set right.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, source: None, exit: Exit::Usage }
    }

    /// Somebody wanted the program to end.
    pub(crate) fn stopped(reason: Option<CancelReason>) -> Self {
        let exit = match reason {
            Some(CancelReason::ShuttingDown) => Exit::Terminated,
            Some(CancelReason::DeadlinePassed) => Exit::TimedOut,
            Some(CancelReason::Requested | CancelReason::NobodyWaits) | None => Exit::Interrupted,
        };
        Self {
            what: "stopped before there was a result".to_owned(),
            hint: None,
            source: None,
            exit,
        }
    }

    /// A bug of ours left something undone.
    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self { exit: Exit::Incomplete, ..Self::usage(what) }
    }

    /// Says it with its cause, in one line.
    pub(crate) fn in_full(&self) -> String {
        match &self.source {
            Some(source) => format!("{}: {source}", self.what),
            None => self.what.clone(),
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// A hint for when there is no better one.
    pub(crate) fn or_hint(mut self, hint: &str) -> Self {
        self.hint.get_or_insert_with(|| hint.to_owned());
        self
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error.problems.as_slice() {
            // A single hint gets its own line, as everywhere.
            [one] => {
                Self::usage(format!("{}: {}", one.place, one.what)).maybe_hint(one.hint.clone())
            }
            _ => Self::usage(error.to_string()),
        }
    }
}
