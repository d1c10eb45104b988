//! What works here: an empty order is run through the shim, with every layer, and again without
//! the one at which it failed.

use super::{Cage, Layer, LayerState, Parts, Shim, USERS};
use crate::{
    environment::Network,
    group::Place,
    job::{Ended, Job, Limits, Room},
    order::{Fence, GroupSort, Stage},
    run, sys,
};
use assay_model::ToolEnd;
use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// More than there are layers.
const TRIES_MAX: u32 = 16;

/// An empty order that takes longer is no cage to wait for.
const TRY_TIME_MAX: Duration = Duration::from_secs(10);

const SUBREAPER: &str = "a subreaper stands over every tool and kills all that it started, daemons \
                         too, when it ends, is cancelled or times out";

/// What was refused so far, with the kernel's words.
#[derive(Debug, Default)]
struct Refused(BTreeMap<Layer, String>);

/// The layers that hold without any fence.
pub(super) fn bare(places: &[Place]) -> Vec<LayerState> {
    let off = |layer| LayerState::missing(layer, "the sandbox is off");
    vec![
        LayerState::in_force(Layer::Processes, SUBREAPER),
        off(Layer::Files),
        off(Layer::Network),
        off(Layer::Ipc),
        off(Layer::Rights),
        off(Layer::Landlock),
        off(Layer::Seccomp),
        LayerState::in_force(Layer::Limits, limits(places)),
        LayerState::in_force(Layer::Environment, environment()),
    ]
}

pub(super) async fn best(shim: Shim) -> Cage {
    let mut parts = everything();
    let mut refused = Refused::default();
    for _ in 0..TRIES_MAX {
        let cage = Cage { shim: shim.clone(), parts: Arc::new(parts) };
        let failure = attempt(&cage).await;
        parts = Arc::into_inner(cage.parts).expect("`attempt` keeps no part of the cage");
        let Some((stage, why)) = failure else { break };
        if !refused.withdraw(&mut parts, stage, why) {
            break;
        }
    }
    parts.layers = refused.states(&parts);
    Cage { shim, parts: Arc::new(parts) }
}

fn everything() -> Parts {
    let is_root = rustix::process::geteuid().is_root();
    let spaces = sys::Spaces { user: true, pid: true, mount: true, ipc: true, network: true };
    let fence =
        Fence { spaces, powerless: true, landlock: true, seccomp: true, ..Fence::default() };
    let has_users = is_root && knows_users();
    Parts { fence, has_users, places: Place::all(), layers: Vec::new() }
}

/// Whether our own namespace has the users that we would give to tools.
fn knows_users() -> bool {
    let holds = |line: &str| -> Option<bool> {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (first, count) = (fields.next()?.ok()?, fields.nth(1)?.ok()?);
        let (low, high) = (u64::from(*USERS.start()), u64::from(*USERS.end()));
        Some(first <= low && high < first.saturating_add(count))
    };
    ["/proc/self/uid_map", "/proc/self/gid_map"].iter().all(|map| {
        let text = fs::read_to_string(map).unwrap_or_default();
        text.lines().any(|line| holds(line).unwrap_or(false))
    })
}

/// Runs nothing in the cage. Returns where that failed.
async fn attempt(cage: &Cage) -> Option<(Stage, String)> {
    let job = Job {
        program: PathBuf::new(),
        args: Vec::new(),
        cwd: "/".into(),
        env: BTreeMap::new(),
        stdout: "/dev/null".into(),
        stderr: "/dev/null".into(),
        room: Room::default(),
        network: Network::None,
        limits: Limits::default(),
        deadline: Instant::now() + TRY_TIME_MAX,
        grace: Duration::ZERO,
    };
    let (ended, stage) = run::run_noting(cage, job, CancellationToken::new()).await;
    let Ended { end, .. } = ended;
    match end {
        ToolEnd::Exited { code: 0 } => None,
        end => Some((stage.unwrap_or(Stage::Spaces), end.to_string())),
    }
}

// === impl Refused ===

impl Refused {
    /// Takes a layer away. False where none is left that could be the cause.
    fn withdraw(&mut self, parts: &mut Parts, stage: Stage, why: String) -> bool {
        let fence = &mut parts.fence;
        let spaces = &mut fence.spaces;
        let mut note = |layer| {
            self.0.entry(layer).or_insert_with(|| why.clone());
        };
        match stage {
            Stage::Groups => parts.places.clear(),
            Stage::Spaces if spaces.user && rustix::process::geteuid().is_root() => {
                spaces.user = false;
            }
            Stage::Spaces if spaces.network => {
                note(Layer::Network);
                spaces.network = false;
            }
            Stage::Spaces if *spaces != sys::Spaces::default() => {
                for layer in [Layer::Processes, Layer::Files, Layer::Ipc] {
                    note(layer);
                }
                *spaces = sys::Spaces::default();
                parts.has_users = false;
            }
            Stage::Room => {
                note(Layer::Files);
                spaces.mount = false;
                // Another user could not read what lies in our folders, which nobody else may enter.
                parts.has_users = false;
            }
            Stage::User if parts.has_users => parts.has_users = false,
            Stage::User => {
                note(Layer::Rights);
                fence.powerless = false;
            }
            Stage::Landlock => {
                note(Layer::Landlock);
                fence.landlock = false;
            }
            Stage::Seccomp => {
                note(Layer::Seccomp);
                fence.seccomp = false;
            }
            Stage::Spaces | Stage::Limits | Stage::Program => return false,
        }
        true
    }

    fn states(&self, parts: &Parts) -> Vec<LayerState> {
        let fence = &parts.fence;
        let state = |layer, holds: bool, how: String| match self.0.get(&layer) {
            _ if holds => LayerState::in_force(layer, how),
            why => LayerState::missing(layer, why.map_or("not supported", String::as_str)),
        };
        let processes = if fence.spaces.pid {
            "a PID namespace: the kernel ends all that a tool started, daemons too, with its first \
             process"
        } else {
            SUBREAPER
        };
        vec![
            LayerState::in_force(Layer::Processes, processes),
            state(Layer::Files, fence.spaces.mount, files()),
            state(Layer::Network, fence.spaces.network, network()),
            state(Layer::Ipc, fence.spaces.ipc, "an IPC and a UTS namespace".to_owned()),
            state(Layer::Rights, fence.powerless, rights(parts)),
            state(Layer::Landlock, fence.landlock, landlock()),
            state(
                Layer::Seccomp,
                fence.seccomp,
                "a filter refuses calls that reach behind the cage".to_owned(),
            ),
            LayerState::in_force(Layer::Limits, limits(&parts.places)),
            LayerState::in_force(Layer::Environment, environment()),
        ]
    }
}

fn files() -> String {
    "a mount namespace that holds the system's programs, the tool, a read-only copy of the app and \
     private folders, and nothing else"
        .to_owned()
}

fn network() -> String {
    "an empty network namespace, except for tools that declare a network".to_owned()
}

fn rights(parts: &Parts) -> String {
    let user = if parts.has_users {
        "each tool is an ordinary user of its own"
    } else if rustix::process::geteuid().is_root() {
        "tools are root"
    } else {
        "tools are you"
    };
    let space = if parts.fence.spaces.user { ", in a user namespace" } else { "" };
    format!("{user}{space}, without capabilities and without new privileges")
}

fn landlock() -> String {
    let abi = sys::landlock_abi().unwrap_or(0);
    let ports = if abi >= 4 { ", no TCP port but those of declared networks" } else { "" };
    let signals = if abi >= 6 { ", no signal to others" } else { "" };
    format!("ABI {abi}: no file but those above{ports}{signals}")
}

fn limits(places: &[Place]) -> String {
    let has = |test: fn(GroupSort) -> bool| places.iter().any(|place| test(place.sort));
    let holds_memory =
        |sort| matches!(sort, GroupSort::MemoryV1 | GroupSort::Unified { memory: true, .. });
    let holds_processes =
        |sort| matches!(sort, GroupSort::ProcessesV1 | GroupSort::Unified { processes: true, .. });
    let by = |yes| if yes { "a control group" } else { "looking every 25 ms" };
    format!(
        "memory by {}, processes by {}, processor time, output, files and disk",
        by(has(holds_memory)),
        by(has(holds_processes)),
    )
}

fn environment() -> String {
    "an allow-list of variables, a private home, a private temporary folder, no descriptor of ours"
        .to_owned()
}
