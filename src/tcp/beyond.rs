//! Payload beyond a FIN of the same side, though that FIN was acknowledged. Nothing is sent after a FIN, and nothing after
//! one is received (RFC 9293, 3.10.4 and 3.10.7.4): either the payload's number was damaged, or the FIN was none, and its
//! number that of an octet. Whether the other side acknowledges the payload tells.

use super::fin::Fin;
use super::packed::{Base, Code};
use super::seq::{Seq, later};

/// Payload, or another FIN, beyond an acknowledged FIN.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beyond {
    /// The end of all of it.
    end: Option<Seq>,
    /// The FIN in it, if there is one: the last.
    fin: Option<Fin>,
}

impl Beyond {
    /// Writes it, or reads what it was.
    pub(super) fn coded(self, code: &mut impl Code, base: Base) -> Beyond {
        Beyond {
            end: code.some_seq(self.end, base.sent),
            fin: code.option(self.fin, |code, fin| fin.coded(code, base)),
        }
    }

    /// Takes in what ends there.
    pub fn reach(&mut self, end: Seq) {
        self.end = Some(later(self.end, end));
    }

    /// Takes in another FIN.
    pub fn take_fin(&mut self, fin: Fin) {
        self.reach(fin.end);
        let before = self.fin.filter(|before| before.end == fin.end);
        self.fin = Some(before.unwrap_or(fin));
    }

    /// Tells whether `ack` is of something beyond `fin`, the number that acknowledges that FIN. One flipped bit makes
    /// another number of that, but none that just this ends at.
    pub fn is_acked(&self, ack: Seq, fin: Seq) -> bool {
        let is_within = |end: Seq| ack.is_after(fin) && end.covers(ack);
        let is_whole = self.end == Some(ack);
        self.end.is_some_and(is_within) && (is_whole || !ack.is_one_bit_from(fin, fin))
    }

    /// The FIN that counts once the one before it turned out to be none.
    pub fn fin(&self) -> Option<Fin> {
        self.fin
    }
}
