//! A FIN in a segment that IP sent in fragments. Only the first has TCP's header, and only that one is read: it tells
//! where the segment begins, and not how much follows. What the other side acknowledges tells it later: the segment
//! reached it whole or not at all, and nothing comes after a FIN.

use super::Flow;
use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;

/// The most octets that an IP packet has.
const MOST: i32 = 65_535;

impl Flow {
    /// Returns a FIN of `side` with the length that is known of its segment by now.
    pub(super) fn whole(&self, side: Side, fin: &Segment) -> Segment {
        if !fin.is_first_fragment() {
            return *fin;
        }
        let known = self.fin(side).map(|fin| fin.end).or(self.half(side.other()).ack());
        let lacks = known.and_then(|known| rest(fin.end_of_payload() + 1, known));
        Segment { len: fin.len + lacks.unwrap_or(0), ..*fin }
    }

    /// Learns where a FIN ends of which only the first fragment was read: from the other side's ACK, or from the FIN
    /// that was sent again in one piece.
    pub(super) fn learn_end(&mut self, side: Side, segment: &Segment) {
        if segment.flags.ack() {
            self.end_at(side.other(), segment.ack);
        }
        if segment.flags.fin() && !segment.is_first_fragment() {
            self.end_at(side, segment.end_of_payload() + 1);
        }
    }

    fn end_at(&mut self, side: Side, end: Seq) {
        let Some(closing) = &mut self.closing else { return };
        let own = &mut closing.sides[side as usize].fin;
        let Some(fin) = own.as_mut().filter(|fin| fin.of_more) else { return };
        if rest(fin.end, end).is_some() {
            (fin.end, fin.of_more) = (end, false);
            self.halves[side as usize].reach(end);
        }
    }
}

/// The octets between what was read of a packet and its end, if they fit into one.
fn rest(read: Seq, end: Seq) -> Option<u32> {
    let more = end.ahead_of(read);
    (1..=MOST).contains(&more).then_some(more.unsigned_abs())
}
