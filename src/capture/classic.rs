//! The classic pcap format: one header, then packets. Both byte orders, micro- and nanoseconds.

use pcap_parser::{PcapHeader, parse_pcap_header};

use super::buffer::Buffer;
use super::record::{Broken, Record};
use super::{About, LinkType};
use crate::place::Time;

/// libpcap's MAXIMUM_SNAPLEN: a longer packet is a damaged length.
const MAX_PACKET: u32 = 262_144;

/// And no snap length in a header raises that beyond this.
const MAX_CLAIMED: u32 = 16 << 20;

pub struct Classic {
    link: LinkType,
    big_endian: bool,
    /// Nanoseconds in a unit of a record's fraction of a second.
    unit: u64,
    digits: u8,
    /// Octets of a record's header, of which the first 16 are the same in every variant.
    record_header: usize,
    max_packet: u32,
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
        Ok(Classic::new(&header, link))
    }

    fn new(header: &PcapHeader, link: LinkType) -> Classic {
        let nanoseconds = header.is_nanosecond_precision();
        Classic {
            link,
            big_endian: header.is_bigendian(),
            unit: if nanoseconds { 1 } else { 1_000 },
            digits: if nanoseconds { 9 } else { 6 },
            record_header: if header.is_modified_format() { 24 } else { 16 },
            max_packet: MAX_PACKET.max(header.snaplen.min(MAX_CLAIMED)),
        }
    }

    /// Finds the next record in the buffer.
    pub fn locate(&mut self, buffer: &mut Buffer) -> Result<Option<Record>, Broken> {
        let peeked = buffer.peek(self.record_header)?;
        let Some(numbers) = peeked.first_chunk::<16>() else {
            return if peeked.is_empty() { Ok(None) } else { Err(Broken::CutOff) };
        };
        let [_, _, captured, _] = self.numbers(numbers);
        if captured > self.max_packet {
            let what = format!("a packet claims {captured} bytes");
            return Err(Broken::Corrupt(what));
        }
        let whole = self.record_header + captured as usize;
        self.in_one_piece(buffer.peek(whole)?).map(Some).ok_or(Broken::CutOff)
    }

    /// The record at the start of these bytes, if all of it is there.
    ///
    /// Its four numbers are read here and not by the parser crate, which costs as much for each
    /// packet as all the decoding after it.
    #[inline(always)]
    pub fn in_one_piece(&self, bytes: &[u8]) -> Option<Record> {
        let [seconds, fraction, captured, original_len] = self.numbers(bytes.first_chunk()?);
        let whole = self.record_header + captured as usize;
        if bytes.len() < whole || captured > self.max_packet {
            return None;
        }
        let nanos = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit;
        Some(Record {
            whole,
            data_at: self.record_header,
            data_len: captured as usize,
            time: Time::from_unsigned(nanos),
            digits: self.digits,
            interface: 0,
            link: self.link,
            original_len,
            direction: None,
            has_process: false,
        })
    }

    #[inline(always)]
    fn numbers(&self, bytes: &[u8; 16]) -> [u32; 4] {
        let (words, _) = bytes.as_chunks::<4>();
        let numbers = [0, 1, 2, 3].map(|at| u32::from_le_bytes(words[at]));
        if self.big_endian { numbers.map(u32::swap_bytes) } else { numbers }
    }
}
