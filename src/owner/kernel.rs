//! The kernel's own list, by procfs.
//!
//! `/proc/PID/net/tcp` lists the sockets of the network namespace that a process is in, and
//! `/proc/PID/fd` the descriptors of a process. A socket's inode number joins them. What ends
//! between two reads is simply not there: no error.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use procfs::net::{TcpNetEntries, TcpNetEntry, TcpState};
use procfs::process::{FDTarget, LimitValue, Process, all_processes};
use procfs::{FromBufReadSI, current_system_info};
use rustix::fs::{Dir, Mode, OFlags, open, readlinkat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Holder, Snapshot, Socket, Usage, endpoint, multipath};
use crate::printable::printable;
use crate::tcp::state::State;

/// The network namespaces to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Netns {
    /// This process's own.
    Own,
    /// By a name of `ip netns`.
    Named(String),
    /// That of a process.
    Pid(i32),
    /// Every one that a process of this host is in.
    All,
}

/// The list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NoList {
    /// No namespace has that name.
    #[error("no network namespace {0:?} (ip netns lists the named ones; or give a process id)")]
    NoNamespace(String),
    /// No process has that number.
    #[error("no process {0}")]
    NoProcess(i32),
    /// A file of the kernel's could not be read.
    #[error("{what} cannot be read: {error}{}", remedy(.error))]
    Unreadable {
        /// Its path.
        what: String,
        /// The kernel's reason.
        error: io::Error,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " (run as root, or with cap_sys_ptrace and cap_dac_read_search; entering a named namespace takes cap_sys_admin)"
        }
        _ => "",
    }
}

/// The folder in which `ip netns` keeps the named namespaces.
const NAMED: &str = "/run/netns";

/// Lists the sockets, and finds who holds them.
///
/// # Errors
/// If there is no such namespace or process, or its list cannot be read.
pub fn snapshot(netns: &Netns) -> Result<Snapshot, NoList> {
    let mut sockets = list(netns)?;
    let denied = name_holders(&mut sockets);
    let mut processes = BTreeMap::new();
    for holder in sockets.iter().flat_map(|socket| &socket.holders) {
        processes.entry(holder.pid).or_insert_with(|| usage(holder));
    }
    Ok(Snapshot { sockets, processes, denied, is_saved: false, is_partial: false })
}

/// Lists the sockets alone.
///
/// # Errors
/// If there is no such namespace or process, or its list cannot be read.
pub fn list(netns: &Netns) -> Result<Vec<Socket>, NoList> {
    let mut sockets = Vec::new();
    for place in places(netns)? {
        let entries = match place.entries() {
            Err(error) if *netns == Netns::All && place.is_passed_over(&error) => continue,
            entries => entries?,
        };
        let named = |entry| socket(entry, place.label.clone());
        let mut found = once(entries.into_iter().map(named));
        place.add_diag(&mut found);
        sockets.extend(found);
    }
    Ok(sockets)
}

/// The kernel writes its list piece by piece, and what comes or goes meanwhile moves the rest: a socket can stand in it
/// twice. It is one, as it was last.
fn once(sockets: impl Iterator<Item = Socket>) -> Vec<Socket> {
    let (mut all, mut places) = (Vec::<Socket>::new(), HashMap::new());
    for socket in sockets {
        let place = *places.entry((socket.local, socket.peer, socket.inode)).or_insert(all.len());
        match all.get_mut(place) {
            Some(before) => *before = socket,
            None => all.push(socket),
        }
    }
    all
}

/// Finds who holds these sockets. Returns how many processes may not be looked into.
pub fn name_holders(sockets: &mut [Socket]) -> u64 {
    let inodes = sockets.iter().map(|socket| socket.inode).filter(|inode| *inode != 0);
    let mut held = Holders::of(inodes.collect());
    if !held.wanted.is_empty() {
        held.scan();
    }
    for socket in sockets {
        socket.holders = held.by_inode.remove(&socket.inode).unwrap_or_default();
    }
    held.denied
}

/// One network namespace: how to read it, and what to call it.
struct Namespace {
    entry: Entry,
    label: Option<String>,
}

enum Entry {
    /// Through a process that is in it.
    Through(i32),
    /// By entering it: no process is in it.
    Entering(String),
}

fn places(netns: &Netns) -> Result<Vec<Namespace>, NoList> {
    let through = |pid, label| vec![Namespace { entry: Entry::Through(pid), label }];
    Ok(match netns {
        Netns::Own => through(rustix::process::getpid().as_raw_nonzero().get(), None),
        Netns::Pid(pid) if is_there(*pid) => through(*pid, Some(pid.to_string())),
        Netns::Pid(pid) => return Err(NoList::NoProcess(*pid)),
        Netns::Named(name) => {
            let path = format!("{NAMED}/{name}");
            let inode = fs::metadata(&path).map_err(|_| NoList::NoNamespace(name.clone()))?.ino();
            let member = members().into_iter().find(|(ns, ..)| *ns == inode);
            let entry = match member {
                Some((_, pid, _)) => Entry::Through(pid),
                None => Entry::Entering(path),
            };
            vec![Namespace { entry, label: Some(name.clone()) }]
        }
        Netns::All => everywhere(),
    })
}

/// Every network namespace: those that a process is in, and named ones that none is in.
fn everywhere() -> Vec<Namespace> {
    let named = fs::read_dir(NAMED).into_iter().flatten().flatten().filter_map(|entry| {
        let inode = fs::metadata(entry.path()).ok()?.ino();
        Some((inode, entry.file_name().into_string().ok()?))
    });
    let mut named: BTreeMap<u64, String> = named.collect();
    let through = |(inode, pid, command)| Namespace {
        entry: Entry::Through(pid),
        label: Some(match named.remove(&inode) {
            Some(name) => printable(&name),
            None => format!("{command}[{pid}]"),
        }),
    };
    let mut all: Vec<Namespace> = members().into_iter().map(through).collect();
    let mut named: Vec<String> = named.into_values().collect();
    named.sort();
    all.extend(named.into_iter().map(|name| Namespace {
        entry: Entry::Entering(format!("{NAMED}/{name}")),
        label: Some(printable(&name)),
    }));
    all
}

/// Every network namespace that a process is in, by its inode, with the lowest such process.
fn members() -> Vec<(u64, i32, String)> {
    let mut found = BTreeMap::new();
    for process in all_processes().into_iter().flatten().flatten() {
        let pid = process.pid();
        if let Ok(metadata) = fs::metadata(format!("/proc/{pid}/ns/net")) {
            let lowest: &mut i32 = found.entry(metadata.ino()).or_insert(pid);
            *lowest = pid.min(*lowest);
        }
    }
    let named = |(inode, pid)| (inode, pid, command(pid));
    let mut members: Vec<_> = found.into_iter().map(named).collect();
    members.sort_by_key(|(_, pid, _)| *pid);
    members
}

/// Counts processes of which it may not be seen in which network namespace they are.
pub fn elsewhere() -> u64 {
    let is_hidden = |pid: i32| {
        fs::metadata(format!("/proc/{pid}/ns/net")).is_err_and(|error| is_denied(&error))
    };
    let all = all_processes().into_iter().flatten().flatten();
    all.filter(|process| is_hidden(process.pid())).count() as u64
}

/// Counts named network namespaces that may not be entered, and that no process is seen in.
pub fn sealed() -> u64 {
    let is_sealed = |place: &Namespace| match &place.entry {
        Entry::Through(_) => false,
        Entry::Entering(path) => inside(path, || ()).is_err_and(|error| is_denied(&error)),
    };
    everywhere().iter().filter(|place| is_sealed(place)).count() as u64
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Tells whether there is such a process.
pub fn is_there(pid: i32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(false)
}

/// Octets of a process's name, at most (`TASK_COMM_LEN`, less its end).
const COMM: usize = 15;

fn command(pid: i32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = name.trim_ascii_end();
    // A process can call itself anything, and the kernel cuts it within a character.
    let cut = std::str::from_utf8(name).err().filter(|cut| cut.error_len().is_none());
    let end = cut.filter(|_| name.len() == COMM).map_or(name.len(), |cut| cut.valid_up_to());
    printable(&String::from_utf8_lossy(&name[..end]))
}

impl Namespace {
    /// May it be passed over where all are looked at? A process that ended between two reads has taken its namespace along,
    /// and what may not be entered is [counted](sealed).
    fn is_passed_over(&self, error: &NoList) -> bool {
        let NoList::Unreadable { error, .. } = error else { return false };
        let is_entered = matches!(self.entry, Entry::Entering(_));
        error.kind() == io::ErrorKind::NotFound || is_entered && is_denied(error)
    }

    fn entries(&self) -> Result<Vec<TcpNetEntry>, NoList> {
        match &self.entry {
            Entry::Through(pid) => read_lists(&format!("/proc/{pid}/net")),
            Entry::Entering(path) => inside(path, || read_lists("/proc/thread-self/net"))
                .map_err(|error| NoList::Unreadable { what: path.clone(), error })?,
        }
    }

    fn speaks_multipath(&self) -> bool {
        match &self.entry {
            Entry::Through(pid) => multipath::is_spoken(&format!("/proc/{pid}/net")),
            Entry::Entering(path) => {
                inside(path, || multipath::is_spoken("/proc/thread-self/net")).unwrap_or_default()
            }
        }
    }

    /// Adds what only sock_diag tells of those in CLOSE-WAIT: since when nothing has come, and which they are of Multipath
    /// TCP. It stays unknown where the kernel has no sock_diag, or lets nobody in.
    fn add_diag(&self, sockets: &mut [Socket]) {
        if !sockets.iter().any(Socket::is_stuck) && !self.speaks_multipath() {
            return;
        }
        let inode = |path: &str| fs::metadata(path).map(|metadata| metadata.ino()).ok();
        let path = match &self.entry {
            Entry::Through(pid) => format!("/proc/{pid}/ns/net"),
            Entry::Entering(path) => path.clone(),
        };
        let stuck = match inode(&path) == inode("/proc/self/ns/net") {
            true => stuck_by_diag(),
            false => inside(&path, stuck_by_diag).unwrap_or_default(),
        };
        let by_ends: HashMap<_, _> =
            stuck.iter().map(|socket| ((socket.local, socket.peer), socket)).collect();
        for socket in sockets {
            let now = by_ends.get(&(socket.local, socket.peer));
            match now.filter(|now| now.inode == socket.inode) {
                Some(now) => *socket = Socket { netns: socket.netns.take(), ..(*now).clone() },
                None if socket.is_stuck() => socket.silence = now.and_then(|now| now.silence),
                None => {}
            }
        }
    }
}

#[cfg(feature = "cli")]
fn stuck_by_diag() -> Vec<Socket> {
    super::diag::sockets(&[], true).unwrap_or_default()
}

#[cfg(not(feature = "cli"))]
fn stuck_by_diag() -> Vec<Socket> {
    Vec::new()
}

/// `tcp` and `tcp6` of a folder; a kernel without IPv6 has only the first.
fn read_lists(folder: &str) -> Result<Vec<TcpNetEntry>, NoList> {
    let mut entries = Vec::new();
    for name in ["tcp", "tcp6"] {
        let path = format!("{folder}/{name}");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && name == "tcp6" => continue,
            Err(error) => return Err(NoList::Unreadable { what: path, error }),
        };
        let reader = io::BufReader::with_capacity(1 << 20, file);
        match TcpNetEntries::from_buf_read(reader, current_system_info()) {
            Ok(TcpNetEntries(list)) => entries.extend(list),
            Err(error) => {
                let error = io::Error::other(error.to_string());
                return Err(NoList::Unreadable { what: path, error });
            }
        }
    }
    Ok(entries)
}

/// Moves the calling thread into a network namespace, for good.
///
/// # Errors
/// If there is no such namespace or process, or the thread may not enter it.
pub fn enter(netns: &Netns) -> Result<(), NoList> {
    let path = match netns {
        Netns::Own | Netns::All => return Ok(()),
        Netns::Named(name) => Path::new(NAMED).join(name),
        Netns::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
    };
    let namespace = File::open(&path).map_err(|error| match (error.kind(), netns) {
        (io::ErrorKind::NotFound, Netns::Named(name)) => NoList::NoNamespace(printable(name)),
        (io::ErrorKind::NotFound, Netns::Pid(pid)) => NoList::NoProcess(*pid),
        _ => NoList::Unreadable { what: printable(&path.to_string_lossy()), error },
    })?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).map_err(
        |error| NoList::Unreadable {
            what: printable(&path.to_string_lossy()),
            error: error.into(),
        },
    )
}

/// Looks in a thread that has entered the namespace, so that nothing else moves.
fn inside<T: Send + 'static>(
    path: &str,
    look: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let namespace = File::open(path)?;
    let look = move || {
        let network = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), network)?;
        Ok(look())
    };
    let ended = |_| Err(io::Error::other("the reading thread ended"));
    thread::Builder::new().spawn(look)?.join().unwrap_or_else(ended)
}

fn socket(entry: TcpNetEntry, netns: Option<String>) -> Socket {
    Socket {
        local: endpoint(entry.local_address),
        peer: endpoint(entry.remote_address),
        state: state(&entry.state),
        is_assumed: false,
        recv_q: Some(entry.rx_queue),
        send_q: Some(entry.tx_queue),
        inode: entry.inode,
        holders: Vec::new(),
        netns,
        is_unseen: false,
        silence: None,
        code: None,
    }
}

fn state(state: &TcpState) -> State {
    match state {
        TcpState::Established => State::Established,
        TcpState::SynSent => State::SynSent,
        TcpState::SynRecv | TcpState::NewSynRecv => State::SynReceived,
        TcpState::FinWait1 => State::FinWait1,
        TcpState::FinWait2 => State::FinWait2,
        TcpState::TimeWait => State::TimeWait,
        TcpState::Close => State::Closed,
        TcpState::CloseWait => State::CloseWait,
        TcpState::LastAck => State::LastAck,
        TcpState::Listen => State::Listen,
        TcpState::Closing => State::Closing,
    }
}

/// The holders of some sockets, by all processes' descriptors.
struct Holders {
    wanted: HashSet<u64>,
    by_inode: HashMap<u64, Vec<Holder>>,
    denied: u64,
}

impl Holders {
    fn of(wanted: HashSet<u64>) -> Holders {
        Holders { wanted, by_inode: HashMap::new(), denied: 0 }
    }

    fn scan(&mut self) {
        for process in all_processes().into_iter().flatten().flatten() {
            match descriptors_of(process.pid()) {
                Ok(mut descriptors) => {
                    descriptors.retain(|(inode, _)| self.wanted.contains(inode));
                    self.add(&process, &descriptors);
                }
                Err(Errno::ACCESS | Errno::PERM) => self.denied += 1,
                Err(_) => {}
            }
        }
        for holders in self.by_inode.values_mut() {
            holders.sort();
        }
    }

    fn add(&mut self, process: &Process, descriptors: &[(u64, i32)]) {
        let mut name = None;
        for &(inode, fd) in descriptors {
            let (command, uid) =
                name.get_or_insert_with(|| (command(process.pid()), process.uid().ok())).clone();
            let holder = Holder { pid: process.pid(), command, fd: Some(fd), uid };
            self.by_inode.entry(inode).or_default().push(holder);
        }
    }
}

/// The descriptors of a process that are sockets, by their inodes. One whose first thread has ended shows none: the
/// others have them still.
fn descriptors_of(pid: i32) -> rustix::io::Result<Vec<(u64, i32)>> {
    match socket_descriptors(&format!("/proc/{pid}/fd"))? {
        (0, _) => {
            let folders = threads_folders(pid);
            let own = |folder: String| socket_descriptors(&folder).ok();
            let found = folders.filter_map(own).find(|(all, _)| *all > 0);
            Ok(found.map(|(_, found)| found).unwrap_or_default())
        }
        (_, found) => Ok(found),
    }
}

/// The folders of the descriptors of each thread.
fn threads_folders(pid: i32) -> impl Iterator<Item = String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| thread.path().join("fd").to_string_lossy().into_owned())
}

/// Counts the descriptors in a folder, and finds those that are sockets. The crate for this opens and asks about each
/// link as well: of a hundred thousand, that takes half of a look.
fn socket_descriptors(folder: &str) -> rustix::io::Result<(usize, Vec<(u64, i32)>)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(folder, flags, Mode::empty())?;
    let (mut all, mut found, mut target) = (0, Vec::new(), Vec::new());
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        all += usize::from(!entry.file_name().to_bytes().starts_with(b"."));
        // Closed since, perhaps.
        let Ok(read) = readlinkat(&folder, entry.file_name(), target) else {
            target = Vec::new();
            continue;
        };
        let fd = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
        if let (Ok(Ok(FDTarget::Socket(inode))), Some(fd)) = (read.to_str().map(str::parse), fd) {
            found.push((inode, fd));
        }
        target = read.into_bytes();
    }
    Ok((all, found))
}

/// Counts the descriptors of a process.
pub fn usage(holder: &Holder) -> Usage {
    let process = Process::new(holder.pid);
    let limit = process.as_ref().ok().and_then(|process| process.limits().ok());
    let limit = limit.and_then(|limits| match limits.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    });
    let in_use = process.ok().and_then(|process| count_descriptors(process.pid()));
    Usage { command: holder.command.clone(), limit, in_use: in_use.map(|n| n as u64) }
}

/// Counts them. A process whose first thread has ended has none there, and all with the others.
fn count_descriptors(pid: i32) -> Option<usize> {
    match descriptors_in(&format!("/proc/{pid}/fd"))? {
        0 => threads_folders(pid).filter_map(|folder| descriptors_in(&folder)).max(),
        count => Some(count),
    }
}

/// Linux 6.2 and later tells their number as the size of the folder.
fn descriptors_in(folder: &str) -> Option<usize> {
    match fs::metadata(folder).ok()?.len() {
        0 => fs::read_dir(folder).ok().map(Iterator::count),
        size => usize::try_from(size).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_listed_twice_is_one() {
        let row = |at: usize, peer: &str, state: &str, inode: u64| {
            format!(
                "   {at}: 0100007F:9C40 {peer} {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1 0 100 0 0 10 0\n"
            )
        };
        let (peer, nobody) = ("0200007F:0CEA", "00000000:0000");
        // Two that listen at one port are two.
        let rows =
            [(peer, "01", 7), (nobody, "0A", 8), (nobody, "0A", 9), (peer, "08", 7)].into_iter();
        let rows = rows.enumerate().map(|(at, (peer, state, inode))| row(at, peer, state, inode));
        let text = format!("  sl  local_address …\n{}", rows.collect::<String>());
        let list = TcpNetEntries::from_buf_read(text.as_bytes(), current_system_info());
        let entries = list.expect("a list").0.into_iter();
        let all = once(entries.map(|entry| socket(entry, None)));
        let states: Vec<(u64, State)> = all.iter().map(|it| (it.inode, it.state)).collect();
        assert_eq!(states, [(7, State::CloseWait), (8, State::Listen), (9, State::Listen)]);
    }
}
