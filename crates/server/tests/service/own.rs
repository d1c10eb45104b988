//! Runs that the process itself waits for.

use crate::{common::FOREVER, service};
use assay_model::TaskId;
use assay_server::{OwnRun, OwnStep, Service};
use assay_wire::{AnalysisRequest, ErrorCode, Fault};
use std::time::Duration;
use tokio::time::timeout;

async fn begin(service: &Service<crate::Fake>, model: &str) -> Result<OwnRun, Fault> {
    let request = AnalysisRequest { model: Some(model.to_owned()), ..AnalysisRequest::default() };
    service.run(TaskId::new(&format!("own-{model}")).unwrap(), request).await
}

/// Follows it to its end. Returns how many events there were, and why there is no answer.
async fn end(run: &mut OwnRun) -> (usize, Option<Box<Fault>>) {
    let mut count = 0;
    loop {
        match timeout(FOREVER, run.next()).await.expect("it does not end") {
            OwnStep::Events(events) => count += events.len(),
            OwnStep::End { fault } => return (count, fault),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_hears_every_event_and_one_end() {
    let service = service(1, 10);
    let mut run = begin(&service, "slow").await.unwrap();
    assert!(matches!(end(&mut run).await, (2, None)));
    assert!(matches!(end(&mut run).await, (0, None)), "the end stays the end");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_end_with_words() {
    let service = service(1, 10);
    let mut run = begin(&service, "panics").await.unwrap();
    let (_, fault) = end(&mut run).await;
    assert_eq!(fault.unwrap().code, ErrorCode::Internal);
    assert_eq!(service.health().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn one_is_cancelled_and_the_other_goes_on() {
    let service = service(2, 10);
    let (mut one, mut other) =
        (begin(&service, "waits").await.unwrap(), begin(&service, "slow").await.unwrap());
    one.cancel().await;
    assert!(matches!(end(&mut one).await, (_, None)));
    assert_eq!(service.health().await.active, 1);
    assert!(matches!(end(&mut other).await, (2, None)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_all_and_lets_nothing_new_in() {
    let service = service(1, 10);
    let mut runs = [
        begin(&service, "waits").await.unwrap(),
        // It waits for the slot, so it never begins, and says why.
        begin(&service, "slow").await.unwrap(),
    ];
    service.stop().await;
    assert!(matches!(end(&mut runs[0]).await, (_, None)));
    let (events, fault) = end(&mut runs[1]).await;
    assert_eq!((events, fault.unwrap().code), (0, ErrorCode::Cancelled));
    assert_eq!(begin(&service, "x").await.unwrap_err().code, ErrorCode::Draining);
}

#[tokio::test(start_paused = true)]
async fn who_drops_it_has_it_stopped() {
    let service = service(1, 10);
    drop(begin(&service, "waits").await.unwrap());
    // No time passes for a grace: nobody can come back for it.
    let begun = tokio::time::Instant::now();
    while service.health().await.active > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
