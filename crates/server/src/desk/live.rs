//! Runs that have not ended, and those that have lately.

use super::{
    Asked, Run, WorkKey,
    msg::{GateKeeper, TaskSummary},
    telling,
};
use crate::log::Log;
use assay_model::{CancelReason, TaskId};
use assay_rules::ledger::{ClientId, Follow, Released, RunId, Ticket};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

/// How much of what has ended stays in memory, for who asks again by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) runs: usize,
    pub(crate) bytes: usize,
}

/// One run that has not ended.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) run: Arc<Run>,
    pub(super) cancel: watch::Sender<Option<CancelReason>>,
    pub(super) deadline: watch::Sender<Instant>,
    /// `None` while it waits for the run before it.
    pub(super) gate: Option<GateKeeper>,
    pub(super) seats: HashMap<Ticket, (ClientId, oneshot::Sender<Released>)>,
}

/// Runs by their number and by their name.
#[derive(Debug)]
pub(super) struct Runs {
    live: HashMap<RunId, Live>,
    by_task: HashMap<TaskId, RunId>,
    ended: VecDeque<(TaskId, Arc<Log>, usize)>,
    ended_bytes: usize,
    kept: Kept,
}

// === impl Runs ===

impl Runs {
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            live: HashMap::new(),
            by_task: HashMap::new(),
            ended: VecDeque::new(),
            ended_bytes: 0,
            kept,
        }
    }

    pub(super) fn add(&mut self, live: Live) {
        self.by_task.insert(live.run.task.clone(), live.run.id);
        self.live.insert(live.run.id, live);
    }

    pub(super) fn get_mut(&mut self, run: RunId) -> Option<&mut Live> {
        self.live.get_mut(&run)
    }

    pub(super) fn of_task(&mut self, task: &TaskId) -> Option<&mut Live> {
        let run = self.by_task.get(task)?;
        self.live.get_mut(run)
    }

    /// The key of the work that is asked for. A task under way is joined by its name, also where its
    /// name is none that a client chose: who lost a connection has no other.
    pub(super) fn key_for(&self, asked: &Asked) -> WorkKey {
        let live = self.by_task.get(&asked.task).and_then(|run| self.live.get(run));
        let live = live.filter(|live| live.run.request.is_of_same_app(&asked.request));
        live.map_or(asked.key, |live| live.run.key)
    }

    /// What there is, by name.
    pub(super) fn summaries(&self) -> Vec<TaskSummary> {
        let one = |live: &Live| TaskSummary {
            task: live.run.task.clone(),
            model: live.run.request.model.clone(),
            app: live.run.request.app_number,
            is_running: live.is_running(),
            waiting_clients: live.seats.len(),
        };
        let mut all: Vec<TaskSummary> = self.live.values().map(one).collect();
        all.sort_by(|a, b| a.task.cmp(&b.task));
        all
    }

    /// The seats that a client holds.
    pub(super) fn tickets_of(&self, client: ClientId) -> Vec<Ticket> {
        self.live.values().flat_map(|live| live.tickets_of(client)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// Takes out a run that has ended. Its log stays for a while, if it was accepted: one that was
    /// refused must not stand for an earlier one of its name.
    pub(super) fn end(&mut self, run: RunId) -> Option<Live> {
        let live = self.forget(run)?;
        if !live.run.log.is_open() {
            return Some(live);
        }
        let bytes = live.run.log.ended().map_or(0, |end| end.body.as_str().len());
        self.ended.push_back((live.run.task.clone(), Arc::clone(&live.run.log), bytes));
        self.ended_bytes += bytes;
        while self.ended.len() > self.kept.runs || self.ended_bytes > self.kept.bytes {
            let Some((_, _, bytes)) = self.ended.pop_front() else { break };
            self.ended_bytes -= bytes;
        }
        Some(live)
    }

    /// Takes out a run that shall not be found any more.
    pub(super) fn forget(&mut self, run: RunId) -> Option<Live> {
        let live = self.live.remove(&run)?;
        // A later run may bear the same name.
        if self.by_task.get(&live.run.task) == Some(&run) {
            self.by_task.remove(&live.run.task);
        }
        Some(live)
    }

    /// Finds the log of a run that has ended lately, the newest of this name.
    pub(super) fn ended(&self, task: &TaskId) -> Option<Arc<Log>> {
        let found = self.ended.iter().rev().find(|(name, ..)| name == task);
        found.map(|(_, log, _)| Arc::clone(log))
    }

    /// Finds a log by the number of its run: a replay names one that has ended.
    pub(super) fn log_of(&self, task: &TaskId) -> Option<Arc<Log>> {
        let live = self.by_task.get(task).and_then(|run| self.live.get(run));
        live.map(|live| Arc::clone(&live.run.log)).or_else(|| self.ended(task))
    }
}

// === impl Live ===

impl Live {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.gate, Some(GateKeeper::Through))
    }

    /// The seats that a client holds, in the order in which it took them.
    pub(super) fn tickets_of(&self, client: ClientId) -> Vec<Ticket> {
        let own = self.seats.iter().filter(|(_, (holder, _))| *holder == client);
        let mut own: Vec<Ticket> = own.map(|(ticket, _)| *ticket).collect();
        own.sort_unstable();
        own
    }
}

/// Makes a run of what was asked, for the desk of this name.
pub(super) fn new_run(asked: &Asked, id: RunId, desk: &str) -> Live {
    let (cancel, cancelled) = watch::channel(None);
    let (deadline, due) = watch::channel(asked.deadline);
    let run = Run {
        id,
        task: asked.task.clone(),
        request: Arc::clone(&asked.request),
        key: asked.key,
        who: Arc::clone(&asked.who),
        payer: asked.payer,
        priority: asked.priority,
        bytes: asked.bytes,
        before: asked.before,
        batch: asked.batch.clone(),
        is_detached: asked.follow == Follow::Detach,
        log: Arc::default(),
        span: telling::span_of(asked, desk),
        cancel: cancelled,
        deadline: due,
    };
    Live { run: Arc::new(run), cancel, deadline, gate: None, seats: HashMap::new() }
}
