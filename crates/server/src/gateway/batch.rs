//! Many apps, one answer.
//!
//! Keeps: no more of a batch is asked for at once than a window, so that a large one does not fill
//! the queue for all; each app is a task of its own, which can be seen and cancelled by itself; a
//! batch that is cancelled still answers once, with what has ended; one that was told as queued is in
//! the book, and goes on when the process does not.

mod kept; // what the book knows of batches

pub(super) use kept::{recover, status};

use super::{Client, asking::Asking, follower::released, frames::error};
use crate::{
    desk::{Canceller, Seat, Unwanted},
    following::{Following, Step},
    log::End,
    outgoing::{Outgoing, say, say_end},
};
use assay_model::TaskId;
use assay_rules::ledger::ClientId;
use assay_wire::{
    AnalysisRequest, AnalysisStatus, Analyzer, ErrorCode, Fault, Progress, TaskState, TaskStatus,
    gateway::{BatchItem, BatchRequest, BatchSummary, CancelWish, Frame, Reply},
};
use futures_util::{StreamExt, stream};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{runtime::Handle, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

/// Batches under way beyond which none is taken whose client may leave.
const DETACHED_MAX: usize = 1_000;

/// Apps of one batch that are asked for at once.
const WINDOW: usize = 32;

/// How long an app waits that was refused for now, whatever it was told.
const WAIT_MIN: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_secs(5);

pub(super) struct Batch {
    asking: Asking,
    outgoing: Outgoing,
    id: String,
    under_way: UnderWay,
    /// It is in the book without an end.
    is_open: bool,
}

/// Batches that have not ended, of all clients.
#[derive(Debug, Default)]
pub(super) struct Batches {
    all: Mutex<Vec<UnderWay>>,
}

/// One batch, as whoever asks for it sees it.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    pub(super) task: TaskId,
    who: Arc<str>,
    client: ClientId,
    /// The `id` of its request.
    request: String,
    cancel: CancellationToken,
    over: CancellationToken,
}

// === impl Batches ===

impl Batches {
    fn begin(&self, task: TaskId, asking: &Asking, request: &str) -> UnderWay {
        let under_way = UnderWay {
            task,
            who: Arc::clone(&asking.who),
            client: asking.client,
            request: request.to_owned(),
            cancel: CancellationToken::new(),
            over: CancellationToken::new(),
        };
        let mut all = self.lock();
        all.retain(|one| !one.over.is_cancelled());
        all.push(under_way.clone());
        under_way
    }

    /// Whether one more may be under way. Those of a connection are bounded by that.
    pub(super) fn have_room_for(&self, batch: &BatchRequest) -> bool {
        let under_way = || self.lock().iter().filter(|one| !one.over.is_cancelled()).count();
        !batch.detach || under_way() < DETACHED_MAX
    }

    pub(super) fn of_task(&self, task: &TaskId) -> Option<UnderWay> {
        self.find(|one| one.task == *task)
    }

    /// The batch that a client wants to cancel, if it is one.
    pub(super) fn wished(&self, wish: &CancelWish, client: ClientId) -> Option<UnderWay> {
        let by_task = wish.task_id.as_ref().and_then(|task| self.of_task(task));
        let is_own = |one: &UnderWay| {
            one.client == client && wish.correlation_id.as_ref() == Some(&one.request)
        };
        by_task.or_else(|| self.find(is_own))
    }

    fn find(&self, is_it: impl Fn(&UnderWay) -> bool) -> Option<UnderWay> {
        self.lock().iter().find(|one| is_it(one) && !one.over.is_cancelled()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<UnderWay>> {
        self.all.lock().expect("nothing panics while it holds them")
    }
}

// === impl UnderWay ===

impl UnderWay {
    /// Stops the batch for a client, and says so when nothing of it runs any more.
    pub(super) async fn stop(self, client: Client, outgoing: Outgoing, id: String) {
        if client.who != self.who && !client.scopes.admin {
            let fault = Fault::new(ErrorCode::Unauthorized, "this batch is another client's");
            return say(&outgoing, error(Some(id), fault)).await;
        }
        self.cancel.cancel();
        self.over.cancelled().await;
        let status = TaskStatus::new(TaskState::Cancelled, Some(self.task));
        say(&outgoing, Frame::answering(id, Reply::Task(Box::new(status))).encode()).await;
    }
}

impl Drop for Batch {
    /// Also when its client has gone: nobody waits for it any more.
    fn drop(&mut self) {
        self.under_way.over.cancel();
        let shared = &self.asking.shared;
        // A process that ends leaves it to the next one.
        if let (true, Some(book), Ok(runtime)) =
            (self.is_open, shared.book.clone(), Handle::try_current())
        {
            let task = self.under_way.task.clone();
            let ending = async move { kept::end(&book, &task, AnalysisStatus::Cancelled).await };
            shared.tasks.spawn_on(ending, &runtime);
        }
    }
}

// === impl Batch ===

impl Batch {
    pub(super) fn new(
        asking: Asking,
        outgoing: Outgoing,
        id: String,
        batch: &BatchRequest,
    ) -> Self {
        let task = batch.task_id.clone().unwrap_or_else(crate::names::fresh_task);
        Self::of_task(task, asking, outgoing, id)
    }

    fn of_task(task: TaskId, asking: Asking, outgoing: Outgoing, id: String) -> Self {
        let under_way = asking.shared.batches.begin(task, &asking, &id);
        let asking = Asking { batch: Some(under_way.task.clone()), ..asking };
        Self { asking, outgoing, id, under_way, is_open: false }
    }

    /// Begins it: as one of the tasks of its session, or as one of the gateway's, where its client may
    /// leave.
    pub(super) fn begin(self, batch: BatchRequest, followers: &mut JoinSet<()>) {
        if batch.detach {
            self.asking.shared.tasks.clone().spawn(self.run(batch));
        } else {
            followers.spawn(self.run(batch));
        }
    }

    /// Takes it on, and carries it out.
    async fn run(mut self, batch: BatchRequest) {
        if let Some(book) = self.asking.shared.book.clone() {
            if let Err(fault) = kept::accept(&book, &self.under_way, &batch).await {
                return say(&self.outgoing, error(Some(self.id.clone()), fault)).await;
            }
            self.is_open = true;
        }
        let queued = TaskStatus::new(TaskState::Queued, Some(self.under_way.task.clone()));
        self.say(Reply::Task(Box::new(queued))).await;
        self.go_on(batch).await;
    }

    /// Carries it out. What is detached and meets a server that ends stays open for the next one.
    async fn go_on(mut self, batch: BatchRequest) {
        let detach = batch.detach;
        let summary = self.carried_out(batch).await;
        let is_unasked = |item: &BatchItem| {
            item.error.as_ref().is_some_and(|fault| fault.code == ErrorCode::Draining)
        };
        let book = self.asking.shared.book.clone();
        self.is_open = false;
        if let Some(book) = book {
            if detach && summary.results.iter().any(is_unasked) {
                return;
            }
            kept::end(&book, &self.under_way.task, summary.status).await;
        }
        let frame = Frame::answering(self.id.clone(), Reply::BatchResult(Box::new(summary)));
        say_end(&self.outgoing, frame.encode()).await;
    }

    async fn carried_out(&self, batch: BatchRequest) -> BatchSummary {
        let BatchRequest { requests, detach, .. } = batch;
        let total = requests.len() as u64;
        let task = self.under_way.task.clone();
        let cancel = &self.under_way.cancel;
        let asking = Arc::new(self.asking.clone());
        let mut ended = stream::iter(requests.into_iter().enumerate())
            .map(|(number, mut request)| {
                request.detach |= detach;
                let asking = Arc::clone(&asking);
                async move { (number, one(&asking, request, cancel).await) }
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
            (some, _) if some < total && cancel.is_cancelled() => AnalysisStatus::Cancelled,
            (all, _) if all == total => AnalysisStatus::Success,
            (_, 0) => AnalysisStatus::Error,
            _ => AnalysisStatus::Partial,
        };
        BatchSummary { task_id: Some(task), status, total, succeeded, results }
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

async fn one(asking: &Asking, request: AnalysisRequest, cancel: &CancellationToken) -> BatchItem {
    let mut item = BatchItem {
        model_slug: request.model.clone(),
        app_number: request.app_number,
        task_id: None,
        status: AnalysisStatus::Error,
        result: None,
        error: None,
    };
    let submitted = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            item.status = AnalysisStatus::Cancelled;
            item.error = Some(Fault::new(ErrorCode::Cancelled, "the batch was cancelled"));
            return item;
        }
        submitted = submit(asking, request) => submitted,
    };
    match submitted {
        Err(fault) => item.error = Some(fault),
        Ok((seat, analyzer)) => {
            let end = followed(asking, seat, analyzer, cancel, &mut item).await;
            item.status = end.status;
            item.result = Some(end.body.clone());
            item.error.clone_from(&end.fault);
        }
    }
    item
}

/// Follows one app to its end, which comes soon once the batch is cancelled.
async fn followed(
    asking: &Asking,
    seat: Seat,
    analyzer: Analyzer,
    cancel: &CancellationToken,
    item: &mut BatchItem,
) -> Arc<End> {
    let unwanted = Unwanted::Request(seat.task.clone(), seat.ticket);
    let mut following = Following::new(seat);
    item.task_id = Some(following.task().clone());
    let mut may_stop = true;
    loop {
        let step = tokio::select! {
            step = following.next() => step,
            () = cancel.cancelled(), if may_stop => {
                may_stop = false;
                let by = Canceller { client: asking.client, only_of: None };
                asking.shared.desk.cancel(unwanted.clone(), by).await;
                continue;
            }
        };
        match step {
            Step::Events(_) => {}
            Step::End(end) => return end,
            Step::Released(why) => return Arc::new(released(analyzer, following.task(), why)),
        }
    }
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
