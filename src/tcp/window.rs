//! The receive window (3.5.3): which numbers the other side may send.

use super::packed::Code;
use super::segment::Scale;
use super::seq::Seq;
use super::side::Side;

/// The largest window that there is (RFC 7323, 2.3).
pub const MOST: u32 = 1 << 30;

/// The window scales that the SYNs of both sides offered.
#[derive(Clone, Copy, Debug)]
pub struct Scales(u8);

impl Scales {
    /// Neither side's scale is known.
    pub const UNKNOWN: Scales = Scales(0);

    pub(super) fn coded(self, code: &mut impl Code) -> Scales {
        Scales(code.number(self.0.into()) as u8)
    }

    /// The octets that a side's field of its last segment stands for, where the SYNs tell: both that
    /// windows are scaled, or one that they are not.
    pub fn window(self, side: Side, field: u16) -> Option<u32> {
        let (own, others) = (self.of(side), self.of(side.other()));
        let shift = match [own, others].contains(&Scale::ABSENT) {
            true => 0,
            false => own.shift().zip(others.shift())?.0,
        };
        Some(u32::from(field) << shift)
    }

    fn of(self, side: Side) -> Scale {
        Scale::of_bits(self.0 >> (4 * side as u8))
    }

    /// Takes in the option of a side's SYN. One that is sent again with another option leaves it
    /// open which one counted.
    pub fn note(&mut self, side: Side, scale: Scale, first: bool) {
        let scale = if first || self.of(side) == scale { scale } else { Scale::UNKNOWN };
        let at = 4 * side as u8;
        self.0 = self.0 & !(15 << at) | scale.bits() << at;
    }
}

/// Is the number of a RST outside the window that begins at `next`? There is room for ACKs that were lost, the window's
/// length. Before it there is none, for what was acknowledged has arrived: but Linux takes a RST that is one too low
/// where that one is the FIN.
pub fn is_outside(seq: Seq, next: Seq, window: u32) -> bool {
    let window = i64::from(window);
    !(-1..=2 * window).contains(&i64::from(seq.ahead_of(next)))
}
