//! The machine against a twin that keeps everything in lists and searches them: equal messages have
//! to give equal orders, word for word.
//!
//! The twin has one endpoint for each service, so that nothing is left to chance but jitter, which
//! is turned off: connections live for ever, and an open circuit stays open until the end.

use assay_pool::{
    EndpointTerms, PoolTerms, ServiceId,
    machine::{After, ConnectionId, Grant, Idled, Machine, Order, Refusal, WaiterId},
};
use assay_rules::{
    Dice, Instant,
    breaker::{Answer, Settings},
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::{num::NonZeroU32, time::Duration};

const CAP: u32 = 3;
const QUEUE_MAX: usize = 4;
const SLOTS: u32 = 2;
const FAILURES: u32 = 3;
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);
const PROBE_AFTER: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
enum Said {
    Ask(usize),
    /// The nth of those who wait.
    GiveUp(usize),
    Connected(usize),
    /// The nth of the leases, in the order of their numbers.
    End(usize, Answer, After),
    Reconnect(usize),
    Closed(usize),
}

#[derive(Clone, Debug)]
struct Step {
    pass: Duration,
    said: Said,
}

/// What an order says, with the numbers in the order in which they were first told.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    /// Waiter, connection, service, and how.
    Grant(usize, usize, usize, Way),
    Overloaded(usize),
    CircuitOpen(usize),
    Close(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Way {
    ReuseBriefly,
    ReuseLong,
    Connect(Option<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Connecting,
    Busy,
    Idle(Instant),
    Closing,
}

#[derive(Clone, Debug)]
struct Row {
    number: usize,
    service: usize,
    is: Is,
}

#[derive(Clone, Debug)]
struct Twin {
    now: Instant,
    /// In the order of their last use.
    rows: Vec<Row>,
    waiting: Vec<(usize, usize)>,
    waiters: usize,
    numbers: usize,
    failures: [u32; 2],
    is_open: [bool; 2],
    heard: Vec<Heard>,
    closed: usize,
}

impl Twin {
    fn nth(&self, nth: usize, wanted: fn(&Is) -> bool) -> Option<usize> {
        let mut numbers: Vec<usize> =
            self.rows.iter().filter(|row| wanted(&row.is)).map(|row| row.number).collect();
        numbers.sort_unstable();
        (!numbers.is_empty()).then(|| numbers[nth % numbers.len()])
    }

    fn leased(&self, nth: usize) -> Option<usize> {
        self.nth(nth, |is| matches!(is, Is::Connecting | Is::Busy))
    }

    fn row(&mut self, number: usize) -> &mut Row {
        self.rows.iter_mut().find(|row| row.number == number).expect("it is in the list")
    }

    fn take(&mut self, number: usize) -> Row {
        let at = self.rows.iter().position(|row| row.number == number).expect("it is in the list");
        self.rows.remove(at)
    }

    fn open(&mut self, service: usize) -> usize {
        let number = self.numbers;
        self.numbers += 1;
        self.rows.push(Row { number, service, is: Is::Connecting });
        number
    }

    fn on(&mut self, said: &Said) {
        match *said {
            Said::Ask(service) => {
                self.waiting.push((self.waiters, service));
                self.waiters += 1;
                self.serve();
                if self.waiting.len() > QUEUE_MAX {
                    let (waiter, _) = self.waiting.pop().expect("more than the bound");
                    self.heard.push(Heard::Overloaded(waiter));
                }
            }
            Said::GiveUp(nth) if !self.waiting.is_empty() => {
                self.waiting.remove(nth % self.waiting.len());
            }
            Said::Connected(nth) => {
                if let Some(number) = self.nth(nth, |is| *is == Is::Connecting) {
                    self.row(number).is = Is::Busy;
                }
            }
            Said::End(nth, answer, after) => {
                if let Some(number) = self.leased(nth) {
                    self.end(number, answer, after);
                }
            }
            Said::Reconnect(nth) => {
                if let Some(number) = self.leased(nth) {
                    let service = self.take(number).service;
                    self.closed += 1;
                    self.open(service);
                }
            }
            Said::Closed(nth) => {
                if let Some(number) = self.nth(nth, |is| *is == Is::Closing) {
                    self.take(number);
                    self.closed += 1;
                    self.serve();
                }
            }
            Said::GiveUp(_) => {}
        }
    }

    fn end(&mut self, number: usize, answer: Answer, after: After) {
        let row = self.take(number);
        if !self.is_open[row.service] {
            match answer {
                Answer::Success => self.failures[row.service] = 0,
                Answer::Failure => self.failures[row.service] += 1,
                Answer::Overload { .. } | Answer::Ignored | Answer::Abandoned => {}
            }
            self.is_open[row.service] = self.failures[row.service] >= FAILURES;
        }
        if row.is == Is::Busy && after == After::Keep {
            self.rows.push(Row { is: Is::Idle(self.now), ..row });
        } else {
            self.closed += 1;
        }
        self.serve();
    }

    fn sweep(&mut self) {
        while let Some((since, number)) = self.oldest_idle()
            && self.now - since >= IDLE_TIMEOUT
        {
            self.row(number).is = Is::Closing;
            self.heard.push(Heard::Close(number));
        }
    }

    fn oldest_idle(&self) -> Option<(Instant, usize)> {
        let idle =
            |row: &Row| if let Is::Idle(since) = row.is { Some((since, row.number)) } else { None };
        self.rows.iter().filter_map(idle).min()
    }

    /// Goes through the whole list again and again, until nobody in it can be served.
    fn serve(&mut self) {
        while let Some(at) =
            (0..self.waiting.len()).find(|at| self.can_be_answered(self.waiting[*at].1))
        {
            let (waiter, service) = self.waiting.remove(at);
            let heard = if self.is_open[service] {
                Heard::CircuitOpen(waiter)
            } else {
                self.grant(waiter, service)
            };
            self.heard.push(heard);
        }
    }

    fn can_be_answered(&self, service: usize) -> bool {
        let is_out = |row: &&Row| matches!(row.is, Is::Connecting | Is::Busy);
        let out = self.rows.iter().filter(|row| row.service == service).filter(is_out).count();
        let has_idle = self.rows.iter().any(|row| matches!(row.is, Is::Idle(_)));
        self.is_open[service]
            || (out < SLOTS as usize && (self.rows.len() < CAP as usize || has_idle))
    }

    fn grant(&mut self, waiter: usize, service: usize) -> Heard {
        let is_idle = |row: &&Row| matches!(row.is, Is::Idle(_));
        let own = self.rows.iter().filter(|row| row.service == service).rfind(is_idle);
        if let Some(&Row { number, is: Is::Idle(since), .. }) = own {
            self.row(number).is = Is::Busy;
            let is_long = self.now - since > PROBE_AFTER;
            let way = if is_long { Way::ReuseLong } else { Way::ReuseBriefly };
            return Heard::Grant(waiter, number, service, way);
        }
        let evicted = self
            .oldest_idle()
            .map(|(_, number)| number)
            .filter(|_| self.rows.len() == CAP as usize);
        if let Some(old) = evicted {
            self.take(old);
            self.closed += 1;
        }
        Heard::Grant(waiter, self.open(service), service, Way::Connect(evicted))
    }
}

impl ReferenceStateMachine for Twin {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            now: Instant::START,
            rows: Vec::new(),
            waiting: Vec::new(),
            waiters: 0,
            numbers: 0,
            failures: [0; 2],
            is_open: [false; 2],
            heard: Vec::new(),
            closed: 0,
        })
        .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let overload = Answer::Overload { retry_after: None };
        let answers = [
            Answer::Success,
            Answer::Success,
            Answer::Success,
            Answer::Failure,
            overload,
            Answer::Ignored,
            Answer::Abandoned,
        ];
        let answer = prop::sample::select(answers.to_vec());
        let after = prop::sample::select(vec![After::Keep, After::Keep, After::Close]);
        let said = prop_oneof![
            6 => (0_usize..2).prop_map(Said::Ask),
            1 => (0_usize..9).prop_map(Said::GiveUp),
            5 => (0_usize..9).prop_map(Said::Connected),
            5 => (0_usize..9, answer, after).prop_map(|(nth, answer, after)| Said::End(nth, answer, after)),
            1 => (0_usize..9).prop_map(Said::Reconnect),
            2 => (0_usize..9).prop_map(Said::Closed),
        ];
        let pass = prop::sample::select(vec![0, 0, 0, 1, 500, 501, 299_000, 301_000]);
        (pass, said)
            .prop_map(|(pass, said)| Step { pass: Duration::from_millis(pass), said })
            .boxed()
    }

    fn apply(mut twin: Self, step: &Step) -> Self {
        twin.heard.clear();
        twin.now += step.pass;
        twin.sweep();
        twin.on(&step.said);
        twin
    }
}

/// The machine, its numbers in the order in which they were told, and the twin before the step.
struct Real {
    machine: Machine,
    services: [ServiceId; 2],
    waiters: Vec<WaiterId>,
    connections: Vec<ConnectionId>,
    twin: Twin,
}

impl Real {
    fn on(&mut self, said: &Said) {
        let now = self.twin.now;
        let leased = |twin: &Twin, nth| twin.leased(nth);
        match *said {
            Said::Ask(service) => {
                let waiter = self.machine.ask(self.services[service], None, now);
                self.waiters.push(waiter);
            }
            Said::GiveUp(nth) if !self.twin.waiting.is_empty() => {
                let (waiter, _) = self.twin.waiting[nth % self.twin.waiting.len()];
                assert!(self.machine.give_up(self.waiters[waiter]));
            }
            Said::Connected(nth) => {
                if let Some(number) = self.twin.nth(nth, |is| *is == Is::Connecting) {
                    self.machine.connected(self.connections[number]);
                }
            }
            Said::End(nth, answer, after) => {
                if let Some(number) = leased(&self.twin, nth) {
                    self.machine.end(self.connections[number], answer, after, now);
                }
            }
            Said::Reconnect(nth) => {
                if let Some(number) = leased(&self.twin, nth) {
                    let fresh = self.machine.reconnect(self.connections[number], now);
                    self.connections.push(fresh.expect("it is leased"));
                }
            }
            Said::Closed(nth) => {
                if let Some(number) = self.twin.nth(nth, |is| *is == Is::Closing) {
                    self.machine.closed(self.connections[number], now);
                }
            }
            Said::GiveUp(_) => {}
        }
    }

    fn heard(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        while let Some(order) = self.machine.next_order() {
            let waiter = |id| self.waiters.iter().position(|other| *other == id).expect("told");
            heard.push(match order {
                Order::Grant { waiter: id, connection, endpoint, how } => {
                    let who = waiter(id);
                    let way = self.way(how, connection);
                    let number = self.number(connection);
                    let at: usize = self.machine.address(endpoint).parse().expect("a number");
                    Heard::Grant(who, number, at, way)
                }
                Order::Refuse { waiter: id, refusal: Refusal::Overloaded { .. } } => {
                    Heard::Overloaded(waiter(id))
                }
                Order::Refuse { waiter: id, refusal } => {
                    assert!(matches!(refusal, Refusal::CircuitOpen { .. }), "{refusal:?}");
                    Heard::CircuitOpen(waiter(id))
                }
                Order::Close { connection } => Heard::Close(self.number(connection)),
            });
        }
        heard
    }

    fn way(&mut self, how: Grant, connection: ConnectionId) -> Way {
        match how {
            Grant::Reuse { idled: Idled::Briefly } => Way::ReuseBriefly,
            Grant::Reuse { idled: Idled::Long } => Way::ReuseLong,
            Grant::Connect { evicted } => {
                self.connections.push(connection);
                Way::Connect(evicted.map(|old| self.number(old)))
            }
        }
    }

    fn number(&self, id: ConnectionId) -> usize {
        self.connections.iter().position(|other| *other == id).expect("it was told")
    }
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = Twin;

    fn init_test(twin: &Twin) -> Self {
        let breaker = Settings {
            failure_threshold: NonZeroU32::new(FAILURES).expect("not 0"),
            open_for: Duration::from_hours(10_000),
            open_for_max: Duration::from_hours(10_000),
            ..Settings::default()
        };
        let terms = PoolTerms {
            max_connections: NonZeroU32::new(CAP).expect("not 0"),
            queue_max: QUEUE_MAX,
            max_lifetime: Duration::from_hours(10_000),
            breaker,
            ..PoolTerms::default()
        };
        let mut machine = Machine::new(terms, Dice::seeded(1));
        let services = ["static", "dynamic"].map(|name| machine.service(name));
        for (nth, service) in services.into_iter().enumerate() {
            machine.add(service, EndpointTerms::local(&nth.to_string(), SLOTS), Instant::START);
        }
        let twin = twin.clone();
        Self { machine, services, waiters: Vec::new(), connections: Vec::new(), twin }
    }

    fn apply(mut real: Self, after: &Twin, step: Step) -> Self {
        real.twin.heard.clear();
        real.twin.now += step.pass;
        real.twin.sweep();
        if real.machine.wake_at() <= real.twin.now {
            real.machine.sweep(real.twin.now);
        }
        real.on(&step.said);
        let heard = real.heard();
        real.twin.on(&step.said);
        assert_eq!(heard, real.twin.heard, "after {step:?}");
        assert_eq!(real.twin.heard, after.heard);
        let stats = real.machine.stats(real.twin.now);
        let count =
            |wanted: fn(&Is) -> bool| after.rows.iter().filter(|row| wanted(&row.is)).count();
        assert_eq!(stats.connecting, count(|is| *is == Is::Connecting));
        assert_eq!(stats.active, count(|is| *is == Is::Busy));
        assert_eq!(stats.idle, count(|is| matches!(is, Is::Idle(_))));
        assert_eq!(stats.closing, count(|is| *is == Is::Closing));
        assert_eq!((stats.opened, stats.closed), (after.numbers as u64, after.closed as u64));
        assert_eq!(stats.waiting, after.waiting.len());
        real
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_orders_what_its_naive_twin_orders(sequential 1..60 => Real);
}
