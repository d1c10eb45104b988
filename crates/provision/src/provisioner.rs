//! The way in: what is wanted becomes what is there.
//!
//! Keeps: two who want the same, in one process or two, make it once; what is half made is never
//! seen; nothing is fetched when offline.

use crate::{
    error::ProvisionError,
    folder::{Kept, Lock, Scratch},
    host::{self, Interpreter},
    node::Prefix,
    python::{self, Environment},
    recipe::{Installation, Phase, Recipe, Settings},
    uv::{self, UvLock},
};
use assay_model::Digest;
use std::{fs, os::unix::fs::MetadataExt, path::Path, path::PathBuf, sync::Once};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

/// Changes whenever an older installation must not be used any more.
const LAYOUT: &str = "2";

/// Installs tools. One is made at the start and shared by reference.
#[derive(Debug)]
pub struct Provisioner {
    settings: Settings,
    uv: UvLock,
    python: OnceCell<Interpreter>,
    node: OnceCell<Interpreter>,
    /// Installers of Python packages that may run.
    turns: Semaphore,
    swept: Once,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub removed: Vec<Kept>,
    pub bytes: u64,
}

/// One who wants something, and how he hears of it and stops it.
#[derive(Clone, Copy)]
struct Wish<'a> {
    progress: &'a (dyn Fn(Phase) + Send + Sync),
    cancel: &'a CancellationToken,
}

/// What is to be there under which name.
struct Target {
    name: String,
    version: String,
    digest: Digest,
}

// === impl Provisioner ===

impl Provisioner {
    pub fn new(settings: Settings) -> Result<Self, ProvisionError> {
        let uv = UvLock::parse(&settings.uv_lock)?;
        let turns = Semaphore::new(settings.at_once.max(1));
        let (python, node) = (OnceCell::new(), OnceCell::new());
        Ok(Self { settings, uv, python, node, turns, swept: Once::new() })
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Gives the installation that `recipe` describes, made now if it is not there.
    ///
    /// `progress` hears every phase, [`Phase::Ready`] last.
    ///
    /// # Cancel safety
    ///
    /// Safe: what is half made is removed, and whoever comes next begins anew.
    pub async fn ensure(
        &self,
        recipe: &Recipe,
        progress: &(dyn Fn(Phase) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<Installation, ProvisionError> {
        let wish = Wish { progress, cancel };
        let installation = match recipe {
            Recipe::Python { name, version, lock }
            | Recipe::Builtin { name, version, lock: Some(lock) } => {
                self.python_tool(name, version, lock, wish).await
            }
            Recipe::Builtin { name, version, lock: None } => Ok(builtin(name, version)),
            Recipe::Node { package_json, package_lock } => {
                self.node_tools(package_json, package_lock, wish).await
            }
            Recipe::Path { program, version_args, version, mend } => {
                let found = self.user_program(program, version_args, mend, cancel).await?;
                found.of_version(version.as_deref(), mend)
            }
        }?;
        progress(Phase::Ready);
        Ok(installation)
    }

    async fn python_tool(
        &self,
        name: &str,
        version: &str,
        lock: &str,
        wish: Wish<'_>,
    ) -> Result<Installation, ProvisionError> {
        let find = || host::python(&self.settings, wish.cancel);
        let python = self.python.get_or_try_init(find).await?;
        let path = python.path.to_string_lossy();
        let platform = host::platform();
        let uv = &self.uv.version;
        let digest =
            digest(&["python", name, version, lock, uv, &path, &python.version, &platform]);
        let target = Target { name: name.to_owned(), version: version.to_owned(), digest };
        let kept = match Kept::find(&self.settings.cache, &target.folder()) {
            Some(kept) => kept,
            None => {
                self.make(&target, wish, async |scratch: &Scratch| {
                    let _turn = self.turns.acquire().await.expect("nobody closes it");
                    let uv =
                        uv::ensure(&self.uv, &self.settings, wish.progress, wish.cancel).await?;
                    (wish.progress)(Phase::Installing);
                    let settings = &self.settings;
                    let environment = Environment { settings, uv: &uv, python, name, lock };
                    environment.make(scratch, wish.cancel).await
                })
                .await?
            }
        };
        Ok(Installation {
            bin_dirs: vec![kept.path.join("bin")],
            python: Some(kept.path.join("bin/python")),
            site_packages: Some(python::site_packages(&kept.path, python)),
            ..Installation::at(kept)
        })
    }

    async fn node_tools(
        &self,
        package_json: &str,
        package_lock: &str,
        wish: Wish<'_>,
    ) -> Result<Installation, ProvisionError> {
        let find = || host::node(&self.settings, wish.cancel);
        let node = self.node.get_or_try_init(find).await?;
        let prefix = Prefix { settings: &self.settings, node, package_json, package_lock };
        let major = prefix.node_major();
        let digest = digest(&["node", package_json, package_lock, major, &host::platform()]);
        let target = Target { name: "npm".to_owned(), version: format!("node{major}"), digest };
        let kept = match Kept::find(&self.settings.cache, &target.folder()) {
            Some(kept) => kept,
            None => {
                self.make(&target, wish, async |scratch: &Scratch| {
                    (wish.progress)(Phase::Installing);
                    prefix.make(scratch, wish.cancel).await
                })
                .await?
            }
        };
        let beside_node = node.path.parent().map(Path::to_owned);
        Ok(Installation {
            bin_dirs: [Some(kept.path.join("node_modules/.bin")), beside_node]
                .into_iter()
                .flatten()
                .collect(),
            node: Some(node.path.clone()),
            ..Installation::at(kept)
        })
    }

    /// Makes `target` with `maker`, alone among all who want it.
    async fn make(
        &self,
        target: &Target,
        wish: Wish<'_>,
        maker: impl AsyncFnOnce(&Scratch) -> Result<PathBuf, ProvisionError>,
    ) -> Result<Kept, ProvisionError> {
        let cache = &self.settings.cache;
        let folder = target.folder();
        let waiting = || (wish.progress)(Phase::Waiting);
        let _lock = Lock::take(cache, &folder, wish.cancel, waiting).await?;
        if let Some(kept) = Kept::find(cache, &folder) {
            return Ok(kept);
        }
        if self.settings.offline {
            let what = format!("{} {}", target.name, target.version);
            return Err(ProvisionError::Offline { what });
        }
        self.swept.call_once(|| Scratch::sweep(cache));
        let scratch = Scratch::new(cache)?;
        let made = maker(&scratch).await?;
        let (name, version) = (target.name.clone(), target.version.clone());
        let kept = Kept { name, version, digest: target.digest.clone(), path: PathBuf::new() };
        kept.publish(cache, &folder, &made)
    }

    async fn user_program(
        &self,
        program: &str,
        version_args: &[String],
        mend: &str,
        cancel: &CancellationToken,
    ) -> Result<Installation, ProvisionError> {
        let found = host::program(&self.settings, program, version_args, cancel).await?;
        let Some(Interpreter { path, version }) = found else {
            let (program, mend) = (program.to_owned(), mend.to_owned());
            return Err(ProvisionError::NotOnPath { program, mend });
        };
        // Another program may have the same size, and tell the same version.
        let changed = fs::metadata(&path).map(|meta| (meta.len(), meta.mtime(), meta.mtime_nsec()));
        let changed = format!("{:?}", changed.unwrap_or_default());
        let prefix = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Installation {
            digest: digest(&["path", &path.to_string_lossy(), &version, &changed]),
            bin_dirs: vec![prefix.clone()],
            prefix,
            version,
            python: None,
            site_packages: None,
            node: None,
            program: Some(path),
        })
    }

    /// Every whole installation, by name.
    pub fn list(&self) -> Vec<Kept> {
        Kept::all(&self.settings.cache)
    }

    /// Removes every installation that is not in `keep` and that nobody makes just now, and what
    /// the installers downloaded.
    pub fn prune(&self, keep: &[Digest]) -> Result<Pruned, ProvisionError> {
        let cache = &self.settings.cache;
        Scratch::sweep(cache);
        let mut pruned = Pruned::default();
        for kept in self.list().into_iter().filter(|kept| !keep.contains(&kept.digest)) {
            if let Some(_lock) = Lock::try_take(cache, &kept.target())? {
                pruned.bytes += remove(&kept.path)?;
                pruned.removed.push(kept);
            }
        }
        if nobody_installs(cache) {
            for name in ["uv-cache", "npm-cache"] {
                pruned.bytes += remove(&cache.join(name))?;
            }
        }
        Ok(pruned)
    }
}

// === impl Installation ===

impl Installation {
    fn at(kept: Kept) -> Self {
        Self {
            prefix: kept.path,
            bin_dirs: Vec::new(),
            python: None,
            site_packages: None,
            node: None,
            program: None,
            digest: kept.digest,
            version: kept.version,
        }
    }

    /// Refuses a program of the user that is of another version than is wanted, or of none that it
    /// says: nobody knows what its report means.
    fn of_version(self, wanted: Option<&str>, mend: &str) -> Result<Self, ProvisionError> {
        let Some(wanted) = wanted else { return Ok(self) };
        let rest = self.version.strip_prefix(wanted);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '+'])) {
            return Ok(self);
        }
        let found = Some(self.version).filter(|version| version != host::UNKNOWN_VERSION);
        let program = self.program.unwrap_or_default();
        let (wanted, mend) = (wanted.to_owned(), mend.to_owned());
        Err(ProvisionError::WrongVersion { program, found, wanted, mend })
    }
}

// === impl Target ===

impl Target {
    fn folder(&self) -> String {
        let digest = &self.digest.as_str()[..12];
        format!("{}-{}-{digest}", self.name, self.version)
    }
}

fn builtin(name: &str, version: &str) -> Installation {
    Installation {
        prefix: PathBuf::new(),
        bin_dirs: Vec::new(),
        python: None,
        site_packages: None,
        node: None,
        program: None,
        digest: digest(&["builtin", name, version]),
        version: version.to_owned(),
    }
}

fn digest(parts: &[&str]) -> Digest {
    let mut hash = blake3::Hasher::new();
    for part in [LAYOUT].iter().chain(parts) {
        // With its length, so that two lists of parts cannot look alike.
        hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    Digest::new(&hash.finalize().to_hex()).expect("a BLAKE3 digest is 64 hex digits")
}

/// A scratch folder that is left after sweeping has an owner who lives.
fn nobody_installs(cache: &Path) -> bool {
    fs::read_dir(cache.join("tmp")).map_or(true, |mut entries| entries.next().is_none())
}

/// Removes a folder and says how much was in it.
fn remove(folder: &Path) -> Result<u64, ProvisionError> {
    let bytes = size(folder);
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ProvisionError::io(folder, error))
        }
        _ => Ok(bytes),
    }
}

fn size(path: &Path) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| size(&entry.path())).sum()
}
