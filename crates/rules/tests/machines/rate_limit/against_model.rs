//! The rate limit against a model that keeps every request that was ever admitted and plays each
//! client's past anew for every question, in exact fractions.

use assay_rules::{
    Instant,
    rate_limit::{Limited, LimitedReason, RateLimit, Settings},
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

/// A token, in units of which the rate yields a whole number in a nanosecond.
const TOKEN: u128 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Wait(Duration),
    Ask(u8),
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) now: Instant,
    pub(super) said: Option<Result<(), Limited>>,
    settings: Settings,
    admitted: BTreeMap<u8, Vec<u128>>,
}

impl Model {
    pub(super) fn new(settings: Settings, now: Instant) -> Self {
        Self { now, said: None, settings, admitted: BTreeMap::new() }
    }

    pub(super) fn apply(&mut self, step: Step) {
        self.said = match step {
            Step::Wait(span) => {
                self.now += span;
                None
            }
            Step::Ask(client) => Some(self.ask(client)),
        };
    }

    fn ask(&mut self, client: u8) -> Result<(), Limited> {
        let debtors: Vec<u8> =
            self.admitted.keys().copied().filter(|one| self.missing(*one) > 0).collect();
        let is_known = debtors.contains(&client);
        if !is_known && debtors.len() == self.settings.clients_max.get() as usize {
            let missing = debtors.iter().map(|one| self.missing(*one)).min().expect("not 0");
            let reason = LimitedReason::TooManyClients;
            return Err(Limited { retry_after: self.time_for(missing), reason });
        }
        let level = self.full() - self.missing(client);
        if level < TOKEN {
            let reason = LimitedReason::TooFast;
            return Err(Limited { retry_after: self.time_for(TOKEN - level), reason });
        }
        self.admitted.entry(client).or_default().push(u128::from(self.now.as_nanos()));
        Ok(())
    }

    fn full(&self) -> u128 {
        u128::from(self.settings.burst.get()) * TOKEN
    }

    /// What is missing in a client's bucket now.
    fn missing(&self, client: u8) -> u128 {
        let (mut missing, mut at) = (0, 0);
        let rate = u128::from(self.settings.per_second.get());
        let now = u128::from(self.now.as_nanos());
        for then in self.admitted.get(&client).into_iter().flatten() {
            missing = missing_after(missing, (then - at) * rate) + TOKEN;
            at = *then;
        }
        missing_after(missing, (now - at) * rate)
    }

    fn time_for(&self, missing: u128) -> Duration {
        let nanos = missing.div_ceil(u128::from(self.settings.per_second.get()));
        Duration::from_nanos(u64::try_from(nanos).expect("within the clock"))
    }
}

fn missing_after(missing: u128, yielded: u128) -> u128 {
    missing.saturating_sub(yielded)
}

#[derive(Debug)]
pub(super) struct Real {
    limit: RateLimit<u8>,
    now: Instant,
}

impl Real {
    pub(super) fn new(settings: Settings, now: Instant) -> Self {
        Self { limit: RateLimit::new(settings), now }
    }

    pub(super) fn apply(&mut self, step: Step) -> Option<Result<(), Limited>> {
        match step {
            Step::Wait(span) => {
                self.now += span;
                None
            }
            Step::Ask(client) => Some(self.limit.admit(&client, self.now)),
        }
    }

    pub(super) fn clients(&self) -> usize {
        self.limit.clients()
    }
}

struct Test;

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let count = |most: u32| (1..=most).prop_map(|n| NonZeroU32::new(n).expect("from 1"));
        let per_second = prop_oneof![count(7), count(u32::MAX)];
        (per_second, count(5), count(4))
            .prop_map(|(per_second, burst, clients_max)| Settings {
                per_second,
                burst,
                clients_max,
            })
            .prop_map(|settings| Model::new(settings, Instant::START))
            .boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Step> {
        let token = Duration::from_secs(1) / model.settings.per_second.get();
        let nano = Duration::from_nanos(1);
        let told = match model.said {
            Some(Err(limited)) => limited.retry_after,
            _ => token,
        };
        let waits = vec![
            nano,
            token,
            token + nano,
            told,
            told.saturating_sub(nano),
            token * 3,
            Duration::from_hours(1_000),
        ];
        prop_oneof![
            3 => (0_u8..7).prop_map(Step::Ask),
            1 => prop::sample::select(waits).prop_map(Step::Wait),
        ]
        .boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.apply(*step);
        model
    }
}

impl StateMachineTest for Test {
    type SystemUnderTest = Real;
    type Reference = Model;

    fn init_test(model: &Model) -> Real {
        Real::new(model.settings, model.now)
    }

    fn apply(mut real: Real, model: &Model, step: Step) -> Real {
        assert_eq!(real.apply(step), model.said, "{step:?}");
        real
    }

    fn check_invariants(real: &Real, model: &Model) {
        assert!(real.clients() <= model.settings.clients_max.get() as usize);
    }
}

prop_state_machine! {
    #[test]
    fn the_rate_limit_does_what_its_model_does(sequential 1..150 => Test);
}
