//! One capture point: a capture, or the files of one that follow one another.

use super::again::Files;
use super::batch::{Kept, Mark};
use super::counted::Counted;
use super::crew::Crew;
use super::orders::Orders;
use super::senders::Senders;
use super::shard::Part;
use super::shards::{Pace, Shards};
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::attach::conversations::Again;
use crate::attach::deaf::Deaf;
use crate::attach::registry::{self, Content, Known, Ports};
use crate::attach::spared::Spared;
use crate::attach::tried::Tried;
use crate::capture::again::Records;
use crate::capture::chunks::Packet;
use crate::capture::series::{OVERLAP_NS, follows};
use crate::capture::{About, Ended, Frame, LinkType, Source};
use crate::decode::Decoder;
use crate::facts::{CaptureFacts, Seen};
use crate::join::rewrites::Rewrites;
use crate::place::Time;
use crate::set::Set;
use crate::summary::{Capture, Difference, Distinct, Drops, Gap, Judged, SaidEnd, Totals};
use crate::tcp::segment::Segment;
use crate::verdict::EndedAt;

/// Link types and interfaces, which all files of one capture share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    links: BTreeSet<LinkType>,
    /// By name, where the file tells.
    interfaces: BTreeSet<String>,
}

impl Kind {
    /// Returns the kind of a file by what it says of itself.
    pub fn of(about: &About) -> Kind {
        Kind { links: about.links.clone(), interfaces: about.interfaces.clone() }
    }
}

/// The way in which a file follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// As the next one of its series.
    Series,
    /// As one of its series, between which others are missing.
    Missing,
    /// Another capture, or another point of it.
    Other,
}

/// One capture while it is read: its flows, and facts of the whole. Flows of two capture points
/// have nothing to do with each other, nor have their ends.
pub struct CapturePoint {
    /// Its connections, divided among threads.
    pub shards: Shards,
    /// None where no contents are read.
    ports: Option<Ports>,
    /// Evidence of conversations for and against these.
    tried: Tried,
    deaf: Deaf,
    spared: Spared,
    senders: Senders,
    /// Flows that may be one connection under two pairs of addresses.
    pub rewrites: Rewrites,
    kind: Kind,
    /// Its files that can be read again.
    again: Option<Arc<Files>>,
    /// Its facts, for the report.
    pub totals: Capture,
    /// Some speak Multipath TCP: the kernel alone knows which of them their peers have closed.
    pub is_multipath: bool,
    /// The time of the first packet of the file that is read.
    file_began: Option<Time>,
    /// The time of its last file's last change.
    pub modified: Option<Time>,
}

impl CapturePoint {
    /// Reads the contents of what is on the usual ports and on those `named`, or none.
    pub fn new(max_flows: usize, pace: Pace, named: Option<&[(Known, u16)]>) -> CapturePoint {
        CapturePoint {
            shards: Shards::new(max_flows, pace),
            ports: named.map(Ports::new),
            tried: Tried::default(),
            deaf: Deaf::default(),
            spared: Spared::default(),
            senders: Senders::default(),
            rewrites: Rewrites::default(),
            kind: Kind::default(),
            again: None,
            totals: Capture::default(),
            is_multipath: false,
            file_began: None,
            modified: None,
        }
    }

    /// Returns the facts of the whole capture so far.
    pub fn facts(&self) -> &CaptureFacts {
        &self.totals.facts
    }

    /// To be told what is read.
    pub fn facts_mut(&mut self) -> &mut CaptureFacts {
        &mut self.totals.facts
    }

    /// Would these addresses change who is local?
    pub fn is_told_more(&self, about: &About) -> bool {
        !about.addresses.is_subset(self.totals.facts.addresses())
    }

    /// Can a file whose first packet came at `first` belong here?
    pub fn can_go_on(&self, first: Time, kind: &Kind) -> bool {
        let (own, others) = (&self.kind.links, &kind.links);
        let end = self.totals.facts.end();
        // A time of day comes neither before nor after a date.
        let is_dated = end == Time::default() || end.is_undated() == first.is_undated();
        // An interface may be described only when its first packet comes.
        is_dated && follows(end, first) && (own.is_subset(others) || others.is_subset(own))
    }

    /// Tells what sets a file apart whose first packet came at `first`: the time that both cover, that only one has
    /// dates, or its link type.
    pub fn distinct(&self, first: Time) -> Option<Distinct> {
        let end = self.totals.facts.end();
        let is_of_no_day = end.is_undated() != first.is_undated();
        let by = match end.since(first) {
            _ if is_of_no_day => Difference::Dates,
            Some(nanos) if !follows(end, first) => Difference::Overlap(nanos),
            _ => Difference::LinkType,
        };
        Some(Distinct { from: *self.totals.files.last()?, by })
    }

    /// Are the last file's link types and interfaces these?
    pub fn is_of(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }

    /// A file of this capture begins.
    pub fn begin_file(&mut self, file: usize, first: Option<Time>, kind: Kind, after: After) {
        let end = self.totals.facts.end();
        let gap = first.and_then(|first| first.since(end));
        if let (Some(nanos), Some(&before)) = (gap, self.totals.files.last())
            && (nanos > OVERLAP_NS || nanos > 0 && after == After::Missing)
        {
            self.totals.gaps.push(Gap { before, after: file, from: end, nanos });
            if let Some(first) = first.filter(|_| after != After::Series) {
                self.totals.facts.gap(end, first);
            }
        }
        self.kind = kind;
        self.file_began = first;
        self.totals.files.push(file);
    }

    /// Was nothing captured right before the file that is read?
    pub fn begins_after_gap(&self) -> bool {
        self.totals.gaps.last().is_some_and(|gap| self.totals.files.last() == Some(&gap.after))
    }

    /// A file of this capture ends.
    pub fn end_file(&mut self, about: &About) {
        self.totals.facts.end_file(about);
        if about.drops > 0 {
            let until = self.totals.facts.end();
            let from = self.file_began.unwrap_or(until);
            self.totals.drops.push(Drops { from, until, packets: about.drops });
        }
    }

    /// Lets it end when the user says that it did. A time long after the last packet is that of a copy.
    pub fn end_at(&mut self, end: EndedAt) {
        let last = self.totals.facts.end();
        let by_file =
            |modified| Ended { by_clock: modified, as_micros: Time::UNKNOWN, is_sure: false };
        let (end, is_believed) = match (end, self.modified) {
            (EndedAt::Time(time), _) => (time, true),
            (EndedAt::Modified, Some(modified)) => {
                (modified, by_file(modified).after(last).is_some())
            }
            (EndedAt::Modified, None) => return self.totals.said_end = Some(SaidEnd::Unknown),
        };
        // There is no packet, or none with a time, that a file could have been changed after.
        if last == Time::UNKNOWN && !is_believed {
            return;
        }
        let said = match is_believed {
            _ if last.is_undated() && !end.is_undated() => SaidEnd::NotComparable,
            _ if end < last => SaidEnd::BeforeTheLastPacket(end),
            true => SaidEnd::Believed,
            false => SaidEnd::OfACopy(end),
        };
        if said == SaidEnd::Believed {
            self.totals.facts.wait_until(end);
        }
        self.totals.said_end = Some(said);
    }

    /// Counts how many connections show that packets are missing; at the end, all of them count.
    pub fn count_holes(&mut self, all: bool) {
        let holes = self.shards.holes(all);
        self.totals.facts.count_holes(holes);
    }

    /// Takes in what lies ready of a source, as long as it is as nearly all packets are, no round is due, and
    /// nobody has to look at a packet twice. Returns how many it has taken: they are what reading a capture
    /// costs.
    #[inline(always)]
    pub fn take_usual(&mut self, source: &mut impl Source, decoder: &Decoder) -> u64 {
        let (mut left, mut seen) = (self.left(), Seen::default());
        let undated = self.totals.facts.end().is_undated();
        let taken = source.each_whole(|frame| {
            if left == 0 || frame.may_name_process() || frame.place.time.is_undated() != undated {
                return false;
            }
            match decoder.decode_usual(frame) {
                Some((segment, payload)) => {
                    seen.note(&segment);
                    left -= 1;
                    match self.content(segment, payload) {
                        Some(content) => {
                            let number = self.shards.number(segment);
                            let mark = self.carry(segment.hash, number, content, frame.record);
                            self.shards.put(segment, mark);
                            left = if self.shards.is_full() { 0 } else { left };
                        }
                        None => self.shards.put(segment, Mark::default()),
                    }
                }
                None if self.take_short(frame, decoder) => left = self.left().min(left - 1),
                None => return false,
            }
            seen.see(frame.place);
            true
        });
        self.totals.facts.take(&seen);
        self.shards.count(taken as usize);
        taken
    }

    /// Takes in what other threads have decoded of a source, and what lies between, as [`CapturePoint::take_usual`] does.
    /// No part of that loop, whose registers others need.
    #[inline(never)]
    pub fn take_decoded(&mut self, source: &mut impl Source, decoder: &Decoder) -> u64 {
        let (mut left, mut seen) = (self.left(), Seen::default());
        let undated = self.totals.facts.end().is_undated();
        let taken = source.each_decoded(|packet| {
            let place = match &packet {
                Packet::Decoded(segment, ..) => segment.place,
                Packet::Whole(frame) => frame.place,
            };
            if left == 0 || place.time.is_undated() != undated {
                return false;
            }
            match packet {
                Packet::Decoded(segment, payload, record) => {
                    seen.note(&segment);
                    self.take_plain(segment, payload, record);
                    left = if self.shards.is_full() { 0 } else { left - 1 };
                }
                Packet::Whole(frame) if self.take_short(&frame, decoder) => {
                    left = self.left().min(left - 1);
                }
                Packet::Whole(_) => return false,
            }
            seen.see(place);
            true
        });
        if taken > 0 {
            self.totals.facts.take(&seen);
            self.shards.count(taken as usize);
        }
        taken
    }

    /// Takes in a segment without SYN, FIN or RST.
    #[inline(always)]
    fn take_plain(&mut self, segment: Segment, payload: &[u8], record: u64) {
        let mark = match self.content(segment, payload) {
            Some(content) => {
                let number = self.shards.number(segment);
                self.carry(segment.hash, number, content, record)
            }
            None => Mark::default(),
        };
        self.shards.put(segment, mark);
    }

    /// Packets that can be taken in one go.
    fn left(&self) -> usize {
        if self.rewrites.are_any() { 0 } else { self.shards.until_due() }
    }

    /// Takes in a frame that begins or ends something, or is over IPv6, if it can be decoded in one go.
    #[inline(never)]
    fn take_short(&mut self, frame: &Frame, decoder: &Decoder) -> bool {
        let mut decoded = decoder.decode_short(frame);
        let Some((segment, payload)) = &mut decoded else { return false };
        self.take(segment, payload, frame.record);
        true
    }

    /// Takes in any segment, whose record lies at this place in its file.
    pub fn take(&mut self, segment: &mut Segment, payload: &[u8], record: u64) {
        self.note(segment);
        let content = self.content(*segment, payload);
        let begins = segment.flags.syn() && content.is_some();
        if begins {
            self.deaf.begin(segment.hash);
            self.spared.begin(segment.hash);
        }
        let kept = match content {
            // Nothing is heard of it yet.
            Some(content) if begins && payload.is_empty() => Some(Kept::Here(content, None)),
            // By its record it would be found under the addresses that it had.
            Some(content) if self.rewrites.are_any() => {
                Some(Kept::Here(self.deaf.withhold(segment.hash, content), None))
            }
            Some(content) => Some(self.here(segment.hash, content, record)),
            None if segment.flags.rst() && self.ports.is_some() => {
                Some(Kept::Here(registry::RST, None))
            }
            None => None,
        };
        self.put_with(*segment, kept);
    }

    /// Puts a segment where its flow is.
    #[inline(always)]
    pub fn put(&mut self, segment: Segment, content: Option<Content>) {
        self.put_with(segment, content.map(|content| Kept::Here(content, None)));
    }

    #[inline(always)]
    fn put_with(&mut self, segment: Segment, content: Option<Kept>) {
        let which = (segment.hash, self.shards.number(segment));
        let mark = content.map(|content| self.shards.carry(which, content));
        self.shards.put(segment, mark.unwrap_or_default());
    }

    /// Adds a segment to the facts of the whole capture, and makes it what the capture knows: with addresses that were
    /// rewritten put back, and a wrong checksum only where it can be believed. Where it lies: as in all of its way to the
    /// loop, what was written in parts is not copied as a whole.
    pub fn note(&mut self, segment: &mut Segment) {
        self.amend(segment);
        self.totals.facts.note(segment);
    }

    /// Learns from a segment of a connection that others judge.
    pub fn learn(&mut self, mut segment: Segment, payload: &[u8]) {
        self.amend(&mut segment);
        self.content(segment, payload);
    }

    /// Returns the protocols that are not what their usual ports are used for.
    pub fn refuted(&self) -> Set<Known> {
        self.ports.as_ref().map(Ports::refuted).unwrap_or_default()
    }

    fn amend(&mut self, segment: &mut Segment) {
        if segment.flags.syn() {
            self.rewrites.learn(segment);
            self.is_multipath |= segment.extras.is_multipath();
        }
        if !segment.is_plain() {
            self.senders.judge(segment);
        }
        if self.rewrites.are_any() {
            self.rewrites.apply(segment);
        }
    }

    /// Returns the octets of a segment that protocols should read. Ports are learnt from every one
    /// of them.
    #[inline(always)]
    pub fn content<'a>(&mut self, segment: Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        self.ports.as_mut().and_then(|ports| ports.content(segment, payload))
    }

    /// Keeps what is to be read of the segment that is put next, of the 4-tuple with this hash, or leaves it in its file
    /// if nobody is likely to ask for it. Returns the mark for it. No part of the loop, whose registers others need.
    #[inline(never)]
    fn carry(&mut self, hash: u64, number: Option<u32>, content: Content, record: u64) -> Mark {
        match self.spared.left(hash, record) {
            Some(spot) if !content.payload.is_empty() => {
                self.shards.carry((hash, number), Kept::Left(spot))
            }
            _ => self.keep(hash, number, content, record),
        }
    }

    /// Keeps it, but for octets of which nothing can be learnt. Few: what is left needs none of its registers.
    #[inline(never)]
    fn keep(&mut self, hash: u64, number: Option<u32>, content: Content, record: u64) -> Mark {
        let kept = self.here(hash, content, record);
        self.shards.carry((hash, number), kept)
    }

    #[inline(always)]
    fn here<'a>(&mut self, hash: u64, content: Content<'a>, record: u64) -> Kept<'a> {
        let content = self.deaf.withhold(hash, content);
        let spot = self.spared.heard(hash, record, &content);
        Kept::Here(content, spot)
    }

    /// Begins with the records of a file that can be read again, or with one that cannot.
    pub fn begin_records(&mut self, records: Option<Records>, decoder: &Decoder) {
        let files = self.again.get_or_insert_with(|| Arc::new(Files::new(decoder.clone())));
        let file = records.and_then(|records| Arc::make_mut(files).add(records));
        self.spared.begin_file(file);
        if self.shards.is_empty() {
            self.spared.begin_round();
        }
    }

    /// The capture, as far as it can be read again.
    pub fn again(&self) -> Option<Arc<dyn Again>> {
        let files = self.again.clone()?;
        Some(files)
    }

    /// Has the shards take in what was read, while reading goes on. Returns the flows that left in the round before.
    pub fn begin_round(&mut self, orders: Orders, crew: &mut Crew<Part>) -> Vec<Judged> {
        let judged = self.shards.begin_round(orders, crew);
        let found = self.shards.take_found();
        self.tried += found.tried;
        if let Some(ports) = &mut self.ports {
            self.tried.refuted().for_each(|protocol| ports.refute(protocol));
        }
        found.needed.iter().for_each(|hash| self.spared.hand_on(*hash));
        self.spared.learn(found.shares);
        self.spared.begin_round();
        self.deaf.end_round(found);
        judged
    }

    /// Adds what was counted so far to `totals`, but for the flows that are still there.
    pub fn add_to(&self, totals: &mut Totals) {
        let (tally, evicted) = self.shards.counts();
        totals.tally += tally;
        let Counted { closes, history } = self.shards.counted();
        totals.closes += &closes;
        totals.evicted += evicted;
        totals.rewritten += self.rewrites.redirected();
        totals.facts += &self.totals.facts;
        totals.captures.push(Capture { history, ..self.totals.clone() });
    }
}
