//! To which connection of a 4-tuple a segment belongs.
//!
//! A 4-tuple is used again and again, and late packets of one use meet the next. The rules rest on
//! the initial sequence number (ISN): another one means another connection, and until a new SYN is
//! answered, what does not fit it belongs to the connection before.

use super::flow::Flow;
use super::half::Half;
use super::segment::Segment;
use super::seq::{COMES_ROUND, FITS_WITHIN, Seq};
use super::side::Side;

/// The connection of a 4-tuple that a segment belongs to, seen from its newest flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// To the newest flow.
    Here,
    /// To a new flow, which it begins.
    New,
    /// To an older flow if there is one that was answered or that it fits, else to the newest.
    Older,
    /// To an older flow if its numbers are exactly those to come there, else to the newest.
    OlderExactly,
    /// To an older flow if its numbers are anywhere near those of that one, else to the newest: they
    /// are nowhere near the newest's.
    OlderNear,
    /// To an older flow if its numbers are anywhere near those of that one, else to a new flow, whose
    /// handshake was not captured.
    OlderNearOrNew,
    /// To an older flow if its numbers are anywhere near those of that one, else to a new flow if another such
    /// segment and this one [answer each other](answers), else to none: it passes by.
    Strange,
}

/// Decides for a segment of `flow`'s 4-tuple.
pub fn belongs(flow: &Flow, segment: &Segment) -> Belongs {
    let side = flow.side(segment.from);
    let (sender, other) = (flow.half(side), flow.half(side.other()));
    match (segment.flags.syn(), segment.flags.ack()) {
        // It begins nothing, whatever it looks like.
        (true, _) if segment.is_damaged() => Belongs::Here,
        (true, false) => of_syn(flow, sender, other, segment),
        (true, true) => of_syn_ack(flow, sender, other, segment),
        _ if flow.is_finished() && is_strange(flow, side, segment) => Belongs::OlderNearOrNew,
        _ if !flow.is_unanswered() && cannot_be_here(flow, segment) => Belongs::Strange,
        _ if flow.is_unanswered() && !fits_syn(flow, segment) => Belongs::Older,
        _ if flow.is_unanswered() && !flow.answers(segment) => Belongs::OlderNear,
        _ if !flow.is_unanswered() && precedes(sender, other, segment) => Belongs::OlderNear,
        _ if !flow.is_unanswered()
            && (!can_end(flow, side, segment) || is_odd(sender, other, segment)) =>
        {
            match near(sender, segment) {
                true => Belongs::OlderExactly,
                false => Belongs::OlderNear,
            }
        }
        // Near as they are, its numbers may be just those of an older one. Of a FIN, one number alone would be looked at.
        _ if segment.is_plain() && !flow.is_unanswered() && may_be_an_older_s(flow, segment) => {
            Belongs::OlderExactly
        }
        _ => Belongs::Here,
    }
}

/// Tells where a SYN belongs. With the same ISN it is a retransmission, with another one a new
/// connection. An unknown one was perhaps captured late, or crosses the other side's SYN (RFC 9293,
/// figure 7).
fn of_syn(flow: &Flow, sender: &Half, other: &Half, segment: &Segment) -> Belongs {
    let here = match sender.isn() {
        Some(isn) => isn == segment.seq,
        None => {
            confirms(sender, other, segment)
                || crosses(flow, sender, other, segment)
                || flow.is_begun_by(segment)
        }
    };
    if here { Belongs::Here } else { Belongs::New }
}

fn of_syn_ack(flow: &Flow, sender: &Half, other: &Half, segment: &Segment) -> Belongs {
    let known = sender.isn() == Some(segment.seq);
    // Nothing of a later connection reaches one that is over, whatever a stray ACK of it did to it.
    if !known && sender.isn().is_some() && flow.is_finished() {
        return Belongs::New;
    }
    if known || other.counts_syn(segment.ack) || flow.is_begun_by(segment) {
        return Belongs::Here;
    }
    // What came of its sender before answered nothing, either.
    if flow.is_unanswered() {
        return Belongs::Older;
    }
    if confirms(sender, other, segment) {
        return Belongs::Here;
    }
    if flow.is_finished() || sender.sent_payload() { Belongs::New } else { Belongs::Older }
}

/// Returns true if a segment is the SYN of the flow, by what was seen of it so far.
fn confirms(sender: &Half, other: &Half, segment: &Segment) -> bool {
    let after_syn = Some(segment.seq + 1);
    sender.isn().is_none()
        && (sender.lowest() == after_syn
            || other.first_ack() == after_syn
            || other.ack() == after_syn)
}

/// The peer's SYN is in the flow, and no payload, FIN or RST is.
fn crosses(flow: &Flow, sender: &Half, other: &Half, segment: &Segment) -> bool {
    let fits = |seen: Option<Seq>| seen.is_none_or(|seen| seen == segment.seq + 1);
    let untouched = |side| {
        let unclosed = flow.fin(side).is_none() && flow.rst(side).is_none();
        flow.half(side).payload_bytes == 0 && unclosed
    };
    other.isn().is_some()
        && fits(sender.lowest())
        && fits(other.first_ack())
        && [Side::A, Side::B].into_iter().all(untouched)
}

/// Does the segment fit the SYN that began `flow`? Octets after it may have been acknowledged and not captured.
fn fits_syn(flow: &Flow, segment: &Segment) -> bool {
    let after_syn = flow.half(Side::A).isn().map(|isn| isn + 1);
    let fits = |number: Seq| {
        after_syn.is_none_or(|next| (0..=FITS_WITHIN).contains(&number.ahead_of(next)))
    };
    match flow.side(segment.from) {
        Side::A => fits(segment.seq),
        Side::B => segment.flags.ack() && fits(segment.ack),
    }
}

/// Is it a FIN or a RST of this connection, or none of either? A FIN comes after all that its sender
/// sent; a RST's number is the next, or what the other side has acknowledged.
fn can_end(flow: &Flow, side: Side, segment: &Segment) -> bool {
    if segment.flags.rst() {
        return flow.rst_numbers(side).contains(&Some(segment.seq));
    }
    // Of a side of which nothing was captured, the other one tells how far it is.
    let last = flow.half(side).snd_max().or(flow.half(side.other()).ack());
    !segment.flags.fin() || last.is_none_or(|last| is_last(last, segment))
}

/// Is one of its numbers nowhere near what was used?
fn is_odd(sender: &Half, other: &Half, segment: &Segment) -> bool {
    segment.flags.ack() && (is_far(sender, segment.seq) || is_far(other, segment.ack))
}

/// The FIN comes after `max`, or is the one that ends there.
fn is_last(max: Seq, fin: &Segment) -> bool {
    (0..=FITS_WITHIN).contains(&(fin.end_of_payload() + 1).ahead_of(max))
}

/// Does an older flow of the 4-tuple know this SYN, or did it send the SYN that this answers?
pub fn knows_syn(older: &Flow, segment: &Segment) -> bool {
    let side = older.side(segment.from);
    let answers = segment.flags.ack() && older.half(side.other()).counts_syn(segment.ack);
    older.half(side).isn() == Some(segment.seq) || answers
}

/// Can an older flow of the 4-tuple take a segment that does not fit the newest?
pub fn takes_late(older: &Flow, segment: &Segment) -> bool {
    let flags = segment.flags;
    if flags.syn() {
        return knows_syn(older, segment);
    }
    if flags.rst() && !flags.ack() {
        // Only its number tells whose it is.
        return ends(older, segment);
    }
    !older.is_unanswered() || fits_syn(older, segment)
}

/// Are both its numbers far from all that either side has used, or beyond both FINs, after which there is
/// nothing? Damage changes one of them. A bare ACK may be one of a handshake that is captured out of order.
fn is_strange(flow: &Flow, side: Side, segment: &Segment) -> bool {
    let flags = segment.flags;
    let numbers = [(side, segment.seq), (side.other(), segment.ack)];
    let is_beyond =
        |(side, number): (Side, Seq)| flow.fin(side).is_some_and(|fin| number.is_after(fin.end));
    let is_strange = numbers.into_iter().all(|(side, number)| is_far(flow.half(side), number))
        || numbers.into_iter().all(is_beyond);
    flags.ack() && !flags.rst() && !segment.is_bare_ack() && is_strange
}

/// Has it numbers such as a side cannot come to, however much was not captured: one that is far beyond a FIN that was
/// received, or both far from all that was used, and one of them below the first?
#[inline(always)]
pub fn is_another_s(flow: &Flow, segment: &Segment) -> bool {
    (flow.acks_elsewhere(segment) || flow.may_be_closing())
        && !flow.is_unanswered()
        && cannot_be_here(flow, segment)
}

/// Does it acknowledge what was not captured, or is long ago? An older connection may know that.
#[inline(always)]
pub fn may_be_an_older_s(flow: &Flow, segment: &Segment) -> bool {
    flow.acks_elsewhere(segment)
}

#[cold]
fn cannot_be_here(flow: &Flow, segment: &Segment) -> bool {
    let side = flow.side(segment.from);
    let numbers = [(side, segment.seq), (side.other(), segment.ack)];
    let is_below = |(side, number): (Side, Seq)| {
        flow.half(side).lowest().is_some_and(|lowest| number.ahead_of(lowest) < -1)
    };
    let is_beyond = |(side, number): (Side, Seq)| {
        let fin = flow.fin(side).filter(|fin| fin.acked.is_some());
        fin.is_some_and(|fin| number.is_after(fin.end))
    };
    let far = numbers.map(|(side, number)| is_far(flow.half(side), number));
    if far == [false; 2] || !segment.flags.ack() || segment.flags.rst() {
        return false;
    }
    let is_far_beyond = |(at, is_far): ((Side, Seq), bool)| {
        is_far && is_beyond(at) && !may_be_damaged(flow.half(at.0), at.1)
    };
    numbers.into_iter().zip(far).any(is_far_beyond)
        || far == [true; 2] && numbers.into_iter().any(is_below)
}

/// Would it be a number that this side has used, but for one bit?
fn may_be_damaged(half: &Half, number: Seq) -> bool {
    (0..u32::BITS).any(|bit| half.has_used(Seq(number.0 ^ 1 << bit)))
}

/// Does a segment acknowledge another one of the other side, and go on where that says? Damage makes no two such.
pub fn answers(segment: &Segment, other: &Segment) -> bool {
    let end = other.end_of_payload() + u32::from(other.flags.fin());
    segment.from != other.from
        && segment.flags.ack()
        && (0..=FITS_WITHIN).contains(&segment.ack.ahead_of(end))
        && (-1..=FITS_WITHIN).contains(&segment.seq.ahead_of(other.ack))
}

/// Does a segment go on where another one of its sender was?
pub fn goes_on(segment: &Segment, other: &Segment) -> bool {
    let ahead = segment.seq.ahead_of(other.seq);
    segment.from == other.from && (-FITS_WITHIN..=FITS_WITHIN).contains(&ahead)
}

/// Are both its numbers below those that the two SYNs began with?
fn precedes(sender: &Half, other: &Half, segment: &Segment) -> bool {
    segment.flags.ack() && is_before(sender, segment.seq) && is_before(other, segment.ack)
}

/// Is a number below a side's SYN? Once a side has sent much, numbers come round again.
fn is_before(half: &Half, number: Seq) -> bool {
    half.isn().zip(half.snd_max()).is_some_and(|(isn, max)| {
        number.ahead_of(isn) < 0 && (0..COMES_ROUND).contains(&max.ahead_of(isn))
    })
}

/// Is a number far from the lowest and the highest one of a side, and not between them?
fn is_far(half: &Half, number: Seq) -> bool {
    half.lowest().zip(half.snd_max()).is_some_and(|(lowest, max)| {
        let near_last = (-FITS_WITHIN..=FITS_WITHIN).contains(&number.ahead_of(max));
        let between = number.ahead_of(lowest) >= -1 && max.covers(number);
        !near_last && !between
    })
}

/// Are the numbers such as this side has used?
fn near(sender: &Half, segment: &Segment) -> bool {
    let after_first = sender.lowest().is_some_and(|lowest| segment.seq.ahead_of(lowest) >= -1);
    let before_last = sender.snd_max().is_some_and(|max| segment.seq.ahead_of(max) <= FITS_WITHIN);
    after_first && before_last
}

/// Are the numbers such as an older flow has used?
pub fn fits_nearly(older: &Flow, segment: &Segment) -> bool {
    fits_exactly(older, segment) || near(older.half(older.side(segment.from)), segment)
}

/// Is the segment just what is to come in an older flow, or sent again there? Then it acknowledges what the
/// other side sent, and is not beyond what its own has: a keep-alive's number is one too low (RFC 9293, 3.8.4).
pub fn fits_exactly(older: &Flow, segment: &Segment) -> bool {
    let flags = segment.flags;
    if flags.rst() || flags.fin() {
        return ends(older, segment);
    }
    let side = older.side(segment.from);
    let (sender, other) = (older.half(side), older.half(side.other()));
    let acks_sent = flags.ack() && other.has_used(segment.ack);
    sender.snd_max() == Some(segment.seq) && !is_odd(sender, other, segment)
        || acks_sent && near(sender, segment)
        || answers_syn(older, segment)
}

/// Does it answer the SYN of an older flow, or follow it up, for the first time?
pub fn answers_syn(older: &Flow, segment: &Segment) -> bool {
    older.is_unanswered() && !segment.flags.syn() && older.answers(segment)
}

/// Is it just the FIN or the RST that an older flow can have? A FIN that it has had is the only one. A RST answers
/// whatever comes late: it can have any number that was acknowledged, though nothing of its side was captured.
fn ends(older: &Flow, segment: &Segment) -> bool {
    let side = older.side(segment.from);
    let (sender, ends) = (older.half(side), can_end(older, side, segment));
    if segment.flags.rst() {
        return ends || sender.has_used(segment.seq);
    }
    let end = segment.end_of_payload() + 1;
    let is_known = sender.snd_max().is_some() || older.half(side.other()).ack().is_some();
    is_known && ends && older.fin(side).is_none_or(|fin| fin.end == end)
}
