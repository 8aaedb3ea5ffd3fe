//! Frames of AMQP: a type, a channel, a length, what it carries, and an octet that ends it.

use crate::attach::framed::{Framed, Size, Whole};

/// Octets kept of a frame: the longest that matters names user and program.
const KEEP: usize = 2_048;

/// No frame is longer: servers agree on 128 KiB.
const LONGEST: u32 = 16 << 20;

const END: u8 = 0xce;

/// Kinds of frames.
pub const METHOD: u8 = 1;
pub const HEADER: u8 = 2;
pub const BODY: u8 = 3;
pub const HEARTBEAT: u8 = 8;

/// One direction.
pub type Frames = Framed<7>;

/// A frame, as far as it was seen: of kinds that say nothing, no body.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub kind: u8,
    pub channel: u16,
    pub body: &'a [u8],
}

impl<'a> From<Whole<'a, 7>> for Frame<'a> {
    fn from(whole: Whole<'a, 7>) -> Frame<'a> {
        let [kind, high, low, ..] = whole.header;
        Frame { kind, channel: u16::from_be_bytes([high, low]), body: whole.body }
    }
}

/// Returns the size that a header tells of, if it can be one.
pub fn size(header: &[u8; 7]) -> Option<Size> {
    let [kind, _, _, len @ ..] = *header;
    let len = u32::from_be_bytes(len);
    let can_be = matches!(kind, METHOD | HEADER | BODY | HEARTBEAT) && len <= LONGEST;
    // Only methods say anything.
    let keep = if kind == METHOD { KEEP.min(len as usize) } else { 0 };
    can_be.then(|| Size { len: len + 1, keep, end: Some(END) })
}

/// Returns whether octets begin with a server's first method, `connection.start`.
pub fn begins_with_start(data: &[u8]) -> bool {
    matches!(data, [METHOD, 0, 0, _, _, _, _, 0, 10, 0, 10, ..])
}

/// Returns whether octets are nothing but frames, from the first to the last.
pub fn are_frames(data: &[u8]) -> bool {
    let (mut frames, mut rest) = (Frames::default(), data);
    while frames.next(&mut rest, size).is_some() {}
    !data.is_empty() && rest.is_empty() && frames.is_between()
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
                while let Some(frame) = frames.next(&mut piece, size).map(Frame::from) {
                    out.push((frame.kind, frame.channel, frame.body.to_vec()));
                }
            }
            assert_eq!(out, [(METHOD, 1, b"ab".to_vec()), (HEARTBEAT, 0, Vec::new())]);
        }
    }

    #[test]
    fn a_length_that_no_number_above_it_fits_is_none() {
        assert!(size(&[METHOD, 0, 1, 0xff, 0xff, 0xff, 0xff]).is_none());
    }

    #[test]
    fn a_frame_that_is_cut_is_skipped() {
        let mut frames = Frames::default();
        assert!(frames.next(&mut &b"\x01\0\x01\0\0\0\x09ab"[..], size).is_none());
        assert_eq!(frames.miss(8).map(|frame| frame.body.to_vec()), Some(b"ab".to_vec()));
        assert!(frames.miss(1).is_none() && frames.is_lost());
        frames.find();
        assert!(frames.next(&mut &b"\x01\0\x01\0\0\0\0x"[..], size).is_none() && frames.is_lost());
    }
}
