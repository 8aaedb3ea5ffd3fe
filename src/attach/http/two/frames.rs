//! Frames of HTTP/2: a length, a type, flags, a stream, and what it carries (RFC 9113, 4.1).

use crate::attach::framed::{Framed, Size, Whole};

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

/// One direction.
pub type Frames = Framed<9>;

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

impl<'a> From<Whole<'a, 9>> for Frame<'a> {
    fn from(whole: Whole<'a, 9>) -> Frame<'a> {
        let Head { kind, flags, stream, .. } = Head::of(&whole.header);
        Frame { kind, flags, stream, body: whole.body, cut: whole.cut }
    }
}

/// Returns the size that a header tells of.
pub fn size(header: &[u8; 9]) -> Option<Size> {
    let Head { kind, len, .. } = Head::of(header);
    let tells = matches!(kind, HEADERS | RST_STREAM | PUSH_PROMISE | GOAWAY | CONTINUATION);
    Some(Size { len, keep: if tells { KEEP } else { 0 }, end: None })
}

/// A header in its parts.
#[derive(Clone, Copy, Debug)]
struct Head {
    len: u32,
    kind: u8,
    flags: u8,
    reserved: bool,
    stream: u32,
}

impl Head {
    fn of(header: &[u8; 9]) -> Head {
        let [a, b, c, kind, flags, stream @ ..] = *header;
        let stream = u32::from_be_bytes(stream);
        let (reserved, stream) = (stream >> 31 != 0, stream & 0x7fff_ffff);
        Head { len: u32::from_be_bytes([0, a, b, c]), kind, flags, reserved, stream }
    }

    /// Types that only streams have, and those that none has, each in its length.
    fn can_be(self) -> bool {
        let Head { len, stream, .. } = self;
        let on_stream = stream > 0;
        match self.kind {
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
    fn is_usual(self) -> bool {
        let Head { len, kind, flags, reserved, .. } = self;
        let known = match kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            SETTINGS | PING => 1,
            PUSH_PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            _ => 0,
        };
        kind <= CONTINUATION && flags & !known == 0 && len <= USUAL && !reserved
    }
}

/// Returns whether octets are nothing but frames, as they are usual; the last may go on beyond them.
pub fn are_frames(data: &[u8]) -> bool {
    let (mut frames, mut rest) = (Frames::default(), data);
    loop {
        let whole = frames.next(&mut rest, size).map(|whole| whole.header);
        let Some(head) = whole.as_ref().or(frames.begun()).map(Head::of) else { return false };
        if !head.is_usual() || !head.can_be() {
            return false;
        }
        if rest.is_empty() {
            return whole.is_some() || matches!(head.kind, DATA | HEADERS);
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
                while let Some(frame) = frames.next(&mut piece, size).map(Frame::from) {
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
        assert!(frames.next(&mut &b"\0\0\x09\x01\x05\0\0\0\x03ab"[..], size).is_none());
        let frame = Frame::from(frames.miss(7).expect("its end"));
        assert_eq!((frame.flags, frame.stream, frame.body, frame.cut), (5, 3, &b"ab"[..], true));
        assert!(frames.miss(1).is_none() && frames.is_lost());
        frames.find();
        // A wrong frame is one all the same, but nothing to begin with.
        let stray = b"\0\0\0\0\0\0\0\0\0";
        assert!(
            frames.next(&mut &stray[..], size).is_some() && !are_frames(stray),
            "data of no stream"
        );
    }
}
