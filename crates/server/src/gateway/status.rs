//! What there is, for those who ask.

use super::Shared;
use assay_model::TaskId;
use assay_pool::Stats;
use assay_rules::breaker::Circuit;
use assay_store::{Book, StoreError, WorkState};
use assay_wire::{
    AnalysisStatus, Payload, ServiceName, TaskState, TaskStatus, gateway::StatusReport, stamp,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Shared {
    /// Says everything that can be counted.
    pub(super) async fn report(&self, subscribed: bool) -> StatusReport {
        let (desk, tasks) = self.desk.stats().await;
        let pool = self.pool.stats();
        let tasks: Vec<Value> = tasks
            .into_iter()
            .map(|task| {
                json!({
                    "task_id": task.task, "model_slug": task.model, "app_number": task.app,
                    "state": if task.is_running { "running" } else { "queued" },
                    "waiting_clients": task.waiting_clients,
                })
            })
            .collect();
        let counts = json!({
            "running": desk.running, "queued": desk.queued, "accepted": desk.accepted,
            "ended": desk.ended, "deduplicated": desk.deduplicated, "cancelled": desk.cancelled,
            "refused": desk.refused, "live": tasks,
        });
        let queue = json!({
            "waiting": desk.queued, "capacity": desk.capacity, "draining": desk.is_draining,
            "clients": self.clients(), "uptime_s": self.started.elapsed().as_secs(),
        });
        StatusReport {
            services: self.services_by_name(),
            timestamp: stamp::now(),
            subscribed,
            pool: payload(&pool_words(&pool, desk.deduplicated)),
            tasks: payload(&counts),
            breakers: payload(&breaker_words(&pool)),
            queue: payload(&queue),
            replicas: None,
        }
    }

    /// The state of a task: of this process, else as the book remembers it.
    pub(super) async fn task_status(&self, task: TaskId) -> TaskStatus {
        if self.batches.of_task(&task).is_some() {
            return TaskStatus::new(TaskState::Running, Some(task));
        }
        if let Some(log) = self.desk.find(task.clone()).await {
            return match log.ended() {
                None => TaskStatus::new(TaskState::Running, Some(task)),
                Some(end) => finished(task, end.status, Some(end.body.clone())),
            };
        }
        let Some(book) = &self.book else {
            return TaskStatus::new(TaskState::NotFound, Some(task));
        };
        match book.task(&task).await {
            Ok(Some(record)) => match record.end {
                None if record.state == WorkState::Queued => {
                    TaskStatus::new(TaskState::Queued, Some(task))
                }
                None => TaskStatus::new(TaskState::Running, Some(task)),
                Some(end) => {
                    let body = kept_result(book, &task).await.ok().flatten();
                    finished(task, AnalysisStatus::of_reply(&end.status), body)
                }
            },
            Ok(None) => match super::batch::status(book, &task).await {
                Ok(status) => {
                    status.unwrap_or_else(|| TaskStatus::new(TaskState::NotFound, Some(task)))
                }
                Err(error) => unreadable(&error, task),
            },
            Err(error) => unreadable(&error, task),
        }
    }

    /// Counts the connections of clients.
    pub(super) fn clients(&self) -> u64 {
        self.accounts.lock().expect("nothing panics while it holds them").connections()
    }

    /// The table of routes: each name with the first of its replicas.
    fn services_by_name(&self) -> BTreeMap<String, String> {
        let replicas = self.replicas.lock().expect("nothing panics while it holds them");
        let url_of = |name: &ServiceName| {
            let analyzer = name.analyzer()?;
            let replica = replicas.values().find(|replica| replica.analyzer == analyzer)?;
            Some((name.as_str().to_owned(), shown(&replica.told, analyzer.row().port)))
        };
        ServiceName::ALL.iter().filter_map(url_of).collect()
    }
}

fn unreadable(error: &StoreError, task: TaskId) -> TaskStatus {
    tracing::error!(%error, "the book cannot be read");
    TaskStatus::new(TaskState::NotFound, Some(task))
}

/// The result of a task, as the book has kept it.
pub(super) async fn kept_result(book: &Book, task: &TaskId) -> Result<Option<Payload>, StoreError> {
    Ok(book.result(task).await?.and_then(Payload::from_bytes))
}

/// A service of this process is told by the address that it would have by itself.
pub(super) fn shown(url: &str, port: u16) -> String {
    if url.starts_with("local:") { format!("ws://localhost:{port}") } else { url.to_owned() }
}

fn payload(value: &Value) -> Option<Payload> {
    Payload::of(value).ok()
}

/// The pool's numbers, by our names and by those of the first system.
fn pool_words(pool: &Stats, deduplicated: u64) -> Value {
    let seed = pool.seed();
    json!({
        "active": pool.active, "idle": pool.idle, "connecting": pool.connecting,
        "waiting": pool.waiting, "opened": pool.opened, "closed": pool.closed,
        "reused": pool.reused, "refused": pool.refused, "evicted": pool.evicted,
        "gave_up": pool.gave_up, "deduplicated": deduplicated,
        "wait_us": { "count": pool.waits.count, "mean": pool.waits.mean_us,
            "p50": pool.waits.p50_us, "p90": pool.waits.p90_us, "p99": pool.waits.p99_us,
            "max": pool.waits.max_us },
        "max_concurrent_connections": seed.max_concurrent_connections,
        "active_connections": seed.active_connections,
        "pooled_connections": seed.pooled_connections,
        "active_tasks": seed.active_tasks,
        "pending_requests": seed.pending_requests,
        "circuit_breakers": {
            "total": seed.circuit_breakers.total,
            "open_or_half_open": seed.circuit_breakers.open_or_half_open,
        },
    })
}

fn circuit_word(circuit: Circuit) -> &'static str {
    match circuit {
        Circuit::Closed => "closed",
        Circuit::Open { .. } => "open",
        Circuit::HalfOpen => "half_open",
    }
}

fn breaker_words(pool: &Stats) -> Value {
    // Who comes and goes would make the list endless.
    let there = pool.breakers.iter().filter(|breaker| !breaker.is_gone);
    let breakers = there.map(|breaker| {
        json!({
            "service": breaker.service, "url": breaker.address,
            "state": circuit_word(breaker.reading.circuit),
            "draining": breaker.is_draining,
        })
    });
    breakers.collect()
}

fn finished(task: TaskId, status: AnalysisStatus, result: Option<Payload>) -> TaskStatus {
    TaskStatus { status: Some(status), result, ..TaskStatus::new(TaskState::Finished, Some(task)) }
}
