//! Why there is no report, and how that is answered.

use super::discretion::Discretion;
use crate::{exit::Exit, failure::Failure, target::Whose};
use assay_model::CancelReason;
use assay_server::Answer;
use assay_wire::{AnalysisStatus, ErrorCode, Fault, Payload};
use serde_json::json;

/// A situation in which nothing can be reported.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such app.
    Missing,
    /// It lies outside of the source roots.
    NotAllowed,
    /// It was stopped before a tool could run.
    Stopped(CancelReason),
    /// The request cannot be meant so.
    NotMeant(Failure),
    /// The machine does not let us, or we do not.
    Failed(Failure),
}

// === impl Refusal ===

impl Refusal {
    /// What stands outside the roots is told alike, whether it is there or not.
    pub(super) const NOT_ALLOWED: &'static str = "the source lies outside of the source roots";

    pub(super) const NOT_ALLOWED_MEND: &'static str =
        "ask for an app inside of a source root, or add its folder to `source-roots`";

    pub(super) fn answer(&self, whose: &Whose, hidden: &Discretion) -> Answer {
        let (status, fault) = match self {
            // Exactly what the first system said.
            Self::Missing => {
                let analysis = json!({ "status": "error", "error": whose.not_found() });
                let analysis = Payload::of(&analysis).expect("the keys are literals");
                return Answer { status: AnalysisStatus::Error, analysis };
            }
            Self::NotAllowed => (
                AnalysisStatus::Error,
                Fault::new(ErrorCode::PathNotAllowed, Self::NOT_ALLOWED)
                    .suggest(Self::NOT_ALLOWED_MEND),
            ),
            Self::Stopped(reason) => {
                let words = "it was stopped before its first tool could run";
                (of_reason(*reason), Fault::new(code_of(of_reason(*reason)), words))
            }
            Self::NotMeant(failure) => {
                (AnalysisStatus::Error, said(failure, ErrorCode::InvalidMessage, hidden))
            }
            Self::Failed(failure) => {
                let status = of_exit(failure.exit());
                (status, said(failure, code_of(status), hidden))
            }
        };
        Answer::refused((Some(&whose.given), Some(whose.number)), status, &fault)
    }
}

fn said(failure: &Failure, code: ErrorCode, hidden: &Discretion) -> Fault {
    let fault = Fault::new(code, hidden.of_text(&failure.in_full()));
    Fault { suggestion: failure.advice().map(|hint| hidden.of_text(hint)), ..fault }
}

fn code_of(status: AnalysisStatus) -> ErrorCode {
    match status {
        AnalysisStatus::Timeout => ErrorCode::Timeout,
        AnalysisStatus::Cancelled => ErrorCode::Cancelled,
        AnalysisStatus::Success | AnalysisStatus::Partial | AnalysisStatus::Error => {
            ErrorCode::Internal
        }
    }
}

fn of_reason(reason: CancelReason) -> AnalysisStatus {
    match reason {
        CancelReason::DeadlinePassed => AnalysisStatus::Timeout,
        CancelReason::NobodyWaits | CancelReason::Requested | CancelReason::ShuttingDown => {
            AnalysisStatus::Cancelled
        }
    }
}

fn of_exit(exit: Exit) -> AnalysisStatus {
    match exit {
        Exit::TimedOut => AnalysisStatus::Timeout,
        Exit::Interrupted | Exit::Terminated => AnalysisStatus::Cancelled,
        Exit::Done | Exit::Findings | Exit::Incomplete | Exit::Usage => AnalysisStatus::Error,
    }
}

impl<F: Into<Failure>> From<F> for Refusal {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}
