//! Breakers that trip and close, as lines of the log: who is called at night looks there first.

use super::Shared;
use assay_pool::stats::Told;
use assay_rules::breaker::{Cause, Circuit, Transition};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// How often it is looked for new ones. The pool keeps more than can come in that time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Logs every transition until the gateway closes.
pub(super) async fn log_transitions(shared: Arc<Shared>) {
    let mut next = 0;
    let closing = shared.closing.clone();
    while !closing.is_cancelled() {
        tokio::select! {
            () = closing.cancelled() => {}
            () = sleep(LOOK_EVERY) => {}
        }
        for told in shared.pool.transitions(next) {
            next = told.number + 1;
            log(&told);
        }
    }
}

fn log(told: &Told) {
    let (address, why) = (&*told.address, words(told.transition.cause));
    match told.transition {
        Transition { to: Circuit::Open { .. }, .. } => {
            tracing::warn!(service = address, why, "a breaker opens: the service is left alone");
        }
        Transition { to: Circuit::HalfOpen, .. } => {
            tracing::info!(service = address, why, "a breaker lets a trial through");
        }
        Transition { to: Circuit::Closed, .. } => {
            tracing::info!(service = address, why, "a breaker closes: the service is used again");
        }
    }
}

fn words(cause: Cause) -> String {
    match cause {
        Cause::FailuresInARow(count) => format!("{count} failures in a row"),
        Cause::FailureRate(tally) => {
            format!("{} of the last {} calls failed", tally.failed, tally.calls)
        }
        Cause::SlowRate(tally) => {
            format!("{} of the last {} calls were slow", tally.slow, tally.calls)
        }
        Cause::TrialFailed => "a trial failed".to_owned(),
        Cause::TrialWasSlow => "a trial was slow".to_owned(),
        Cause::TrialsSucceeded(count) => format!("{count} trials in a row succeeded"),
        Cause::OpenTimeIsOver => "it has been open for long enough".to_owned(),
        Cause::Operator(_) => "an operator wants it".to_owned(),
    }
}
