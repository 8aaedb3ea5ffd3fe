//! The kernel's word, asked from another process.
//!
//! A process of its own answers (`closewait lookup`), because the one that reads packets gives up the
//! right to look into others; and because looking through all descriptors of a busy host
//! takes long, in which packets would be lost ([`client`]). Questions and answers
//! are lines of JSON through its standard input and output.

pub mod client;
#[cfg(feature = "cli")]
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
#[cfg(feature = "cli")]
pub use server::{add_code, serve};

use super::links::Links;
use super::silence::Silence;
use super::{Holder, Socket, Usage};
use crate::code::{Asked, Code};
use crate::tcp::segment::Endpoint;

/// A question about sockets, for the process that may look.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Question {
    /// The sockets with these ends, the local one first.
    ends: Vec<(SocketAddr, SocketAddr)>,
    /// Every socket in CLOSE-WAIT, too.
    pub stuck: bool,
    /// The octets of some of them whose senders are asked for.
    asked: Vec<(SocketAddr, SocketAddr, Asked)>,
}

impl Question {
    /// Adds the socket with these ends.
    pub fn ask_for(&mut self, local: Endpoint, peer: Endpoint) {
        self.ends.push((local.into(), peer.into()));
    }

    /// Asks for the code that sent these octets of a socket.
    pub fn ask_for_code(&mut self, local: Endpoint, peer: Endpoint, asked: Asked) {
        self.asked.push((local.into(), peer.into(), asked));
    }
}

/// The answer, as it travels.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Lines {
    /// `None` if the list cannot be read.
    sockets: Option<Vec<SocketLine>>,
    links: Links,
    /// Events of the code behind sockets that did not arrive, where it is watched.
    code_lost: Option<u64>,
    /// Descriptors of the processes that hold sockets in CLOSE-WAIT, as far as these are in the answer.
    usage: BTreeMap<i32, Usage>,
    /// The host passes others' packets on.
    forwards: bool,
}

/// A socket, as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub struct SocketLine {
    local: SocketAddr,
    peer: SocketAddr,
    state: String,
    recv_q: Option<u32>,
    send_q: Option<u32>,
    inode: u64,
    holders: Vec<Holder>,
    silence: Option<Silence>,
    code: Option<Box<Code>>,
}

impl SocketLine {
    /// Returns the socket, unless its state is none.
    #[must_use]
    pub fn socket(self) -> Option<Socket> {
        Some(Socket {
            local: self.local.into(),
            peer: self.peer.into(),
            state: self.state.parse().ok()?,
            is_assumed: false,
            recv_q: self.recv_q,
            send_q: self.send_q,
            inode: self.inode,
            holders: self.holders,
            netns: None,
            is_unseen: false,
            silence: self.silence,
            code: self.code,
        })
    }
}
