//! What holds tools on this machine.
//!
//! Owns the choice of layers: found out once, by doing exactly what every run does, and layer by
//! layer without what the kernel refuses. Keeps: what is said to be in force was tried.

mod detect; // what works here
mod layer; // the layers, and their words

pub use layer::{Layer, LayerState};

use crate::{
    environment::Network,
    group::Place,
    job::Job,
    order::{Fence, Order, Reach},
    shim::SHIM_WORD,
};
use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// Ports of the services that a tool with a network may always ask: the web, and names by TCP.
const WEB_PORTS: &[u16] = &[80, 443, 53];

/// Users that nobody else is: the range that systemd gives to services without a user of their own
/// (`systemd.exec(5)`, DynamicUser).
const USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// Every tool has it, with a value of its own run, by which we know what it left behind.
pub(crate) const RUN_VARIABLE: &str = "ASSAY_RUN";

/// The program that keeps tools: it must call [`shim_main`](crate::shim_main) when it is started so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shim {
    program: PathBuf,
    args: Vec<OsString>,
}

/// The layers in force. Cheap to clone; made once, then used for every run.
#[derive(Clone, Debug)]
pub struct Cage {
    shim: Shim,
    parts: Arc<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    /// The layers, without what belongs to one job.
    fence: Fence,
    /// Whether tools become users of their own.
    has_users: bool,
    places: Vec<Place>,
    layers: Vec<LayerState>,
}

// === impl Shim ===

impl Shim {
    /// The running program itself, whatever has become of its file since.
    pub fn own() -> Self {
        Self::at("/proc/self/exe").with(SHIM_WORD)
    }

    /// A program that is nothing but a shim.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new() }
    }

    /// One that becomes a shim when it is told so.
    pub fn with(mut self, word: impl Into<OsString>) -> Self {
        self.args.push(word.into());
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0("assay").args(&self.args);
        command
    }
}

// === impl Cage ===

impl Cage {
    /// No fence: only limits, and that everything a program starts is gone when it has ended. For
    /// installers, and for `--sandbox off`.
    pub fn bare(shim: Shim) -> Self {
        let fence = Fence { reach: Reach::Anywhere, ..Fence::default() };
        let places = Place::all();
        let layers = detect::bare(&places);
        Self { shim, parts: Arc::new(Parts { fence, places, layers, ..Parts::default() }) }
    }

    /// The best that this machine allows. Takes some hundredths of a second.
    pub async fn best(shim: Shim) -> Self {
        detect::best(shim).await
    }

    /// Says of every layer whether it is in force, strongest first.
    pub fn layers(&self) -> &[LayerState] {
        &self.parts.layers
    }

    /// The layers in force, one line each, with what they hold.
    pub fn describe(&self) -> Vec<String> {
        let of_layer = |state: &LayerState| match state {
            LayerState::InForce { layer, how } => Some(format!("{layer}: {how}")),
            LayerState::Missing { .. } => None,
        };
        self.parts.layers.iter().filter_map(of_layer).collect()
    }

    /// The layers that are not in force, each with the reason.
    pub fn missing(&self) -> Vec<(Layer, &str)> {
        let of_layer = |state| match state {
            &LayerState::Missing { layer, ref why } => Some((layer, why.as_str())),
            LayerState::InForce { .. } => None,
        };
        self.parts.layers.iter().filter_map(of_layer).collect()
    }

    /// Whether a job sees files under names of our choice. Elsewhere it sees them where they lie.
    pub fn has_own_paths(&self) -> bool {
        self.parts.fence.spaces.mount
    }

    pub(crate) fn shim(&self) -> &Shim {
        &self.shim
    }

    pub(crate) fn order(&self, job: &Job, run: &str) -> Order {
        let mut fence = self.parts.fence.clone();
        let is_fenced = fence != Fence { reach: Reach::Anywhere, ..Fence::default() };
        fence.room = Fence::seats(&job.room);
        fence.user = self.parts.has_users.then(next_user);
        fence.groups = self.parts.places.iter().map(Place::group).collect();
        if job.network == Network::Declared {
            fence.spaces.network = false;
        }
        fence.reach = match job.network {
            _ if !is_fenced => Reach::Anywhere,
            Network::None => Reach::Nowhere,
            Network::Declared => Reach::Ports(ports(job)),
        };
        let env = job.env.iter().map(|(name, value)| (name.clone(), value.clone()));
        let env = env.chain([(RUN_VARIABLE.into(), run.into())]);
        Order {
            program: job.program.clone().into(),
            args: job.args.clone(),
            env: env.collect(),
            cwd: job.cwd.clone().into(),
            limits: job.limits,
            fence,
        }
    }
}

/// The next user of our own. They come round again, long after the tool that was one has ended.
fn next_user() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = USERS.end() - USERS.start();
    // From a number of this process, so that two processes do not begin with the same.
    let first = std::process::id().wrapping_mul(97);
    USERS.start() + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count
}

/// The ports that a job speaks of, in an address among its arguments or its variables (a proxy, a
/// registry), and those of the web.
fn ports(job: &Job) -> Vec<u16> {
    let texts =
        job.args.iter().map(OsString::as_os_str).chain(job.env.values().map(OsString::as_os_str));
    let mut ports: Vec<u16> = texts.filter_map(OsStr::to_str).flat_map(ports_in).collect();
    ports.extend(WEB_PORTS);
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The ports of all addresses in a text: `http://proxy.example:3128`.
fn ports_in(text: &str) -> impl Iterator<Item = u16> {
    text.split("://").skip(1).filter_map(|rest| {
        let end =
            rest.find(|c: char| c == '/' || c == '?' || c.is_whitespace()).unwrap_or(rest.len());
        let (_, port) = rest[..end].rsplit_once(':')?;
        port.parse().ok()
    })
}

/// Whether a folder is one that nobody should be shown whole: the root, or somebody's home.
pub fn is_too_wide(folder: &Path, home: Option<&Path>) -> bool {
    folder.parent().is_none() || home.is_some_and(|home| home.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_addresses_only() {
        let check = |text: &str, expected: &[u16]| {
            assert_eq!(ports_in(text).collect::<Vec<_>>(), expected, "{text}");
        };
        check("http://user:pw@proxy.example:3128", &[3128]);
        check("--index-url=https://mirror.example:8443/simple", &[8443]);
        check("http://[::1]:4873/ https://b:1/", &[4873, 1]);
        check("https://plain.example/a:99", &[]);
        check("12:34 host:80", &[]);
    }

    #[test]
    fn a_home_and_what_holds_it_is_too_wide_and_a_folder_in_it_is_not() {
        let home = Some(Path::new("/home/a"));
        for (folder, expected) in [
            ("/", true),
            ("/home", true),
            ("/home/a", true),
            ("/home/a/bin", false),
            ("/opt", false),
        ] {
            assert_eq!(is_too_wide(Path::new(folder), home), expected, "{folder}");
        }
    }

    #[test]
    fn users_stay_in_their_range() {
        for _ in 0..10_000 {
            assert!(USERS.contains(&next_user()));
        }
    }
}
