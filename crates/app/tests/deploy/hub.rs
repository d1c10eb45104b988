//! The networks between containers: a namespace with a bridge for each, and a cable to every container.
//!
//! Keeps: names are of this process alone; nothing of it is left when the hub is dropped, also by a panic; what
//! a killed test left behind is removed by the next one.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    process::{self, Command},
    sync::atomic::{AtomicU8, Ordering},
};

const PREFIX: &str = "assay-test";

pub(crate) struct Hub {
    prefix: String,
    /// Bridges by the name of their network.
    networks: BTreeMap<String, u8>,
    cables: AtomicU8,
}

/// A plug of a container in a network.
#[derive(Clone, Debug)]
pub(crate) struct Cable {
    /// The bridge's end.
    end: String,
    pub(crate) network: String,
    pub(crate) address: Ipv4Addr,
}

/// Hubs of this process.
static HUBS: AtomicU8 = AtomicU8::new(0);

/// Runs `ip`, which must succeed.
#[track_caller]
fn ip(words: &[&str]) -> String {
    let output = Command::new("ip").args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The namespaces of tests, with the process that made them.
fn namespaces() -> Vec<(String, u32)> {
    let listed = ip(&["netns", "list"]);
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    let made_by = |name: &str| name.strip_prefix(PREFIX)?.split('-').nth(1)?.parse().ok();
    names.filter_map(|name| Some((name.to_owned(), made_by(name)?))).collect()
}

fn remove(namespace: &str) {
    for pid in ip(&["netns", "pids", namespace]).lines() {
        Command::new("kill").args(["-9", pid]).status().ok();
    }
    Command::new("ip").args(["netns", "delete", namespace]).status().ok();
}

// === impl Hub ===

impl Hub {
    pub(crate) fn new(networks: impl IntoIterator<Item = String>) -> Self {
        for (namespace, by) in namespaces() {
            if !testkit::lives(by) {
                remove(&namespace);
            }
        }
        let number = HUBS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{PREFIX}-{}-{number}", process::id());
        let networks = networks.into_iter().zip(1..).collect();
        let hub = Self { prefix, networks, cables: AtomicU8::new(0) };
        let own = hub.namespace("hub");
        for number in hub.networks.values() {
            let bridge = format!("br{number}");
            ip(&["-n", &own, "link", "add", &bridge, "type", "bridge"]);
            ip(&["-n", &own, "link", "set", &bridge, "up"]);
        }
        hub
    }

    /// Makes a namespace with nothing but its own loopback.
    pub(crate) fn namespace(&self, name: &str) -> String {
        let full = format!("{}-{name}", self.prefix);
        ip(&["netns", "add", &full]);
        ip(&["-n", &full, "link", "set", "lo", "up"]);
        full
    }

    /// Plugs a namespace into a network.
    pub(crate) fn plug(&self, namespace: &str, network: &str) -> Cable {
        let own = format!("{}-hub", self.prefix);
        let bridge = self.networks[network];
        let number = self.cables.fetch_add(1, Ordering::Relaxed) + 1;
        let (end, device) = (format!("port{number}"), format!("eth{bridge}"));
        let address = Ipv4Addr::new(10, 213, bridge, number);
        let peer = ["peer", "name", &end, "netns", &own];
        ip(&[&["-n", namespace, "link", "add", &device, "type", "veth"], &peer[..]].concat());
        ip(&["-n", &own, "link", "set", &end, "master", &format!("br{bridge}"), "up"]);
        ip(&["-n", namespace, "address", "add", &format!("{address}/24"), "dev", &device]);
        ip(&["-n", namespace, "link", "set", &device, "up"]);
        Cable { end, network: network.to_owned(), address }
    }

    /// Pulls a cable out, or puts it back.
    pub(crate) fn set(&self, cable: &Cable, state: &str) {
        ip(&["-n", &format!("{}-hub", self.prefix), "link", "set", &cable.end, state]);
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        for (namespace, _) in namespaces() {
            if namespace.starts_with(&format!("{}-", self.prefix)) {
                remove(&namespace);
            }
        }
    }
}
