//! The classic pcap format: one header, then packets. Both byte orders, micro- and nanoseconds, and
//! the variants that patched programs and other systems write.

use super::buffer::Buffer;
use super::record::{Broken, Record};
use super::{About, LinkType};
use crate::place::Time;

/// libpcap's MAXIMUM_SNAPLEN: a longer packet is a damaged length.
const MAX_PACKET: u32 = 262_144;

/// And no snap length in a header raises that beyond this.
const MAX_CLAIMED: u32 = 16 << 20;

/// A file of libpcap's own format, read record by record: micro- or nanoseconds, either byte order.
#[derive(Clone)]
pub struct Classic {
    link: LinkType,
    big_endian: bool,
    /// Nanoseconds in a unit of a record's fraction of a second.
    unit: u64,
    digits: u8,
    /// Octets of a record's header, of which the first 16 are the same in every variant.
    record_header: usize,
    /// Before version 2.4, either length could come first: the smaller is what was captured.
    is_old: bool,
    max_packet: u32,
    /// As its header says, where it says one.
    snap_len: u32,
    /// The number that its header begins with.
    magic: [u8; 4],
    /// Octets of the header.
    header: usize,
}

/// The meaning of a magic number.
struct Magic {
    big_endian: bool,
    nanoseconds: bool,
    /// Octets of the file header.
    header: usize,
    /// Octets of a record's header, the likeliest first: what follows decides.
    record_headers: &'static [usize],
}

const HEADER_LEN: usize = 24;

/// libpcap's own; SuSE 6.3's and Nokia's have the same number.
const USUAL: &[usize] = &[16, 24, 20];
const NANOSECONDS: &[usize] = &[16];
/// Kuznetzov's patch, of two ages; AVM's Fritz!Box writes it.
const PATCHED: &[usize] = &[24, 28];

impl Magic {
    fn new(octets: [u8; 4]) -> Option<Magic> {
        let little = Magic::known(u32::from_le_bytes(octets), false);
        little.or_else(|| Magic::known(u32::from_be_bytes(octets), true))
    }

    fn known(number: u32, big_endian: bool) -> Option<Magic> {
        let (nanoseconds, header, record_headers) = match number {
            0xa1b2_c3d4 => (false, HEADER_LEN, USUAL),
            0xa1b2_3c4d => (true, HEADER_LEN, NANOSECONDS),
            0xa1b2_cd34 => (false, HEADER_LEN, PATCHED),
            // Ixia's hardware and software: the length of all records follows.
            0x1c00_01ac => (true, HEADER_LEN + 4, NANOSECONDS),
            0x1c00_01ab => (false, HEADER_LEN + 4, NANOSECONDS),
            _ => return None,
        };
        Some(Magic { big_endian, nanoseconds, header, record_headers })
    }
}

/// Does a file that begins so have this format?
pub fn is_magic(octets: [u8; 4]) -> bool {
    Magic::new(octets).is_some()
}

impl Classic {
    /// Reads the file header, whose first four bytes are known to be one of pcap's magic numbers.
    ///
    /// # Errors
    /// If the header is cut off, or of no pcap file.
    pub fn open(buffer: &mut Buffer, about: &mut About) -> Result<Classic, Broken> {
        let start = buffer.peek(4)?.first_chunk().copied().ok_or(Broken::CutOff)?;
        let magic = Magic::new(start).ok_or(Broken::CutOff)?;
        let header = buffer.peek(magic.header)?;
        let Some(header) =
            header.first_chunk::<HEADER_LEN>().filter(|_| header.len() == magic.header)
        else {
            return Err(Broken::CutOff);
        };
        let (mut format, snap_len) = Classic::new(&magic, header);
        buffer.consume(magic.header);
        about.links.insert(format.link);
        about.snap_lengths.insert(snap_len);
        buffer.peek(16)?;
        // No further than has been read: a pipe hands out what it has.
        format.choose(magic.record_headers, buffer.unread());
        Ok(format)
    }

    /// The format, and the snap length.
    fn new(magic: &Magic, header: &[u8; HEADER_LEN]) -> (Classic, u32) {
        let (words, _) = header.as_chunks::<4>();
        let word = |at: usize| match magic.big_endian {
            true => u32::from_be_bytes(words[at]),
            false => u32::from_le_bytes(words[at]),
        };
        let (version, snap_len, network) = (word(1), word(4), word(5));
        let minor = if magic.big_endian { version & 0xffff } else { version >> 16 };
        // AIX stayed at 2.2, counts nanoseconds, and has numbers of its own for links.
        let is_aix = minor == 2;
        let nanoseconds = magic.nanoseconds || is_aix;
        // The upper half holds the length of the frame check sequence, which the decoder never needs.
        let link = (network & 0xffff) as u16;
        let format = Classic {
            link: if is_aix { aix(link) } else { LinkType(link) },
            big_endian: magic.big_endian,
            unit: if nanoseconds { 1 } else { 1_000 },
            digits: if nanoseconds { 9 } else { 6 },
            record_header: magic.record_headers.first().copied().unwrap_or(16),
            is_old: minor < 4 && !is_aix,
            max_packet: MAX_PACKET.max(snap_len.min(MAX_CLAIMED)),
            snap_len: if snap_len == 0 { u32::MAX } else { snap_len },
            magic: header.first_chunk().copied().unwrap_or_default(),
            header: magic.header,
        };
        (format, snap_len)
    }

    /// Takes the first of these headers with which the records that are there make sense.
    fn choose(&mut self, record_headers: &[usize], bytes: &[u8]) {
        let fits = |header: &&usize| self.makes_sense(bytes, **header);
        if let Some(fitting) = record_headers.iter().find(fits) {
            self.record_header = *fitting;
        }
    }

    /// Records, each where the one before it ends, as far as they have been read: a few are enough.
    fn makes_sense(&self, mut bytes: &[u8], header: usize) -> bool {
        const ENOUGH: usize = 4;
        for _ in 0..ENOUGH {
            if bytes.starts_with(self.beginning().as_flattened()) {
                return true;
            }
            let Some(numbers) = bytes.first_chunk() else { return true };
            let [_, fraction, captured, original] = self.numbers(numbers);
            let is_time = u64::from(fraction) * self.unit < 1_000_000_000;
            if !is_time || captured > self.max_packet || captured > original {
                return false;
            }
            match bytes.get(header + captured as usize..) {
                Some(rest) => bytes = rest,
                None => return true,
            }
        }
        true
    }

    /// Finds the next record in the buffer.
    ///
    /// # Errors
    /// If the record is cut off or corrupt, or the input cannot be read.
    pub fn locate(&mut self, buffer: &mut Buffer) -> Result<Option<Record>, Broken> {
        self.pass_header(buffer)?;
        let peeked = buffer.peek(self.record_header)?;
        let Some(numbers) = peeked.first_chunk::<16>() else {
            return if peeked.is_empty() { Ok(None) } else { Err(Broken::CutOff) };
        };
        // No packet without an octet came in 1970.
        if *numbers == [0; 16] {
            return Err(Broken::blank(buffer));
        }
        let numbers = self.numbers(numbers);
        let [_, _, captured, _] = numbers;
        if captured > self.max_packet {
            let what = format!("a packet claims {captured} bytes");
            return Err(Broken::Corrupt(what));
        }
        let whole = self.record_header + captured as usize;
        match self.record(buffer.peek(whole)?) {
            Some(record) => Ok(Some(record)),
            None => Err(self.ends_within(numbers)),
        }
    }

    /// Returns why a record runs past the end of the file: no packet has more octets captured than it had, or than were to
    /// be captured of any, and no second has more parts than a second.
    fn ends_within(&self, [_, fraction, captured, original]: [u32; 4]) -> Broken {
        if u64::from(fraction) * self.unit >= 1_000_000_000 {
            return Broken::Corrupt(format!("a packet's time has {fraction} parts of a second"));
        }
        match captured > original || captured > self.snap_len {
            true => Broken::Corrupt(format!("a packet of {original} bytes claims {captured}")),
            false => Broken::CutOff,
        }
    }

    /// Passes over the header of another capture behind this one's packets, as `cat` leaves it: read as a
    /// packet's, it would be one without any octet, in the year 2055.
    fn pass_header(&self, buffer: &mut Buffer) -> Result<(), Broken> {
        while buffer.peek(8)? == self.beginning().as_flattened() {
            let header = buffer.peek(self.header)?.first_chunk().ok_or(Broken::CutOff)?;
            let (other, _) = Classic::new(&Magic::new(self.magic).ok_or(Broken::CutOff)?, header);
            if other.link != self.link {
                let what = "another capture begins there, of another link type".into();
                return Err(Broken::Corrupt(what));
            }
            buffer.consume(self.header);
        }
        Ok(())
    }

    /// Tells whether its file begins so.
    pub fn begins_with(&self, magic: [u8; 4]) -> bool {
        self.magic == magic
    }

    /// The number and the version that a header of this kind begins with.
    fn beginning(&self) -> [[u8; 4]; 2] {
        [self.magic, if self.big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] }]
    }

    /// The record at the start of these bytes, if all of it is there, and it holds any octet: else it may be
    /// the header of another capture.
    #[inline(always)]
    #[must_use]
    pub fn in_one_piece(&self, bytes: &[u8]) -> Option<Record> {
        self.record(bytes).filter(|record| record.data_len > 0)
    }

    /// Returns the length of the record at the start of these bytes, if its header is there and may be one.
    pub fn whole(&self, bytes: &[u8]) -> Option<usize> {
        let [_, _, captured, _] = self.numbers(bytes.first_chunk()?);
        (captured <= self.max_packet).then_some(self.record_header + captured as usize)
    }

    /// The record at the start of these bytes, if all of it is there.
    ///
    /// Its four numbers are read here and not by the parser crate, which costs as much for each
    /// packet as all the decoding after it.
    #[inline(always)]
    fn record(&self, bytes: &[u8]) -> Option<Record> {
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
        let numbers = if self.big_endian { numbers.map(u32::swap_bytes) } else { numbers };
        if self.is_old { smaller_first(numbers) } else { numbers }
    }
}

#[cold]
fn smaller_first([seconds, fraction, a, b]: [u32; 4]) -> [u32; 4] {
    [seconds, fraction, a.min(b), a.max(b)]
}

/// AIX numbers links as interfaces are numbered (RFC 1573).
fn aix(number: u16) -> LinkType {
    match number {
        6 => LinkType::ETHERNET,
        9 => LinkType::IEEE802_5,
        15 => LinkType::FDDI,
        24 => LinkType::NULL,
        other => LinkType(other),
    }
}
