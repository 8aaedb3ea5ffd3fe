//! The classic pcap format: one header, then packets. Both byte orders, micro- and nanoseconds.

use pcap_parser::{
    PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use super::buffer::Buffer;
use super::file::{Broken, Record};
use super::{About, LinkType};
use crate::place::Time;

/// libpcap's MAXIMUM_SNAPLEN: a longer packet is a damaged length.
const MAX_PACKET: u32 = 262_144;

/// And no snap length in a header raises that beyond this.
const MAX_CLAIMED: u32 = 16 << 20;

pub struct Classic {
    header: PcapHeader,
    link: LinkType,
}

const HEADER_LEN: usize = 24;

impl Classic {
    /// Reads the file header, whose first four bytes are known to be one of pcap's magic numbers.
    pub fn open(buffer: &mut Buffer, about: &mut About) -> Result<Classic, Broken> {
        let (_, header) = match parse_pcap_header(buffer.peek(HEADER_LEN)?) {
            Ok(parsed) => parsed,
            Err(_) => return Err(Broken::CutOff),
        };
        buffer.consume(HEADER_LEN);
        // The upper half holds the length of the frame check sequence, which the decoder never needs.
        let link = LinkType((header.network.0 & 0xffff) as u16);
        about.links.insert(link);
        about.snap_lengths.insert(header.snaplen);
        Ok(Classic { header, link })
    }

    fn header_len(&self) -> usize {
        if self.header.is_modified_format() { 24 } else { 16 }
    }

    pub fn digits(&self) -> u8 {
        if self.header.is_nanosecond_precision() { 9 } else { 6 }
    }

    /// Finds the next record in the buffer.
    pub fn locate(&mut self, buffer: &mut Buffer) -> Result<Option<Record>, Broken> {
        let head = self.header_len();
        let big_endian = self.header.is_bigendian();
        let peeked = buffer.peek(head)?;
        if peeked.is_empty() {
            return Ok(None);
        }
        let Some(Ok(len)) = peeked.get(8..12).map(<[u8; 4]>::try_from) else {
            return Err(Broken::CutOff);
        };
        let captured = if big_endian { u32::from_be_bytes(len) } else { u32::from_le_bytes(len) };
        if captured > MAX_PACKET.max(self.header.snaplen.min(MAX_CLAIMED)) {
            let what = format!("a packet claims {captured} bytes");
            return Err(Broken::Corrupt(what));
        }
        let whole = head + captured as usize;
        let bytes = buffer.peek(whole)?;
        if bytes.len() < whole {
            return Err(Broken::CutOff);
        }
        let parsed = match (self.header.is_modified_format(), big_endian) {
            (true, _) => parse_pcap_frame_modified(bytes),
            (false, true) => parse_pcap_frame_be(bytes),
            (false, false) => parse_pcap_frame(bytes),
        };
        let Ok((_, block)) = parsed else {
            return Err(Broken::Corrupt("a packet's header makes no sense".into()));
        };
        let unit = if self.header.is_nanosecond_precision() { 1 } else { 1_000 };
        let nanos = u64::from(block.ts_sec) * 1_000_000_000 + u64::from(block.ts_usec) * unit;
        Ok(Some(Record {
            whole,
            data_at: head,
            data_len: captured as usize,
            time: Time::from_nanos(i128::from(nanos)),
            digits: self.digits(),
            interface: 0,
            link: self.link,
            original_len: block.origlen,
            direction: None,
        }))
    }
}
