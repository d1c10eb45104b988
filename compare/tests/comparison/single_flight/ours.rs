//! Ours: the ledger, told what clients say.

use assay_rules::{
    Instant,
    ledger::{Age, Ask, ClientId, Follow, Ledger, LedgerTerms, Msg, Order, RunEnd, RunId, Ticket},
};
use std::time::Duration;

struct Desk {
    ledger: Ledger<&'static str>,
    orders: Vec<Order<&'static str>>,
}

fn at(s: u64) -> Instant {
    Instant::after_start(Duration::from_secs(s))
}

impl Desk {
    fn new() -> Self {
        Self { ledger: Ledger::new(LedgerTerms::default()), orders: Vec::new() }
    }

    fn say(&mut self, msg: Msg<&'static str>) {
        self.ledger.on(msg, at(0), &mut self.orders);
    }

    fn ask(&mut self, client: u64, age: Age, deadline: u64) -> Ticket {
        let (client, follow, deadline) = (ClientId(client), Follow::Wait, at(deadline));
        self.say(Msg::Submit(Ask { client, key: "work", deadline, follow, age, seen: None }));
        let ticket = self.orders.iter().rev().find_map(|order| match order {
            Order::Accept { ticket, .. } => Some(*ticket),
            _ => None,
        });
        ticket.expect("it is accepted")
    }

    /// Three clients want the same.
    fn shared() -> (Self, [Ticket; 3]) {
        let mut desk = Self::new();
        let tickets = [1, 2, 3].map(|client| desk.ask(client, Age::Any, 60));
        (desk, tickets)
    }

    fn end(&mut self, run: RunId, end: RunEnd) {
        self.say(Msg::Ended { run, end });
    }

    fn count(&self, is_it: fn(&Order<&'static str>) -> bool) -> usize {
        self.orders.iter().filter(|order| is_it(order)).count()
    }

    fn starts(&self) -> usize {
        self.count(|order| matches!(order, Order::Start { .. }))
    }

    fn stops(&self) -> usize {
        self.count(|order| matches!(order, Order::Stop { .. }))
    }
}

pub fn runs_once() -> bool {
    Desk::shared().0.starts() == 1
}

pub fn first_may_leave() -> bool {
    let (mut desk, [first, ..]) = Desk::shared();
    desk.say(Msg::Leave { ticket: first });
    desk.end(first.run, RunEnd::Done);
    let told = desk.count(|order| matches!(order, Order::Tell { end: RunEnd::Done, .. }));
    (desk.starts(), desk.stops(), told) == (1, 0, 2)
}

pub fn panic_reaches_all() -> bool {
    let (mut desk, [first, ..]) = Desk::shared();
    desk.end(first.run, RunEnd::Panicked);
    let told = desk.count(|order| matches!(order, Order::Tell { end: RunEnd::Panicked, .. }));
    (desk.starts(), told) == (1, 3)
}

/// The reason stands in the log of the run, which all of them read.
pub fn failure_reaches_all() -> bool {
    let (mut desk, [first, ..]) = Desk::shared();
    desk.end(first.run, RunEnd::Failed);
    desk.count(|order| matches!(order, Order::Tell { end: RunEnd::Failed, .. })) == 3
}

pub fn failure_is_forgotten() -> bool {
    let (mut desk, [first, ..]) = Desk::shared();
    desk.end(first.run, RunEnd::Failed);
    desk.ask(4, Age::Any, 60);
    desk.starts() == 2
}

pub fn stops_with_the_last() -> bool {
    let (mut desk, tickets) = Desk::shared();
    let stops = tickets.map(|ticket| {
        desk.say(Msg::Leave { ticket });
        desk.stops()
    });
    stops == [0, 0, 1]
}

pub fn detached_goes_on() -> bool {
    let mut desk = Desk::new();
    let ticket = desk.ask(1, Age::Any, 60);
    desk.say(Msg::Detach { ticket });
    desk.say(Msg::Leave { ticket });
    let goes_on = desk.stops() == 0;
    desk.ledger.on(Msg::Tick, at(60), &mut desk.orders);
    goes_on && desk.stops() == 1
}

pub fn deadline_is_the_latest() -> bool {
    let mut desk = Desk::new();
    let first = desk.ask(1, Age::Any, 60);
    let second = desk.ask(2, Age::Any, 90);
    let longer = desk.ledger.deadline(first.run) == Some(at(90));
    desk.say(Msg::Leave { ticket: second });
    longer && desk.ledger.deadline(first.run) == Some(at(60))
}

pub fn refresh_waits() -> bool {
    let (mut desk, [first, ..]) = Desk::shared();
    let refreshes = [4, 5].map(|client| desk.ask(client, Age::Fresh, 60).run);
    let waits = desk.starts() == 1;
    desk.end(first.run, RunEnd::Done);
    waits && refreshes[0] == refreshes[1] && desk.starts() == 2
}
