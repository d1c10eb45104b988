//! A cache of our own, with or without the installer of Python packages in it.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use assay_exec::{Cage, Shim};
use assay_provision::{Installation, Phase, ProvisionError, Provisioner, Recipe, Settings};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};
use testkit::{TempDir, tempdir};
use tokio_util::sync::CancellationToken;

pub(crate) const LOCKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/locks");

pub(crate) fn uv_lock() -> String {
    fs::read_to_string(Path::new(LOCKS).join("uv-wheels.toml")).unwrap()
}

pub(crate) fn settings(cache: &Path) -> Settings {
    let mut settings = Settings::new(cache.to_owned(), uv_lock());
    settings.cage = Cage::bare(Shim::at(testkit::shim()));
    settings
}

/// A tool of the catalogue, from its real lock.
pub(crate) fn tool(name: &str) -> Recipe {
    let lock = fs::read_to_string(Path::new(LOCKS).join(format!("python/{name}.txt"))).unwrap();
    Recipe::Python { name: name.to_owned(), version: "pinned".to_owned(), lock }
}

pub(crate) fn small_prefix() -> Recipe {
    Recipe::Node {
        package_json: include_str!("../data/package.json").to_owned(),
        package_lock: include_str!("../data/package-lock.json").to_owned(),
    }
}

pub(crate) async fn ensure(
    provisioner: &Provisioner,
    recipe: &Recipe,
) -> Result<Installation, ProvisionError> {
    provisioner.ensure(recipe, &|_| {}, &CancellationToken::new()).await
}

/// Like [`ensure`], with every phase that was heard of.
pub(crate) async fn ensure_heard(
    provisioner: &Provisioner,
    recipe: &Recipe,
) -> (Result<Installation, ProvisionError>, Vec<Phase>) {
    let heard = Mutex::new(Vec::new());
    let hear = |phase| heard.lock().unwrap().push(phase);
    let end = provisioner.ensure(recipe, &hear, &CancellationToken::new()).await;
    (end, heard.into_inner().unwrap())
}

/// A new cache in which `uv` is, fetched once for all tests.
pub(crate) async fn cache_with_uv() -> TempDir {
    let shared = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("provision");
    let provisioner = Provisioner::new(settings(&shared)).unwrap();
    ensure(&provisioner, &tool("hadolint")).await.unwrap();
    let cache = tempdir_beside(&shared);
    let uv = fs::read_dir(shared.join("uv")).unwrap().next().unwrap().unwrap();
    let place = cache.path().join("uv").join(uv.file_name());
    fs::create_dir_all(&place).unwrap();
    fs::hard_link(uv.path().join("uv"), place.join("uv")).unwrap();
    cache
}

/// On the same disk, so that a hard link is possible.
fn tempdir_beside(shared: &Path) -> TempDir {
    TempDir::new_in(shared.parent().unwrap()).unwrap()
}

/// What it prints, run with the installation's own `PATH`.
pub(crate) fn output(installation: &Installation, program: &str, args: &[&str]) -> String {
    let program = installation.bin_dirs.iter().map(|dir| dir.join(program)).find(|p| p.exists());
    let path = std::env::join_paths(
        installation
            .bin_dirs
            .iter()
            .map(PathBuf::as_path)
            .chain([Path::new("/usr/bin"), Path::new("/bin")]),
    );
    let output = std::process::Command::new(program.expect("the installation has it"))
        .args(args)
        .env_clear()
        .env("PATH", path.unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder whose programs answer as told.
pub(crate) fn programs(answers: &[(&str, &str)]) -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempdir().unwrap();
    for (name, answer) in answers {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}
