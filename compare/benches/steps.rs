//! Question: what does a step of our machines cost beside the same step of the crates that a user
//! would pick instead? Expected: ours is the cheapest of its row, or the page says why not.

use assay_compare::steps;
use criterion::{Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// How long this thread has computed. Whoever else the machine works for is not counted.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it began at nothing and only grows")
}

fn all(criterion: &mut Criterion) {
    for step in steps::all() {
        let mut repeat = (step.make)();
        criterion.bench_function(&format!("{}/{}", step.what, step.of), |bench| {
            bench.iter_custom(|times| {
                let start = computed();
                repeat(times);
                computed() - start
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = all
}
criterion_main!(benches);
