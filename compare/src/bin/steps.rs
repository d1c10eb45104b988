//! Repeats one step, for callgrind to count its instructions; `scripts/compare` runs it.
//!
//! Without arguments it tells the steps, one a line: its number, what it is, and whose, between tabs.

use assay_compare::steps::{self, Repeat};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let all = steps::all();
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [] => {
            for (nth, step) in all.iter().enumerate() {
                println!("{nth}\t{}\t{}", step.what, step.of);
            }
        }
        [nth, times] => {
            let step = usize::try_from(nth).ok().and_then(|nth| all.get(nth));
            let Some(step) = step else { return ExitCode::from(2) };
            let mut repeat = (step.make)();
            counted(&mut repeat, 1_000); // what is made once is made
            counted(&mut repeat, times);
        }
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

/// What callgrind counts: it is told this name.
#[inline(never)]
fn counted(repeat: &mut Repeat, times: u64) {
    repeat(times);
}
