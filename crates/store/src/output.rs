//! A folder that the user named with `--output`: empty, ours, or neither.
//!
//! Keeps: nothing is removed that an analysis did not write; what was ours before stays ours when
//! the process dies in between, so the next analysis may use the folder again.
//!
//! The folder itself stays where it is: it may be a mount point, or where somebody's shell is.

use crate::{
    StoreError,
    disk::{is_real_folder, make_folders, open_limited, read_json},
    lock::Lock,
    manifest::{MANIFEST_BYTES_MAX, Manifest, Marker},
    names::{EVENTS, FOLDERS, LOCK, MANIFEST, REPORT, TASK, is_litter, is_result},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Makes `folder` ready for a new analysis and takes the right to write it.
pub(crate) fn take_over(folder: &Path) -> Result<(PathBuf, Lock), StoreError> {
    if folder.exists() && !folder.is_dir() {
        return Err(StoreError::NotAFolder { path: folder.to_owned() });
    }
    make_folders(folder)
        .and_then(|()| fs::canonicalize(folder))
        .map_err(|error| StoreError::io("made", folder, error))
        .and_then(|folder| {
            // Before the lock is made, since that is a file in somebody's folder already.
            check(&folder)?;
            let lock = Lock::take(&folder)?;
            check(&folder)?;
            clear(&folder)?;
            Ok((folder, lock))
        })
}

/// Says whether the folder may be written: it holds nothing, or the marks of an analysis.
fn check(folder: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("listed", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !name.to_str().is_some_and(is_litter) {
            let ours = is_ours(folder);
            return if ours {
                Ok(())
            } else {
                Err(StoreError::NotOurs { path: folder.to_owned() })
            };
        }
    }
    Ok(())
}

/// Whether the folder holds the marks of an analysis, of whatever version.
pub(crate) fn is_ours(folder: &Path) -> bool {
    [TASK, MANIFEST]
        .iter()
        .any(|name| read_json::<Marker>(&folder.join(name), MANIFEST_BYTES_MAX).is_ok())
}

/// Removes what the last analysis wrote. `task.json` stays until it is replaced.
fn clear(folder: &Path) -> Result<(), StoreError> {
    let manifest = folder.join(MANIFEST);
    let listed = read_json::<Manifest>(&manifest, MANIFEST_BYTES_MAX)
        .map(|manifest| manifest.files)
        .unwrap_or_default();
    // From the moment that this is gone nobody takes the folder for a finished analysis. If only
    // the manifest says that the folder is ours, it goes last: a second try must find it.
    if open_limited(&folder.join(TASK), MANIFEST_BYTES_MAX).is_ok() {
        remove(&manifest)?;
    }
    for name in [REPORT, "report.html", EVENTS] {
        remove(&folder.join(name))?;
    }
    for file in &listed {
        // The list is a file on disk that anybody may have written.
        if file.name != TASK && is_result(&file.name).is_ok() && parent_is_real(folder, &file.name)
        {
            remove(&folder.join(&file.name))?;
        }
    }
    clear_litter(folder, is_litter)?;
    for name in FOLDERS {
        let below = folder.join(name);
        if is_real_folder(&below) {
            // What lies here was written by an analysis that had no time to list it.
            clear_litter(&below, |_| true)?;
        }
    }
    remove(&manifest)
}

fn clear_litter(folder: &Path, unwanted: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("listed", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = entry.file_name();
        if is_file && name != LOCK && name.to_str().is_some_and(&unwanted) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn parent_is_real(folder: &Path, name: &str) -> bool {
    name.split_once('/').is_none_or(|(below, _)| is_real_folder(&folder.join(below)))
}

/// Removes a file or a link, never what a link leads to.
fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("removed", path, error))
        }
        _ => Ok(()),
    }
}
