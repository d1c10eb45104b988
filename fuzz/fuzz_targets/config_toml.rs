//! Any text as `assay.toml`, and as `configs/static/ruff.{yaml,json,ini}`: a configuration or
//! problems, never a panic; in the analysed app never more than what the app may set.
#![no_main]

use assay_config::Loader;
use libfuzzer_sys::fuzz_target;
use std::fs;

const MAY_SET: &[&str] = &["fail-on", "profile", "ignore", "severity"];

fuzz_target!(|input: (u8, &str)| {
    let (form, text) = input;
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let file = match form % 5 {
        0 | 1 => dir.path().join("assay.toml"),
        2 => dir.path().join("configs/static/ruff.yaml"),
        3 => dir.path().join("configs/static/ruff.json"),
        _ => dir.path().join("configs/static/ruff.ini"),
    };
    fs::create_dir_all(file.parent().expect("it was joined")).expect("it is ours");
    fs::write(&file, text).expect("it is ours");
    let app = dir.path().canonicalize().expect("it exists");
    let untrusted = form % 5 == 1;
    let loader =
        Loader { working_dir: app.clone(), app: untrusted.then_some(app), ..Loader::default() };
    if let Ok(loaded) = loader.check()
        && untrusted
    {
        for (key, origin) in loaded.origins.iter() {
            let top = key.split('.').next().unwrap_or(key);
            let is_theirs = matches!(origin, assay_config::Origin::ProjectFile(_));
            assert!(!is_theirs || MAY_SET.contains(&top), "{key}");
        }
    }
});
