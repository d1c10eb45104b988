//! Which cage tools run in, and what they see in it.

use crate::failure::Failure;
use assay_config::Sandbox;
use assay_exec::{Cage, Limits, Room, Shim, is_too_wide};
use assay_model::ToolLimits;
use assay_provision::Installation;
use std::{
    collections::BTreeSet,
    env, fs,
    io::Read as _,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

/// Longer than any first line that names an interpreter.
const FIRST_LINE_BYTES_MAX: u64 = 512;

/// Folders that every cage holds anyway.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// Makes the cage that the user wants. Strict: refused where a layer is missing.
pub(crate) async fn of(sandbox: Sandbox) -> Result<Cage, Failure> {
    match sandbox {
        Sandbox::Off => Ok(Cage::bare(Shim::own())),
        Sandbox::Auto => Ok(Cage::best(Shim::own()).await),
        Sandbox::Strict => {
            let cage = Cage::best(Shim::own()).await;
            let missing: Vec<String> =
                cage.missing().iter().map(|(layer, why)| format!("{layer} ({why})")).collect();
            if missing.is_empty() {
                return Ok(cage);
            }
            let missing = missing.join(", ");
            Err(Failure::usage(format!("this machine does not allow the whole sandbox: {missing}"))
                .hint("use `--sandbox auto` to run with the layers that there are"))
        }
    }
}

/// What a tool needs to read of the machine: its installation, its interpreter, its program.
pub(crate) fn room(installation: &Installation, program: &Path, assay: &Path) -> Room {
    let home = env::var_os("HOME").map(PathBuf::from);
    let mut readable = BTreeSet::new();
    let mut see = |path: &Path| readable.extend(roots(path, home.as_deref()));
    let named = [&installation.python, &installation.node, &installation.program];
    for path in named.into_iter().flatten().chain(installation.site_packages.iter()) {
        see(path);
    }
    // A program of the user's is all that is seen of the folder that it lies in, if that is not one
    // of programs.
    if installation.program.is_none() && !installation.prefix.as_os_str().is_empty() {
        readable.insert(installation.prefix.clone());
    }
    if program.is_absolute() {
        readable.extend(roots(program, home.as_deref()));
        if let Some(interpreter) = interpreter_of(program) {
            readable.extend(roots(&interpreter, home.as_deref()));
        }
    }
    readable.insert(assay.to_owned());
    readable.retain(|path| !SYSTEM.iter().any(|system| path.starts_with(system)));
    let all = readable.clone();
    // A folder shows all that lies in it.
    readable.retain(|path| !path.ancestors().skip(1).any(|above| all.contains(above)));
    Room { readable: readable.into_iter().collect(), shown: Vec::new() }
}

/// What a tool may take: what was said, else the defaults.
pub(crate) fn limits(said: ToolLimits) -> Limits {
    const MIB: u64 = 1 << 20;
    let usual = Limits::default();
    let bytes =
        |mib: Option<NonZeroU32>, usual| mib.map_or(usual, |mib| u64::from(mib.get()) * MIB);
    Limits {
        stdout_bytes_max: bytes(said.output_mib, usual.stdout_bytes_max),
        stderr_bytes_max: usual.stderr_bytes_max,
        file_bytes_max: bytes(said.file_mib, usual.file_bytes_max),
        disk_bytes_max: bytes(said.disk_mib, usual.disk_bytes_max),
        memory_bytes_max: bytes(said.memory_mib, usual.memory_bytes_max),
        processes_max: said.processes.map_or(usual.processes_max, NonZeroU32::get),
        cpu_s_max: said.cpu_s.map_or(usual.cpu_s_max, |seconds| seconds.get().into()),
    }
}

/// The folders that a program needs to be started under this name: its own, and the one of the file
/// that the name leads to. Programs lie in `bin` of a folder that holds their libraries.
fn roots(path: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut roots = vec![root(path, home)];
    if let Ok(real) = fs::canonicalize(path) {
        roots.push(root(&real, home));
    }
    roots
}

fn root(path: &Path, home: Option<&Path>) -> PathBuf {
    let Some(folder) = path.parent() else { return path.to_owned() };
    let prefix = folder.file_name().filter(|name| *name == "bin").and_then(|_| folder.parent());
    let wide = |folder: &Path| is_too_wide(folder, home);
    // A home is a prefix too where somebody keeps programs in its `bin`; it is not shown.
    match prefix {
        Some(prefix) if !wide(prefix) => prefix.to_owned(),
        _ if !wide(folder) => folder.to_owned(),
        _ => path.to_owned(),
    }
}

/// The interpreter that a script names in its first line.
fn interpreter_of(program: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    fs::File::open(program).ok()?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut start).ok()?;
    let line = String::from_utf8_lossy(start.strip_prefix(b"#!")?).into_owned();
    let name = line.lines().next()?.split_whitespace().next()?;
    Some(PathBuf::from(name)).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_shows_its_prefix_and_never_a_home() {
        let home = Some(Path::new("/home/a"));
        let check = |path: &str, expected: &str| {
            assert_eq!(root(Path::new(path), home), Path::new(expected), "{path}");
        };
        check("/opt/node/bin/node", "/opt/node");
        check("/home/a/.venv/bin/tool", "/home/a/.venv");
        check("/home/a/bin/tool", "/home/a/bin");
        check("/home/a/tool", "/home/a/tool");
        check("/opt/tool/tool.sh", "/opt/tool");
        check("/tool", "/tool");
    }

    #[test]
    fn an_interpreter_is_read_from_the_first_line_only() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        fs::write(&script, "#!/opt/python/bin/python3 -I\n#!/bin/no\n").unwrap();
        assert_eq!(interpreter_of(&script), Some("/opt/python/bin/python3".into()));
        fs::write(&script, "\x7fELF").unwrap();
        assert_eq!(interpreter_of(&script), None);
    }
}
