//! `closewait read -w`: the packets of the findings, and nothing else, with what was found as comments.
//!
//! The packets are known only in the end, so the files are read a second time; the connections are told
//! apart as in the first.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::capture::file::FileSource;
use crate::capture::write::{BARE_ACKS, Described, PacketToWrite, Writer, ended_elsewhere_text};
use crate::capture::{About, LinkType, Source};
use crate::names;
use crate::owner::Socket;
use crate::place::{Place, Time};
use crate::report::comments::Comments;
use crate::run::trace::{Followed, Trace, TracedPacket};
use crate::summary::growth::Grown;
use crate::summary::{EventKind, Row, Sink, Totals};
use crate::tcp::flow::{Flow, FlowId};
use crate::tcp::holes::Holes;
use crate::tcp::segment::{End, FlowKey, Segment};
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;
use crate::verdict::Doubt;

/// Connections with a finding.
type Findings = HashMap<FlowId, Finding, RandomState>;

struct Finding {
    comments: Comments,
    /// Packets that are still to come.
    left: u64,
}

/// Initial numbers of both sides, where they are known.
type Isns = [Option<Seq>; 2];

/// Findings under their other addresses: what both show is needed to judge them again.
type Twins = HashMap<FlowKey, Vec<Isns>, RandomState>;

fn isns(flow: &Flow) -> Isns {
    [Side::A, Side::B].map(|side| flow.half(side).isn())
}

/// Connections that are wanted in place of the findings.
pub enum Chosen {
    /// By their first packets.
    First(HashSet<u64>),
    /// By their ends: all that these had.
    Between(HashSet<FlowKey>),
}

/// Passes a report on, and keeps what is needed to find its findings' packets again.
pub struct Gather<'a> {
    render: &'a mut dyn Sink,
    chosen: Option<Chosen>,
    findings: Findings,
    keys: HashMap<FlowKey, (), RandomState>,
    /// Findings among them that may have ended.
    ended: Vec<FlowKey>,
    twins: Twins,
    /// Files of the findings' first packets.
    files: Vec<usize>,
    /// Since when a finding was held, the first of them, with a date before all others: its clock tells until when.
    from: Option<Place>,
    /// Captures that have a finding.
    captures: usize,
    /// Their end, and how many connections in them show packets missing.
    until: Time,
    missing: Holes,
    /// They have bare ACKs.
    bare_acks: bool,
}

impl<'a> Gather<'a> {
    /// Hands rows on to `render`, and remembers the findings.
    pub fn new(render: &'a mut dyn Sink) -> Gather<'a> {
        Gather {
            render,
            chosen: None,
            findings: Findings::default(),
            keys: HashMap::default(),
            ended: Vec::new(),
            twins: Twins::default(),
            files: Vec::new(),
            from: None,
            captures: 0,
            until: Time::UNKNOWN,
            missing: Holes::default(),
            bare_acks: false,
        }
    }

    /// Keeps some connections in place of the findings.
    pub fn of(render: &'a mut dyn Sink, chosen: Chosen) -> Gather<'a> {
        Gather { chosen: Some(chosen), ..Gather::new(render) }
    }

    /// The number of connections that were found.
    pub fn found(&self) -> u64 {
        self.findings.len() as u64
    }

    fn wants(&self, row: &Row) -> bool {
        match &self.chosen {
            Some(Chosen::First(first)) => first.contains(&row.judged.flow.first.order()),
            Some(Chosen::Between(keys)) => keys.contains(&row.judged.key),
            None => row.judged.judgement.finding,
        }
    }

    /// Refuses findings of captures of several points: in one file, nothing could tell these apart again.
    pub fn of_one_point(self) -> Result<Self, String> {
        match self.captures {
            0 | 1 => Ok(self),
            n => Err(format!(
                "-w: the findings are of {n} captures of different points, which one file would mix: read each alone, or name --local"
            )),
        }
    }

    /// Begins to write the packets to this file.
    pub fn extract(self, out: impl Write + 'static) -> io::Result<Extract> {
        let out: Box<dyn Write> = Box::new(out);
        let writer = Writer::new(BufWriter::new(out), "connections left in CLOSE-WAIT")?;
        Ok(Extract {
            findings: self.findings,
            keys: self.keys,
            ended: self.ended,
            twins: self.twins,
            followed: Followed::default(),
            writer,
            interfaces: Vec::new(),
            packet: None,
            ends: Vec::new(),
            named: BTreeSet::new(),
            file: String::new(),
            drops: Vec::new(),
            until: self.until,
            missing: self.missing,
            lacks_bare_acks: self.bare_acks,
        })
    }
}

impl Sink for Gather<'_> {
    fn takes_any_order(&self) -> bool {
        self.render.takes_any_order()
    }

    fn event(&mut self, kind: EventKind, row: &Row, grown: Option<&Grown>) -> io::Result<()> {
        self.render.event(kind, row, grown)
    }

    fn event_before(&mut self, kind: EventKind, socket: &Socket, at: Time) -> io::Result<()> {
        self.render.event_before(kind, socket, at)
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        if self.wants(row) {
            let (comments, left) = (Comments::new(row), packets(row));
            self.findings.insert(row.judged.id(), Finding { comments, left });
            self.keys.insert(row.judged.key, ());
            if row.judged.judgement.doubts.contains(&Doubt::EndedElsewhere) {
                self.ended.push(row.judged.key);
            }
            let elsewhere = row.judged.elsewhere.as_ref();
            if let Some([a, b]) = elsewhere.and_then(|elsewhere| elsewhere.rewritten_as) {
                let key = FlowKey::new(a, b).0;
                self.keys.insert(key, ());
                self.twins.entry(key).or_default().push(isns(&row.judged.flow));
            }
            let flow = &row.judged.flow;
            let fin = flow.first_fin().map(|(_, fin)| fin.acked.unwrap_or(fin.place));
            let from = fin.unwrap_or(flow.last);
            let both = self.from.into_iter().chain([from]);
            self.from = both.min_by_key(|from| (from.time.is_undated(), from.order()));
            if !self.files.contains(&row.judged.flow.first.file()) {
                self.files.push(row.judged.flow.first.file());
            }
        }
        self.render.row(row)
    }

    fn unreported(&mut self, row: &Row) -> io::Result<()> {
        self.render.unreported(row)
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.render.stuck_before(socket)
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let found = |files: &[usize]| files.iter().any(|file| self.files.contains(file));
        for capture in totals.captures.iter().filter(|capture| found(&capture.files)) {
            self.captures += 1;
            self.until = self.until.max(capture.facts.end_after(self.from.unwrap_or_default()));
            self.missing += capture.facts.holes();
            self.bare_acks |= capture.facts.holds_bare_acks();
        }
        self.render.end(totals)
    }
}

fn packets(row: &Row) -> u64 {
    [Side::A, Side::B].map(|side| row.judged.flow.half(side).packets()).iter().sum()
}

/// An interface of an input, as it was described when the packet came: a section can describe it anew.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Origin {
    file: usize,
    interface: u32,
    link: LinkType,
    snap_len: u32,
    digits: usize,
}

/// Writes the packets.
pub struct Extract {
    findings: Findings,
    keys: HashMap<FlowKey, (), RandomState>,
    ended: Vec<FlowKey>,
    twins: Twins,
    followed: Followed,
    writer: Writer<BufWriter<Box<dyn Write>>>,
    /// Interfaces that packets came from, each with its number in the file.
    interfaces: Vec<(Origin, u32)>,
    /// Taken, and not yet written: its interface is asked for first.
    packet: Option<(PacketToWrite<'static>, Origin)>,
    /// The ends of that packet, and those whose names the file has.
    ends: Vec<IpAddr>,
    named: BTreeSet<IpAddr>,
    file: String,
    /// By interface.
    drops: Vec<u64>,
    until: Time,
    missing: Holes,
    /// The captures have bare ACKs, and no packet that was written is one.
    lacks_bare_acks: bool,
}

impl Extract {
    /// Ends the file. Returns how many packets were not found again.
    pub fn finish(mut self) -> io::Result<u64> {
        // A connection is held until the capture ends, not until its last packet.
        for (interface, drops) in self.drops.iter().enumerate() {
            self.writer.statistics(interface as u32, self.until, *drops, self.missing)?;
        }
        if self.lacks_bare_acks && !self.drops.is_empty() {
            self.writer.comment(0, self.until, BARE_ACKS)?;
        }
        // What shows that is of other connections, or of another capture.
        for key in self.ended.iter().filter(|_| !self.drops.is_empty()) {
            self.writer.comment(0, self.until, &ended_elsewhere_text(key))?;
        }
        self.writer.flush()?;
        Ok(self.findings.values().map(|finding| finding.left).sum())
    }

    fn interface(
        &mut self,
        origin: Origin,
        packet: &PacketToWrite,
        about: &About,
    ) -> io::Result<u32> {
        // A packet without a time fits whatever the digits of times are.
        let digits = |known: &Origin| {
            if packet.time == Time::UNKNOWN { known.digits } else { origin.digits }
        };
        let fits = |known: &Origin| *known == Origin { digits: digits(known), ..origin };
        if let Some((_, number)) = self.interfaces.iter().find(|(known, _)| fits(known)) {
            return Ok(*number);
        }
        // On any other than the first, its time would be 1970. Of its own, it has nothing to say but addresses.
        let number = match about.addresses.is_empty() && self.writer.fits_first(origin.link, packet)
        {
            true => 0,
            false => self.describe(origin, about)?,
        };
        self.interfaces.push((origin, number));
        Ok(number)
    }

    fn describe(&mut self, origin: Origin, about: &About) -> io::Result<u32> {
        // All addresses of a file, at the first of its interfaces: they tell who is local.
        let is_first = self.interfaces.iter().all(|(known, _)| known.file != origin.file);
        self.drops.push(0);
        self.writer.interface(&Described {
            link: origin.link,
            snap_len: origin.snap_len,
            name: format!("{} of {}", origin.interface, self.file),
            addresses: if is_first { about.addresses.clone() } else { Default::default() },
            digits: origin.digits as u8,
        })
    }
}

/// Is it a finding under its other addresses?
fn is_twin(twins: &Twins, key: &FlowKey, flow: &Flow) -> bool {
    let seen = isns(flow);
    let is_of = |twin: &Isns| {
        seen.iter().any(Option::is_some)
            && seen.iter().flatten().all(|isn| twin.contains(&Some(*isn)))
    };
    twins.get(key).is_some_and(|twins| twins.iter().any(is_of))
}

impl Trace for Extract {
    fn wants(&self, segment: &Segment) -> bool {
        self.keys.contains_key(&segment.key)
    }

    fn take(&mut self, traced: TracedPacket) -> io::Result<()> {
        let TracedPacket { frame, segment, .. } = traced;
        let Some(flow) = self.followed.take(traced.point, segment) else { return Ok(()) };
        let comment = match self.findings.get_mut(&flow.id()) {
            Some(finding) => {
                finding.left = finding.left.saturating_sub(1);
                finding.comments.of(segment)
            }
            None if is_twin(&self.twins, &segment.key, flow) => None,
            None => return Ok(()),
        };
        let Place { time, .. } = frame.place;
        let packet = PacketToWrite {
            time,
            original_len: frame.original_len,
            direction: frame.direction,
            data: frame.data.to_vec().into(),
            comment,
        };
        let origin = Origin {
            file: frame.place.file(),
            interface: frame.interface,
            link: frame.link,
            snap_len: 0,
            digits: frame.place.digits(),
        };
        self.lacks_bare_acks &= !segment.is_bare_ack();
        self.ends = [End::Lower, End::Upper].map(|end| segment.key.endpoint(end).ip).into();
        self.packet = Some((packet, origin));
        Ok(())
    }

    fn taken(&mut self, source: &FileSource) -> io::Result<()> {
        let Some((packet, origin)) = self.packet.take() else { return Ok(()) };
        let origin = Origin { snap_len: source.snap_len(origin.interface), ..origin };
        let interface = self.interface(origin, &packet, source.about())?;
        for end in std::mem::take(&mut self.ends) {
            if let Some(name) = names::name(end)
                && self.named.insert(end)
            {
                self.writer.name(end, &name)?;
            }
        }
        self.writer.packet(interface, &packet)
    }

    fn begin_file(&mut self, _: usize, name: &str) -> io::Result<()> {
        self.file = name.to_owned();
        Ok(())
    }

    /// Keeps the count of packets that were dropped: it casts doubt on the findings, wherever they are
    /// read.
    fn end_file(&mut self, file: usize, about: &About) -> io::Result<()> {
        let number = self.interfaces.iter().find(|(known, _)| known.file == file);
        if let Some(drops) = number.and_then(|(_, number)| self.drops.get_mut(*number as usize)) {
            *drops += about.drops;
        }
        Ok(())
    }
}
