//! What the files that are shipped promise, held against the files and the real binary.

use crate::files::{
    compose, image, instructions, mounts, pairs, read, replicas, root, words, yaml,
};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

/// Runs the real binary with nothing of this machine's configuration.
fn assay(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(args).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    command.envs(variables.iter().copied()).output().unwrap()
}

#[track_caller]
fn says(output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&said).into_owned()
}

fn services() -> Vec<(String, Value)> {
    compose()["services"].as_object().unwrap().clone().into_iter().collect()
}

/// The flags that a command has, by its own `--help`.
fn flags(command: &[&str]) -> String {
    let output = assay(&[command, &["--help"]].concat(), &[]);
    assert!(output.status.success(), "{}", says(&output));
    says(&output)
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[test]
fn the_image_is_small_pinned_and_nobodys_root() {
    let text = read("Dockerfile");
    let all = instructions(&text);
    for from in all.iter().filter(|one| one.word == "FROM") {
        let base = from.rest.split(' ').next().unwrap();
        let tag = base.split_once(':').unwrap_or_else(|| panic!("{base} has no version")).1;
        assert!(tag.starts_with(|c: char| c.is_ascii_digit()), "{base}");
        assert!(tag.contains("slim") && tag.matches('.').count() >= 1, "{base}");
    }
    let image = image(&text);
    let (user, group) = image.user.split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() >= 1_000 && user == group, "{}", image.user);
    assert!(text.contains(&format!("--uid {user}")) && text.contains(&format!("--gid {group}")));
    assert_eq!(image.entrypoint, ["assay"]);
    assert!(all.iter().all(|one| one.word != "ADD"));
    for needed in ["ca-certificates", "python3", "/usr/local/bin/node", "npm-cli.js"] {
        assert!(text.contains(needed), "{needed}");
    }
    // Whoever runs analyses in it finds places that can be written to.
    for place in ["/var/lib/assay", "/var/cache/assay", &image.environment["TMPDIR"]] {
        assert!(image.volumes.iter().any(|volume| volume == place), "{place}");
    }
    assert!(text.contains(&format!("image.version=\"{}\"", version())));
    let rust = read("Cargo.toml");
    let rust = rust.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    assert!(text.contains(&format!("FROM rust:{}", rust.trim_matches('"'))), "{rust}");
    let health = all.iter().find(|one| one.word == "HEALTHCHECK").unwrap();
    let (_, command) = health.rest.split_once("CMD ").unwrap();
    let command: Vec<String> = serde_json::from_str(command).unwrap();
    assert_eq!(command, ["assay", "ping"]);
}

#[test]
fn nothing_but_sources_gets_into_the_image() {
    let ignored = read(".dockerignore");
    let lines: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "what is not named stays outside");
    let copied = lines.iter().filter_map(|line| line.strip_prefix('!'));
    for name in copied {
        assert!(root().join(name).exists(), "{name}");
        assert!(!name.contains("deploy") && !name.contains("token"), "{name}");
    }
    assert!(read(".gitignore").lines().any(|line| line == "/deploy/token"));
    // A pattern must not take a module away that has the name of a folder.
    let mut folders: Vec<PathBuf> = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                let is_left_out = lines.contains(&format!("**/{name}").as_str());
                assert!(!is_left_out || name == "tests", "{}", entry.path().display());
                folders.push(entry.path());
            }
        }
    }
}

#[test]
fn every_command_of_the_stack_is_one_of_the_real_binary() {
    for (name, service) in services() {
        let command = words(&service["command"]);
        let bare: Vec<&str> = command
            .iter()
            .map(String::as_str)
            .take_while(|word| !word.starts_with('-') && *word != "static")
            .collect();
        let help = flags(&bare);
        for flag in command.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag.as_str()), "{name}: {flag} is no flag of {bare:?}\n{help}");
        }
        let check = words(&service["healthcheck"]["test"]);
        assert_eq!(check[..2], ["CMD", "assay"], "{name}");
        flags(&[&check[2]]);
        // An address that others reach is refused only for want of a token: the words are understood.
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = assay(&words, &[("HOME", "/nonexistent")]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(says(&output).contains("no token is set up"), "{name}: {}", says(&output));
    }
}

#[test]
fn every_setting_of_the_stack_is_one_of_the_configuration() {
    for (name, service) in services() {
        let variables = pairs(&service["environment"]);
        let own = |(key, value): &(String, String)| match key.as_str() {
            // A path of the container.
            "ASSAY_CONFIG" => (key.clone(), root().join("deploy/assay.toml").display().to_string()),
            _ => (key.clone(), value.clone()),
        };
        let variables: Vec<(String, String)> = variables.iter().map(own).collect();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let output = assay(&["config", "check"], &variables);
        assert!(output.status.success(), "{name}: {}", says(&output));
        for (key, value) in variables {
            assert!(key.starts_with("ASSAY_"), "{name}: {key}");
            let is_secret = key.contains("TOKEN") && key != "ASSAY_TOKEN_FILE";
            assert!(!is_secret, "{name}: a secret is a file: {key}={value}");
        }
    }
    let schema: Value = serde_json::from_str(&read("docs/schema/assay.schema.json")).unwrap();
    let text: toml::Value = toml::from_str(&read("deploy/assay.toml")).unwrap();
    let text = serde_json::to_value(text).unwrap();
    jsonschema::validate(&schema, &text).unwrap_or_else(|why| panic!("deploy/assay.toml: {why}"));
}

#[test]
fn the_ports_are_the_documented_ones() {
    let compose = compose();
    let [gateway, service] = ["gateway", "static"].map(|name| &compose["services"][name]);
    let listens = |service: &Value| words(&service["command"]).last().unwrap().clone();
    assert_eq!(listens(gateway), "0.0.0.0:8765");
    assert_eq!(listens(service), "0.0.0.0:2001");
    // This machine alone, unless somebody says otherwise.
    assert_eq!(words(&gateway["ports"]), ["127.0.0.1:8765:8765"]);
    assert!(service["ports"].is_null(), "nobody but the gateway reaches a service");
    assert_eq!(gateway["environment"]["ASSAY_STATIC_URLS"], "ws://static:2001");
    let exposed = instructions(&read("Dockerfile"));
    let exposed = exposed.iter().find(|one| one.word == "EXPOSE").unwrap();
    assert_eq!(exposed.rest, "8765 2001");
    let socket = read("deploy/systemd/assay-gateway.socket");
    assert!(socket.contains("ListenStream=127.0.0.1:8765\n"));
}

#[test]
fn a_container_of_the_stack_may_do_little() {
    let compose = compose();
    for (name, service) in services() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(words(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        assert_eq!(service["image"], format!("assay:{}", version()), "{name}");
        assert!(service["restart"].is_string() && service["privileged"].is_null(), "{name}");
        let limits = &service["deploy"]["resources"]["limits"];
        assert!(limits["cpus"].is_string() && limits["memory"].is_string(), "{name}");
        assert!(limits["pids"].is_u64(), "{name}");
        assert_eq!(words(&service["secrets"]), ["token"], "{name}");
        let apps = mounts(&service).into_iter().find(|mount| mount.target == "/app/sources");
        assert!(apps.unwrap().is_read_only, "{name}: apps are only read");
    }
    assert_eq!(replicas(&compose["services"]["static"]), 3);
    assert_eq!(compose["secrets"]["token"]["file"], "./deploy/token");
    assert_eq!(compose["networks"]["services"]["internal"], true);
    // Both sides find the sources at the path that the other one names.
    let roots: toml::Value = toml::from_str(&read("deploy/assay.toml")).unwrap();
    assert_eq!(roots["source-roots"].as_array().unwrap()[0].as_str(), Some("/app/sources"));
}

#[test]
fn a_server_has_longer_to_end_than_its_work() {
    // What the code takes beyond the drain: runs that stop (10 s), connections (2 s), goodbyes (5 s).
    let beyond = Duration::from_secs(10 + 2 + 5);
    let settings: toml::Value = toml::from_str(&read("deploy/assay.toml")).unwrap();
    let drain = settings["serve"]["drain-timeout"].as_str().unwrap();
    let seconds = |text: &str| {
        let number = text.trim_end_matches('s').parse().unwrap_or_else(|_| panic!("{text}"));
        Duration::from_secs(number)
    };
    for (name, service) in services() {
        let grace = seconds(service["stop_grace_period"].as_str().unwrap());
        assert!(grace > seconds(drain) + beyond, "{name}: {grace:?}");
    }
    for unit in ["assay-gateway.service", "assay-static.service"] {
        let text = read(&format!("deploy/systemd/{unit}"));
        let stop = text.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
        assert!(seconds(stop) > Duration::from_secs(30) + beyond, "{unit}");
    }
}

#[test]
fn the_units_do_not_forbid_what_the_cage_needs() {
    let text = read("deploy/systemd/assay-static.service");
    let settings: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('=').map(|(key, _)| key))
        .collect();
    for forbidding in [
        "RestrictNamespaces",
        "SystemCallFilter",
        "ProtectKernelTunables",
        "ProtectKernelLogs",
        "ProtectControlGroups",
        "ProtectProc",
        "ProcSubset",
        "MemoryDenyWriteExecute",
        "PrivateUsers",
        "PrivateNetwork",
    ] {
        assert!(!settings.contains(&forbidding), "{forbidding}");
    }
    for unit in fs::read_dir(root().join("deploy/systemd")).unwrap() {
        let path = unit.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("ExecStart=")) {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(words[0], "/usr/local/bin/assay", "{}", path.display());
            let bare: Vec<&str> = words[1..2].to_vec();
            let help = flags(&bare);
            let mut flags = words.iter().filter(|word| word.starts_with("--"));
            assert!(flags.all(|flag| help.contains(flag)), "{line}");
        }
        for line in text.lines().filter_map(|line| line.strip_prefix("Environment=")) {
            let ours = line.split(' ').filter(|pair| pair.starts_with("ASSAY_"));
            for (name, _) in ours.map(|pair| pair.split_once('=').unwrap()) {
                // One that is not known is an error, and only that is looked for.
                let output = assay(&["config", "show"], &[(name, "")]);
                let said = says(&output);
                assert!(!said.contains("there is no such setting"), "{name}: {said}");
            }
        }
    }
}

#[test]
fn the_file_that_gives_the_cage_all_changes_nothing_else() {
    let more = yaml(&read("deploy/compose.cage.yaml"));
    let services = more["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["static"]);
    let changed = services["static"].as_object().unwrap();
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["security_opt"]);
    assert!(words(&changed["security_opt"]).contains(&"no-new-privileges:true".to_owned()));
}
