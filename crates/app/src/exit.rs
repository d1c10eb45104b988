//! How the program ends. The one home of its exit codes.

use assay_config::Config;
use assay_model::{AnalysisOutcome, Counts};

/// Every way in which the program ends, the gravest last: of many apps the gravest counts.
/// docs/exit-codes.md is compared with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, and below the threshold.
    Done,
    /// Findings at or above `--fail-on`.
    Findings,
    /// A required tool did not do its work, or there was nothing to analyse.
    Incomplete,
    TimedOut,
    Interrupted,
    Terminated,
    /// Wrong words on the command line or in a configuration file, or something that cannot be.
    Usage,
}

// === impl Exit ===

impl Exit {
    const ALL: [Self; 7] = [
        Self::Done,
        Self::Findings,
        Self::Usage,
        Self::Incomplete,
        Self::TimedOut,
        Self::Interrupted,
        Self::Terminated,
    ];

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    #[cfg(test)]
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done and below the threshold",
            Self::Findings => "findings at or above `--fail-on`",
            Self::Usage => "usage or configuration",
            Self::Incomplete => {
                "incomplete: a required tool did not do its work, or there was nothing to analyse \
                 (not with `--allow-incomplete`)"
            }
            Self::TimedOut => "timed out: `--timeout` passed; the reports hold what was there",
            Self::Interrupted => "interrupted (Ctrl-C)",
            Self::Terminated => "terminated (SIGTERM)",
        }
    }

    /// Returns the end with that code; a code that is none of ours counts as wrong usage.
    pub(crate) fn of_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Usage)
    }

    /// Judges an analysis. Precedence as in the fixed answers: 130/143, 124, 3, 1, 0.
    pub(crate) fn of(outcome: AnalysisOutcome, counts: &Counts, config: &Config) -> Self {
        let ended = match outcome {
            AnalysisOutcome::Interrupted => return Self::Interrupted,
            AnalysisOutcome::Terminated => return Self::Terminated,
            AnalysisOutcome::TimedOut => return Self::TimedOut,
            AnalysisOutcome::Incomplete
            | AnalysisOutcome::NothingToAnalyse
            | AnalysisOutcome::Lost
                if !config.allow_incomplete =>
            {
                Self::Incomplete
            }
            _ if at_or_above(counts, config) > 0 => Self::Findings,
            _ => Self::Done,
        };
        if config.exit_zero { Self::Done } else { ended }
    }
}

/// Counts the findings that `--fail-on` is about.
pub(crate) fn at_or_above(counts: &Counts, config: &Config) -> u64 {
    match config.fail_on {
        assay_config::FailOn::Never => 0,
        assay_config::FailOn::At(severity) => counts.at_least(severity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use assay_config::Loader;
    use assay_model::Severity;
    use clap::CommandFactory as _;
    use std::fmt::Write as _;

    fn config(flags: &[(&str, serde_json::Value)]) -> Config {
        let flags =
            flags.iter().map(|(key, value)| ((*key).to_owned(), value.clone(), "test".to_owned()));
        Loader { flags: flags.collect(), ..Loader::default() }.check().unwrap().config
    }

    #[track_caller]
    fn check(outcome: AnalysisOutcome, flags: &[(&str, serde_json::Value)], expected: Exit) {
        let counts =
            Counts { total: 1, by_severity: [(Severity::High, 1)].into(), ..Counts::default() };
        assert_eq!(Exit::of(outcome, &counts, &config(flags)), expected, "{outcome} {flags:?}");
    }

    #[test]
    fn a_code_follows_the_fixed_precedence() {
        use AnalysisOutcome::*;
        let fail = ("fail-on", "high".into());
        let zero = ("exit-zero", true.into());
        let allow = ("allow-incomplete", true.into());
        check(Complete, &[], Exit::Done);
        check(Complete, std::slice::from_ref(&fail), Exit::Findings);
        check(Complete, &[("fail-on", "critical".into())], Exit::Done);
        check(Complete, &[fail.clone(), zero.clone()], Exit::Done);
        check(Incomplete, std::slice::from_ref(&fail), Exit::Incomplete);
        check(Incomplete, &[fail.clone(), allow.clone()], Exit::Findings);
        check(Incomplete, &[allow], Exit::Done);
        check(Incomplete, std::slice::from_ref(&zero), Exit::Done);
        check(NothingToAnalyse, &[], Exit::Incomplete);
        check(TimedOut, &[fail, zero], Exit::TimedOut);
        check(Interrupted, &[], Exit::Interrupted);
        check(Terminated, &[], Exit::Terminated);
    }

    #[test]
    fn of_many_apps_the_gravest_counts() {
        let codes = |exits: &[Exit]| exits.iter().max().map(|exit| exit.code());
        let mut order = [0, 1, 3, 124, 130, 143, 2].map(Exit::of_code);
        assert!(order.is_sorted());
        assert_eq!(codes(&order), Some(2));
        order[6] = Exit::Done;
        assert_eq!(codes(&order), Some(143));
        assert_eq!(codes(&order[..4]), Some(124));
    }

    #[test]
    fn the_page_of_exit_codes_says_what_the_code_does() {
        let mut page = String::from(
            "# Exit codes\n\nWhere two apply, the one further up in this list wins: \
             2, 130 and 143, 124, 3, 1, 0. `--exit-zero` turns 1 and 3 into 0. \
             A batch ends with the first in that order among its apps.\n\n\
             | code | meaning |\n|---|---|\n",
        );
        for exit in Exit::ALL {
            writeln!(page, "| {} | {} |", exit.code(), exit.meaning()).unwrap();
        }
        page += "\n## Commands of servers\n\nAs each one's `--help` says it. Of those that ask a server, 2 \
                 also means that it was refused: no token, or one that may not do this.\n\n\
                 | command | codes |\n|---|---|\n";
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
            // What finds defects is told above.
            if let Some((_, codes)) = help.split_once("Exit codes: ")
                && !codes.contains("--fail-on")
            {
                let codes = codes.trim_end_matches('.');
                writeln!(page, "| `assay {}` | {codes} |", command.get_name()).unwrap();
            }
        }
        let written = include_str!("../../../docs/exit-codes.md");
        assert_eq!(written, page, "write the right side into docs/exit-codes.md");
    }
}
