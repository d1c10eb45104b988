//! Machines that lack something and indexes that misbehave: each gets its own name.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod common;

use assay_provision::{ProvisionError, Provisioner, Recipe, Settings};
use common::{ensure, programs, settings, small_prefix, tool};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};
use testkit::{Answer, Server, TempDir, tempdir};

/// The words of an error and of its mend.
async fn refused(settings: Settings, recipe: &Recipe) -> (ProvisionError, String) {
    let provisioner = Provisioner::new(settings).unwrap();
    let error = ensure(&provisioner, recipe).await.unwrap_err();
    let hint = error.hint().unwrap_or_default();
    (error, hint)
}

fn with_path(cache: &TempDir, path: &Path) -> Settings {
    let mut settings = settings(cache.path());
    settings.env.insert("PATH".into(), path.into());
    settings
}

#[tokio::test]
async fn a_machine_without_interpreters_is_told_what_to_install() {
    let (cache, empty) = (tempdir().unwrap(), tempdir().unwrap());
    let (error, hint) = refused(with_path(&cache, empty.path()), &tool("ruff")).await;
    assert!(matches!(error, ProvisionError::NoPython), "{error}");
    assert!(hint.contains("apt-get install python3"));
    let (error, hint) = refused(with_path(&cache, empty.path()), &small_prefix()).await;
    assert!(matches!(error, ProvisionError::NoNode), "{error}");
    assert!(hint.contains("apt-get install nodejs"));
}

#[tokio::test]
async fn an_old_interpreter_is_named_with_its_version() {
    let cache = tempdir().unwrap();
    let old = programs(&[
        ("python3", r#"{"path":"/usr/bin/python3.9","version":"3.9.2"}"#),
        ("node", "v18.20.0"),
    ]);
    let (error, _) = refused(with_path(&cache, old.path()), &tool("ruff")).await;
    assert!(
        matches!(&error, ProvisionError::PythonTooOld { found, .. } if found == "3.9.2"),
        "{error}"
    );
    let (error, _) = refused(with_path(&cache, old.path()), &small_prefix()).await;
    assert!(
        matches!(&error, ProvisionError::NodeTooOld { found, .. } if found == "18.20.0"),
        "{error}"
    );
}

#[tokio::test]
async fn a_node_without_npm_is_not_a_machine_without_node() {
    let cache = tempdir().unwrap();
    let node = programs(&[("node", "v22.1.0")]);
    let (error, hint) = refused(with_path(&cache, node.path()), &small_prefix()).await;
    assert!(matches!(error, ProvisionError::NoNpm), "{error}");
    assert!(hint.contains("npm"));
}

#[tokio::test]
async fn an_interpreter_that_does_not_run_is_not_called_missing() {
    let cache = tempdir().unwrap();
    let broken = programs(&[]);
    let python = broken.path().join("python3");
    fs::write(&python, "#!/bin/sh\necho 'no such library' >&2\nexit 127\n").unwrap();
    std::process::Command::new("chmod").arg("+x").arg(&python).status().unwrap();
    let (error, _) = refused(with_path(&cache, broken.path()), &tool("ruff")).await;
    assert!(error.to_string().contains("no such library"), "{error}");
}

#[tokio::test]
async fn a_program_of_the_user_is_found_with_its_version_or_named_with_its_mend() {
    let cache = tempdir().unwrap();
    let dir = programs(&[("gitleaks", "gitleaks version v8.18.2")]);
    let recipe = |program: &str| Recipe::Path {
        program: program.to_owned(),
        version_args: vec!["version".to_owned()],
        version: None,
        mend: "put gitleaks 8 on PATH".to_owned(),
    };
    let provisioner = Provisioner::new(with_path(&cache, dir.path())).unwrap();
    let found = ensure(&provisioner, &recipe("gitleaks")).await.unwrap();
    assert_eq!(found.program.unwrap(), dir.path().join("gitleaks"));
    assert_eq!(found.version, "8.18.2");
    let error = ensure(&provisioner, &recipe("gitlooks")).await.unwrap_err();
    assert_eq!(error.to_string(), "`gitlooks` is not on PATH");
    assert_eq!(error.hint().as_deref(), Some("put gitleaks 8 on PATH"));
}

#[tokio::test]
async fn a_program_of_another_version_or_of_none_is_not_used() {
    let cache = tempdir().unwrap();
    let dir = programs(&[("new", "v8.18.2"), ("old", "v7.6.0"), ("ten", "80.1"), ("mute", "hi")]);
    let provisioner = Provisioner::new(with_path(&cache, dir.path())).unwrap();
    let wanted = |program: &str| Recipe::Path {
        program: program.to_owned(),
        version_args: vec!["version".to_owned()],
        version: Some("8".to_owned()),
        mend: "put version 8 on PATH".to_owned(),
    };
    assert_eq!(ensure(&provisioner, &wanted("new")).await.unwrap().version, "8.18.2");
    for (program, words) in [
        ("old", "is of version 7.6.0, and 8 is needed"),
        ("ten", "is of version 80.1, and 8 is needed"),
        ("mute", "does not tell its version, and 8 is needed"),
    ] {
        let error = ensure(&provisioner, &wanted(program)).await.unwrap_err();
        assert!(error.to_string().ends_with(words), "{error}");
        assert_eq!(error.hint().as_deref(), Some("put version 8 on PATH"));
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_an_error_of_the_disk() {
    let cache = tempdir().unwrap();
    fs::write(cache.path().join("file"), "").unwrap();
    let (error, hint) = refused(settings(&cache.path().join("file")), &tool("ruff")).await;
    assert!(matches!(error, ProvisionError::Io { .. }), "{error}");
    assert!(hint.contains("XDG_CACHE_HOME"));
}

#[tokio::test]
async fn a_part_without_data_is_always_there() {
    let cache = tempdir().unwrap();
    let provisioner = Provisioner::new(settings(cache.path())).unwrap();
    let recipe = Recipe::Builtin { name: "x".into(), version: "1".into(), lock: None };
    assert_eq!(ensure(&provisioner, &recipe).await.unwrap().version, "1");
}

/// A lock of `uv` for a wheel that the tests serve themselves.
fn lock_of(sha256: &str, size: usize) -> String {
    let kinds = [("x86_64", "gnu"), ("x86_64", "musl"), ("aarch64", "gnu"), ("aarch64", "musl")];
    let wheels = kinds.map(|(arch, libc)| {
        format!(
            "[[wheel]]\narch = \"{arch}\"\nlibc = \"{libc}\"\nfilename = \"uv-9.9.9.whl\"\n\
             sha256 = \"{sha256}\"\nsize = {size}\n"
        )
    });
    format!("version = \"9.9.9\"\nprogram = \"uv-9.9.9.data/scripts/uv\"\n{}", wheels.concat())
}

fn with_index(cache: &TempDir, server: &Server, sha256: &str) -> Settings {
    let mut settings = settings(cache.path());
    settings.uv_lock = lock_of(sha256, 5);
    settings.env.remove(std::ffi::OsStr::new("UV_DEFAULT_INDEX"));
    settings.env.insert("PIP_INDEX_URL".into(), format!("{}/simple/", server.url()).into());
    settings
}

const HTML: &str =
    "<html><body><a href=\"/files/uv-9.9.9.whl#sha256=0\">uv-9.9.9.whl</a></body></html>";

fn html() -> Answer {
    Answer { status: 200, content_type: "text/html", body: HTML.as_bytes().to_vec() }
}

/// Some other file's SHA-256.
const WHEEL_SHA256: &str = "5e1c5e8cf6be6ac3c1b5d4f7b9ab0e2f8a9b6d3a5d7c4b1a0f9e8d7c6b5a4f3e";

#[tokio::test]
async fn another_file_than_the_pinned_one_is_never_unpacked() {
    let cache = tempdir().unwrap();
    let server = Server::start(|question| {
        if question.path.starts_with("/simple") {
            return html();
        }
        Answer { status: 200, content_type: "application/zip", body: b"wheel".to_vec() }
    })
    .unwrap();
    let (error, _) = refused(with_index(&cache, &server, WHEEL_SHA256), &tool("ruff")).await;
    assert!(matches!(error, ProvisionError::HashMismatch { .. }), "{error}");
    assert_eq!(server.asked(), ["GET /simple/uv/", "GET /files/uv-9.9.9.whl"]);
    assert!(!cache.path().join("uv").exists());
}

#[tokio::test]
async fn an_index_that_fails_once_is_asked_again() {
    let cache = tempdir().unwrap();
    let asked = AtomicU32::new(0);
    let server = Server::start(move |question| {
        if question.path.starts_with("/simple") {
            return html();
        }
        let times = asked.fetch_add(1, Ordering::SeqCst);
        if times == 0 { Answer::status(503) } else { Answer::status(404) }
    })
    .unwrap();
    let (error, hint) = refused(with_index(&cache, &server, WHEEL_SHA256), &tool("ruff")).await;
    assert!(error.to_string().contains("404"), "{error}");
    assert!(hint.contains("PIP_INDEX_URL"));
    assert_eq!(server.asked().len(), 3, "a 404 is final: {:?}", server.asked());
}

#[tokio::test]
async fn an_index_without_the_file_and_one_that_is_not_there_are_told_apart() {
    let cache = tempdir().unwrap();
    let server = Server::start(|_| Answer::json(&serde_json::json!({ "files": [] }))).unwrap();
    let settings = with_index(&cache, &server, WHEEL_SHA256);
    let (error, _) = refused(settings.clone(), &tool("ruff")).await;
    assert!(error.to_string().contains("does not list this file"), "{error}");
    drop(server);
    let (error, _) = refused(settings, &tool("ruff")).await;
    assert!(error.to_string().contains("from `127.0.0.1`"), "{error}");
}
