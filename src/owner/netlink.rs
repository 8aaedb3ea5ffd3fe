//! Questions to the kernel by netlink(7), and its answers.

use std::io;

use netlink_packet_core::{NetlinkDeserializable, NetlinkMessage, NetlinkPayload};
use netlink_sys::{Socket, SocketAddr};

/// Octets of a datagram from the kernel, at most (netlink(7): 8 KiB, or a page if that is more).
const LONGEST: usize = 64 * 1_024;

/// A socket to one of the kernel's families.
pub struct Netlink {
    socket: Socket,
    received: Vec<u8>,
}

impl Netlink {
    /// Opens one, of such a protocol.
    ///
    /// # Errors
    /// If the kernel has none.
    pub fn open(protocol: isize) -> io::Result<Netlink> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        Ok(Netlink { socket, received: vec![0; LONGEST] })
    }

    /// Sends a request, and hands on each message of the answer: of a dump, until the kernel says that this was the last.
    ///
    /// # Errors
    /// If the kernel refuses, or its answer cannot be read.
    pub fn ask<M: NetlinkDeserializable>(
        &mut self,
        request: &[u8],
        is_dump: bool,
        mut take: impl FnMut(M),
    ) -> io::Result<()> {
        self.socket.send_to(request, &SocketAddr::new(0, 0), 0)?;
        while self.receive(is_dump, &mut take)? {}
        Ok(())
    }

    /// Takes one datagram, of one message or several. True if more are to come.
    fn receive<M: NetlinkDeserializable>(
        &mut self,
        is_dump: bool,
        take: &mut impl FnMut(M),
    ) -> io::Result<bool> {
        let len = self.socket.recv(&mut &mut self.received[..], 0)?;
        let mut rest = self.received.get(..len).unwrap_or_default();
        while !rest.is_empty() {
            let message = NetlinkMessage::<M>::deserialize(rest)
                .map_err(|error| io::Error::other(error.to_string()))?;
            match message.payload {
                NetlinkPayload::InnerMessage(message) => take(message),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::Done(_) => return Ok(false),
                _ => {}
            }
            // Messages are aligned to four octets.
            let next = (message.header.length as usize).max(1).next_multiple_of(4);
            rest = rest.get(next..).unwrap_or_default();
        }
        Ok(is_dump)
    }
}
