//! The app that is analysed: a defect for every tool of the catalogue, and around it, if it is told
//! so, everything that could make a tool blind or run code.

use crate::{
    payload::{Payload, SECRET},
    vectors::{Vector, vectors},
};
use assay_tools::Catalogue;
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    process::Command,
};

/// The folder with the code of a tool. Part of a module's name, and of no module that there is.
pub(crate) fn folder_of(tool: &str) -> String {
    format!("victim_{}", tool.replace('-', "_"))
}

/// Writes the code with the defects: those of the self-tests, one folder for each tool.
pub(crate) fn plant_victims(root: &Path) {
    for tool in Catalogue::shipped().unwrap().iter() {
        let folder = root.join(folder_of(tool.id().as_str()));
        for file in &tool.declaration().canary.as_ref().unwrap().defect {
            // A workflow is one at the top alone.
            let at = if file.path.starts_with(".github/") { root } else { &folder };
            write(&at.join(&file.path), file.text.as_bytes());
        }
    }
    // What the server of the test knows.
    let lock = r#"{"name":"app","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
        "":{"name":"app","version":"1.0.0","dependencies":{"lodash":"4.17.20"}},
        "node_modules/lodash":{"version":"4.17.20"}}}"#;
    let package = r#"{"name":"app","version":"1.0.0","dependencies":{"lodash":"4.17.20"}}"#;
    for name in ["npm-audit", "cyclonedx-npm"] {
        let folder = root.join(folder_of(name));
        write(&folder.join("package-lock.json"), lock.as_bytes());
        write(&folder.join("package.json"), package.as_bytes());
    }
}

/// Writes everything hostile around it. No file with a defect is touched but to make it worse.
pub(crate) fn plant_hostility(root: &Path, payload: &Payload, outside: &Path) {
    let tools: Vec<String> =
        Catalogue::shipped().unwrap().iter().map(|tool| tool.id().to_string()).collect();
    for vector in vectors(payload, outside) {
        for folder in folders(&vector, &tools) {
            let path = root.join(folder).join(vector.name.trim_start_matches('/'));
            plant(&path, &vector.text);
        }
    }
    specials(root, outside);
}

/// Where a hostile file lies: beside the code of those whom it is for, and at the top.
fn folders(vector: &Vector, tools: &[String]) -> Vec<String> {
    let mut folders = vec![String::new()];
    if !vector.name.starts_with('/') {
        let is_for = |tool: &&String| vector.tools.iter().any(|name| name == tool || *name == "*");
        folders.extend(tools.iter().filter(is_for).map(|tool| folder_of(tool)));
    }
    folders
}

fn plant(path: &Path, text: &str) {
    if path.file_name() == Some(OsStr::new("package.json")) && path.is_file() {
        // The manifest of a lock file: it has to go on naming its packages.
        let mut merged: Value = serde_json::from_str(text).unwrap();
        let victim: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        merged.as_object_mut().unwrap().extend(victim.as_object().unwrap().clone());
        fs::write(path, serde_json::to_vec_pretty(&merged).unwrap()).unwrap();
    } else if !path.exists() {
        write(path, text.as_bytes());
        if text.starts_with("#!") {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

/// What is no file, or has no name that is text.
fn specials(root: &Path, outside: &Path) {
    let fifo = outside.join("fifo");
    let made = |program: &str, args: &[&OsStr]| {
        Command::new(program).args(args).status().is_ok_and(|status| status.success())
    };
    assert!(made("mkfifo", &[fifo.as_os_str()]));
    assert!(made("mkfifo", &[root.join("pipe.py").as_os_str()]));
    if rustix::process::geteuid().is_root() {
        // A container may forbid it; then there is none, and nothing to be held.
        for (name, minor) in [("zero.py", "5"), ("full.js", "7")] {
            let [c, major, minor] = ["c", "1", minor].map(OsStr::new);
            made("mknod", &[root.join(name).as_os_str(), c, major, minor]);
        }
    }
    for (name, target) in [
        ("passwd.py", Path::new("/etc/passwd")),
        ("passwd.yml", Path::new("/etc/passwd")),
        ("linked.py", &outside.join("secret.py")),
        ("linked.js", &outside.join("secret.js")),
        ("linked.sh", &outside.join("secret.sh")),
        ("linked.txt", &outside.join("secret.txt")),
        ("requirements-linked.txt", &outside.join("secret.txt")),
        ("linked", outside),
        ("fifo.py", &fifo),
        ("loop", Path::new(".")),
        ("nowhere.py", Path::new("not/there")),
        ("root", Path::new("/")),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let raw: PathBuf = root.join(OsStr::from_bytes(b"odd/caf\xe9\xff.py"));
    fs::write(raw, "").unwrap();
}

/// Makes the folder that the app has no business with.
pub(crate) fn plant_outside(outside: &Path) {
    for (name, text) in [
        ("secret.py", format!("{SECRET} = undefined_{SECRET}\n")),
        ("secret.js", format!("eval('{SECRET}' + unknown_{SECRET})\n")),
        ("secret.sh", format!("#!/bin/bash\necho $UNQUOTED_{SECRET} `{SECRET}`\n")),
        ("secret.txt", format!("{SECRET}==1.0\n")),
        (
            "secret.json",
            format!("{{ \"a\": {{ \"/x\": {{ \"get\": {{ \"summary\": \"{SECRET}\" }} }} }} }}\n"),
        ),
        ("secret.yml", format!("key: {SECRET}\n")),
        (
            "secret.tf",
            format!("resource \"aws_s3_bucket\" \"{SECRET}\" {{\n  acl = \"public-read\"\n}}\n"),
        ),
        ("ruff.toml", "line-length = 1\n".to_owned()),
        ("evil_setup/setup.py", format!("name = '{SECRET}'\n")),
    ] {
        write(&outside.join(name), text.as_bytes());
    }
}

fn write(path: &Path, text: &[u8]) {
    let folder = path.parent().unwrap();
    // Something hostile may lie where a folder has to be.
    if fs::create_dir_all(folder).is_ok() && !path.is_dir() {
        fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
