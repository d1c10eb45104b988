//! Why there is no report, and how that is answered.

use super::discretion::Discretion;
use crate::{exit::Exit, failure::Failure, target::Whose};
use assay_model::CancelReason;
use assay_server::Answer;
use assay_wire::{AnalysisStatus, ErrorCode, Payload};
use serde_json::{Map, Value, json};

/// A situation in which nothing can be reported.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such app.
    Missing,
    /// It lies outside of the source roots.
    NotAllowed,
    /// It was stopped before a tool could run.
    Stopped(CancelReason),
    /// The request cannot be meant so, or the machine does not let us.
    Failed(Failure),
}

// === impl Refusal ===

impl Refusal {
    /// What stands outside the roots is told alike, whether it is there or not.
    pub(super) const NOT_ALLOWED: &'static str = "the source lies outside of the source roots";

    pub(super) const NOT_ALLOWED_MEND: &'static str =
        "ask for an app inside of a source root, or add its folder to `source-roots`";

    pub(super) fn answer(&self, whose: &Whose, hidden: &Discretion) -> Answer {
        let (status, error, more) = match self {
            // Exactly what the first system said.
            Self::Missing => {
                let analysis = json!({ "status": "error", "error": whose.not_found() });
                return Answer { status: AnalysisStatus::Error, analysis: written(&analysis) };
            }
            Self::NotAllowed => {
                let code = Some(ErrorCode::PathNotAllowed);
                let more = (code, Some(Self::NOT_ALLOWED_MEND.to_owned()));
                (AnalysisStatus::Error, Self::NOT_ALLOWED.to_owned(), more)
            }
            Self::Stopped(reason) => {
                let error = "it was stopped before its first tool could run".to_owned();
                (of_reason(*reason), error, (None, None))
            }
            Self::Failed(failure) => {
                let hint = failure.advice().map(|hint| hidden.of_text(hint));
                let code = (failure.exit() == Exit::Incomplete).then_some(ErrorCode::Internal);
                let error = hidden.of_text(&failure.in_full());
                (of_exit(failure.exit()), error, (code, hint))
            }
        };
        let (code, suggestion): (Option<ErrorCode>, Option<String>) = more;
        let mut analysis = Map::from_iter([
            ("model_slug".to_owned(), Value::from(whose.given.as_str())),
            ("app_number".to_owned(), whose.number.into()),
            ("status".to_owned(), status.as_str().into()),
            ("error".to_owned(), error.into()),
            ("tools_used".to_owned(), json!([])),
            ("tool_results".to_owned(), json!({})),
            ("results".to_owned(), json!({})),
        ]);
        analysis.extend(code.map(|code| ("code".to_owned(), code.as_str().into())));
        analysis.extend(suggestion.map(|hint| ("suggestion".to_owned(), hint.into())));
        Answer { status, analysis: written(&Value::Object(analysis)) }
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

fn written(value: &Value) -> Payload {
    Payload::of(value).expect("the keys of a JSON value are strings")
}

impl<F: Into<Failure>> From<F> for Refusal {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}
