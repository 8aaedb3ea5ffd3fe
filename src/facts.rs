//! Facts of a whole capture, as far as they bear on a verdict or its reader should know them.
//!
//! [`CaptureFacts`] fills itself from what is read: each packet's place, each segment, and what the
//! capture says of itself. A verdict needs all three, since a capture without any bare ACK, or with
//! drops, shows less of a close than others do.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::ops::AddAssign;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::capture::{About, LinkType};
use crate::endpoints::is_one_of;
use crate::place::{DISORDER_NS, Place, Time};
use crate::tcp::holes::Holes;
use crate::tcp::segment::{FlowKey, Segment};

/// Facts of one capture, or of several added up.
#[derive(Clone, Debug, Default)]
pub struct CaptureFacts {
    end: Time,
    /// The end by the clock of the packets that were read last, where the capture says so that they were chosen from.
    told_end: Option<Time>,
    seen: Seen,
    /// Drops of the files that have been read to their end.
    drops_before: u64,
    /// Drops of the file that is being read.
    drops: u64,
    truncated: bool,
    /// Connections that show packets missing, which nobody counted.
    holes: Holes,
    /// Holes of the captures from which closewait chose and wrote these packets.
    holes_before: Holes,
    /// From when to when nothing was captured, between files that are no series.
    gaps: Vec<(Time, Time)>,
    /// Connections of a text whose ends may be those of another under other names.
    ambiguous: Arc<HashSet<FlowKey>>,
    /// Connections that may have ended, by the captures from which closewait chose these packets.
    ended_elsewhere: Arc<HashSet<FlowKey>>,
    /// Connections that are seen here under other addresses, too.
    twins: Arc<HashSet<FlowKey, RandomState>>,
    addresses: BTreeSet<IpAddr>,
    links: BTreeSet<LinkType>,
    snap_lengths: BTreeSet<u32>,
}

/// Octets of a packet as most networks send it; 0 is no snap length.
const WHOLE: u32 = 1_514;

/// Tells whether a snap length cuts packets as most networks send them.
pub fn cuts_packets(snap_length: u32) -> bool {
    (1..WHOLE).contains(&snap_length)
}

/// Packets of a capture that follow one another, as far as each bears on the whole: all of them have dates, or none has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Packets of any kind.
    pub packets: u64,
    /// TCP segments among them.
    pub segments: u64,
    /// The first one.
    pub first: Option<Place>,
    /// The one with the latest time.
    pub last: Option<Place>,
    /// The newest of those that are older by their times than one before them.
    pub behind: Option<Place>,
    /// The latest with a time of day alone, but that `last` may be a later one.
    pub undated: Option<Place>,
    /// A segment with nothing but an ACK is among them.
    pub bare_acks: bool,
    /// A segment without payload is among them.
    pub empty_segments: bool,
}

impl Seen {
    /// Takes in where and when a packet was captured: each one tells the time, whatever else becomes
    /// of it.
    #[inline(always)]
    pub fn see(&mut self, place: Place) {
        self.packets += 1;
        self.first.get_or_insert(place);
        if self.last.is_none_or(|last: Place| place.time >= last.time) {
            self.last = Some(place);
        } else if place.time != Time::UNKNOWN {
            self.behind = Some(place);
        }
    }

    /// The packet that was read last, of those whose times are known.
    fn newest(&self) -> Option<Place> {
        self.last.into_iter().chain(self.behind).max_by_key(|place| place.order())
    }

    /// Takes in a segment.
    #[inline(always)]
    pub fn note(&mut self, segment: &Segment) {
        self.segments += 1;
        self.bare_acks |= segment.is_bare_ack();
        self.empty_segments |= segment.len == 0;
    }
}

impl CaptureFacts {
    /// Takes in where and when a packet was captured.
    pub fn see(&mut self, place: Place) {
        let mut seen = Seen::default();
        seen.see(place);
        self.take(&seen);
    }

    /// Takes in packets that come next.
    pub fn take(&mut self, seen: &Seen) {
        let Seen { first, last, undated, .. } = *seen;
        self.told_end = None;
        self.seen.packets = self.seen.packets.saturating_add(seen.packets);
        self.seen.segments += seen.segments;
        self.seen.behind =
            self.newest().into_iter().chain(seen.newest()).max_by_key(|place| place.order());
        self.seen.first = self.seen.first.or(first);
        let undated = undated.into_iter().chain(last).filter(|last| last.time.is_undated());
        self.seen.undated = undated.chain(self.seen.undated).max_by_key(|undated| undated.time);
        let is_later = |last: &Place| self.seen.last.is_none_or(|known| last.time >= known.time);
        if let Some(last) = last.filter(is_later) {
            self.seen.last = Some(last);
            // Live, the clock may have been looked at since the packet came.
            self.end = self.end.max(last.time);
        }
        self.note_more(seen.bare_acks, seen.empty_segments);
    }

    /// Lets time pass: without any packet, too, it does.
    pub fn wait_until(&mut self, now: Time) {
        self.end = self.end.max(now);
    }

    /// Takes in a segment, before any of its connection is judged.
    pub fn note(&mut self, segment: &Segment) {
        self.seen.note(segment);
    }

    /// Takes in whether a file holds bare ACKs, and segments without payload.
    pub fn note_more(&mut self, bare_acks: bool, empty_segments: bool) {
        self.seen.bare_acks |= bare_acks;
        self.seen.empty_segments |= empty_segments;
    }

    /// Tells whether what more packets show cannot change what is judged of a connection that has ended.
    pub fn is_settled(&self) -> bool {
        self.seen.bare_acks && self.seen.empty_segments
    }

    /// Takes in what the file that is read says of itself so far.
    pub fn about(&mut self, about: &About) {
        self.addresses.extend(&about.addresses);
        self.links.extend(&about.links);
        self.snap_lengths.extend(&about.snap_lengths);
        if !about.ambiguous.flows.is_empty() {
            Arc::make_mut(&mut self.ambiguous).extend(about.ambiguous.flows.iter());
        }
        if !about.ended_elsewhere.is_empty() {
            Arc::make_mut(&mut self.ended_elsewhere).extend(about.ended_elsewhere.iter());
        }
        self.note_more(about.bare_acks, about.bare_acks);
        self.drops = about.drops;
    }

    /// Ends a file: takes in all that it says of itself, and what only its end tells.
    pub fn end_file(&mut self, about: &About) {
        self.about(about);
        self.drops_before = self.drops_before.saturating_add(std::mem::take(&mut self.drops));
        self.holes_before += about.holes;
        if let Some(end) = about.ended.and_then(|ended| ended.after(self.end)) {
            self.wait_until(end);
        }
        self.told_end = about.ended.filter(|ended| ended.is_sure).map(|ended| ended.by_clock);
    }

    /// Takes note that nothing was captured between two files that are no series.
    pub fn gap(&mut self, from: Time, to: Time) {
        self.gaps.push((from, to));
    }

    /// Takes in how many connections show that packets are missing. What packets were chosen from knew
    /// better.
    pub fn count_holes(&mut self, holes: Holes) {
        self.holes = if self.holes_before.of == 0 { holes } else { self.holes_before };
    }

    /// Takes note that a file ended in the middle of a record.
    pub fn cut_off(&mut self) {
        self.truncated = true;
    }

    /// Adds addresses of the host captured on.
    pub fn at_addresses<'a>(&mut self, addresses: impl IntoIterator<Item = &'a IpAddr>) {
        self.addresses.extend(addresses);
    }

    /// The latest time of any packet read, before any filter, or when the capture is said to have ended.
    pub fn end(&self) -> Time {
        self.end
    }

    /// The end as far as it compares with the time of a packet: where that is a time of day, a date does not.
    pub fn end_beside(&self, place: Place) -> Time {
        if !place.time.is_undated() || self.end.is_undated() {
            return self.end;
        }
        let last = self.seen.undated.map(|undated| undated.time);
        let told = self.told_end.filter(|told| told.is_undated());
        last.into_iter().chain(told).fold(place.time, Time::max)
    }

    /// The end by the clock that a packet was captured with: where that was set back and has not caught up since,
    /// the latest time of all is one of before.
    pub fn end_after(&self, place: Place) -> Time {
        let end = self.end_beside(place);
        let Some((last, newest)) = self.last().zip(self.newest()) else { return end };
        let after = self.told_end.unwrap_or(newest.time);
        let is_set_back = last.time.since(after) > Some(DISORDER_NS);
        let comes_later = |one: Place| one.order() > last.order();
        match is_set_back && comes_later(newest) && comes_later(place) && end == last.time {
            true => after,
            false => end,
        }
    }

    /// Nanoseconds that the packet read last is older than the latest, where that is too long for mere disorder: a clock
    /// was set back, or packets were read in another order than they came.
    pub fn set_back(&self) -> Option<i64> {
        let (last, newest) = self.last().zip(self.newest())?;
        let compare = last.time.is_undated() == newest.time.is_undated();
        let nanos = last.time.since(newest.time)?;
        (compare && newest.order() > last.order() && nanos > DISORDER_NS).then_some(nanos)
    }

    /// Packets read, of any kind.
    pub fn packets(&self) -> u64 {
        self.seen.packets
    }

    /// TCP segments among them.
    pub fn segments(&self) -> u64 {
        self.seen.segments
    }

    /// The first packet.
    pub fn first(&self) -> Option<Place> {
        self.seen.first
    }

    /// The packet with the latest time.
    pub fn last(&self) -> Option<Place> {
        self.seen.last
    }

    /// The latest packet with a time of day alone.
    pub fn undated(&self) -> Option<Place> {
        self.seen.undated
    }

    /// The packet that was read last.
    pub fn newest(&self) -> Option<Place> {
        self.seen.newest()
    }

    /// True if it holds an ACK without SYN, FIN, RST or payload.
    pub fn holds_bare_acks(&self) -> bool {
        self.seen.bare_acks
    }

    /// True if it holds a segment without payload.
    pub fn holds_empty_segments(&self) -> bool {
        self.seen.empty_segments
    }

    /// True if bare ACKs would show in it: it was not filtered down to flags. Of a capture that nothing
    /// is known of, this is assumed, since fewer verdicts follow from it.
    pub fn shows_bare_acks(&self) -> bool {
        self.seen.bare_acks || self.seen.segments == 0
    }

    /// True if segments without payload would show in it: it was not filtered down to payload.
    pub fn shows_empty_segments(&self) -> bool {
        self.seen.empty_segments || self.seen.segments == 0
    }

    /// Packets that the kernel or the capture file says were lost.
    pub fn drops(&self) -> u64 {
        self.drops_before.saturating_add(self.drops)
    }

    /// True if packets are missing, as the connections in it show. Where it was filtered down to flags
    /// or to payload, they are missing on purpose.
    pub fn has_holes(&self) -> bool {
        self.shows_bare_acks() && self.shows_empty_segments() && self.holes.matter()
    }

    /// Counts connections that show packets missing; zero if so few do that accidents explain them.
    pub fn holes(&self) -> Holes {
        if self.has_holes() { self.holes } else { Holes::default() }
    }

    /// True if the ends of a connection may be those of another under other names.
    pub fn is_ambiguous(&self, key: &FlowKey) -> bool {
        self.ambiguous.contains(key)
    }

    /// True if a connection may have ended, as others showed in the capture that its packets were chosen from.
    pub fn has_ended_elsewhere(&self, key: &FlowKey) -> bool {
        self.ended_elsewhere.contains(key)
    }

    /// Takes in which connections are seen under other addresses, too: somebody here translates them.
    pub fn know_twins(&mut self, twins: Arc<HashSet<FlowKey, RandomState>>) {
        self.twins = twins;
    }

    /// True if the connection is seen under other addresses, too.
    pub fn is_twin(&self, key: &FlowKey) -> bool {
        self.twins.contains(key)
    }

    /// Times from when to when nothing was captured, between files that are no series.
    pub fn gaps(&self) -> &[(Time, Time)] {
        &self.gaps
    }

    /// True if a file ended in the middle of a record.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Tells whether an address is at the interfaces captured on.
    pub fn is_at_interface(&self, ip: IpAddr) -> bool {
        is_one_of(&self.addresses, ip)
    }

    /// The addresses of the host captured on, or of the interfaces that its file names.
    pub fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.addresses
    }

    /// The link types of its interfaces.
    pub fn links(&self) -> &BTreeSet<LinkType> {
        &self.links
    }

    /// The snap lengths of its interfaces; 0 where not limited.
    pub fn snap_lengths(&self) -> &BTreeSet<u32> {
        &self.snap_lengths
    }

    /// Its packets are those of a text: they were on no link that is known.
    pub fn is_of_text(&self) -> bool {
        self.segments() > 0 && self.links().is_empty()
    }

    /// Its snap length is less than a packet may have.
    pub fn cuts_packets(&self) -> bool {
        self.snap_lengths.iter().any(|len| cuts_packets(*len))
    }
}

/// Captures added up: the counts of all, from the earliest packet to the latest.
impl AddAssign<&CaptureFacts> for CaptureFacts {
    fn add_assign(&mut self, more: &CaptureFacts) {
        self.end = self.end.max(more.end);
        self.seen.packets = self.seen.packets.saturating_add(more.seen.packets);
        self.seen.segments += more.seen.segments;
        self.seen.first =
            self.seen.first.into_iter().chain(more.seen.first).min_by_key(|place| place.time);
        self.seen.last =
            self.seen.last.into_iter().chain(more.seen.last).max_by_key(|place| place.time);
        self.seen.bare_acks |= more.seen.bare_acks;
        self.seen.empty_segments |= more.seen.empty_segments;
        self.drops_before = self.drops_before.saturating_add(more.drops_before);
        self.drops = self.drops.saturating_add(more.drops);
        self.truncated |= more.truncated;
        self.holes += more.holes;
        self.holes_before += more.holes_before;
        self.gaps.extend(&more.gaps);
        if !more.ambiguous.is_empty() {
            Arc::make_mut(&mut self.ambiguous).extend(more.ambiguous.iter());
        }
        if !more.ended_elsewhere.is_empty() {
            Arc::make_mut(&mut self.ended_elsewhere).extend(more.ended_elsewhere.iter());
        }
        self.addresses.extend(&more.addresses);
        self.links.extend(&more.links);
        self.snap_lengths.extend(&more.snap_lengths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_files_are_added_and_those_of_one_are_not_counted_twice() {
        let mut facts = CaptureFacts::default();
        let about = |drops| About { drops, ..About::default() };
        facts.about(&about(1));
        facts.end_file(&about(3));
        facts.about(&about(0));
        facts.end_file(&about(2));
        assert_eq!(facts.drops(), 5);
    }

    /// Such times come from a text, or from a host whose clock was not set yet.
    #[test]
    fn a_date_is_no_end_for_what_has_none() {
        const DATED: i128 = 1_700_000_000_000_000_000;
        let end = |times: &[i128], of: i128| {
            let mut facts = CaptureFacts::default();
            let place = |ns, frame| Place::new(Time::from_nanos(ns), 0, frame, 6);
            times.iter().zip(1..).for_each(|(ns, frame)| facts.see(place(*ns, frame)));
            facts.end_after(place(of, 1)).nanos().map(i128::from)
        };
        const LATER: i128 = DATED + 7_000_000_000;
        for times in [&[5, 9, DATED][..], &[DATED, 5, 9], &[5, DATED, 9], &[9, 5, LATER, DATED]] {
            assert_eq!(end(times, 5), Some(9), "{times:?}");
        }
        assert_eq!(end(&[5, 9, DATED, DATED + 7], DATED), Some(DATED + 7));
    }

    #[test]
    fn captures_are_added_up() {
        let place = |ns, frame| Place::new(Time::from_nanos(ns), 0, frame, 6);
        let mut all = CaptureFacts::default();
        for times in [[7, 9], [1, 3]] {
            let mut one = CaptureFacts::default();
            times.iter().zip(1..).for_each(|(ns, frame)| one.see(place(*ns, frame)));
            all += &one;
        }
        assert_eq!((all.packets(), all.end()), (4, Time::from_nanos(9)));
        assert_eq!(all.first().map(|place| place.time), Some(Time::from_nanos(1)));
        assert_eq!(all.last().map(|place| place.time), Some(Time::from_nanos(9)));
    }
}
