//! The book of a gateway: where it lies, how it is opened, and what leaves it.

use crate::failure::Failure;
use assay_config::{RetentionSettings, Serve};
use assay_store::{Book, BookTerms, Opened, Retention, state_home};
use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// How often old tasks leave the book.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Opens the book, and says what was found.
pub(super) async fn open_book(serve: &Serve) -> Result<(Book, String), Failure> {
    let folder = book_folder(serve)?;
    let at = folder.clone();
    let opening = spawn_blocking(move || Book::open(&at, BookTerms::default()));
    let (book, opened) = opening
        .await
        .map_err(|error| Failure::broken("the book could not be opened").because(error))??;
    Ok((book, what_was_found(&folder, &opened)))
}

fn what_was_found(folder: &Path, opened: &Opened) -> String {
    let at = folder.display();
    match opened {
        Opened::New => format!("a new book at {at}"),
        Opened::Here => format!("the book at {at}"),
        Opened::Migrated { from, kept } => {
            let kept = kept.display();
            format!("the book at {at}, brought here from version {from} (as it was: {kept})")
        }
        Opened::Damaged { aside, why, saved } => format!(
            "the book at {at} was damaged ({why}): a new one holds {} tasks and {} results of it, \
             what is left lies in {}",
            saved.tasks,
            saved.results,
            aside.display()
        ),
    }
}

/// Where the book of a gateway lies.
pub(crate) fn book_folder(serve: &Serve) -> Result<PathBuf, Failure> {
    if let Some(folder) = &serve.book {
        return Ok(env::current_dir().unwrap_or_default().join(folder));
    }
    let home = state_home(|name| env::var_os(name)).ok_or_else(|| {
        Failure::usage("there is no folder for the book of the gateway")
            .hint("set HOME, XDG_STATE_HOME, or `serve.book` in assay.toml (ASSAY_BOOK)")
    })?;
    Ok(home.join("assay/book"))
}

/// Lets go of old tasks, now and every hour.
pub(super) async fn prune(book: &Book, keep: &RetentionSettings, closing: &CancellationToken) {
    let retention =
        Retention { keep_for: keep.keep_for, keep_max: keep.tasks, keep_bytes: keep.bytes };
    loop {
        match book.prune(retention, jiff::Timestamp::now()).await {
            Ok(removed) if removed.tasks > 0 => {
                tracing::info!(tasks = removed.tasks, "old tasks have left the book");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "old tasks stay in the book"),
        }
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = tokio::time::sleep(PRUNE_EVERY) => {}
        }
    }
}
