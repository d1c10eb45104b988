//! The budget against a model that keeps all that ever happened and adds it up anew each time.

use crate::seeds::{self, at};
use assay_rules::{
    Dice, Percent,
    retry::{Budget, BudgetReading, BudgetSettings, Call, Exhausted, Retry},
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// Numbers are taken modulo how many are in flight.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    End(usize),
    Retry,
    EndRetry(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happened {
    Began,
    Ended,
    Retried,
    RetryEnded,
}

#[derive(Clone, Debug)]
struct Model {
    settings: BudgetSettings,
    past: Vec<Happened>,
    said: Option<Exhausted>,
}

#[derive(Debug)]
struct Real {
    budget: Budget,
    calls: Vec<Call>,
    retries: Vec<Retry>,
}

impl Model {
    fn new(settings: BudgetSettings) -> Self {
        Self { settings, past: Vec::new(), said: None }
    }

    fn apply(&mut self, step: Step) {
        self.said = None;
        let BudgetReading { calls_in_flight, retries_in_flight, saved_hundredths } = self.reading();
        match step {
            Step::Begin => self.past.push(Happened::Began),
            Step::End(_) if calls_in_flight > 0 => self.past.push(Happened::Ended),
            Step::EndRetry(_) if retries_in_flight > 0 => self.past.push(Happened::RetryEnded),
            Step::End(_) | Step::EndRetry(_) => {}
            Step::Retry => {
                #[expect(clippy::cast_precision_loss, reason = "a test makes few calls")]
                let share = f64::from(self.settings.share.get()) * calls_in_flight as f64 / 100.0;
                #[expect(clippy::cast_precision_loss, reason = "a test makes few calls")]
                let then = (retries_in_flight + 1) as f64;
                if then > f64::from(self.settings.at_once).max(share + 1e-9) {
                    self.said = Some(Exhausted::InFlight);
                } else if saved_hundredths < 100 {
                    self.said = Some(Exhausted::Saved);
                } else {
                    self.past.push(Happened::Retried);
                }
            }
        }
    }

    fn reading(&self) -> BudgetReading {
        let count = |what| self.past.iter().filter(|past| **past == what).count() as u64;
        let most = u64::from(self.settings.saved_max) * 100;
        let earned = u64::from(self.settings.share.get());
        let saved_hundredths = self.past.iter().fold(most, |saved, past| match past {
            Happened::Began => most.min(saved + earned),
            Happened::Retried => saved - 100,
            Happened::Ended | Happened::RetryEnded => saved,
        });
        BudgetReading {
            calls_in_flight: count(Happened::Began) - count(Happened::Ended),
            retries_in_flight: count(Happened::Retried) - count(Happened::RetryEnded),
            saved_hundredths,
        }
    }
}

impl Real {
    fn new(settings: BudgetSettings) -> Self {
        Self { budget: Budget::new(settings), calls: Vec::new(), retries: Vec::new() }
    }

    fn apply(&mut self, step: Step) -> Option<Exhausted> {
        match step {
            Step::Begin => self.calls.push(self.budget.call_began()),
            Step::End(which) if !self.calls.is_empty() => {
                let call = self.calls.swap_remove(which % self.calls.len());
                self.budget.call_ended(call);
            }
            Step::EndRetry(which) if !self.retries.is_empty() => {
                let retry = self.retries.swap_remove(which % self.retries.len());
                self.budget.retry_ended(retry);
            }
            Step::End(_) | Step::EndRetry(_) => {}
            Step::Retry => match self.budget.retry() {
                Ok(retry) => self.retries.push(retry),
                Err(exhausted) => return Some(exhausted),
            },
        }
        None
    }
}

struct Test;

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let share = (1_u8..=100).prop_map(Percent::new);
        (share, 0_u32..4, 0_u32..6)
            .prop_map(|(share, at_once, saved_max)| BudgetSettings { share, at_once, saved_max })
            .prop_map(Model::new)
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        prop_oneof![
            4 => Just(Step::Begin),
            2 => any::<usize>().prop_map(Step::End),
            4 => Just(Step::Retry),
            2 => any::<usize>().prop_map(Step::EndRetry),
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
        Real::new(model.settings)
    }

    fn apply(mut real: Real, model: &Model, step: Step) -> Real {
        assert_eq!(real.apply(step), model.said, "{step:?}");
        real
    }

    fn check_invariants(real: &Real, model: &Model) {
        assert_eq!(real.budget.reading(), model.reading());
    }
}

prop_state_machine! {
    #[test]
    fn the_budget_does_what_its_model_does(sequential 1..80 => Test);
}

#[test]
fn retries_stay_a_share_of_the_calls_whatever_happens() {
    seeds::each("retries_stay_a_share_of_the_calls_whatever_happens", 2_000, |dice| {
        let share = Percent::new(u8::try_from(1 + dice.below(100)).expect("to 100"));
        let (at_once, saved_max) = (small(dice, 4), small(dice, 12));
        let settings = BudgetSettings { share, at_once, saved_max };
        let (mut real, mut model) = (Real::new(settings), Model::new(settings));
        let (mut calls, mut retries) = (0, 0);
        for _ in 0..80 {
            let step = step(dice);
            model.apply(step);
            let in_flight = real.retries.len();
            assert_eq!(real.apply(step), model.said, "{step:?}");
            assert_eq!(real.budget.reading(), model.reading(), "{step:?}");
            calls += u64::from(matches!(step, Step::Begin));
            retries += u64::from(real.retries.len() > in_flight);
            let share = u64::from(share.get());
            assert!(retries * 100 <= u64::from(saved_max) * 100 + share * calls, "too many in all");
            let reading = real.budget.reading();
            let least = u64::from(at_once) * 100;
            if real.retries.len() > in_flight {
                let allowed = least.max(share * reading.calls_in_flight);
                assert!(reading.retries_in_flight * 100 <= allowed, "too many at once");
            }
        }
    });
}

fn step(dice: &mut Dice) -> Step {
    match dice.below(12) {
        0..4 => Step::Begin,
        4..6 => Step::End(at(dice, 1_000)),
        6..10 => Step::Retry,
        _ => Step::EndRetry(at(dice, 1_000)),
    }
}

fn small(dice: &mut Dice, below: u64) -> u32 {
    u32::try_from(dice.below(below)).expect("small")
}
