//! How tasks, ends and events stand in the tables.
//!
//! Keeps: what is read back equals what was written, times to the microsecond.

use super::{
    fault::Fault,
    task::{
        EndRecord, NewTask, OpenTask, StateFilter, StoredEvent, TASKS_PER_PAGE, TaskEnd, TaskQuery,
        TaskRecord, WorkState,
    },
};
use crate::StoreError;
use assay_model::TaskId;
use jiff::Timestamp;
use rusqlite::{
    Connection, OptionalExtension, Row, ToSql, named_params,
    types::{FromSqlError, Type},
};

/// What a result is kept as.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Inside(Vec<u8>),
    File { name: String, kept: u64 },
}

/// A result, ready for its row.
#[derive(Clone, Debug)]
pub(super) struct ResultRow {
    pub(super) bytes: u64,
    pub(super) kept: Kept,
}

// === writing ===

pub(super) fn insert_task(db: &Connection, task: &NewTask) -> Result<(), Fault> {
    let sql = "INSERT INTO tasks (id, client, key, model, app, kind, service, priority, \
               deadline_at, detach, batch, accepted_at, traceparent, request) \
               VALUES (:id, :client, :key, :model, :app, :kind, :service, :priority, \
               :deadline_at, :detach, :batch, :accepted_at, :traceparent, :request) \
               ON CONFLICT (id) DO NOTHING";
    let added = db.prepare_cached(sql)?.execute(named_params! {
        ":id": task.id.as_str(),
        ":client": task.client,
        ":key": task.key,
        ":model": task.model,
        ":app": task.app,
        ":kind": task.kind,
        ":service": task.service,
        ":priority": task.priority,
        ":deadline_at": task.deadline_at.as_microsecond(),
        ":detach": task.detach,
        ":batch": task.batch,
        ":accepted_at": task.accepted_at.as_microsecond(),
        ":traceparent": task.traceparent,
        ":request": task.request,
    })?;
    if added == 0 {
        return Err(StoreError::TaskTaken { task: task.id.clone() }.into());
    }
    Ok(())
}

pub(super) fn start(
    db: &Connection,
    task: &TaskId,
    attempt: u32,
    at: Timestamp,
) -> Result<(), Fault> {
    let n = open_number(db, task)?;
    let sql = "UPDATE tasks SET state = 'running', attempt = ?2, started_at = ?3 WHERE n = ?1";
    db.prepare_cached(sql)?.execute((n, attempt, at.as_microsecond()))?;
    Ok(())
}

pub(super) fn append(db: &Connection, task: &TaskId, events: &[StoredEvent]) -> Result<(), Fault> {
    insert_events(db, open_number(db, task)?, events)
}

fn insert_events(db: &Connection, n: i64, events: &[StoredEvent]) -> Result<(), Fault> {
    let sql = "INSERT INTO events (task, seq, json) VALUES (?1, ?2, ?3) \
               ON CONFLICT (task, seq) DO NOTHING";
    let mut insert = db.prepare_cached(sql)?;
    for event in events {
        insert.execute((n, event.seq, &event.json))?;
    }
    Ok(())
}

/// Writes the end, unless there is one: then it says `false` and changes nothing.
pub(super) fn end(
    db: &Connection,
    task: &TaskId,
    events: &[StoredEvent],
    end: &TaskEnd,
    result: Option<&ResultRow>,
) -> Result<bool, Fault> {
    let (n, _) = number(db, task)?;
    let sql = "INSERT INTO ends (task, at, status, code, message) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (task) DO NOTHING";
    let row = (n, end.at.as_microsecond(), &end.status, &end.code, &end.message);
    if db.prepare_cached(sql)?.execute(row)? == 0 {
        return Ok(false);
    }
    insert_events(db, n, events)?;
    db.prepare_cached("UPDATE tasks SET state = ?2 WHERE n = ?1")?
        .execute((n, end.state.as_str()))?;
    if let Some(ResultRow { bytes, kept }) = result {
        let (kept, file, data) = match kept {
            Kept::Inside(data) => (data.len() as u64, None, Some(data)),
            Kept::File { name, kept } => (*kept, Some(name), None),
        };
        let sql = "INSERT INTO results (task, bytes, kept, file, data) VALUES (?1, ?2, ?3, ?4, ?5)";
        db.prepare_cached(sql)?.execute((n, signed(*bytes), signed(kept), file, data))?;
    }
    Ok(true)
}

/// SQLite's integers are signed. No size of ours comes near.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn open_number(db: &Connection, task: &TaskId) -> Result<i64, Fault> {
    match number(db, task)? {
        (n, true) => Ok(n),
        (_, false) => Err(StoreError::TaskEnded { task: task.clone() }.into()),
    }
}

/// The number of a task, and whether its end is to come.
fn number(db: &Connection, task: &TaskId) -> Result<(i64, bool), Fault> {
    let sql = "SELECT n, state IN ('queued', 'running') FROM tasks WHERE id = ?1";
    let found = db
        .prepare_cached(sql)?
        .query_row([task.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.ok_or_else(|| StoreError::TaskUnknown { task: task.clone() }.into())
}

// === reading ===

const COLUMNS: &str = "t.id, t.client, t.key, t.model, t.app, t.kind, t.service, t.priority, \
                       t.deadline_at, t.detach, t.batch, t.accepted_at, t.traceparent, t.request, \
                       t.state, t.attempt, t.started_at, e.at, e.status, e.code, e.message, r.bytes";
const JOINED: &str = "tasks t LEFT JOIN ends e ON e.task = t.n LEFT JOIN results r ON r.task = t.n";

pub(super) fn task(db: &Connection, id: &TaskId) -> Result<Option<TaskRecord>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM {JOINED} WHERE t.id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id.as_str()], record_of).optional()?)
}

pub(super) fn tasks(db: &Connection, query: &TaskQuery) -> Result<Vec<TaskRecord>, Fault> {
    let limit = if query.limit == 0 { TASKS_PER_PAGE } else { query.limit };
    let before = query.before.as_ref().map(TaskId::as_str);
    let state = match query.state {
        Some(StateFilter::Only(state)) => Some(state.as_str()),
        Some(StateFilter::Open | StateFilter::Ended) | None => None,
    };
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":limit", &limit)];
    // Only what is asked for stands in the text, so that SQLite sees which index serves.
    let mut which = match query.state {
        Some(StateFilter::Open) => "state IN ('queued', 'running')",
        Some(StateFilter::Ended) => "state NOT IN ('queued', 'running')",
        Some(StateFilter::Only(_)) | None => "true",
    }
    .to_owned();
    let mut ask = |is_asked: bool, text: &str, name: &'static str, value| {
        if is_asked {
            which += text;
            values.push((name, value));
        }
    };
    ask(state.is_some(), " AND state = :state", ":state", &state);
    ask(query.model.is_some(), " AND model = :model", ":model", &query.model);
    ask(query.app.is_some(), " AND app = :app", ":app", &query.app);
    ask(query.client.is_some(), " AND client = :client", ":client", &query.client);
    ask(query.batch.is_some(), " AND batch = :batch", ":batch", &query.batch);
    let is_before = " AND n < (SELECT n FROM tasks WHERE id = :before)";
    ask(before.is_some(), is_before, ":before", &before);
    // Numbers first: to sort all that fits, rows and all, would cost a hundred times as much.
    let sql = format!(
        "SELECT {COLUMNS} FROM {JOINED} WHERE t.n IN \
         (SELECT n FROM tasks WHERE {which} ORDER BY n DESC LIMIT :limit) ORDER BY t.n DESC"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(&*values, record_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads every task, as if somebody had asked for it.
pub(super) fn read_all(db: &Connection) -> Result<(), Fault> {
    unreadable(db)?
        .first()
        .map_or(Ok(()), |(n, error)| Err(Fault::Damaged(format!("row {n} of the tasks: {error}"))))
}

/// The numbers of tasks that cannot be read as such, each with the reason.
pub(super) fn unreadable(db: &Connection) -> Result<Vec<(i64, String)>, Fault> {
    let mut numbers = db.prepare("SELECT n FROM tasks ORDER BY n")?;
    let mut one = db.prepare(&format!("SELECT {COLUMNS} FROM {JOINED} WHERE t.n = ?1"))?;
    let mut unreadable = Vec::new();
    let mut rows = numbers.query([])?;
    while let Some(row) = rows.next()? {
        let n: i64 = row.get(0)?;
        if let Err(error) = one.query_row([n], record_of) {
            unreadable.push((n, error.to_string()));
        }
    }
    Ok(unreadable)
}

pub(super) fn open_tasks(db: &Connection) -> Result<Vec<OpenTask>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT max(seq) + 1 FROM events v WHERE v.task = t.n) \
         FROM {JOINED} WHERE t.state IN ('queued', 'running') ORDER BY t.n"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        let TaskRecord { task, state, attempt, .. } = record_of(row)?;
        let next_seq = row.get::<_, Option<u32>>(22)?.unwrap_or(0);
        Ok(OpenTask { task, running: state == WorkState::Running, attempt, next_seq })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn events(
    db: &Connection,
    task: &TaskId,
    from: u32,
    limit: u32,
) -> Result<Vec<StoredEvent>, Fault> {
    let sql = "SELECT seq, json FROM events WHERE task = (SELECT n FROM tasks WHERE id = ?1) \
               AND seq >= ?2 ORDER BY seq LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((task.as_str(), from, limit), |row| {
        Ok(StoredEvent { seq: row.get(0)?, json: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn result(db: &Connection, task: &TaskId) -> Result<Option<ResultRow>, Fault> {
    let sql = "SELECT bytes, kept, file, data FROM results \
               WHERE task = (SELECT n FROM tasks WHERE id = ?1)";
    let row = db.prepare_cached(sql)?.query_row([task.as_str()], |row| {
        let size = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let kept = match row.get(2)? {
            Some(name) => Kept::File { name, kept: size(1)? },
            None => Kept::Inside(row.get(3)?),
        };
        Ok(ResultRow { bytes: size(0)?, kept })
    });
    Ok(row.optional()?)
}

fn record_of(row: &Row<'_>) -> rusqlite::Result<TaskRecord> {
    let state: String = row.get(14)?;
    let end = match row.get::<_, Option<i64>>(17)? {
        None => None,
        Some(_) => Some(EndRecord {
            at: time(row, 17)?,
            status: row.get(18)?,
            code: row.get(19)?,
            message: row.get(20)?,
            result_bytes: row.get::<_, Option<i64>>(21)?.map(i64::cast_unsigned),
        }),
    };
    let started: Option<i64> = row.get(16)?;
    Ok(TaskRecord {
        task: task_of(row)?,
        state: WorkState::parse(&state).ok_or_else(|| strange(14, "a state"))?,
        attempt: row.get(15)?,
        started_at: started.map(|_| time(row, 16)).transpose()?,
        end,
    })
}

fn task_of(row: &Row<'_>) -> rusqlite::Result<NewTask> {
    let id: String = row.get(0)?;
    Ok(NewTask {
        id: TaskId::new(&id).map_err(|_| strange(0, "a task id"))?,
        client: row.get(1)?,
        key: row.get(2)?,
        model: row.get(3)?,
        app: row.get(4)?,
        kind: row.get(5)?,
        service: row.get(6)?,
        priority: row.get(7)?,
        deadline_at: time(row, 8)?,
        detach: row.get(9)?,
        batch: row.get(10)?,
        accepted_at: time(row, 11)?,
        traceparent: row.get(12)?,
        request: row.get(13)?,
    })
}

pub(super) fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(at)?).map_err(|_| strange(at, "a time"))
}

/// Something that we did not write: somebody edited the file, or a disk did.
fn strange(column: usize, wanted: &str) -> rusqlite::Error {
    let what = FromSqlError::Other(format!("it is not {wanted}").into());
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, Box::new(what))
}
