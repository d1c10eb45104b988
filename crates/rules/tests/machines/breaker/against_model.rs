//! The breaker against its model, step by step; proptest shrinks what differs.

use super::model::{Model, Real, Said, Step};
use assay_rules::{
    Dice, Instant, Percent,
    breaker::{Answer, Mode, Rates, Settings, Slow, Window},
};
use proptest::{prelude::*, strategy::Union};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::{num::NonZeroU32, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

struct Reference;

struct Test;

impl ReferenceStateMachine for Reference {
    /// The model, and what it was made of, so that the breaker is made of the same.
    type State = (Model, Settings, u64);
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self::State> {
        let start = prop_oneof![Just(Instant::START), Just(late())];
        (settings(), any::<u64>(), start)
            .prop_map(|(settings, seed, start)| {
                (Model::new(settings, start, Dice::seeded(seed)), settings, seed)
            })
            .boxed()
    }

    fn transitions((_, settings, _): &Self::State) -> BoxedStrategy<Step> {
        let waits = [
            Duration::ZERO,
            Duration::from_nanos(1),
            SECOND / 3,
            SECOND,
            settings.open_for,
            settings.open_for_max,
            settings.trial_lease,
            settings.trial_lease.saturating_sub(Duration::from_nanos(1)),
            Duration::from_hours(1_000_000),
        ];
        let jumps = prop_oneof![Just(Instant::START), Just(late()), Just(Instant::MAX)];
        let which = any::<usize>();
        Union::new_weighted(vec![
            (30, Just(Step::Admit).boxed()),
            (30, (which, answer()).prop_map(|(which, answer)| Step::Answer(which, answer)).boxed()),
            (20, prop::sample::select(waits.to_vec()).prop_map(Step::Wait).boxed()),
            (4, which.prop_map(Step::Lose).boxed()),
            (2, jumps.prop_map(Step::Jump).boxed()),
            (3, mode().prop_map(Step::SetMode).boxed()),
        ])
        .boxed()
    }

    fn apply((mut model, settings, seed): Self::State, step: &Step) -> Self::State {
        model.apply(*step);
        (model, settings, seed)
    }
}

impl StateMachineTest for Test {
    type SystemUnderTest = Real;
    type Reference = Reference;

    fn init_test((model, settings, seed): &(Model, Settings, u64)) -> Real {
        Real::new(*settings, model.now, Dice::seeded(*seed))
    }

    fn apply(mut real: Real, (model, ..): &(Model, Settings, u64), step: Step) -> Real {
        let said: Said = real.apply(step);
        assert_eq!(said, model.said, "{step:?}");
        real
    }

    fn check_invariants(real: &Real, (model, ..): &(Model, Settings, u64)) {
        assert_eq!(real.breaker.reading(model.now), model.reading());
    }
}

prop_state_machine! {
    #[test]
    fn the_breaker_does_what_its_model_does(sequential 1..120 => Test);
}

fn late() -> Instant {
    Instant::after_start(Duration::from_nanos(u64::MAX - 5_000_000_000))
}

fn answer() -> impl Strategy<Value = Answer> {
    let asked = prop::sample::select(vec![
        None,
        Some(Duration::ZERO),
        Some(SECOND * 90),
        Some(Duration::MAX),
    ]);
    prop_oneof![
        4 => Just(Answer::Success),
        4 => Just(Answer::Failure),
        2 => asked.prop_map(|retry_after| Answer::Overload { retry_after }),
        1 => Just(Answer::Ignored),
        1 => Just(Answer::Abandoned),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        4 => Just(Mode::Normal),
        2 => Just(Mode::WatchOnly),
        1 => Just(Mode::ForcedOpen),
        1 => Just(Mode::Off),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let count = |most: u32| (1..=most).prop_map(|n| NonZeroU32::new(n).expect("from 1"));
    let time =
        prop::sample::select(vec![Duration::ZERO, SECOND, Duration::from_mins(1), Duration::MAX]);
    let row = prop_oneof![3 => count(4), 1 => Just(NonZeroU32::MAX)];
    (row, count(3), time.clone(), time.clone(), time, prop::option::of(rates())).prop_map(
        |(failure_threshold, successes_to_close, open_for, open_for_max, trial_lease, rates)| {
            Settings {
                failure_threshold,
                rates,
                open_for,
                open_for_max,
                successes_to_close,
                trial_lease,
                ..Settings::default()
            }
        },
    )
}

fn rates() -> impl Strategy<Value = Rates> {
    let window = prop_oneof![
        (1_u32..=6).prop_map(|n| Window::Calls(NonZeroU32::new(n).expect("from 1"))),
        prop::sample::select(vec![
            Duration::ZERO,
            Duration::from_nanos(64),
            SECOND,
            SECOND * 3,
            Duration::MAX
        ])
        .prop_map(Window::Time),
    ];
    let share = || prop::sample::select(vec![1, 34, 50, 100]).prop_map(Percent::new);
    let slow = (prop::sample::select(vec![Duration::ZERO, SECOND / 3, SECOND]), share())
        .prop_map(|(at_least, share)| Slow { at_least, share });
    (window, 1_u32..=7, prop::option::of(share()), prop::option::of(slow)).prop_map(
        |(window, minimum, failures, slow)| Rates {
            window,
            minimum_calls: NonZeroU32::new(minimum).expect("from 1"),
            failures,
            slow,
        },
    )
}
