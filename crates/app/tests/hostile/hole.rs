//! What only the cage holds: a tool with a hole, which runs code of the app. And what a tool can
//! see of our secrets, hole or not.

use crate::{
    PATH, leaks, listing,
    payload::{Port, SECRET, WITNESS},
};
use std::{
    collections::BTreeSet,
    env, fs,
    net::{Ipv4Addr, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::PermissionsExt as _,
            net::{SocketAddr, UnixListener},
        },
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use testkit::{TempDir, marked};

/// Stands in every secret that Assay is started with.
const KEY: &str = "q7keyZ9";

/// What somebody's environment may hold. `KEY` is in each.
const SECRETS: &[(&str, &str)] = &[
    ("GITHUB_TOKEN", "ghp_KEY"),
    ("NPM_TOKEN", "npm_KEY"),
    ("NODE_AUTH_TOKEN", "KEY"),
    ("AWS_ACCESS_KEY_ID", "AKIAKEY"),
    ("AWS_SECRET_ACCESS_KEY", "KEY"),
    ("AWS_SESSION_TOKEN", "KEY"),
    ("GOOGLE_APPLICATION_CREDENTIALS", "/KEY.json"),
    ("AZURE_CLIENT_SECRET", "KEY"),
    ("OPENROUTER_API_KEY", "sk-or-KEY"),
    ("ANTHROPIC_API_KEY", "sk-ant-KEY"),
    ("DATABASE_URL", "postgres://app:KEY@db/app"),
    ("PIP_INDEX_URL", "https://me:KEY@index.invalid/simple"),
    ("npm_config_registry", "http://me:KEY@registry.invalid/npm/"),
    ("npm_config__auth", "KEY"),
    ("SSH_AUTH_SOCK", "/KEY.sock"),
    ("HTTP_PROXY", "http://me:KEY@proxy.invalid:3128"),
    ("https_proxy", "http://me:KEY@proxy.invalid:3128"),
    ("ALL_PROXY", "socks5h://me:KEY@proxy.invalid:1080"),
];

/// What the code of the app gets without a cage, whoever we are.
const GOT_WITHOUT: &[&str] = &[
    "write app",
    "write outside",
    "write work",
    "write home",
    "write tmp",
    "write cache",
    "write tools",
    "change app",
    "read outside/secret.txt",
    "read home/.ssh/id",
    "read app/a.py",
    "read assay.toml",
    "list machine",
    "list other tools",
    "see process",
    "see environment",
    "call port",
    "call socket",
    "call abstract socket",
];

/// Everything around one analysis with tools of our own.
struct World {
    root: TempDir,
    port: Port,
    packets: UdpSocket,
    mark: String,
    /// Open as long as somebody could call them.
    _sockets: [UnixListener; 2],
}

// === impl World ===

impl World {
    fn new(mode: &str) -> Self {
        let (root, port) = (testkit::tempdir().unwrap(), Port::open());
        let at = |name: &str| root.path().join(name);
        for name in ["app", "outside", "work", "home/.ssh", "tmp", "cache", "tools"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["outside/secret.txt", "home/.ssh/id"] {
            fs::write(at(name), SECRET).unwrap();
        }
        fs::write(at("app/a.py"), "one = 1\n").unwrap();
        let name = format!("assay-test-{}", port.number);
        let sockets = [
            UnixListener::bind(at("outside/socket")).unwrap(),
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap(),
        ];
        let packets = UdpSocket::bind((Ipv4Addr::LOCALHOST, port.number)).unwrap();
        packets.set_nonblocking(true).unwrap();
        let mark = format!("{}-{mode}", std::process::id());
        let world = Self { root, port, packets, mark, _sockets: sockets };
        world.plant();
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    /// Writes the code of the app, and the tools: one that runs it, and two that print.
    fn plant(&self) {
        let text = include_str!("payload.py")
            .replace("@ROOT@", &self.at("").display().to_string())
            .replace("@PORT@", &self.port.number.to_string())
            .replace("@TEST@", &std::process::id().to_string())
            .replace("@MARK@", &self.mark)
            .replace("@SECRET@", KEY);
        fs::write(self.at("app/payload.py"), text).unwrap();
        self.program("runner", "python3 \"$1/payload.py\"");
        // Without a cage `/proc` is that of the machine, where strangers are.
        let all =
            "[ -d /assay/project ] && cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' >&2";
        let own = "env >&2; tr '\\0' '\\n' < /proc/self/environ >&2";
        self.program("printer", &format!("{own}; {all}; true"));
        let declared = |id: &str, program: &str, more: &str| {
            format!(
                "[tool.{id}]\ntitle = '{id}'\nkind = 'security'\nprofile = 'quick'\n{more}\n\
                 inputs = {{ files = ['**'] }}\n\
                 install = {{ from = 'path', version-args = ['--version'], mend = 'none' }}\n\
                 run = {{ program = '{}', args = ['{{project}}'] }}\n\
                 output = {{ format = 'text', empty-is-clean = true, map = {{ pattern = '^(?P<path>x):(?P<rule>x)$', \
                 rule = 'rule', path = 'path', message = '=x' }} }}\n",
                self.at("tools").join(program).display()
            )
        };
        let text = [
            declared("runner", "runner", ""),
            declared("printer", "printer", ""),
            declared("caller", "printer", "network = true"),
        ];
        fs::write(self.at("assay.toml"), text.concat()).unwrap();
    }

    fn program(&self, name: &str, does: &str) {
        let path = self.at("tools").join(name);
        let text = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 1.0 && exit\n{does}\n");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn analyze(&self, tools: &str, sandbox: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command
            .args(["analyze", "--sandbox", sandbox, "--tools", tools, "--output"])
            .arg(self.at("results"))
            .arg("--config")
            .arg(self.at("assay.toml"))
            .arg(self.at("app"))
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.at("tmp"))
            .env("ASSAY_CACHE", self.at("cache"))
            .envs(SECRETS.iter().map(|(name, value)| (name, value.replace("KEY", KEY))))
            .current_dir(self.at("work"))
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output
    }

    /// What a tool wrote to its standard error.
    fn said(&self, tool: &str) -> String {
        fs::read_to_string(self.at(&format!("results/logs/{tool}.stderr"))).unwrap()
    }

    /// Takes away what the code of the app left where it can be found, and says where that was.
    fn take_witnesses(&self) -> Vec<PathBuf> {
        let name = format!("{WITNESS}-{}-hole", self.port.number);
        let folders = ["/tmp", "/var/tmp", "/dev/shm"];
        let own = ["app", "outside", "work", "home", "tmp", "cache", "tools"];
        let folders = folders.iter().map(PathBuf::from).chain(own.map(|name| self.at(name)));
        folders
            .map(|folder| folder.join(&name))
            .filter(|path| fs::remove_file(path).is_ok())
            .collect()
    }
}

/// What the code of the app says that it got.
fn got(said: &str) -> BTreeSet<&str> {
    assert!(said.lines().any(|line| line == "RAN"), "it has not run: {said}");
    said.lines().filter_map(|line| line.strip_prefix("GOT ")).collect()
}

#[test]
fn a_tool_that_runs_code_of_the_app_gets_nothing_out_of_its_cage() {
    let world = World::new("auto");
    let before = ["app", "outside", "work", "home", "tools"].map(|name| listing(&world.at(name)));
    world.analyze("runner", "auto");
    let witnesses = world.take_witnesses();
    assert_eq!(marked(&format!("ASSAY_TEST_MARK={}", world.mark)), [0; 0], "somebody survived");
    let said = world.said("runner");
    assert_eq!(got(&said), BTreeSet::new(), "{said}");
    assert_eq!(witnesses, Vec::<PathBuf>::new());
    assert_eq!(world.port.heard(), Vec::<String>::new());
    assert!(world.packets.recv(&mut [0]).is_err(), "a packet came");
    assert_eq!(leaks(&world.at("results")), Vec::<String>::new());
    let left: Vec<_> = fs::read_dir(world.at("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    fs::remove_dir_all(world.at("work/.assay")).ok();
    let after = ["app", "outside", "work", "home", "tools"].map(|name| listing(&world.at(name)));
    assert!(before == after, "something was written beside the results");
}

/// The other test is worth nothing if the same code got nothing without a cage.
#[test]
fn the_same_tool_gets_out_without_a_cage_and_yet_leaves_no_process() {
    let world = World::new("off");
    world.analyze("runner", "off");
    let witnesses = world.take_witnesses();
    assert_eq!(marked(&format!("ASSAY_TEST_MARK={}", world.mark)), [0; 0], "somebody survived");
    let said = world.said("runner");
    let got = got(&said);
    let missing: Vec<_> = GOT_WITHOUT.iter().filter(|what| !got.contains(**what)).collect();
    assert!(missing.is_empty(), "{missing:?}: {said}");
    // Where everybody may write, and the seven of this world.
    assert!(witnesses.len() >= 7, "{witnesses:?}");
    assert_eq!(world.port.heard(), ["hole"]);
    assert!(world.packets.recv(&mut [0]).is_ok(), "no packet came");
    assert_eq!(leaks(&world.at("results")).len(), 1, "its standard error");
}

/// What a printed environment may hold: what Assay sets, and what a shell sets for itself.
const MAY_BE_SEEN: &[&str] = &[
    "ASSAY_RUN",
    "HOME",
    "LANG",
    "LC_ALL",
    "OLDPWD",
    "PATH",
    "PWD",
    "SHLVL",
    "TMPDIR",
    "TRACEPARENT",
    "TZ",
    "_",
];

/// What a tool with a network sees besides, and how.
const MAY_BE_SEEN_TO_CALL: &[&str] = &[
    "HTTP_PROXY=http://proxy.invalid:3128",
    "https_proxy=http://proxy.invalid:3128",
    "ALL_PROXY=socks5h://proxy.invalid:1080",
    "npm_config_registry=http://registry.invalid/npm/",
];

#[test]
fn no_secret_of_our_environment_reaches_a_tool() {
    for sandbox in ["auto", "off"] {
        let world = World::new(sandbox);
        world.analyze("printer,caller", sandbox);
        let said = ["printer", "caller"].map(|tool| world.said(tool));
        for (tool, said) in ["printer", "caller"].iter().zip(&said) {
            assert!(!said.contains(KEY), "{tool}, {sandbox}: {said}");
            assert!(said.lines().any(|line| line.starts_with("HOME=")), "{tool} printed nothing");
            let other = said.lines().find(|line| {
                let name = line.split('=').next().unwrap();
                let is_known = MAY_BE_SEEN.contains(&name) || line.is_empty();
                !is_known && (*tool == "printer" || !MAY_BE_SEEN_TO_CALL.contains(line))
            });
            assert_eq!(other, None, "{tool}, {sandbox}");
        }
        let [_, caller] = &said;
        for seen in MAY_BE_SEEN_TO_CALL {
            assert!(caller.lines().any(|line| line == *seen), "no `{seen}`: {caller}");
        }
        assert!(note_of(&world.at("results"), "caller"), "nobody is told of the proxy's password");
        assert!(!note_of(&world.at("results"), "printer"), "a tool without a network needs none");
    }
}

/// Whether the report says that a tool was not given the password of the proxy.
fn note_of(results: &Path, tool: &str) -> bool {
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(results.join("report.json")).unwrap()).unwrap();
    let runs = report["tools"].as_array().unwrap();
    let run = runs.iter().find(|run| run["tool"] == tool).unwrap();
    run["notes"].to_string().contains("without the name and password")
}
