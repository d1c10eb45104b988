//! Task folders are made in the right place and written whole.
#![allow(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

mod common;

use assay_model::{AnalysisOutcome, AppRef};
use assay_store::{Entry, ResultsRoot, StoreError, TaskState, list};
use common::{finished, info, path_app, report, tree, warned, write_report};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Barrier,
    thread,
};
use tempfile::tempdir;

#[test]
fn a_plain_path_and_a_model_app_have_their_places() {
    let here = tempdir().unwrap();
    let root = ResultsRoot::new(here.path(), None);
    let (folder, _log) = root.create(&info(1, path_app()), None).unwrap();
    assert_eq!(folder.dir(), here.path().join(".assay/results/20261123-153601-abcdef"));
    let app = AppRef::model_app("openai/gpt-4", "app7").unwrap();
    let (folder, _log) = root.create(&info(2, app), None).unwrap();
    let expected = "results/openai_gpt-4/app7/task_20261123-153602-abcdef";
    assert_eq!(folder.dir(), here.path().join(expected));
    assert_eq!(folder.place().fell_back, None);
    assert_eq!(fs::read_to_string(here.path().join(".assay/.gitignore")).unwrap(), "*\n");
}

#[test]
fn a_finished_analysis_is_read_back_with_sizes_and_digests() {
    let here = tempdir().unwrap();
    let root = ResultsRoot::new(here.path(), None);
    let info = info(1, path_app());
    let (dir, manifest) = finished(&root, &info, None);
    for file in &manifest.files {
        let content = fs::read(dir.join(&file.name)).unwrap();
        assert_eq!(file.bytes, content.len() as u64, "{}", file.name);
        assert_eq!(file.blake3.as_str(), blake3::hash(&content).to_hex().as_str());
    }
    let entry = Entry::open(&dir).unwrap();
    assert_eq!(entry.state, TaskState::Finished(AnalysisOutcome::Complete));
    assert_eq!(entry.counts.as_ref().unwrap().total, 2);
    assert_eq!(entry.load_report().unwrap(), report(&info));
    assert_eq!(entry.load_manifest().unwrap(), manifest);
    assert_eq!(entry.load_events().unwrap().events.len(), 2);
    let stored: Vec<_> = entry.files().unwrap().into_iter().map(|file| file.name).collect();
    let mut listed: Vec<_> = manifest.files.into_iter().map(|file| file.name).collect();
    listed.push("manifest.json".to_owned());
    listed.sort();
    assert_eq!(stored, listed);
    reads_plainly(&dir);
}

/// The manifest as a reader in another language sees it.
#[track_caller]
fn reads_plainly(dir: &Path) {
    let text = fs::read_to_string(dir.join("manifest.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["manifest_version"], "1.0");
    assert_eq!(value["ended"], "2026-11-23T15:36:02.5Z");
    assert_eq!(value["tools"][0]["version"], "0.14.0");
    assert_eq!(value["files"][0]["name"], "events.ndjson");
}

#[test]
fn nobody_else_can_read_what_was_written() {
    let here = tempdir().unwrap();
    let (dir, _) = finished(&ResultsRoot::new(here.path(), None), &info(1, path_app()), None);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in tree(&dir) {
        let path = dir.join(&name);
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{name}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_sends_results_to_the_state_home_and_says_so() {
    let state = tempdir().unwrap();
    // Permission bits do not bind root, but nobody can make a folder in `/proc`.
    let root = ResultsRoot::new(Path::new("/proc"), Some(state.path().to_owned()));
    for (n, app) in [(1, path_app()), (2, AppRef::model_app("m", "1").unwrap())] {
        let (folder, _log) = root.create(&info(n, app), None).unwrap();
        assert!(folder.dir().starts_with(state.path().join("assay/results")));
        let why = folder.place().fell_back.clone().unwrap();
        assert!(why.starts_with("`/proc/"), "{why}");
    }
    assert_eq!(list(&root.roots()).entries.len(), 2);
    // A name that is taken there is taken, as anywhere: whoever tries again takes another.
    let again = root.create(&info(1, path_app()), None).unwrap_err();
    assert!(matches!(again, StoreError::Exists { .. }), "{again}");
}

#[test]
fn a_file_or_a_link_in_the_way_sends_results_elsewhere_too() {
    let (here, away, state) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let root = ResultsRoot::new(here.path(), Some(state.path().to_owned()));
    let ours = here.path().join(".assay");
    fs::write(&ours, "a file").unwrap();
    let (folder, _log) = root.create(&info(1, path_app()), None).unwrap();
    assert!(folder.place().fell_back.is_some());
    fs::remove_file(&ours).unwrap();
    symlink(away.path(), &ours).unwrap();
    let (folder, _log) = root.create(&info(2, path_app()), None).unwrap();
    assert!(folder.place().fell_back.as_ref().unwrap().contains("it is a link"));
    assert_eq!(tree(away.path()), Vec::<String>::new());
}

#[test]
fn without_any_place_the_error_names_both() {
    let root = ResultsRoot::new(Path::new("/proc"), Some("/proc/self".into()));
    let error = root.create(&info(1, path_app()), None).unwrap_err();
    assert!(matches!(error, StoreError::Nowhere { .. }));
    assert!(error.to_string().contains("/proc/.assay"), "{error}");
    assert!(error.to_string().contains("/proc/self/assay"), "{error}");
    assert!(error.hint().unwrap().contains("--output"));
}

#[test]
fn a_task_folder_is_never_taken_twice() {
    let here = tempdir().unwrap();
    let root = ResultsRoot::new(here.path(), None);
    let barrier = Barrier::new(8);
    let outcomes: Vec<_> = thread::scope(|scope| {
        let make = || {
            barrier.wait();
            root.create(&info(1, path_app()), None)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|made| made.is_ok()).count(), 1, "{outcomes:?}");
    drop(outcomes);
    let error = root.create(&info(1, path_app()), None).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error:?}");
}

#[test]
fn a_named_folder_may_be_absent_or_empty_but_not_somebody_elses() {
    let here = tempdir().unwrap();
    let root = ResultsRoot::new(here.path(), None);
    fs::create_dir(here.path().join("empty")).unwrap();
    for (n, name) in [(1, "absent/deep"), (2, "empty")] {
        finished(&root, &info(n, path_app()), Some(Path::new(name)));
        assert!(here.path().join(name).join("manifest.json").exists());
    }
    let theirs = here.path().join("theirs");
    for name in ["thesis.txt", "manifest.json", "task.json", ".lock2"] {
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join(name), r#"{"name": "my extension", "manifest_version": 3}"#).unwrap();
        let error = root.create(&info(3, path_app()), Some(Path::new("theirs"))).unwrap_err();
        assert!(matches!(error, StoreError::NotOurs { .. }), "{name}: {error:?}");
        assert!(error.hint().unwrap().contains("--output"));
        assert_eq!(tree(&theirs), [name]);
        fs::remove_dir_all(&theirs).unwrap();
    }
    fs::write(&theirs, "x").unwrap();
    let error = root.create(&info(3, path_app()), Some(&theirs)).unwrap_err();
    assert!(matches!(error, StoreError::NotAFolder { .. }), "{error:?}");
}

#[test]
fn a_named_folder_of_ours_loses_the_old_results_and_nothing_else() {
    let (here, away) = (tempdir().unwrap(), tempdir().unwrap());
    let root = ResultsRoot::new(here.path(), None);
    let out = Path::new("out");
    let (folder, log) = root.create(&info(1, path_app()), Some(out)).unwrap();
    folder.write("sbom.cdx.json", |out| out.write_all(b"{}")).unwrap();
    folder.write("logs/ruff.stdout", |out| out.write_all(b"x")).unwrap();
    write_report(&folder, &report(folder.info()));
    let dir = folder.dir().to_owned();
    folder.finish(log, &report(&info(1, path_app()))).unwrap();
    // The user's own file, and a link that a hostile process left.
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    fs::write(away.path().join("precious"), "x").unwrap();
    fs::remove_dir(dir.join("services")).unwrap();
    symlink(away.path(), dir.join("services")).unwrap();
    let error = root.create(&info(2, path_app()), Some(out)).unwrap_err();
    assert!(error.to_string().contains("services"), "a link where a folder should be: {error}");
    assert!(away.path().join("precious").exists());
    fs::remove_file(dir.join("services")).unwrap();

    let (folder, log) = root.create(&info(2, path_app()), Some(out)).unwrap();
    let running = Entry::open(&dir).unwrap();
    assert_eq!(
        (running.state, running.task.as_str()),
        (TaskState::Running, info(2, path_app()).task.as_str())
    );
    let expected =
        [".lock", "events.ndjson", "logs", "notes.txt", "sarif", "services", "task.json"];
    assert_eq!(tree(&dir), expected);
    folder.abandon(log).unwrap();
}

#[test]
fn a_lying_manifest_removes_nothing_outside_its_folder() {
    let here = tempdir().unwrap();
    let root = ResultsRoot::new(here.path(), None);
    let (dir, mut manifest) = finished(&root, &info(1, path_app()), Some(Path::new("out")));
    let victim = here.path().join("victim");
    fs::create_dir(here.path().join("folder")).unwrap();
    fs::write(here.path().join("folder/victim"), "x").unwrap();
    fs::write(&victim, "x").unwrap();
    symlink(here.path().join("folder"), dir.join("link")).unwrap();
    for (file, name) in
        manifest.files.iter_mut().zip(["../victim", victim.to_str().unwrap(), "link/victim"])
    {
        name.clone_into(&mut file.name);
    }
    fs::write(dir.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    root.create(&info(2, path_app()), Some(Path::new("out"))).unwrap();
    assert!(victim.exists() && here.path().join("folder/victim").exists());
}

#[test]
fn two_analyses_cannot_write_to_one_named_folder() {
    let here = tempdir().unwrap();
    let root = ResultsRoot::new(here.path(), None);
    let (folder, mut log) = root.create(&info(1, path_app()), Some(Path::new("out"))).unwrap();
    let error = root.create(&info(2, path_app()), Some(Path::new("out"))).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    log.append(&warned(0)).unwrap();
    folder.finish(log, &report(&info(1, path_app()))).unwrap();
    root.create(&info(2, path_app()), Some(Path::new("out"))).unwrap();
}

#[test]
fn files_are_written_from_many_threads_while_a_reader_sees_only_whole_ones() {
    let here = tempdir().unwrap();
    let (folder, log) =
        ResultsRoot::new(here.path(), None).create(&info(1, path_app()), None).unwrap();
    let path = folder.dir().join("services/static.json");
    thread::scope(|scope| {
        let writers: Vec<_> = (b'a'..b'e')
            .map(|letter| {
                let folder = &folder;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let fill = vec![letter; 200_000];
                        folder.write("services/static.json", |out| out.write_all(&fill)).unwrap();
                    }
                })
            })
            .collect();
        while !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
            let Ok(content) = fs::read(&path) else { continue };
            assert_eq!(content.len(), 200_000);
            assert!(content.iter().all(|byte| *byte == content[0]));
        }
    });
    let manifest = folder.finish(log, &report(&info(1, path_app()))).unwrap();
    assert_eq!(manifest.files.len(), 3);
}

#[test]
fn a_tools_output_is_copied_in_but_never_through_a_link() {
    let here = tempdir().unwrap();
    let (folder, _log) =
        ResultsRoot::new(here.path(), None).create(&info(1, path_app()), None).unwrap();
    let (output, link) = (here.path().join("stdout"), here.path().join("link"));
    fs::write(&output, "found it\n").unwrap();
    symlink("/etc/passwd", &link).unwrap();
    folder.copy_in("logs/ruff.stdout", &output).unwrap();
    assert_eq!(fs::read(folder.dir().join("logs/ruff.stdout")).unwrap(), b"found it\n");
    assert!(folder.copy_in("logs/evil.stdout", &link).is_err());
    assert!(folder.write("../evil", |_| Ok(())).is_err());
    assert!(!folder.dir().join("logs/evil.stdout").exists());
}
