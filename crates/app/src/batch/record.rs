//! What has ended of a batch, on disk, so that the same command goes on where a stopped one was.
//!
//! Keeps: an app that has ended is on disk before it is counted; a line that a kill has cut is of an
//! app that is done again.

use crate::failure::Failure;
use assay_store::state_home;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

/// How the apps of one batch ended, by their names.
#[derive(Debug)]
pub(crate) struct Record<T> {
    path: PathBuf,
    file: File,
    landed: BTreeMap<String, T>,
}

#[derive(Deserialize, Serialize)]
struct Line<T> {
    app: String,
    end: T,
}

// === impl Record ===

impl<T: Serialize + DeserializeOwned> Record<T> {
    /// Opens the record of a batch under the working directory, else where state belongs. `batch` is
    /// all that makes two batches the same; with `fresh` what an earlier run left is forgotten.
    pub(crate) fn open(batch: &impl Serialize, fresh: bool) -> Result<Self, Failure> {
        let text = serde_json::to_string(batch)
            .map_err(|error| Failure::broken("the batch cannot be named").because(error))?;
        let name = format!("{}.ndjson", name_of(&text));
        let here = env::current_dir().unwrap_or_default().join(".assay/batches");
        let state = state_home(|name| env::var_os(name)).map(|home| home.join("assay/batches"));
        Self::read(&here, here.join(&name), fresh).or_else(|error| match state {
            Some(state) => {
                let path = state.join(&name);
                Self::read(&state, path.clone(), fresh).map_err(|error| failed(&path, error))
            }
            None => Err(failed(&here.join(&name), error)),
        })
    }

    fn read(folder: &Path, path: PathBuf, fresh: bool) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        if fresh {
            file.set_len(0)?;
        }
        let mut landed = BTreeMap::new();
        let mut length = 0;
        for line in BufReader::new(&file).split(b'\n') {
            let line = line?;
            length += line.len() as u64 + 1;
            if let Ok(Line { app, end }) = serde_json::from_slice(&line) {
                landed.insert(app, end);
            }
        }
        // The last line lacks its end: what is added must not join it.
        if file.metadata()?.len() < length {
            file.write_all(b"\n")?;
        }
        Ok(Self { path, file, landed })
    }

    /// How the apps ended that have.
    pub(crate) fn landed(&self) -> &BTreeMap<String, T> {
        &self.landed
    }

    /// Puts one on disk.
    pub(crate) fn keep(&mut self, app: String, end: T) -> Result<(), Failure> {
        let line = Line { app, end };
        let mut text = serde_json::to_vec(&line)
            .map_err(|error| Failure::broken("an end cannot be written down").because(error))?;
        text.push(b'\n');
        let kept = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        kept.map_err(|error| failed(&self.path, error))?;
        self.landed.insert(line.app, line.end);
        Ok(())
    }

    /// The batch is whole: the next one begins anew.
    pub(crate) fn close(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the record of the batch is left");
        }
    }
}

/// Sixteen digits of a hash.
fn name_of(text: &str) -> String {
    let mut name = String::new();
    for byte in &Sha256::digest(text)[..8] {
        // Text takes all.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

fn failed(path: &Path, error: io::Error) -> Failure {
    Failure::usage(format!("the record of the batch, `{}`, cannot be kept", path.display()))
        .because(error)
        .hint("make room, or start it where you may write")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, fresh: bool) -> Record<u32> {
        Record::read(folder, folder.join("record"), fresh).unwrap()
    }

    #[test]
    fn a_record_that_a_kill_has_cut_anywhere_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut record = open(folder, false);
        record.keep("a".to_owned(), 1).unwrap();
        record.keep("b".to_owned(), 2).unwrap();
        let whole = fs::read(folder.join("record")).unwrap();
        for cut in 0..=whole.len() {
            fs::write(folder.join("record"), &whole[..cut]).unwrap();
            let mut record = open(folder, false);
            let before = record.landed().clone();
            record.keep("c".to_owned(), 3).unwrap();
            let after = open(folder, false).landed().clone();
            assert_eq!(after.len(), before.len() + 1, "cut at {cut}");
            assert!(before.iter().all(|(app, end)| after.get(app) == Some(end)), "cut at {cut}");
        }
        assert!(open(folder, true).landed().is_empty());
        assert!(open(folder, false).landed().is_empty());
    }
}
