//! The system calls of each process. Any other fails with EPERM.

use std::collections::BTreeMap;

use libc::{AF_NETLINK, O_ACCMODE, O_CREAT, O_RDONLY, O_TRUNC};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::CannotConfine;

/// System calls of any of our threads: memory, locks, time, signals, and descriptors that are open.
const COMMON: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

/// Packets and scrapes come through sockets that are open; answers through a child's pipe.
const PACKETS: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_fsync,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_rseq,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

/// Keys are waited for with what a resized terminal is told by.
const SCREEN: &[i64] = &[
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_prctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// Folders are listed, and the kernel is asked for addresses through netlink.
const LOOKUP: &[i64] = &[
    libc::SYS_bind,
    libc::SYS_getdents64,
    libc::SYS_getsockname,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_uname,
];

/// The thread that reads events begins, and files are read in parts.
const CODE: &[i64] = &[
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_pread64,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
];

/// Landlock says where files can be made, if any are to be.
pub fn packets(makes_files: bool) -> Result<(), CannotConfine> {
    apply(rules_of_packets(makes_files)?)
}

fn rules_of_packets(makes_files: bool) -> Result<Rules, CannotConfine> {
    let mut rules = rules(PACKETS)?;
    if makes_files {
        rules.insert(libc::SYS_openat, vec![]);
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_open, vec![]);
    }
    Ok(rules)
}

/// Packets, and a terminal.
pub fn screen(makes_files: bool) -> Result<(), CannotConfine> {
    let mut rules = rules_of_packets(makes_files)?;
    rules.extend(SCREEN.iter().map(|&call| (call, vec![])));
    apply(rules)
}

pub fn lookup(code: bool) -> Result<(), CannotConfine> {
    let mut rules = rules(LOOKUP)?;
    rules.extend(CODE.iter().filter(|_| code).map(|&call| (call, vec![])));
    // The first argument is the family.
    rules.insert(libc::SYS_socket, vec![rule(0, SeccompCmpOp::Eq, AF_NETLINK as u64)?]);
    apply(rules)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Files can be opened to be read, and none is made or cut.
fn rules(more: &[i64]) -> Result<Rules, CannotConfine> {
    let mut rules: Rules = COMMON.iter().chain(more).map(|&call| (call, vec![])).collect();
    let writing = (O_ACCMODE | O_CREAT | O_TRUNC) as u64;
    let read_only = |flags| rule(flags, SeccompCmpOp::MaskedEq(writing), O_RDONLY as u64);
    rules.insert(libc::SYS_openat, vec![read_only(2)?]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, vec![read_only(1)?]);
    Ok(rules)
}

/// Only with such an argument.
fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, CannotConfine> {
    let width = SeccompCmpArgLen::Dword;
    SeccompCondition::new(argument, width, operator, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(seccomp)
}

fn apply(rules: Rules) -> Result<(), CannotConfine> {
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let machine = std::env::consts::ARCH.try_into().map_err(seccomp)?;
    let filter =
        SeccompFilter::new(rules, refuse, SeccompAction::Allow, machine).map_err(seccomp)?;
    let program: BpfProgram = filter.try_into().map_err(seccomp)?;
    seccompiler::apply_filter(&program).map_err(|error| CannotConfine::Seccomp(error.to_string()))
}

fn seccomp(error: seccompiler::BackendError) -> CannotConfine {
    CannotConfine::Seccomp(error.to_string())
}
