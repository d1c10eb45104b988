//! The stack of `compose.yaml` at work: a gateway and three static services in networks of their own, what they do
//! when one of them is cut off, and when the gateway is killed.

use crate::{
    container::LONG,
    files::read,
    stack::{Engine, SECRET, Stack},
};
use serde_json::Value;
use std::process::Command;
use testkit::wait_until;

const GATEWAY: &str = "ws://gateway:8765";
const REPLICAS: [&str; 3] = ["static-1", "static-2", "static-3"];

/// Whether namespaces can be made here. Where all is required, they must be.
fn can_be_had() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    let has_ip = Command::new("ip").args(["netns", "list"]).output().is_ok();
    if is_root && has_ip {
        return true;
    }
    let why = "network namespaces need root and `ip` (Debian package iproute2)";
    assert!(std::env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none(), "{why}");
    println!("not tried: {why}");
    false
}

/// Has so many apps of a model analysed by the gateway, all at once, from number `from` on.
fn analyses(stack: &Stack, from: usize, count: usize) {
    let apps: Vec<String> = (from..from + count).map(|app| app.to_string()).collect();
    let begin =
        |app: &String| stack.within("gateway-1", &["analyze", "acme", app, "--server", GATEWAY]);
    let begun: Vec<_> = apps.iter().map(begin).collect();
    for one in begun {
        let ended = one.ends().with(0);
        assert!(ended.out.contains("analysis complete"), "{}", ended.said);
    }
}

/// How much work a replica has accepted so far.
fn accepted(stack: &Stack, name: &str) -> u64 {
    stack.counted(name, "assay_accepted_total")
}

fn tasks(stack: &Stack) -> Vec<Value> {
    let tasks = stack.within("gateway-1", &["tasks", "--json"]).ends().with(0).json();
    tasks.as_array().unwrap().clone()
}

fn open(tasks: &[Value]) -> usize {
    tasks.iter().filter(|one| one["state"] == "running" || one["state"] == "queued").count()
}

#[test]
fn the_stack_serves_whoever_has_the_token_and_hides_the_rest() {
    if !can_be_had() {
        return;
    }
    let mut stack = Stack::up();
    stack.until_replicas(3);
    stack.app("acme", 1);
    // A client from outside hears of the gateway how each replica is, at its own address.
    let outside = stack.client(&["front"]);
    let health = stack.within(&outside, &["health", "--json"]).ends().with(0).json();
    let told = health["services"].as_array().unwrap();
    for name in REPLICAS {
        let url = format!("ws://{}:2001", stack.addresses(name)["services"]);
        let one = told.iter().find(|one| one["url"] == *url);
        assert_eq!(one.unwrap()["health"]["status"], "healthy", "{url}: {health:#}");
    }
    // The health checks of the containers themselves.
    stack.within("gateway-1", &["ping"]).ends().with(0);
    stack.within("static-1", &["ping", "static"]).ends().with(0);
    let words = ["analyze", "acme", "1", "--server", GATEWAY];
    let ended = stack.within(&outside, &words).ends().with(0);
    assert!(ended.out.contains("acme app1: analysis complete"), "{}", ended.said);
    let ended = stack.within(&outside, &["status"]).ends().with(0);
    assert!(ended.out.contains("ws://static:2001"), "{}", ended.said);
    let refused = [&words[..], &["--token", "another"]].concat();
    let ended = stack.within(&outside, &refused).ends().with(2);
    assert!(ended.said.contains("does not know this token"), "{}", ended.said);
    // What is not published is not reached.
    let gateway = stack.addresses("gateway-1");
    assert!(stack.is_reached(&outside, &gateway["front"], 8765));
    assert!(!stack.is_reached(&outside, &gateway["front"], 2001));
    assert!(!stack.is_reached(&outside, &gateway["services"], 8765));
    for name in REPLICAS {
        let address = &stack.addresses(name)["services"];
        assert!(!stack.is_reached(&outside, address, 2001), "{name}");
        assert!(stack.is_reached("gateway-1", address, 2001), "{name}");
    }
    for name in ["gateway-1", "static-1", "static-2", "static-3"] {
        let said = stack.container(name).said();
        assert!(!said.contains(SECRET), "{name}: {said}");
    }
}

#[test]
fn the_layers_of_a_container_are_those_that_the_page_names() {
    if !can_be_had() {
        return;
    }
    let stack = Stack::up();
    let all = [
        "processes",
        "files",
        "network",
        "ipc",
        "rights",
        "landlock",
        "seccomp",
        "limits",
        "environment",
    ];
    let (with, without) = stack.layers("static-1", Engine::Lifted);
    assert_eq!((with, without), (all.map(str::to_owned).to_vec(), vec![]));
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let (with, without) = stack.layers("static-1", Engine::Default);
    assert_eq!(without, ["files", "network", "ipc"]);
    assert_eq!(with, ["processes", "rights", "landlock", "seccomp", "limits", "environment"]);
    let page = read("docs/operating/containers.md");
    assert!(page.contains("| files, network, ipc | **missing**"), "the page says otherwise");
}

#[test]
fn a_replica_that_is_cut_off_is_left_out_and_used_again() {
    const AT_ONCE: usize = 6;
    if !can_be_had() {
        return;
    }
    let stack = Stack::up();
    stack.until_replicas(3);
    let mut app = 1;
    let mut some = |stack: &Stack| {
        (app..app + AT_ONCE).for_each(|number| stack.app("acme", number));
        analyses(stack, app, AT_ONCE);
        app += AT_ONCE;
    };
    let all_work = wait_until(LONG, || {
        some(&stack);
        REPLICAS.iter().all(|name| accepted(&stack, name) > 0)
    });
    assert!(all_work, "each of the addresses gets work");

    stack.link("static-2", "down");
    let of_others = |stack: &Stack| accepted(stack, "static-1") + accepted(stack, "static-3");
    let before = of_others(&stack);
    some(&stack);
    some(&stack);
    assert_eq!(of_others(&stack) - before, 2 * AT_ONCE as u64, "the others do all of it");

    stack.link("static-2", "up");
    let before = accepted(&stack, "static-2");
    let is_back = wait_until(LONG, || {
        some(&stack);
        accepted(&stack, "static-2") > before
    });
    assert!(is_back, "it is used again");

    // Scaled down, the name has two addresses, and the third is asked no more.
    stack.forget(&["static-3"]);
    stack.until_replicas(2);
    let before = accepted(&stack, "static-3");
    some(&stack);
    assert_eq!(accepted(&stack, "static-3"), before);
    stack.forget(&[]);
    stack.until_replicas(3);
}

#[test]
fn a_killed_gateway_does_what_it_took_on_when_it_is_back() {
    const APPS: usize = 8;
    if !can_be_had() {
        return;
    }
    let mut stack = Stack::up();
    stack.until_replicas(3);
    (1..=APPS).for_each(|number| stack.app("acme", number));
    let numbers: Vec<String> = (1..=APPS).map(|app| app.to_string()).collect();
    let asking = numbers.iter().map(|app| {
        let words = ["analyze", "acme", app, "--server", GATEWAY, "--tools", "held"];
        stack.within("gateway-1", &words)
    });
    let asking: Vec<_> = asking.collect();
    let all_are_taken_on = wait_until(LONG, || open(&tasks(&stack)) == APPS);
    assert!(all_are_taken_on, "{:#?}", tasks(&stack));

    stack.kill("gateway-1");
    for client in asking {
        client.ends().with(2);
    }
    stack.start("gateway-1");
    let said = stack.container("gateway-1").said();
    assert!(said.contains(&format!("{APPS} open tasks of before begun again")), "{said}");
    stack.release();
    assert!(wait_until(LONG, || open(&tasks(&stack)) == 0), "{:#?}", tasks(&stack));
    let all = tasks(&stack);
    assert_eq!(all.len(), APPS, "{all:#?}");
    for one in &all {
        let task = one["task"].as_str().unwrap();
        let reply = stack.within("gateway-1", &["watch", task, "--json"]).ends().with(0).json();
        assert_eq!(reply["status"], "success", "{reply:#}");
        assert_eq!(reply["analysis"]["summary"]["total_findings"], 1, "{reply:#}");
    }
}
