//! The answering side: what the kernel lists, and who holds it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, BufRead, BufWriter, Write};
use std::net::SocketAddr;

use super::{Lines, Question, SocketLine};
use crate::code::watch::Watch;
use crate::code::{Asked, Code, Trace};
use crate::owner::kernel::{Netns, NoList, list, name_holders, usage};
use crate::owner::rtnetlink::links;
use crate::owner::{Socket, Usage, diag};

/// Octets that a pipe holds.
const PIPE: usize = 64 << 10;

/// Answers every question that comes through `input`, until it is closed. With a `watch`, the code behind
/// the sockets, too.
///
/// # Errors
/// If a line is not a question, or the output is closed.
pub fn serve(input: impl BufRead, output: impl Write, mut watch: Option<Watch>) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(PIPE, output);
    for line in input.lines() {
        let question: Question = serde_json::from_str(&line?)?;
        serde_json::to_writer(&mut output, &answer(&question, watch.as_mut()))?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(question: &Question, mut watch: Option<&mut Watch>) -> Lines {
    let mut sockets = match question.stuck || !question.ends.is_empty() {
        true => matching(question),
        false => None,
    };
    if let (Some(sockets), Some(watch)) = (&mut sockets, watch.as_deref_mut()) {
        add_code(sockets, &question.asked, watch);
    }
    let used = sockets.iter().map(|sockets| usages(sockets));
    let usage = used.flatten().collect();
    let sockets = sockets.map(|sockets| sockets.into_iter().map(SocketLine::from).collect());
    let code_lost = watch.map(|watch| watch.lost());
    // Without them no address is known to be the host's, and no packet to pass elsewhere.
    let links = links().unwrap_or_default();
    Lines { sockets, links, usage, code_lost, forwards: forwards() }
}

/// Tells whether the kernel passes on packets between other hosts, or containers.
fn forwards() -> bool {
    let is_set = |name| fs::read_to_string(name).is_ok_and(|value| value.trim() != "0");
    is_set("/proc/sys/net/ipv4/ip_forward") || is_set("/proc/sys/net/ipv6/conf/all/forwarding")
}

/// The descriptors of the processes that hold sockets in CLOSE-WAIT.
fn usages(sockets: &[Socket]) -> BTreeMap<i32, Usage> {
    let mut usages = BTreeMap::new();
    let stuck = sockets.iter().filter(|socket| socket.is_stuck());
    for holder in stuck.flat_map(|socket| &socket.holders) {
        usages.entry(holder.pid).or_insert_with(|| usage(holder));
    }
    usages
}

fn matching(question: &Question) -> Option<Vec<Socket>> {
    let mut sockets =
        diag::sockets(&question.ends, question.stuck).or_else(|_| from_procfs(question)).ok()?;
    name_holders(&mut sockets);
    Some(sockets)
}

/// Adds the code behind those that are stuck; of those in `asked`, the code that sent some octets, too.
pub fn add_code(
    sockets: &mut [Socket],
    asked: &[(SocketAddr, SocketAddr, Asked)],
    watch: &mut Watch,
) {
    let asked: HashMap<_, _> =
        asked.iter().map(|(local, peer, asked)| ((*local, *peer), asked)).collect();
    for socket in sockets.iter_mut().filter(|socket| socket.is_stuck()) {
        let ends: (SocketAddr, SocketAddr) = (socket.local.into(), socket.peer.into());
        let asked = asked.get(&ends).map_or_else(Asked::default, |asked| (*asked).clone());
        let holders: Vec<i32> = socket.holders.iter().map(|holder| holder.pid).collect();
        let code = watch.code_of((socket.local, socket.peer), socket.inode, &holders, &asked);
        // It waits to be read: nobody has.
        let waits = socket.recv_q.is_some_and(|octets| octets > 0);
        let read = code.end_of_file.filter(|by| !(waits && matches!(by, Trace::Unknown(_))));
        let unread = read.is_none() && waits;
        socket.code = Some(Box::new(Code { unread, end_of_file: read, ..code }));
    }
}

/// A kernel can be without sock_diag.
fn from_procfs(question: &Question) -> Result<Vec<Socket>, NoList> {
    let ends: HashSet<(SocketAddr, SocketAddr)> = question.ends.iter().copied().collect();
    let wanted = |socket: &Socket| {
        question.stuck && socket.is_stuck()
            || ends.contains(&(socket.local.into(), socket.peer.into()))
    };
    let mut sockets = list(&Netns::Own)?;
    sockets.retain(wanted);
    Ok(sockets)
}

impl From<Socket> for SocketLine {
    fn from(socket: Socket) -> SocketLine {
        SocketLine {
            local: socket.local.into(),
            peer: socket.peer.into(),
            state: socket.state.to_string(),
            recv_q: socket.recv_q,
            send_q: socket.send_q,
            inode: socket.inode,
            holders: socket.holders,
            silence: socket.silence,
            code: socket.code,
        }
    }
}
