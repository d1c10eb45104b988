//! The limiter against a model that keeps every answer of every round, and computes mean and
//! deviation of all rounds by their definition: weights that add up to one.

use crate::seeds::{self, at, one_of};
use assay_rules::{
    Dice, Instant, Percent,
    concurrency::{Answer, Cause, Change, Limiter, Settings, Slot},
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::{num::NonZeroU32, time::Duration};

/// Numbers are taken modulo how many are in flight.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(Duration),
    Jump(Instant),
    Admit,
    Answer(usize, Answer),
    /// Nobody will ever answer.
    Lose(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Said {
    Nothing,
    Admitted,
    Full(u32),
    Changed(Option<Change>),
}

#[derive(Clone, Debug)]
struct Model {
    settings: Settings,
    now: Instant,
    said: Said,
    limit: u32,
    out: Vec<u64>,
    lost: u32,
    /// The means of all rounds in which something was measured.
    rounds: Vec<f64>,
    /// From when the present round counts, and how long it lasts.
    began: u64,
    lasts: u64,
    /// What happened in it.
    times: Vec<u64>,
    reached: bool,
    pressed: bool,
}

#[derive(Debug)]
struct Real {
    limiter: Limiter,
    now: Instant,
    out: Vec<Slot>,
}

impl Model {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: Instant::START,
            said: Said::Nothing,
            limit: settings.initial.get().min(settings.max.get()),
            out: Vec::new(),
            lost: 0,
            rounds: Vec::new(),
            began: 0,
            lasts: 0,
            times: Vec::new(),
            reached: false,
            pressed: false,
        }
    }

    fn apply(&mut self, step: Step) {
        self.said = Said::Nothing;
        match step {
            Step::Wait(span) => self.now += span,
            Step::Jump(to) => self.now = to,
            Step::Admit if self.in_flight() >= self.limit => {
                self.reached = true;
                self.said = Said::Full(self.limit);
            }
            Step::Admit => {
                self.out.push(self.now.as_nanos());
                self.reached |= self.in_flight() >= self.limit;
                self.said = Said::Admitted;
            }
            Step::Answer(..) | Step::Lose(_) if self.out.is_empty() => {}
            Step::Answer(which, answer) => {
                let given_at = self.out.swap_remove(which % self.out.len());
                self.said = Said::Changed(self.answer(given_at, answer));
            }
            Step::Lose(which) => {
                self.out.swap_remove(which % self.out.len());
                self.lost += 1;
            }
        }
    }

    fn in_flight(&self) -> u32 {
        u32::try_from(self.out.len()).expect("few") + self.lost
    }

    fn answer(&mut self, given_at: u64, answer: Answer) -> Option<Change> {
        let now = self.now.as_nanos();
        match answer {
            Answer::Success if given_at <= now => self.times.push(now - given_at),
            Answer::Success | Answer::Ignored => {}
            Answer::BackPressure => self.pressed = true,
        }
        if self.began <= now && now < self.began + self.lasts {
            return None;
        }
        let change = self.moved();
        self.limit = change.map_or(self.limit, |change| change.to);
        self.rounds.extend(self.mean());
        let length = match self.past() {
            Some((mean, _)) => whole(mean),
            None => now.saturating_sub(given_at),
        };
        (self.began, self.lasts) = (now, length.max(1));
        self.times.clear();
        (self.reached, self.pressed) = (false, false);
        change
    }

    fn moved(&self) -> Option<Change> {
        let from = self.limit;
        let fewer = (from * u32::from(self.settings.decrease_to.get()) / 100).min(from - 1).max(1);
        let down =
            |cause| Some(Change { from, to: fewer, cause }).filter(|change| change.to < from);
        if self.pressed {
            return down(Cause::BackPressure);
        }
        let (now, (mean, deviation)) = (self.mean()?, self.past()?);
        if now > mean + deviation * self.settings.deviations + 1.0 {
            return down(Cause::Slower);
        }
        let grows = self.reached && now <= mean + 1.0 && from < self.settings.max.get();
        grows.then_some(Change { from, to: from + 1, cause: Cause::Steady })
    }

    #[expect(clippy::cast_precision_loss, reason = "a test's times are small")]
    fn mean(&self) -> Option<f64> {
        let sum = self.times.iter().sum::<u64>() as f64;
        (!self.times.is_empty()).then(|| sum / self.times.len() as f64)
    }

    /// Mean and standard deviation of all rounds so far; the newest weighs most.
    fn past(&self) -> Option<(f64, f64)> {
        let share = f64::from(self.settings.new_round_weighs.get()) / 100.0;
        let mut weights = vec![];
        for (number, _) in self.rounds.iter().enumerate() {
            for weight in &mut weights {
                *weight *= 1.0 - share;
            }
            weights.push(if number == 0 { 1.0 } else { share });
        }
        let weighted = || self.rounds.iter().zip(&weights);
        let mean: f64 = weighted().map(|(round, weight)| round * weight).sum();
        let variance: f64 = weighted().map(|(round, weight)| (round - mean).powi(2) * weight).sum();
        // Of one round alone half the time is the deviation; the weight of that fades like its own.
        let first = self.rounds.first()? / 2.0;
        let variance = variance + first.powi(2) * weights.first()?;
        Some((mean, variance.sqrt()))
    }

    /// That the limiter says the same; times to a millionth, since floats are added in another order.
    fn check(&self, real: &Real) {
        let reading = real.limiter.reading();
        assert_eq!((reading.limit, reading.in_flight), (self.limit, self.in_flight()));
        let near = |real: Option<Duration>, model: Option<f64>| match (real, model) {
            (Some(real), Some(model)) => {
                let off = (real.as_secs_f64() * 1e9 - model).abs();
                assert!(off <= 2.0 + model * 1e-6, "{real:?} is not {model} ns");
            }
            (real, model) => assert_eq!(real.is_some(), model.is_some()),
        };
        near(reading.round_trip, self.past().map(|(mean, _)| mean));
        // A difference of squares: of the mean's precision only half is left.
        let real = reading.deviation.map(|deviation| deviation.as_secs_f64() * 1e9);
        if let (Some(real), Some((mean, model))) = (real, self.past()) {
            assert!((real - model).abs() <= 2.0 + mean * 1e-6, "{real} ns is not {model} ns");
        }
        assert!((1..=self.settings.max.get()).contains(&reading.limit));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a test's times are small")]
#[expect(clippy::cast_sign_loss, reason = "and positive")]
fn whole(nanos: f64) -> u64 {
    nanos.round() as u64
}

impl Real {
    fn new(settings: Settings) -> Self {
        Self { limiter: Limiter::new(settings), now: Instant::START, out: Vec::new() }
    }

    fn apply(&mut self, step: Step) -> Said {
        match step {
            Step::Wait(span) => self.now += span,
            Step::Jump(to) => self.now = to,
            Step::Admit => match self.limiter.admit(self.now) {
                Ok(slot) => {
                    self.out.push(slot);
                    return Said::Admitted;
                }
                Err(full) => return Said::Full(full.limit),
            },
            Step::Answer(..) | Step::Lose(_) if self.out.is_empty() => {}
            Step::Answer(which, answer) => {
                let slot = self.out.swap_remove(which % self.out.len());
                return Said::Changed(self.limiter.answer(slot, answer, self.now));
            }
            Step::Lose(which) => drop(self.out.swap_remove(which % self.out.len())),
        }
        Said::Nothing
    }
}

struct Test;

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        any::<u64>().prop_map(|seed| Model::new(settings(&mut Dice::seeded(seed)))).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let millis = prop_oneof![Just(0_u64), 1..300_u64, Just(100_000)];
        let answer = prop_oneof![
            5 => Just(Answer::Success),
            1 => Just(Answer::BackPressure),
            1 => Just(Answer::Ignored),
        ];
        prop_oneof![
            8 => Just(Step::Admit),
            8 => (any::<usize>(), answer).prop_map(|(which, answer)| Step::Answer(which, answer)),
            6 => millis.prop_map(|millis| Step::Wait(Duration::from_millis(millis))),
            1 => any::<usize>().prop_map(Step::Lose),
            1 => Just(Step::Jump(Instant::START)),
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
        model.check(real);
    }
}

prop_state_machine! {
    #[test]
    fn the_limiter_does_what_its_model_does(sequential 1..150 => Test);
}

#[test]
fn the_limiter_does_what_its_model_does_by_seed() {
    seeds::each("the_limiter_does_what_its_model_does_by_seed", 2_000, |dice| {
        let settings = settings(dice);
        let (mut real, mut model) = (Real::new(settings), Model::new(settings));
        for _ in 0..200 {
            let step = step(dice);
            let before = real.limiter.reading();
            model.apply(step);
            let said = real.apply(step);
            assert_eq!(said, model.said, "{step:?} under {settings:?}");
            model.check(&real);
            if said == Said::Admitted {
                assert!(before.in_flight < before.limit, "more than the limit");
            }
        }
    });
}

fn step(dice: &mut Dice) -> Step {
    let which = at(dice, 1_000);
    match dice.below(50) {
        0..18 => Step::Admit,
        18..36 => {
            let success = Answer::Success;
            let answers =
                [success, success, success, success, Answer::BackPressure, Answer::Ignored];
            Step::Answer(which, one_of(dice, &answers))
        }
        36..48 => {
            let any = Duration::from_nanos(dice.below(200_000_000));
            let waits = [Duration::ZERO, Duration::from_nanos(1), any, any, Duration::from_mins(9)];
            Step::Wait(one_of(dice, &waits))
        }
        48 => Step::Lose(which),
        _ => Step::Jump(one_of(dice, &[Instant::START, Instant::START + Duration::from_mins(5)])),
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let count = |n| NonZeroU32::new(n).expect("not 0");
    Settings {
        initial: count(one_of(dice, &[1, 2, 10, 500])),
        max: count(one_of(dice, &[1, 3, 12, 200])),
        new_round_weighs: Percent::new(one_of(dice, &[1, 40, 100])),
        deviations: one_of(dice, &[0.0, 1.0, 2.5]),
        decrease_to: Percent::new(one_of(dice, &[1, 50, 90, 100])),
    }
}
