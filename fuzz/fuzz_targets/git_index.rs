//! Any bytes as a git index and as `.gitignore`: the app is copied whatever they say.
#![no_main]

use assay_source::{Options, take};
use libfuzzer_sys::fuzz_target;
use std::fs;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (ignore, index) = input;
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let app = dir.path().join("app");
    let git = app.join(".git");
    fs::create_dir_all(git.join("refs/heads")).expect("it is ours");
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("it is ours");
    fs::write(git.join("index"), index).expect("it is ours");
    fs::write(app.join(".gitignore"), ignore).expect("it is ours");
    fs::create_dir(app.join("sub")).expect("it is ours");
    for name in ["a.py", "sub/b.py"] {
        fs::write(app.join(name), "x = 1\n").expect("it is ours");
    }
    let snapshot = take(&app, &dir.path().join("copy"), Options::default(), &|| false)
        .expect("the app can be read");
    let skipped: u64 = snapshot.info().skipped.values().map(|it| it.count).sum();
    assert!(snapshot.info().files <= 3 && snapshot.info().files + skipped >= 2);
});
