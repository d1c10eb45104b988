//! What things are. Data, and nothing that does things: whoever wants a socket, a clock or a
//! file in here is in the wrong room.

mod app; // whose code it is
mod batch; // the whole result of many apps, as written to `batch.json`
mod cancel; // why work must stop
mod declaration; // one tool, as a row of the catalogue or of `assay.toml` says it
mod event; // one thing that happened, and the view that folds them
mod finding; // one defect and where it is
mod ids; // names that cannot be mixed up
mod kinds; // what is looked for, how bad it is, in which language
mod limits; // what one run of a tool may take
mod mapping; // how the items of a report become findings
mod path; // a place inside the analysed app
mod report; // the whole result, as written to `report.json`
mod status; // how a tool ended, and what that is worth
mod steering; // files by which an app could steer a tool
mod text; // what somebody else has written
mod trace; // where in a trace something happens

pub use app::{AppRef, ModelSlug, ParseAppError};
pub use batch::{
    AlarmGroup, AppEnd, AppResult, AppTool, BATCH_VERSION, BatchApp, BatchGap, BatchReport,
    BatchTool, Sameness, SamenessAlarm,
};
pub use cancel::CancelReason;
pub use declaration::{
    CanaryDeclaration, CanaryFile, Cost, Format, Inputs, Install, Invocation, OptionFlag,
    OutputDeclaration, RuleNote, RunDeclaration, StagedContent, StagedFile, SuppressedBlock,
    SuppressionReach, ToolDeclaration, WorkingDirectory,
};
pub use event::{Event, EventKind, RunView, ToolPhase, ToolView};
pub use finding::{
    Confidence, Edit, Finding, Fix, Location, Observation, Region, Sighting, Snippet, Suppression,
    SuppressionKind,
};
pub use ids::{Digest, Fingerprint, ParseIdError, RuleId, TaskId, ToolId};
pub use kinds::{Kind, Language, Profile, Severity, UnknownWord};
pub use limits::ToolLimits;
pub use mapping::{ColumnUnit, Mapping};
pub use path::{SourcePath, SourcePathError, SourceText};
pub use report::{
    AnalysisOutcome, AppInfo, Counts, Environment, GitInfo, IgnoreUse, LanguageInfo,
    REPORT_VERSION, Report, SelectionInfo, SkipCause, Skipped, SourceInfo, Verdict,
};
pub use status::{Limit, ToolEnd, ToolRun, ToolStatus, Usage};
pub use steering::{SteeredBy, Treatment};
pub use text::is_unsafe;
pub use trace::{SpanId, TraceContext, TraceId};
