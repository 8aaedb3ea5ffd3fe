//! The handshake: how far a connection has been opened (RFC 9293, 3.5).

use super::Flow;
use crate::tcp::segment::Segment;
use crate::tcp::seq::{COMES_ROUND, FITS_WITHIN, Seq};
use crate::tcp::side::Side;

impl Flow {
    /// A SYN was answered: by a SYN/ACK, and that by an ACK where the SYN was not captured; or where the SYN/ACK was
    /// not, both have acknowledged.
    pub fn is_established(&self) -> bool {
        [Side::A, Side::B].into_iter().any(|side| {
            let (own, other) = (self.half(side), self.half(side.other()));
            let acked = own.isn().is_some_and(|isn| other.has_acked(isn + 1));
            let both = acked && own.ack().is_some() && !self.is_unanswered();
            own.sent_syn_ack() && (other.isn().is_some() || acked) || both
        })
    }

    /// Does the segment answer the SYN that began the flow, or follow it up? From then on the
    /// 4-tuple's packets are this connection's.
    #[inline(always)]
    pub fn answers(&self, segment: &Segment) -> bool {
        let Some(isn) = self.half(Side::A).isn() else { return false };
        match self.side(segment.from) {
            Side::A => !segment.flags.syn() && !has_no_effect(segment) && segment.seq == isn + 1,
            Side::B => segment.flags.ack() && self.half(Side::A).counts_syn(segment.ack),
        }
    }

    /// Does the segment end the handshake: the first acknowledgment of the SYN/ACK, with the number after the SYN?
    pub fn is_completed_by(&self, segment: &Segment) -> bool {
        let after = |side: Side| self.half(side).isn().map(|isn| isn + 1);
        let [syn, rst, ack] = [segment.flags.syn(), segment.flags.rst(), segment.flags.ack()];
        self.is_unheeded()
            && self.side(segment.from) == Side::A
            && ack
            && !syn
            && !rst
            && after(Side::A) == Some(segment.seq)
            && after(Side::B) == Some(segment.ack)
    }

    /// Does the segment show more of the connection than a SYN without an answer?
    pub(super) fn follows_syn(&self, segment: &Segment) -> bool {
        let is_syn = segment.flags.syn() && !segment.flags.ack();
        let is_only_syn = is_syn && self.side(segment.from) == Side::A;
        let is_dropped = self.half(Side::A).isn().is_some() && has_no_effect(segment);
        !is_only_syn && !is_dropped && !segment.is_damaged()
    }

    /// Then `A`'s first ACK ends the handshake.
    pub(super) fn has_both_syns(&self) -> bool {
        self.halves.iter().all(|half| half.isn().is_some())
    }

    /// A SYN met by a RST, and nothing else.
    pub fn is_refused(&self) -> bool {
        let (a, b) = (self.half(Side::A), self.half(Side::B));
        a.isn().is_some()
            && b.isn().is_none()
            && b.snd_max().is_none()
            && self.rst(Side::B).is_some()
    }

    /// Is it a SYN/ACK of `side` with another number than the one that the other side has taken (3.10.7.4)? Whoever
    /// answers without keeping anything (SYN cookies) answers a SYN that is sent again with another number.
    pub(super) fn is_answered_otherwise(&self, side: Side, segment: &Segment) -> bool {
        let (own, other) = (self.half(side), self.half(side.other()));
        let is_taken = |ack: Option<Seq>| ack.is_some_and(|ack| own.has_used(ack));
        segment.flags.ack()
            && own.sent_syn_ack()
            && own.isn() != Some(segment.seq)
            && (is_taken(other.first_ack()) || is_taken(other.ack()))
    }

    /// Is it the SYN or SYN/ACK of this connection, of which later packets were read before, as its number and its time
    /// tell? Captures are joined in the wrong order, and lists sorted by another column. A new connection's number is
    /// hardly just below those of the one before: it rises with time, or is random (RFC 6528).
    pub fn is_begun_by(&self, segment: &Segment) -> bool {
        let side = self.side(segment.from);
        let own = self.half(side);
        let known = own.lowest().or_else(|| self.half(side.other()).first_ack());
        let time = segment.place.time;
        let is_older = time.is_set_back_from(self.first.time);
        // Before a SYN/ACK, no more than a challenge ACK of an older connection can come. What is over may be followed by
        // whatever comes later.
        let says_more = !segment.flags.ack() || own.sent_payload() || self.fin(side).is_some();
        let is_near = says_more && (time < self.first.time || !self.is_finished());
        let is_below = |known: Seq| {
            let ahead = known.ahead_of(segment.seq + 1);
            is_near && (1..=FITS_WITHIN).contains(&ahead)
                || is_older && (0..COMES_ROUND).contains(&ahead)
        };
        segment.flags.syn() && own.isn().is_none() && known.is_some_and(is_below)
    }

    /// Its SYN waits for an answer.
    pub fn is_unanswered(&self) -> bool {
        self.manner.is_unanswered()
    }

    /// Its SYN was answered, and whoever sent it has acknowledged nothing.
    pub fn is_unheeded(&self) -> bool {
        self.half(Side::B).sent_syn_ack() && self.half(Side::A).ack().is_none()
    }
}

/// It has neither SYN, ACK nor RST: whoever receives such drops it (3.10.7).
fn has_no_effect(segment: &Segment) -> bool {
    !segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst()
}
