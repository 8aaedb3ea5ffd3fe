//! Captures cut between packets, wherever asked.

use std::path::Path;

/// A capture file in pieces: what every file of a series begins with, and its packets.
pub struct Pieces {
    pub extension: &'static str,
    /// The beginning of a file that begins with a packet.
    heads: Vec<Vec<u8>>,
    packets: Vec<Vec<u8>>,
}

impl Pieces {
    /// Of a whole capture; `None` where it is no pcap or pcapng, or damaged.
    pub fn of(octets: &[u8]) -> Option<Pieces> {
        match octets.first_chunk::<4>()? {
            [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => Pieces::classic(octets, false),
            [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => Pieces::classic(octets, true),
            [0x0a, 0x0d, 0x0d, 0x0a] => Pieces::pcapng(octets),
            _ => None,
        }
    }

    pub fn len(&self) -> usize {
        self.packets.len()
    }

    fn classic(octets: &[u8], big_endian: bool) -> Option<Pieces> {
        let (head, mut rest) = octets.split_at_checked(24)?;
        let mut packets = Vec::new();
        while !rest.is_empty() {
            let len = u32_at(rest, 8, big_endian)? as usize;
            let (packet, after) = rest.split_at_checked(16 + len)?;
            packets.push(packet.to_vec());
            rest = after;
        }
        Some(Pieces { extension: "pcap", heads: vec![head.to_vec(); packets.len()], packets })
    }

    /// Blocks that are no packets stay before the packet that they came before; those that describe
    /// interfaces stand at the head of every later file, too.
    fn pcapng(octets: &[u8]) -> Option<Pieces> {
        let big_endian = octets.get(8..12)? == [0x1a, 0x2b, 0x3c, 0x4d];
        let (mut head, mut before) = (Vec::new(), Vec::new());
        let (mut heads, mut packets): (Vec<Vec<u8>>, Vec<Vec<u8>>) = Default::default();
        let mut rest = octets;
        while !rest.is_empty() {
            let kind = u32_at(rest, 0, big_endian)?;
            let (block, after) = rest.split_at_checked(u32_at(rest, 4, big_endian)? as usize)?;
            rest = after;
            match kind {
                // A second section would begin with interfaces of its own.
                0x0a0d_0d0a if !head.is_empty() => return None,
                0x0a0d_0d0a | 1 => {
                    before.extend(block);
                    head.extend(block);
                }
                2 | 3 | 6 => {
                    let described: Vec<u8> = head.clone();
                    heads.push(described);
                    before.extend(block);
                    packets.push(std::mem::take(&mut before));
                }
                _ => before.extend(block),
            }
        }
        // The first file has its head in its first packet.
        packets.last_mut()?.extend(before);
        Some(Pieces { extension: "pcapng", heads, packets })
    }

    /// Writes a series of files into a folder, cut before these packets. Returns their paths.
    pub fn write(&self, cuts: &[usize], folder: &Path) -> Vec<String> {
        let ends = cuts.iter().copied().chain([self.packets.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let files = starts.zip(ends).enumerate().map(|(number, (start, end))| {
            let mut octets = match (self.extension, start) {
                ("pcapng", 0) => Vec::new(),
                _ => self.heads[start].clone(),
            };
            // Interfaces described just before the cut stand in the head already.
            let packets = self.packets[start..end].iter().enumerate();
            packets.for_each(|(at, packet)| match (self.extension, at + start) {
                ("pcapng", place) if at == 0 && place > 0 => octets.extend(packet_block(packet)),
                _ => octets.extend(packet),
            });
            // Not consecutive: names that count would show which are missing.
            let path = folder.join(format!("p-{:05}.{}", 10 * number, self.extension));
            std::fs::write(&path, octets).expect("a writable folder");
            path.to_str().expect("UTF-8").to_owned()
        });
        files.collect()
    }
}

/// The blocks before a packet that do not describe interfaces, and the packet.
fn packet_block(mut blocks: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let little = |at: &[u8]| u32_at(at, 4, false).filter(|len| *len as usize <= at.len());
    while let Some(len) = little(blocks).or_else(|| u32_at(blocks, 4, true)) {
        let Some((block, after)) = blocks.split_at_checked(len as usize) else { break };
        let is_head = [[0x0a, 0x0d, 0x0d, 0x0a], [1, 0, 0, 0], [0, 0, 0, 1]]
            .iter()
            .any(|kind| block.starts_with(kind));
        if !is_head {
            kept.extend(block);
        }
        blocks = after;
        if blocks.is_empty() {
            break;
        }
    }
    kept
}

fn u32_at(octets: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let number = *octets.get(at..)?.first_chunk()?;
    Some(if big_endian { u32::from_be_bytes(number) } else { u32::from_le_bytes(number) })
}
