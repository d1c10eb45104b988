//! All containers of `compose.yaml`, at work: each service with its replicas, networks, volumes, secret and
//! configuration, and clients beside them.

use crate::{
    container::{Container, LONG, Recipe},
    files::{self, Image, Mount},
    hub::{Cable, Hub},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};
use testkit::{TempDir, wait_until};

pub(crate) const SECRET: &str = "6f70656e2d736573616d65";

pub(crate) struct Stack {
    compose: Value,
    image: Image,
    /// Containers by `service-number`. Dropped before the networks.
    containers: BTreeMap<String, Container>,
    /// Where each is plugged in, with its namespace.
    places: BTreeMap<String, (String, Vec<Cable>)>,
    hub: Hub,
    folder: TempDir,
}

/// Whether a container engine refuses system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// As by its own profile.
    Default,
    /// As with deploy/compose.cage.yaml.
    Lifted,
}

/// A tool that says what an app's `findings.txt` says; `held` waits until the test lets it go.
const TOOL: &str = r#"#!/bin/sh
case $1 in
    version) echo "fake 1.2.3"; exit 0 ;;
    held) until [ -e "${0%/*}/released" ]; do sleep 0.02; done ;;
esac
if [ -s "$2/findings.txt" ]; then cat "$2/findings.txt"; exit 1; fi
"#;

/// Rows of tools that need nothing from any registry.
fn tool_row(mode: &str) -> String {
    format!(
        r#"
[tool.{mode}]
title = "Fake"
kind = "security"
inputs = {{ files = ["**"] }}
install = {{ from = "path", mend = "install it", version-args = ["version"] }}
run = {{ program = "/opt/tools/fake", args = ["{mode}", "{{project}}"], finding-codes = [1] }}
output = {{ format = "text", empty-is-clean = true, map = {{ pattern = '^(?P<path>[^:]+):(?P<line>[0-9]+): (?P<rule>[a-z]+)$', rule = "rule", message = "rule", path = "path", line = "line" }} }}
"#
    )
}

// === impl Stack ===

impl Stack {
    /// Starts every service of `compose.yaml`, and waits until all are ready.
    pub(crate) fn up() -> Self {
        let compose = files::compose();
        let networks = compose["networks"].as_object().unwrap().keys().cloned();
        let mut stack = Self {
            image: files::image(&files::read("Dockerfile")),
            containers: BTreeMap::new(),
            places: BTreeMap::new(),
            hub: Hub::new(networks),
            folder: testkit::tempdir().unwrap(),
            compose,
        };
        stack.furnish();
        let names = stack.names();
        for (service, name) in &names {
            let words = files::words(&stack.compose["services"][service]["networks"]);
            stack.place(name, &words);
        }
        for (_, name) in names {
            stack.start(&name);
        }
        stack
    }

    /// Every service with the names of its replicas.
    fn names(&self) -> Vec<(String, String)> {
        let services = self.compose["services"].as_object().unwrap();
        let named = |(service, is): (&String, &Value)| {
            let name = |number| (service.clone(), format!("{service}-{number}"));
            (1..=files::replicas(is)).map(name).collect::<Vec<_>>()
        };
        services.iter().flat_map(named).collect()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A folder or file of the container's user, as the engine, or who sets the stack up, would make it.
    fn give(&self, path: &Path) {
        let (user, group) = self.image.user.split_once(':').unwrap();
        chown(path, user.parse().ok(), group.parse().ok()).unwrap();
    }

    /// What lies beside `compose.yaml`: the secret, the configuration, apps; and what the engine makes.
    fn furnish(&self) {
        for name in ["apps", "volumes", "tools", "hosts"] {
            fs::create_dir(self.at(name)).unwrap();
        }
        fs::write(self.at("token"), format!("{SECRET}\n")).unwrap();
        fs::set_permissions(self.at("token"), PermissionsExt::from_mode(0o400)).unwrap();
        self.give(&self.at("token"));
        let shipped = files::read("deploy/assay.toml");
        // A replica that is left alone is asked again sooner, so that the test is over sooner.
        let shipped = shipped.replace("open-for = \"15s\"", "open-for = \"1s\"");
        let rows = ["quick", "held"].map(tool_row).concat();
        let text = format!("tools = [\"quick\"]\n{shipped}{rows}");
        fs::write(self.at("assay.toml"), text).unwrap();
        fs::write(self.at("tools/engine.py"), include_str!("engine.py")).unwrap();
        fs::write(self.at("tools/fake"), TOOL).unwrap();
        fs::set_permissions(self.at("tools/fake"), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Makes an app with one finding.
    pub(crate) fn app(&self, model: &str, number: usize) {
        let folder = self.at(&format!("apps/{model}/app{number}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.py"), format!("{model} = {number}\n")).unwrap();
        fs::write(folder.join("findings.txt"), "a.py:1: smell\n").unwrap();
    }

    /// Lets every `held` tool go on.
    pub(crate) fn release(&self) {
        fs::write(self.at("tools/released"), "").unwrap();
    }

    fn place(&mut self, name: &str, networks: &[String]) {
        let namespace = self.hub.namespace(name);
        let cables = networks.iter().map(|network| self.hub.plug(&namespace, network)).collect();
        self.places.insert(name.to_owned(), (namespace, cables));
        self.names_lead_to(|_| true);
    }

    /// Writes down which names lead where, as the engine's name server would tell each container: to containers of
    /// networks that it is in itself.
    fn names_lead_to(&self, is_known: impl Fn(&str) -> bool) {
        for (name, (_, cables)) in &self.places {
            let mut text = "127.0.0.1 localhost\n".to_owned();
            let shared = |cable: &&Cable| cables.iter().any(|own| own.network == cable.network);
            for (other, (_, others)) in self.places.iter().filter(|(other, _)| is_known(other)) {
                let service = other.rsplit_once('-').unwrap().0;
                for cable in others.iter().filter(shared) {
                    writeln!(text, "{} {service} {other}", cable.address).unwrap();
                }
            }
            fs::write(self.at(&format!("hosts/{name}")), text).unwrap();
        }
    }

    /// Has the name of a service lose these replicas, as when they are scaled down.
    pub(crate) fn forget(&self, gone: &[&str]) {
        self.names_lead_to(|name| !gone.contains(&name));
    }

    fn recipe(&self, service: &Value, name: &str, command: Vec<String>) -> Recipe {
        let user = self.image.user.split(':').next().unwrap().to_owned();
        let mut environment = self.image.environment.clone();
        environment.extend(files::pairs(&service["environment"]));
        let mut mounts = vec![
            format!("read {} /opt/tools", self.at("tools").display()),
            format!("read {} /run/secrets/token", self.at("token").display()),
        ];
        let configuration = service["configs"][0]["target"].as_str().unwrap();
        mounts.push(format!("read {} {configuration}", self.at("assay.toml").display()));
        for place in service["tmpfs"].as_array().into_iter().flatten() {
            mounts.push(format!("tmpfs {}", place.as_str().unwrap().split(':').next().unwrap()));
        }
        let mut volumes = files::mounts(service);
        for target in &self.image.volumes {
            if volumes.iter().all(|mount| mount.target != *target) {
                let target = target.clone();
                volumes.push(Mount { source: None, target, is_read_only: false });
            }
        }
        mounts.extend(volumes.iter().map(|mount| self.volume(mount, name)));
        Recipe {
            namespace: self.places[name].0.clone(),
            command: [self.image.entrypoint.clone(), command].concat(),
            environment,
            user,
            working_dir: self.image.working_dir.clone(),
            hosts: self.at(&format!("hosts/{name}")),
            mounts,
        }
    }

    fn volume(&self, mount: &Mount, name: &str) -> String {
        let how = if mount.is_read_only { "read" } else { "bind" };
        let source = match &mount.source {
            Some(path) if path.starts_with('.') => self.at("apps"),
            Some(named) => self.at(&format!("volumes/{named}")),
            None => self.at(&format!("volumes/{name}{}", mount.target.replace('/', "_"))),
        };
        if !source.exists() {
            fs::create_dir(&source).unwrap();
            self.give(&source);
        }
        format!("{how} {} {}", source.display(), mount.target)
    }

    /// Starts one replica, `gateway-1`, and waits until it is ready.
    pub(crate) fn start(&mut self, name: &str) {
        let service = self.compose["services"][name.rsplit_once('-').unwrap().0].clone();
        let recipe = self.recipe(&service, name, files::words(&service["command"]));
        let mut container = Container::start(&recipe);
        container.until_said("ready: ");
        self.containers.insert(name.to_owned(), container);
    }

    pub(crate) fn container(&self, name: &str) -> &Container {
        &self.containers[name]
    }

    /// Ends one at once, as `kill -9` does.
    pub(crate) fn kill(&mut self, name: &str) {
        drop(self.containers.remove(name));
    }

    /// Pulls a replica's cables out, or puts them back: `down`, `up`.
    pub(crate) fn link(&self, name: &str, state: &str) {
        self.places[name].1.iter().for_each(|cable| self.hub.set(cable, state));
    }

    /// The addresses of a container, network by network.
    pub(crate) fn addresses(&self, name: &str) -> BTreeMap<String, String> {
        let cables = self.places[name].1.iter();
        cables.map(|cable| (cable.network.clone(), cable.address.to_string())).collect()
    }

    /// Makes room for a client who is in these networks. Returns by which name he is known here.
    pub(crate) fn client(&mut self, networks: &[&str]) -> String {
        let name = format!("client-{}", self.places.len());
        let networks: Vec<String> = networks.iter().map(|name| (*name).to_owned()).collect();
        self.place(&name, &networks);
        name
    }

    /// Begins a command of a client; or beside a service, as `docker compose exec` does.
    pub(crate) fn within(&self, name: &str, words: &[&str]) -> Container {
        let gateway = &self.compose["services"]["gateway"];
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let mut recipe = self.recipe(gateway, name, words);
        recipe.environment.insert("ASSAY_SERVER".to_owned(), "ws://gateway:8765".to_owned());
        // A client's streams are read by the test.
        recipe.environment.remove("ASSAY_LOG");
        Container::start(&recipe)
    }

    /// The layers of the sandbox that a command beside this service has, and those that it lacks; with the calls
    /// refused that an engine refuses by default, or without.
    pub(crate) fn layers(&self, name: &str, engine: Engine) -> (Vec<String>, Vec<String>) {
        let service = &self.compose["services"][name.rsplit_once('-').unwrap().0];
        let words = ["tools", "check", "quick"].map(str::to_owned).to_vec();
        let mut recipe = self.recipe(service, name, words);
        recipe.environment.remove("ASSAY_LOG");
        if engine == Engine::Default {
            let before = ["python3", "/opt/tools/engine.py"].map(str::to_owned).to_vec();
            recipe.command = [before, recipe.command].concat();
        }
        let said = Container::start(&recipe).ends().out;
        let told =
            said.split("in force on this machine:").nth(1).unwrap_or_else(|| panic!("{said}"));
        let lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
        let (without, with): (Vec<&str>, Vec<&str>) =
            lines.partition(|line| line.starts_with("not in force: "));
        let name = |line: &str| {
            let line = line.trim_start_matches("not in force: ");
            line.split(':').next().unwrap().to_owned()
        };
        let names = |lines: Vec<&str>| lines.into_iter().map(name).collect();
        (names(with), names(without))
    }

    /// What a replica counts under this name, as who is in the network of the services reads it.
    pub(crate) fn counted(&self, name: &str, metric: &str) -> u64 {
        let (namespace, _) = &self.places["gateway-1"];
        let address = &self.addresses(name)["services"];
        let ask = format!(
            "exec 3<>/dev/tcp/{address}/2001 && printf 'GET /metrics HTTP/1.1\\r\\nhost: x\\r\\n\
             connection: close\\r\\nauthorization: Bearer {SECRET}\\r\\n\\r\\n' >&3 && cat <&3"
        );
        let words = ["netns", "exec", namespace, "timeout", "10", "bash", "-c", &ask];
        let output = Command::new("ip").args(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{metric} ")));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{metric}: {text}"))
    }

    /// Whether somebody accepts there, asked from within the network of a container.
    pub(crate) fn is_reached(&self, from: &str, address: &str, port: u16) -> bool {
        let (namespace, _) = &self.places[from];
        let words = ["netns", "exec", namespace, "timeout", "5", "bash", "-c"];
        let ask = format!("exec 3<>/dev/tcp/{address}/{port}");
        Command::new("ip").args(words).arg(ask).output().unwrap().status.success()
    }

    /// Waits until the gateway tells so many replicas.
    #[track_caller]
    pub(crate) fn until_replicas(&self, count: usize) {
        let mut told = Value::Null;
        let has_all = wait_until(LONG, || {
            let status = self.within("gateway-1", &["status", "--json"]).ends().with(0).json();
            told = status["status"]["breakers"].clone();
            told.as_array().is_some_and(|all| all.len() == count)
        });
        assert!(has_all, "there are not {count}: {told:#}");
    }
}
