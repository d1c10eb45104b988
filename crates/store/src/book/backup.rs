//! A copy of a book, taken while it is written, and read by anybody: it is a book itself.
//!
//! Keeps: the copy is one state of the book with all its results, whole and on disk, or it is not
//! there. To restore it is to put it into the place of the book.

use super::{
    BookReader,
    home::Home,
    opening::{connect, copy},
    results::file_names,
};
use crate::{
    StoreError,
    disk::{make_folder, make_folders, open_regular, sync_folder},
};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Results that are files of their own.
    pub files: u64,
    /// Of the database and those files.
    pub bytes: u64,
}

// === impl BookReader ===

impl BookReader {
    /// Copies the book to the folder `to`, which must not be there. Whoever writes the book goes on
    /// meanwhile; what it writes after the beginning is not in the copy.
    ///
    /// # Cancel safety
    ///
    /// A copy that was begun is finished when its caller leaves.
    pub async fn backup(&self, to: &Path) -> Result<BackedUp, StoreError> {
        let (home, to) = (self.home().clone(), to.to_owned());
        let copying = tokio::task::spawn_blocking(move || back_up(&home, &to));
        copying.await.unwrap_or_else(|_| Err(self.broke_off()))
    }
}

fn back_up(home: &Home, to: &Path) -> Result<BackedUp, StoreError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    let above = to.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    let failed = |error| StoreError::io("made", to, error);
    make_folders(above).map_err(failed)?;
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let coming = Home::new(&above.join(format!(".new-{}-{name}", std::process::id())));
    make_folder(&coming.folder).map_err(failed)?;
    let filled = fill(home, &coming).and_then(|backed_up| {
        // An empty folder that came meanwhile would be replaced, and nothing is lost with it.
        fs::rename(&coming.folder, to).map_err(failed)?;
        sync_folder(above)?;
        Ok(backed_up)
    });
    filled.inspect_err(|_| {
        fs::remove_dir_all(&coming.folder).ok();
    })
}

fn fill(home: &Home, coming: &Home) -> Result<BackedUp, StoreError> {
    // Before the state is chosen: what a row of it names stays until it is copied.
    let _stay = home.files_stay()?;
    // (A connection that may only query is not allowed to.)
    let names = connect(&home.database())
        .map_err(Into::into)
        .and_then(|db| copy(&db, &coming.database()))
        .and_then(|()| file_names(&connect(&coming.database())?))
        .map_err(|fault| fault.at(coming))?;
    let mut backed_up = BackedUp { files: names.len() as u64, bytes: 0 };
    let database = coming.database();
    let length =
        fs::metadata(&database).map_err(|error| StoreError::io("read", &database, error))?;
    backed_up.bytes += length.len();
    make_folder(&coming.results())
        .map_err(|error| StoreError::io("made", &coming.results(), error))?;
    for name in names {
        backed_up.bytes += copy_file(&home.results().join(&name), &coming.results().join(&name))?;
    }
    sync_folder(&coming.results())?;
    sync_folder(&coming.folder)?;
    Ok(backed_up)
}

fn copy_file(from: &Path, to: &Path) -> Result<u64, StoreError> {
    let mut source = open_regular(from).map_err(|error| StoreError::unreadable(from, error))?;
    let mut options = fs::OpenOptions::new();
    let mut target = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| StoreError::io("made", to, error))?;
    let copied = io::copy(&mut source, &mut target)
        .and_then(|bytes| target.flush().and_then(|()| target.sync_all()).map(|()| bytes));
    copied.map_err(|error| StoreError::io("written", to, error))
}
