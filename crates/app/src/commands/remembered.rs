//! What the book of a gateway on this machine remembers.

use crate::{failure::Failure, serving::book_folder};
use assay_config::Serve;
use assay_model::AppRef;
use assay_store::{BookReader, TaskQuery, TaskRecord};
use assay_wire::{AnalysisStatus, Payload};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Tasks of the book that are looked through for a name that begins so.
const LOOKED_THROUGH: u32 = 10_000;

/// One task, as it is listed.
pub(super) struct Row {
    pub(super) task: String,
    /// Whether it is still to end.
    pub(super) is_open: bool,
    pub(super) cells: Vec<String>,
    pub(super) json: Value,
}

/// A result that a service has sent, where its report lies elsewhere.
pub(super) struct Kept {
    pub(super) task: assay_model::TaskId,
    pub(super) status: AnalysisStatus,
    pub(super) reply: Payload,
}

/// The book of this machine, if there is one. Without a home there is none either.
async fn reader(serve: &Serve) -> Result<Option<BookReader>, Failure> {
    match book_folder(serve).ok().filter(|folder| folder.is_dir()) {
        Some(folder) => open(folder).await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn open(folder: PathBuf) -> Result<BookReader, Failure> {
    let opening = tokio::task::spawn_blocking(move || BookReader::open(&folder));
    let opened = opening.await;
    Ok(opened.map_err(|error| Failure::broken("the book was not read").because(error))??)
}

/// The result of the task of this name, or of the only one whose name begins so.
pub(super) async fn kept(serve: &Serve, asked: &str) -> Result<Option<Kept>, Failure> {
    let Some(reader) = reader(serve).await? else { return Ok(None) };
    let query = TaskQuery { limit: LOOKED_THROUGH, ..TaskQuery::default() };
    let named = reader.tasks(query).await?;
    let mut named = named.into_iter().filter(|record| record.task.id.as_str().starts_with(asked));
    let (Some(record), None) = (named.next(), named.next()) else { return Ok(None) };
    let Some(end) = record.end else { return Ok(None) };
    let reply = reader.result(&record.task.id).await?.and_then(Payload::from_bytes);
    let status = AnalysisStatus::of_reply(&end.status);
    Ok(reply.map(|reply| Kept { task: record.task.id, status, reply }))
}

/// What the book of this machine remembers.
pub(super) async fn of_book(serve: &Serve) -> Result<Vec<Row>, Failure> {
    let Some(reader) = reader(serve).await? else { return Ok(Vec::new()) };
    let records = reader.tasks(TaskQuery::default()).await?;
    Ok(records.iter().map(of_record).collect())
}

fn of_record(record: &TaskRecord) -> Row {
    let task = &record.task;
    let app = app(&task.model, task.app);
    // What it came to says more than that it ended.
    let state = match &record.end {
        Some(end) => end.status.clone(),
        None => record.state.as_str().to_owned(),
    };
    let at = task.accepted_at.to_zoned(jiff::tz::TimeZone::system());
    let at = at.strftime("%Y-%m-%d %H:%M").to_string();
    Row {
        cells: row(task.id.as_str(), &app, at, &state),
        json: json!({
            "task": task.id, "app": app, "started": task.accepted_at, "state": state,
            "client": task.client, "kind": task.kind, "attempt": record.attempt,
            "ended": record.end.as_ref().map(|end| end.at),
            "message": record.end.as_ref().and_then(|end| end.message.clone()),
        }),
        is_open: record.end.is_none(),
        task: task.id.to_string(),
    }
}

pub(super) fn app(model: &str, number: u32) -> AppRef {
    AppRef::model_app(model, &number.to_string())
        .unwrap_or_else(|_| AppRef::Path { path: format!("{model} app{number}") })
}

pub(super) fn row(task: &str, app: &AppRef, at: String, state: &str) -> Vec<String> {
    let cells = [task.to_owned(), app.to_string(), at, state.to_owned()];
    cells.into_iter().chain([String::new(), String::new()]).collect()
}
