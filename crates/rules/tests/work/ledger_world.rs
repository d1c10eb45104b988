//! The ledger among clients that leave, get lost and come back, and runs that fail, panic, are
//! slow to stop or never answer. The world knows nothing of the ledger's inside: it keeps its own
//! books of what was promised, and checks them after every step.

use crate::seeds::{at, for_each_seed, ms, nth};
use assay_model::CancelReason;
use assay_rules::{
    Dice, Instant,
    ledger::{
        Age, Ask, ClientId, Cursor, Follow, Joined, Ledger, LedgerTerms, Msg, Order, RunEnd, RunId,
        Ticket,
    },
};
use std::{collections::BTreeMap, time::Duration};

const LOST_GRACE: Duration = Duration::from_millis(30);
const STOP_GRACE: Duration = Duration::from_millis(4);

/// A run as the world sees it.
#[derive(Debug)]
struct Run {
    key: u8,
    accepted: Instant,
    started: bool,
    stopped: Option<CancelReason>,
    /// What it was told last.
    deadline: Instant,
}

/// What a client was promised.
#[derive(Clone, Copy, Debug)]
struct Promise {
    client: ClientId,
    deadline: Instant,
    follow: Follow,
    lost: Option<Instant>,
    /// Its holder went and left detached work behind.
    gone: bool,
    /// The first tick that found it overdue.
    overdue: Option<Instant>,
}

impl Promise {
    fn is_here(&self) -> bool {
        self.lost.is_none() && !self.gone
    }
}

struct World {
    ledger: Ledger<u8>,
    now: Instant,
    runs: BTreeMap<RunId, Run>,
    promises: BTreeMap<Ticket, Promise>,
    done: BTreeMap<RunId, u8>,
    next_client: u64,
    next_run: u64,
    /// An answer that is on its way and may come late, or twice.
    delayed: Vec<Msg<u8>>,
}

impl World {
    fn new() -> Self {
        let terms = LedgerTerms {
            lost_grace: LOST_GRACE,
            stop_grace: STOP_GRACE,
            remember_for: ms(50),
            remember_max: 3,
        };
        Self {
            ledger: Ledger::new(terms),
            now: at(0),
            runs: BTreeMap::new(),
            promises: BTreeMap::new(),
            done: BTreeMap::new(),
            next_client: 0,
            next_run: 0,
            delayed: Vec::new(),
        }
    }

    fn any_ticket(&self, dice: &mut Dice) -> Ticket {
        let nth = nth(dice, self.promises.len() + 1);
        let stranger = Ticket { run: RunId(dice.below(self.next_run + 1)), seat: 9 };
        self.promises.keys().nth(nth).copied().unwrap_or(stranger)
    }

    fn any_msg(&mut self, dice: &mut Dice) -> Msg<u8> {
        let run = RunId(dice.below(self.next_run + 1).max(self.next_run.saturating_sub(4)));
        match dice.below(100) {
            0..35 => Msg::Submit(self.any_ask(dice)),
            35..45 => Msg::Leave { ticket: self.any_ticket(dice) },
            45..55 => Msg::Cancel { ticket: self.any_ticket(dice) },
            55..58 => Msg::Detach { ticket: self.any_ticket(dice) },
            58..63 => Msg::Lost { client: ClientId(dice.below(self.next_client + 1)) },
            63..67 => Msg::Stop { run, reason: CancelReason::Requested },
            67..85 => {
                let ends = [RunEnd::Done, RunEnd::Failed, RunEnd::Panicked, RunEnd::Stopped];
                let end = ends[nth(dice, 4)];
                let msg = Msg::Ended { run, end };
                if dice.below(4) == 0 {
                    self.delayed.push(msg); // once more, later
                }
                msg
            }
            85..90 if !self.delayed.is_empty() => {
                let late = nth(dice, self.delayed.len());
                self.delayed.swap_remove(late)
            }
            _ => Msg::Tick,
        }
    }

    fn any_ask(&mut self, dice: &mut Dice) -> Ask<u8> {
        // Some clients ask again over the same connection.
        let client = ClientId(self.next_client.saturating_sub(dice.below(3)));
        self.next_client += 1;
        Ask {
            client,
            key: [0, 1, 2, 3][nth(dice, 4)],
            deadline: self.now + ms(1 + dice.below(80)),
            follow: if dice.below(5) == 0 { Follow::Detach } else { Follow::Wait },
            age: if dice.below(5) == 0 { Age::Fresh } else { Age::Any },
            seen: (dice.below(3) == 0)
                .then(|| Cursor { run: RunId(dice.below(self.next_run + 1)), next: 5 }),
        }
    }

    fn step(&mut self, msg: Msg<u8>) {
        let owed = self.owed_by(msg);
        let mut orders = Vec::new();
        self.ledger.on(msg, self.now, &mut orders);
        let told: Vec<Ticket> = orders
            .iter()
            .filter_map(|order| match order {
                Order::Tell { ticket, .. } => Some(*ticket),
                _ => None,
            })
            .collect();
        if let (Msg::Ended { .. }, Some(owed)) = (msg, owed) {
            assert_eq!(told, owed, "who is told is who is there");
        }
        self.listen(msg);
        let ended = self.end(msg);
        for order in orders {
            self.perform(msg, order);
        }
        self.promises.retain(|ticket, _| Some(ticket.run) != ended);
        self.check(matches!(msg, Msg::Tick));
    }

    /// Who has to be told when this run ends.
    fn owed_by(&self, msg: Msg<u8>) -> Option<Vec<Ticket>> {
        let Msg::Ended { run, .. } = msg else { return None };
        self.runs.get(&run).filter(|run| run.started)?;
        let mine = self.promises.iter().filter(|(ticket, _)| ticket.run == run);
        Some(mine.filter(|(_, promise)| promise.is_here()).map(|(ticket, _)| *ticket).collect())
    }

    /// What a message alone does to the books.
    fn listen(&mut self, msg: Msg<u8>) {
        match msg {
            Msg::Leave { ticket } => match self.promises.get_mut(&ticket) {
                Some(promise) if promise.follow == Follow::Detach => promise.gone = true,
                _ => drop(self.promises.remove(&ticket)),
            },
            Msg::Detach { ticket } => {
                if let Some(promise) = self.promises.get_mut(&ticket) {
                    promise.follow = Follow::Detach;
                    promise.gone |= promise.lost.take().is_some();
                }
            }
            Msg::Lost { client } => {
                let mine = self.promises.values_mut().filter(|promise| promise.client == client);
                for promise in mine.filter(|promise| promise.lost.is_none()) {
                    match promise.follow {
                        Follow::Detach => promise.gone = true,
                        Follow::Wait => promise.lost = Some(self.now),
                    }
                }
            }
            // Who is there is told; who is not has had its say.
            Msg::Cancel { ticket } => {
                self.promises.retain(|held, promise| *held != ticket || promise.is_here());
            }
            Msg::Tick => {
                let now = self.now;
                self.promises.retain(|_, promise| {
                    let given_up = promise.lost.is_some_and(|lost| lost + LOST_GRACE <= now);
                    !given_up && (promise.is_here() || now < promise.deadline)
                });
            }
            _ => {}
        }
    }

    fn perform(&mut self, msg: Msg<u8>, order: Order<u8>) {
        match order {
            Order::Accept { client, ticket, from, joined } => {
                let Msg::Submit(ask) = msg else { panic!("{order:?} for {msg:?}") };
                assert_eq!(client, ask.client);
                let seen = ask.seen.filter(|seen| seen.run == ticket.run);
                assert_eq!(from, seen.map_or(0, |seen| seen.next));
                self.accept(ticket, joined, &ask);
            }
            Order::Refuse { .. } => assert!(matches!(msg, Msg::Submit(_))),
            Order::Start { run, key, deadline } => {
                assert!(!self.has_live(key), "two live runs of {key}");
                let started = self.runs.get_mut(&run).expect("it was accepted before");
                assert!(!std::mem::replace(&mut started.started, true), "started twice");
                assert_eq!(started.key, key);
                started.deadline = deadline;
            }
            Order::Deadline { run, deadline } => {
                let run = self.runs.get_mut(&run).expect("it lives");
                assert!(run.started && run.stopped.is_none());
                run.deadline = deadline;
            }
            Order::Stop { run, reason } => {
                let run = self.runs.get_mut(&run).expect("only a live run is stopped");
                assert!(run.started && run.stopped < Some(reason), "milder, or never started");
                run.stopped = Some(reason);
            }
            Order::Withdraw { run, .. } => {
                assert!(!self.runs.remove(&run).expect("it lives").started);
                self.promises.retain(|ticket, promise| ticket.run != run || promise.is_here());
            }
            Order::Tell { ticket, client, .. } | Order::Release { ticket, client, .. } => {
                if let Some(promise) = self.promises.remove(&ticket) {
                    assert!(promise.is_here(), "nobody is there");
                    assert_eq!(promise.client, client);
                } else {
                    let replayed = self.done.contains_key(&ticket.run);
                    assert!(replayed && matches!(msg, Msg::Submit(_)), "{ticket:?} told twice");
                }
            }
        }
    }

    /// Takes a run that ends out of the books; its promises go when they were kept.
    fn end(&mut self, msg: Msg<u8>) -> Option<RunId> {
        let Msg::Ended { run, end } = msg else { return None };
        self.runs.get(&run).filter(|run| run.started)?;
        let ended = self.runs.remove(&run)?;
        if end == RunEnd::Done && ended.stopped.is_none() {
            self.done.insert(run, ended.key);
        }
        Some(run)
    }

    fn accept(&mut self, ticket: Ticket, joined: Joined, ask: &Ask<u8>) {
        let (client, deadline, follow) = (ask.client, ask.deadline, ask.follow);
        match joined {
            Joined::Replayed => {
                assert_eq!(self.done.get(&ticket.run), Some(&ask.key), "not what was asked for");
                assert_eq!(ask.age, Age::Any);
                return;
            }
            Joined::Live => {
                let run = &self.runs[&ticket.run];
                assert!(run.started && run.stopped.is_none(), "joined a run that is stopping");
                assert_eq!((run.key, ask.age), (ask.key, Age::Any), "not what was asked for");
            }
            Joined::Queued | Joined::Started => {
                let (key, accepted) = (ask.key, self.now);
                let run = self.runs.entry(ticket.run).or_insert(Run {
                    key,
                    accepted,
                    started: false,
                    stopped: None,
                    deadline,
                });
                assert!(!run.started, "a refresh joined a run that had begun");
                assert_eq!(run.key, ask.key);
                self.next_run = self.next_run.max(ticket.run.0 + 1);
            }
        }
        let promise = Promise { client, deadline, follow, lost: None, gone: false, overdue: None };
        assert!(self.promises.insert(ticket, promise).is_none(), "{ticket:?} given twice");
    }

    fn has_live(&self, key: u8) -> bool {
        self.runs.values().any(|run| run.key == key && run.started && run.stopped.is_none())
    }

    /// What has to hold after every step; some of it only when time was told.
    fn check(&mut self, ticked: bool) {
        for (id, run) in &self.runs {
            let mine = || self.promises.iter().filter(|(ticket, _)| ticket.run == *id);
            let latest = mine().map(|(_, promise)| promise.deadline).max();
            if run.started && run.stopped.is_none() {
                assert_eq!(Some(run.deadline), latest, "{id:?} runs for nobody, or too long");
            }
            assert!(run.started || latest.is_some(), "{id:?} is queued for nobody");
            assert!(run.started || self.has_live(run.key), "{id:?} is queued behind nothing");
            if ticked && run.stopped.is_none() {
                assert!(latest.is_some_and(|latest| self.now < latest), "{id:?} is over its time");
            }
            assert!(run.accepted <= self.now);
        }
        if !ticked {
            return;
        }
        for (ticket, promise) in &mut self.promises {
            let stopping = self.runs[&ticket.run].stopped.is_some();
            assert!(stopping || self.now < promise.deadline, "{ticket:?} waits too long");
            if promise.deadline <= self.now && promise.is_here() {
                // One tick stops the run; the first one after the grace lets go of who waits.
                let since = *promise.overdue.get_or_insert(self.now);
                assert!(self.now < since + STOP_GRACE, "{ticket:?} hangs");
            }
        }
    }

    /// Everything ends; nothing may stay.
    fn finish(&mut self) {
        while let Some(run) = self.runs.iter().find(|(_, run)| run.started).map(|(id, _)| *id) {
            self.step(Msg::Ended { run, end: RunEnd::Done });
        }
        assert!(self.runs.is_empty(), "{:?} never started", self.runs);
        assert!(self.promises.is_empty(), "never told: {:?}", self.promises);
        assert_eq!((self.ledger.live(), self.ledger.next_due()), (0, None));
    }
}

#[test]
fn every_promise_is_kept_whatever_clients_and_runs_do() {
    for_each_seed(2_000, |dice| {
        let mut world = World::new();
        for _ in 0..120 {
            // Mostly small steps, sometimes a leap as after a machine has slept.
            let pass = match dice.below(20) {
                0 => dice.below(200),
                1..10 => dice.below(8),
                _ => 0,
            };
            world.now += ms(pass);
            if pass > 50 {
                world.step(Msg::Tick);
            }
            let msg = world.any_msg(dice);
            world.step(msg);
        }
        world.finish();
    });
}

#[test]
fn shutting_down_at_any_moment_stops_all_and_loses_nobody() {
    for_each_seed(500, |dice| {
        let mut world = World::new();
        for _ in 0..dice.below(60) {
            world.now += ms(dice.below(5));
            let msg = world.any_msg(dice);
            world.step(msg);
        }
        world.step(Msg::ShutDown);
        assert!(world.runs.values().all(|run| run.stopped == Some(CancelReason::ShuttingDown)));
        world.finish();
    });
}
