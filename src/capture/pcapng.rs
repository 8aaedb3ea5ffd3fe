//! The pcapng format: sections of blocks; each interface has its own link type, snap length and
//! time resolution.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{
    Block, EnhancedPacketBlock, InterfaceDescriptionBlock, InterfaceStatisticsBlock, NameRecord,
    NameRecordType, OptionCode, PcapNGOption, ProcessInformationBlock, SimplePacketBlock,
    parse_block_be, parse_block_le,
};

use super::buffer::Buffer;
use super::clock::Clock;
use super::process::Process;
use super::record::{Broken, Record};
use super::{About, Ended, LONGEST_COMMENT, LinkType, MOST_COMMENTS};
use crate::names;
use crate::place::Time;
use crate::tcp::segment::{Direction, ToldBy, Way};

/// libpcap's limit for one block: a longer one is a damaged length.
const MAX_BLOCK: u32 = 16 << 20;

/// The obsolete packet block can name no more; a section with so many is a damaged or hostile one.
const MAX_INTERFACES: usize = 65_536;

/// The type of a Section Header Block, the same in either byte order: a pcapng file begins with it.
pub const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// shb_userappl.
const USER_APPL: u16 = 4;

/// opt_comment.
const COMMENT: u16 = 1;

/// The name in macOS's own block of a process, and a packet's option that points to the block.
const PROCESS_NAME: u16 = 2;
const PROCESS_INDEX: u16 = 0x8001;

const ENHANCED_PACKET: u32 = 6;
/// Octets of an enhanced packet around its data, without options.
const ENHANCED_PACKET_FRAME: usize = 32;

/// The block type of packets before enhanced ones; the parser leaves it to us.
const OBSOLETE_PACKET: u32 = 2;

/// Sections, interfaces, packets and counts of what was lost.
const NEEDED: [u32; 6] = [0x0a0d_0d0a, 1, OBSOLETE_PACKET, 3, 5, ENHANCED_PACKET];

/// macOS's own, which describes a process.
const PROCESS_INFORMATION: u32 = 0x8000_0001;

/// Its count of packets lost before it, where that is not known.
const GAP_UNKNOWN: u32 = 0xffff;

/// A pcapng file, read block by block: sections, interfaces with their own clocks, statistics, comments.
#[derive(Clone, Default)]
pub struct Pcapng {
    big_endian: bool,
    /// Interfaces of the current section.
    interfaces: Vec<Interface>,
    /// The current section was written by [`super::write`].
    ours: bool,
    /// Processes of the current section, which macOS describes once each.
    processes: Vec<Option<Process>>,
    /// The process of the packet that was read last.
    process: Option<Process>,
    /// In all sections so far. Wider than any count, so that it can go down again.
    drops: u128,
}

#[derive(Clone)]
struct Interface {
    link: LinkType,
    snap_len: u32,
    clock: Clock,
    /// Lost by the interface and by the system, as last said: running totals. A block that says nothing of one leaves it.
    drops: [u64; 2],
    /// Between packets, as the packets tell.
    gaps: u64,
}

impl Pcapng {
    /// An interface's snap length; 0 where not limited, or not described.
    #[must_use]
    pub fn snap_len(&self, id: u32) -> u32 {
        self.interfaces.get(id as usize).map_or(0, |interface| interface.snap_len)
    }

    /// The process of the packet that was read last, if that has one.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Finds the next packet in the buffer, taking in the blocks before it.
    ///
    /// # Errors
    /// If a block is cut off or corrupt, or the input cannot be read.
    pub fn locate(
        &mut self,
        buffer: &mut Buffer,
        about: &mut About,
    ) -> Result<Option<Record>, Broken> {
        loop {
            let Some(len) = self.block_len(buffer)? else {
                return Ok(None);
            };
            let bytes = buffer.peek(len)?;
            if bytes.len() < len {
                return Err(self.ends_within(bytes, len));
            }
            let parse = if self.big_endian { parse_block_be } else { parse_block_le };
            // The block is whole, so "incomplete" would be a length inside it that leads out of it.
            match parse(bytes) {
                Ok((_, block)) => {
                    if let Some(record) = self.take(&block, len, about)? {
                        return Ok(Some(record));
                    }
                }
                Err(_) if self.can_do_without(bytes) => {}
                Err(_) => {
                    let what = "a block's contents do not fit its length";
                    return Err(Broken::Corrupt(what.into()));
                }
            }
            buffer.consume(len);
        }
    }

    /// The packet at the start of these bytes, if it is what nearly all are: an enhanced packet
    /// without options, and all of it is there. The parser crate takes twice as long for it as all
    /// the decoding after it.
    #[inline(always)]
    #[must_use]
    pub fn in_one_piece(&self, bytes: &[u8]) -> Option<Record> {
        let head = bytes.first_chunk::<28>()?;
        let (words, _) = head.as_chunks::<4>();
        let word = |at: usize| match self.big_endian {
            true => u32::from_be_bytes(words[at]),
            false => u32::from_le_bytes(words[at]),
        };
        let (kind, whole, captured) = (word(0), word(1) as usize, word(5));
        let without_options = whole <= MAX_BLOCK as usize
            && whole == ENHANCED_PACKET_FRAME + (captured as usize).next_multiple_of(4);
        if kind != ENHANCED_PACKET || !without_options || bytes.len() < whole {
            return None;
        }
        let trailer = bytes.get(whole - 4..whole)?;
        let interface = self.interfaces.get(word(2) as usize)?;
        if trailer != words[1] {
            return None;
        }
        let ticks = u64::from(word(3)) << 32 | u64::from(word(4));
        Some(Record {
            whole,
            data_at: 28,
            data_len: captured as usize,
            time: interface.clock.time(ticks),
            digits: interface.clock.digits,
            interface: word(2),
            link: interface.link,
            original_len: word(6),
            direction: None,
            has_process: false,
        })
    }

    /// Returns the length of the block that these octets begin with, as it says.
    pub fn whole(&self, octets: &[u8]) -> Option<usize> {
        let len = octets.get(4..8)?.first_chunk()?;
        Some(self.u32(*len) as usize).filter(|len| *len <= MAX_BLOCK as usize)
    }

    /// The length of the next block, and the byte order if it begins a section.
    fn block_len(&mut self, buffer: &mut Buffer) -> Result<Option<usize>, Broken> {
        let head = buffer.peek(12)?;
        if head.is_empty() {
            return Ok(None);
        }
        if head.starts_with(&[0; 8]) {
            return Err(Broken::blank(buffer));
        }
        let Some((kind, rest)) = head.split_first_chunk::<4>() else {
            return Err(Broken::CutOff);
        };
        let Some((len, rest)) = rest.split_first_chunk::<4>() else {
            return Err(Broken::CutOff);
        };
        if *kind == SECTION_HEADER {
            let Some(&order) = rest.first_chunk::<4>() else {
                return Err(Broken::CutOff);
            };
            self.big_endian = match u32::from_be_bytes(order) {
                BYTE_ORDER_MAGIC => true,
                other if other.swap_bytes() == BYTE_ORDER_MAGIC => false,
                _ => return Err(Broken::Corrupt("a section has no byte order".into())),
            };
        }
        let len = self.u32(*len);
        if !(12..=MAX_BLOCK).contains(&len) || !len.is_multiple_of(4) {
            let what = format!("a block claims {len} bytes");
            return Err(Broken::Corrupt(what));
        }
        Ok(Some(len as usize))
    }

    /// Returns why a block runs past the end of the file: its length is damaged where it does not fit the packet in it.
    fn ends_within(&self, bytes: &[u8], len: usize) -> Broken {
        let Some(head) = bytes.first_chunk::<28>() else { return Broken::CutOff };
        let (words, _) = head.as_chunks::<4>();
        let word = |at: usize| self.u32(words[at]);
        if word(0) != ENHANCED_PACKET {
            return Broken::CutOff;
        }
        let (captured, original, snap_len) = (word(5), word(6), self.snap_len(word(2)));
        let bare = (captured as usize).saturating_add(ENHANCED_PACKET_FRAME).next_multiple_of(4);
        // The length of a block stands behind it, too.
        let ends_before = bare < len
            && bytes
                .get(bare - 4..bare)
                .and_then(<[u8]>::first_chunk)
                .is_some_and(|end| self.u32(*end) as usize == bare);
        let is_damaged =
            captured > original || snap_len > 0 && captured > snap_len || bare > len || ends_before;
        match is_damaged {
            true => Broken::Corrupt(format!("a block of {len} bytes has a packet of {captured}")),
            false => Broken::CutOff,
        }
    }

    /// Is a block of no kind that packets need, and as long at its end as it says at its beginning?
    fn can_do_without(&mut self, block: &[u8]) -> bool {
        let ([kind, len, ..], Some(end)) = (block.as_chunks::<4>().0, block.last_chunk()) else {
            return false;
        };
        let kind = self.u32(*kind);
        if kind == PROCESS_INFORMATION && self.processes.len() < MAX_INTERFACES {
            // Packets name the others by their place.
            self.processes.push(None);
        }
        end == len && !NEEDED.contains(&kind)
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn take(
        &mut self,
        block: &Block,
        len: usize,
        about: &mut About,
    ) -> Result<Option<Record>, Broken> {
        match block {
            Block::SectionHeader(section) => {
                self.interfaces.clear();
                self.processes.clear();
                let written_by = section.options.iter().find(|o| o.code == OptionCode(USER_APPL));
                let written_by = written_by.and_then(|option| option.as_bytes().ok());
                self.ours = written_by.is_some_and(|name| name.starts_with(b"closewait "));
            }
            Block::InterfaceDescription(_) if self.interfaces.len() == MAX_INTERFACES => {
                return Err(Broken::Corrupt("it describes too many interfaces".into()));
            }
            Block::InterfaceDescription(described) => {
                let interface = Interface::new(described, self.big_endian);
                about.links.insert(interface.link);
                about.snap_lengths.insert(interface.snap_len);
                about.addresses.extend(addresses(&described.options));
                about.interfaces.extend(name(&described.options));
                self.interfaces.push(interface);
            }
            Block::NameResolution(names) => names.nr.iter().for_each(stand_in),
            Block::InterfaceStatistics(statistics) => {
                about.ended = self.ended(statistics).or(about.ended);
                if self.ours {
                    note_of_ours(&statistics.options, about);
                }
                comment(&statistics.options, about);
                let drops = self.dropped(&statistics.options);
                self.count(statistics.if_id, about, |interface| {
                    let said = interface.drops.iter_mut().zip(drops);
                    said.for_each(|(before, now)| *before = now.unwrap_or(*before));
                });
            }
            Block::EnhancedPacket(packet) => return self.enhanced(packet, len, about).map(Some),
            Block::SimplePacket(packet) => return self.simple(packet, len).map(Some),
            // The parser gives the type of a block that it does not know as if that were little-endian.
            Block::Unknown(block)
                if self.u32(block.block_type.to_le_bytes()) == OBSOLETE_PACKET =>
            {
                return self.obsolete(block.data, len, about).map(Some);
            }
            Block::ProcessInformation(described) => self.describe(described),
            _ => {}
        }
        Ok(None)
    }

    fn describe(&mut self, described: &ProcessInformationBlock) {
        if self.processes.len() < MAX_INTERFACES {
            let mut options = described.options.iter();
            let name = options.find(|option| option.code == OptionCode(PROCESS_NAME));
            let name = name.and_then(|option| option.as_bytes().ok()).unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            let pid = described.process_id.cast_signed();
            self.processes.push(Process::new(pid, &name));
        }
    }

    /// The process that a packet's options name: by its description, or in a comment.
    fn named(&self, options: &[PcapNGOption]) -> Option<Process> {
        let described = option(options, PROCESS_INDEX)
            .and_then(|bytes| self.processes.get(self.u32(bytes) as usize)?.clone());
        let comments = || {
            let comments = options.iter().filter(|option| option.code == OptionCode(COMMENT));
            let mut texts = comments.filter_map(|option| option.as_bytes().ok());
            texts.find_map(|text| Process::of_comment(&String::from_utf8_lossy(text)))
        };
        described.or_else(comments)
    }

    fn enhanced(
        &mut self,
        packet: &EnhancedPacketBlock,
        len: usize,
        about: &mut About,
    ) -> Result<Record, Broken> {
        let flags = option(&packet.options, 2).map(|bytes| self.u32(bytes));
        let gap = option(&packet.options, 4).map(|bytes| self.u64(bytes));
        if let Some(gap) = gap {
            self.count(packet.if_id, about, |interface| {
                interface.gaps = interface.gaps.saturating_add(gap);
            });
        }
        self.process = self.named(&packet.options);
        let has_process = self.process.is_some();
        let interface = self.interface(packet.if_id)?;
        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        Ok(Record {
            whole: len,
            data_at: 28,
            data_len: packet.packet_data().len(),
            time: interface.clock.time(ticks),
            digits: interface.clock.digits,
            interface: packet.if_id,
            link: interface.link,
            original_len: packet.origlen,
            direction: flags.and_then(direction),
            has_process,
        })
    }

    /// A simple packet belongs to the first interface and has no time.
    fn simple(&self, packet: &SimplePacketBlock, len: usize) -> Result<Record, Broken> {
        let interface = self.interface(0)?;
        let limit = match interface.snap_len {
            0 => usize::MAX,
            limit => limit as usize,
        };
        Ok(Record {
            whole: len,
            data_at: 12,
            data_len: packet.packet_data().len().min(limit),
            time: Time::UNKNOWN,
            digits: interface.clock.digits,
            interface: 0,
            link: interface.link,
            original_len: packet.origlen,
            direction: None,
            has_process: false,
        })
    }

    /// The obsolete packet block: interface and drop count (16 bits each), time, lengths, data.
    fn obsolete(&mut self, block: &[u8], len: usize, about: &mut About) -> Result<Record, Broken> {
        let short = || Broken::Corrupt("a packet block is too short".into());
        let word = |at: usize| {
            let bytes = block.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
            bytes.map(|b| self.u32(b)).ok_or_else(short)
        };
        let ids = word(0)?;
        let halves = [ids & 0xffff, ids >> 16];
        let [id, gap] = if self.big_endian { [halves[1], halves[0]] } else { halves };
        let ticks = u64::from(word(4)?) << 32 | u64::from(word(8)?);
        let (captured, original_len) = (word(12)?, word(16)?);
        let captured = captured as usize;
        if block.len() < captured.saturating_add(20) {
            return Err(short());
        }
        if gap != GAP_UNKNOWN {
            self.count(id, about, |interface| {
                interface.gaps = interface.gaps.saturating_add(gap.into());
            });
        }
        let interface = self.interface(id)?;
        Ok(Record {
            whole: len,
            data_at: 28,
            data_len: captured,
            time: interface.clock.time(ticks),
            digits: interface.clock.digits,
            interface: id,
            link: interface.link,
            original_len,
            direction: None,
            has_process: false,
        })
    }

    fn interface(&self, id: u32) -> Result<&Interface, Broken> {
        self.interfaces.get(id as usize).ok_or_else(|| {
            Broken::Corrupt(format!("a packet names interface {id}, which is not described"))
        })
    }

    /// Changes the counts of an interface, and the sum by as much: a file can have many of both.
    fn count(&mut self, id: u32, about: &mut About, change: impl FnOnce(&mut Interface)) {
        if let Some(interface) = self.interfaces.get_mut(id as usize) {
            let before = interface.lost();
            change(interface);
            self.drops = self.drops - before + interface.lost();
            about.drops = u64::try_from(self.drops).unwrap_or(u64::MAX);
        }
    }

    fn u64(&self, bytes: [u8; 8]) -> u64 {
        if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    }

    /// isb_endtime.
    fn ended(&self, statistics: &InterfaceStatisticsBlock) -> Option<Ended> {
        let [high, low] = [0, 4].map(|at| {
            let bytes: [u8; 8] = option(&statistics.options, 3)?;
            Some(self.u32([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
        });
        let interface = self.interfaces.get(statistics.if_id as usize)?;
        let ticks = u64::from(high?) << 32 | u64::from(low?);
        let as_micros = Time::from_nanos(i128::from(ticks) * 1_000);
        Some(Ended { by_clock: interface.clock.time(ticks), as_micros, is_sure: self.ours })
    }

    /// isb_ifdrop and isb_osdrop: lost by the interface, and by the operating system.
    fn dropped(&self, options: &[PcapNGOption]) -> [Option<u64>; 2] {
        [5, 7].map(|code| option(options, code).map(|bytes| self.u64(bytes)))
    }
}

impl Interface {
    fn lost(&self) -> u128 {
        let [interface, system] = self.drops;
        u128::from(interface.saturating_add(system).max(self.gaps))
    }

    fn new(described: &InterfaceDescriptionBlock, big_endian: bool) -> Interface {
        let offset = option(&described.options, 14).map_or(0, |bytes| {
            if big_endian { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) }
        });
        let resolution = option::<1>(&described.options, 9).map_or(6, |[byte]| byte);
        Interface {
            link: LinkType(described.linktype.0 as u16),
            snap_len: described.snaplen,
            clock: Clock::new(resolution, offset),
            drops: [0; 2],
            gaps: 0,
        }
    }
}

/// if_name.
fn name(options: &[PcapNGOption]) -> Option<String> {
    let name = options.iter().find(|option| option.code == OptionCode(2))?;
    Some(String::from_utf8_lossy(name.as_bytes().ok()?).into_owned())
}

/// Keeps a comment, as long as there is room.
fn comment(options: &[PcapNGOption], about: &mut About) {
    let of = |option: &PcapNGOption| {
        option.as_bytes().ok().map(String::from_utf8_lossy).map(String::from)
    };
    let comment = options.iter().find(|option| option.code == OptionCode(COMMENT)).and_then(of);
    let Some(comment) = comment else { return };
    if about.comments.len() < MOST_COMMENTS && comment.len() <= LONGEST_COMMENT {
        about.comments.push(comment);
    }
}

/// Reads what [`super::write`] noted of the capture that its packets were chosen from.
fn note_of_ours(options: &[PcapNGOption], about: &mut About) {
    let comment = options.iter().find(|option| option.code == OptionCode(COMMENT));
    let octets = comment.and_then(|option| option.as_bytes().ok());
    let Some(text) = octets.and_then(|octets| core::str::from_utf8(octets).ok()) else { return };
    about.holes = super::write::holes(text).unwrap_or(about.holes);
    about.bare_acks |= text == super::write::BARE_ACKS;
    if let Some(key) = super::write::ended_elsewhere(text)
        && about.ended_elsewhere.len() < MOST_COMMENTS
    {
        Arc::make_mut(&mut about.ended_elsewhere).insert(key);
    }
}

/// A name that stood in a text in place of this address, when closewait wrote the file. What other
/// programs resolved is left alone.
fn stand_in(record: &NameRecord) {
    let Some((octets, name)) = record.record_value.split_first_chunk::<16>() else { return };
    let name = name.split(|b| *b == 0).next().and_then(|name| std::str::from_utf8(name).ok());
    if record.record_type == NameRecordType::Ipv6 && names::is_stand_in(IpAddr::from(*octets)) {
        // The address is made of the name, so this gives it its name again.
        let _ = name.and_then(names::address);
    }
}

/// The first value of an option, if it has the length it must have.
fn option<const N: usize>(options: &[PcapNGOption], code: u16) -> Option<[u8; N]> {
    let option = options.iter().find(|o| o.code == OptionCode(code))?;
    option.as_bytes().ok()?.try_into().ok()
}

/// epb_flags: its lowest two bits say which way the packet went.
fn direction(flags: u32) -> Option<Direction> {
    let way = match flags & 3 {
        1 => Way::In,
        2 => Way::Out,
        _ => return None,
    };
    let told_by = ToldBy::PacketFlags;
    Some(Direction { way, told_by })
}

/// if_IPv4addr (address and mask) and if_IPv6addr (address and prefix length); both can repeat.
fn addresses(options: &[PcapNGOption]) -> Vec<IpAddr> {
    let address = |option: &PcapNGOption| {
        let bytes = option.as_bytes().ok()?;
        match (option.code.0, bytes.len()) {
            (4, 8) => Some(IpAddr::from(Ipv4Addr::from(*bytes.first_chunk::<4>()?))),
            (5, 17) => Some(IpAddr::from(Ipv6Addr::from(*bytes.first_chunk::<16>()?))),
            _ => None,
        }
    };
    options.iter().filter_map(address).collect()
}
