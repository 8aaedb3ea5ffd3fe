//! Notes of a flow taken on the way, a bit each.

use super::packed::Code;
use crate::set::{Word, words};

words! {
    /// An observation on the way of a flow.
    Noted {
        /// The first packet has no SYN.
        Midstream,
        /// The 4-tuple had a connection before.
        PortReused,
        /// A FIN was sent more than once.
        FinRetransmitted,
        /// A SYN came while the other side's FIN was acknowledged and the own not sent.
        SynInCloseWait,
        /// A RST that RFC 5961 would not accept.
        RstOddSeq,
        /// A RST that ended nothing.
        RstWithoutEffect,
        /// A packet was captured more than once.
        Duplicates,
        /// A packet is older than the one before it.
        TimeWentBack,
        /// A FIN that its sender went on beyond, or that was damaged.
        FinWithoutEffect,
        /// Its 4-tuple was established again later: no kernel has two sockets of one.
        Superseded,
        /// Something was acknowledged and not captured, nor will be: later octets were.
        Hole,
        /// A hole, unless a bit of what acknowledged it was flipped on the way.
        PerhapsHole,
        /// Something of it was damaged on the way.
        Damaged,
        /// Its holder answered as a host that has no such socket, and whom it answered ignores that.
        HolderAnswersRst,
        /// Both sides speak Multipath TCP.
        Multipath,
        /// Its 4-tuple had another connection, and the one that was read later is the earlier one by its times.
        Disordered,
    }
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes(u16);

impl Notes {
    pub(super) fn coded(self, code: &mut impl Code) -> Notes {
        Notes(code.number(self.0.into()) as u16)
    }

    /// Tells whether it was observed.
    pub fn has(self, note: Noted) -> bool {
        self.0 & 1 << note as u8 != 0
    }

    /// Returns all that was noted.
    pub fn iter(self) -> impl Iterator<Item = Noted> {
        Noted::ALL.iter().copied().filter(move |note| self.has(*note))
    }

    /// Takes note if `applies`.
    pub fn note(&mut self, note: Noted, applies: bool) {
        self.0 |= u16::from(applies) << note as u8;
    }

    /// Takes back what was noted.
    pub fn forget(&mut self, note: Noted) {
        self.0 &= !(1 << note as u8);
    }
}
