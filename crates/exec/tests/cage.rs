//! What a tool can see and do in the best cage of this machine: shells that try.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod common;

use assay_exec::{Access, Cage, Network, Shown, run};
use assay_model::{Limit, ToolEnd};
use common::{Bench, cages, programs as programs_of_an_ordinary_user, shim};
use std::{collections::BTreeMap, fs, net::TcpListener, os::unix::fs::PermissionsExt};
use testkit::tempdir;
use tokio_util::sync::CancellationToken;

/// A bench with every layer. Where the machine lacks one there is nothing to try, and that is said;
/// in CI it is a failure.
async fn bench() -> Option<Bench> {
    let cage = Cage::best(shim()).await;
    if cage.missing().is_empty() {
        return Some(Bench::new(&cage));
    }
    let lacks = format!("this machine lacks {:?}", cage.missing());
    assert!(std::env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none(), "{lacks}");
    eprintln!("skipped: {lacks}");
    None
}

/// Runs a script and returns what it printed.
async fn tried(bench: &Bench, script: &str) -> String {
    let ended = run(&bench.cage, bench.script(script), CancellationToken::new()).await;
    assert_eq!(ended.end, ToolEnd::Exited { code: 0 }, "{}", bench.stderr());
    bench.stdout()
}

#[tokio::test]
async fn a_tool_sees_nothing_of_the_machine_but_what_it_needs() {
    let Some(bench) = bench().await else { return };
    let secret = tempdir().unwrap();
    fs::set_permissions(secret.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(secret.path().join("secret"), "the secret").unwrap();
    // What Landlock refuses to open can still be asked for, so this is the namespace's doing.
    let script = format!(
        "cat {0}/secret && echo SEEN; [ -e {0} ] && echo SEEN; cat /etc/shadow && echo SEEN; \
         for d in home root var run sys mnt opt srv boot media lost+found; do \
         [ -e /$d ] && [ {1} != $d ] && echo SEEN $d; done; cat /etc/passwd",
        secret.path().display(),
        common::fake().iter().nth(1).unwrap().display(),
    );
    let said = tried(&bench, &script).await;
    assert!(!said.contains("SEEN") && !said.contains("the secret"), "{said}");
    assert!(said.lines().all(|line| line.contains(":x:")), "{said}");
    assert!(said.lines().count() <= 2, "only itself and root: {said}");
}

#[tokio::test]
async fn a_tool_writes_where_it_may_and_nowhere_else() {
    let Some(bench) = bench().await else { return };
    let app = tempdir().unwrap();
    fs::write(app.path().join("run.sh"), "#!/bin/sh\necho RAN\n").unwrap();
    fs::set_permissions(app.path().join("run.sh"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(app.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut job = bench.script(
        "for f in /usr/x /etc/x /x /dev/x /proc/sys/kernel/hostname /assay/app/x; do \
         echo x > $f && echo WROTE $f; done; chmod 777 /usr/bin && echo CHANGED; \
         /assay/app/run.sh; cat /assay/app/run.sh; echo x > here && cat here",
    );
    let (from, to) = (app.path().to_owned(), "/assay/app".into());
    job.room.shown.push(Shown { from, to, access: Access::Data });
    let ended = run(&bench.cage, job, CancellationToken::new()).await;
    assert_eq!(ended.end, ToolEnd::Exited { code: 0 });
    assert_eq!(bench.stdout(), "#!/bin/sh\necho RAN\nx\n", "{}", bench.stderr());
    assert_eq!(fs::read_dir(app.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_tool_has_no_rights() {
    let Some(bench) = bench().await else { return };
    let said = tried(&bench, "cat /proc/self/status; ulimit -c").await;
    let fields: BTreeMap<&str, &str> =
        said.lines().filter_map(|line| line.split_once(":\t")).collect();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(fields[set], "0000000000000000", "{set}");
    }
    assert_eq!((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"));
    assert!(!fields["Uid"].split('\t').any(|id| id == "0"), "{}", fields["Uid"]);
    assert!(fields["Groups"].trim().split(' ').all(|group| group != "0"), "{}", fields["Groups"]);
    assert!(said.ends_with("\n0\n"), "core files are off");
}

#[tokio::test]
async fn a_tool_makes_no_rooms_of_its_own() {
    let Some(bench) = bench().await else { return };
    let script = "unshare -U true && echo OUT; unshare -m true && echo OUT; \
                  mount -t tmpfs x /tmp && echo OUT; chroot / true && echo OUT; \
                  nsenter -t 1 -m true && echo OUT; mknod here c 1 5 && echo OUT; \
                  dmesg && echo OUT; hostname other && echo OUT; true";
    assert_eq!(tried(&bench, script).await, "");
}

#[tokio::test]
async fn a_tool_meets_nobody_else() {
    let Some(bench) = bench().await else { return };
    let own = std::process::id();
    let script = format!(
        "kill -9 {own} && echo HIT; kill -9 1 && echo HIT; kill -TERM 1; \
         cat /proc/1/environ | tr '\\0' '\\n'; ls -l /proc/1/fd && echo HIT; \
         ls -d /proc/[0-9]* | wc -l; ls /proc/self/fd"
    );
    let said = tried(&bench, &script).await;
    assert!(!said.contains("HIT") && !said.contains("PATH"), "{said}");
    let mut lines = said.lines();
    // The init, the shell, `ls` and `wc`.
    let processes: u32 = lines.next().unwrap().trim().parse().unwrap();
    assert!(processes <= 5, "{said}");
    // The last is the folder that `ls` reads.
    assert_eq!(lines.collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn a_tool_reaches_the_network_only_if_it_declares_one_and_only_what_it_names() {
    let Some(bench) = bench().await else { return };
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo CONNECTED; true");
    assert_eq!(tried(&bench, &script).await, "");
    let mut job = bench.script(&script);
    job.network = Network::Declared;
    run(&bench.cage, job, CancellationToken::new()).await;
    assert_eq!(bench.stdout(), "", "a port that nothing names");
    let mut job = bench.script(&script);
    job.network = Network::Declared;
    job.args.push(format!("http://127.0.0.1:{port}/").into());
    run(&bench.cage, job, CancellationToken::new()).await;
    assert_eq!(bench.stdout(), "CONNECTED\n", "{}", bench.stderr());
}

/// Landlock knows plain connections alone, and does not hear of these.
#[tokio::test]
async fn a_port_that_nothing_names_is_not_reached_by_other_ways_either() {
    let Some(bench) = bench().await else { return };
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let ways = ["call-tcp", "call-mptcp", "call-fast"];
    let steps = ways.map(|way| format!("{way}={port}")).join(" ");
    let mut job = bench.job(&steps);
    job.network = Network::Declared;
    let ended = run(&bench.cage, job, CancellationToken::new()).await;
    assert_eq!(ended.end, ToolEnd::Exited { code: 0 }, "{}", bench.stderr());
    assert_eq!(bench.stdout(), ways.map(|way| format!("{way} REFUSED\n")).concat());
    // Without a cage each of them is a way.
    let bench = Bench::new(&Cage::bare(shim()));
    bench.run(&steps).await;
    let said = bench.stdout();
    assert!(said.starts_with("call-tcp CONNECTED\n") && !said.contains("fast REFUSED"), "{said}");
}

#[tokio::test]
async fn the_loopback_of_a_tool_is_its_own() {
    let Some(bench) = bench().await else { return };
    // Bash listens on nothing, so only the state of the device is looked at.
    let said = tried(&bench, "cat /proc/net/dev | grep -c : ; cat /proc/net/route | wc -l").await;
    assert_eq!(said, "1\n1\n", "only `lo`, and no way out");
}

#[tokio::test]
async fn a_memory_hog_is_stopped_and_named() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let mut job = bench.job("grow-mib=2000 hang");
        job.limits.memory_bytes_max = 256 << 20;
        let ended = run(&cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Memory, most: 256 << 20 });
        bench.all_are_gone();
    }
}

#[tokio::test]
async fn many_small_hogs_are_one_large_one() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let tool = common::fake();
        let one = format!("{} grow-mib=100 hang &", tool.display());
        let mut job = bench.script(&format!("{} wait", one.repeat(5)));
        job.limits.memory_bytes_max = 256 << 20;
        let ended = run(&cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Memory, most: 256 << 20 });
        bench.all_are_gone();
    }
}

#[tokio::test]
async fn memory_that_only_a_descriptor_holds_counts() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let mut job = bench.job("grow-mib=150 hold-memory-mib=150 hang");
        job.limits.memory_bytes_max = 256 << 20;
        let ended = run(&cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Memory, most: 256 << 20 });
        bench.all_are_gone();
    }
    // Memory of the older kind is held by nobody, so there is none.
    let Some(bench) = bench().await else { return };
    assert_eq!(tried(&bench, "ipcmk -M 1000000 && echo MADE; true").await, "");
}

#[tokio::test]
async fn where_memory_runs_out_a_tool_goes_first() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let script = "cat /proc/self/oom_score_adj; cat /proc/$PPID/oom_score_adj || echo 0";
        assert_eq!(tried(&bench, script).await, "1000\n0\n", "{}", bench.stderr());
    }
}

#[tokio::test]
async fn a_fork_bomb_is_stopped_and_named() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let is_bounded = cage.has_own_paths() || cage.describe().join("").contains("group");
        if !is_bounded && programs_of_an_ordinary_user().is_none() {
            // Root without a control group: nothing but looking holds it, which is not to be tried
            // on somebody's machine.
            continue;
        }
        let mut job = bench.script("bomb() { bomb | bomb & }; bomb; while :; do sleep 1; done");
        job.limits.processes_max = 60;
        let ended = run(&cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Processes, most: 60 });
        bench.all_are_gone();
    }
}

#[tokio::test]
async fn who_fills_the_disk_is_stopped_and_named() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let mut job =
            bench.script("i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i; done");
        job.limits.disk_bytes_max = 30 << 20;
        let ended = run(&cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Disk, most: 30 << 20 });
    }
}

#[tokio::test]
async fn a_disk_that_is_filled_out_of_sight_is_filled() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let name = "x".repeat(200);
        let deep = format!("for i in $(seq 40); do mkdir {name} && cd {name} || exit; done");
        let fake = common::fake();
        let fake = fake.display();
        for script in [
            format!("{fake} hold-unlinked-mib=50 hang"),
            format!("{deep}; {fake} fill-file=file:50 hang"),
        ] {
            let mut job = bench.script(&script);
            job.limits.disk_bytes_max = 30 << 20;
            let ended = run(&cage, job, CancellationToken::new()).await;
            let most = 30 << 20;
            assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Disk, most }, "{script}");
        }
    }
}

#[tokio::test]
async fn who_burns_the_processor_is_stopped_and_named() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let mut job = bench.script("(while :; do :; done) & (while :; do :; done) & wait");
        job.limits.cpu_s_max = 1;
        let ended = run(&cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Cpu, most: 1 });
        bench.all_are_gone();
    }
}

#[tokio::test]
async fn ten_gigabytes_of_output_end_at_the_limit() {
    let Some(bench) = bench().await else { return };
    let mut job = bench.script("head -c 10000000000 /dev/zero");
    job.limits.stdout_bytes_max = 40 << 20;
    let ended = run(&bench.cage, job, CancellationToken::new()).await;
    assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Output, most: 40 << 20 });
    let errors = bench.script("head -c 1000000000 /dev/zero >&2; echo done");
    let ended = run(&bench.cage, errors, CancellationToken::new()).await;
    assert_eq!(ended.end, ToolEnd::Exited { code: 0 });
    assert_eq!((bench.stdout().as_str(), ended.stderr_bytes), ("done\n", 1_000_000_000));
    assert!(fs::metadata(bench.path("stderr")).unwrap().len() < 20 << 20);
}

#[tokio::test]
async fn what_was_used_is_counted_over_all_processes() {
    for cage in cages().await {
        let bench = Bench::new(&cage);
        let tool = common::fake();
        let tool = tool.display();
        // Both are there at once, whole, for several looks.
        let both = format!("{tool} grow-mib=80 pid-file=noted until-noted=2 sleep-ms=500");
        let script = format!(
            "{tool} burn-ms=200; {both} & {both} & wait; head -c 5000000 /dev/zero > file; cat file > copy"
        );
        let ended = run(&cage, bench.script(&script), CancellationToken::new()).await;
        let usage = ended.usage;
        assert!(usage.user_ms + usage.system_ms >= 150, "{usage:?}");
        assert!(usage.peak_kib >= 160 << 10, "{usage:?}");
        assert!(usage.read_bytes.unwrap() >= 10_000_000, "{usage:?}");
        assert!(usage.written_bytes.unwrap() >= 10_000_000, "{usage:?}");
    }
}

#[tokio::test]
async fn a_bare_cage_says_what_it_does_not_hold() {
    let cage = Cage::bare(shim());
    assert!(!cage.has_own_paths());
    let words = cage.describe().join("\n");
    assert!(words.starts_with("processes: a subreaper"), "{words}");
    assert_eq!(cage.missing().len(), 6, "{:?}", cage.missing());
}

#[test]
fn the_cage_holds_for_an_ordinary_user_too() {
    common::again_as_an_ordinary_user("the_cage_holds_for_an_ordinary_user_too");
}
