//! Doubts: each weakens a verdict, and says what it rests on.

use super::words::{Close, Doubt};
use super::{Acknowledged, Case, HalfClose};
use crate::set::Set;
use crate::tcp::flow::Noted;
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;

/// Held less than this, the close may simply not be over.
pub const BRIEF_NS: i64 = 1_000_000_000;

impl Case<'_> {
    pub(super) fn doubts(&self, h: &HalfClose, close: Close, held: Option<i64>) -> Set<Doubt> {
        let half_closed = close == Close::HalfClosed;
        // Where its FIN has no time, the capture may have stopped in the middle of a close as well.
        let has_time = h.fin.place.time.nanos().is_some();
        let is_brief = held.map_or(!has_time, |held| held < BRIEF_NS);
        [
            (half_closed && is_brief, Doubt::Brief),
            (
                self.flow.notes.has(Noted::Midstream) && !h.holding.sent_payload(),
                Doubt::FinBeforeCapture,
            ),
            (self.lost_before_fin(h, half_closed), Doubt::LostBeforeFin),
            (close == Close::Closed, Doubt::FinImplied),
            (self.is_unconfirmed(h, close), Doubt::Unconfirmed),
            (self.facts.drops() > 0, Doubt::Dropped),
            (self.is_tapped_elsewhere(h), Doubt::RemoteTap),
            (self.facts.is_truncated(), Doubt::Truncated),
            (close != Close::Closed && self.is_unacked(h), Doubt::Unacked),
            (self.facts.has_holes(), Doubt::Holes),
            (half_closed && self.spans_gap(h), Doubt::Gap),
            (h.fin_missed, Doubt::PeerFinMissed),
            (close != Close::Closed && self.is_unanswered(h), Doubt::Unanswered),
            (half_closed && self.flow.notes.has(Noted::HolderAnswersRst), Doubt::RstIgnored),
            (half_closed && self.facts.has_ended_elsewhere(self.key), Doubt::EndedElsewhere),
        ]
        .into_iter()
        .filter_map(|(applies, doubt)| applies.then_some(doubt))
        .collect()
    }

    fn lost_before_fin(&self, h: &HalfClose, half_closed: bool) -> bool {
        let acked_beyond_sent = h.fin.ack_then.is_some_and(|ack| {
            let sent = h.fin.peer_snd_max_then;
            sent.is_none_or(|sent| ack.is_after(sent))
        });
        // A bare ACK of the holder can show by its number what was not captured itself.
        let acked_uncaptured = h.closing.ack().zip(h.holding.captured_max());
        let acked_uncaptured =
            acked_uncaptured.is_some_and(|(ack, captured)| ack.is_after(captured));
        acked_beyond_sent || acked_uncaptured && half_closed
    }

    fn is_unconfirmed(&self, h: &HalfClose, close: Close) -> bool {
        close == Close::HalfClosed && self.acknowledged(h) == Acknowledged::Assumed
            || close == Close::Reset && h.fin.acked.is_none()
            // Among packets with payload alone, a bare FIN of the holder could not show.
            || !self.facts.shows_empty_segments()
    }

    /// Local's packets are seen arriving alone, or routers had passed them on. What a host sends to
    /// itself is, too, and has no path to get lost on.
    fn is_tapped_elsewhere(&self, h: &HalfClose) -> bool {
        let is_loopback = |side| self.key.endpoint(self.flow.end(side)).ip.is_loopback();
        let has_path = ![Side::A, Side::B].into_iter().any(is_loopback);
        // Of a host's own packets it knows better than their TTL, which some systems begin lower.
        let is_own = self.facts.is_at_interface(self.key.endpoint(self.flow.end(h.holder)).ip);
        has_path
            && self.local.judges(h.holder)
            && (h.holding.seen_arriving() || h.holding.was_routed() && !is_own)
            && !h.holding.seen_leaving()
    }

    /// Returns true if the holder's last octets are on their way still, or the closer lets it send
    /// nothing: a FIN would wait behind them (RFC 9293, 3.10.4: "queue this until all preceding
    /// SENDs have been segmentized").
    fn is_unacked(&self, h: &HalfClose) -> bool {
        // What was sent and not captured shows in the number of a bare ACK: it may have been a FIN.
        let is_ahead = |sent: Seq| match self.flow.believed_ack(h.holder.other()) {
            Some(ack) => !ack.covers(sent),
            None => h.holding.sent_payload(),
        };
        // Among packets with payload alone, nothing tells that it was acknowledged.
        let sent = h.holding.snd_max().filter(|_| self.facts.shows_empty_segments());
        sent.is_some_and(is_ahead) || h.closing.window() == Some(0)
    }

    /// For some of the time that it was held, nothing was captured.
    fn spans_gap(&self, h: &HalfClose) -> bool {
        let from = self.held_from(&h.fin, None).time;
        self.facts.gaps().iter().any(|&(began, ended)| from <= began && ended <= self.facts.end())
    }

    /// The closer opened the connection, and had the last word before its FIN: a request, perhaps.
    fn is_unanswered(&self, h: &HalfClose) -> bool {
        let closer = h.holder.other();
        let opened = self.flow.service().map(Side::other) == Some(closer);
        opened && h.closing.sent_payload() && self.flow.had_last_word(closer)
    }
}
