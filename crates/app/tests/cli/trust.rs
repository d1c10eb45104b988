//! What an `assay.toml` that lies inside the analysed app may say.

use crate::{
    fake::Fake,
    world::{Ran, World},
};
use serde_json::Value;
use std::{ffi::OsStr, fs, process::Command};

/// Analyses an app in place, with this as the `assay.toml` in it. The world's own file comes by
/// `--set`, since the nearest file wins.
fn in_place(world: &World, text: &str, args: &[&str]) -> Ran {
    world.file("assay.toml", text);
    let mut command = world.assay(["analyze", "."]);
    command.args(args).current_dir(world.app());
    run(world, &mut command)
}

fn run(world: &World, command: &mut Command) -> Ran {
    let mut ran = world.run(command);
    let results = fs::read_dir(world.app().join(".assay/results"));
    if let Some(dir) = results.ok().and_then(|mut dirs| dirs.next()) {
        let dir = dir.unwrap().path();
        ran.read_from(&dir);
        fs::remove_dir_all(dir).unwrap();
    }
    ran
}

#[test]
fn a_file_of_the_app_may_not_start_programs_or_loosen_anything() {
    let world = World::new();
    let marker = world.at("marker");
    for (key, text) in [
        (
            "tool",
            format!(
                "[tool.evil]\ntitle = 'Evil'\nkind = 'style'\ninputs = {{ all-text = true }}\n\
             install = {{ from = 'path', mend = 'x', version-args = ['-c', 'touch {0}'] }}\n\
             run = {{ program = '/bin/sh', args = ['-c', 'touch {0}'] }}\noutput = {{ format = 'text' }}\n",
                marker.display()
            ),
        ),
        ("settings", "[settings.ruff.options]\nconfig = '/etc/passwd'\n".to_owned()),
        ("settings", "[settings.ruff]\nenabled = false\n".to_owned()),
        ("output", "output = '/tmp'\n".to_owned()),
        ("sandbox", "sandbox = 'off'\n".to_owned()),
        ("offline", "offline = false\n".to_owned()),
        ("exit-zero", "exit-zero = true\n".to_owned()),
        ("allow-incomplete", "allow-incomplete = true\n".to_owned()),
        ("source-roots", "source-roots = ['/']\n".to_owned()),
        ("tools", "tools = ['ruff']\n".to_owned()),
    ] {
        let ran = in_place(&world, &text, &["--offline"]);
        ran.exits(2).complains(&[key, "assay.toml", "--trust-project"]);
        assert!(!marker.exists(), "a program of the app was started");
    }
}

#[test]
fn a_folder_of_settings_and_a_hidden_file_in_the_app_are_refused_or_not_read() {
    let world = World::new();
    fs::create_dir_all(world.app().join("configs/static")).unwrap();
    world.file("configs/static/ruff.toml", "config = '/etc/passwd'\n");
    let ran = in_place(&world, "fail-on = 'high'\n", &["--offline"]);
    let used = ran.code() != Some(2) && ran.stderr().contains("/etc/passwd");
    assert!(!used, "{}", ran.stderr());
    let world = World::new();
    world.file(".config/assay.toml", "exit-zero = true\n");
    let mut command = world.assay(["analyze", ".", "--offline"]);
    run(&world, command.current_dir(world.app())).exits(2).complains(&["exit-zero"]);
}

#[test]
fn thresholds_and_ignores_of_the_app_hold_and_are_listed() {
    let mut world = World::new();
    world.tool("fake", Fake::finding("high"));
    let config = world.at("assay.toml");
    let named = config.to_str().unwrap();
    // The nearest file wins, so the tool is declared in the user's own.
    world.assay(["config"]);
    let user = world.at("home/.config/assay");
    fs::create_dir_all(&user).unwrap();
    fs::copy(&config, user.join("assay.toml")).unwrap();
    let text = "fail-on = 'low'\nprofile = 'quick'\n\n[severity]\n'fake:bad-three' = 'medium'\n";
    let ran = in_place(&world, text, &[]);
    ran.exits(1);
    let report = ran.report();
    let listed: Vec<&Value> =
        report["selection"]["from_project"].as_array().unwrap().iter().collect();
    assert!(listed.iter().any(|line| line.as_str().unwrap().contains("fail-on")), "{listed:?}");
    assert!(listed.iter().any(|line| line.as_str().unwrap().contains("severity")), "{listed:?}");
    assert_eq!(report["verdict"]["fail_on"], "low");
    assert_eq!(report["selection"]["profile"], "quick");
    // With a named file the one in the app is not looked for.
    let ran = in_place(&world, "exit-zero = true\n", &["--config", named, "--fail-on", "any"]);
    ran.exits(1);
    assert!(ran.report()["selection"]["from_project"].is_null());
}

#[test]
fn a_trusted_project_is_obeyed() {
    let world = World::new();
    let text = format!(
        "tools = ['mine']\n[tool.mine]\ntitle = 'Mine'\nkind = 'style'\ninputs = {{ all-text = true }}\n\
         install = {{ from = 'path', mend = 'x', version-args = ['say=1.0'] }}\n\
         run = {{ program = '{}', args = [] }}\noutput = {{ format = 'text', empty-is-clean = true, map = {{ pattern = '(?P<message>.*)', rule = '=r', message = 'message' }} }}\n",
        testkit::fake_tool().display()
    );
    in_place(&world, &text, &[]).exits(2);
    let ran = in_place(&world, &text, &["--trust-project"]);
    ran.exits(0);
    assert_eq!(ran.tool("mine")["status"], "ok");
}

#[test]
fn a_file_outside_of_the_app_is_obeyed_and_one_beside_it_in_a_subfolder_is_not_looked_at() {
    let mut world = World::new();
    world.tool("fake", Fake::finding("high"));
    world.set("fail-on", "high".into());
    // The working directory is outside: nothing in the app is looked for.
    world.file("assay.toml", "exit-zero = true\nno-such-key = 1\n");
    let ran = world.analyze(&[]);
    ran.exits(1);
    assert!(ran.report()["selection"]["from_project"].is_null());
}

#[test]
fn nothing_in_the_app_of_a_model_is_read() {
    let mut world = World::new();
    world.tool("fake", Fake::finding("high"));
    let app = world.at("cwd/generated/apps/m/app1");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("a.py"), "1\n2\n3\n").unwrap();
    fs::write(app.join("assay.toml"), "this is no TOML, and nobody looks").unwrap();
    for dir in ["cwd", "cwd/generated/apps/m/app1"] {
        let roots = format!("source-roots={:?}", [world.at("cwd/generated/apps")]);
        let words = ["analyze", "m", "1", "--fail-on", "high", "--set", &roots];
        let mut command = world.assay(words.map(OsStr::new));
        let ran = world.run(command.current_dir(world.at(dir)));
        ran.exits(1);
        assert!(!app.join(".assay").exists());
    }
}
