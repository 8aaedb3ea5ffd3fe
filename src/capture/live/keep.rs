//! Packets kept in a file while they are captured: pcapng, so that interfaces, addresses and drops are in it too, and it is
//! judged again as it was.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::capture::LinkType;
use crate::capture::write::{Described, PacketToWrite, Writer};
use crate::place::Time;
use crate::tcp::holes::Holes;

/// Octets of a packet's block around its data.
const PACKET_OCTETS: u64 = 32;

/// An output that counts what it takes.
struct Counted {
    out: Box<dyn Write + Send>,
    taken: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let n = self.out.write(octets)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that packets go to as they come.
pub struct Keep {
    writer: Writer<BufWriter<Counted>>,
    /// Something waits in memory.
    is_ahead: bool,
    /// Packets so far, and how many of them are in the file for certain.
    packets: u64,
    in_file: u64,
    /// Octets that the file has taken, and how many those were when this was last looked at.
    taken: Arc<AtomicU64>,
    seen: u64,
    /// Octets of packets so far, as they are in the file.
    pub octets: u64,
}

impl Keep {
    /// Begins the file: interfaces, by name and link type, and the addresses of all.
    pub fn begin<'a>(
        out: impl Write + Send + 'static,
        interfaces: impl Iterator<Item = (&'a str, LinkType)>,
        addresses: &BTreeSet<IpAddr>,
        snap_len: u32,
    ) -> io::Result<Keep> {
        let taken = Arc::<AtomicU64>::default();
        let out = Counted { out: Box::new(out), taken: Arc::clone(&taken) };
        let mut writer = Writer::new(BufWriter::new(out), "captured by closewait live")?;
        let mut addresses = addresses.clone();
        for (name, link) in interfaces {
            // All of them at the first: they tell who is local, wherever a packet was seen.
            let addresses = std::mem::take(&mut addresses);
            let name = name.to_owned();
            writer.interface(&Described { link, snap_len, name, addresses, digits: 6 })?;
        }
        Ok(Keep { writer, is_ahead: true, packets: 0, in_file: 0, taken, seen: 0, octets: 0 })
    }

    /// The packets that the file has: what waits in memory may never come there.
    pub fn in_file(&self) -> u64 {
        self.in_file
    }

    pub fn packet(
        &mut self,
        interface: usize,
        time: Time,
        original_len: u32,
        data: &[u8],
    ) -> io::Result<()> {
        self.is_ahead = true;
        self.octets += PACKET_OCTETS + data.len().next_multiple_of(4) as u64;
        let data = Cow::Borrowed(data);
        let packet = PacketToWrite { time, original_len, direction: None, data, comment: None };
        self.writer.packet(interface as u32, &packet)?;
        // Memory was full, and all before this one was written.
        let taken = self.taken.load(Ordering::Relaxed);
        if std::mem::replace(&mut self.seen, taken) != taken {
            self.in_file = self.packets;
        }
        self.packets += 1;
        Ok(())
    }

    /// Writes a comment beside the packets.
    pub fn comment(&mut self, at: Time, text: &str) -> io::Result<()> {
        self.is_ahead = true;
        self.octets += PACKET_OCTETS + text.len() as u64;
        self.writer.comment(0, at, text)
    }

    /// In a pause, writes what waits: a program that is killed then has lost nothing.
    pub fn pause(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_ahead) {
            self.writer.flush()?;
            self.in_file = self.packets;
        }
        Ok(())
    }

    /// Ends the file: until when it was captured, and what each interface lost. Nothing can be written to it any more.
    pub fn end(&mut self, until: Time, drops: impl Iterator<Item = u64>) -> io::Result<()> {
        self.pause()?;
        for (interface, drops) in drops.enumerate() {
            self.writer.statistics(interface as u32, until, drops, Holes::default())?;
        }
        self.writer.flush()
    }
}
