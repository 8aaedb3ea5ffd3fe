//! The kernel's word, asked from another process.
//!
//! A process of its own answers ([`serve`]), because the one that reads packets gives up the right to
//! look into others ([`crate::confine`]); and because looking through all descriptors of a busy host
//! takes long, in which packets would be lost ([`client`]). Questions and answers
//! are lines of JSON through its standard input and output.

pub mod client;

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use serde::{Deserialize, Serialize};

use super::kernel::{Netns, NoList, list, name_holders};
use super::{Holder, Socket, diag};
use crate::tcp::segment::Endpoint;

/// What is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Question {
    /// The sockets with these ends, the local one first.
    ends: Vec<(SocketAddr, SocketAddr)>,
    /// Every socket in CLOSE-WAIT, too.
    pub stuck: bool,
}

impl Question {
    pub fn ask_for(&mut self, local: Endpoint, peer: Endpoint) {
        self.ends.push((local.into(), peer.into()));
    }
}

/// The answer, as it travels.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Lines {
    /// `None` if the list cannot be read.
    sockets: Option<Vec<Line>>,
    addresses: Vec<(String, IpAddr)>,
    /// Interfaces that are down.
    down: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    local: SocketAddr,
    peer: SocketAddr,
    state: String,
    recv_q: Option<u32>,
    send_q: Option<u32>,
    inode: u64,
    holders: Vec<Holder>,
}

/// Answers every question that comes through `input`, until it is closed.
pub fn serve(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    for line in input.lines() {
        let question: Question = serde_json::from_str(&line?)?;
        serde_json::to_writer(&mut output, &answer(&question))?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(question: &Question) -> Lines {
    let sockets = match question.stuck || !question.ends.is_empty() {
        true => matching(question),
        false => None,
    };
    let sockets = sockets.map(|sockets| sockets.into_iter().map(Line::from).collect());
    let interfaces: Vec<InterfaceAddress> = getifaddrs().into_iter().flatten().collect();
    let is_down = |it: &&InterfaceAddress| !it.flags.contains(InterfaceFlags::IFF_UP);
    let down = interfaces.iter().filter(is_down).map(|it| it.interface_name.clone()).collect();
    Lines { sockets, addresses: addresses(interfaces), down }
}

fn matching(question: &Question) -> Option<Vec<Socket>> {
    let mut sockets =
        diag::sockets(&question.ends, question.stuck).or_else(|_| from_procfs(question)).ok()?;
    name_holders(&mut sockets);
    Some(sockets)
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

/// This host's, with their interfaces.
fn addresses(interfaces: Vec<InterfaceAddress>) -> Vec<(String, IpAddr)> {
    let with_ip = |interface: InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let ip = v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())));
        Some((interface.interface_name, ip?))
    };
    interfaces.into_iter().filter_map(with_ip).collect()
}

impl From<Socket> for Line {
    fn from(socket: Socket) -> Line {
        Line {
            local: socket.local.into(),
            peer: socket.peer.into(),
            state: socket.state.to_string(),
            recv_q: socket.recv_q,
            send_q: socket.send_q,
            inode: socket.inode,
            holders: socket.holders,
        }
    }
}

impl Line {
    fn socket(self) -> Option<Socket> {
        Some(Socket {
            local: self.local.into(),
            peer: self.peer.into(),
            state: self.state.parse().ok()?,
            recv_q: self.recv_q,
            send_q: self.send_q,
            inode: self.inode,
            holders: self.holders,
            netns: None,
        })
    }
}
