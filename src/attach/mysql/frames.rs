//! Packets out of one direction's octets: three of length, one that counts, the payload.
//!
//! A packet is handed out when its last octet is due, with the beginning of its payload: whole
//! where one piece holds it, else as much as was asked for. Nothing else is kept. A hole within a
//! packet only shortens what is known of it; one beyond its end loses the thread.

use crate::place::Time;
use crate::tcp::stream::Piece;

const HEADER: usize = 4;

/// A payload of this many octets goes on in the next packet.
const FULL: u32 = 0xff_ffff;

/// The longest packet that is believed where the thread was lost: a longer one is a misreading.
const MAX_GUESS: u32 = 16 * 1024;

/// A packet, joined with those that continue it.
#[derive(Clone, Copy, Debug)]
pub struct MysqlPacket<'a> {
    /// The numbers of the first packet and of the last.
    pub seq: u8,
    pub last_seq: u8,
    /// Octets of payload.
    pub len: u64,
    /// The first of them: all, or as many as were seen and kept.
    pub head: &'a [u8],
    /// The time of its first octet.
    pub at: Time,
}

impl MysqlPacket<'_> {
    /// All of its payload is in `head`.
    pub fn is_whole(&self) -> bool {
        self.head.len() as u64 == self.len
    }
}

/// Knowledge of the boundaries between packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Thread {
    #[default]
    Held,
    /// Held again, if the packet ends where the piece does.
    Guessed,
    Lost,
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// The beginning of a payload that comes in several pieces.
    kept: Vec<u8>,
    /// The time and the length of the packet that is being read.
    at: Time,
    len: u64,
    /// Octets of payload to come; header octets read while there is no payload.
    left: u32,
    read: u8,
    header: [u8; HEADER],
    first_seq: u8,
    /// `kept` is not the beginning any more: a hole came between.
    holed: bool,
    /// The packet before was full: this one continues it.
    continues: bool,
    thread: Thread,
}

/// The part of a piece that is still to be read.
pub enum Rest<'a> {
    Data(&'a [u8]),
    Hole(u64),
    Nothing,
}

impl<'a> Rest<'a> {
    pub fn is_nothing(&self) -> bool {
        matches!(self, Rest::Nothing)
    }

    fn of(data: &'a [u8]) -> Rest<'a> {
        if data.is_empty() { Rest::Nothing } else { Rest::Data(data) }
    }
}

impl<'a> From<Piece<'a>> for Rest<'a> {
    fn from(piece: Piece<'a>) -> Rest<'a> {
        match piece {
            Piece::Data(data) => Rest::Data(data),
            Piece::Missing(octets) => Rest::Hole(octets),
        }
    }
}

impl Frames {
    pub fn is_lost(&self) -> bool {
        self.thread == Thread::Lost
    }

    /// Returns whether a packet has begun that has not ended, of which all was seen so far.
    pub fn is_within(&self) -> bool {
        let is_begun = self.read > 0 || self.continues;
        is_begun && self.thread == Thread::Held && !self.holed
    }

    /// The boundaries of packets are not known any more.
    pub fn lose(&mut self) {
        *self = Frames { thread: Thread::Lost, ..Frames::default() };
    }

    /// Takes up a lost thread: a packet begins here, by its looks. Client: it has to end where its piece
    /// does.
    pub fn guess(&mut self) {
        *self = Frames { thread: Thread::Guessed, ..Frames::default() };
    }

    /// Takes up a lost thread like [`Frames::guess`], where more may follow in the same piece.
    pub fn find(&mut self) {
        *self = Frames::default();
    }

    /// The length and the number in the header of the packet that is being read.
    pub fn header(&self) -> Option<(u32, u8)> {
        let [a, b, c, seq] = self.header;
        let whole = usize::from(self.read) == HEADER;
        whole.then_some((u32::from_le_bytes([a, b, c, 0]), seq))
    }

    /// Octets that it holds on the heap.
    pub fn heap_octets(&self) -> usize {
        self.kept.capacity()
    }

    /// The next packet that ends in this piece, of which `keep` octets are wanted. `None` when the
    /// piece is used up, or when the thread was lost in it.
    pub fn next<'b, 'd: 'b>(
        &'b mut self,
        rest: &mut Rest<'d>,
        at: Time,
        keep: usize,
    ) -> Option<MysqlPacket<'b>> {
        loop {
            if self.thread == Thread::Lost {
                return None;
            }
            match *rest {
                Rest::Nothing => return None,
                Rest::Hole(octets) => return self.take_hole(octets, rest),
                Rest::Data(data) => {
                    if let Some((packet, after)) = self.in_one_piece(data, at) {
                        *rest = Rest::of(after);
                        return Some(packet);
                    }
                    let data = self.take_header(data, at);
                    *rest = Rest::of(data);
                    if usize::from(self.read) < HEADER {
                        return None;
                    }
                    let here = data.get(..self.left as usize).unwrap_or(data);
                    let after = data.get(here.len()..).unwrap_or_default();
                    *rest = Rest::of(after);
                    let whole = self.len == here.len() as u64;
                    self.left -= here.len() as u32;
                    if self.left > 0 || !whole || self.is_full() {
                        self.keep(here, keep);
                    }
                    if self.left > 0 {
                        return None;
                    }
                    if self.goes_on() {
                        continue;
                    }
                    if self.thread == Thread::Guessed && !after.is_empty() {
                        self.lose();
                        return None;
                    }
                    return Some(self.end(whole.then_some(here)));
                }
            }
        }
    }

    /// The packet at the start of these octets, if all of it is there and nothing is under way.
    #[inline(always)]
    fn in_one_piece<'d>(&self, data: &'d [u8], at: Time) -> Option<(MysqlPacket<'d>, &'d [u8])> {
        let (&[a, b, c, seq], data) = data.split_first_chunk::<HEADER>()?;
        let len = u32::from_le_bytes([a, b, c, 0]);
        if self.read != 0 || self.continues || self.thread != Thread::Held || len == FULL {
            return None;
        }
        let (head, after) = data.split_at_checked(len as usize)?;
        Some((MysqlPacket { seq, last_seq: seq, len: u64::from(len), head, at }, after))
    }

    /// The next packet, where it lies whole in what is left of the piece, as nearly all do: it borrows from
    /// the piece alone.
    #[inline]
    pub fn take_whole<'d>(&self, rest: &mut Rest<'d>, at: Time) -> Option<MysqlPacket<'d>> {
        let Rest::Data(data) = *rest else { return None };
        let (packet, after) = self.in_one_piece(data, at)?;
        *rest = Rest::of(after);
        Some(packet)
    }

    /// Passes over packets that are all there, as long as `is_known` knows them by number and payload.
    pub fn skip(&self, rest: &mut Rest<'_>, mut is_known: impl FnMut(u8, &[u8]) -> bool) {
        while let Rest::Data(data) = *rest
            && let Some((packet, after)) = self.in_one_piece(data, Time::UNKNOWN)
            && is_known(packet.seq, packet.head)
        {
            *rest = Rest::of(after);
        }
    }

    /// Reads the header as far as it is there, and returns what comes after it.
    fn take_header<'d>(&mut self, data: &'d [u8], at: Time) -> &'d [u8] {
        let mut data = data;
        while usize::from(self.read) < HEADER {
            let Some((first, after)) = data.split_first() else { return data };
            if self.read == 0 && !self.continues {
                self.at = at;
                (self.len, self.holed) = (0, false);
                self.kept.clear();
            }
            if let Some(octet) = self.header.get_mut(usize::from(self.read)) {
                *octet = *first;
            }
            self.read += 1;
            data = after;
            if let Some((len, seq)) = self.header() {
                self.left = len;
                self.len += u64::from(len);
                self.first_seq = if self.continues { self.first_seq } else { seq };
                let too_long = self.thread == Thread::Guessed && len > MAX_GUESS;
                if too_long {
                    self.lose();
                    return &[];
                }
            }
        }
        data
    }

    fn keep(&mut self, data: &[u8], keep: usize) {
        let room = keep.saturating_sub(self.kept.len());
        if !self.holed {
            self.kept.extend_from_slice(data.get(..room).unwrap_or(data));
        }
    }

    fn take_hole(&mut self, octets: u64, rest: &mut Rest<'_>) -> Option<MysqlPacket<'_>> {
        *rest = Rest::Nothing;
        let inside = usize::from(self.read) == HEADER && octets > 0;
        if !inside || octets > u64::from(self.left) {
            self.lose();
            return None;
        }
        self.holed = true;
        self.left -= octets as u32;
        if self.left > 0 || self.goes_on() { None } else { Some(self.end(None)) }
    }

    fn is_full(&self) -> bool {
        self.header().is_some_and(|(len, _)| len == FULL)
    }

    /// A full packet has ended, and another one continues it.
    fn goes_on(&mut self) -> bool {
        self.continues = self.is_full();
        self.read = if self.continues { 0 } else { self.read };
        self.continues
    }

    fn end<'b>(&'b mut self, whole: Option<&'b [u8]>) -> MysqlPacket<'b> {
        self.thread = Thread::Held;
        self.read = 0;
        let last_seq = self.header[HEADER - 1];
        let head = whole.unwrap_or(&self.kept);
        MysqlPacket { seq: self.first_seq, last_seq, len: self.len, head, at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
        let len = (payload.len() as u32).to_le_bytes();
        [&len[..3], &[seq], payload].concat()
    }

    /// `seq:len:head` of every packet.
    fn read(frames: &mut Frames, pieces: &[Piece<'_>]) -> Vec<String> {
        let mut out = Vec::new();
        for piece in pieces {
            let mut rest = Rest::from(*piece);
            while let Some(packet) = frames.next(&mut rest, Time::UNKNOWN, 8) {
                let head = String::from_utf8_lossy(packet.head);
                out.push(format!("{}:{}:{head}", packet.seq, packet.len));
            }
        }
        out
    }

    #[test]
    fn packets_in_any_pieces() {
        let octets = [packet(0, b"hello"), packet(1, b""), packet(2, b"longer than kept")].concat();
        for size in 1..octets.len() {
            let pieces: Vec<Piece> = octets.chunks(size).map(Piece::Data).collect();
            let out = read(&mut Frames::default(), &pieces);
            assert_eq!(out[..2], ["0:5:hello", "1:0:"], "{size}");
            assert!(out[2].starts_with("2:16:longer t"), "{out:?}");
        }
    }

    #[test]
    fn a_hole_inside_a_packet_is_survived() {
        let octets = packet(0, b"0123456789");
        let (head, next) = (Piece::Data(&octets[..7]), packet(1, b"x"));
        let mut frames = Frames::default();
        let out = read(&mut frames, &[head, Piece::Missing(7), Piece::Data(&next)]);
        assert_eq!(out, ["0:10:012", "1:1:x"]);
        let out = read(&mut frames, &[head, Piece::Missing(3), Piece::Data(b"6789")]);
        assert_eq!(out, ["0:10:012"]);
        assert_eq!(read(&mut frames, &[head, Piece::Missing(8)]), [""; 0]);
        assert!(frames.is_lost());
    }

    #[test]
    fn a_guess_must_end_with_its_piece() {
        let octets = packet(0, b"hello");
        let mut frames = Frames::default();
        frames.guess();
        assert_eq!(read(&mut frames, &[Piece::Data(&octets)]), ["0:5:hello"]);
        assert!(!frames.is_lost());
        frames.guess();
        assert!(read(&mut frames, &[Piece::Data(&[&octets[..], b"x"].concat())]).is_empty());
        assert!(frames.is_lost());
    }

    #[test]
    fn a_full_packet_goes_on_in_the_next() {
        let full = packet(0, &vec![b'a'; FULL as usize]);
        let mut frames = Frames::default();
        let out = read(&mut frames, &[Piece::Data(&full), Piece::Data(&packet(1, b"b"))]);
        assert_eq!(out, ["0:16777216:aaaaaaaa"]);
        let out = read(&mut frames, &[Piece::Data(&full), Piece::Data(&packet(1, b""))]);
        assert_eq!(out, ["0:16777215:aaaaaaaa"]);
        assert!(frames.heap_octets() < 64);
    }
}
