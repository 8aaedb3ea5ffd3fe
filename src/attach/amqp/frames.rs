//! Frames out of octets: a type, a channel, a length, what it carries, and an octet that ends it.

/// Octets kept of a frame: the longest that matters names user and program.
const KEEP: usize = 2_048;

/// No frame is longer: servers agree on 128 KiB.
const LONGEST: u32 = 16 << 20;

const END: u8 = 0xce;

/// One direction.
#[derive(Debug, Default)]
pub struct Frames {
    header: [u8; 7],
    /// Octets of the header that are there.
    got: u8,
    /// Octets that are to come, with the one that ends it.
    rest: u64,
    len: u64,
    body: Vec<u8>,
    cut: bool,
    /// Nobody knows where a frame begins.
    lost: bool,
}

/// Kinds of frames.
pub const METHOD: u8 = 1;
pub const HEADER: u8 = 2;
pub const BODY: u8 = 3;
pub const HEARTBEAT: u8 = 8;

/// A frame, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub kind: u8,
    pub channel: u16,
    pub body: &'a [u8],
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
    pub fn next<'a, 'd: 'a>(&'a mut self, data: &mut &'d [u8]) -> Option<Frame<'a>> {
        if self.lost || !self.read_header(data) {
            return None;
        }
        let all = *data;
        let is_here = self.rest == self.len + 1 && self.rest <= all.len() as u64;
        let taken = all.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
        let (octets, after) = all.split_at_checked(taken)?;
        *data = after;
        self.rest -= taken as u64;
        if self.rest == 0 && octets.last() != Some(&END) {
            self.lose();
            return None;
        }
        let (kind, channel) = self.about();
        if is_here {
            self.got = 0;
            let body = octets.get(..octets.len() - 1).unwrap_or_default();
            return Some(Frame { kind, channel, body: body.get(..KEEP).unwrap_or(body) });
        }
        self.keep(octets);
        (self.rest == 0).then(|| self.take())
    }

    /// So many octets cannot be seen: the frame that ends with them, if one does.
    pub fn miss(&mut self, octets: u64) -> Option<Frame<'_>> {
        if self.lost || octets == 0 || self.got < 7 || octets > self.rest {
            self.lose();
            return None;
        }
        self.cut = true;
        self.rest -= octets;
        (self.rest == 0).then(|| self.take())
    }

    fn about(&self) -> (u8, u16) {
        let [kind, high, low, ..] = self.header;
        (kind, u16::from_be_bytes([high, low]))
    }

    fn keep(&mut self, octets: &[u8]) {
        // Only methods say anything.
        let most = if self.header[0] == METHOD { KEEP.min(self.len as usize) } else { 0 };
        let room = if self.cut { 0 } else { most.saturating_sub(self.body.len()) };
        self.cut |= room < octets.len();
        self.body.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }

    fn take(&mut self) -> Frame<'_> {
        self.got = 0;
        let (kind, channel) = self.about();
        Frame { kind, channel, body: &self.body }
    }

    /// Returns whether the header is there.
    fn read_header(&mut self, data: &mut &[u8]) -> bool {
        if self.got >= 7 {
            return true;
        }
        if self.got == 0 {
            self.cut = false;
            self.body = Vec::new();
        }
        while self.got < 7 {
            let Some((first, after)) = data.split_first() else { return false };
            if let Some(slot) = self.header.get_mut(usize::from(self.got)) {
                *slot = *first;
            }
            (self.got, *data) = (self.got + 1, after);
        }
        let [kind, _, _, size @ ..] = self.header;
        let len = u32::from_be_bytes(size);
        if !matches!(kind, METHOD | HEADER | BODY | HEARTBEAT) || len > LONGEST {
            self.lose();
            return false;
        }
        (self.len, self.rest) = (u64::from(len), u64::from(len) + 1);
        true
    }
}

/// Returns whether octets are nothing but frames, from the first to the last.
pub fn are_frames(data: &[u8]) -> bool {
    let (mut frames, mut rest) = (Frames::default(), data);
    while frames.next(&mut rest).is_some() {}
    !data.is_empty() && rest.is_empty() && !frames.lost && frames.got == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_whatever_pieces() {
        let all = [&b"\x01\0\x01\0\0\0\x02ab\xce"[..], b"\x08\0\0\0\0\0\0\xce"].concat();
        assert!(are_frames(&all) && !are_frames(&all[1..]) && !are_frames(&all[..9]));
        for each in 1..all.len() {
            let (mut frames, mut out) = (Frames::default(), Vec::new());
            for mut piece in all.chunks(each) {
                while let Some(frame) = frames.next(&mut piece) {
                    out.push((frame.kind, frame.channel, frame.body.to_vec()));
                }
            }
            assert_eq!(out, [(METHOD, 1, b"ab".to_vec()), (HEARTBEAT, 0, Vec::new())]);
        }
    }

    #[test]
    fn a_frame_that_is_cut_is_skipped() {
        let mut frames = Frames::default();
        assert!(frames.next(&mut &b"\x01\0\x01\0\0\0\x09ab"[..]).is_none());
        assert_eq!(frames.miss(8).map(|frame| frame.body.to_vec()), Some(b"ab".to_vec()));
        assert!(frames.miss(1).is_none() && frames.is_lost());
        frames.find();
        assert!(frames.next(&mut &b"\x01\0\x01\0\0\0\0x"[..]).is_none() && frames.is_lost());
    }
}
