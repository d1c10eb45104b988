//! The folder of one batch: its tables. What came of single apps is in their own task folders.
//!
//! Keeps: a file appears under its name when it is whole; a folder that holds anything but an
//! older batch is not written to.

use crate::{
    Place, ResultsRoot, StoreError,
    disk::{make_folder, make_folders, read_json, write_whole},
    lock::Lock,
    names::is_litter,
};
use assay_model::TaskId;
use serde::Deserialize;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The whole result of a batch, by which its folder is known as ours.
pub const BATCH_JSON: &str = "batch.json";

/// All that a batch writes, what makes the folder ours last.
const FILES: [&str; 4] = ["batch.csv", "batch.md", "batch.html", BATCH_JSON];

/// No batch is larger: a thousand apps of thirty tools take some 10 MB.
const BATCH_BYTES_MAX: u64 = 1 << 30;

/// The tables of one batch while it runs. Made by [`ResultsRoot::create_batch`].
#[derive(Debug)]
pub struct BatchFolder {
    place: Place,
    _lock: Lock,
}

/// As little of a `batch.json` as tells whose it is.
#[derive(Deserialize)]
struct Marker {
    #[serde(rename = "batch_version")]
    _version: String,
}

// === impl ResultsRoot ===

impl ResultsRoot {
    /// Makes the folder of a batch: `results/batch_<id>/`. With `output` that is the folder itself,
    /// which has to be absent, empty, or to hold an older batch, whose files are removed.
    pub fn create_batch(
        &self,
        id: &TaskId,
        output: Option<&Path>,
    ) -> Result<BatchFolder, StoreError> {
        if let Some(output) = output {
            return BatchFolder::create_in(&self.working_directory().join(output));
        }
        let name = format!("batch_{id}");
        let wanted = self.working_directory().join("results").join(&name);
        let here = match BatchFolder::create_new(&wanted) {
            Err(error) if !matches!(error, StoreError::Exists { .. }) => error,
            made => return made,
        };
        let why = here.in_full();
        let nowhere =
            |elsewhere| StoreError::Nowhere { path: wanted.clone(), why: why.clone(), elsewhere };
        let Some(root) = self.state_root() else {
            return Err(nowhere("neither `XDG_STATE_HOME` nor `HOME` is set".to_owned()));
        };
        let mut folder =
            BatchFolder::create_new(&root.join(&name)).map_err(|error| nowhere(error.in_full()))?;
        folder.place.fell_back = Some(why);
        Ok(folder)
    }
}

// === impl BatchFolder ===

impl BatchFolder {
    fn create_new(dir: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::io("made", dir, error);
        if let Some(above) = dir.parent() {
            make_folders(above).map_err(failed)?;
        }
        make_folder(dir).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists { path: dir.to_owned() },
            _ => failed(error),
        })?;
        Self::open(dir)
    }

    fn create_in(dir: &Path) -> Result<Self, StoreError> {
        if dir.exists() && !dir.is_dir() {
            return Err(StoreError::NotAFolder { path: dir.to_owned() });
        }
        make_folders(dir).map_err(|error| StoreError::io("made", dir, error))?;
        // Before the lock is made, since that is a file in somebody's folder already.
        check(dir)?;
        let folder = Self::open(dir)?;
        check(dir)?;
        for name in FILES {
            let path = dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("removed", &path, error));
                }
                _ => {}
            }
        }
        Ok(folder)
    }

    fn open(dir: &Path) -> Result<Self, StoreError> {
        let dir = dir.canonicalize().map_err(|error| StoreError::io("made", dir, error))?;
        let lock = Lock::take(&dir)?;
        Ok(Self { place: Place { dir, fell_back: None }, _lock: lock })
    }

    /// Where the tables are, and why they are not where they should be.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Writes one of the tables; it appears when it is whole. Returns where it is.
    pub fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<PathBuf, StoreError> {
        if !FILES.contains(&name) {
            let why = "it is none of a batch's files";
            return Err(StoreError::BadName { name: name.to_owned(), why });
        }
        let path = self.place.dir.join(name);
        write_whole(&path, fill)?;
        Ok(path)
    }
}

/// Says whether the folder may be written: it holds nothing, or an older batch and nothing else.
fn check(dir: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("listed", dir, error);
    let mut holds = false;
    let not_ours = || Err(StoreError::NotOurs { path: dir.to_owned() });
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        match name.to_str() {
            Some(name) if is_litter(name) => {}
            Some(name) if FILES.contains(&name) => holds = true,
            _ => return not_ours(),
        }
    }
    let is_ours = || read_json::<Marker>(&dir.join(BATCH_JSON), BATCH_BYTES_MAX).is_ok();
    if holds && !is_ours() { not_ours() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TaskId {
        TaskId::new("20261127-120000-abcdef").unwrap()
    }

    fn root(dir: &Path) -> ResultsRoot {
        ResultsRoot::new(dir, Some(dir.join("state")))
    }

    fn marked(folder: &BatchFolder) {
        folder.write(BATCH_JSON, |out| out.write_all(b"{\"batch_version\": \"1.0\"}")).unwrap();
    }

    #[test]
    fn a_batch_has_a_folder_beside_the_models() {
        let dir = tempfile::tempdir().unwrap();
        let folder = root(dir.path()).create_batch(&id(), None).unwrap();
        let expected =
            dir.path().canonicalize().unwrap().join("results/batch_20261127-120000-abcdef");
        assert_eq!(folder.place().dir, expected);
        marked(&folder);
        assert!(matches!(
            root(dir.path()).create_batch(&id(), None),
            Err(StoreError::Exists { .. })
        ));
        assert!(folder.write("report.json", |_| Ok(())).is_err());
        assert!(crate::list(&root(dir.path()).roots()).unreadable.is_empty());
    }

    #[test]
    fn a_named_folder_is_ours_or_empty() {
        let dir = tempfile::tempdir().unwrap();
        let named = dir.path().join("out");
        let create = || root(dir.path()).create_batch(&id(), Some(&named));
        let folder = create().unwrap();
        assert!(matches!(create(), Err(StoreError::InUse { .. })));
        folder.write("batch.csv", |out| out.write_all(b"x")).unwrap();
        marked(&folder);
        drop(folder);
        drop(create().unwrap());
        assert!(!named.join("batch.csv").exists(), "the older batch is gone");
        fs::write(named.join("thesis.tex"), "mine").unwrap();
        assert!(matches!(create(), Err(StoreError::NotOurs { .. })));
        assert_eq!(fs::read_to_string(named.join("thesis.tex")).unwrap(), "mine");
    }

    #[test]
    fn somebody_elses_table_of_that_name_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(BATCH_JSON), "{\"jobs\": []}").unwrap();
        let made = root(dir.path()).create_batch(&id(), Some(dir.path()));
        assert!(matches!(made, Err(StoreError::NotOurs { .. })));
        assert!(dir.path().join(BATCH_JSON).exists());
    }

    #[test]
    fn where_results_cannot_go_a_batch_goes_to_the_state_folder_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("results"), "a file").unwrap();
        let folder = root(dir.path()).create_batch(&id(), None).unwrap();
        assert!(folder.place().fell_back.is_some());
        assert!(folder.place().dir.ends_with("state/assay/results/batch_20261127-120000-abcdef"));
    }
}
