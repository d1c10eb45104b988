//! Many apps, one answer.
//!
//! Keeps: no more of a batch is asked for at once than a window, so that a large one does not fill
//! the queue for all; each app is a task of its own, which can be seen and cancelled by itself.

use super::{asking::Asking, follower::released};
use crate::{
    desk::Seat,
    following::{Following, Step},
    outgoing::{Outgoing, say, say_end},
};
use assay_wire::{
    AnalysisRequest, AnalysisStatus, Analyzer, ErrorCode, Fault, Progress, TaskState, TaskStatus,
    gateway::{BatchItem, BatchRequest, BatchSummary, Frame, Reply},
};
use futures_util::{StreamExt, stream};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Apps of one batch that are asked for at once.
const WINDOW: usize = 32;

/// How long an app waits that was refused for now, whatever it was told.
const WAIT_MIN: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_secs(5);

pub(super) struct Batch {
    pub(super) asking: Asking,
    pub(super) outgoing: Outgoing,
    pub(super) id: String,
}

// === impl Batch ===

impl Batch {
    pub(super) async fn run(self, batch: BatchRequest) {
        let BatchRequest { requests, task_id, detach } = batch;
        let total = requests.len() as u64;
        let task = task_id.unwrap_or_else(crate::names::fresh_task);
        let queued = TaskStatus::new(TaskState::Queued, Some(task.clone()));
        self.say(Reply::Task(Box::new(queued))).await;
        let asking = Arc::new(self.asking.clone());
        let mut ended = stream::iter(requests.into_iter().enumerate())
            .map(|(number, mut request)| {
                request.detach |= detach;
                let asking = Arc::clone(&asking);
                async move { (number, one(&asking, request).await) }
            })
            .buffer_unordered(WINDOW);
        let mut results: Vec<Option<BatchItem>> = (0..total).map(|_| None).collect();
        let mut done = 0_u64;
        while let Some((number, item)) = ended.next().await {
            done += 1;
            let progress = Progress {
                analysis_id: task.to_string(),
                stage: "batch".to_owned(),
                #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
                progress: done as f64 / total.max(1) as f64,
                message: format!("{done} of {total} apps: {}", words(&item)),
                files_processed: done,
                total_files: total,
                ..Progress::default()
            };
            results[number] = Some(item);
            self.say(Reply::Progress(Box::new(progress))).await;
        }
        let results: Vec<BatchItem> = results.into_iter().flatten().collect();
        let count = |status| results.iter().filter(|item| item.status == status).count() as u64;
        let succeeded = count(AnalysisStatus::Success);
        let status = match (succeeded, succeeded + count(AnalysisStatus::Partial)) {
            (all, _) if all == total => AnalysisStatus::Success,
            (_, 0) => AnalysisStatus::Error,
            _ => AnalysisStatus::Partial,
        };
        let summary = BatchSummary { task_id: Some(task), status, total, succeeded, results };
        let frame = Frame::answering(self.id.clone(), Reply::BatchResult(Box::new(summary)));
        say_end(&self.outgoing, frame.encode()).await;
    }

    async fn say(&self, reply: Reply) {
        say(&self.outgoing, Frame::answering(self.id.clone(), reply).encode()).await;
    }
}

fn words(item: &BatchItem) -> String {
    let model = item.model_slug.as_deref().unwrap_or("?");
    let app = item.app_number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    format!("{model}/app{app} ended with {}", item.status.as_str())
}

async fn one(asking: &Asking, request: AnalysisRequest) -> BatchItem {
    let mut item = BatchItem {
        model_slug: request.model.clone(),
        app_number: request.app_number,
        task_id: None,
        status: AnalysisStatus::Error,
        result: None,
        error: None,
    };
    match submit(asking, request).await {
        Err(fault) => item.error = Some(fault),
        Ok((seat, analyzer)) => {
            let mut following = Following::new(seat);
            let end = loop {
                match following.next().await {
                    Step::Events(_) => {}
                    Step::End(end) => break end,
                    Step::Released(why) => {
                        break Arc::new(released(analyzer, following.task(), why));
                    }
                }
            };
            item.task_id = Some(following.task().clone());
            item.status = end.status;
            item.result = Some(end.body.clone());
            item.error.clone_from(&end.fault);
        }
    }
    item
}

/// Asks until there is room: a batch that was taken is not to fail because it is large.
async fn submit(asking: &Asking, request: AnalysisRequest) -> Result<(Seat, Analyzer), Fault> {
    loop {
        let refused = match asking.submit(request.clone(), None).await {
            Ok(seated) => return Ok(seated),
            Err(fault) => fault,
        };
        let is_for_now = matches!(refused.code, ErrorCode::RateLimited | ErrorCode::Overloaded);
        let Some(after) = refused.retry_after_ms.filter(|_| is_for_now) else {
            return Err(refused);
        };
        sleep(Duration::from_millis(after).clamp(WAIT_MIN, WAIT_MAX)).await;
    }
}
