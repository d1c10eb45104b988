//! A breaker that anyone can check by reading: it keeps every call and every permit, and counts
//! anew whenever it is asked.

use assay_rules::{
    Dice, Instant,
    breaker::{
        Admission, Answer, Breaker, Cause, Circuit, Mode, Permit, Rates, Reading, Refusal,
        RefusalReason, Settings, Tally, Transition, Window,
    },
};
use std::time::Duration;

/// One thing that may happen. Numbers of permits are taken modulo how many are out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Wait(Duration),
    /// The clock stands elsewhere all at once, also earlier.
    Jump(Instant),
    Admit,
    Answer(usize, Answer),
    /// The permit is dropped, and nobody says so.
    Lose(usize),
    SetMode(Mode),
}

/// What is said to a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Nothing,
    Admitted { transition: Option<Transition>, would_refuse: Option<Refusal> },
    Refused(Refusal),
    Changed(Option<Transition>),
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) now: Instant,
    pub(super) said: Said,
    settings: Settings,
    mode: Mode,
    phase: Circuit,
    /// All that were judged since the last transition.
    judged: Vec<Judged>,
    out: Vec<Out>,
    lost: Vec<Out>,
    /// The latest time for which the endpoint asked since the last transition.
    asked_until: u64,
    openings: u32,
    dice: Dice,
}

#[derive(Clone, Debug)]
struct Judged {
    at: u64,
    answer: Answer,
    slow: bool,
}

#[derive(Clone, Debug)]
struct Out {
    given_at: u64,
    /// Whether its answer will be heard.
    counts: bool,
}

impl Model {
    pub(super) fn new(settings: Settings, now: Instant, dice: Dice) -> Self {
        Self {
            now,
            said: Said::Nothing,
            settings,
            mode: Mode::Normal,
            phase: Circuit::Closed,
            judged: Vec::new(),
            out: Vec::new(),
            lost: Vec::new(),
            asked_until: 0,
            openings: 0,
            dice,
        }
    }

    pub(super) fn apply(&mut self, step: Step) {
        self.said = match step {
            Step::Wait(span) => {
                self.now = plus(self.now.as_nanos(), span);
                Said::Nothing
            }
            Step::Jump(to) => {
                self.now = to;
                Said::Nothing
            }
            Step::Admit => self.admit(),
            Step::Answer(..) | Step::Lose(_) if self.out.is_empty() => Said::Nothing,
            Step::Answer(which, answer) => {
                let out = self.out.swap_remove(which % self.out.len());
                Said::Changed(if out.counts { self.judge(&out, answer) } else { None })
            }
            Step::Lose(which) => {
                // A lost trial is in the way until its lease is over.
                let out = self.out.swap_remove(which % self.out.len());
                self.lost.push(out);
                Said::Nothing
            }
            Step::SetMode(mode) => self.set_mode(mode),
        };
    }

    pub(super) fn reading(&self) -> Reading {
        let failures = self.failures_in_a_row();
        let closed = self.phase == Circuit::Closed;
        let half_open = self.phase == Circuit::HalfOpen;
        Reading {
            mode: self.mode,
            circuit: self.circuit(),
            failures_in_a_row: if closed { failures } else { 0 },
            successes_in_a_row: if half_open { count(self.judged.len()) } else { 0 },
            openings_in_a_row: self.openings,
            recent: match self.settings.rates {
                Some(rates) if closed => self.recent(rates, self.now.as_nanos()),
                _ => Tally::default(),
            },
        }
    }

    fn circuit(&self) -> Circuit {
        match (self.mode, self.phase) {
            (Mode::ForcedOpen, _) => Circuit::Open { until: Instant::MAX },
            (Mode::Off, _) => Circuit::Closed,
            (_, Circuit::Open { until }) if self.now >= until => Circuit::HalfOpen,
            (_, phase) => phase,
        }
    }

    fn admit(&mut self) -> Said {
        let refused = match self.mode {
            Mode::Off => return self.admitted(false, None, None),
            Mode::ForcedOpen => {
                let reason = RefusalReason::Forced;
                return Said::Refused(Refusal { retry_after: self.settings.open_for, reason });
            }
            Mode::Normal | Mode::WatchOnly => self.refusal(),
        };
        match refused {
            Some(refusal) if self.mode == Mode::Normal => Said::Refused(refusal),
            Some(refusal) => self.admitted(false, None, Some(refusal)),
            None => {
                let from = self.phase;
                let mut transition = None;
                if let Circuit::Open { .. } = from {
                    self.enter(Circuit::HalfOpen);
                    let (to, cause) = (Circuit::HalfOpen, Cause::OpenTimeIsOver);
                    transition = Some(Transition { from, to, cause });
                }
                if self.phase == Circuit::HalfOpen {
                    // Only one trial is heard: the one before has given up its lease.
                    self.hear_no_more();
                }
                self.admitted(true, transition, None)
            }
        }
    }

    fn admitted(
        &mut self,
        counts: bool,
        transition: Option<Transition>,
        would_refuse: Option<Refusal>,
    ) -> Said {
        self.out.push(Out { given_at: self.now.as_nanos(), counts });
        Said::Admitted { transition, would_refuse }
    }

    fn refusal(&self) -> Option<Refusal> {
        let now = self.now.as_nanos();
        if let Circuit::Open { until } = self.phase {
            let retry_after = Duration::from_nanos(until.as_nanos().saturating_sub(now));
            let reason = RefusalReason::Open;
            return (now < until.as_nanos()).then_some(Refusal { retry_after, reason });
        }
        if self.phase == Circuit::Closed {
            return None;
        }
        let trial = self.out.iter().chain(&self.lost).find(|out| out.counts)?;
        let lease_ends = plus(trial.given_at, self.settings.trial_lease).as_nanos();
        let left = Duration::from_nanos(lease_ends.saturating_sub(now));
        let retry_after = left.min(self.settings.open_for);
        let reason = RefusalReason::TrialIsOut;
        (now < lease_ends).then_some(Refusal { retry_after, reason })
    }

    fn judge(&mut self, out: &Out, answer: Answer) -> Option<Transition> {
        let now = self.now.as_nanos();
        if matches!(answer, Answer::Ignored | Answer::Abandoned) {
            return None;
        }
        let took = Duration::from_nanos(now.saturating_sub(out.given_at));
        let limit = self.settings.rates.and_then(|rates| rates.slow);
        let slow = limit.is_some_and(|limit| took >= limit.at_least);
        // A clock that stepped back adds to the newest calls.
        let at = self.judged.iter().map(|call| call.at).fold(now, u64::max);
        self.judged.push(Judged { at, answer, slow });
        if let Answer::Overload { retry_after: Some(asked) } = answer {
            let asked = asked.min(self.settings.retry_after_max);
            self.asked_until = self.asked_until.max(plus(now, asked).as_nanos());
        }
        if self.phase == Circuit::HalfOpen { self.after_trial() } else { self.after_call() }
    }

    fn after_call(&mut self) -> Option<Transition> {
        let row = self.failures_in_a_row();
        if row >= self.settings.failure_threshold.get() {
            return Some(self.open(Cause::FailuresInARow(row)));
        }
        let rates = self.settings.rates?;
        let recent = self.recent(rates, self.now.as_nanos());
        let mut enough = u64::from(rates.minimum_calls.get());
        if let Window::Calls(calls) = rates.window {
            enough = enough.min(u64::from(calls.get()));
        }
        let passes = |part: u64, percent: u8| {
            part > 0 && recent.calls >= enough && part * 100 >= recent.calls * u64::from(percent)
        };
        if rates.failures.is_some_and(|share| passes(recent.failed, share.get())) {
            return Some(self.open(Cause::FailureRate(recent)));
        }
        if rates.slow.is_some_and(|slow| passes(recent.slow, slow.share.get())) {
            return Some(self.open(Cause::SlowRate(recent)));
        }
        None
    }

    fn after_trial(&mut self) -> Option<Transition> {
        let last = self.judged.last().expect("a trial was judged");
        if last.answer != Answer::Success {
            return Some(self.open(Cause::TrialFailed));
        }
        if last.slow {
            return Some(self.open(Cause::TrialWasSlow));
        }
        let enough = self.settings.successes_to_close.get();
        (self.judged.len() == enough as usize).then(|| {
            self.openings = 0;
            self.enter(Circuit::Closed);
            let (from, to) = (Circuit::HalfOpen, Circuit::Closed);
            Transition { from, to, cause: Cause::TrialsSucceeded(enough) }
        })
    }

    fn open(&mut self, cause: Cause) -> Transition {
        let first = self.settings.open_for.as_nanos().min(u128::from(u64::MAX));
        let cap =
            self.settings.open_for_max.as_nanos().clamp(first, u128::from(u64::MAX).max(first));
        let mut longest = first;
        for _ in 0..self.openings.min(64) {
            longest = (longest * 2).min(cap);
        }
        let shortest = (longest / 2).max(first);
        let span = nanos(shortest) + self.dice.below(nanos(longest - shortest + 1));
        let until = plus(self.now.as_nanos(), Duration::from_nanos(span)).as_nanos();
        let until = after_start(until.max(self.asked_until));
        self.openings = self.openings.saturating_add(1);
        let (from, to) = (self.phase, Circuit::Open { until });
        self.enter(to);
        Transition { from, to, cause }
    }

    fn set_mode(&mut self, mode: Mode) -> Said {
        let from = self.circuit();
        let goes_on = |mode| matches!(mode, Mode::Normal | Mode::WatchOnly);
        if mode != self.mode && !(goes_on(mode) && goes_on(self.mode)) {
            self.openings = 0;
            self.enter(Circuit::Closed);
        }
        self.mode = mode;
        let to = self.circuit();
        let cause = Cause::Operator(mode);
        Said::Changed((from != to).then_some(Transition { from, to, cause }))
    }

    /// Nothing from before is heard any more.
    fn enter(&mut self, phase: Circuit) {
        self.phase = phase;
        self.judged.clear();
        self.asked_until = 0;
        self.hear_no_more();
    }

    fn hear_no_more(&mut self) {
        self.out.iter_mut().chain(&mut self.lost).for_each(|out| out.counts = false);
    }

    fn failures_in_a_row(&self) -> u32 {
        let since_success =
            self.judged.iter().rev().take_while(|call| call.answer != Answer::Success);
        count(since_success.filter(|call| call.answer == Answer::Failure).count())
    }

    fn recent(&self, rates: Rates, now: u64) -> Tally {
        let newest = self.judged.iter().map(|call| call.at).fold(now, u64::max);
        let calls = match rates.window {
            Window::Calls(calls) => {
                let first = self.judged.len().saturating_sub(calls.get() as usize);
                self.judged[first..].iter().collect::<Vec<_>>()
            }
            Window::Time(span) => {
                let step = (nanos(span.as_nanos()) / 64).max(1);
                let young = |call: &&Judged| newest / step - call.at / step < 64;
                self.judged.iter().filter(young).collect()
            }
        };
        Tally {
            calls: calls.len() as u64,
            failed: calls.iter().filter(|call| call.answer != Answer::Success).count() as u64,
            slow: calls.iter().filter(|call| call.slow).count() as u64,
        }
    }
}

/// The breaker itself, with the permits that are out.
#[derive(Debug)]
pub(super) struct Real {
    pub(super) breaker: Breaker,
    now: Instant,
    out: Vec<Permit>,
}

impl Real {
    pub(super) fn new(settings: Settings, now: Instant, dice: Dice) -> Self {
        Self { breaker: Breaker::new(settings, dice), now, out: Vec::new() }
    }

    pub(super) fn apply(&mut self, step: Step) -> Said {
        match step {
            Step::Wait(span) => self.now += span,
            Step::Jump(to) => self.now = to,
            Step::Admit => return self.admit(),
            Step::Answer(..) | Step::Lose(_) if self.out.is_empty() => {}
            Step::Answer(which, answer) => {
                let permit = self.out.swap_remove(which % self.out.len());
                return Said::Changed(self.breaker.answer(permit, answer, self.now));
            }
            Step::Lose(which) => drop(self.out.swap_remove(which % self.out.len())),
            Step::SetMode(mode) => return Said::Changed(self.breaker.set_mode(mode, self.now)),
        }
        Said::Nothing
    }

    fn admit(&mut self) -> Said {
        match self.breaker.admit(self.now) {
            Ok(Admission { permit, transition, would_refuse }) => {
                self.out.push(permit);
                Said::Admitted { transition, would_refuse }
            }
            Err(refusal) => Said::Refused(refusal),
        }
    }
}

fn plus(now: u64, span: Duration) -> Instant {
    after_start(nanos(u128::from(now) + span.as_nanos()))
}

fn after_start(nanos: u64) -> Instant {
    Instant::after_start(Duration::from_nanos(nanos))
}

fn nanos(exact: u128) -> u64 {
    u64::try_from(exact).unwrap_or(u64::MAX)
}

fn count(calls: usize) -> u32 {
    u32::try_from(calls).expect("a test makes few calls")
}
