//! Frames out of octets: a length, a type, flags, a stream, and what it carries (RFC 9113, 4.1).

/// Octets kept of a frame: heads are small, bodies say nothing.
const KEEP: usize = 4_096;

/// The longest frame that both ends take without more ado.
const USUAL: u32 = 16_384;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITY: u8 = 0x20;

const HEADER: usize = 9;

/// One direction.
#[derive(Debug, Default)]
pub struct Frames {
    header: [u8; HEADER],
    /// Octets of the header that are there.
    got: u8,
    /// Octets that are to come.
    rest: u32,
    body: Vec<u8>,
    cut: bool,
    /// Nobody knows where a frame begins.
    lost: bool,
}

/// A frame, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub body: &'a [u8],
    /// The body had more octets.
    pub cut: bool,
}

impl Frames {
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    pub fn heap_octets(&self) -> usize {
        self.body.capacity()
    }

    pub fn lose(&mut self) {
        *self = Frames { lost: true, ..Frames::default() };
    }

    /// The next octet begins a frame.
    pub fn find(&mut self) {
        *self = Frames::default();
    }

    /// Takes octets from `data`; a frame that ends there.
    pub fn next(&mut self, data: &mut &[u8]) -> Option<Frame<'_>> {
        if self.lost || !self.read_header(data) {
            return None;
        }
        let taken = data.len().min(self.rest as usize);
        let (octets, after) = data.split_at_checked(taken)?;
        *data = after;
        self.rest -= taken as u32;
        self.keep(octets);
        (self.rest == 0).then(|| self.take())
    }

    /// So many octets cannot be seen: the frame that ends with them, if one does.
    pub fn miss(&mut self, octets: u64) -> Option<Frame<'_>> {
        let is_within = usize::from(self.got) == HEADER && octets <= u64::from(self.rest);
        if self.lost || octets == 0 || !is_within {
            self.lose();
            return None;
        }
        self.cut = true;
        self.rest -= octets as u32;
        (self.rest == 0).then(|| self.take())
    }

    fn keep(&mut self, octets: &[u8]) {
        let tells =
            matches!(self.kind(), HEADERS | RST_STREAM | PUSH_PROMISE | GOAWAY | CONTINUATION);
        let room = if self.cut || !tells { 0 } else { KEEP.saturating_sub(self.body.len()) };
        self.cut |= room < octets.len();
        self.body.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }

    fn kind(&self) -> u8 {
        self.header[3]
    }

    fn len(&self) -> u32 {
        let [a, b, c, ..] = self.header;
        u32::from_be_bytes([0, a, b, c])
    }

    fn stream(&self) -> u32 {
        let [.., a, b, c, d] = self.header;
        u32::from_be_bytes([a & 0x7f, b, c, d])
    }

    fn take(&mut self) -> Frame<'_> {
        self.got = 0;
        let [_, _, _, kind, flags, ..] = self.header;
        Frame { kind, flags, stream: self.stream(), body: &self.body, cut: self.cut }
    }

    /// Returns whether the header is there.
    fn read_header(&mut self, data: &mut &[u8]) -> bool {
        if usize::from(self.got) == HEADER {
            return true;
        }
        if self.got == 0 {
            (self.cut, self.body) = (false, Vec::new());
        }
        while let Some(slot) = self.header.get_mut(usize::from(self.got)) {
            let Some((first, after)) = data.split_first() else { return false };
            *slot = *first;
            (self.got, *data) = (self.got + 1, after);
        }
        self.rest = self.len();
        true
    }

    /// Types that only streams have, and those that none has, each in its length.
    fn can_be(&self) -> bool {
        let (len, on_stream) = (self.len(), self.stream() > 0);
        match self.kind() {
            DATA | HEADERS | CONTINUATION => on_stream,
            PUSH_PROMISE => on_stream && len >= 4,
            2 => on_stream && len == 5,
            RST_STREAM => on_stream && len == 4,
            SETTINGS => !on_stream && len.is_multiple_of(6),
            PING => !on_stream && len == 8,
            GOAWAY => !on_stream && len >= 8,
            WINDOW_UPDATE => len == 4,
            // Others are to be ignored.
            _ => true,
        }
    }

    /// It is of a type that the standard has, with no flag that it does not know, and of usual length.
    fn is_usual(&self) -> bool {
        let [_, _, _, kind, flags, reserved, ..] = self.header;
        let known = match kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            SETTINGS | PING => 1,
            PUSH_PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            _ => 0,
        };
        kind <= CONTINUATION && flags & !known == 0 && self.len() <= USUAL && reserved & 0x80 == 0
    }
}

/// Returns whether octets are nothing but frames, as they are usual; the last may go on beyond them.
pub fn are_frames(data: &[u8]) -> bool {
    let (mut frames, mut rest) = (Frames::default(), data);
    loop {
        let is_whole = frames.next(&mut rest).is_some();
        let has_header = is_whole || usize::from(frames.got) == HEADER;
        if !has_header || !frames.is_usual() || !frames.can_be() {
            return false;
        }
        if rest.is_empty() {
            return is_whole || matches!(frames.kind(), DATA | HEADERS);
        }
    }
}

/// Returns whether it begins as an end begins: with its settings.
pub fn is_beginning(data: &[u8]) -> bool {
    matches!(data, [0, 0, _, SETTINGS, 0, 0, 0, 0, 0, ..]) && are_frames(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0\x02\x01\x04\0\0\0\x01\x82\x84\0\0\x03\0\x01\0\0\0\x01abc";

    #[test]
    fn frames_in_whatever_pieces() {
        assert!(are_frames(ALL) && is_beginning(ALL) && !are_frames(&ALL[1..]));
        assert!(are_frames(&ALL[..ALL.len() - 1]) && !are_frames(&ALL[..12]));
        for each in 1..ALL.len() {
            let (mut frames, mut out) = (Frames::default(), Vec::new());
            for mut piece in ALL.chunks(each) {
                while let Some(frame) = frames.next(&mut piece) {
                    out.push((frame.kind, frame.flags, frame.stream, frame.body.to_vec()));
                }
            }
            let head = (HEADERS, END_HEADERS, 1, b"\x82\x84".to_vec());
            let right = [(SETTINGS, 0, 0, Vec::new()), head, (DATA, END_STREAM, 1, Vec::new())];
            assert_eq!(out, right);
        }
    }

    #[test]
    fn a_frame_that_is_cut_is_skipped() {
        let mut frames = Frames::default();
        assert!(frames.next(&mut &b"\0\0\x09\x01\x05\0\0\0\x03ab"[..]).is_none());
        let frame = frames.miss(7).expect("its end");
        assert_eq!((frame.flags, frame.stream, frame.body, frame.cut), (5, 3, &b"ab"[..], true));
        assert!(frames.miss(1).is_none() && frames.is_lost());
        frames.find();
        // A wrong frame is one all the same, but nothing to begin with.
        let stray = b"\0\0\0\0\0\0\0\0\0";
        assert!(frames.next(&mut &stray[..]).is_some() && !are_frames(stray), "data of no stream");
    }
}
