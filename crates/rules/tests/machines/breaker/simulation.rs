//! A day of an endpoint, by seed: many calls at once, answers in any order, answers that never
//! come, a clock that jumps; and an endpoint that is ill for a while and gets well again.

use super::model::{Model, Real, Said, Step};
use crate::seeds::{self, at, one_of};
use assay_rules::{
    Dice, Instant, Percent,
    breaker::{Answer, Breaker, Circuit, Mode, Permit, Rates, Settings, Slow, Window},
};
use std::{num::NonZeroU32, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_breaker_does_what_its_model_does_by_seed() {
    seeds::each("the_breaker_does_what_its_model_does_by_seed", 3_000, |dice| {
        let (settings, seed) = (settings(dice), dice.next_u64());
        let start = one_of(dice, &[Instant::START, Instant::START + SECOND, late()]);
        let mut model = Model::new(settings, start, Dice::seeded(seed));
        let mut real = Real::new(settings, start, Dice::seeded(seed));
        for _ in 0..150 {
            let step = step(dice, &settings);
            let before = real.breaker.reading(model.now);
            model.apply(step);
            let said = real.apply(step);
            assert_eq!(said, model.said, "{step:?} under {settings:?}");
            let after = real.breaker.reading(model.now);
            assert_eq!(after, model.reading(), "{step:?} under {settings:?}");
            if matches!(said, Said::Refused(_) | Said::Nothing) && !is_time(step) {
                assert_eq!(before, after, "{step:?} says nothing and changes something");
            }
        }
    });
}

/// What nobody may ever see, told without a model: more than one trial at once, a straggler that
/// is heard, an endpoint that is well and stays shut out.
#[test]
fn no_trial_is_doubled_and_a_well_endpoint_is_let_in_again() {
    seeds::each("no_trial_is_doubled_and_a_well_endpoint_is_let_in_again", 2_000, |dice| {
        let settings = settings(dice);
        let mut world = World::new(settings, Breaker::new(settings, Dice::seeded(dice.next_u64())));
        for _ in 0..120 {
            world.step(dice);
        }
        world.recover();
    });
}

/// One endpoint and those who call it.
struct World {
    settings: Settings,
    breaker: Breaker,
    now: Instant,
    /// Permits that are out, with the number of transitions before each.
    out: Vec<(Permit, u32)>,
    transitions: u32,
    /// When the trial that is out was sent. Given back with its answer.
    trial: Option<(Instant, u32)>,
    serial: u32,
    serials: Vec<u32>,
}

impl World {
    fn new(settings: Settings, breaker: Breaker) -> Self {
        Self {
            settings,
            breaker,
            now: Instant::START,
            out: Vec::new(),
            transitions: 0,
            trial: None,
            serial: 0,
            serials: Vec::new(),
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(10) {
            0..4 => self.admit(),
            4..7 if !self.out.is_empty() => {
                let which = at(dice, self.out.len());
                self.answer(which, answer(dice));
            }
            7 if !self.out.is_empty() => {
                let which = at(dice, self.out.len());
                drop(self.out.swap_remove(which));
                self.serials.swap_remove(which);
            }
            _ => self.now += wait(dice, &self.settings),
        }
    }

    fn admit(&mut self) {
        let circuit = self.breaker.circuit(self.now);
        match self.breaker.admit(self.now) {
            Ok(admission) => {
                assert!(!matches!(circuit, Circuit::Open { .. }), "an open circuit let a call in");
                self.transitions += u32::from(admission.transition.is_some());
                self.serial += 1;
                if circuit == Circuit::HalfOpen {
                    if let Some((sent, _)) = self.trial {
                        let age = self.now.saturating_duration_since(sent);
                        assert!(self.settings.trial_lease <= age, "two trials at once");
                    }
                    self.trial = Some((self.now, self.serial));
                }
                self.out.push((admission.permit, self.transitions));
                self.serials.push(self.serial);
            }
            Err(refusal) => {
                assert_ne!(circuit, Circuit::Closed, "a closed circuit refused");
                let then = self.now + refusal.retry_after;
                assert!(
                    !matches!(self.breaker.circuit(then), Circuit::Open { .. }),
                    "told to come back too early"
                );
            }
        }
    }

    fn answer(&mut self, which: usize, answer: Answer) {
        let (permit, given_in) = self.out.swap_remove(which);
        let serial = self.serials.swap_remove(which);
        let before = self.breaker.reading(self.now);
        let transition = self.breaker.answer(permit, answer, self.now);
        if given_in != self.transitions {
            assert_eq!(transition, None, "a straggler was heard");
            assert_eq!(before, self.breaker.reading(self.now), "a straggler changed the record");
        }
        if self.trial.is_some_and(|(_, trial)| trial == serial) {
            self.trial = None;
        }
        if transition.is_some() {
            self.transitions += 1;
            self.trial = None;
        }
    }

    /// The endpoint is well from now on, and answers at once.
    fn recover(&mut self) {
        for _ in 0..40 {
            match self.breaker.admit(self.now) {
                Ok(admission) => {
                    self.breaker.answer(admission.permit, Answer::Success, self.now);
                }
                Err(refusal) => self.now += refusal.retry_after.max(self.settings.trial_lease),
            }
        }
        assert_eq!(self.breaker.circuit(self.now), Circuit::Closed, "well, and shut out");
        assert!(self.breaker.admit(self.now).is_ok());
    }
}

fn is_time(step: Step) -> bool {
    matches!(step, Step::Wait(_) | Step::Jump(_))
}

fn step(dice: &mut Dice, settings: &Settings) -> Step {
    let which = at(dice, 1_000);
    match dice.below(100) {
        0..35 => Step::Admit,
        35..68 => Step::Answer(which, answer(dice)),
        68..92 => Step::Wait(wait(dice, settings)),
        92..96 => Step::Lose(which),
        96..98 => Step::Jump(one_of(dice, &[Instant::START, Instant::START + SECOND, late()])),
        _ => {
            let modes = [Mode::Normal, Mode::Normal, Mode::WatchOnly, Mode::ForcedOpen, Mode::Off];
            Step::SetMode(one_of(dice, &modes))
        }
    }
}

fn wait(dice: &mut Dice, settings: &Settings) -> Duration {
    let nano = Duration::from_nanos(1);
    let any = Duration::from_nanos(dice.below(2_000_000_000));
    let waits = [
        Duration::ZERO,
        nano,
        any,
        SECOND,
        settings.open_for.saturating_sub(nano),
        settings.open_for,
        settings.trial_lease.saturating_sub(nano),
        settings.trial_lease,
        Duration::from_hours(10_000),
    ];
    one_of(dice, &waits)
}

fn answer(dice: &mut Dice) -> Answer {
    match dice.below(10) {
        0..4 => Answer::Success,
        4..7 => Answer::Failure,
        7 => {
            let asked = [None, Some(SECOND), Some(SECOND * 300), Some(Duration::MAX)];
            Answer::Overload { retry_after: one_of(dice, &asked) }
        }
        8 => Answer::Ignored,
        _ => Answer::Abandoned,
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let spans = [Duration::ZERO, SECOND, SECOND * 60];
    Settings {
        failure_threshold: count(dice, 5),
        rates: (dice.below(2) == 0).then(|| rates(dice)),
        open_for: one_of(dice, &spans),
        open_for_max: one_of(dice, &spans),
        successes_to_close: count(dice, 3),
        trial_lease: one_of(dice, &spans),
        ..Settings::default()
    }
}

fn rates(dice: &mut Dice) -> Rates {
    let spans = [SECOND, SECOND * 5, SECOND * 60];
    let window = match dice.below(2) {
        0 => Window::Calls(count(dice, 12)),
        _ => Window::Time(one_of(dice, &spans)),
    };
    let share = Percent::new(one_of(dice, &[20, 50, 67, 100]));
    let slow = Slow { at_least: SECOND / 2, share: Percent::new(one_of(dice, &[30, 60])) };
    Rates {
        window,
        minimum_calls: count(dice, 14),
        failures: (dice.below(3) > 0).then_some(share),
        slow: (dice.below(3) > 0).then_some(slow),
    }
}

fn count(dice: &mut Dice, most: u64) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(u32::try_from(dice.below(most)).expect("small"))
}

fn late() -> Instant {
    Instant::after_start(Duration::from_nanos(u64::MAX - 100_000_000_000))
}
