//! Sockets that have connected, and of which no event has told the ends since.
//!
//! A socket chooses its port only after it was seen to connect, and the kernel tells of it with the next packet.
//! Some kernels keep silent on what a packet does while certain tasks are carried out. So the descriptor through
//! which each has connected is kept until its ends are told: what that is when it is asked about, is the socket.

use std::collections::BTreeMap;

use crate::tcp::segment::Endpoint;

/// The process that connected a socket, the descriptor through which it did, and the socket.
pub type Opened = (u32, u32, u64);

/// Stands for a descriptor that is not known: no process has one of that number.
const UNKNOWN: u32 = u32::MAX;

/// Descriptors that are looked at to find one socket: each takes some microseconds.
pub const MOST_LOOKS: usize = 1_024;

/// All of them, with their peers.
#[derive(Debug, Default)]
pub struct Unnamed(BTreeMap<Opened, Endpoint>);

impl Unnamed {
    pub fn begin(
        &mut self,
        pid: u32,
        descriptor: Option<u32>,
        socket: u64,
        peer: Endpoint,
    ) -> Opened {
        let opened = (pid, descriptor.unwrap_or(UNKNOWN), socket);
        self.0.insert(opened, peer);
        opened
    }

    pub fn end(&mut self, opened: &Opened) {
        self.0.remove(opened);
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the one of a process's to this peer that is this inode. Descriptors are closed, copied and used
    /// again: each of the others must be another socket, or it could as well have been this one.
    pub fn find(
        &self,
        peer: Endpoint,
        processes: &[i32],
        inode: u64,
        inode_of: impl Fn(u32, u32) -> Option<u64>,
    ) -> Option<u64> {
        let pids = processes.iter().filter_map(|pid| u32::try_from(*pid).ok());
        let opened = pids.flat_map(|pid| self.0.range((pid, 0, 0)..=(pid, u32::MAX, u64::MAX)));
        let mut found = None;
        let mut looks = 0..MOST_LOOKS;
        for ((pid, descriptor, socket), _) in opened.filter(|(_, of)| **of == peer) {
            looks.next()?;
            if inode_of(*pid, *descriptor)? == inode && found.replace(*socket).is_some() {
                return None;
            }
        }
        found
    }
}
