//! The installer of Python packages, itself installed: one program out of a pinned wheel.
//!
//! A `uv` that the user has is never used: its version decides what is installed.

use crate::{
    error::ProvisionError,
    fetch::{Wanted, Web},
    folder::{Lock, Scratch},
    host,
    index::Index,
    recipe::{Phase, Settings},
};
use reqwest::Url;
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// More than any `uv` so far; a wheel that unpacks to more is not one.
const PROGRAM_BYTES_MAX: u64 = 512 << 20;

/// Which `uv`, as `locks/uv-wheels.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UvLock {
    pub(crate) version: String,
    /// The program's name inside the wheel.
    program: String,
    #[serde(rename = "wheel")]
    wheels: Vec<Wheel>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wheel {
    arch: String,
    libc: String,
    filename: String,
    sha256: String,
    size: u64,
}

// === impl UvLock ===

impl UvLock {
    pub(crate) fn parse(text: &str) -> Result<Self, ProvisionError> {
        toml::from_str(text).map_err(|error| ProvisionError::BadLock {
            what: "uv".to_owned(),
            why: error.message().to_owned(),
        })
    }

    fn wheel(&self) -> Result<&Wheel, ProvisionError> {
        let (arch, libc) = (std::env::consts::ARCH, host::libc().as_str());
        let found = self.wheels.iter().find(|wheel| wheel.arch == arch && wheel.libc == libc);
        found.ok_or_else(|| ProvisionError::NoInstaller { platform: host::platform() })
    }
}

/// The program that `lock` pins, installed if need be.
pub(crate) async fn ensure(
    lock: &UvLock,
    settings: &Settings,
    progress: &(dyn Fn(Phase) + Send + Sync),
    cancel: &CancellationToken,
) -> Result<PathBuf, ProvisionError> {
    let wheel = lock.wheel()?;
    let folder = format!("{}-{}", lock.version, wheel.sha256.get(..12).unwrap_or("unpinned"));
    let folder = settings.cache.join("uv").join(folder);
    let program = folder.join("uv");
    if program.is_file() {
        return Ok(program);
    }
    let waiting = || progress(Phase::Waiting);
    let _lock = Lock::take(&settings.cache, "uv", cancel, waiting).await?;
    if program.is_file() {
        return Ok(program);
    }
    if settings.offline {
        return Err(ProvisionError::Offline { what: format!("uv {}", lock.version) });
    }
    let scratch = Scratch::new(&settings.cache)?;
    let made = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(ProvisionError::Cancelled),
        made = make(lock, settings, &scratch, progress) => made?,
    };
    let failed = |error| ProvisionError::io(&folder, error);
    fs::create_dir_all(settings.cache.join("uv")).map_err(failed)?;
    if folder.exists() {
        // Without the program in it, or we would not be here.
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::rename(made, &folder).map_err(failed)?;
    Ok(program)
}

/// Fetches and unpacks into the scratch folder; gives the folder to be renamed.
async fn make(
    lock: &UvLock,
    settings: &Settings,
    scratch: &Scratch,
    progress: &(dyn Fn(Phase) + Send + Sync),
) -> Result<PathBuf, ProvisionError> {
    let wheel = lock.wheel()?;
    let index = Index::of(settings);
    let web = Web::new(index.certificates.as_deref())?;
    let not_listed = |host: &str, why: &str| ProvisionError::Download {
        file: wheel.filename.clone(),
        host: host.to_owned(),
        why: why.to_owned(),
    };
    let page: Url = format!("{}/uv/", index.url)
        .parse()
        .map_err(|_| not_listed("the configured index", "its address is not one"))?;
    let host = page.host_str().unwrap_or("no host").to_owned();
    let found = web.page(&page).await?.link(&wheel.filename);
    let mut url = found.ok_or_else(|| not_listed(&host, "it does not list this file"))?;
    if url.host_str() == page.host_str() && url.username().is_empty() {
        // A private index wants the same name and password for its files.
        let _ = url.set_username(page.username());
        let _ = url.set_password(page.password());
    }
    let wanted = Wanted { name: &wheel.filename, sha256: &wheel.sha256, bytes: wheel.size };
    let file = scratch.path().join("uv.whl");
    let total = wheel.size;
    let hear = |bytes| progress(Phase::Downloading { what: "uv".to_owned(), bytes, total });
    web.download(&url, wanted, &file, &hear).await?;
    let made = scratch.path().join("made");
    let (name, to) = (lock.program.clone(), made.clone());
    let unpacked = tokio::task::spawn_blocking(move || unpack(&file, &name, &to)).await;
    unpacked
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| ProvisionError::io(&made, error))?;
    Ok(made)
}

fn unpack(wheel: &Path, name: &str, to: &Path) -> io::Result<()> {
    let mut wheel = zip::ZipArchive::new(File::open(wheel)?)?;
    let mut program = wheel.by_name(name)?.take(PROGRAM_BYTES_MAX);
    fs::create_dir(to)?;
    let mut file = File::options().write(true).create_new(true).mode(0o755).open(to.join("uv"))?;
    io::copy(&mut program, &mut file)?;
    // It is renamed into its place next: after a power cut it must be whole there or not be there.
    file.sync_all()
}
