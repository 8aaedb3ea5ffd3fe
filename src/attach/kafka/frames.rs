//! Frames of Kafka: a length, and what it carries.

use crate::attach::framed::{Framed, Size};

/// Octets kept of a frame: heads are small.
const KEEP: usize = 512;

/// No frame is longer.
const LONGEST: u32 = 256 << 20;

/// One direction.
pub type Frames = Framed<4>;

/// Returns the size that a header tells of, if it can be one.
pub fn size(header: &[u8; 4]) -> Option<Size> {
    let len = u32::from_be_bytes(*header);
    (4..=LONGEST).contains(&len).then_some(Size { len, keep: KEEP, end: None })
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
                while let Some(frame) = frames.next(&mut piece, size) {
                    out.push(frame.body.to_vec());
                }
            }
            assert_eq!(out, [b"abcde".to_vec(), b"fghi".to_vec()]);
            assert!(frames.is_between());
        }
        let mut frames = Frames::default();
        assert!(frames.next(&mut &b"\0\0\0\x09ab"[..], size).is_none());
        assert_eq!(frames.miss(7).map(|frame| frame.body.to_vec()), Some(b"ab".to_vec()));
        assert!(frames.miss(1).is_none() && frames.is_lost());
        frames.find();
        assert!(frames.next(&mut &b"GET / HTTP"[..], size).is_none() && frames.is_lost());
    }
}
