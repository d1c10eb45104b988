//! Who breaks things, by seed.
//!
//! Keeps: every sort of deed has its turn before one has its second; what was done is undone.

use crate::{
    house::{House, REPLICAS, Who},
    intruder::Intruder,
};
use assay_rules::Dice;
use rustix::process::Signal;
use std::{thread, time::Duration};
use testkit::{Proxy, Toxin, Way};
use tokio::time::Instant;

/// What the monkey can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    KillReplica,
    KillGateway,
    TermReplica,
    TermGateway,
    StopReplica,
    StopGateway,
    PoisonLink,
    PoisonFront,
    PoisonOne,
    Sever,
    FillGateway,
    FillServices,
    JumpGateway,
    JumpReplica,
    Intrude,
}

const ALL: [Sort; 15] = [
    Sort::KillReplica,
    Sort::KillGateway,
    Sort::TermReplica,
    Sort::TermGateway,
    Sort::StopReplica,
    Sort::StopGateway,
    Sort::PoisonLink,
    Sort::PoisonFront,
    Sort::PoisonOne,
    Sort::Sever,
    Sort::FillGateway,
    Sort::FillServices,
    Sort::JumpGateway,
    Sort::JumpReplica,
    Sort::Intrude,
];

/// What was done and is to be undone.
enum Undo {
    Start(Who),
    Continue(Who),
    Heal(Where),
    Free(usize),
    Leave(Vec<Intruder>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Front,
    Link(usize),
}

pub(crate) struct Monkey {
    dice: Dice,
    deck: Vec<Sort>,
    poisons: Vec<&'static str>,
    undone: Vec<(Instant, Undo)>,
    /// What leaks is gone with a process: in the second half of a round the gateway stays the same.
    spares_the_gateway: bool,
}

// === impl Monkey ===

impl Monkey {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::seeded(seed),
            deck: Vec::new(),
            poisons: Vec::new(),
            undone: Vec::new(),
            spares_the_gateway: false,
        }
    }

    /// Does things for so long, then undoes what is not undone.
    pub(crate) fn play(&mut self, house: &mut House, for_so_long: Duration) {
        let half = for_so_long / 2;
        let begun = Instant::now();
        // Something runs when the first thing breaks.
        thread::sleep(Duration::from_millis(500));
        // A monkey that never does a thing proves nothing about it: on a slow machine it takes longer.
        while begun.elapsed() < half || has_left_out(house) {
            self.turn(house);
        }
        self.undo_all(house);
        self.fill(house, Sort::FillGateway, 0);
        self.spares_the_gateway = true;
        let spared = Instant::now();
        while spared.elapsed() < half {
            self.turn(house);
        }
        self.undo_all(house);
    }

    fn undo_all(&mut self, house: &mut House) {
        // Whoever is to start needs room.
        self.undone.sort_by_key(|(_, undo)| matches!(undo, Undo::Free(_)));
        while let Some((_, undo)) = self.undone.pop() {
            perform(undo, house);
        }
    }

    fn turn(&mut self, house: &mut House) {
        self.act(house);
        thread::sleep(Duration::from_millis(100 + self.dice.below(900)));
        self.undo(house, Instant::now());
    }

    fn undo(&mut self, house: &mut House, now: Instant) {
        let mut at = 0;
        while at < self.undone.len() {
            if self.undone[at].0 <= now {
                let (_, undo) = self.undone.remove(at);
                if let Some(left) = perform(undo, house) {
                    self.later(1_000, left);
                }
            } else {
                at += 1;
            }
        }
    }

    fn act(&mut self, house: &mut House) {
        if self.deck.is_empty() {
            self.deck = ALL.to_vec();
        }
        let at = self.below(self.deck.len());
        let sort = self.deck.swap_remove(at);
        let who = Who::Replica(self.below(REPLICAS));
        match sort {
            Sort::KillReplica => self.kill(house, sort, who),
            Sort::KillGateway | Sort::TermGateway | Sort::FillGateway
                if self.spares_the_gateway => {}
            Sort::KillGateway => self.kill(house, sort, Who::Gateway),
            Sort::TermReplica => self.term(house, sort, who),
            Sort::TermGateway => self.term(house, sort, Who::Gateway),
            Sort::StopReplica => self.stop(house, sort, who),
            Sort::StopGateway => self.stop(house, sort, Who::Gateway),
            Sort::PoisonLink => {
                let place = Where::Link(self.below(REPLICAS));
                self.poison(house, sort, place);
            }
            Sort::PoisonFront => self.poison(house, sort, Where::Front),
            Sort::PoisonOne => self.poison_one(house),
            Sort::Sever => {
                let place = self.anywhere();
                house.diary.deed(name(sort), format!("all connections of {place:?} are reset"));
                proxy(house, place).sever();
            }
            Sort::FillGateway => self.fill(house, sort, 0),
            Sort::FillServices => self.fill(house, sort, 1),
            Sort::JumpGateway => self.jump(house, sort, Who::Gateway),
            Sort::JumpReplica => self.jump(house, sort, who),
            Sort::Intrude => self.intrude(house),
        }
    }

    fn kill(&mut self, house: &mut House, sort: Sort, who: Who) {
        house.diary.deed(name(sort), format!("{} is killed", who.name()));
        house.kill(who);
        self.later(2_000, Undo::Start(who));
    }

    fn term(&mut self, house: &mut House, sort: Sort, who: Who) {
        // Whoever stands still hears nothing.
        if self.stands_still(who) {
            self.deck.push(sort);
            return;
        }
        house.diary.deed(name(sort), format!("{} is told to end", who.name()));
        house.term(who);
        self.later(1_000, Undo::Start(who));
    }

    fn stop(&mut self, house: &mut House, sort: Sort, who: Who) {
        house.diary.deed(name(sort), format!("{} is stopped", who.name()));
        house.signal(who, Signal::STOP);
        self.later(4_000, Undo::Continue(who));
    }

    fn poison(&mut self, house: &House, sort: Sort, place: Where) {
        let toxin = self.toxin();
        house.diary.deed(name(sort), format!("{place:?}: {toxin:?}"));
        proxy(house, place).poison(toxin);
        self.later(3_000, Undo::Heal(place));
    }

    fn poison_one(&mut self, house: &House) {
        let (place, toxin) = (self.anywhere(), self.toxin());
        if proxy(house, place).poison_one(toxin) {
            house.diary.deed(name(Sort::PoisonOne), format!("one of {place:?}: {toxin:?}"));
            self.later(6_000, Undo::Heal(place));
        } else {
            self.deck.push(Sort::PoisonOne);
        }
    }

    /// Every toxin comes before one comes again.
    fn toxin(&mut self) -> Toxin {
        if self.poisons.is_empty() {
            self.poisons = vec!["reset", "delay", "up", "down", "drip", "garbage", "cut"];
        }
        let at = self.below(self.poisons.len());
        match self.poisons.swap_remove(at) {
            "reset" => Toxin::Reset,
            "delay" => Toxin::Delay(Duration::from_millis(1 + self.dice.below(300))),
            "up" => Toxin::HalfOpen(Way::Up),
            "down" => Toxin::HalfOpen(Way::Down),
            "drip" => Toxin::Drip(Duration::from_micros(100 + self.dice.below(3_000))),
            "garbage" => Toxin::Garbage,
            _ => Toxin::Cut,
        }
    }

    fn fill(&mut self, house: &mut House, sort: Sort, disk: usize) {
        if house.stage.disks.is_none() {
            return;
        }
        house.diary.deed(name(sort), format!("disk {disk} is full"));
        house.fill(disk);
        // A gateway that has run for a while has room in its own log; one that begins has none.
        if disk == 0 && !self.stands_still(Who::Gateway) {
            house.kill(Who::Gateway);
            if !house.start(Who::Gateway) {
                self.later(1_000, Undo::Start(Who::Gateway));
            }
            house.fill(disk);
        }
        self.later(5_000, Undo::Free(disk));
    }

    fn stands_still(&self, who: Who) -> bool {
        let is_still = |undo: &Undo| matches!(undo, Undo::Continue(still) if *still == who);
        self.undone.iter().any(|(_, undo)| is_still(undo))
    }

    fn jump(&mut self, house: &mut House, sort: Sort, who: Who) {
        if !house.stage.can_move_clocks() {
            return;
        }
        let far = [2, 45, 3_700, 200_000][self.below(4)];
        let by = 1 + i64::try_from(self.dice.below(far)).unwrap();
        // A clock that only goes forward cannot be set back.
        let back = !house.stage.moves_monotonic && self.dice.below(2) == 0;
        let by = if back { -by } else { by };
        house.diary.deed(name(sort), format!("the clock of {} jumps by {by} s", who.name()));
        house.jump(who, by);
    }

    fn intrude(&mut self, house: &mut House) {
        let Some(daemon) = house.daemon(Who::Gateway) else { return };
        let address = daemon.address.parse().unwrap();
        let mut intruders = Vec::new();
        for _ in 0..=self.dice.below(7) {
            intruders.extend(Intruder::start(address, &mut self.dice));
        }
        let who: Vec<String> = intruders.iter().map(|who| format!("{:?}", who.sort)).collect();
        house.diary.deed(name(Sort::Intrude), format!("strangers come: {}", who.join(", ")));
        self.later(6_000, Undo::Leave(intruders));
    }

    fn later(&mut self, ms: u64, undo: Undo) {
        let due = Instant::now() + Duration::from_millis(200 + self.dice.below(ms));
        self.undone.push((due, undo));
    }

    fn anywhere(&mut self) -> Where {
        match self.below(REPLICAS + 1) {
            REPLICAS => Where::Front,
            number => Where::Link(number),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.dice.below(bound as u64)).unwrap()
    }
}

/// Whether something that can be done here was never done.
fn has_left_out(house: &House) -> bool {
    ALL.iter().any(|sort| {
        let can = match sort {
            Sort::FillGateway | Sort::FillServices => house.stage.disks.is_some(),
            Sort::JumpGateway | Sort::JumpReplica => house.stage.can_move_clocks(),
            _ => true,
        };
        can && house.diary.count(name(*sort)) == 0
    })
}

fn proxy(house: &House, place: Where) -> &Proxy {
    match place {
        Where::Front => &house.front,
        Where::Link(number) => &house.links[number],
    }
}

/// Undoes something. Returns what is to be tried again: on a full disk nobody starts.
fn perform(undo: Undo, house: &mut House) -> Option<Undo> {
    match undo {
        Undo::Start(who) => return (!house.start(who)).then_some(Undo::Start(who)),
        Undo::Continue(who) => {
            house.signal(who, Signal::CONT);
            house.diary.note(format!("{} goes on", who.name()));
        }
        Undo::Heal(place) => {
            proxy(house, place).heal();
            house.diary.note(format!("{place:?} is healed"));
        }
        Undo::Free(disk) => {
            house.free(disk);
            house.diary.note(format!("disk {disk} has room again"));
        }
        Undo::Leave(intruders) => {
            drop(intruders);
            house.diary.note("strangers leave");
        }
    }
    None
}

fn name(sort: Sort) -> &'static str {
    match sort {
        Sort::KillReplica => "replica killed",
        Sort::KillGateway => "gateway killed",
        Sort::TermReplica => "replica ended",
        Sort::TermGateway => "gateway ended",
        Sort::StopReplica => "replica stopped",
        Sort::StopGateway => "gateway stopped",
        Sort::PoisonLink => "link poisoned",
        Sort::PoisonFront => "front poisoned",
        Sort::PoisonOne => "connection poisoned",
        Sort::Sever => "severed",
        Sort::FillGateway => "gateway's disk full",
        Sort::FillServices => "services' disk full",
        Sort::JumpGateway => "gateway's clock jumped",
        Sort::JumpReplica => "replica's clock jumped",
        Sort::Intrude => "strangers came",
    }
}
