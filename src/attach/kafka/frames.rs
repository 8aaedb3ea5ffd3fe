//! Frames out of octets: a length, and what it carries.

/// Octets kept of a frame: heads are small.
const KEEP: usize = 512;

/// No frame is longer.
const LONGEST: u32 = 256 << 20;

const HEADER: usize = 4;

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

/// A frame, as far as it was seen and is kept.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a>(pub &'a [u8]);

impl Frames {
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Nothing of a frame has come that has not ended.
    pub fn is_between(&self) -> bool {
        !self.lost && self.got == 0
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
        let (octets, after) = data.split_at_checked(data.len().min(self.rest as usize))?;
        *data = after;
        self.rest -= octets.len() as u32;
        let room = if self.cut { 0 } else { KEEP.saturating_sub(self.body.len()) };
        self.cut |= room < octets.len();
        self.body.extend_from_slice(octets.get(..room).unwrap_or(octets));
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

    fn take(&mut self) -> Frame<'_> {
        self.got = 0;
        Frame(&self.body)
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
        self.rest = u32::from_be_bytes(self.header);
        if !(4..=LONGEST).contains(&self.rest) {
            self.lose();
        }
        !self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_whatever_pieces_and_cut() {
        let all = b"\0\0\0\x05abcde\0\0\0\x04fghi";
        for each in 1..all.len() {
            let (mut frames, mut out) = (Frames::default(), Vec::new());
            for mut piece in all.chunks(each) {
                while let Some(Frame(body)) = frames.next(&mut piece) {
                    out.push(body.to_vec());
                }
            }
            assert_eq!(out, [b"abcde".to_vec(), b"fghi".to_vec()]);
            assert!(frames.is_between());
        }
        let mut frames = Frames::default();
        assert!(frames.next(&mut &b"\0\0\0\x09ab"[..]).is_none());
        assert_eq!(frames.miss(7).map(|frame| frame.0.to_vec()), Some(b"ab".to_vec()));
        assert!(frames.miss(1).is_none() && frames.is_lost());
        frames.find();
        assert!(frames.next(&mut &b"GET / HTTP"[..]).is_none() && frames.is_lost());
    }
}
