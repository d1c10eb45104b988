//! Against the real registries, as a user's machine meets them.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]
#![allow(clippy::disallowed_methods, reason = "real installers take real time")]

mod common;

use assay_provision::{ByteCode, Phase, ProvisionError, Provisioner};
use common::{cache_with_uv, ensure, ensure_heard, output, settings, small_prefix, tool};
use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use testkit::{tempdir, wait_until};
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_mins(5);

/// Set for a process that a test starts to install something.
const CHILD: &str = "ASSAY_TEST_CHILD_CACHE";

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_installed_from_nothing_and_the_second_time_they_are_there() {
    let cache = tempdir().unwrap();
    let wanted = [tool("ruff"), tool("shellcheck"), tool("yamllint"), small_prefix()];
    let provisioner = std::sync::Arc::new(Provisioner::new(settings(cache.path())).unwrap());
    let begun = Instant::now();
    let all: Vec<_> = wanted
        .iter()
        .cloned()
        .map(|recipe| {
            let provisioner = std::sync::Arc::clone(&provisioner);
            tokio::spawn(async move { ensure_heard(&provisioner, &recipe).await })
        })
        .collect();
    let mut installed = Vec::new();
    for one in all {
        let (end, heard) = one.await.unwrap();
        assert!(heard.contains(&Phase::Installing) && heard.last() == Some(&Phase::Ready));
        installed.push(end.unwrap());
    }
    eprintln!("cold: {:?}", begun.elapsed());
    assert!(output(&installed[0], "ruff", &["--version"]).starts_with("ruff "));
    assert!(output(&installed[1], "shellcheck", &["--version"]).contains("version: "));
    assert!(output(&installed[2], "yamllint", &["--version"]).starts_with("yamllint "));
    assert_eq!(output(&installed[3], "semver", &["1.2.3"]), "1.2.3\n");
    assert!(installed[2].site_packages.as_ref().unwrap().join("yamllint").is_dir());
    assert!(fs::read_dir(cache.path().join("tmp")).unwrap().next().is_none());

    // Another start of Assay, without the network.
    let mut settings = settings(cache.path());
    settings.offline = true;
    let begun = Instant::now();
    let again = Provisioner::new(settings).unwrap();
    for (recipe, before) in wanted.iter().zip(&installed) {
        let (end, heard) = ensure_heard(&again, recipe).await;
        assert_eq!((&end.unwrap(), heard), (before, vec![Phase::Ready]));
    }
    eprintln!("warm: {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_millis(500), "ten times what it may take");
}

#[tokio::test]
async fn offline_is_told_from_not_installed_before_anything_is_asked() {
    let cache = tempdir().unwrap();
    let mut settings = settings(cache.path());
    settings.offline = true;
    let provisioner = Provisioner::new(settings).unwrap();
    for recipe in [tool("ruff"), small_prefix()] {
        let error = ensure(&provisioner, &recipe).await.unwrap_err();
        assert!(matches!(error, ProvisionError::Offline { .. }), "{error}");
        assert!(error.hint().unwrap().contains("assay tools install"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_make_it_once() {
    if let Some(cache) = env::var_os(CHILD) {
        let provisioner = Provisioner::new(settings(cache.as_ref())).unwrap();
        let (end, heard) = ensure_heard(&provisioner, &tool("typos")).await;
        end.unwrap();
        eprintln!("made={}", heard.contains(&Phase::Installing));
        return;
    }
    let cache = cache_with_uv().await;
    let children: Vec<Child> =
        (0..3).map(|_| child("two_processes_make_it_once", cache.path())).collect();
    let said: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stderr).unwrap()
        })
        .collect();
    assert_eq!(said.iter().filter(|said| said.contains("made=true")).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|said| said.contains("made=false")).count(), 2, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_installation_is_made_anew() {
    if let Some(cache) = env::var_os(CHILD) {
        let provisioner = Provisioner::new(settings(cache.as_ref())).unwrap();
        ensure(&provisioner, &tool("yamllint")).await.unwrap();
        return;
    }
    // On a busy machine it may be done before we are back: then the next one is killed.
    let mut cache = cache_with_uv().await;
    while !killed_half_way(cache.path()) {
        cache = cache_with_uv().await;
    }
    let tmp = cache.path().join("tmp");
    let provisioner = Provisioner::new(settings(cache.path())).unwrap();
    let installed = ensure(&provisioner, &tool("yamllint")).await.unwrap();
    assert!(output(&installed, "yamllint", &["--version"]).starts_with("yamllint "));
    // The dead one's installer may have outlived it by a moment and written once more.
    assert!(wait_until(LONG, || {
        provisioner.prune(std::slice::from_ref(&installed.digest)).unwrap();
        fs::read_dir(&tmp).unwrap().next().is_none()
    }));
    assert_eq!(provisioner.list().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_installation_stops_and_leaves_nothing() {
    let cache = cache_with_uv().await;
    let provisioner = Provisioner::new(settings(cache.path())).unwrap();
    let cancel = CancellationToken::new();
    let stop = |phase| {
        if phase == Phase::Installing {
            cancel.cancel();
        }
    };
    let error = provisioner.ensure(&tool("yamllint"), &stop, &cancel).await.unwrap_err();
    assert!(matches!(error, ProvisionError::Cancelled), "{error}");
    assert!(provisioner.list().is_empty());
    assert!(fs::read_dir(cache.path().join("tmp")).unwrap().next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_broke_is_mended_and_what_is_not_kept_is_removed() {
    let cache = cache_with_uv().await;
    let provisioner = Provisioner::new(settings(cache.path())).unwrap();
    let installed = ensure(&provisioner, &tool("shellcheck")).await.unwrap();
    let kept = provisioner.list();
    assert_eq!((kept.len(), &kept[0].digest), (1, &installed.digest));
    fs::remove_file(installed.prefix.join(".assay-installation.json")).unwrap();
    assert_eq!(ensure(&provisioner, &tool("shellcheck")).await.unwrap(), installed);
    assert!(provisioner.prune(std::slice::from_ref(&installed.digest)).unwrap().removed.is_empty());
    let pruned = provisioner.prune(&[]).unwrap();
    assert_eq!((pruned.removed, pruned.bytes > 1 << 20), (kept, true));
    assert!(!installed.prefix.exists() && provisioner.list().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn byte_code_is_compiled_only_when_asked_for() {
    for (byte_code, compiled) in [(ByteCode::FirstRun, false), (ByteCode::Compile, true)] {
        let cache = cache_with_uv().await;
        let mut settings = settings(cache.path());
        settings.byte_code = byte_code;
        let installed = ensure(&Provisioner::new(settings).unwrap(), &tool("yamllint")).await;
        let modules = installed.unwrap().site_packages.unwrap().join("yamllint");
        assert_eq!(modules.join("__pycache__").is_dir(), compiled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_not_the_pinned_one_is_refused_in_words() {
    let cache = cache_with_uv().await;
    let provisioner = Provisioner::new(settings(cache.path())).unwrap();
    let lock = format!("yamllint==1.38.0 --hash=sha256:{}\n", "0".repeat(64));
    let recipe = assay_provision::Recipe::Python { name: "x".into(), version: "1".into(), lock };
    let error = ensure(&provisioner, &recipe).await.unwrap_err();
    let ProvisionError::InstallerFailed { stderr_tail, .. } = error else { panic!("{error}") };
    assert!(stderr_tail.to_lowercase().contains("hash"), "{stderr_tail}");
    assert!(provisioner.list().is_empty());
}

/// Whether an installation was killed before it was there.
fn killed_half_way(cache: &Path) -> bool {
    let mut victim = child("a_killed_installation_is_made_anew", cache);
    let tmp = cache.join("tmp");
    let half_made = || {
        let entries = fs::read_dir(&tmp).into_iter().flatten().filter_map(Result::ok);
        entries.into_iter().any(|entry| entry.path().join("prefix").is_dir())
    };
    let begun = wait_until(LONG, || half_made() || victim.try_wait().unwrap().is_some());
    assert!(begun, "it never began");
    victim.kill().unwrap();
    victim.wait().unwrap();
    fs::read_dir(&tmp).unwrap().next().is_some() && !cache.join("tools").exists()
}

/// This test program again, for the one test, with another role.
fn child(test: &str, cache: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, cache)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
