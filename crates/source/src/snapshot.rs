//! The copy and its digest.

use crate::{
    copy::copy_all,
    framework,
    git::Repository,
    ignored::Rules,
    removal::remove_tree,
    text::TextCache,
    walk::{Walk, open_root},
};
use assay_model::{Digest, GitInfo, Language, LanguageInfo, SourceInfo, SourcePath, SourceText};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How the walk behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `--no-ignore`, `MODEL APP` and `batch`: nothing in the app hides files, neither `.gitignore`
    /// and `.assayignore` nor a comment that says `@generated`.
    pub no_ignore: bool,
}

/// The analysed state of an app: a copy, made once, that no later change of the app reaches.
///
/// Dropping it removes the copy.
#[derive(Debug)]
pub struct Snapshot {
    root: PathBuf,
    files: Vec<SourceFile>,
    info: SourceInfo,
    git: Option<GitInfo>,
    cache: TextCache,
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    pub path: SourcePath,
    pub language: Language,
    pub bytes: u64,
    pub lines: u64,
    pub(crate) digest: blake3::Hash,
    pub(crate) stamp: Stamp,
}

/// What of a file changes when somebody changes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("there is no `{path}`")]
    Missing { path: String },
    #[error("`{path}` is neither a folder nor a file")]
    NotAnApp { path: String },
    #[error("`{path}` cannot be read")]
    Unreadable { path: String, source: io::Error },
    #[error("the copy of the app could not be written to `{path}`")]
    NotWritten { path: String, source: io::Error },
    #[error("the copy of the app was stopped")]
    Stopped,
}

impl SourceFile {
    pub fn is_text(&self) -> bool {
        self.language != Language::Binary
    }
}

/// Copies the app at `path` into `into`, which must be an empty folder of ours.
///
/// `stop` is asked between files; once it says yes the result is [`SourceError::Stopped`].
pub fn take(
    path: &Path,
    into: &Path,
    options: Options,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Snapshot, SourceError> {
    let shown = path.display().to_string();
    let unreadable = |source| SourceError::Unreadable { path: shown.clone(), source };
    let kind = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: shown.clone() },
        _ => unreadable(error),
    })?;
    let full = path.canonicalize().map_err(unreadable)?;
    let single = match (kind.is_dir(), kind.is_file()) {
        (true, _) => None,
        (_, true) => full.file_name().map(ToOwned::to_owned),
        _ => return Err(SourceError::NotAnApp { path: shown }),
    };
    let root = match &single {
        Some(_) => full.parent().unwrap_or(Path::new("/")).to_owned(),
        None => full,
    };
    let repository = Repository::around(&root);
    let rules = (!options.no_ignore).then(|| Rules::around(&root, repository.as_ref()));
    let fd = open_root(&root).map_err(unreadable)?;
    let mut walk = Walk::new(&root, rules, stop);
    match &single {
        Some(name) => walk.single(name),
        None => walk.run(open_root(&root).map_err(unreadable)?),
    }
    let Walk { found, mut tally, .. } = walk;
    let copied = copy_all(&fd, &found, into, (options, stop))?;
    if stop() {
        return Err(SourceError::Stopped);
    }
    let mut files = Vec::with_capacity(copied.len());
    for (path, outcome) in copied {
        match outcome {
            Ok(file) => files.push(file),
            Err(cause) => tally.add(cause, path.as_str()),
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut snapshot = Snapshot {
        root: into.to_owned(),
        info: count(&files),
        files,
        git: repository.and_then(|repository| repository.info()),
        cache: TextCache::default(),
    };
    snapshot.info.skipped = tally.into_map();
    snapshot.info.manifests = framework::manifests(&snapshot.files);
    snapshot.info.frameworks = framework::frameworks(&snapshot.info.manifests, &snapshot);
    Ok(snapshot)
}

/// Names some content.
pub fn digest_of(content: &[u8]) -> Digest {
    as_digest(blake3::hash(content))
}

pub(crate) fn as_digest(hash: blake3::Hash) -> Digest {
    Digest::new(hash.to_hex().as_str()).expect("BLAKE3 gives 64 hex digits")
}

pub(crate) fn count_lines(text: &[u8]) -> u64 {
    let ends = memchr::memchr_iter(b'\n', text).count() as u64;
    ends + u64::from(text.last().is_some_and(|last| *last != b'\n'))
}

fn count(files: &[SourceFile]) -> SourceInfo {
    let mut languages: BTreeMap<Language, LanguageInfo> = BTreeMap::new();
    let mut hasher = blake3::Hasher::new_derive_key("assay source digest v1");
    for file in files {
        let of = languages.entry(file.language).or_default();
        of.files += 1;
        of.lines += file.lines;
        hasher.update(&(file.path.as_str().len() as u64).to_le_bytes());
        hasher.update(file.path.as_str().as_bytes());
        hasher.update(file.digest.as_bytes());
    }
    SourceInfo {
        digest: Digest::new(hasher.finalize().to_hex().as_str())
            .expect("BLAKE3 gives 64 hex digits"),
        files: files.len() as u64,
        bytes: files.iter().map(|file| file.bytes).sum(),
        lines: files.iter().map(|file| file.lines).sum(),
        languages,
        frameworks: Vec::new(),
        manifests: Vec::new(),
        skipped: BTreeMap::new(),
    }
}

// === impl Stamp ===

impl Stamp {
    pub(crate) fn of(file: &fs::Metadata) -> Self {
        Self { inode: file.ino(), bytes: file.len(), modified: (file.mtime(), file.mtime_nsec()) }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The folder of the copy.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All files, by path.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Whether there is a file of that name.
    pub fn holds(&self, path: &SourcePath) -> bool {
        self.files.binary_search_by(|file| file.path.cmp(path)).is_ok()
    }

    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    pub fn git(&self) -> Option<&GitInfo> {
        self.git.as_ref()
    }

    /// Returns a file that is not any more as it was copied: a tool wrote where it should read.
    pub fn changed(&self) -> Option<&SourcePath> {
        let is_as_copied = |file: &SourceFile| {
            fs::symlink_metadata(self.root.join(file.path.as_str()))
                .is_ok_and(|now| now.is_file() && Stamp::of(&now) == file.stamp)
        };
        self.files.iter().find(|file| !is_as_copied(file)).map(|file| &file.path)
    }
}

impl SourceText for Snapshot {
    fn text(&self, path: &SourcePath) -> Option<Arc<str>> {
        let known = self.files.binary_search_by(|file| file.path.cmp(path)).ok()?;
        if !self.files[known].is_text() {
            return None;
        }
        self.cache.get(path, || fs::read(self.root.join(path.as_str())).ok())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // Nobody is left to be told.
        remove_tree(&self.root, None).ok();
    }
}
