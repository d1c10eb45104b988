//! Clients, gateway and services in one process under paused time, with connections that break:
//! thousands of seeds. A failing seed is printed; `ASSAY_SEED=N` replays it, `ASSAY_SEEDS=N` tries
//! more.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

#[path = "../common/mod.rs"]
mod common; // an analyzer that does as its request says
mod player; // one client that does what the dice say
mod toxic; // a stream that breaks
mod world; // gateway and services

use assay_rules::Dice;
use player::Player;
use std::time::Duration;
use tokio::{runtime::Builder, task::JoinSet, time::timeout};
use world::World;

/// Seeds that are tried by default: some seconds.
const SEEDS: u64 = 150;

/// Longer than any deadline of a player, any grace and any stop together, in paused time.
const FOREVER: Duration = Duration::from_mins(10);

#[test]
fn every_request_has_one_end_and_nothing_is_left_whatever_breaks() {
    let mut seen = player::Seen::default();
    testkit::each_seed("-p assay-server --test simulation", SEEDS, |seed| {
        let runtime =
            Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        seen.add(&runtime.block_on(play(seed)));
    });
    // A simulation in which something never happens proves nothing about it.
    if !testkit::replays_a_seed() {
        assert!(seen.has_seen_everything(), "{seen:?}");
    }
}

async fn play(seed: u64) -> player::Seen {
    let mut dice = Dice::seeded(seed);
    let world = World::new(&mut dice);
    let mut players = JoinSet::new();
    for number in 0..2 + dice.below(5) {
        let player = Player::new(number, world.clone(), Dice::seeded(dice.next_u64()));
        players.spawn(player.play());
    }
    let mut seen = player::Seen::default();
    let playing = async {
        while let Some(ended) = players.join_next().await {
            seen.add(&ended.unwrap());
        }
    };
    timeout(FOREVER, playing).await.expect("a client waits for ever");
    timeout(FOREVER, world.is_quiet()).await.expect("something goes on for ever");
    seen
}
