//! Results are listed, found and removed, whatever lies beside them.
#![allow(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

mod common;

use assay_model::AppRef;
use assay_store::{
    Entry, PrunePlan, Pruning, ResultsRoot, StoreError, TaskInfo, TaskState, find, list, prune,
};
use common::{finished, info, path_app, tree};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tempfile::{TempDir, tempdir};

fn three() -> (TempDir, ResultsRoot, Vec<PathBuf>) {
    let here = tempdir().unwrap();
    let root = ResultsRoot::new(here.path(), None);
    let app = AppRef::model_app("m", "1").unwrap();
    let dirs = [info(1, path_app()), info(2, app), info(3, path_app())]
        .iter()
        .map(|info| finished(&root, info, None).0)
        .collect();
    (here, root, dirs)
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.task.as_str()).collect()
}

#[test]
fn the_newest_comes_first_from_all_places_and_running_ones_are_among_them() {
    let (_here, root, _) = three();
    let (_folder, _log) = root.create(&info(9, path_app()), None).unwrap();
    let listing = list(&root.roots());
    let expected = ["09", "03", "02", "01"].map(|n| format!("20261123-1536{n}-abcdef"));
    assert_eq!(names(&listing.entries), expected);
    assert_eq!(listing.entries[0].state, TaskState::Running);
    assert!(listing.unreadable.is_empty(), "{:?}", listing.unreadable);
}

#[test]
fn a_folder_that_is_written_is_running_even_if_an_old_manifest_lies_in_it() {
    let (_here, root, dirs) = three();
    let (folder, _log) = root.create(&info(9, path_app()), None).unwrap();
    fs::copy(dirs[0].join("manifest.json"), folder.dir().join("manifest.json")).unwrap();
    assert_eq!(Entry::open(folder.dir()).unwrap().state, TaskState::Running);
}

#[test]
fn broken_and_foreign_folders_hide_nothing() {
    let (here, root, dirs) = three();
    let results = here.path().join(".assay/results");
    for foreign in ["drawings/app1/x", "empty", "app1", ".git"] {
        fs::create_dir_all(here.path().join("results").join(foreign)).unwrap();
    }
    fs::write(results.join("a file"), "x").unwrap();
    let break_with = |n: u32, content: &[u8]| {
        let dir = finished(&root, &info(n, path_app()), None).0;
        fs::write(dir.join("manifest.json"), content).unwrap();
    };
    break_with(10, b"");
    break_with(11, b"\xff\xfe{{{");
    break_with(12, format!("{{\"x\": {}", "[".repeat(1 << 20)).as_bytes());
    break_with(13, br#"{"manifest_version": "2.0", "assay": "9", "task": "t"}"#);
    break_with(14, &vec![b' '; 17 << 20]);
    fs::create_dir(results.join("20261123-153615-abcdef")).unwrap();
    symlink(&dirs[0], results.join("20261123-153616-abcdef")).unwrap();
    let listing = list(&root.roots());
    assert_eq!(listing.entries.len(), 3);
    let whys: Vec<_> = listing.unreadable.iter().map(|broken| broken.why.as_str()).collect();
    assert_eq!(whys.len(), 7, "{whys:#?}");
    for (why, word) in whys.iter().zip([
        "EOF",
        "expected value",
        "parsing a list",
        "version 2.0",
        "at most",
        "no `task.json`",
        "link",
    ]) {
        assert!(why.contains(word), "{why} should say `{word}`");
    }
    let error = find(&root.roots(), "20261123-153611").unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
}

#[test]
fn a_pipe_for_a_manifest_does_not_hang_the_reader() {
    let (_here, root, dirs) = three();
    fs::remove_file(dirs[0].join("manifest.json")).unwrap();
    let pipe = dirs[0].join("manifest.json");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let listing = list(&root.roots());
    assert_eq!((listing.entries.len(), listing.unreadable.len()), (2, 1));
}

#[test]
fn a_task_is_found_by_name_beginning_path_and_as_the_latest() {
    let (_here, root, dirs) = three();
    let roots = root.roots();
    let found = |asked: &str| find(&roots, asked).unwrap().path;
    assert_eq!(found("20261123-153602-abcdef"), dirs[1]);
    assert_eq!(found("task_20261123-153602-abcdef"), dirs[1]);
    assert_eq!(found("20261123-153601"), dirs[0]);
    assert_eq!(found("latest"), dirs[2]);
    assert_eq!(found(dirs[0].to_str().unwrap()), dirs[0]);
    let error = find(&roots, "2026").unwrap_err();
    assert_eq!(error.to_string(), "`2026` could be any of 3 tasks");
    assert!(error.hint().unwrap().contains("20261123-153603-abcdef"));
    let error = find(&roots, "20261123-153602-abcdfe").unwrap_err();
    assert!(error.hint().unwrap().starts_with("there is `20261123-153602-abcdef`"), "{error:?}");
    for nothing in ["", "zebra", "/etc", "../x"] {
        let error = find(&roots, nothing).unwrap_err();
        let known = matches!(error, StoreError::NoTask { .. } | StoreError::Ambiguous { .. });
        assert!(known, "{nothing}: {error:?}");
        assert!(error.hint().is_some());
    }
    assert!(matches!(find(&[], "latest"), Err(StoreError::NoTasks)));
}

#[test]
fn a_report_of_another_shape_or_size_is_refused_in_words() {
    let (_here, root, dirs) = three();
    let entry = find(&root.roots(), dirs[0].to_str().unwrap()).unwrap();
    let path = dirs[0].join("report.json");
    let error = entry.load_report_up_to(100).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: 100, .. }), "{error:?}");
    let text = fs::read_to_string(&path).unwrap();
    let newer = |version: &str| text.replace(r#""report_version":"1.0""#, version);
    fs::write(&path, newer(r#""report_version":"1.9","new_field":[1]"#)).unwrap();
    entry.load_report().unwrap();
    fs::write(&path, newer(r#""report_version":"2.0""#)).unwrap();
    let error = entry.load_report().unwrap_err();
    assert!(error.to_string().ends_with("has version 2.0, and this Assay reads 1.0"), "{error}");
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(matches!(entry.load_report(), Err(StoreError::Unreadable { .. })));
}

#[test]
fn a_file_is_opened_only_inside_the_folder() {
    let (here, root, dirs) = three();
    let entry = find(&root.roots(), dirs[0].to_str().unwrap()).unwrap();
    symlink(here.path(), dirs[0].join("link")).unwrap();
    fs::write(here.path().join("x"), "secret").unwrap();
    for bad in ["../x", "/etc/passwd", "link/x", "link"] {
        assert!(entry.open_file(bad, 100).is_err(), "{bad}");
    }
    let mut text = String::new();
    let mut file = entry.open_file("sarif/static_ruff.sarif.json", 100).unwrap();
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    assert_eq!(text, "{}");
    assert!(entry.files().unwrap().iter().all(|file| !file.name.starts_with("link")));
}

fn plan(keep_last: Option<usize>, older_than: Option<&TaskInfo>) -> PrunePlan {
    PrunePlan { keep_last, older_than: older_than.map(|info| info.started) }
}

#[test]
fn pruning_keeps_the_newest_of_each_app_and_what_is_young_enough() {
    let (_here, root, dirs) = three();
    let roots = root.roots();
    let would = |plan| {
        let pruned = prune(&roots, plan, Pruning::DryRun);
        assert!(pruned.failed.is_empty());
        pruned.removed.into_iter().map(|entry| entry.path).collect::<Vec<_>>()
    };
    assert_eq!(would(PrunePlan::default()), Vec::<PathBuf>::new());
    assert_eq!(would(plan(Some(1), None)), [dirs[0].clone()]);
    let second = info(2, path_app());
    assert_eq!(would(plan(None, Some(&second))), [dirs[0].clone()]);
    assert_eq!(would(plan(Some(0), Some(&second))), [dirs[0].clone()]);
    assert_eq!(would(plan(Some(2), Some(&second))), Vec::<PathBuf>::new());
    assert_eq!(would(plan(Some(0), None)).len(), 3);
    assert!(dirs.iter().all(|dir| dir.exists()), "a dry run removes nothing");
    let pruned = prune(&roots, plan(Some(1), None), Pruning::Remove);
    assert!(pruned.bytes > 500 && !dirs[0].exists() && dirs[1].exists() && dirs[2].exists());
}

#[test]
fn pruning_spares_running_ones_what_is_behind_links_and_what_the_user_named() {
    let (here, root, dirs) = three();
    let away = tempdir().unwrap();
    let (running, _log) = root.create(&info(9, path_app()), None).unwrap();
    fs::write(away.path().join("precious"), "x").unwrap();
    symlink(away.path(), dirs[0].join("sarif/link")).unwrap();
    symlink(away.path(), here.path().join(".assay/results/20261123-153616-abcdef")).unwrap();
    let (named, _) = finished(&root, &info(5, path_app()), Some(Path::new("out")));
    let mut roots = root.roots();
    roots.push(named.clone());
    let pruned = prune(&roots, plan(Some(0), None), Pruning::Remove);
    assert_eq!(pruned.removed.len(), 3, "{pruned:?}");
    assert!(pruned.failed.is_empty(), "a running one is not even tried: {pruned:?}");
    assert!(running.dir().exists() && named.exists() && away.path().join("precious").exists());
}

#[test]
fn pruning_sweeps_what_dead_processes_left_half_made() {
    let (here, root, _) = three();
    let results = here.path().join(".assay/results");
    for name in [".new-dead", ".gone-dead"] {
        fs::create_dir(results.join(name)).unwrap();
        fs::write(results.join(name).join("task.json"), "{}").unwrap();
    }
    fs::create_dir(results.join(".new-perhaps-alive")).unwrap();
    prune(&root.roots(), plan(Some(9), None), Pruning::Remove);
    let left: Vec<_> = tree(&results).into_iter().filter(|name| name.starts_with('.')).collect();
    assert_eq!(left, [".new-perhaps-alive"]);
}
