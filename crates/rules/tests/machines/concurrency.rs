//! The adaptive limit of calls at once.

mod against_model; // steps by proptest, and by seed
mod service; // a service that bears so much and no more

use assay_rules::{
    Instant, Percent,
    concurrency::{Answer, Cause, Change, Full, Limiter, Settings, Slot},
};
use std::{num::NonZeroU32, time::Duration};

const MILLI: Duration = Duration::from_millis(1);
const START: Instant = Instant::START;

/// A limiter, its clock, and rounds that fill it.
struct World {
    limiter: Limiter,
    now: Instant,
}

impl World {
    fn new(initial: u32) -> Self {
        let initial = NonZeroU32::new(initial).expect("not 0");
        Self::of(Settings { initial, ..Settings::default() })
    }

    fn of(settings: Settings) -> Self {
        Self { limiter: Limiter::new(settings), now: START }
    }

    fn fill(&mut self) -> Vec<Slot> {
        let slots: Vec<Slot> = std::iter::from_fn(|| self.limiter.admit(self.now).ok()).collect();
        assert_eq!(self.limiter.reading().in_flight, self.limiter.reading().limit);
        slots
    }

    /// Fills the limit, and so long after that all are answered.
    fn round(&mut self, took: Duration, answer: Answer) -> Option<Change> {
        let slots = self.fill();
        self.now += took;
        let changes =
            slots.into_iter().filter_map(|slot| self.limiter.answer(slot, answer, self.now));
        let changes: Vec<Change> = changes.collect();
        assert!(changes.len() <= 1, "once a round");
        changes.first().copied()
    }

    fn steady_rounds(&mut self, rounds: u32) {
        for _ in 0..rounds {
            self.round(MILLI * 100, Answer::Success);
        }
    }
}

#[test]
fn a_limit_that_is_reached_grows_by_one_a_round_up_to_the_cap() {
    let mut world = World::of(Settings { max: limit(5), ..Settings::default() });
    assert_eq!(world.round(MILLI * 100, Answer::Success), None, "nothing to compare with");
    for from in 1..5 {
        let change = Change { from, to: from + 1, cause: Cause::Steady };
        assert_eq!(world.round(MILLI * 100, Answer::Success), Some(change));
    }
    assert_eq!(world.round(MILLI * 100, Answer::Success), None);
    assert_eq!(world.limiter.reading().limit, 5);
}

#[test]
fn a_limit_that_is_not_reached_does_not_grow() {
    let mut world = World::new(3);
    for _ in 0..20 {
        let slots = [0, 1].map(|_| world.limiter.admit(world.now).expect("of three"));
        world.now += MILLI * 100;
        for slot in slots {
            assert_eq!(world.limiter.answer(slot, Answer::Success, world.now), None);
        }
    }
    assert_eq!(world.limiter.reading().limit, 3);
}

#[test]
fn calls_that_are_slower_than_noise_lower_it_and_noise_holds_it() {
    // One call a round, which ends with an answer that is not measured.
    let round = |world: &mut World, took: Duration| {
        let [call, last] = [0, 1].map(|_| world.limiter.admit(world.now).expect("of twenty"));
        let measured = world.limiter.answer(call, Answer::Success, world.now + took);
        world.now += MILLI * 1_000;
        measured.or(world.limiter.answer(last, Answer::Ignored, world.now))
    };
    let mut world = World::new(20);
    for millis in [100, 120, 80, 120, 80] {
        assert_eq!(round(&mut world, MILLI * millis), None, "never full, so it does not grow");
    }
    // By hand, in ms: means 100, 108, 96.8, 106.08, 95.648; variances 2500, 1596, 1145.76,
    // 816.63, 653.22.
    let reading = world.limiter.reading();
    assert_eq!(reading.round_trip, Some(Duration::from_micros(95_648)));
    let deviation = reading.deviation.expect("measured");
    assert!(deviation.abs_diff(Duration::from_micros(25_558)) < MILLI / 100, "{deviation:?}");
    let band_ends = reading.round_trip.expect("measured") + deviation * 5 / 2;
    assert_eq!(round(&mut world, band_ends.saturating_sub(MILLI)), None, "noise");

    let reading = world.limiter.reading();
    let band_ends = reading.round_trip.expect("measured") + reading.deviation.expect("too") * 5 / 2;
    let slower = Change { from: 20, to: 18, cause: Cause::Slower };
    assert_eq!(round(&mut world, band_ends + MILLI), Some(slower));
}

#[test]
fn back_pressure_lowers_it_once_a_round_and_never_below_one() {
    let mut world = World::new(10);
    let mut limits = vec![];
    for _ in 0..12 {
        limits.extend(world.round(MILLI * 100, Answer::BackPressure).map(|change| change.to));
    }
    assert_eq!(limits, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert!(world.limiter.admit(world.now).is_ok(), "one is always tried");
}

#[test]
fn one_refused_call_among_many_is_enough_and_is_forgotten_with_the_round() {
    let mut world = World::new(4);
    world.steady_rounds(1);
    let mut slots = world.fill();
    let refused = slots.pop().expect("four");
    world.now += MILLI * 2;
    assert_eq!(world.limiter.answer(refused, Answer::BackPressure, world.now), None);
    world.now += MILLI * 98;
    let changes =
        slots.into_iter().filter_map(|slot| world.limiter.answer(slot, Answer::Success, world.now));
    assert_eq!(
        changes.collect::<Vec<_>>(),
        [Change { from: 4, to: 3, cause: Cause::BackPressure }]
    );
    let grown = world.round(MILLI * 100, Answer::Success).expect("a good round");
    assert_eq!(grown.cause, Cause::Steady);
}

#[test]
fn nothing_is_admitted_at_the_limit_nor_above_it_after_it_fell() {
    let mut world = World::new(10);
    let mut slots = world.fill();
    assert_eq!(world.limiter.admit(world.now), Err(Full { limit: 10 }));
    let one = slots.pop().expect("ten");
    world.limiter.answer(one, Answer::BackPressure, world.now).expect("the first round is over");
    // Nine are in flight, and nine is the limit.
    assert_eq!(world.limiter.admit(world.now), Err(Full { limit: 9 }));
    let one = slots.pop().expect("nine");
    world.limiter.answer(one, Answer::Ignored, world.now);
    assert!(world.limiter.admit(world.now).is_ok());
}

#[test]
fn only_what_succeeded_is_measured() {
    let mut world = World::new(4);
    world.steady_rounds(4);
    let before = world.limiter.reading().round_trip;
    for answer in [Answer::Ignored, Answer::BackPressure] {
        let slot = world.limiter.admit(world.now).expect("free");
        // Later than a round lasts: had it been measured, it would be seen.
        world.now += MILLI * 5_000;
        world.limiter.answer(slot, answer, world.now);
        assert_eq!(world.limiter.reading().round_trip, before, "{answer:?}");
    }
}

#[test]
fn a_refusal_shows_that_the_limit_was_reached() {
    for refused in [true, false] {
        let mut world = World::new(3);
        world.steady_rounds(1);
        assert_eq!(world.limiter.reading().limit, 3);
        let first = world.limiter.admit(world.now).expect("of three");
        world.now += MILLI * 100;
        let [next, _other] = [0, 1].map(|_| world.limiter.admit(world.now).expect("of three"));
        // The limit falls to two, which are in flight: in the new round nothing can be admitted.
        world.limiter.answer(first, Answer::BackPressure, world.now).expect("a decrease");
        assert!(!refused || world.limiter.admit(world.now).is_err());
        world.now += MILLI * 100;
        let change = world.limiter.answer(next, Answer::Success, world.now);
        assert_eq!(change.is_some(), refused, "{change:?}");
    }
}

#[test]
fn a_link_that_is_always_equally_quick_is_never_thought_slower() {
    for nanos in [1, 102, 33_333_333, 7_777_777_777] {
        let mut world = World::new(1);
        for _ in 0..150 {
            world.round(Duration::from_nanos(nanos), Answer::Success);
        }
        assert_eq!(world.limiter.reading().limit, 150, "{nanos} ns");
    }
}

#[test]
fn a_clock_that_steps_back_measures_nothing_and_begins_a_new_round() {
    let mut world = World::new(8);
    world.now = START + MILLI * 1_000_000;
    world.steady_rounds(3);
    let before = world.limiter.reading();
    let slot = world.limiter.admit(world.now).expect("free");
    world.limiter.answer(slot, Answer::Success, START + MILLI);
    assert_eq!(world.limiter.reading().round_trip, before.round_trip);
    // The rounds of the new time end, long before the old time comes again.
    world.now = START + MILLI * 2;
    world.steady_rounds(3);
    assert!(world.limiter.reading().limit > before.limit);
}

#[test]
fn settings_and_times_may_be_extreme() {
    let strange =
        Settings { initial: NonZeroU32::MAX, deviations: f64::NAN, ..Settings::default() };
    assert_eq!(Limiter::new(strange).reading().limit, 200, "no more than the cap");
    let endless = Settings { max: NonZeroU32::MAX, decrease_to: Percent::new(100), ..strange };
    let mut limiter = Limiter::new(endless);
    for (from, to) in [(START, Instant::MAX), (Instant::MAX, Instant::MAX), (START, START)] {
        let slot = limiter.admit(from).expect("free");
        limiter.answer(slot, Answer::Success, to);
        let slot = limiter.admit(from).expect("free");
        limiter.answer(slot, Answer::BackPressure, to);
    }
    // At least one less each time, also where all of it is kept.
    assert!(limiter.reading().limit < u32::MAX);
    assert_eq!(limiter.reading().in_flight, 0);
}

fn limit(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not 0")
}
