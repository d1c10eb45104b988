//! What clients were told, compared with what is true.
//!
//! Keeps: a promise is one task that somebody was told is accepted. It has one end, all who were told
//! an end were told that one, and its findings are those of its own app.

use crate::{
    diary::Diary,
    house::{House, Who},
    stage::MODEL,
};
use assay_model::TaskId;
use assay_store::{BookReader, TaskQuery};
use assay_wire::{ConnectTerms, Connection, Utf8Bytes, connect};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{runtime::Runtime, time::timeout};

/// What is asked for: it decides what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) app: u32,
    /// Whether the tool `parent` is to run, too.
    pub(crate) both: bool,
}

pub(crate) struct Ledger {
    pub(crate) diary: Arc<Diary>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    promises: BTreeMap<String, Promise>,
    /// Requests, reconnections, refusals by code, ends by status …
    counts: BTreeMap<String, u32>,
}

struct Promise {
    wanted: Wanted,
    /// Every end that somebody was told.
    ends: Vec<End>,
    /// As the gateway says when all is over.
    last: Option<String>,
}

/// An end that somebody was told.
struct End {
    who: String,
    status: String,
    /// When it was made: two ends of one task may say the same, and are two all the same.
    made_at: Option<String>,
}

/// A gateway with nothing to do answers at once.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new(diary: Arc<Diary>) -> Self {
        Self { diary, told: Mutex::default() }
    }

    pub(crate) fn count(&self, what: &str) {
        *self.told().counts.entry(what.to_owned()).or_default() += 1;
    }

    /// Somebody was told that his request is accepted, as this task.
    pub(crate) fn accepted(&self, task: &str, wanted: Wanted, who: &str) {
        let mut told = self.told();
        *told.counts.entry("accepted".to_owned()).or_default() += 1;
        let promise = told.promises.entry(task.to_owned());
        let promise = promise.or_insert(Promise { wanted, ends: Vec::new(), last: None });
        if promise.wanted != wanted {
            let other = promise.wanted;
            drop(told);
            self.diary.fault(format!("{who}: {wanted:?} joined task {task}, which is {other:?}"));
        }
    }

    pub(crate) fn is_promised(&self, task: &str) -> bool {
        self.told().promises.contains_key(task)
    }

    /// Somebody was told how his request ended.
    pub(crate) fn ended(&self, task: Option<&str>, wanted: Wanted, body: &Value, who: &str) {
        let status = body["status"].as_str().unwrap_or("none").to_owned();
        match body["analysis"]["code"].as_str() {
            Some(code) => self.count(&format!("{status} ({code})")),
            None => self.count(&status),
        }
        self.look_at(wanted, body, who);
        let mut told = self.told();
        // What nobody was promised may be refused, as often as one likes.
        if let Some(promise) = task.and_then(|task| told.promises.get_mut(task)) {
            promise.ends.push(End { who: who.to_owned(), status, made_at: made_at(body) });
        }
    }

    /// Whether an answer is of the app that was asked about, and not a zero that is none.
    pub(crate) fn look_at(&self, wanted: Wanted, body: &Value, who: &str) {
        let analysis = &body["analysis"];
        let of_another = (analysis["model_slug"].is_string() && analysis["model_slug"] != MODEL)
            || (analysis["app_number"].is_u64() && analysis["app_number"] != wanted.app);
        let fault = |what: &str| {
            let summary = &analysis["summary"];
            let words = format!(
                "{who}: {what} for {wanted:?}: {analysis_head}: {summary}",
                analysis_head = json!([body["status"], analysis["app_number"], body["task_id"]])
            );
            self.diary.fault(words);
        };
        if of_another {
            fault("an answer of another app");
        }
        let found = |tool: &str| {
            let says = &analysis["tool_results"][tool];
            (says["status"].as_str() == Some("success")).then(|| says["total_issues"].as_u64())
        };
        let (reader, parent) = (found("reader"), found("parent"));
        for (says, count) in [(reader, u64::from(wanted.app)), (parent, 1)] {
            if says.is_some_and(|says| says != Some(count)) {
                fault("a tool that ended well with other findings than there are");
            }
        }
        let has_all = reader.is_some() && (parent.is_some() || !wanted.both);
        if body["status"] == "success" && !has_all {
            fault("a success without its tools");
        }
        let total = u64::from(wanted.app) + u64::from(wanted.both);
        if body["status"] == "success" && analysis["summary"]["total_findings"] != total {
            fault("a success with other findings than there are");
        }
    }

    /// Asks the gateway for every promise. All have ended by now.
    pub(crate) fn compare_with_the_wire(&self, runtime: &Runtime, house: &mut House) {
        let Some(url) = house.daemon(Who::Gateway).map(|daemon| daemon.url()) else { return };
        let tasks: Vec<String> = self.told().promises.keys().cloned().collect();
        let asked = runtime.block_on(async {
            let mut line =
                connect(&url, &ConnectTerms::default()).await.map_err(|e| e.to_string())?;
            for task in &tasks {
                let status = ask(&mut line, task).await?;
                self.compare(task, &status);
            }
            Ok::<(), String>(())
        });
        if let Err(why) = asked {
            self.diary.fault(format!("the gateway cannot be asked for its tasks: {why}"));
        }
    }

    fn compare(&self, task: &str, status: &Value) {
        let mut told = self.told();
        let Some(promise) = told.promises.get_mut(task) else { return };
        let mut faults = Vec::new();
        if status["state"] != "finished" {
            faults
                .push(format!("task {task} was accepted and is `{}` at the end", status["state"]));
        }
        let last = status["status"].as_str().unwrap_or("none").to_owned();
        let last_made = made_at(&status["result"]);
        for End { who, status, made_at } in &promise.ends {
            // Whoever cancels, or waits no longer, has an end of his own.
            if ["cancelled", "timeout"].contains(&status.as_str()) {
                continue;
            }
            if *status != last {
                faults
                    .push(format!("{who} was told that task {task} is `{status}`; it is `{last}`"));
            }
            if made_at.is_some() && last_made.is_some() && *made_at != last_made {
                faults.push(format!(
                    "{who} was told an end of task {task} that was made at {made_at:?}, and there \
                     is one of {last_made:?}"
                ));
            }
        }
        promise.last = Some(last);
        let wanted = promise.wanted;
        drop(told);
        for fault in faults {
            self.diary.fault(fault);
        }
        self.look_at(wanted, &status["result"], &format!("task {task}, asked for at the end"));
    }

    /// Reads the book, which nobody writes any more.
    pub(crate) fn compare_with_the_book(&self, runtime: &Runtime, folder: &Path) {
        if let Err(error) = runtime.block_on(self.read(folder)) {
            self.diary.fault(format!("the book cannot be read: {error}"));
        }
    }

    async fn read(&self, folder: &Path) -> Result<(), assay_store::StoreError> {
        let book = BookReader::open(folder)?;
        let checked = book.check().await?;
        if !checked.problems.is_empty() {
            self.diary.fault(format!("the book is damaged: {:?}", checked.problems));
        }
        let limit = u32::MAX;
        let all = book.tasks(TaskQuery { limit, ..TaskQuery::default() }).await?;
        self.diary.figure(format!("{} tasks in the book", all.len()));
        for record in &all {
            if record.end.is_none() {
                self.diary.fault(format!("task {} has no end in the book", record.task.id));
            }
        }
        let promises: Vec<_> = {
            let told = self.told();
            told.promises
                .iter()
                .map(|(task, promise)| (task.clone(), promise.last.clone()))
                .collect()
        };
        for (task, last) in promises {
            let record = book.task(&TaskId::new(&task).unwrap()).await?;
            let status = record.and_then(|record| record.end).map(|end| end.status);
            if status.is_none() || status != last {
                self.diary.fault(format!(
                    "task {task} was accepted; the book says {status:?}, the gateway {last:?}"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn summary(&self) -> String {
        let told = self.told();
        let counts: Vec<String> =
            told.counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        format!("{} tasks promised; {}", told.promises.len(), counts.join(", "))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn made_at(body: &Value) -> Option<String> {
    body["timestamp"].as_str().map(str::to_owned)
}

/// Asks for one task, on a connection on which nothing else is said.
async fn ask(line: &mut Connection, task: &str) -> Result<Value, String> {
    let wish = json!({ "type": "status_request", "data": { "task_id": task } });
    line.send(Utf8Bytes::from(wish.to_string())).await.map_err(|error| error.to_string())?;
    let text = timeout(ANSWERED_WITHIN, line.next()).await.map_err(|_| "no answer".to_owned())?;
    let text = text.map_err(|error| error.to_string())?.ok_or("it has closed")?;
    let frame: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(frame["data"].clone())
}
