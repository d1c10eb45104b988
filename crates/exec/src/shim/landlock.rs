//! The fence around files and ports that needs no namespace and no rights (Linux 5.13 and newer).

use crate::{
    job::Access,
    order::{Reach, Seat},
};
use ::landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

/// The newest generation that we know. Older kernels hold less of it.
const NEWEST: ABI = ABI::V6;

/// Places that every program needs, with what may be done there.
const SYSTEM: &[(&str, Access)] = &[
    ("/usr", Access::Read),
    ("/bin", Access::Read),
    ("/sbin", Access::Read),
    ("/lib", Access::Read),
    ("/lib32", Access::Read),
    ("/lib64", Access::Read),
    ("/etc", Access::Data),
    ("/proc", Access::Data),
    ("/dev/null", Access::Write),
    ("/dev/zero", Access::Write),
    ("/dev/full", Access::Write),
    ("/dev/random", Access::Data),
    ("/dev/urandom", Access::Data),
    ("/dev/shm", Access::Write),
];

/// Restricts this process, and all that it starts, to the given places and ports, for good.
pub(super) fn restrict(seats: &[Seat], reach: &Reach) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| format!("Landlock: {error}");
    let mut rules = begin(reach).map_err(|error| words(&error))?;
    for (path, access) in SYSTEM {
        rules = allow(rules, path.as_ref(), *access).map_err(|error| words(&error))?;
    }
    for seat in seats {
        rules = allow(rules, &seat.to, seat.access).map_err(|error| words(&error))?;
    }
    if let Reach::Ports(ports) = reach {
        for port in ports {
            let rule = NetPort::new(*port, AccessNet::ConnectTcp);
            rules = rules.add_rule(rule).map_err(|error| words(&error))?;
        }
    }
    let status = rules.restrict_self().map_err(|error| words(&error))?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("Landlock: this kernel does not have it".to_owned()),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

fn begin(reach: &Reach) -> Result<RulesetCreated, ::landlock::RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let rules = match reach {
        Reach::Anywhere => rules,
        Reach::Nowhere | Reach::Ports(_) => rules.handle_access(AccessNet::from_all(NEWEST))?,
    };
    rules.create()
}

/// What is not there needs no rule.
fn allow(
    rules: RulesetCreated,
    path: &std::ffi::OsStr,
    access: Access,
) -> Result<RulesetCreated, ::landlock::RulesetError> {
    let Ok(place) = PathFd::new(path) else { return Ok(rules) };
    rules.add_rule(PathBeneath::new(place, rights(access)))
}

fn rights(access: Access) -> BitFlags<AccessFs> {
    match access {
        Access::Read => AccessFs::from_read(NEWEST),
        Access::Data => AccessFs::ReadFile | AccessFs::ReadDir,
        // Not even there may it make a device file, whoever it is.
        Access::Write => AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock),
    }
}
