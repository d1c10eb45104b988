//! The ledger against a twin that keeps one flat list and scans it for everything: the same
//! messages have to give the same orders, one by one.

use crate::seeds::ms;
use assay_model::CancelReason;
use assay_rules::{
    Instant,
    ledger::{
        Age, Ask, ClientId, Follow, Joined, Ledger, LedgerTerms, Msg, Order, Refusal, Released,
        RunEnd, RunId, RunPhase, Ticket,
    },
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::time::Duration;

const TERMS: LedgerTerms = LedgerTerms {
    lost_grace: Duration::from_millis(30),
    stop_grace: Duration::from_millis(5),
    remember_for: Duration::from_millis(40),
    remember_max: 2,
};

#[derive(Clone, Debug)]
struct Seat {
    ticket: Ticket,
    client: ClientId,
    follow: Follow,
    /// Can be told.
    here: bool,
    deadline: Instant,
    due: Instant,
}

#[derive(Clone, Debug)]
struct Work {
    id: RunId,
    key: u8,
    phase: RunPhase,
    seats: Vec<Seat>,
    given: u32,
}

/// The twin.
#[derive(Clone, Debug)]
struct Twin {
    now: Instant,
    works: Vec<Work>,
    memory: Vec<(u8, RunId, Instant)>,
    next: u64,
    shut: bool,
    /// What the last step asked and ordered.
    orders: Vec<Order<u8>>,
}

impl Twin {
    fn find(&mut self, run: RunId) -> Option<&mut Work> {
        self.works.iter_mut().find(|work| work.id == run)
    }

    fn of(&self, key: u8, phase: RunPhase) -> Option<RunId> {
        self.works.iter().find(|work| work.key == key && work.phase == phase).map(|work| work.id)
    }

    fn latest(work: &Work) -> Option<Instant> {
        work.seats.iter().map(|seat| seat.deadline).max()
    }

    fn seat(&mut self, ticket: Ticket) -> Option<&mut Seat> {
        self.find(ticket.run)?.seats.iter_mut().find(|seat| seat.ticket == ticket)
    }

    fn submit(&mut self, ask: Ask<u8>) {
        let client = ask.client;
        if self.shut {
            return self.orders.push(Order::Refuse { client, why: Refusal::ShuttingDown });
        }
        if ask.deadline <= self.now {
            return self.orders.push(Order::Refuse { client, why: Refusal::DeadlinePassed });
        }
        let live = self.of(ask.key, RunPhase::Running);
        let queued = self.of(ask.key, RunPhase::Queued);
        match (ask.age, live, queued) {
            (Age::Any, Some(run), _) => self.join(run, Joined::Live, ask),
            (Age::Fresh, Some(_), Some(run)) => self.join(run, Joined::Queued, ask),
            (Age::Fresh, Some(_), None) => {
                let run = self.open(ask.key, RunPhase::Queued);
                self.join(run, Joined::Queued, ask);
            }
            (age, None, _) => {
                let known = self.memory.iter().rev().find(|known| known.0 == ask.key);
                match known {
                    Some((_, run, until)) if age == Age::Any && self.now < *until => {
                        let ticket = Ticket { run: *run, seat: u32::MAX };
                        let joined = Joined::Replayed;
                        self.orders.push(Order::Accept { client, ticket, from: 0, joined });
                        self.orders.push(Order::Tell { client, ticket, end: RunEnd::Done });
                    }
                    _ => {
                        let run = self.open(ask.key, RunPhase::Running);
                        self.join(run, Joined::Started, ask);
                        let (key, deadline) = (ask.key, ask.deadline);
                        self.orders.pop_if(|order| matches!(order, Order::Deadline { .. }));
                        self.orders.push(Order::Start { run, key, deadline });
                    }
                }
            }
        }
    }

    fn open(&mut self, key: u8, phase: RunPhase) -> RunId {
        let id = RunId(self.next);
        self.next += 1;
        self.works.push(Work { id, key, phase, seats: Vec::new(), given: 0 });
        id
    }

    fn join(&mut self, run: RunId, joined: Joined, ask: Ask<u8>) {
        let work = self.find(run).expect("the caller has it");
        let before = Self::latest(work);
        let ticket = Ticket { run, seat: work.given };
        work.given += 1;
        let (client, deadline) = (ask.client, ask.deadline);
        let follow = ask.follow;
        work.seats.push(Seat { ticket, client, follow, here: true, deadline, due: deadline });
        self.orders.push(Order::Accept { client, ticket, from: 0, joined });
        self.deadline(run, before);
    }

    fn deadline(&mut self, run: RunId, before: Option<Instant>) {
        let Some(work) = self.find(run) else { return };
        let (after, running) = (Self::latest(work), work.phase == RunPhase::Running);
        if let Some(deadline) = after.filter(|_| running && after != before) {
            self.orders.push(Order::Deadline { run, deadline });
        }
    }

    fn quit(&mut self, ticket: Ticket, reason: CancelReason) {
        let Some(work) = self.find(ticket.run) else { return };
        let before = Self::latest(work);
        work.seats.retain(|seat| seat.ticket != ticket);
        if work.seats.is_empty() {
            self.stop(ticket.run, reason);
        } else {
            self.deadline(ticket.run, before);
        }
    }

    fn stop(&mut self, run: RunId, reason: CancelReason) {
        let Some(work) = self.find(run) else { return };
        let key = work.key;
        match work.phase {
            RunPhase::Queued => {
                self.orders.push(Order::Withdraw { run, reason });
                self.close(run, RunEnd::Stopped);
            }
            RunPhase::Running => {
                work.phase = RunPhase::Stopping(reason);
                self.orders.push(Order::Stop { run, reason });
                self.start_queued(key);
            }
            RunPhase::Stopping(known) => {
                work.phase = RunPhase::Stopping(known.max(reason));
                if known < reason {
                    self.orders.push(Order::Stop { run, reason });
                }
            }
        }
    }

    fn start_queued(&mut self, key: u8) {
        let Some(run) = self.of(key, RunPhase::Queued) else { return };
        let work = self.find(run).expect("just found");
        work.phase = RunPhase::Running;
        let deadline = Self::latest(work).expect("a queued run that nobody wants is withdrawn");
        self.orders.push(Order::Start { run, key, deadline });
    }

    fn close(&mut self, run: RunId, end: RunEnd) {
        let at = self.works.iter().position(|work| work.id == run).expect("the caller has it");
        let work = self.works.remove(at);
        for seat in work.seats.iter().filter(|seat| seat.here) {
            self.orders.push(Order::Tell { client: seat.client, ticket: seat.ticket, end });
        }
        if work.phase == RunPhase::Running {
            self.start_queued(work.key);
        }
    }

    fn ended(&mut self, run: RunId, end: RunEnd) {
        let Some(work) = self.find(run) else { return };
        let (key, phase) = (work.key, work.phase);
        if phase == RunPhase::Queued {
            return;
        }
        if phase == RunPhase::Running && end == RunEnd::Done {
            self.memory.push((key, run, self.now + TERMS.remember_for));
            if self.memory.len() > TERMS.remember_max {
                self.memory.remove(0);
            }
        }
        self.close(run, end);
    }

    fn cancel(&mut self, ticket: Ticket) {
        let Some(seat) = self.seat(ticket).cloned() else { return };
        let work = self.find(ticket.run).expect("it has the seat");
        if work.seats.len() == 1 || matches!(work.phase, RunPhase::Stopping(_)) {
            return self.stop(ticket.run, CancelReason::Requested);
        }
        self.release(&seat, Released::Cancelled);
        self.quit(ticket, CancelReason::Requested);
    }

    fn release(&mut self, seat: &Seat, why: Released) {
        if seat.here {
            self.orders.push(Order::Release { client: seat.client, ticket: seat.ticket, why });
        }
    }

    fn leave(&mut self, ticket: Ticket) {
        match self.seat(ticket) {
            Some(seat) if seat.follow == Follow::Detach => {
                seat.here = false;
                seat.due = seat.due.max(seat.deadline);
            }
            Some(_) => self.quit(ticket, CancelReason::NobodyWaits),
            None => {}
        }
    }

    fn lose(&mut self, client: ClientId) {
        let until = self.now + TERMS.lost_grace;
        let seats = self.works.iter_mut().flat_map(|work| &mut work.seats);
        for seat in seats.filter(|seat| seat.client == client && seat.here) {
            seat.here = false;
            if seat.follow == Follow::Wait {
                seat.due = seat.due.min(until);
            }
        }
    }

    fn detach(&mut self, ticket: Ticket) {
        let Some(seat) = self.seat(ticket) else { return };
        seat.follow = Follow::Detach;
        if !seat.here {
            seat.due = seat.due.max(seat.deadline);
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        loop {
            let seats = self.works.iter().flat_map(|work| &work.seats);
            let due = seats.filter(|seat| seat.due <= now && seat.due < Instant::MAX);
            let Some(seat) = due.min_by_key(|seat| (seat.due, seat.ticket)).cloned() else {
                return;
            };
            let work = self.find(seat.ticket.run).expect("it has the seat");
            let stopping = matches!(work.phase, RunPhase::Stopping(_));
            let waits_longest = Self::latest(work) == Some(seat.deadline);
            if seat.due < seat.deadline {
                self.quit(seat.ticket, CancelReason::NobodyWaits);
            } else if seat.due > seat.deadline || (!stopping && !waits_longest) {
                self.release(&seat, Released::DeadlinePassed);
                self.quit(seat.ticket, CancelReason::DeadlinePassed);
            } else {
                self.stop(seat.ticket.run, CancelReason::DeadlinePassed);
                if let Some(seat) = self.seat(seat.ticket) {
                    seat.due = now + TERMS.stop_grace;
                }
            }
        }
    }

    fn shut_down(&mut self) {
        self.shut = true;
        let mut all: Vec<RunId> = self.works.iter().map(|work| work.id).collect();
        all.sort();
        for run in all.into_iter().rev() {
            self.stop(run, CancelReason::ShuttingDown);
        }
    }
}

/// One step: time passes, then something is said.
#[derive(Clone, Debug)]
struct Step {
    pass: Duration,
    msg: Msg<u8>,
}

impl ReferenceStateMachine for Twin {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            now: Instant::START,
            works: Vec::new(),
            memory: Vec::new(),
            next: 0,
            shut: false,
            orders: Vec::new(),
        })
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        // Tickets and runs that are gone, or never were, are named too.
        let run = (0..state.next + 1).prop_map(RunId);
        let ticket = (run.clone(), 0..4_u32).prop_map(|(run, seat)| Ticket { run, seat });
        let client = (0..4_u64).prop_map(ClientId);
        let follow = prop_oneof![3 => Just(Follow::Wait), 1 => Just(Follow::Detach)];
        let age = prop_oneof![3 => Just(Age::Any), 1 => Just(Age::Fresh)];
        let reason = prop_oneof![Just(CancelReason::Requested), Just(CancelReason::ShuttingDown)];
        let end = prop_oneof![
            3 => Just(RunEnd::Done),
            1 => Just(RunEnd::Failed),
            1 => Just(RunEnd::Panicked),
            1 => Just(RunEnd::Stopped),
        ];
        let now = state.now;
        let ask = (client.clone(), 0..3_u8, 0..60_u64, follow, age).prop_map(
            move |(client, key, wait, follow, age)| {
                let deadline = if wait == 59 { Instant::MAX } else { now + ms(wait) };
                Msg::Submit(Ask { client, key, deadline, follow, age, seen: None })
            },
        );
        let msg = prop_oneof![
            60 => ask,
            15 => ticket.clone().prop_map(|ticket| Msg::Leave { ticket }),
            15 => ticket.clone().prop_map(|ticket| Msg::Cancel { ticket }),
            5 => ticket.prop_map(|ticket| Msg::Detach { ticket }),
            10 => client.prop_map(|client| Msg::Lost { client }),
            10 => (run.clone(), reason).prop_map(|(run, reason)| Msg::Stop { run, reason }),
            40 => (run, end).prop_map(|(run, end)| Msg::Ended { run, end }),
            1 => Just(Msg::ShutDown),
            30 => Just(Msg::Tick),
        ];
        let pass = prop_oneof![3 => Just(0), 3 => 0..10_u64, 1 => 0..100_u64].prop_map(ms);
        (pass, msg).prop_map(|(pass, msg)| Step { pass, msg }).boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.now += step.pass;
        state.orders.clear();
        match step.msg {
            Msg::Submit(ask) => state.submit(ask),
            Msg::Leave { ticket } => state.leave(ticket),
            Msg::Cancel { ticket } => state.cancel(ticket),
            Msg::Detach { ticket } => state.detach(ticket),
            Msg::Lost { client } => state.lose(client),
            Msg::Stop { run, reason } => state.stop(run, reason),
            Msg::Ended { run, end } => state.ended(run, end),
            Msg::ShutDown => state.shut_down(),
            Msg::Tick => state.tick(),
        }
        state
    }
}

struct Real;

impl StateMachineTest for Real {
    type SystemUnderTest = Ledger<u8>;
    type Reference = Twin;

    fn init_test(_: &Twin) -> Ledger<u8> {
        Ledger::new(TERMS)
    }

    fn apply(mut ledger: Ledger<u8>, twin: &Twin, step: Step) -> Ledger<u8> {
        let mut orders = Vec::new();
        ledger.on(step.msg, twin.now, &mut orders);
        assert_eq!(orders, twin.orders, "{:?}", step.msg);
        let seats = twin.works.iter().flat_map(|work| &work.seats);
        let due = seats.map(|seat| seat.due).filter(|due| *due < Instant::MAX).min();
        assert_eq!(ledger.next_due(), due);
        assert_eq!(ledger.live(), twin.works.len());
        for work in &twin.works {
            assert_eq!(ledger.phase(work.id), Some(work.phase));
            if !work.seats.is_empty() {
                assert_eq!(ledger.deadline(work.id), Twin::latest(work));
            }
        }
        ledger
    }
}

prop_state_machine! {
    #[test]
    fn the_ledger_orders_what_its_naive_twin_orders(sequential 1..120 => Real);
}
