//! What the book remembers of a task: what was asked, what it is, how it ended.

use assay_model::TaskId;
use bytes::Bytes;
use jiff::Timestamp;

/// A request that was taken, before anybody hears so. Times are kept to the microsecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    pub id: TaskId,
    /// Who asked: the name of a token, else an address.
    pub client: String,
    /// The digest of the work key: equal work has equal keys.
    pub key: String,
    pub model: String,
    pub app: u32,
    /// The analysis type, as it was asked for.
    pub kind: String,
    pub service: String,
    /// The request as it came, JSON.
    pub request: String,
    /// 1 to 3, 3 the most urgent.
    pub priority: u8,
    pub deadline_at: Timestamp,
    /// Whether the work goes on when its client leaves.
    pub detach: bool,
    pub batch: Option<String>,
    pub accepted_at: Timestamp,
    pub traceparent: Option<String>,
}

/// What a task is just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkState {
    Queued,
    Running,
    Ended(EndState),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndState {
    /// There is an answer; its status says of what worth.
    Finished,
    Failed,
    Cancelled,
    TimedOut,
    /// A crash or a bug of ours took it.
    Lost,
}

/// The end of a task. There is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEnd {
    pub at: Timestamp,
    pub state: EndState,
    /// The status on the wire: `success`, `partial`, `error`, …
    pub status: String,
    /// The error's code on the wire.
    pub code: Option<String>,
    pub message: Option<String>,
    /// The whole answer, of any size.
    pub result: Option<Bytes>,
}

/// A task as the book has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRecord {
    pub task: NewTask,
    pub state: WorkState,
    /// How often it was started; 0 while it never was.
    pub attempt: u32,
    /// When the last attempt began.
    pub started_at: Option<Timestamp>,
    /// Present when, and only when, the state is an ended one.
    pub end: Option<EndRecord>,
}

/// The end of a task without its result, which may be large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndRecord {
    pub at: Timestamp,
    pub status: String,
    pub code: Option<String>,
    pub message: Option<String>,
    /// How long the result is. Absent when there is none.
    pub result_bytes: Option<u64>,
}

/// A task whose end is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTask {
    pub task: NewTask,
    /// Whether an attempt had begun.
    pub running: bool,
    pub attempt: u32,
    /// The number that the next event of it has to carry.
    pub next_seq: u32,
}

/// One event of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    pub seq: u32,
    pub json: String,
}

/// Which tasks are asked for: those that fit all that is given, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    pub state: Option<StateFilter>,
    pub model: Option<String>,
    pub app: Option<u32>,
    pub client: Option<String>,
    pub batch: Option<String>,
    /// Only tasks accepted before this one: the last of the page before. None if it is unknown.
    pub before: Option<TaskId>,
    /// At most so many; 0 means [`TASKS_PER_PAGE`].
    pub limit: u32,
}

/// How many tasks a query gives that says no number.
pub const TASKS_PER_PAGE: u32 = 100;

/// States that are asked for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// The end is to come.
    Open,
    Ended,
    Only(WorkState),
}

// === impl WorkState ===

impl WorkState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ended(end) => end.as_str(),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Queued, Self::Running];
        let ended = EndState::ALL.map(Self::Ended);
        all.into_iter().chain(ended).find(|state| state.as_str() == text)
    }
}

// === impl EndState ===

impl EndState {
    pub const ALL: [Self; 5] =
        [Self::Finished, Self::Failed, Self::Cancelled, Self::TimedOut, Self::Lost];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }
}
