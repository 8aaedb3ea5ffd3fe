//! A capture, or a host, at one moment: the rows and counts of its report, kept for a screen.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::io;

use chrono::TimeDelta;

use crate::owner::{Socket, Usage};
use crate::place::{Place, Time};
use crate::set::Set;
use crate::summary::cause::Cause;
use crate::summary::groups::{Group, Groups};
use crate::summary::history::{History, Series};
use crate::summary::seen::{Process, Said, Seen};
use crate::summary::{Capture, Row, Sink, Totals};
use crate::tcp::life::Life;
use crate::tcp::segment::Endpoint;
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::verdict::local::Local;
use crate::verdict::{Close, Verdict};

/// One connection, or one socket that no packet of was captured.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The connection as reports show it.
    pub seen: Seen,
    /// The end that is judged, and its peer.
    pub ends: [Endpoint; 2],
    /// Their states.
    pub states: [State; 2],
    /// The states that they went through; of a socket nothing is known but the last.
    pub lives: Option<Box<[Life; 2]>>,
    /// Octets that the program has not read, by the kernel.
    pub recv_q: Option<u32>,
    /// The number of its group; `None` for what is no finding.
    pub group: Option<usize>,
    /// The kernel alone knows it.
    pub is_socket: bool,
}

/// Names an entry in one picture after the other.
pub type EntryId = ([Endpoint; 2], u64);

impl Entry {
    fn new(row: &Row) -> Entry {
        let seen = Seen::with_evidence(row);
        let ends: [Endpoint; 2] = seen.judged_and_peer().into();
        let own = if seen.end(Side::A) == ends[0] { Side::A } else { Side::B };
        let sides = [own, own.other()];
        let lives = sides.map(|side| row.judged.flow.life(side, row.judged.end));
        let recv_q = row.owner.listed().and_then(|socket| socket.recv_q);
        Entry {
            states: sides.map(|side| row.judged.state(side)),
            lives: Some(Box::new(lives)),
            seen,
            ends,
            recv_q,
            group: None,
            is_socket: false,
        }
    }

    /// An entry of a socket in CLOSE-WAIT that no packet was seen of.
    fn of_socket(socket: &Socket, number: u64) -> Entry {
        let ends = [socket.local, socket.peer];
        let place = Place::new(Time::UNKNOWN, u16::MAX, number + 1, 0);
        let seen = Seen {
            verdict: Verdict::Leak,
            close: Close::HalfClosed,
            finding: true,
            ends,
            local: Local::Side(Side::A),
            local_by: None,
            holder: Some(Side::A),
            service: None,
            held: socket.held_for(),
            held_by_local: socket.held_for(),
            is_late: false,
            idle_before_fin: socket.idle_before_fin(),
            open_idle: None,
            cause: Cause::of_socket(socket),
            not_seen: None,
            said: Said::default(),
            process: Process::of(socket),
            code: socket.code.clone(),
            evidence: Vec::new(),
            doubts: Set::default(),
            descriptor_may_leak: false,
            kernel_holds: false,
            waits_for: None,
            first: place,
            last: place,
            fin: None,
            closer: Some(Side::B),
            closed_after_answer: false,
        };
        Entry {
            seen,
            ends,
            states: [socket.state, State::FinWait2],
            lives: None,
            recv_q: socket.recv_q,
            group: None,
            is_socket: true,
        }
    }

    /// Returns the name that it keeps.
    pub fn id(&self) -> EntryId {
        // A socket's place is only that in its list.
        let place = if self.is_socket { 0 } else { self.seen.first.order() };
        (self.ends, place)
    }

    /// Returns its process, if one is known.
    pub fn pid(&self) -> Option<i32> {
        match &self.seen.process {
            Process::By { holder, .. } => Some(holder.pid),
            _ => None,
        }
    }
}

/// Sockets in CLOSE-WAIT over time.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The first file of its capture, where there are several captures.
    pub file: Option<String>,
    /// Counts by state.
    pub series: Series,
    /// The time of the first count.
    pub from: Time,
    /// The time of the last.
    pub until: Time,
}

impl Curve {
    /// The curve of a capture, as its report has it; `None` if nothing was in CLOSE-WAIT.
    fn of(totals: &Totals, capture: &Capture) -> Option<Curve> {
        let series = capture.series()?;
        series.of(State::CloseWait)?;
        let file = capture.files.first().and_then(|&file| totals.files.get(file));
        let file = file.filter(|_| totals.captures.len() > 1).cloned();
        let (from, until) = (capture.facts.first()?.time, capture.facts.end());
        Some(Curve { file, series, from, until })
    }

    /// The curve of sockets that no packet was seen of: those that are there now, by since when.
    fn of_sockets(entries: &[Entry], now: Time) -> Option<Curve> {
        let mut history = History::default();
        let mut from = now;
        for held in entries.iter().filter(|entry| entry.is_socket).map(|entry| entry.seen.held) {
            let began = now.before(held?.num_nanoseconds()?);
            history.add_life(&Life::new(began, State::CloseWait));
            from = from.min(began);
        }
        let series = history.series(from, now)?;
        series.of(State::CloseWait)?;
        Some(Curve { file: None, series, from, until: now })
    }
}

/// All that a report says at one moment.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Counts, as reports have them.
    pub totals: Totals,
    /// Connections and sockets, each once.
    pub entries: Vec<Entry>,
    /// Groups of the findings, the largest first.
    pub groups: Vec<Group>,
    /// Findings of groups that were too small to be kept apart.
    pub others: u64,
    /// Sockets by state over time.
    pub curve: Option<Curve>,
    /// Descriptors of processes, where the kernel was asked.
    pub usage: BTreeMap<i32, Usage>,
    /// The findings of each process.
    pub processes: BTreeMap<i32, Stuck>,
}

/// Findings of one process: how many, and the shortest and the longest time for which one was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stuck {
    /// Sockets of it.
    pub count: u64,
    /// The shortest and the longest hold, where they are known.
    pub held: Option<(TimeDelta, TimeDelta)>,
    /// Findings of which that time is known.
    pub timed: u64,
}

impl Stuck {
    fn add(&mut self, held: Option<TimeDelta>) {
        self.count += 1;
        let Some(held) = held else { return };
        self.timed += 1;
        let (least, most) = self.held.unwrap_or((held, held));
        self.held = Some((least.min(held), most.max(held)));
    }
}

impl Picture {
    /// The moment that it shows.
    pub fn at(&self) -> Time {
        self.totals.facts.end()
    }

    /// Returns what the kernel said of sockets: those of which no packet was seen, and those whose process is known.
    pub fn sockets(&self) -> impl Iterator<Item = Socket> {
        let is_known = |entry: &&Entry| entry.is_socket || entry.pid().is_some();
        self.entries.iter().filter(is_known).map(|entry| Socket {
            local: entry.ends[0],
            peer: entry.ends[1],
            state: entry.states[0],
            is_assumed: false,
            recv_q: entry.recv_q,
            send_q: None,
            inode: u64::from(entry.seen.process != Process::Backlog),
            holders: match &entry.seen.process {
                Process::By { holder, .. } => vec![holder.clone()],
                _ => Vec::new(),
            },
            netns: None,
            is_unseen: false,
            silence: None,
            code: entry.seen.code.clone(),
        })
    }

    /// Finds an entry again.
    pub fn find(&self, id: EntryId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id() == id)
    }
}

/// Says of sockets which end is the service: the one that more of them have in common.
fn name_services(entries: &mut [Entry]) {
    let mut shared = [HashMap::<Endpoint, u32>::new(), HashMap::new()];
    for entry in entries.iter().filter(|entry| entry.is_socket) {
        for (shared, end) in shared.iter_mut().zip(entry.ends) {
            *shared.entry(end).or_default() += 1;
        }
    }
    for entry in entries.iter_mut().filter(|entry| entry.is_socket) {
        let [own, peer] = [0, 1].map(|at| shared[at].get(&entry.ends[at]).copied().unwrap_or(0));
        entry.seen.service = match own.cmp(&peer) {
            Ordering::Greater => Some(Side::A),
            Ordering::Less => Some(Side::B),
            Ordering::Equal => None,
        };
    }
}

/// A sink that makes a picture of each report, and hands it on.
pub struct Camera<F> {
    entries: Vec<Entry>,
    usage: BTreeMap<i32, Usage>,
    hand_on: F,
}

impl<F: FnMut(Picture)> Camera<F> {
    /// Hands pictures on to `hand_on`, as often as there is something new.
    pub fn new(hand_on: F) -> Camera<F> {
        Camera { entries: Vec::new(), usage: BTreeMap::new(), hand_on }
    }
}

impl<F: FnMut(Picture)> Sink for Camera<F> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.entries.push(Entry::new(row));
        Ok(())
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        let number = self.entries.len() as u64;
        self.entries.push(Entry::of_socket(socket, number));
        Ok(())
    }

    fn usage(&mut self, usage: &BTreeMap<i32, Usage>) -> io::Result<()> {
        self.usage = usage.clone();
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let mut entries = std::mem::take(&mut self.entries);
        name_services(&mut entries);
        let (mut groups, mut processes) = (Groups::default(), BTreeMap::<i32, Stuck>::new());
        for entry in entries.iter_mut().filter(|entry| entry.seen.finding) {
            entry.group = Some(groups.add(&entry.seen));
            if let Some(pid) = entry.pid() {
                processes.entry(pid).or_default().add(entry.seen.held);
            }
        }
        let curve = totals.captures.iter().find_map(|capture| Curve::of(totals, capture));
        let curve = curve.or_else(|| Curve::of_sockets(&entries, totals.facts.end()));
        (self.hand_on)(Picture {
            totals: totals.clone(),
            groups: groups.sorted().into_iter().cloned().collect(),
            others: groups.others(),
            entries,
            curve,
            usage: std::mem::take(&mut self.usage),
            processes,
        });
        Ok(())
    }
}
