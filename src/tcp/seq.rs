//! Sequence numbers: 32 bits that wrap (RFC 9293, 3.4).

use core::ops::Add;

/// Octets: a side that has sent fewer has used no number twice, nor will soon.
pub const COMES_ROUND: i32 = 1 << 30;

/// Octets: a number this far beyond an unanswered SYN is some other connection's.
pub const FITS_WITHIN: i32 = 1 << 20;

/// A sequence or acknowledgment number.
///
/// It has no order of its own: "after" means less than half the number space ahead, so there is no
/// `Ord` here, only questions about two numbers of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seq(pub u32);

impl Seq {
    /// Returns how far `self` lies ahead of `other`; negative when behind.
    pub fn ahead_of(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// Tells whether it comes after another, around the end of 32 bits.
    pub fn is_after(self, other: Seq) -> bool {
        self.ahead_of(other) > 0
    }

    /// Tells whether it comes after another or is the same: an ACK of this number acknowledges that one.
    pub fn covers(self, other: Seq) -> bool {
        self.ahead_of(other) >= 0
    }

    /// Would one bit that was set by damage make it of a number from `lowest` to `highest`?
    pub fn is_one_bit_from(self, lowest: Seq, highest: Seq) -> bool {
        let bits = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| self.0 & bit != 0);
        let within = |number: Seq| number.covers(lowest) && highest.covers(number);
        bits.map(|bit| Seq(self.0 ^ bit)).any(within)
    }

    /// The number so many octets before.
    pub fn before(self, octets: u32) -> Seq {
        Seq(self.0.wrapping_sub(octets))
    }

    /// The later of two numbers.
    pub fn max(self, other: Seq) -> Seq {
        if other.is_after(self) { other } else { self }
    }
}

impl Add<u32> for Seq {
    type Output = Seq;
    fn add(self, octets: u32) -> Seq {
        Seq(self.0.wrapping_add(octets))
    }
}

/// The later of a number that may be missing and one that is there.
pub fn later(known: Option<Seq>, new: Seq) -> Seq {
    known.map_or(new, |k| k.max(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap() {
        let before = Seq(u32::MAX);
        assert_eq!(before + 1, Seq(0));
        assert!((before + 1).is_after(before));
        assert!(!before.is_after(before));
        assert!(before.covers(before));
        assert_eq!(before.max(Seq(3)), Seq(3));
        assert_eq!(Seq(3).ahead_of(before), 4);
    }

    #[test]
    fn damage_sets_one_bit() {
        let damaged = |number: u32| Seq(number).is_one_bit_from(Seq(100), Seq(200));
        assert!(damaged(150 | 1 << 20) && damaged(150 | 1 << 31));
        assert!(!damaged(150 | 3 << 20) && !damaged(1_000));
    }
}
