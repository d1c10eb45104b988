//! Which work is under way, who waits for it, and why it must stop.
//!
//! Owns every run from its acceptance to its last event: single flight by key, with owned work.
//! Nobody leads: the first to ask may leave, and the run goes on for whoever still waits. Pure:
//! messages and `now` in, orders out; whoever drives it performs the orders in their order.
//!
//! Keeps:
//! - at most one run of a key takes newcomers; one more may be queued behind it (a refresh);
//! - a run that stops takes no newcomers, and the next equal request starts afresh;
//! - a run that nobody wants is stopped; a cancel reason only gets graver;
//! - the deadline of a run is the latest of those who wait for it;
//! - every ticket is answered exactly once, by `Tell` or by `Release`, unless its holder left or
//!   was lost;
//! - a failure or a panic goes to all who wait, and is not remembered;
//! - every message costs O(log n) in what it does not touch.
//!
//! Does not: run anything, keep results or events (a log does), or bound how much there is: that
//! is for admission.

mod memory; // which runs ended well, for those who ask again
mod msg; // what it is told, and what it orders
mod run; // one run and who waits for it
mod terms; // what those who wait may count on
mod timers; // who is due when

pub use msg::{
    Age, Ask, ClientId, Cursor, Follow, Joined, Msg, Order, Refusal, Released, RunEnd, RunId,
    RunPhase, Ticket,
};
pub use terms::LedgerTerms;

use crate::{ById, Instant};
use assay_model::CancelReason;
use memory::Memory;
use run::{Interest, Presence, Run};
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};
use terms::STOP_GRACE_MIN;
use timers::Timers;

/// The seat of a ticket that is answered as it is given.
const NO_SEAT: u32 = u32::MAX;

/// All live runs. One task owns it.
#[derive(Debug)]
pub struct Ledger<K> {
    terms: LedgerTerms,
    runs: ById<RunId, Run<K>>,
    lines: HashMap<K, Line>,
    /// What a client waits for, so that losing it costs no search. Detached tickets are not in it.
    tickets: ById<ClientId, BTreeSet<Ticket>>,
    timers: Timers,
    memory: Memory<K>,
    next_run: u64,
    is_shut: bool,
}

/// The runs of one key that take newcomers. Gone when the last of them is.
#[derive(Clone, Copy, Debug)]
struct Line {
    live: RunId,
    /// Starts when `live` no longer takes newcomers.
    queued: Option<RunId>,
}

// === impl Ledger ===

impl<K: Clone + Eq + Hash> Ledger<K> {
    pub fn new(terms: LedgerTerms) -> Self {
        Self {
            memory: Memory::new(terms.remember_for, terms.remember_max),
            terms,
            runs: ById::default(),
            lines: HashMap::new(),
            tickets: ById::default(),
            timers: Timers::default(),
            next_run: 0,
            is_shut: false,
        }
    }

    /// Takes in one message and appends what has to be done, in the order in which to do it.
    pub fn on(&mut self, msg: Msg<K>, now: Instant, orders: &mut Vec<Order<K>>) {
        match msg {
            Msg::Submit(ask) => self.submit(ask, now, orders),
            Msg::Leave { ticket } => self.leave(ticket, orders),
            Msg::Cancel { ticket } => self.cancel(ticket, orders),
            Msg::Detach { ticket } => self.detach(ticket),
            Msg::Lost { client } => self.lose(client, now),
            Msg::Stop { run, reason } => self.stop(run, reason, orders),
            Msg::Ended { run, end } => self.ended(run, end, now, orders),
            Msg::ShutDown => self.shut_down(orders),
            Msg::Tick => self.tick(now, orders),
        }
    }

    /// Returns when to send the next [`Msg::Tick`]; earlier ones do no harm.
    pub fn next_due(&mut self) -> Option<Instant> {
        self.timers.next()
    }

    /// Returns what a run is about, or `None` when it has ended.
    pub fn phase(&self, run: RunId) -> Option<RunPhase> {
        self.runs.get(&run).map(|run| run.phase)
    }

    /// Returns the latest deadline of those who wait for a run.
    pub fn deadline(&self, run: RunId) -> Option<Instant> {
        self.runs.get(&run).map(Run::deadline)
    }

    /// Counts the runs that have not ended, queued and stopping ones too.
    pub fn live(&self) -> usize {
        self.runs.len()
    }

    fn submit(&mut self, ask: Ask<K>, now: Instant, orders: &mut Vec<Order<K>>) {
        let client = ask.client;
        if self.is_shut {
            orders.push(Order::Refuse { client, why: Refusal::ShuttingDown });
        } else if ask.deadline <= now {
            orders.push(Order::Refuse { client, why: Refusal::DeadlinePassed });
        } else if let Some(&line) = self.lines.get(&ask.key) {
            match (ask.age, line.queued) {
                (Age::Any, _) => self.join(line.live, &ask, orders),
                (Age::Fresh, Some(queued)) => self.join(queued, &ask, orders),
                (Age::Fresh, None) => self.queue_behind(line.live, &ask, orders),
            }
        } else if let Some(run) = self.replay(&ask, now) {
            let ticket = Ticket { run, seat: NO_SEAT };
            let from = ask.unread_of(run);
            orders.push(Order::Accept { client, ticket, from, joined: Joined::Replayed });
            orders.push(Order::Tell { client, ticket, end: RunEnd::Done });
        } else {
            let run = self.open(&ask, RunPhase::Running, orders);
            self.lines.insert(ask.key.clone(), Line { live: run, queued: None });
            orders.push(Order::Start { run, key: ask.key, deadline: ask.deadline });
        }
    }

    /// The ended run that answers the request.
    fn replay(&mut self, ask: &Ask<K>, now: Instant) -> Option<RunId> {
        match ask.age {
            Age::Any => self.memory.recall(&ask.key, now),
            Age::Fresh => None,
        }
    }

    /// A refresh does not run beside the run that it doubts: two equal runs at once would disturb
    /// each other's target and measurements. All who ask for one meanwhile share it.
    fn queue_behind(&mut self, live: RunId, ask: &Ask<K>, orders: &mut Vec<Order<K>>) {
        let run = self.open(ask, RunPhase::Queued, orders);
        self.lines.insert(ask.key.clone(), Line { live, queued: Some(run) });
    }

    fn open(&mut self, ask: &Ask<K>, phase: RunPhase, orders: &mut Vec<Order<K>>) -> RunId {
        let run = RunId(self.next_run);
        self.next_run += 1;
        self.runs.insert(run, Run::new(ask.key.clone(), phase));
        let joined = if phase == RunPhase::Queued { Joined::Queued } else { Joined::Started };
        self.seat(run, ask, joined, orders);
        run
    }

    fn join(&mut self, run: RunId, ask: &Ask<K>, orders: &mut Vec<Order<K>>) {
        let live = self.runs.get(&run).expect("`lines` holds only live runs: `unlink` keeps it so");
        let (before, phase) = (live.deadline(), live.phase);
        let joined = if phase == RunPhase::Queued { Joined::Queued } else { Joined::Live };
        self.seat(run, ask, joined, orders);
        self.tell_deadline(run, before, orders);
    }

    fn seat(&mut self, run: RunId, ask: &Ask<K>, joined: Joined, orders: &mut Vec<Order<K>>) {
        let live = self.runs.get_mut(&run).expect("the callers have just found or made it");
        let timer = self.timers.came();
        let ticket = Ticket { run, seat: live.take_seat(Interest::of(ask, timer)) };
        self.tickets.entry(ask.client).or_default().insert(ticket);
        self.timers.watch(timer, ticket, ask.deadline);
        let (client, from) = (ask.client, ask.unread_of(run));
        orders.push(Order::Accept { client, ticket, from, joined });
    }

    fn leave(&mut self, ticket: Ticket, orders: &mut Vec<Order<K>>) {
        let Some(interest) = self.interest(ticket) else { return };
        match interest.follow {
            Follow::Wait => self.quit(ticket, CancelReason::NobodyWaits, orders),
            Follow::Detach => self.go(ticket),
        }
    }

    /// The holder no longer wants the result. Others still may: only the last one's cancel stops
    /// the run, and then it stays to hear that the run has stopped.
    fn cancel(&mut self, ticket: Ticket, orders: &mut Vec<Order<K>>) {
        let Some(&interest) = self.interest(ticket) else { return };
        let live = &self.runs[&ticket.run];
        if live.is_stopping() || live.is_alone() {
            return self.stop(ticket.run, CancelReason::Requested, orders);
        }
        if interest.presence == Presence::Here {
            let (client, why) = (interest.client, Released::Cancelled);
            orders.push(Order::Release { client, ticket, why });
        }
        self.quit(ticket, CancelReason::Requested, orders);
    }

    fn detach(&mut self, ticket: Ticket) {
        let Some(live) = self.runs.get_mut(&ticket.run) else { return };
        let Some(interest) = live.interests.get_mut(&ticket.seat) else { return };
        interest.follow = Follow::Detach;
        if interest.presence == Presence::Lost {
            self.go(ticket);
        }
    }

    /// A detached holder is no longer there to be told, but its run goes on until its deadline.
    fn go(&mut self, ticket: Ticket) {
        let Some(live) = self.runs.get_mut(&ticket.run) else { return };
        let Some(interest) = live.interests.get_mut(&ticket.seat) else { return };
        interest.presence = Presence::Gone;
        interest.due = interest.due.max(interest.deadline);
        self.timers.watch(interest.timer, ticket, interest.due);
        let client = interest.client;
        self.forget(client, ticket);
    }

    fn lose(&mut self, client: ClientId, now: Instant) {
        for ticket in self.tickets.remove(&client).unwrap_or_default() {
            let Some(live) = self.runs.get_mut(&ticket.run) else { continue };
            let Some(interest) = live.interests.get_mut(&ticket.seat) else { continue };
            match interest.follow {
                Follow::Detach => interest.presence = Presence::Gone,
                Follow::Wait => {
                    interest.presence = Presence::Lost;
                    interest.due = interest.due.min(now + self.terms.lost_grace);
                    self.timers.watch(interest.timer, ticket, interest.due);
                }
            }
        }
    }

    fn stop(&mut self, run: RunId, reason: CancelReason, orders: &mut Vec<Order<K>>) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        match live.phase {
            RunPhase::Queued => {
                orders.push(Order::Withdraw { run, reason });
                self.close(run, RunEnd::Stopped, orders);
            }
            RunPhase::Running => {
                live.phase = RunPhase::Stopping(reason);
                let key = live.key.clone();
                orders.push(Order::Stop { run, reason });
                // A dying run must not collect newcomers: what is queued starts now.
                self.unlink(&key, run, orders);
            }
            RunPhase::Stopping(known) if known < reason => {
                live.phase = RunPhase::Stopping(reason);
                orders.push(Order::Stop { run, reason });
            }
            RunPhase::Stopping(_) => {}
        }
    }

    fn ended(&mut self, run: RunId, end: RunEnd, now: Instant, orders: &mut Vec<Order<K>>) {
        match self.phase(run) {
            // Nothing that was never started can end: it is somebody else's answer.
            None | Some(RunPhase::Queued) => return,
            Some(RunPhase::Running) if end == RunEnd::Done => {
                self.memory.remember(&self.runs[&run].key, run, now);
            }
            Some(RunPhase::Running | RunPhase::Stopping(_)) => {}
        }
        self.close(run, end, orders);
    }

    fn shut_down(&mut self, orders: &mut Vec<Order<K>>) {
        self.is_shut = true;
        let mut all: Vec<RunId> = self.runs.keys().copied().collect();
        // Newest first, so that what is queued is withdrawn before the stop of the run before it
        // would start it.
        all.sort_unstable_by(|a, b| b.cmp(a));
        for run in all {
            self.stop(run, CancelReason::ShuttingDown, orders);
        }
    }

    fn tick(&mut self, now: Instant, orders: &mut Vec<Order<K>>) {
        while let Some(ticket) = self.timers.pop_due(now) {
            self.expire(ticket, now, orders);
        }
    }

    fn expire(&mut self, ticket: Ticket, now: Instant, orders: &mut Vec<Order<K>>) {
        let Some(&interest) = self.interest(ticket) else { return };
        let live = &self.runs[&ticket.run];
        if interest.due < interest.deadline {
            return self.quit(ticket, CancelReason::NobodyWaits, orders);
        }
        let is_last_call = interest.due > interest.deadline;
        let others_wait_longer = !live.is_stopping() && interest.deadline < live.deadline();
        if is_last_call || others_wait_longer {
            if interest.presence == Presence::Here {
                let (client, why) = (interest.client, Released::DeadlinePassed);
                orders.push(Order::Release { client, ticket, why });
            }
            return self.quit(ticket, CancelReason::DeadlinePassed, orders);
        }
        // Nobody waits longer: the run stops, and whoever is there hears what it has found.
        self.stop(ticket.run, CancelReason::DeadlinePassed, orders);
        let Some(live) = self.runs.get_mut(&ticket.run) else { return };
        let Some(interest) = live.interests.get_mut(&ticket.seat) else { return };
        interest.due = now.max(interest.deadline) + self.terms.stop_grace.max(STOP_GRACE_MIN);
        self.timers.watch(interest.timer, ticket, interest.due);
    }

    /// Takes a ticket back. When it was the last one, its run stops.
    fn quit(&mut self, ticket: Ticket, reason: CancelReason, orders: &mut Vec<Order<K>>) {
        let Some(live) = self.runs.get_mut(&ticket.run) else { return };
        let before = live.deadline();
        let Some(interest) = live.give_up_seat(ticket.seat) else { return };
        let is_empty = live.interests.is_empty();
        self.forget(interest.client, ticket);
        self.timers.left(interest.timer);
        if is_empty {
            self.stop(ticket.run, reason, orders);
        } else {
            self.tell_deadline(ticket.run, before, orders);
        }
    }

    /// Ends a run for all who wait for it; then the one queued behind it may start.
    fn close(&mut self, run: RunId, end: RunEnd, orders: &mut Vec<Order<K>>) {
        let Some(live) = self.runs.remove(&run) else { return };
        for (&seat, interest) in &live.interests {
            let (client, ticket) = (interest.client, Ticket { run, seat });
            self.forget(client, ticket);
            self.timers.left(interest.timer);
            if interest.presence == Presence::Here {
                orders.push(Order::Tell { client, ticket, end });
            }
        }
        self.unlink(&live.key, run, orders);
    }

    /// Lets a run take no more newcomers.
    fn unlink(&mut self, key: &K, run: RunId, orders: &mut Vec<Order<K>>) {
        let Some(line) = self.lines.get_mut(key) else { return };
        if line.queued == Some(run) {
            line.queued = None;
        } else if line.live == run {
            let Some(next) = line.queued.take() else {
                self.lines.remove(key);
                return;
            };
            line.live = next;
            let queued = self.runs.get_mut(&next).expect("`lines` holds only live runs");
            queued.phase = RunPhase::Running;
            let deadline = queued.deadline();
            orders.push(Order::Start { run: next, key: key.clone(), deadline });
        }
    }

    fn tell_deadline(&self, run: RunId, before: Instant, orders: &mut Vec<Order<K>>) {
        let Some(live) = self.runs.get(&run) else { return };
        let deadline = live.deadline();
        if live.phase == RunPhase::Running && deadline != before {
            orders.push(Order::Deadline { run, deadline });
        }
    }

    fn interest(&self, ticket: Ticket) -> Option<&Interest> {
        self.runs.get(&ticket.run)?.interests.get(&ticket.seat)
    }

    fn forget(&mut self, client: ClientId, ticket: Ticket) {
        let Some(held) = self.tickets.get_mut(&client) else { return };
        held.remove(&ticket);
        if held.is_empty() {
            self.tickets.remove(&client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    type End = fn(Ticket) -> Msg<&'static str>;

    /// However a client's ticket ends, it is void everywhere.
    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let at = |s| Instant::after_start(Duration::from_secs(s));
        let ends: [End; 5] = [
            |ticket| Msg::Leave { ticket },
            |ticket| Msg::Cancel { ticket },
            |ticket| Msg::Detach { ticket },
            |ticket| Msg::Lost { client: ClientId(u64::from(ticket.seat)) },
            |ticket| Msg::Stop { run: ticket.run, reason: CancelReason::Requested },
        ];
        let (mut ledger, mut orders) = (Ledger::new(LedgerTerms::default()), Vec::new());
        for end in ends {
            for client in [0, 1].map(ClientId) {
                let (key, follow, age) = ("work", Follow::Wait, Age::Any);
                let ask = Ask { client, key, deadline: at(60), follow, age, seen: None };
                ledger.on(Msg::Submit(ask), at(0), &mut orders);
            }
            let Some(&Order::Accept { ticket, .. }) = orders.first() else { panic!("{orders:?}") };
            ledger.on(end(ticket), at(0), &mut orders);
            ledger.on(Msg::Ended { run: ticket.run, end: RunEnd::Done }, at(1), &mut orders);
            let left = (ledger.runs.len(), ledger.lines.len(), ledger.tickets.len());
            assert_eq!(left, (0, 0, 0), "after {:?}", end(ticket));
            assert_eq!(ledger.next_due(), None);
            orders.clear();
        }
    }
}
