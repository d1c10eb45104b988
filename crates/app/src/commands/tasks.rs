//! `assay tasks`: what a running gateway has taken on, what its book remembers, and what was analysed
//! here without one. Each task once, those that run first.

use super::{
    remembered::{Row, app, of_book, open, row},
    results::{entry_json, entry_row},
    server::report,
};
use crate::{
    cli::{Backup, Global, Tasks},
    client::Addresses,
    exit::Exit,
    failure::{Failure, Outcome},
    serving::book_folder,
    session::{self, Session},
};
use assay_store::list;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) fn run(words: &Tasks, global: &Global, session: &Session) -> Outcome {
    let listing = list(&super::results_root()?.roots());
    let addresses = Addresses::of(&words.server, global)?;
    let mut rows = session::block_on(async |_| {
        let mut rows = live(&addresses, words.server.server.is_some()).await?;
        rows.extend(listing.entries.iter().map(|entry| Row {
            task: entry.task.to_string(),
            is_open: entry.state == assay_store::TaskState::Running,
            cells: entry_row(entry),
            json: entry_json(entry),
        }));
        rows.extend(of_book(addresses.serve()).await?);
        Ok(rows)
    })?;
    let mut seen = BTreeSet::new();
    rows.retain(|row| seen.insert(row.task.clone()));
    rows.sort_by_key(|row| !row.is_open);
    if words.json {
        session::print_json(&rows.into_iter().map(|row| row.json).collect::<Vec<_>>())?;
    } else if rows.is_empty() && listing.unreadable.is_empty() {
        session::print("no results yet; run `assay analyze PATH`\n")?;
    } else {
        let cells: Vec<Vec<String>> = rows.into_iter().map(|row| row.cells).collect();
        let headers = ["task", "app", "started", "state", "findings", "worst"];
        session::print(&assay_term::table(&headers, &cells, assay_term::stdout_width()))?;
    }
    for broken in &listing.unreadable {
        session.note(&format!("{}: cannot be read: {}", broken.path.display(), broken.why));
    }
    Ok(Exit::Done)
}

/// Copies the book, also while its gateway runs.
pub(crate) fn backup(words: &Backup, global: &Global) -> Outcome {
    let config = crate::setup::loader(global)?.check()?.config;
    let folder = book_folder(&config.serve)?;
    if !folder.is_dir() {
        return Err(Failure::usage(format!("there is no book at `{}`", folder.display()))
            .hint("`assay serve` begins one; ASSAY_BOOK names another place"));
    }
    let to = std::env::current_dir().unwrap_or_default().join(&words.to);
    session::block_on(async |_| {
        let reader = open(folder).await?;
        reader.backup(&to).await?;
        session::print(&format!("the book is copied to {}\n", to.display()))?;
        Ok(Exit::Done)
    })
}

/// What a gateway has in hand. Where none was named, none need be there.
async fn live(addresses: &Addresses, is_named: bool) -> Result<Vec<Row>, Failure> {
    let mut client = match addresses.connect().await {
        Ok(client) => client,
        Err(failure) if is_named => return Err(failure),
        Err(_) => return Ok(Vec::new()),
    };
    let report = report(&mut client).await?;
    let url = client.url().to_owned();
    client.leave().await;
    let tasks: Value = report.tasks.and_then(|tasks| tasks.parse().ok()).unwrap_or_default();
    let live = tasks["live"].as_array().cloned().unwrap_or_default();
    Ok(live.iter().map(|task| of_live(task, &url)).collect())
}

fn of_live(task: &Value, url: &str) -> Row {
    let word = |key: &str| task[key].as_str().unwrap_or_default().to_owned();
    let number = task["app_number"].as_u64().and_then(|number| u32::try_from(number).ok());
    let app = app(&word("model_slug"), number.unwrap_or_default());
    let (id, state) = (word("task_id"), word("state"));
    Row {
        cells: row(&id, &app, String::new(), &state),
        json: json!({
            "task": id, "app": app, "state": state, "server": url,
            "waiting_clients": task["waiting_clients"],
        }),
        is_open: true,
        task: id,
    }
}
