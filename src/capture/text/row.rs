//! One line of Wireshark's lists, taken apart: times, ends, and the packet as far as it is TCP to Wireshark.

use super::info::Info;
use super::stamp::Stamp;
use crate::tcp::segment::Flags;

/// One line, taken apart.
#[derive(Default)]
pub struct Row<'a> {
    /// All times on it, of which one is the packet's.
    pub times: Vec<Stamp>,
    /// The sender's address, or its name.
    pub from: &'a str,
    /// The receiver's.
    pub to: &'a str,
    /// The highest protocol, by Wireshark's name.
    pub protocol: &'a str,
    /// Octets of the whole frame.
    pub frame_len: Option<u32>,
    /// The packet, as far as it is TCP to Wireshark.
    pub packet: Packet<'a>,
}

/// The packet of a line.
#[derive(Default)]
pub enum Packet<'a> {
    /// A segment of TCP.
    Tcp {
        /// Numbers or services.
        ports: [&'a str; 2],
        /// Control bits.
        flags: Flags,
        /// The sequence number.
        seq: u32,
        /// The acknowledgment number.
        ack: Option<u32>,
        /// Octets of payload.
        len: u32,
        /// The window is 0.
        shut: bool,
        /// The numbers are those of the wire.
        raw: bool,
        /// Wireshark knows these numbers already.
        again: bool,
        /// Wireshark takes it for the first packet of another connection.
        reused: bool,
    },
    /// It should be, but cannot be read.
    Unread,
    /// Another one.
    #[default]
    Other,
}

impl<'a> From<Info<'a>> for Packet<'a> {
    fn from(info: Info<'a>) -> Packet<'a> {
        let Info { ports, flags, seq, ack, len, shut, again, reused, .. } = info;
        Packet::Tcp { ports, flags, seq, ack, len, shut, raw: false, again, reused }
    }
}

/// Is it a segment of TCP that is shown as the message which it is a part of, without its own numbers?
pub fn is_part_of_message(line: &str) -> bool {
    !line.contains("Seq=")
        && (line.contains("of a reassembled PDU]") || line.contains("[TCP PDU reassembled in "))
}
