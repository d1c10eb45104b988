//! Admission against a twin that keeps those who wait in one list and searches it for everything:
//! equal messages have to give equal answers.

use crate::seeds::ms;
use assay_rules::{
    Instant,
    admission::{
        Admission, AdmissionLimits, Draining, Permit, Priority, Shut, Verdict, WaiterId, Wish,
    },
    ledger::ClientId,
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::time::Duration;

const LIMITS: AdmissionLimits = AdmissionLimits {
    permits: 2,
    queue_max: 7,
    client_max: 4,
    bytes_max: 60,
    reserve: 1,
    reserve_queue_max: 2,
    quantum: 3,
};

const PRIORITIES: [Priority; 3] = [Priority::Low, Priority::Middle, Priority::High];

/// What somebody asks for; `priority` is `None` for the reserve.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Call {
    client: u64,
    priority: Option<usize>,
    bytes: u64,
    cost: u32,
}

#[derive(Clone, Debug)]
enum Said {
    Ask(Call),
    /// The nth permit that is out, of so many as there are.
    Finish(usize),
    Poll,
    /// The nth waiter ever given.
    GiveUp(usize),
    Resize(u32),
    Drain(Draining),
}

#[derive(Clone, Debug)]
struct Step {
    pass: Duration,
    said: Said,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Nothing,
    Admitted,
    Queued,
    Refused(Shut),
    /// Who begins, as the nth waiter ever given.
    Begins(Option<usize>),
    GaveUp(bool),
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    client: u64,
    deficit: u32,
    paid: bool,
}

#[derive(Clone, Debug)]
struct Twin {
    now: Instant,
    permits: u32,
    draining: bool,
    waiting: Vec<(usize, Call)>,
    given: usize,
    out: Vec<Call>,
    turns: [Vec<Turn>; 3],
    passes: [u64; 3],
    pass: u64,
    gaps: Vec<Duration>,
    since: Option<Instant>,
    heard: Heard,
    handed_back: Vec<usize>,
}

impl Twin {
    fn work(&self) -> impl Iterator<Item = &(usize, Call)> {
        self.waiting.iter().filter(|(_, call)| call.priority.is_some())
    }

    fn out(&self, vital: bool) -> usize {
        self.out.iter().filter(|call| call.priority.is_none() == vital).count()
    }

    fn bytes(&self) -> u64 {
        let waiting: u64 = self.waiting.iter().map(|(_, call)| call.bytes).sum();
        waiting + self.out.iter().map(|call| call.bytes).sum::<u64>()
    }

    fn retry_after(&self) -> Duration {
        let window = &self.gaps[self.gaps.len().saturating_sub(32)..];
        let sum: Duration = window.iter().sum();
        let count = u32::try_from(window.len()).expect("32 at most");
        let open = self.since.map_or(Duration::ZERO, |since| self.now - since);
        let mean = if count == 0 { Duration::ZERO } else { sum / count };
        let mean = mean.max((sum + open) / (count + 1));
        let ahead = u32::try_from(self.work().count() + 1).expect("few");
        (mean * ahead).clamp(ms(100), ms(300_000))
    }

    fn ask(&mut self, call: Call) -> Heard {
        let Some(nth) = call.priority else {
            let vital = self.waiting.len() - self.work().count();
            if self.out(true) == 0 && vital == 0 {
                self.out.push(call);
                return Heard::Admitted;
            }
            if vital == LIMITS.reserve_queue_max {
                return Heard::Refused(Shut::Overloaded { retry_after: ms(100) });
            }
            return self.queue(call);
        };
        if self.draining {
            return Heard::Refused(Shut::Draining);
        }
        if call.bytes > LIMITS.bytes_max {
            let shut = Shut::TooLarge { bytes: call.bytes, bytes_max: LIMITS.bytes_max };
            return Heard::Refused(shut);
        }
        let fits = self.bytes() + call.bytes <= LIMITS.bytes_max;
        let waiting = self.work().count();
        if fits && waiting == 0 && self.out(false) < self.permits as usize {
            self.out.push(call);
            return Heard::Admitted;
        }
        let mine = self.work().filter(|(_, other)| other.client == call.client).count();
        if !fits || waiting >= LIMITS.queue_max || mine >= LIMITS.client_max {
            return Heard::Refused(Shut::Overloaded { retry_after: self.retry_after() });
        }
        if waiting == 0 {
            self.since = Some(self.now);
        }
        let lane = self.work().any(|(_, other)| other.priority == call.priority);
        if !lane {
            self.passes[nth] = self.passes[nth].max(self.pass);
        }
        if !self.turns[nth].iter().any(|turn| turn.client == call.client) {
            self.turns[nth].push(Turn { client: call.client, deficit: 0, paid: false });
        }
        self.queue(call)
    }

    fn queue(&mut self, call: Call) -> Heard {
        self.waiting.push((self.given, call));
        self.given += 1;
        Heard::Queued
    }

    fn poll(&mut self) -> Option<usize> {
        if self.out(true) == 0
            && let Some(at) = self.waiting.iter().position(|(_, call)| call.priority.is_none())
        {
            return Some(self.begin(at));
        }
        if self.out(false) >= self.permits as usize || self.work().count() == 0 {
            return None;
        }
        let waits = |nth: &usize| self.work().any(|(_, call)| call.priority == Some(*nth));
        let nth = [2, 1, 0]
            .into_iter()
            .filter(waits)
            .min_by_key(|nth| self.passes[*nth])
            .expect("some work waits");
        self.pass = self.passes[nth];
        self.passes[nth] += [16, 4, 1][nth];
        loop {
            let turn = &mut self.turns[nth][0];
            if !turn.paid {
                turn.deficit += LIMITS.quantum;
                turn.paid = true;
            }
            let (client, deficit) = (turn.client, turn.deficit);
            let is_head = |call: &Call| call.client == client && call.priority == Some(nth);
            let at =
                self.waiting.iter().position(|(_, call)| is_head(call)).expect("it has a turn");
            let cost = self.waiting[at].1.cost;
            if cost > deficit {
                self.turns[nth][0].paid = false;
                self.turns[nth].rotate_left(1);
                continue;
            }
            self.turns[nth][0].deficit -= cost;
            let id = self.begin(at);
            if self.turns[nth]
                .first()
                .is_some_and(|turn| turn.client == client && turn.deficit == 0)
            {
                self.turns[nth][0].paid = false;
                self.turns[nth].rotate_left(1);
            }
            return Some(id);
        }
    }

    fn begin(&mut self, at: usize) -> usize {
        let (id, call) = self.waiting.remove(at);
        self.out.push(call);
        self.forget_turns();
        id
    }

    /// Who waits for nothing has no turn, and saves nothing up.
    fn forget_turns(&mut self) {
        let waiting = &self.waiting;
        for (nth, turns) in self.turns.iter_mut().enumerate() {
            turns.retain(|turn| {
                let is_its = |call: &Call| call.client == turn.client && call.priority == Some(nth);
                waiting.iter().any(|(_, call)| is_its(call))
            });
        }
    }

    fn give_up(&mut self, id: usize) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(other, _)| *other != id);
        self.forget_turns();
        let gone = self.waiting.len() < before;
        if gone && self.work().count() == 0 {
            self.since = None;
        }
        gone
    }

    fn finish(&mut self, nth: usize) {
        if self.out.is_empty() {
            return;
        }
        let call = self.out.remove(nth % self.out.len());
        if call.priority.is_none() {
            return;
        }
        if self.work().count() == 0 {
            self.since = None;
        } else if let Some(since) = self.since.replace(self.now) {
            self.gaps.push(self.now - since);
        }
    }
}

impl ReferenceStateMachine for Twin {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            now: Instant::START,
            permits: LIMITS.permits,
            draining: false,
            waiting: Vec::new(),
            given: 0,
            out: Vec::new(),
            turns: Default::default(),
            passes: [0; 3],
            pass: 0,
            gaps: Vec::new(),
            since: None,
            heard: Heard::Nothing,
            handed_back: Vec::new(),
        })
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let priority = prop_oneof![5 => (0..3_usize).prop_map(Some), 1 => Just(None)];
        let bytes = prop_oneof![10 => 0..15_u64, 1 => 50..70_u64];
        let call =
            (0..4_u64, priority, bytes, 1..9_u32).prop_map(|(client, priority, bytes, cost)| {
                let bytes = if priority.is_some() { bytes } else { 0 };
                Said::Ask(Call { client, priority, bytes, cost })
            });
        let said = prop_oneof![
            60 => call,
            30 => (0..4_usize).prop_map(Said::Finish),
            40 => Just(Said::Poll),
            10 => (0..state.given + 1).prop_map(Said::GiveUp),
            3 => (0..4_u32).prop_map(Said::Resize),
            1 => prop_oneof![Just(Draining::Finish), Just(Draining::HandBack)].prop_map(Said::Drain),
        ];
        let pass = prop_oneof![Just(0), 0..2_000_u64].prop_map(ms);
        (pass, said).prop_map(|(pass, said)| Step { pass, said }).boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.now += step.pass;
        state.handed_back.clear();
        state.heard = match step.said {
            Said::Ask(call) => state.ask(call),
            Said::Poll => Heard::Begins(state.poll()),
            Said::GiveUp(id) => Heard::GaveUp(state.give_up(id)),
            Said::Finish(nth) => {
                state.finish(nth);
                Heard::Nothing
            }
            Said::Resize(permits) => {
                state.permits = permits.max(1);
                Heard::Nothing
            }
            Said::Drain(draining) => {
                state.draining = true;
                if draining == Draining::HandBack {
                    let work: Vec<usize> = state.work().map(|(id, _)| *id).collect();
                    for id in &work {
                        state.give_up(*id);
                    }
                    state.handed_back = work;
                }
                Heard::Nothing
            }
        };
        state
    }
}

/// The real one, with what it gave.
struct Real {
    door: Admission,
    given: Vec<WaiterId>,
    out: Vec<Permit>,
}

impl Real {
    fn say(&mut self, said: &Said, twin: &Twin) -> Heard {
        match *said {
            Said::Ask(call) => {
                let client = ClientId(call.client);
                let wish = call.priority.map_or(Wish::vital(client), |nth| {
                    Wish::work(client, PRIORITIES[nth], call.bytes).costing(call.cost)
                });
                match self.door.ask(wish, twin.now) {
                    Verdict::Admitted(permit) => {
                        self.out.push(permit);
                        Heard::Admitted
                    }
                    Verdict::Queued(waiter) => {
                        self.given.push(waiter);
                        Heard::Queued
                    }
                    Verdict::Refused(shut) => Heard::Refused(shut),
                }
            }
            Said::Poll => Heard::Begins(self.door.admit_next().map(|(waiter, permit)| {
                self.out.push(permit);
                self.given.iter().position(|given| *given == waiter).expect("it was given")
            })),
            Said::GiveUp(nth) => {
                let waiter = self.given.get(nth);
                Heard::GaveUp(waiter.is_some_and(|waiter| self.door.give_up(*waiter).is_some()))
            }
            Said::Finish(nth) => {
                if !self.out.is_empty() {
                    let permit = self.out.remove(nth % self.out.len());
                    self.door.finished(permit, twin.now);
                }
                Heard::Nothing
            }
            Said::Resize(permits) => {
                self.door.resize(permits);
                Heard::Nothing
            }
            Said::Drain(draining) => {
                let back: Vec<WaiterId> =
                    self.door.drain(draining).into_iter().map(|(waiter, _)| waiter).collect();
                let expected = twin.handed_back.iter().map(|nth| self.given[*nth]);
                assert_eq!(back, expected.collect::<Vec<_>>());
                Heard::Nothing
            }
        }
    }
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = Twin;

    fn init_test(_: &Twin) -> Self {
        Self { door: Admission::new(LIMITS), given: Vec::new(), out: Vec::new() }
    }

    fn apply(mut real: Self, twin: &Twin, step: Step) -> Self {
        assert_eq!(real.say(&step.said, twin), twin.heard, "{:?}", step.said);
        let door = &real.door;
        assert_eq!(door.waiting(), twin.waiting.len());
        assert_eq!(door.in_use() as usize, twin.out(false));
        assert_eq!(door.bytes(), twin.bytes());
        let is_drained = twin.draining && twin.out(false) == 0 && twin.work().count() == 0;
        assert_eq!(door.is_drained(), is_drained);
        real
    }
}

prop_state_machine! {
    #[test]
    fn the_door_answers_what_its_naive_twin_answers(sequential 1..150 => Real);
}
