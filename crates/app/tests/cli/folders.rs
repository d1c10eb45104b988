//! The folder of the results, and the app that must stay as it was.

use crate::{outputs::world, world::skipped};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt},
    path::{Path, PathBuf},
};

#[test]
fn output_names_the_folder_of_the_results() {
    let world = world();
    let out = world.at("cwd/out");
    for _ in 0..2 {
        // The second time it is ours, and replaced.
        world.analyze(&["--output", "out"]).exits(3);
        assert!(out.join("report.json").is_file());
        assert!(out.join("logs/gone.stdout").metadata().is_err());
    }
    assert!(!world.at("cwd/.assay").exists());
    fs::create_dir(world.at("cwd/empty")).unwrap();
    world.analyze(&["--output", "empty"]).exits(3);
    assert!(world.at("cwd/empty/report.json").is_file());
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let world = world();
    let theirs = world.at("cwd/theirs");
    fs::create_dir_all(theirs.join("deep")).unwrap();
    fs::write(theirs.join("deep/thesis.txt"), "years").unwrap();
    fs::write(world.at("cwd/file"), "text").unwrap();
    for name in ["theirs", "file"] {
        let before = state(&world.at("cwd"));
        let ran = world.analyze(&["--output", name]);
        ran.exits(2).complains(&[name, "hint:"]);
        assert_eq!(state(&world.at("cwd")), before, "{name}");
    }
    // Ours, but with something of theirs in it.
    world.analyze(&["--output", "out"]).exits(3);
    fs::write(world.at("cwd/out/thesis.txt"), "years").unwrap();
    let before = state(&world.at("cwd"));
    let ran = world.analyze(&["--output", "out"]);
    assert_eq!(fs::read_to_string(world.at("cwd/out/thesis.txt")).unwrap(), "years");
    if ran.code() == Some(2) {
        assert_eq!(state(&world.at("cwd")), before);
    }
}

/// Every path below a folder with what can change about it.
fn state(dir: &Path) -> Vec<(PathBuf, u32, i64, i64, Vec<u8>)> {
    let mut all = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let text = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            if meta.is_dir() {
                open.push(path.clone());
            }
            all.push((path, meta.mode(), meta.mtime(), meta.mtime_nsec(), text));
        }
    }
    all.sort();
    all
}

#[test]
fn the_app_is_as_it_was_before() {
    let world = world();
    world.file("deep/er/b.py", "x = 1\n");
    world.file(".gitignore", "*.log\n");
    fs::set_permissions(world.app().join("a.py"), PermissionsExt::from_mode(0o444)).unwrap();
    let before = state(&world.app());
    let app_before = fs::metadata(world.app()).unwrap();
    world.analyze(&[]).exits(3);
    assert_eq!(state(&world.app()), before);
    assert_eq!(fs::metadata(world.app()).unwrap().mtime_nsec(), app_before.mtime_nsec());
    // In place: the results are the only thing that is new, and the next run does not see them.
    let mut digests = Vec::new();
    for _ in 0..2 {
        let mut command = world.assay(["analyze", "."]);
        assert_eq!(world.run(command.current_dir(world.app())).code(), Some(3));
        let results = fs::read_dir(world.app().join(".assay/results")).unwrap();
        for dir in results {
            let text = fs::read(dir.unwrap().path().join("report.json")).unwrap();
            let report: Value = serde_json::from_slice(&text).unwrap();
            digests.push(report["source"]["digest"].clone());
        }
        let mut after = state(&world.app());
        after.retain(|(path, ..)| !path.starts_with(world.app().join(".assay")));
        assert_eq!(after, before);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "the results change the app's digest");
}

#[test]
fn a_working_directory_that_is_read_only_sends_results_to_the_state_folder_and_says_so() {
    let mut world = world();
    if !world.become_unprivileged() {
        return skipped("setpriv");
    }
    fs::set_permissions(world.at("cwd"), PermissionsExt::from_mode(0o555)).unwrap();
    fs::create_dir(world.at("state")).unwrap();
    fs::set_permissions(world.at("state"), PermissionsExt::from_mode(0o777)).unwrap();
    let mut command = world.analysis(&[]);
    let ran = world.run(command.env("XDG_STATE_HOME", world.at("state")));
    ran.exits(3).complains(&["results go to", "state/assay/results"]);
    assert!(ran.results_dir().starts_with(world.at("state")));
    // Without it, the folder that stands in for it; with neither, words.
    let ran = world.analyze(&[]);
    ran.exits(3);
    assert!(ran.results_dir().starts_with(world.at("home/.local/state")));
    let mut command = world.analysis(&[]);
    let ran = world.run(command.env_remove("HOME"));
    ran.exits(2).complains(&["hint:"]);
    fs::set_permissions(world.at("cwd"), PermissionsExt::from_mode(0o755)).unwrap();
}
