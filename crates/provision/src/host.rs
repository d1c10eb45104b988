//! Which interpreters this machine has.
//!
//! Keeps: what was learnt by starting an interpreter is remembered under its path, size and time
//! of change, so that the second start of Assay starts none.

use crate::{error::ProvisionError, folder::Scratch, program::Program, recipe::Settings};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

const PYTHON_MIN: (u32, u32) = (3, 10);
const PYTHON_NEWEST: u32 = 14;
const NODE_MIN: u32 = 20;

/// Stands for the version of a program that does not tell it.
pub(crate) const UNKNOWN_VERSION: &str = "unknown";

/// Printed by the interpreter itself; the base of a virtual environment outlives it.
const PYTHON_PROBE: &str = "import os,sys,json;\
    b=getattr(sys,'_base_executable',None) or sys.executable;\
    print(json.dumps({'path':os.path.realpath(b),'version':'%d.%d.%d'%sys.version_info[:3]}))";

/// An interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interpreter {
    pub(crate) path: PathBuf,
    /// `3.11.2`, `20.1.0`.
    pub(crate) version: String,
}

/// The C library that programs of this machine are linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Libc {
    Gnu,
    Musl,
}

/// The operating system, the processor and the C library, as a part of digests.
pub(crate) fn platform() -> String {
    format!("{}-{}-{}", std::env::consts::OS, std::env::consts::ARCH, libc().as_str())
}

pub(crate) fn libc() -> Libc {
    let loaders = [
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/ld-linux-x86-64.so.2",
        "/lib/ld-linux-aarch64.so.1",
        "/lib64/ld-linux-aarch64.so.1",
    ];
    // Without one of these only a static program starts, which is what the other kind is.
    if loaders.iter().any(|path| Path::new(path).exists()) { Libc::Gnu } else { Libc::Musl }
}

/// The first Python on `PATH` that is new enough.
pub(crate) async fn python(
    settings: &Settings,
    cancel: &CancellationToken,
) -> Result<Interpreter, ProvisionError> {
    let newest_first = (PYTHON_MIN.1..=PYTHON_NEWEST).rev().map(|minor| format!("python3.{minor}"));
    let names: Vec<String> = std::iter::once("python3".to_owned()).chain(newest_first).collect();
    let mut too_old = None;
    let mut broken = None;
    for path in candidates(settings, &names) {
        let probe = ["-I", "-S", "-c", PYTHON_PROBE];
        let found = match learn(settings, &path, &probe, cancel).await {
            Ok(answer) => serde_json::from_str::<Interpreter>(&answer).ok(),
            Err(ProvisionError::Cancelled) => return Err(ProvisionError::Cancelled),
            Err(error) => {
                broken.get_or_insert(error);
                None
            }
        };
        let Some(found) = found else { continue };
        if numbers(&found.version) >= PYTHON_MIN {
            return Ok(found);
        }
        let needed = format!("{}.{}", PYTHON_MIN.0, PYTHON_MIN.1);
        too_old.get_or_insert(ProvisionError::PythonTooOld { path, found: found.version, needed });
    }
    Err(too_old.or(broken).unwrap_or(ProvisionError::NoPython))
}

/// The first Node on `PATH`, which is also the one that npm starts.
pub(crate) async fn node(
    settings: &Settings,
    cancel: &CancellationToken,
) -> Result<Interpreter, ProvisionError> {
    let path = on_path(settings, "node").ok_or(ProvisionError::NoNode)?;
    let answer = learn(settings, &path, &["--version"], cancel).await?;
    let version = answer.trim_start_matches('v').to_owned();
    if numbers(&version).0 < NODE_MIN {
        return Err(ProvisionError::NodeTooOld { path, found: version });
    }
    Ok(Interpreter { path, version })
}

/// A program of the user's, with what it says about its version.
pub(crate) async fn program(
    settings: &Settings,
    program: &str,
    version_args: &[String],
    cancel: &CancellationToken,
) -> Result<Option<Interpreter>, ProvisionError> {
    let Some(path) = on_path(settings, program) else { return Ok(None) };
    let args: Vec<&str> = version_args.iter().map(String::as_str).collect();
    let answer = learn(settings, &path, &args, cancel).await?;
    let version = version_in(&answer).unwrap_or(UNKNOWN_VERSION).to_owned();
    Ok(Some(Interpreter { path, version }))
}

pub(crate) fn on_path(settings: &Settings, name: &str) -> Option<PathBuf> {
    // An absolute name stays what it is, also where there is no PATH at all.
    let absolute = Some(PathBuf::from(name)).filter(|path| path.is_absolute());
    let dirs = settings.path_dirs().into_iter().map(|dir| dir.join(name));
    absolute.into_iter().chain(dirs).find(|path| is_program(path))
}

/// Real programs first: a version manager's script in their place takes a tenth of a second to
/// start and gives another answer in another folder.
fn candidates(settings: &Settings, names: &[String]) -> Vec<PathBuf> {
    let dirs = settings.path_dirs();
    let absolute = names.iter().map(PathBuf::from).filter(|path| path.is_absolute());
    let (scripts, mut programs): (Vec<_>, Vec<_>) = absolute
        .chain(dirs.iter().flat_map(|dir| names.iter().map(|name| dir.join(name))))
        .filter(|path| is_program(path))
        .partition(|path| is_script(path));
    programs.extend(scripts);
    programs
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"#!"
}

/// What `path` answers, from memory where it has not changed since.
async fn learn(
    settings: &Settings,
    path: &Path,
    args: &[&str],
    cancel: &CancellationToken,
) -> Result<String, ProvisionError> {
    let memory = (!is_script(path)).then(|| memory_of(settings, path, args)).flatten();
    if let Some(answer) = memory.as_deref().and_then(recall) {
        return Ok(answer);
    }
    let scratch = Scratch::new(&settings.cache)?;
    let program = Program::new(path, settings, &scratch).args(args.iter().copied());
    let answer = program.ask(&scratch, cancel).await?;
    if let Some(memory) = memory {
        remember(&scratch, &memory, &answer);
    }
    Ok(answer)
}

fn memory_of(settings: &Settings, path: &Path, args: &[&str]) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok()?;
    let meta = fs::metadata(&real).ok()?;
    let mut hash = blake3::Hasher::new();
    for part in [path, &real] {
        hash.update(part.as_os_str().as_encoded_bytes()).update(b"\0");
    }
    for number in [meta.len(), meta.ino(), meta.mtime().unsigned_abs()] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(&meta.mtime_nsec().to_le_bytes());
    for arg in args {
        hash.update(arg.as_bytes()).update(b"\0");
    }
    Some(settings.cache.join("hosts").join(&*hash.finalize().to_hex()))
}

fn recall<T: DeserializeOwned>(memory: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(memory).ok()?).ok()
}

/// Only a memory: where it cannot be written, the interpreter is asked again next time.
fn remember(scratch: &Scratch, memory: &Path, answer: &str) {
    let part = scratch.path().join("answer");
    let Ok(text) = serde_json::to_vec(answer) else { return };
    let _ = memory.parent().map(fs::create_dir_all);
    let _ = fs::write(&part, text).and_then(|()| fs::rename(&part, memory));
}

fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The first thing that looks like a version: `8.18.2` of `gitleaks version v8.18.2 (linux)`.
fn version_in(answer: &str) -> Option<&str> {
    answer
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')'))
        .map(|word| word.trim_start_matches('v').trim_end_matches(['.', ':']))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

// === impl Libc ===

impl Libc {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Gnu => "gnu",
            Self::Musl => "musl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        assert_eq!(version_in("gitleaks version v8.18.2 (linux)"), Some("8.18.2"));
        assert_eq!(version_in("Nmap version 7.93 ( https://nmap.org )"), Some("7.93"));
        assert_eq!(version_in("hello"), None);
    }

    #[test]
    fn ten_is_newer_than_nine() {
        assert!(numbers("3.9.18") < PYTHON_MIN && numbers("3.10.0") >= PYTHON_MIN);
    }
}
