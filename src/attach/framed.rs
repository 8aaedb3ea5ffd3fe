//! Frames out of octets, where each begins with a header of so many octets that says how many follow. What it
//! says is the protocol's own.

/// A size that a header tells of.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Octets that follow the header.
    pub len: u32,
    /// Octets of them that are worth to be kept, from the first on.
    pub keep: usize,
    /// The octet that has to be the last.
    pub end: Option<u8>,
}

/// One direction of a connection, by headers of `N` octets.
#[derive(Clone, Debug)]
pub struct Framed<const N: usize> {
    header: [u8; N],
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
pub struct Whole<'a, const N: usize> {
    pub header: [u8; N],
    pub body: &'a [u8],
    /// The body had more octets.
    pub cut: bool,
}

impl<const N: usize> Default for Framed<N> {
    fn default() -> Framed<N> {
        Framed { header: [0; N], got: 0, rest: 0, body: Vec::new(), cut: false, lost: false }
    }
}

impl<const N: usize> Framed<N> {
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Nothing of a frame has come that has not ended.
    pub fn is_between(&self) -> bool {
        !self.lost && self.got == 0
    }

    /// Returns the header of a frame that has not ended.
    pub fn begun(&self) -> Option<&[u8; N]> {
        (usize::from(self.got) == N).then_some(&self.header)
    }

    pub fn heap_octets(&self) -> usize {
        self.body.capacity()
    }

    pub fn lose(&mut self) {
        *self = Framed { lost: true, ..Framed::default() };
    }

    /// The next octet begins a frame.
    pub fn find(&mut self) {
        *self = Framed::default();
    }

    /// Takes octets from `data`; a frame that ends there. Where `size` has nothing to say of a header, it is none.
    pub fn next<'a, 'd: 'a>(
        &'a mut self,
        data: &mut &'d [u8],
        size: impl Fn(&[u8; N]) -> Option<Size>,
    ) -> Option<Whole<'a, N>> {
        if let Some(whole) = self.here(data, &size) {
            return Some(whole);
        }
        let is_new = self.begun().is_none();
        if self.lost || !self.read_header(data) {
            return None;
        }
        let Some(Size { len, keep, end }) = size(&self.header) else {
            self.lose();
            return None;
        };
        if is_new {
            self.rest = len;
        }
        let (octets, after) = data.split_at_checked(data.len().min(self.rest as usize))?;
        *data = after;
        self.rest -= octets.len() as u32;
        if self.rest == 0 && end.is_some() && octets.last() != end.as_ref() {
            self.lose();
            return None;
        }
        let room = if self.cut { 0 } else { keep.saturating_sub(self.body.len()) };
        self.cut |= room < octets.len();
        self.body.extend_from_slice(octets.get(..room).unwrap_or(octets));
        self.take()
    }

    /// Takes a frame that begins and ends here, as nearly all do: nothing has to be kept.
    fn here<'d>(
        &self,
        data: &mut &'d [u8],
        size: impl Fn(&[u8; N]) -> Option<Size>,
    ) -> Option<Whole<'d, N>> {
        if self.got > 0 || self.lost {
            return None;
        }
        let (header, rest) = data.split_first_chunk::<N>()?;
        let Size { len, keep, end } = size(header)?;
        let (octets, after) = rest.split_at_checked(len as usize)?;
        if end.is_some() && octets.last() != end.as_ref() {
            return None;
        }
        *data = after;
        let body = octets.get(..keep).unwrap_or(octets);
        Some(Whole { header: *header, body, cut: body.len() < octets.len() })
    }

    /// So many octets cannot be seen: the frame that ends with them, if one does.
    pub fn miss(&mut self, octets: u64) -> Option<Whole<'_, N>> {
        let is_within = self.begun().is_some() && octets <= u64::from(self.rest);
        if self.lost || octets == 0 || !is_within {
            self.lose();
            return None;
        }
        self.cut = true;
        self.rest -= octets as u32;
        self.take()
    }

    fn take(&mut self) -> Option<Whole<'_, N>> {
        if self.rest > 0 {
            return None;
        }
        self.got = 0;
        Some(Whole { header: self.header, body: &self.body, cut: self.cut })
    }

    /// Returns whether the header is there.
    fn read_header(&mut self, data: &mut &[u8]) -> bool {
        if self.got == 0 {
            (self.cut, self.body) = (false, Vec::new());
        }
        while let Some(slot) = self.header.get_mut(usize::from(self.got)) {
            let Some((first, after)) = data.split_first() else { return false };
            *slot = *first;
            (self.got, *data) = (self.got + 1, after);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A length of one octet, of which three are kept.
    fn size(header: &[u8; 2]) -> Option<Size> {
        let [kind, len] = *header;
        (kind < 9).then(|| Size { len: len.into(), keep: 3, end: (kind == 1).then_some(b';') })
    }

    #[test]
    fn frames_come_in_whatever_pieces() {
        let all = b"\0\x05abcde\0\0\x01\x02x;";
        for each in 1..all.len() {
            let (mut framed, mut out) = (Framed::<2>::default(), Vec::new());
            for mut piece in all.chunks(each) {
                while let Some(whole) = framed.next(&mut piece, size) {
                    out.push((whole.header[0], whole.body.to_vec(), whole.cut));
                }
            }
            let right =
                [(0, b"abc".to_vec(), true), (0, vec![], false), (1, b"x;".to_vec(), false)];
            assert_eq!(out, right);
            assert!(framed.is_between() && framed.begun().is_none());
        }
    }

    #[test]
    fn what_is_missing_ends_a_frame_or_the_thread() {
        let mut framed = Framed::<2>::default();
        assert!(framed.next(&mut &b"\0\x04a"[..], size).is_none());
        assert!(framed.miss(2).is_none() && framed.begun() == Some(&[0, 4]));
        let whole = framed.miss(1).expect("its end");
        assert_eq!((whole.body, whole.cut), (&b"a"[..], true));
        assert!(framed.miss(1).is_none() && framed.is_lost());
        framed.find();
        assert!(framed.next(&mut &b"\x09\0"[..], size).is_none() && framed.is_lost(), "no header");
        framed.find();
        assert!(framed.next(&mut &b"\x01\x01x"[..], size).is_none() && framed.is_lost(), "no end");
    }
}
