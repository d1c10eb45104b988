//! What may be analysed, and what a tree may hold.

use crate::{
    fake::Fake,
    world::{Ran, World, skipped},
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt, fs::symlink},
};

/// A tool that names every file that it is given, one finding each.
fn lister() -> Fake {
    let script = "cd \"$0\" && find . -type f | sed 's|^\\./||; s|$|:1: low seen: here|'; exit 1";
    Fake::clean()
        .with("run.program", json!("/bin/sh"))
        .with("run.args", json!(["-c", script, "{project}"]))
        .with("install.version-args", json!(["-c", "echo 1.2.3"]))
}

/// An empty app and the tool that lists it.
fn world() -> World {
    let mut world = World::empty();
    world.tool("fake", lister());
    world
}

/// The paths that the tool has seen.
#[track_caller]
fn seen(ran: &Ran) -> Vec<String> {
    ran.exits(0);
    let paths = ran.findings().into_iter().map(|f| f.trim_end_matches(":1 seen").to_owned());
    let mut paths: Vec<String> = paths.collect();
    paths.sort();
    paths
}

fn analyze(world: &World, words: &[&OsStr]) -> Ran {
    world.run(&mut world.assay([&[OsStr::new("analyze")], words].concat()))
}

/// How many files were left out for this cause.
fn left_out(ran: &Ran, cause: &str) -> u64 {
    ran.report()["source"]["skipped"][cause]["count"].as_u64().unwrap_or(0)
}

#[test]
fn a_single_file_is_an_app_of_that_one_file() {
    let world = world();
    let path = world.file("deep/a.py", "x = 1\n");
    world.file("deep/b.py", "y = 1\n");
    let ran = analyze(&world, &[path.as_os_str()]);
    assert_eq!(seen(&ran), ["a.py"]);
    assert_eq!(ran.report()["source"]["files"], 1);
}

#[test]
fn names_may_hold_whatever_the_system_allows() {
    let world = world();
    let names = [
        "with space.py",
        "ünïcödé 日本.py",
        "new\nline.py",
        "-rf",
        "quote'\"`$(x).py",
        "%41.py",
        "\u{1b}[31m.py",
    ];
    for name in names {
        world.file(name, "x\n");
    }
    fs::write(world.app().join(OsStr::from_bytes(b"latin-\xe9.py")), "x\n").unwrap();
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran).len(), names.len() + 1, "{:?}", ran.findings());
    assert_eq!(ran.report()["source"]["files"], names.len() as u64 + 1);
    assert!(ran.findings().contains(&"ünïcödé 日本.py:1 seen".to_owned()));
    // The app's own name, too.
    for name in [&b"an app"[..], "日本".as_bytes(), b"latin-\xe9", b"-x", b"new\nline"] {
        let dir = world.at("cwd").join(OsStr::from_bytes(name));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("a.py"), "x\n").unwrap();
        let ran = analyze(&world, &[dir.as_os_str()]);
        assert_eq!(seen(&ran), ["a.py"]);
        assert!(!ran.stdout().contains('\u{1b}'));
    }
    let ran = analyze(&world, &["--".as_ref(), "-x".as_ref()]);
    assert_eq!(seen(&ran), ["a.py"]);
}

#[test]
fn what_is_no_app_is_said_in_words() {
    let world = world();
    mknodat(CWD, world.at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(world.at("socket")).unwrap();
    symlink("loop", world.at("loop")).unwrap();
    symlink("nowhere", world.at("dangling")).unwrap();
    for name in ["none", "fifo", "socket", "loop", "dangling", "cache/none/deep"] {
        let path = world.at("cache").parent().unwrap().join(name);
        let ran = analyze(&world, &[path.as_os_str()]);
        ran.exits(2).complains(&["error:", "hint:"]);
        assert!(!ran.stderr().contains("panicked"), "{name}: {}", ran.stderr());
    }
    for path in ["/dev/null", "/dev/zero", ""] {
        analyze(&world, &[path.as_ref()]).exits(2).complains(&["error:"]);
    }
    drop(socket);
}

#[test]
fn an_app_behind_a_link_is_the_app() {
    let world = world();
    world.file("a.py", "x\n");
    symlink(world.app(), world.at("link")).unwrap();
    let ran = analyze(&world, &[world.at("").join("link").as_os_str()]);
    assert_eq!(seen(&ran), ["a.py"]);
}

#[test]
fn no_link_leads_out_of_the_app() {
    let world = world();
    fs::write(world.at("secret.txt"), "secret\n").unwrap();
    fs::create_dir(world.at("outside")).unwrap();
    fs::write(world.at("outside/b.py"), "b\n").unwrap();
    world.file("a.py", "x\n");
    symlink(world.at("secret.txt"), world.app().join("secret.txt")).unwrap();
    symlink(world.at("outside"), world.app().join("folder")).unwrap();
    symlink(".", world.app().join("self")).unwrap();
    symlink("b", world.app().join("a")).unwrap();
    symlink("a", world.app().join("b")).unwrap();
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran), ["a.py"]);
    assert_eq!(left_out(&ran, "link"), 5);
    assert!(ran.stdout().contains("link"), "{}", ran.stdout());
}

#[test]
fn special_files_do_not_hold_the_analysis() {
    let world = world();
    world.file("a.py", "x\n");
    let fifo = world.app().join("fifo.py");
    mknodat(CWD, fifo, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran), ["a.py"]);
    assert_eq!(left_out(&ran, "special"), 1);
}

#[test]
fn ignore_files_hide_what_git_does_not_track_and_every_skip_is_counted() {
    let world = world();
    world.file("a.py", "x\n");
    world.file("hidden.log", "x\n");
    world.file("also.tmp", "x\n");
    world.file(".gitignore", "*.log\n");
    world.file(".assayignore", "*.tmp\n");
    world.file("node_modules/m/index.js", "x\n");
    world.file("lib.min.js", "x\n");
    world.file("dist/out.js", "x\n");
    world.file(".git/config", "[core]\n");
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran), [".assayignore", ".gitignore", "a.py"]);
    for cause in ["git-ignore", "assay-ignore", "vendored", "minified", "generated", "metadata"] {
        assert_eq!(left_out(&ran, cause), 1, "{cause}: {}", ran.report()["source"]["skipped"]);
    }
    let all = [".assayignore", ".gitignore", "a.py", "also.tmp", "hidden.log"];
    let ran = world.analyze(&["--no-ignore"]);
    assert_eq!(seen(&ran), all);
    let mut command = world.analysis(&[]);
    assert_eq!(seen(&world.run(command.env("ASSAY_NO_IGNORE", "1"))), all);
}

#[test]
fn a_model_and_a_number_name_an_app_under_the_source_roots() {
    let mut world = world();
    let app = world.at("cwd/generated/apps/openai_gpt-4/app1");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("a.py"), "x\n").unwrap();
    fs::write(app.join(".gitignore"), "*\n").unwrap();
    for words in [["openai_gpt-4", "1"], ["openai/gpt-4", "app1"]] {
        let ran = analyze(&world, &words.map(OsStr::new));
        ran.exits(0);
        let results = world.at("cwd/results/openai_gpt-4/app1");
        let task = fs::read_dir(results).unwrap().next().unwrap().unwrap().path();
        assert!(task.file_name().unwrap().to_str().unwrap().starts_with("task_"));
        let report: Value =
            serde_json::from_slice(&fs::read(task.join("report.json")).unwrap()).unwrap();
        // Nothing in the app of a model hides anything.
        assert_eq!(report["source"]["files"], 2, "{}", report["source"]);
        assert_eq!(report["app"]["ref"]["by"], "model-app");
    }
    for words in [
        ["openai_gpt-4", "2"],
        ["nobody", "1"],
        ["..", "1"],
        ["../..", "1"],
        ["openai_gpt-4", "../app1"],
        ["openai_gpt-4", "0"],
        ["openai_gpt-4", "-1"],
        ["openai_gpt-4", "99999999999999999999"],
        ["", "1"],
        ["openai_gpt-4", ""],
        ["/", "1"],
    ] {
        let ran = analyze(&world, &words.map(OsStr::new));
        ran.exits(2).complains(&["error:"]);
        assert!(!ran.stderr().contains("panicked"), "{words:?}: {}", ran.stderr());
    }
    // Roots may be set, and a link under one does not lead out of it.
    fs::create_dir_all(world.at("roots/m")).unwrap();
    fs::create_dir_all(world.at("roots/n/app1")).unwrap();
    fs::write(world.at("roots/n/app1/a.py"), "x\n").unwrap();
    symlink(world.at("app"), world.at("roots/m/app1")).unwrap();
    world.set("source-roots", json!([world.at("roots")]));
    analyze(&world, &["m".as_ref(), "1".as_ref()]).exits(2);
    analyze(&world, &["n".as_ref(), "1".as_ref()]).exits(0);
}

#[test]
fn a_file_that_may_not_be_read_is_counted() {
    let mut world = world();
    world.file("a.py", "x\n");
    let secret = world.file("secret.py", "x\n");
    let folder = world.file("closed/b.py", "x\n");
    fs::set_permissions(secret, PermissionsExt::from_mode(0o000)).unwrap();
    fs::set_permissions(folder.parent().unwrap(), PermissionsExt::from_mode(0o000)).unwrap();
    if !world.become_unprivileged() {
        return skipped("setpriv");
    }
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran), ["a.py"]);
    assert_eq!(left_out(&ran, "unreadable"), 2, "{}", ran.report()["source"]);
    assert!(
        ran.stdout().contains("unreadable") || ran.stdout().contains("could not be read"),
        "{}",
        ran.stdout()
    );
    let closed = world.app().join("closed");
    analyze(&world, &[closed.as_os_str()]).exits(2).complains(&["hint:"]);
    fs::set_permissions(closed, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_large_file_is_left_out_and_the_analysis_is_complete() {
    let world = world();
    world.file("a.py", "x\n");
    // Sparse: it has this length and takes no room.
    let file = fs::File::create(world.app().join("big.json")).unwrap();
    file.set_len(200 << 20).unwrap();
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran), ["a.py"]);
    assert_eq!(left_out(&ran, "too-large"), 1);
    assert_eq!(ran.report()["outcome"], "complete");
    // Alone it is nothing to analyse.
    let path = world.app().join("big.json");
    analyze(&world, &[path.as_os_str()]).exits(3);
}

#[test]
fn a_hundred_thousand_files_are_read_once_and_told_in_a_few_lines() {
    let mut world = World::empty();
    world.tool("fake", Fake::clean());
    for folder in 0..100 {
        let dir = world.app().join(format!("folder-{folder:02}"));
        fs::create_dir(&dir).unwrap();
        for file in 0..1000 {
            fs::write(dir.join(format!("{file}.py")), "").unwrap();
        }
    }
    let ran = world.analyze(&["--timeout", "10m"]);
    ran.exits(0);
    assert_eq!(ran.report()["source"]["files"], 100_000);
    assert_eq!(ran.tool("fake")["files_matched"], 100_000);
    assert!(ran.output.stdout.len() + ran.output.stderr.len() < 10_000);
    assert_eq!(world.left_over(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_tree_that_is_too_deep_is_cut_and_counted() {
    let world = world();
    world.file("a.py", "x\n");
    let mut path = world.app();
    for _ in 0..200 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("b.py"), "x\n").unwrap();
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran), ["a.py"]);
    assert_eq!(left_out(&ran, "too-deep"), 1, "{}", ran.report()["source"]);
}

#[test]
fn encodings_and_line_ends_do_not_move_a_finding() {
    let mut world = World::empty();
    world.file("crlf.py", "one\r\ntwo\r\nthree\r\n");
    world.file("bom.py", "\u{feff}one\ntwo\nthree\n");
    world.file("latin.py", b"one\ntw\xf6\nthree\n");
    world.file("utf16.py", b"\xff\xfeo\0n\0e\0\n\0");
    world.file("nul.py", b"one\n\0two\nthree\n");
    world.file("no-end.py", "one\ntwo\nthree");
    world.file("empty.py", "");
    world.file("cr.py", "one\rtwo\rthree\r");
    let names = ["crlf", "bom", "latin", "utf16", "nul", "no-end", "empty", "cr"];
    let steps = names.map(|name| format!("say={name}.py:3: low bad: look"));
    world.tool("fake", Fake::new(steps.into_iter().chain(["exit=1".to_owned()])));
    let ran = world.analyze(&["--format", "html=out.html", "--format", "sarif=out.sarif"]);
    ran.exits(0);
    assert_eq!(ran.report()["source"]["files"], names.len() as u64);
    assert_eq!(ran.findings().len(), names.len(), "{:?}", ran.findings());
    for name in ["crlf", "bom", "no-end"] {
        let report = ran.report();
        let findings = report["findings"].as_array().unwrap();
        let of_name = |f: &&Value| f["location"]["path"] == format!("{name}.py");
        let finding = findings.iter().find(of_name).unwrap();
        assert!(finding["snippet"]["lines"].to_string().contains("three"), "{name}: {finding}");
        assert_eq!(finding["location"]["region"]["line"], 3);
    }
}

#[test]
fn the_commit_and_the_branch_enter_the_report() {
    let world = world();
    world.file("a.py", "x\n");
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        let config =
            ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=trunk"];
        git.args(config).args(args).current_dir(world.app()).env("HOME", world.at("home"));
        git.output().is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "--quiet"]) {
        return skipped("git");
    }
    world.file("tracked.log", "x\n");
    world.file("not-tracked.log", "x\n");
    assert!(git(&["add", "a.py", "tracked.log"]) && git(&["commit", "--quiet", "-m", "one"]));
    world.file(".gitignore", "*.log\n");
    let ran = world.analyze(&[]);
    assert_eq!(seen(&ran), [".gitignore", "a.py", "tracked.log"]);
    assert_eq!(ran.report()["app"]["git"]["branch"], "trunk");
    assert_eq!(ran.report()["app"]["git"]["commit"].as_str().unwrap().len(), 40);
}

#[test]
fn the_words_of_the_command_line_need_not_be_text() {
    let world = world();
    let word = OsString::from(OsStr::from_bytes(b"\xff\xfe"));
    for words in [
        vec!["analyze".into(), word.clone()],
        vec!["analyze".into(), word.clone(), "1".into()],
        vec!["analyze".into(), "m".into(), word.clone()],
        vec!["results".into(), "show".into(), word.clone()],
        vec![word.clone()],
    ] {
        let ran = world.run(&mut world.assay(&words));
        ran.exits(2).complains(&["error:"]);
        assert!(!ran.stderr().contains("panicked"), "{}", ran.stderr());
    }
    // Results in a folder of nearly that name would be worse than none.
    world.file("a.py", "x\n");
    let app = world.app();
    let words = ["analyze".as_ref(), app.as_os_str(), "--output".as_ref(), &word];
    world.run(&mut world.assay(words)).exits(2).complains(&["--output", "hint:"]);
    assert_eq!(fs::read_dir(world.at("cwd")).unwrap().count(), 0);
}
