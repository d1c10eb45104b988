//! `assay batch --server`: many apps, whatever becomes of the servers meanwhile.

use super::{asking::json_of, release, served::Served, with_a_held_tool, with_an_app};
use crate::{
    fake::Fake,
    world::{LONG, World},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    process::{Child, Output, Stdio},
};
use testkit::wait_until;

/// A batch that runs beside the test.
fn begin(world: &World, words: &[&str]) -> Child {
    let mut command = world.assay(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn second_app(world: &World, text: &str) {
    let second = world.at("cwd/generated/apps/acme/app2");
    fs::create_dir_all(&second).unwrap();
    fs::write(second.join("a.py"), text).unwrap();
    fs::write(world.at("cwd/list.json"), r#"[["acme", 1], ["acme", 2]]"#).unwrap();
}

#[track_caller]
fn is_whole(output: &Output, said: &str) {
    let (out, err) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    let out = String::from_utf8_lossy(out);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("2 of 2 apps have ended"), "{out}{err}");
    assert!(err.contains(said), "{err}");
}

#[test]
fn a_batch_that_was_stopped_goes_on_where_it_was() {
    let mut world = with_an_app(Fake::clean());
    let hang = world.at("hang.py");
    fs::write(&hang, "hang = 1\n").unwrap();
    let same = format!("if-same={{project}}/a.py:{}", hang.display());
    world.tool("fake", Fake::new([same, "hang".to_owned(), "exit=0".to_owned()]));
    second_app(&world, "hang = 1\n");
    let gateway = Served::gateway(&world, &[]);
    let url = gateway.url();
    let words = ["batch", "list.json", "--server", &url];
    let child = begin(&world, &words);
    let records = || {
        let folder = fs::read_dir(world.at("cwd/.assay/batches"));
        let files = folder.into_iter().flatten().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect::<String>()
    };
    assert!(wait_until(LONG, || records().ends_with('\n')), "no app ends");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 of 2 apps have ended"));
    fs::write(&hang, "no longer").unwrap();
    let ran = world.says(&words);
    ran.exits(0).complains(&["1 of 2 apps were analysed by an earlier run"]);
    assert!(ran.stdout().contains("2 of 2 apps have ended"), "{}", ran.stdout());
    assert_eq!(records(), "", "the next batch begins anew");
    let status = json_of(world.says(&["status", "--json", "--server", &url]).exits(0));
    assert_eq!(status["status"]["tasks"]["accepted"], 3, "{status}");
    let all = json_of(world.says(&[&words[..], &["--format", "json"]].concat()).exits(0));
    assert_eq!(all.as_array().unwrap().len(), 2);
}

#[test]
fn a_batch_outlives_its_gateway() {
    let world = with_a_held_tool();
    second_app(&world, "import os\n");
    let mut gateway = Served::gateway(&world, &[]);
    let url = gateway.url();
    let child = begin(&world, &["batch", "list.json", "--server", &url]);
    world.pids("pids", 1);
    gateway.signal(Signal::KILL);
    gateway.ends();
    let again = ["serve", "--listen", &gateway.address, "--no-service-ports"];
    let next = Served::start(&world, &again, &[]);
    // Its tools have begun anew: the killed ones went with their server.
    let running = || fs::read_to_string(world.at("pids")).unwrap().lines().count() > 1;
    assert!(wait_until(LONG, running), "{}", next.said());
    release(&world);
    is_whole(&child.wait_with_output().unwrap(), "the connection to the server is lost");
    let status = json_of(world.says(&["status", "--json", "--server", &url]).exits(0));
    assert_eq!(status["status"]["tasks"]["running"], 0, "{status}");
}

#[test]
fn a_batch_waits_for_a_service_that_is_away() {
    let world = with_an_app(Fake::clean());
    second_app(&world, "import os\n");
    let mut service = Served::service(&world, &[]);
    let url = service.url();
    let variables = [
        ("STATIC_ANALYZER_URLS", url.as_str()),
        ("ASSAY_BREAKER_FAILURES", "1"),
        ("ASSAY_BREAKER_OPEN_FOR", "1s"),
    ];
    let mut gateway = Served::start(&world, &["serve", "--listen", "127.0.0.1:0"], &variables);
    service.signal(Signal::KILL);
    service.ends();
    let child = begin(&world, &["batch", "list.json", "--server", &gateway.url()]);
    // It has been asked, and could do nothing.
    let refused = || {
        let tasks = world.says(&["tasks", "--json", "--server", &gateway.url()]);
        tasks.stdout().contains("unavailable") || tasks.stdout().contains("error")
    };
    assert!(wait_until(LONG, refused), "{}", gateway.said());
    let again = ["service", "static", "--listen", &service.address];
    let _back = Served::start(&world, &again, &[]);
    gateway.until_said("a breaker opens: the service is left alone");
    let output = child.wait_with_output().unwrap();
    is_whole(&output, "the server does no more for now, and is asked again");
}
