//! The rate limit by seed: against its model, and against its promise, told without a model.

use super::{
    against_model::{Model, Real, Step},
    of,
};
use crate::seeds::{self, one_of};
use assay_rules::{Dice, Instant, rate_limit::RateLimit};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_rate_limit_does_what_its_model_does_by_seed() {
    seeds::each("the_rate_limit_does_what_its_model_does_by_seed", 2_000, |dice| {
        let per_second = one_of(dice, &[1, 3, 7, 50, u32::MAX]);
        let settings = of(per_second, one_of(dice, &[1, 2, 9]), one_of(dice, &[1, 2, 3, 20]));
        let mut model = Model::new(settings, Instant::START);
        let mut real = Real::new(settings, Instant::START);
        for _ in 0..150 {
            let step = match dice.below(4) {
                0 => Step::Wait(wait(dice, per_second)),
                _ => Step::Ask(u8::try_from(dice.below(6)).expect("six clients")),
            };
            model.apply(step);
            assert_eq!(real.apply(step), model.said, "{step:?} under {settings:?}");
            assert!(real.clients() <= settings.clients_max.get() as usize);
        }
    });
}

/// Clocks may step back here. In a span a client gets its burst and what the rate yields, counted
/// over every pair of requests; and who is told to wait is admitted then.
#[test]
fn no_client_ever_gets_more_than_its_burst_and_its_rate() {
    seeds::each("no_client_ever_gets_more_than_its_burst_and_its_rate", 2_000, |dice| {
        let (per_second, burst) = (one_of(dice, &[1, 3, 50]), one_of(dice, &[1, 2, 7]));
        let mut limit = RateLimit::<u64>::new(of(per_second, burst, 3));
        let mut now = one_of(dice, &[Instant::START, Instant::START + SECOND * 1_000]);
        // When each client asked at the latest, and all that it got. In a client's own past
        // nothing is yielded: all that it gets there counts as got at its latest time.
        let mut clients: [(Instant, Vec<u128>); 3] = Default::default();
        for _ in 0..150 {
            now = match dice.below(20) {
                0 => Instant::START + SECOND * u32::try_from(dice.below(2_000)).expect("small"),
                1..5 => now + wait(dice, per_second),
                _ => now,
            };
            let client = dice.below(3);
            if let Err(limited) = limit.admit(&client, now) {
                now += limited.retry_after;
                assert_eq!(limit.admit(&client, now), Ok(()), "came back as told");
            }
            let (latest, admitted) = &mut clients[usize::try_from(client).expect("three")];
            *latest = now.max(*latest);
            admitted.push(u128::from(latest.as_nanos()));
        }
        for (_, times) in &clients {
            for (first, from) in times.iter().enumerate() {
                for (last, to) in times.iter().enumerate().skip(first) {
                    let yielded = (to - from) * u128::from(per_second);
                    let got = (last - first + 1) as u128 * 1_000_000_000;
                    assert!(got <= u128::from(burst) * 1_000_000_000 + yielded, "too many");
                }
            }
        }
    });
}

fn wait(dice: &mut Dice, per_second: u32) -> Duration {
    let token = SECOND / per_second;
    let any = Duration::from_nanos(dice.below(3_000_000_000));
    let nano = Duration::from_nanos(1);
    one_of(dice, &[Duration::ZERO, nano, token, token + nano, token * 2, any, SECOND * 100_000])
}
