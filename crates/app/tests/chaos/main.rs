//! Chaos: a real gateway before three real services, with everything that can break breaking, by seed.
//!
//! Processes are killed and stopped, connections are reset, delayed, half-open, dripped, cut and
//! spoilt, disks are full, clocks jump, and strangers knock at the door; meanwhile clients ask, leave,
//! come back and cancel, and each keeps a ledger of what it was told. When all is over every accepted
//! request must have one end, of its own app, and nothing may be left.
//!
//! `ASSAY_CHAOS_SEED=N` chooses what happens, `ASSAY_CHAOS_SECONDS=N` for how long. Processes have
//! their own mind: the same seed does the same things, not with the same outcome. `scripts/chaos`
//! goes on for an hour.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of `#[test]` functions")]

mod diary; // what was done, and what was found wrong
mod house; // the processes, and the network between them
mod intruder; // strangers at the gateway's door
mod leaks; // what is left when all is over
mod ledger; // what clients were told, compared with what is true
mod monkey; // who breaks things
mod player; // one client that behaves
mod stage; // folders, apps, tools, disks and clocks

use assay_rules::Dice;
use diary::Diary;
use house::House;
use ledger::Ledger;
use monkey::Monkey;
use player::Player;
use stage::Stage;
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Runtime, sync::watch, task::JoinSet};

/// As long as CI has time for it.
const SECONDS: u64 = 60;

/// Clients that behave. More than the slots of all services, so that work waits.
const PLAYERS: u64 = 14;

/// What has not come to its end so long after the last toxin never will: it is longer than every
/// deadline, grace, keep-alive and breaker together.
const SETTLED_WITHIN: Duration = Duration::from_secs(150);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[test]
fn every_accepted_request_has_one_end_whatever_breaks() {
    if testkit::with_mounts_of_its_own("every_accepted_request_has_one_end_whatever_breaks") {
        return;
    }
    let seed = number("ASSAY_CHAOS_SEED").unwrap_or(1);
    let seconds = number("ASSAY_CHAOS_SECONDS").unwrap_or(SECONDS);
    println!("chaos: ASSAY_CHAOS_SEED={seed} ASSAY_CHAOS_SECONDS={seconds}");
    let diary = Arc::new(Diary::new(seed));
    let stage = Arc::new(Stage::new(seed));
    let mut house = House::new(Arc::clone(&stage), Arc::clone(&diary), seed);
    let ledger = Arc::new(Ledger::new(Arc::clone(&diary)));
    // A panic here is a fault too, and its logs are wanted.
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        play(&mut house, &ledger, &diary, Duration::from_secs(seconds));
    }));
    if let Err(panic) = &played {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        diary.fault(format!("the test broke off: {}", words.unwrap_or("a panic")));
    }
    println!("chaos: seed {seed}: {}", ledger.summary());
    println!("chaos: seed {seed}: {}", diary.summary());
    if diary.has_faults() {
        let kept = house.keep();
        panic!(
            "seed {seed}: {}\nreplay it with ASSAY_CHAOS_SEED={seed}; logs are kept in {}",
            diary.faults(),
            kept.display()
        );
    }
}

fn play(house: &mut House, ledger: &Arc<Ledger>, diary: &Arc<Diary>, for_so_long: Duration) {
    let mut dice = Dice::seeded(diary.seed());
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let before = leaks::Before::of(house);
    let (stop, over) = watch::channel(false);
    let mut players = JoinSet::new();
    for number in 0..PLAYERS {
        let player = Player::new(number, house.front_url(), dice.next_u64(), Arc::clone(ledger));
        players.spawn_on(player.play(over.clone()), runtime.handle());
    }
    let mut monkey = Monkey::new(dice.next_u64());
    monkey.play(house, for_so_long);
    house.repair();
    diary.note("the monkey has gone, all is repaired");
    stop.send_replace(true);
    let all = async { while players.join_next().await.is_some_and(|played| played.is_ok()) {} };
    let settled = runtime.block_on(tokio::time::timeout(SETTLED_WITHIN, all));
    let has_settled = settled.is_ok() && players.is_empty();
    drop(players);
    if !has_settled {
        // What is left besides would only be a consequence.
        diary.fault("some clients did not hear of every end");
        ledger.compare_with_the_wire(&runtime, house);
        return;
    }
    leaks::look(house, &before);
    ledger.compare_with_the_wire(&runtime, house);
    house.end();
    ledger.compare_with_the_book(&runtime, &house.book());
}
