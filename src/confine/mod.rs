//! Least privilege: what a process gives up once it has opened all it needs.
//!
//! A live capture is two processes. One reads packets, which anybody may have sent: it keeps no
//! capability, sees no file but the time zones, and opens no socket ([`packets`]). The other answers
//! which process holds a socket: it never sees a packet, and keeps the two capabilities that looking
//! into other users' processes takes ([`lookup`]). One process cannot do both: what Landlock confines
//! may not look into a process outside (ptrace(2) access, landlock(7)).

mod syscalls;

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use nix::unistd::{User, setgroups, setresgid, setresuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_keep_capabilities, set_no_new_privs,
};

/// Capabilities for naming other users' processes: their descriptors are behind a folder that only
/// they may list, and behind the right to trace them.
const NAMING: CapabilitySet = CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH);

/// Files from which times become local ones.
const ZONES: [&str; 3] = ["/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo"];

/// A process could not give up what it should.
#[derive(Debug, thiserror::Error)]
pub enum CannotConfine {
    /// No user has that name.
    #[error("-Z {0}: no such user")]
    NoUser(String),
    /// Only root can become another user.
    #[error("-Z {user}: cannot become that user: {error} (only root can)")]
    NotRoot {
        /// The user that was named.
        user: String,
        /// The kernel's reason.
        error: io::Error,
    },
    /// Capabilities could not be given up.
    #[error("capabilities cannot be given up: {0}")]
    Capabilities(io::Error),
    /// Landlock's rules could not be laid down.
    #[error("Landlock: {0}")]
    Landlock(#[from] RulesetError),
    /// The filter of system calls could not be put in place: the reason.
    #[error("seccomp: {0}")]
    Seccomp(String),
}

/// Confines the process that reads packets of these interfaces. Everything it needs is open, and it has
/// one thread; but for files that are to be made in `folder`. Returns false if the kernel has no Landlock: then it can still read what its user can.
///
/// # Errors
/// If there is no such user, or the kernel refuses to take a right away.
pub fn packets(
    user: Option<&str>,
    interfaces: &[String],
    folder: Option<&Path>,
) -> Result<bool, CannotConfine> {
    become_user(user, CapabilitySet::empty())?;
    let landlock = landlock(interfaces, folder)?;
    syscalls::packets(folder.is_some())?;
    Ok(landlock != RulesetStatus::NotEnforced)
}

/// Confines the process that reads packets of these interfaces and shows them on a terminal, as
/// [`packets`] does; threads that begin later are confined, too.
///
/// # Errors
/// If there is no such user, or the kernel refuses to take a right away.
pub fn screen(
    user: Option<&str>,
    interfaces: &[String],
    folder: Option<&Path>,
) -> Result<bool, CannotConfine> {
    become_user(user, CapabilitySet::empty())?;
    let landlock = landlock(interfaces, folder)?;
    syscalls::screen(folder.is_some())?;
    Ok(landlock != RulesetStatus::NotEnforced)
}

/// Confines a process that reads captures and writes what came of them: it can write in these folders, remove
/// `own` from where it is, and write nowhere else. It opens no socket of TCP.
///
/// # Errors
/// If the kernel refuses to take a right away.
pub fn writer(folders: &[&Path], own: &Path) -> Result<bool, CannotConfine> {
    let abi = ABI::V6;
    let writing = AccessFs::from_write(abi);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing)?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(folders, writing))?
        .add_rules(path_beneath_rules(own.parent(), AccessFs::RemoveDir))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Becomes `user`, if one is named, and keeps no capability.
///
/// # Errors
/// If there is no such user, or the kernel refuses to take a right away.
pub fn without_rights(user: Option<&str>) -> Result<(), CannotConfine> {
    become_user(user, CapabilitySet::empty())
}

/// Confines the process that looks up sockets. It can read all that its user can, and name other
/// users' processes as far as its capabilities allowed before. With `code`, events that it has opened can
/// be read in a thread that begins later; it can open no more of them.
///
/// # Errors
/// If there is no such user, or the kernel refuses to take a right away.
pub fn lookup(user: Option<&str>, code: bool) -> Result<(), CannotConfine> {
    become_user(user, NAMING)?;
    syscalls::lookup(code)
}

/// Returns whether this process may look into those of other users.
#[must_use]
pub fn may_look_into_others() -> bool {
    capabilities(None).is_ok_and(|held| held.effective.contains(CapabilitySet::SYS_PTRACE))
}

/// Becomes `user` for good, with no capability beyond `keep`.
fn become_user(user: Option<&str>, keep: CapabilitySet) -> Result<(), CannotConfine> {
    let held = capabilities(None).map_err(failed)?;
    // Only root can narrow it, and only root's programs could gain anything by it.
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for other in CapabilitySet::all().difference(keep).iter() {
            // A kernel may not know all of them.
            let _ = remove_capability_from_bounding_set(other);
        }
    }
    if let Some(name) = user {
        set_keep_capabilities(true).map_err(failed)?;
        set_user(name)?;
    }
    let kept = held.permitted & keep;
    let inheritable = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })
        .map_err(failed)?;
    set_no_new_privs(true).map_err(failed)
}

fn failed(error: rustix::io::Errno) -> CannotConfine {
    CannotConfine::Capabilities(error.into())
}

/// Finds a user by name.
///
/// # Errors
/// If there is none.
pub fn find_user(name: &str) -> Result<User, CannotConfine> {
    let user = User::from_name(name).ok().flatten();
    user.ok_or_else(|| CannotConfine::NoUser(name.to_owned()))
}

/// Becomes that user, with its group alone.
fn set_user(name: &str) -> Result<(), CannotConfine> {
    let User { uid, gid, .. } = find_user(name)?;
    setgroups(&[gid])
        .and_then(|()| setresgid(gid, gid, gid))
        .and_then(|()| setresuid(uid, uid, uid))
        .map_err(|error| CannotConfine::NotRoot { user: name.to_owned(), error: error.into() })
}

/// Leaves no file to open but the time zones and libpcap's counts of drops, to read; no TCP port to bind
/// or connect to; and no signal to send to another process. A kernel that can do only a part of it does
/// that part.
fn landlock(interfaces: &[String], folder: Option<&Path>) -> Result<RulesetStatus, CannotConfine> {
    let abi = ABI::V6;
    let making = AccessFs::MakeReg | AccessFs::WriteFile | AccessFs::Truncate;
    let counts = interfaces.iter().map(|name| format!("/sys/class/net/{name}/statistics"));
    let zones = ZONES.iter().map(|path| (*path).to_owned());
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(zones.chain(counts), AccessFs::from_read(abi)))?
        .add_rules(path_beneath_rules(folder, making))?
        .restrict_self()?;
    Ok(status.ruleset)
}
