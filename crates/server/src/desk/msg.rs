//! What the desk is told. Data only.

use super::{Asked, Cancelled, Canceller, DeskStats, Refused, Seat, Unwanted};
use crate::log::Log;
use assay_model::TaskId;
use assay_rules::{
    admission::{Permit, WaiterId},
    ledger::{ClientId, RunEnd, RunId},
};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a run waits for before it begins.
pub(super) type Gate = oneshot::Receiver<Permit>;

/// The other side of a gate.
#[derive(Debug)]
pub(super) enum GateKeeper {
    /// It waits at the door.
    Waiting { waiter: WaiterId, gate: oneshot::Sender<Permit> },
    /// It has gone through.
    Through,
}

/// What the desk is told.
#[derive(Debug)]
pub(super) enum Msg {
    Submit { asked: Box<Asked>, answer: oneshot::Sender<Result<Seat, Refused>> },
    Lost { client: ClientId },
    Gone { client: ClientId },
    Cancel { unwanted: Unwanted, by: Canceller, answer: oneshot::Sender<Cancelled> },
    Find { task: TaskId, answer: oneshot::Sender<Option<Arc<Log>>> },
    Stats { answer: oneshot::Sender<(DeskStats, Vec<TaskSummary>)> },
    Ended { run: RunId, end: RunEnd, permit: Option<Permit> },
    Drain { answer: oneshot::Sender<()> },
    ShutDown,
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskSummary {
    pub(crate) task: TaskId,
    pub(crate) model: Option<String>,
    pub(crate) app: Option<u32>,
    pub(crate) is_running: bool,
    pub(crate) waiting_clients: usize,
}
