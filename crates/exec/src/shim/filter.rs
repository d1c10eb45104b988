//! System calls that no tool needs and that reach behind the cage.
//!
//! A list of what is refused and not of what is allowed: interpreters and compilers use nearly
//! everything, and a tool that is refused a harmless call fails in ways that look like findings.
//! What is here has given ways out of namespaces before, or looks into other processes.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Refused with "not permitted".
const REFUSED: &[libc::c_long] = &[
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // new rooms, and ways between rooms
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // the kernel itself
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // keys of the user's session
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

/// Answered as by a kernel that is too old for them, so that programs take the older way, which is
/// one that can be looked into.
const UNKNOWN: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Memory that no process is seen to hold. What is shared with POSIX's calls is seen.
    libc::SYS_shmget,
];

/// Flags of `clone` that make new rooms.
const ROOMS: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u64;

/// Kinds of sockets that tools have a use for; all others are refused.
const SOCKETS: &[libc::c_int] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Protocols over which a connection is made past Landlock, which knows plain TCP alone.
const OTHER_STREAMS: &[libc::c_int] = &[libc::IPPROTO_MPTCP, libc::IPPROTO_SCTP];

/// Calls that can connect while they send (TCP Fast Open), with the place of their flags. Landlock is
/// not asked about these.
const SENDING: &[(libc::c_long, u8)] =
    &[(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)];

/// Puts the filter over this process and everything that it starts, for good.
pub(super) fn apply() -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| format!("system calls cannot be filtered: {error}");
    for program in programs().map_err(|error| words(&error))? {
        apply_filter(&program).map_err(|error| words(&error))?;
    }
    Ok(())
}

fn programs() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let any = |calls: &[libc::c_long]| calls.iter().map(|call| (*call, Vec::new())).collect();
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = any(REFUSED);
    refused.insert(libc::SYS_clone, new_rooms()?);
    let mut sockets = vec![other_sockets()?];
    for protocol in OTHER_STREAMS {
        sockets.push(rule(2, Is::Eq, *protocol)?);
    }
    refused.insert(libc::SYS_socket, sockets);
    for (call, flags) in SENDING {
        let fast_open = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
        refused.insert(*call, vec![rule(*flags, Is::MaskedEq(fast_open), libc::MSG_FASTOPEN)?]);
    }
    refused.insert(libc::SYS_ioctl, vec![typing_for_others()?]);
    Ok([program(refused, libc::EPERM)?, program(any(UNKNOWN), libc::ENOSYS)?])
}

fn program(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    error: libc::c_int,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(calls, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// `clone` with any of the flags that make a room.
fn new_rooms() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let bits = (0..u64::BITS).map(|bit| 1_u64 << bit).filter(|bit| ROOMS & bit != 0);
    bits.map(|bit| {
        let has = SeccompCondition::new(0, Length::Qword, Is::MaskedEq(bit), bit)?;
        SeccompRule::new(vec![has])
    })
    .collect()
}

/// One argument of a call, compared with a number of 32 bits.
fn rule(at: u8, is: Is, number: libc::c_int) -> Result<SeccompRule, seccompiler::BackendError> {
    let number = u64::from(number.unsigned_abs());
    SeccompRule::new(vec![SeccompCondition::new(at, Length::Dword, is, number)?])
}

fn other_sockets() -> Result<SeccompRule, seccompiler::BackendError> {
    let not = |kind: &libc::c_int| {
        SeccompCondition::new(0, Length::Dword, Is::Ne, u64::from(kind.unsigned_abs()))
    };
    SeccompRule::new(SOCKETS.iter().map(not).collect::<Result<_, _>>()?)
}

/// Puts characters into the input of a terminal, as if somebody had typed them.
fn typing_for_others() -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(1, Length::Dword, Is::Eq, libc::TIOCSTI)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_fit_the_kernel() {
        for program in programs().unwrap() {
            assert!((1..4096).contains(&program.len()), "{}", program.len());
        }
    }
}
