//! The task that owns it all: messages in, orders performed.

use super::{
    Asked, Cancelled, Canceller, DeskStats, DeskTerms, FAR, Refused, Seat, Unwanted, Work, WorkKey,
    carry::{carry, end_of, unstarted},
    live::{Runs, new_run},
    msg::{GateKeeper, Msg},
    telling,
};
use assay_model::CancelReason;
use assay_rules::{
    Instant as Moment,
    admission::{Admission, Draining, Permit, Shut, Verdict, WaiterId, Wish},
    ledger::{Ask, ClientId, Ledger, Msg as LedgerMsg, Order, Refusal, RunEnd, RunId, Ticket},
};
use std::{collections::HashMap, sync::Arc};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tracing::Instrument as _;

/// The desk itself.
pub(super) struct Office<W> {
    name: &'static str,
    work: Arc<W>,
    ledger: Ledger<WorkKey>,
    door: Admission,
    capacity: u32,
    runs: Runs,
    /// Runs that wait at the door, and since when.
    waiters: HashMap<WaiterId, (RunId, Instant)>,
    /// Owned, so that none outlives the desk.
    carriers: JoinSet<()>,
    inbox: mpsc::WeakSender<Msg>,
    drained: Vec<oneshot::Sender<()>>,
    counts: DeskStats,
    started: Instant,
}

/// A submission on its way through the ledger.
struct Submission {
    asked: Asked,
    seat: Option<Result<Seat, Refused>>,
}

// === impl Office ===

impl<W: Work> Office<W> {
    pub(super) fn new(terms: DeskTerms, work: Arc<W>, inbox: mpsc::WeakSender<Msg>) -> Self {
        Self {
            name: terms.name,
            work,
            ledger: Ledger::new(terms.ledger),
            door: Admission::new(terms.door),
            capacity: terms.door.permits,
            runs: Runs::new(terms.kept),
            waiters: HashMap::new(),
            carriers: JoinSet::new(),
            inbox,
            drained: Vec::new(),
            counts: DeskStats::default(),
            started: Instant::now(),
        }
    }

    /// Runs until every way to the desk is gone and the last run has ended.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Msg>) {
        loop {
            let due = self.ledger.next_due().map(|due| self.instant(due));
            let msg = tokio::select! {
                biased;
                msg = messages.recv() => msg,
                // A tick is due.
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.tell_ledger(LedgerMsg::Tick, None);
                    continue;
                }
                // Carriers that have ended are reaped; a panic of theirs is theirs alone.
                Some(_) = self.carriers.join_next() => continue,
            };
            let Some(msg) = msg else { break };
            self.hear(msg);
        }
        self.carriers.shutdown().await;
    }

    fn hear(&mut self, msg: Msg) {
        match msg {
            Msg::Submit { asked, answer } => {
                let seat = self.submit(*asked);
                self.counts.refused += u64::from(seat.is_err());
                // Who has gone meanwhile is told as lost, or has been already.
                answer.send(seat).ok();
            }
            Msg::Gone { client } => {
                for ticket in self.runs.tickets_of(client) {
                    self.leave(ticket);
                }
                // What it left detached is nobody's now.
                self.tell_ledger(LedgerMsg::Lost { client }, None);
            }
            Msg::Lost { client } => self.tell_ledger(LedgerMsg::Lost { client }, None),
            Msg::Cancel { unwanted, by, answer } => {
                answer.send(self.cancel(&unwanted, &by)).ok();
            }
            Msg::Find { task, answer } => {
                answer.send(self.runs.log_of(&task)).ok();
            }
            Msg::Stats { answer } => {
                // As the door counts them: a permit that was lost would show. The others are at the
                // door, or, for a refresh, behind the run before them.
                let running = self.door.in_use() as usize;
                let oldest = self.waiters.values().map(|(_, since)| *since).min();
                let stats = DeskStats {
                    running,
                    queued: self.runs.len().saturating_sub(running),
                    oldest_waits: oldest.map(|since| since.elapsed()),
                    capacity: self.capacity,
                    ..self.counts.clone()
                };
                answer.send((stats, self.runs.summaries())).ok();
            }
            Msg::Ended { run, end, permit } => self.ended(run, end, permit),
            Msg::Drain { answer } => {
                self.counts.is_draining = true;
                self.door.drain(Draining::Finish);
                self.drained.push(answer);
                self.tell_drained();
            }
            Msg::ShutDown => {
                self.counts.is_draining = true;
                self.door.drain(Draining::Finish);
                self.tell_ledger(LedgerMsg::ShutDown, None);
                self.tell_drained();
            }
        }
    }

    fn submit(&mut self, asked: Asked) -> Result<Seat, Refused> {
        if self.counts.is_draining {
            return Err(Refused::Shut(Shut::Draining));
        }
        let ask = Ask {
            client: asked.client,
            key: self.runs.key_for(&asked),
            deadline: self.moment(asked.deadline),
            follow: asked.follow,
            age: asked.age,
            seen: None,
        };
        let mut submission = Submission { asked, seat: None };
        self.tell_ledger(LedgerMsg::Submit(ask), Some(&mut submission));
        submission.seat.unwrap_or(Err(Refused::Stuck))
    }

    fn leave(&mut self, ticket: Ticket) {
        if let Some(live) = self.runs.get_mut(ticket.run) {
            live.seats.remove(&ticket);
        }
        self.tell_ledger(LedgerMsg::Leave { ticket }, None);
    }

    fn cancel(&mut self, unwanted: &Unwanted, by: &Canceller) -> Cancelled {
        let Some(live) = self.runs.of_task(unwanted.task()) else {
            return match self.runs.ended(unwanted.task()) {
                Some(_) => Cancelled::AlreadyEnded,
                None => Cancelled::NotFound,
            };
        };
        let (run, log) = (live.run.id, Arc::clone(&live.run.log));
        let own = match unwanted {
            Unwanted::Task(_) => live.tickets_of(by.client),
            Unwanted::Request(_, ticket) if live.seats.contains_key(ticket) => vec![*ticket],
            // Its own end has come before that of the run.
            Unwanted::Request(..) => return Cancelled::AlreadyEnded,
        };
        let may = !own.is_empty() || by.only_of.as_ref().is_none_or(|who| *who == live.run.who);
        if !may {
            return Cancelled::NotYours;
        }
        if own.is_empty() {
            self.tell_ledger(LedgerMsg::Stop { run, reason: CancelReason::Requested }, None);
        }
        for ticket in own {
            self.tell_ledger(LedgerMsg::Cancel { ticket }, None);
        }
        self.counts.cancelled += 1;
        let is_stopping = self.runs.get_mut(run).is_none_or(|live| live.cancel.borrow().is_some());
        if is_stopping { Cancelled::Stopping(log) } else { Cancelled::Left }
    }

    fn ended(&mut self, run: RunId, end: RunEnd, permit: Option<Permit>) {
        let now = self.now();
        if let Some(permit) = permit {
            self.door.finished(permit, now);
        }
        self.counts.ended += 1;
        self.runs.end(run);
        self.tell_ledger(LedgerMsg::Ended { run, end }, None);
        self.open_gates();
        self.tell_drained();
    }

    /// Tells the ledger, and performs what it orders.
    fn tell_ledger(&mut self, msg: LedgerMsg<WorkKey>, mut submission: Option<&mut Submission>) {
        let now = self.now();
        let mut orders = Vec::new();
        self.ledger.on(msg, now, &mut orders);
        let mut at = 0;
        while at < orders.len() {
            let order = orders[at];
            at += 1;
            if let Some(undone) = self.perform(order, submission.as_deref_mut()) {
                // The door was shut: nobody but this client was to wait for it.
                self.ledger.on(
                    LedgerMsg::Ended { run: undone, end: RunEnd::Failed },
                    now,
                    &mut orders,
                );
            }
        }
    }

    /// Performs one order. Returns a run that could not be started.
    fn perform(
        &mut self,
        order: Order<WorkKey>,
        submission: Option<&mut Submission>,
    ) -> Option<RunId> {
        match order {
            Order::Accept { client, ticket, .. } => {
                if let Some(submission) = submission {
                    submission.seat = Some(self.seat(&submission.asked, client, ticket));
                }
            }
            Order::Refuse { why, .. } => {
                if let Some(submission) = submission {
                    submission.seat = Some(Err(match why {
                        Refusal::ShuttingDown => Refused::Shut(Shut::Draining),
                        Refusal::DeadlinePassed => Refused::DeadlinePassed,
                    }));
                }
            }
            Order::Start { run, .. } => {
                if let Err(shut) = self.start(run) {
                    match submission {
                        Some(submission) => {
                            self.runs.forget(run).inspect(|live| telling::refused(&live.run));
                            self.counts.accepted -= 1;
                            submission.seat = Some(Err(Refused::Shut(shut)));
                        }
                        // A refresh that has waited: its clients hold seats already.
                        None => self.withdraw(run, CancelReason::ShuttingDown),
                    }
                    return Some(run);
                }
            }
            Order::Deadline { run, deadline } => {
                let deadline = self.instant(deadline);
                if let Some(live) = self.runs.get_mut(run) {
                    live.deadline.send_replace(deadline);
                }
            }
            Order::Stop { run, reason } => self.stop(run, reason),
            Order::Withdraw { run, reason } => self.withdraw(run, reason),
            Order::Tell { ticket, .. } => {
                if let Some(live) = self.runs.get_mut(ticket.run) {
                    live.seats.remove(&ticket);
                }
            }
            Order::Release { ticket, why, .. } => {
                let live = self.runs.get_mut(ticket.run);
                if let Some((_, seat)) = live.and_then(|live| live.seats.remove(&ticket)) {
                    seat.send(why).ok();
                }
            }
        }
        None
    }

    /// Seats a client at a run, which is made if it is new.
    fn seat(&mut self, asked: &Asked, client: ClientId, ticket: Ticket) -> Result<Seat, Refused> {
        let is_new = self.runs.get_mut(ticket.run).is_none();
        if is_new {
            self.runs.add(new_run(asked, ticket.run, self.name));
            self.counts.accepted += 1;
        } else {
            self.counts.deduplicated += 1;
        }
        let live = self.runs.get_mut(ticket.run).ok_or(Refused::Stuck)?;
        let (release, released) = oneshot::channel();
        live.seats.insert(ticket, (client, release));
        let (task, log) = (live.run.task.clone(), Arc::clone(&live.run.log));
        if !is_new {
            telling::joined(&live.run, asked);
        }
        Ok(Seat { task, ticket, log, released })
    }

    /// Has a run begin, now or when it is its turn.
    fn start(&mut self, id: RunId) -> Result<(), Shut> {
        let now = self.now();
        let Some(live) = self.runs.get_mut(id) else { return Ok(()) };
        let run = Arc::clone(&live.run);
        let wish = Wish::work(run.payer, run.priority, run.bytes + RUN_BYTES);
        let (open, gate) = oneshot::channel();
        let keeper = match self.door.ask(wish, now) {
            Verdict::Admitted(permit) => {
                open.send(permit).ok();
                GateKeeper::Through
            }
            Verdict::Queued(waiter) => {
                self.waiters.insert(waiter, (id, Instant::now()));
                GateKeeper::Waiting { waiter, gate: open }
            }
            Verdict::Refused(shut) => return Err(shut),
        };
        if let Some(live) = self.runs.get_mut(id) {
            live.gate = Some(keeper);
        }
        let log = run.span.log().clone();
        let carrying = carry(Arc::clone(&self.work), run, gate, self.inbox.clone());
        self.carriers.spawn(carrying.instrument(log));
        Ok(())
    }

    fn stop(&mut self, run: RunId, reason: CancelReason) {
        let Some(live) = self.runs.get_mut(run) else { return };
        live.cancel.send_modify(|known| *known = (*known).max(Some(reason)));
        // One that waits at the door never comes through.
        if let Some(GateKeeper::Waiting { .. }) = live.gate
            && let Some(GateKeeper::Waiting { waiter, .. }) = live.gate.take()
        {
            self.waiters.remove(&waiter);
            self.door.give_up(waiter);
            self.open_gates();
        }
    }

    /// Ends a run that never starts, for whoever still holds a seat.
    fn withdraw(&mut self, run: RunId, reason: CancelReason) {
        if let Some(live) = self.runs.forget(run) {
            end_of(&live.run, unstarted(&*self.work, &live.run, reason));
            self.counts.ended += 1;
        }
    }

    /// Lets in whoever may begin now.
    fn open_gates(&mut self) {
        while let Some((waiter, permit)) = self.door.admit_next() {
            let run = self.waiters.remove(&waiter);
            let live = run.and_then(|(run, _)| self.runs.get_mut(run));
            let gate = live.and_then(|live| live.gate.replace(GateKeeper::Through));
            let returned = match gate {
                Some(GateKeeper::Waiting { gate, .. }) => gate.send(permit).err(),
                Some(GateKeeper::Through) | None => Some(permit),
            };
            if let Some(permit) = returned {
                let now = self.now();
                self.door.finished(permit, now);
            }
        }
    }

    fn tell_drained(&mut self) {
        if self.counts.is_draining && self.runs.len() == 0 {
            for waiting in self.drained.drain(..) {
                waiting.send(()).ok();
            }
        }
    }

    fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    fn moment(&self, instant: Instant) -> Moment {
        Moment::after_start(instant.saturating_duration_since(self.started))
    }

    fn instant(&self, moment: Moment) -> Instant {
        let far = self.started + FAR;
        let after = moment.saturating_duration_since(Moment::START);
        self.started.checked_add(after).map_or(far, |at| at.min(far))
    }
}

/// What a request takes in memory beside its texts, roughly: the run, its log, its task.
const RUN_BYTES: u64 = 16 << 10;
