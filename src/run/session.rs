//! A session: the files and capture points that are read, and the rows that wait for their place. Every
//! mode has one: reading files, reading some connections again, watching interfaces.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::copies::Copies;
use super::rows::{as_row, is_provisional};
use super::share::Share;
use super::sights::{Sights, join_legs, learn_others, may_be_leg};
pub use super::stopped::Stopped;
use super::told::Told;
use super::word::{Made, after_before, change, heard, left_at, mark, stuck_before};
use super::{Paths, Plan};
use crate::attach::conversations::Wanted;
use crate::attach::registry::Content;
use crate::capture::again::Records;
use crate::capture::process::Process;
use crate::capture::{About, Error, Frame, Source};
use crate::decode::{Decoder, Skipped};
use crate::engine::crew::Crew;
use crate::engine::orders::Orders;
use crate::engine::point::{After, CapturePoint, Kind};
use crate::engine::shard::Part;
use crate::engine::shards::{AT_A_TIME, Pace};
use crate::owner::SocketList;
use crate::place::Time;
use crate::summary::{Judged, Sink, Totals};
use crate::table::MAX_FLOWS;
use crate::tcp::flow::FlowId;
use crate::tcp::segment::{FlowKey, Segment};
use crate::tcp::side::Side;
use crate::verdict::{Policy, Standing, Verdict};

/// Rows that are printed before their memory is given back.
const FREE_EVERY: usize = 65_536;

/// Connections that wait until it is known whether they are a proxy's, where no other reason keeps them.
const MOST_LEGS: usize = 32_768;

/// The part that all modes have in common: the plan, the captures that are read, and the rows that
/// are kept.
pub struct Session<'a> {
    pub(crate) plan: Plan,
    policy: Arc<Policy>,
    pub(crate) decoder: Decoder,
    /// Processes that the captures name.
    pub(crate) named: Told,
    pub(crate) sink: &'a mut dyn Sink,
    crew: &'a mut Crew<Part>,
    pub(crate) points: Vec<CapturePoint>,
    /// The capture point that is being read.
    current: usize,
    pub(crate) totals: Totals,
    /// Rows that wait for their place in the order of first packets.
    pub(crate) kept: Vec<Judged>,
    pub(crate) sights: Sights,
    /// Findings that a list confirmed, or that were judged again: as they were counted, and as they count.
    changed: Vec<[Standing; 2]>,
    /// Files before which others of their series are missing.
    pub(crate) missing: BTreeSet<usize>,
    /// Files that show what others have shown.
    pub(crate) copies: Copies,
    /// Facts of connections that other runs judge, where the capture is judged in shares.
    pub(crate) told: Option<Share>,
    /// Facts of those judged here, for the other runs.
    pub(crate) tells: Share,
    /// Flows that packets ended, and that the kernel may have in CLOSE-WAIT all the same.
    pub(crate) held: BTreeSet<FlowId>,
}

impl<'a> Session<'a> {
    /// Opens a session: rows go to `sink`, connections are judged by `crew`.
    pub fn new(plan: Plan, sink: &'a mut dyn Sink, crew: &'a mut Crew<Part>) -> Session<'a> {
        Session {
            policy: Arc::new(plan.policy.clone()),
            sights: Sights::new(plan.inputs.len() > 1 && !plan.separate),
            decoder: Decoder::with_vxlan(&plan.reading.vxlan),
            named: Told::new(plan.max_flows),
            plan,
            sink,
            crew,
            points: Vec::new(),
            current: 0,
            held: BTreeSet::new(),
            missing: BTreeSet::new(),
            copies: Copies::new(),
            told: None,
            tells: Share::default(),
            totals: Totals::default(),
            kept: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// Returns the rules of judging.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The capture point that is being read.
    pub fn point(&self) -> &CapturePoint {
        &self.points[self.current]
    }

    /// Returns the capture point that packets go to now.
    pub fn point_mut(&mut self) -> &mut CapturePoint {
        &mut self.points[self.current]
    }

    /// The number of the capture point that is being read.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Begins a file; `first` is the time of its first packet, `known` its capture point, where that is known.
    pub fn begin_file(
        &mut self,
        name: &str,
        first: Option<Time>,
        about: &About,
        known: Option<usize>,
    ) -> io::Result<()> {
        let file = self.totals.files.len();
        self.totals.files.push(name.to_owned());
        let before = self.current;
        let kind = Kind::of(about);
        self.current = match known {
            Some(known) if known < self.points.len() => known,
            _ => self.point_for(file, first, &kind, known.is_some()),
        };
        if self.current != before {
            self.begin_round(before, false)?;
            self.end_round(before)?;
        }
        self.is_told_more(about)?;
        let after = match self.is_series(file, &kind) {
            _ if self.missing.contains(&file) => After::Missing,
            true => After::Series,
            false => After::Other,
        };
        self.point_mut().begin_file(file, first, kind, after);
        self.point_mut().facts_mut().about(about);
        Ok(())
    }

    /// Begins with a file's records, if they can be read again. Nobody has to where all is asked for, or read at once.
    pub fn begin_records(&mut self, records: Option<Records>) {
        let orders = self.orders(self.current, false);
        let is_of_use = orders.wanted.later && !orders.all && orders.tags.is_empty();
        self.points[self.current].begin_records(records.filter(|_| is_of_use), &self.decoder);
    }

    /// Ends a file, or what can be read of it.
    pub fn end_file(&mut self, about: &About, modified: Option<Time>) -> io::Result<()> {
        self.is_told_more(about)?;
        let point = self.point_mut();
        point.end_file(about);
        point.modified = modified;
        Ok(())
    }

    /// Judges the connections whose time is over by what was known until now, where a file tells of more
    /// addresses: so it does not depend on when rounds end.
    fn is_told_more(&mut self, about: &About) -> io::Result<()> {
        if self.point().is_told_more(about) && !self.is_live() {
            self.begin_round(self.current, false)?;
            self.end_round(self.current)?;
        }
        Ok(())
    }

    /// Takes in a segment of a part of a capture, with what was captured of its payload.
    pub fn take_row(
        &mut self,
        mut segment: Segment,
        payload: &[u8],
        process: Option<Process>,
    ) -> io::Result<()> {
        if let Some(process) = process {
            self.named.take_named(process, &segment);
        }
        let point = &mut self.points[self.current];
        point.facts_mut().see(segment.place);
        point.take(&mut segment, payload, 0);
        self.count()
    }

    /// Learns from a segment that another run judges.
    pub fn learn_row(&mut self, segment: Segment, payload: &[u8]) {
        self.point_mut().learn(segment, payload);
    }

    /// Takes note of a file that could not be read to its end: only its last record was cut off, or all behind a corrupt
    /// one is unread, which is no part of the same count.
    pub fn cut_off(&mut self, error: &Error) {
        let Some(point) = self.points.get_mut(self.current) else { return };
        let is_cut = !error.trouble.is_failure();
        if is_cut || error.trouble.ends_within() {
            point.facts_mut().cut_off();
            self.totals.cut_off += u64::from(is_cut);
        }
    }

    pub(crate) fn new_point(&self, pace: Pace) -> CapturePoint {
        let reading = &self.plan.reading;
        let named = (!reading.no_content).then_some(&reading.ports[..]);
        CapturePoint::new(self.plan.max_flows, pace, named)
    }

    /// Sees a frame. Returns false if the filter does not match it.
    fn sees(&mut self, frame: &Frame) -> bool {
        self.points[self.current].facts_mut().see(frame.place);
        let filter = self.plan.filter.as_mut();
        let left_out = filter.and_then(|it| Skipped::by_filter(it.applied(frame), frame.link));
        left_out.map(|reason| self.totals.skip(reason)).is_none()
    }

    /// Takes a frame in, for the flow that its segment belongs to.
    pub fn take(&mut self, frame: &Frame) -> io::Result<()> {
        if self.sees(frame)
            && let Some((mut segment, payload)) = self.decode(frame)
        {
            self.points[self.current].take(&mut segment, payload, frame.record);
        }
        self.count()
    }

    /// Takes in what lies ready of a source, as long as it is as nearly all packets are. Returns how
    /// many it has taken.
    #[inline(never)]
    pub fn take_usual(&mut self, source: &mut impl Source) -> io::Result<u64> {
        if self.plan.filter.is_some() {
            return Ok(0);
        }
        let point = &mut self.points[self.current];
        let taken = match point.take_decoded(source, &self.decoder) {
            0 => point.take_usual(source, &self.decoder),
            taken => taken,
        };
        self.begin_due_round()?;
        Ok(taken)
    }

    /// Sees a frame. Returns its segment as its capture point knows it, and what is to be read of it, if
    /// it holds one that is asked for.
    pub fn read<'f>(&mut self, frame: &Frame<'f>) -> Option<(Segment, Option<Content<'f>>)> {
        let (mut segment, payload) = self.sees(frame).then(|| self.decode(frame))??;
        let point = self.point_mut();
        point.note(&mut segment);
        let content = point.content(segment, payload);
        Some((segment, content))
    }

    fn decode<'f>(&mut self, frame: &Frame<'f>) -> Option<(Segment, &'f [u8])> {
        match self.decoder.decode(frame) {
            Ok((segment, payload)) => {
                if frame.may_name_process() {
                    self.named.take(frame, &segment);
                }
                Some((segment, payload))
            }
            Err(reason) => {
                self.totals.skip(reason);
                None
            }
        }
    }

    /// Puts a segment that was read where its flow is.
    pub fn put(&mut self, segment: Segment, content: Option<Content>) -> io::Result<()> {
        self.point_mut().put(segment, content);
        self.count()
    }

    /// Counts a packet, and begins a round when it is time for one.
    fn count(&mut self) -> io::Result<()> {
        self.points[self.current].shards.count(1);
        self.begin_due_round()
    }

    fn begin_due_round(&mut self) -> io::Result<()> {
        match self.points[self.current].shards.is_due() {
            true => self.begin_round(self.current, false),
            false => Ok(()),
        }
    }

    /// Has the shards of a capture point take in what was read, while reading goes on.
    pub fn begin_round(&mut self, point: usize, last: bool) -> io::Result<()> {
        let orders = self.orders(point, last);
        let judged = self.points[point].begin_round(orders, self.crew);
        self.report(judged, point)
    }

    /// Waits until the shards of a capture point have taken all in.
    pub fn end_round(&mut self, point: usize) -> io::Result<()> {
        let judged = self.points[point].shards.end_round(self.crew);
        self.points[point].count_holes(false);
        self.report(judged, point)
    }

    /// Returns what the shards of a capture point have to know now.
    pub fn orders(&self, point: usize, last: bool) -> Orders {
        let reading = &self.plan.reading;
        let path = reading.paths != Paths::None;
        let pairs = self.points[point].rewrites.pairs();
        let mut facts = self.points[point].facts().clone();
        facts.know_twins(Arc::clone(&pairs));
        Orders {
            policy: Arc::clone(&self.policy),
            facts,
            all: self.plan.all
                || self.sights.several
                || self.plan.sockets.is_some()
                || reading.paths == Paths::All,
            pairs,
            last,
            settled: self.is_settled(point),
            max_flows: self.max_flows(),
            literals: reading.literals,
            no_content: reading.no_content,
            tags: Arc::clone(&reading.tags),
            again: self.points[point].again(),
            wanted: Wanted {
                path,
                octets: reading.octets,
                later: !self.is_live() && !reading.at_once,
            },
            sample: reading.paths == Paths::Sample,
            refuted: self.points[point].refuted(),
        }
    }

    /// Is enough known of a capture to judge what has ended? Until then it stays, as long as there is room.
    fn is_settled(&self, point: usize) -> bool {
        let point = &self.points[point];
        self.is_live()
            || point.facts().is_settled()
            || point.shards.held() > self.plan.max_flows / 2
    }

    /// Rows of flows that have left the table: written as they come, or kept until the end.
    fn report(&mut self, judged: Vec<Judged>, point: usize) -> io::Result<()> {
        for judged in judged {
            match self.waits(&judged, point) {
                true => self.keep(judged, point, self.most_flows())?,
                false => self.write(judged, point)?,
            }
        }
        Ok(())
    }

    /// Must a row wait for others? With `--all` it does where another point may have seen it; else for
    /// its place in the order, where the sink has one, for what may be a twin, and for a proxy's other leg.
    fn waits(&self, judged: &Judged, point: usize) -> bool {
        match self.plan.all {
            true => self.sights.several && self.points.len() > 1 || is_provisional(judged),
            false => {
                self.is_in_order()
                    || self.points[point].rewrites.pairs().contains(&judged.key)
                    || self.have_room_for_legs() && may_be_leg(judged)
            }
        }
    }

    /// May more connections wait for the other leg of a proxy? Once they may not, some have been written
    /// alone: that only two fit cannot be known of those that are left.
    fn have_room_for_legs(&self) -> bool {
        self.plan.all || self.is_in_order() || self.kept.len() < MOST_LEGS
    }

    /// Are rows handed over in the order of first packets? Live, the kernel has the last word on them.
    fn is_in_order(&self) -> bool {
        !self.sink.takes_any_order() || self.sights.several || self.is_live()
    }

    fn write(&mut self, mut judged: Judged, point: usize) -> io::Result<()> {
        self.look_at(&mut judged, point, true);
        match self.is_reported(&judged) {
            true => self.row(&judged),
            false => self.pass_over(&judged),
        }
    }

    /// Keeps a row, where there are fewer than `most`.
    fn keep(&mut self, mut judged: Judged, point: usize, most: usize) -> io::Result<()> {
        self.look_at(&mut judged, point, false);
        if !self.is_reported(&judged) {
            return self.pass_over(&judged);
        }
        if self.kept.len() < most {
            self.kept.push(judged);
        } else {
            self.totals.unlisted += 1;
        }
        Ok(())
    }

    fn is_reported(&self, judged: &Judged) -> bool {
        self.plan.all || judged.judgement.is_notable() || self.held.contains(&judged.id())
    }

    fn pass_over(&mut self, judged: &Judged) -> io::Result<()> {
        if !matches!(self.plan.reading.paths, Paths::All | Paths::Sample) {
            return Ok(());
        }
        let (files, sockets) = (&self.totals.files, self.plan.sockets.as_ref());
        self.sink.unreported(&as_row(judged, files, sockets, &self.named))
    }

    /// Rows that wait while flows are read, at most.
    fn most_flows(&self) -> usize {
        self.plan.max_flows.max(MAX_FLOWS)
    }

    /// Flows and rows together: a row takes about what its flow took.
    fn room(&self) -> usize {
        self.most_flows() + self.most_flows() / 2
    }

    /// Flows that may stay in the table: rows that wait take up to half of its room.
    fn max_flows(&self) -> usize {
        self.plan.max_flows.min(self.room().saturating_sub(self.kept.len()))
    }

    /// Adds what else is known of a judged flow than its packets tell.
    fn look_at(&mut self, judged: &mut Judged, point: usize, reported: bool) {
        learn_others(judged, &self.points[point].rewrites);
        match self.is_live() {
            true => self.mark_captured(judged),
            false => self.hear(judged),
        }
        self.sights.note(judged, &self.points[point].rewrites, point, reported);
    }

    /// A list that somebody saved has a say in the judgement.
    fn hear(&mut self, judged: &mut Judged) {
        let Some(sockets) = &mut self.plan.sockets else { return };
        let heard = heard(judged, sockets, &self.policy, Made::Sometime);
        self.changed.extend(heard.map(|heard| change(judged, heard)));
        mark(judged, sockets);
        let ends = [Side::A, Side::B].into_iter().flat_map(|side| judged.socket_of(side));
        sockets.meet(ends.map(|(own, _)| own));
    }

    /// Packets come as they happen.
    fn is_live(&self) -> bool {
        self.points.first().is_some_and(|point| point.shards.is_live())
    }

    /// The capture holds packets of this socket. Of one of which the kernel says that it was in CLOSE-WAIT all
    /// along, some can still have come: only a FIN makes it the capture's.
    fn mark_captured(&mut self, judged: &mut Judged) {
        let Some(sockets) = &mut self.plan.sockets else { return };
        if judged.flow.first_fin().is_some() {
            judged.socket_of(Side::A).for_each(|(a, b)| sockets.mark_captured(a, b));
        }
        let otherwise = after_before(judged, sockets);
        self.changed.extend(otherwise.map(|otherwise| change(judged, otherwise)));
    }

    fn row(&mut self, judged: &Judged) -> io::Result<()> {
        self.sink.row(&as_row(judged, &self.totals.files, self.plan.sockets.as_ref(), &self.named))
    }

    /// Judges what is left: all rows that are to come are kept then, in their order, and all is counted.
    pub fn settle(&mut self) -> io::Result<()> {
        self.end_round(self.current)?;
        if let Some(end) = self.policy.end {
            self.points.iter_mut().for_each(|point| point.end_at(end));
        }
        for point in 0..self.points.len() {
            // What all of it shows bears on each verdict.
            self.begin_round(point, false)?;
            self.end_round(point)?;
            self.count_holes(point);
            self.date_list(point);
            self.judge_last(point)?;
        }
        self.judge_again();
        // Between capture points, only time can tell which packet was first.
        let several = self.points.len() > 1;
        // In place: no second half of them all, to be merged from. No two have the same name.
        self.kept.sort_unstable_by_key(|kept| (several.then_some(kept.flow.first.time), kept.id()));
        for point in std::mem::take(&mut self.points) {
            point.add_to(&mut self.totals);
        }
        for [before, now] in std::mem::take(&mut self.changed) {
            self.totals.tally.uncount(before);
            self.totals.tally.count(now);
        }
        let legs_are_whole = self.have_room_for_legs();
        self.join();
        if legs_are_whole {
            let others = self.told.take().map_or(Vec::new(), |told| told.legs);
            self.tells.legs = join_legs(&mut self.kept, others);
        }
        Ok(())
    }

    /// Joins what was seen more than once. Then some have ended that were not known to.
    fn join(&mut self) {
        let (all, held) = (self.plan.all, &self.held);
        let is_reported =
            |judged: &Judged| all || judged.judgement.is_notable() || held.contains(&judged.id());
        let sights = std::mem::take(&mut self.sights);
        sights.join(&mut self.kept, &mut self.totals, &self.policy, is_reported);
    }

    /// Has a saved list learn from a capture how late it is.
    fn date_list(&mut self, point: usize) {
        let is_live = self.is_live();
        let Some(sockets) = self.plan.sockets.as_mut().filter(|_| !is_live) else { return };
        let (shards, decoder) = (&self.points[point].shards, &self.decoder);
        sockets.learn_when(|own, peer| {
            let (key, _) = FlowKey::new(own, peer);
            shards.flows_of(decoder.hash_of(&key), &key).find_map(|flow| left_at(&flow))
        });
    }

    /// Counts connections that show packets missing, at the end of a capture: those that other runs
    /// counted, too.
    fn count_holes(&mut self, point: usize) {
        let count = self.points[point].shards.hole_count(true);
        self.tells.holes += count;
        let count = self.told.as_ref().map_or(count, |told| told.holes);
        self.points[point].facts_mut().count_holes(count.holes());
    }

    /// Judges connections again that had ended while the capture went on, where all of it bears on the
    /// verdict.
    fn judge_again(&mut self) {
        if self.is_live() {
            return;
        }
        for judged in &mut self.kept {
            let file = judged.flow.first.file();
            let point = self.points.iter().find(|point| point.totals.files.contains(&file));
            let Some(point) = point.filter(|_| is_provisional(judged)) else { continue };
            let mut facts = point.facts().clone();
            facts.know_twins(point.rewrites.pairs());
            let before = Standing::from(&judged.judgement);
            judged.judge_again(&self.policy, &facts);
            self.changed.push([before, Standing::from(&judged.judgement)]);
        }
    }

    /// Judges all flows that are left at a capture point.
    fn judge_last(&mut self, point: usize) -> io::Result<()> {
        let orders = self.orders(point, true);
        let work = self.points[point].shards.begin_last(orders, self.crew);
        let all_wait = self.plan.all || self.is_in_order();
        let mut from = 0;
        while let Some(left) = self.points[point].shards.judge_last(&work, from, self.crew) {
            for judged in left.into_iter().flatten() {
                match all_wait || self.waits(&judged, point) {
                    true => self.keep(judged, point, self.room())?,
                    false => self.write(judged, point)?,
                }
            }
            from += AT_A_TIME;
        }
        Ok(())
    }

    /// Writes the rows that were kept, and the rest of the report. Returns the number of findings.
    pub fn close(mut self) -> io::Result<u64> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.reverse();
        while let Some(row) = kept.pop() {
            self.row(&row)?;
            // A printer may keep what it needs of a row: both together are no more than all rows are.
            if kept.len().is_multiple_of(FREE_EVERY) {
                kept.shrink_to_fit();
            }
        }
        self.totals.is_listed = self.plan.sockets.is_some();
        self.totals.stuck_otherwise =
            self.plan.sockets.as_ref().map_or(0, SocketList::stuck_otherwise);
        self.totals.has_foreign_list =
            self.plan.sockets.as_ref().is_some_and(SocketList::is_foreign);
        let Plan { sockets, filter, policy, .. } = &mut self.plan;
        for (socket, verdict) in stuck_before(sockets.as_ref(), policy, filter.as_mut()) {
            self.totals.count_before(socket, verdict);
            if verdict == Verdict::Leak {
                self.sink.stuck_before(socket)?;
            }
        }
        self.sink.end(&self.totals)?;
        Ok(self.totals.findings())
    }
}
