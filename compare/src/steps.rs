//! What is measured: one step of ours and the same step of each other crate.
//!
//! Keeps: a step does the same work for all that stand in its row, and is seen to succeed. What is
//! ours stands twice where the others bring a lock and a clock: bare, as a task that owns it calls
//! it, and behind a mutex with the system's clock, as a library would have to be called.
//!
//! Does not: measure. `benches/steps.rs` takes the time, the program `steps` runs under callgrind.

mod balance; // pick, begin and answer
mod breaker; // admit and answer
mod ledger; // submit and end, join and leave
mod pool; // take and give back, alone and with 1,000 who wait
mod rate_limit; // admit a client that is known

/// One step, ready to be repeated.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub what: &'static str,
    pub of: &'static str,
    /// Prepares everything and returns what repeats the step so many times.
    pub make: fn() -> Repeat,
}

pub type Repeat = Box<dyn FnMut(u64)>;

/// All steps, row by row, ours first.
pub fn all() -> Vec<Step> {
    [breaker::STEPS, rate_limit::STEPS, ledger::STEPS, balance::STEPS, pool::STEPS].concat()
}

/// Repeats a step, with nothing in between.
fn repeat(mut step: impl FnMut() + 'static) -> Repeat {
    Box::new(move |times| (0..times).for_each(|_| step()))
}

/// The system's clock as our machines want it.
struct Clock(std::time::Instant);

#[expect(clippy::disallowed_methods, reason = "the system's clock is what is measured")]
impl Clock {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(&self) -> assay_rules::Instant {
        assay_rules::Instant::after_start(self.0.elapsed())
    }
}
