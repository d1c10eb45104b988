//! Finds the fake programs, and builds them where a test of another crate runs alone.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// The program that behaves as told: `lines=3 stderr-mib=5 ignore-term exit=1`.
pub fn fake_tool() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| program("fake-tool")).clone()
}

/// The shim alone, for crates that start programs but are not the binary.
pub fn shim() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let exec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/exec/src");
    FOUND.get_or_init(|| built("assay-exec", "assay-shim", &exec)).clone()
}

/// One of testkit's programs, built if it is missing or older than its source.
///
/// `cargo test -p other-crate` builds testkit's library but not its programs.
///
/// # Panics
///
/// If it cannot be built.
pub fn program(name: &str) -> PathBuf {
    built("testkit", name, &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn built(package: &str, name: &str, source: &Path) -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let profile = test
        .ancestors()
        .find(|folder| folder.join("deps").is_dir())
        .expect("cargo puts tests into `deps` of the profile's folder");
    let found = profile.join(name);
    if changed(&found) < newest(source) {
        build(package, name, profile);
    }
    found
}

fn build(package: &str, name: &str, profile: &Path) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let folder = profile.file_name().and_then(|name| name.to_str()).unwrap_or("debug");
    let profile_name = if folder == "debug" { "dev" } else { folder };
    let target = profile.parent().expect("a profile's folder lies in the target folder");
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", package, "--bin", name, "--profile"])
        .arg(profile_name)
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "`{name}` of `{package}` does not build");
    // Cargo leaves the file's time alone if nothing had to be done.
    let program = profile.join(name);
    if let Ok(file) = fs::File::open(&program) {
        let _ = file.set_modified(SystemTime::now());
    }
}

fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn newest(folder: &Path) -> SystemTime {
    let Ok(entries) = fs::read_dir(folder) else { return SystemTime::UNIX_EPOCH };
    entries
        .filter_map(Result::ok)
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() { newest(&path) } else { changed(&path) }
        })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
