//! Findings that belong together: by process, service, cause, statements and code; the pause that the peer
//! closed them after, and how fast they grow.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use chrono::TimeDelta;
use foldhash::fast::RandomState;

use super::cause::Cause;
use super::hold::Hold;
use super::moment::{is_one_moment, longest_beside};
use super::range::Range;
use super::seen::{Party, Process, Said, Seen};
use crate::code::Code;
use crate::place::{Place, Time};
use crate::tcp::segment::Endpoint;
use crate::units::{range, seconds};
use crate::verdict::{Close, Doubt};

/// Findings of one process with one service, for one reason, after the same statements.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name within a run: the number of groups there were before it.
    pub number: usize,
    /// The holder, as far as it is known.
    pub process: Holder,
    /// The service that they have in common.
    pub party: Party,
    /// The reason why they were left, if it is known.
    pub cause: Option<Cause>,
    /// Whatever would have told the cause, where it is unknown.
    pub not_seen: Option<&'static str>,
    /// Statements that they have in common; of several [kinds](Group::others), those of the largest.
    pub said: Said,
    /// Kinds of statements that are in it beside these.
    pub others: usize,
    /// The code behind them, where that was watched.
    pub code: Option<Box<Code>>,
    /// The number of its members, and the one that was held longest: of equals the first.
    pub count: u64,
    /// The member that was held longest.
    pub longest: Box<Seen>,
    held: Range<Hold>,
    /// Members that a reset has ended.
    reset: u64,
    idle: Range<TimeDelta>,
    /// Some of these times are at most so long.
    is_idle_at_most: bool,
    /// The pauses before the FINs.
    pauses: Vec<Pause>,
    first: Option<Place>,
    last: Option<Place>,
    /// The first FIN of each host that holds some.
    begun: BTreeMap<IpAddr, Place>,
    /// The peers that had connected, of a service of this side.
    peers: HashSet<Endpoint, RandomState>,
    doubts: BTreeMap<Doubt, u64>,
    /// Not all that was to be told apart found room.
    pub is_cut: bool,
}

/// The holder of a group: a process, whatever its descriptors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// Nobody was asked.
    NotAsked,
    /// The list has no such socket.
    NotListed,
    /// No process: the socket waits in a backlog.
    Backlog,
    /// A process that may not be looked at.
    Hidden,
    /// A process, by number and name.
    By(i32, String),
}

impl From<&Process> for Holder {
    fn from(process: &Process) -> Holder {
        match process {
            Process::NotAsked => Holder::NotAsked,
            Process::NotListed => Holder::NotListed,
            Process::Backlog => Holder::Backlog,
            Process::Hidden => Holder::Hidden,
            Process::By { holder, .. } => Holder::By(holder.pid, holder.command.clone()),
        }
    }
}

/// The facts that the findings of a group have in common.
type Key = (
    (Holder, Party, Option<Cause>, Option<&'static str>),
    Option<String>,
    Vec<String>,
    Vec<(&'static str, String)>,
);

/// Groups that are told apart.
const GROUPS: usize = 16_384;

/// Pauses, hosts and peers that are remembered, of all groups together.
const DETAILS: usize = 1 << 21;

/// Findings, counted into groups as they come: a flood of them takes no more memory than a few.
#[derive(Clone, Debug)]
pub struct Groups {
    groups: BTreeMap<Key, Group>,
    /// All that there ever were.
    begun: usize,
    /// Findings of groups that were too small to be kept.
    others: u64,
    /// Room for details that is left.
    room: usize,
}

impl Default for Groups {
    fn default() -> Groups {
        Groups { groups: BTreeMap::new(), begun: 0, others: 0, room: DETAILS }
    }
}

impl Groups {
    /// Adds a finding to its group. Returns the number of that.
    pub fn add(&mut self, seen: &Seen) -> usize {
        let (process, party) = (Holder::from(&seen.process), seen.party());
        let (code, asked) = (seen.said.code.clone(), seen.said.asked().to_vec());
        let heads = seen.code.as_ref().map_or(Vec::new(), |code| code.heads());
        let key = ((process, party, seen.cause, seen.not_seen), code, asked, heads);
        let begun = &mut self.begun;
        let new = |((process, party, ..), ..): &Key| {
            *begun += 1;
            Group::new(*begun - 1, process.clone(), *party, seen)
        };
        let group = self.groups.entry(key).or_insert_with_key(new);
        group.add(seen, &mut self.room);
        let number = group.number;
        if self.groups.len() > GROUPS {
            self.drop_smallest();
        }
        number
    }

    /// Makes room: half of the groups go, the smallest of them.
    fn drop_smallest(&mut self) {
        let mut sizes: Vec<u64> = self.groups.values().map(|group| group.count).collect();
        sizes.sort_unstable_by_key(|size| Reverse(*size));
        let staying = &sizes[..GROUPS / 2];
        let least = staying.last().copied().unwrap_or(0);
        let mut of_least = staying.iter().filter(|size| **size == least).count();
        self.groups.retain(|_, group| {
            let stays = group.count > least || group.count == least && of_least > 0;
            of_least -= usize::from(stays && group.count == least);
            if !stays {
                self.others += group.count;
                self.room += group.details();
            }
            stays
        });
    }

    /// The largest group first, among equals the longest held.
    pub fn sorted(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.values().collect();
        groups.sort_by_key(|group| Reverse(rank(group)));
        groups
    }

    /// The groups in that order, but where many small groups of one service differ by what was said alone, they
    /// are one: each for itself, they would hide how many there are.
    pub fn by_service(&self) -> Vec<Cow<'_, Group>> {
        let mut services = BTreeMap::<_, Vec<&Group>>::new();
        for ((common, _, _, heads), group) in &self.groups {
            services.entry((common, heads)).or_default().push(group);
        }
        let mut groups: Vec<Cow<Group>> = Vec::new();
        for mut of_service in services.into_values() {
            let all: u64 = of_service.iter().map(|group| group.count).sum();
            of_service.sort_by_key(|group| Reverse(rank(group)));
            let is_small = |group: &&Group| group.count.saturating_mul(SMALL) <= all;
            let from = of_service.iter().position(is_small).unwrap_or(of_service.len());
            let small = if of_service.len() - from >= MANY {
                of_service.split_off(from)
            } else {
                Vec::new()
            };
            groups.extend(of_service.into_iter().map(Cow::Borrowed));
            groups.extend(joined(&small).map(Cow::Owned));
        }
        // What is moved are their places: a group is large.
        groups.sort_by_cached_key(|group| Reverse(rank(group)));
        groups
    }

    /// The finding to look at first: that of the first group which was held longest.
    pub fn foremost(&self) -> Option<Seen> {
        self.by_service().first().map(|group| (*group.longest).clone())
    }

    /// Returns the number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Tells whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Findings of groups that are not told apart, since there are too many.
    pub fn others(&self) -> u64 {
        self.others
    }
}

/// Groups of a service are small that have no more than one of so many of its findings; so many of them are joined.
const SMALL: u64 = 8;
const MANY: usize = 4;

/// By the number of its members, and how long they were held.
fn rank(group: &Group) -> (u64, Option<Hold>) {
    (group.count, group.held().map(|(_, most)| most))
}

/// Joins groups, the largest first, that differ by what was said.
fn joined(groups: &[&Group]) -> Option<Group> {
    let (first, rest) = groups.split_first()?;
    let joined = rest.iter().fold((*first).clone(), |mut all, group| {
        all.join(group);
        all
    });
    Some(Group { others: rest.len(), ..joined })
}

impl Group {
    fn join(&mut self, more: &Group) {
        self.count += more.count;
        if more.longest.held > self.longest.held {
            self.longest.clone_from(&more.longest);
        }
        self.held.join(more.held);
        self.idle.join(more.idle);
        self.is_idle_at_most |= more.is_idle_at_most;
        self.is_cut |= more.is_cut;
        self.pauses.extend(&more.pauses);
        for (host, fin) in &more.begun {
            self.add_fin(*host, *fin, false);
        }
        if let Some(last) = more.last {
            let is_later = self.last.is_none_or(|own| last.time >= own.time);
            self.last = if is_later { Some(last) } else { self.last };
        }
        self.peers.extend(&more.peers);
        for (doubt, n) in &more.doubts {
            *self.doubts.entry(*doubt).or_default() += n;
        }
    }

    fn new(number: usize, process: Holder, party: Party, seen: &Seen) -> Group {
        Group {
            number,
            process,
            party,
            cause: seen.cause,
            not_seen: seen.not_seen,
            said: seen.said.clone(),
            others: 0,
            code: seen.code.clone(),
            count: 0,
            longest: Box::new(seen.clone()),
            held: Range::default(),
            reset: 0,
            idle: Range::default(),
            is_idle_at_most: false,
            pauses: Vec::new(),
            first: None,
            last: None,
            begun: BTreeMap::new(),
            peers: HashSet::default(),
            doubts: BTreeMap::new(),
            is_cut: false,
        }
    }

    /// Is it made of what is alike, in another moment of the capture?
    pub fn is_like(&self, other: &Group) -> bool {
        let heads = |group: &Group| group.code.as_ref().map_or(Vec::new(), |code| code.heads());
        (&self.process, self.party, self.cause) == (&other.process, other.party, other.cause)
            && self.said.code == other.said.code
            && self.said.asked() == other.said.asked()
            && heads(self) == heads(other)
    }

    fn add(&mut self, seen: &Seen, room: &mut usize) {
        self.count += 1;
        let rank = |seen: &Seen| (seen.held, Reverse(seen.first.order()));
        if rank(seen) > rank(&self.longest) {
            *self.longest = seen.clone();
        }
        seen.hold().into_iter().for_each(|held| self.held.add(held));
        self.reset += u64::from(seen.close == Close::Reset);
        for doubt in seen.doubts.iter() {
            *self.doubts.entry(*doubt).or_default() += 1;
        }
        let before = self.details();
        let full = *room == 0;
        let (own, peer) = seen.judged_and_peer();
        if let Some(idle) = seen.idle_before_fin {
            self.idle.add(idle);
            match (seen.is_idle_at_most(), full) {
                (true, _) => self.is_idle_at_most = true,
                (false, _) if seen.closed_after_answer => {}
                (false, true) => self.is_cut = true,
                (false, false) => {
                    let fin = seen.fin.map_or(Time::UNKNOWN, |fin| fin.time);
                    self.pauses.push(Pause { idle, fin });
                }
            }
        }
        if let Some(fin) = seen.fin {
            self.add_fin(own.ip, fin, full);
        }
        if matches!(self.party, Party::Local(_)) && !self.peers.contains(&peer) {
            match full {
                true => self.is_cut = true,
                false => _ = self.peers.insert(peer),
            }
        }
        *room = room.saturating_sub(self.details() - before);
    }

    fn add_fin(&mut self, host: IpAddr, fin: Place, full: bool) {
        let is_first = self.first.is_none_or(|first| fin.time < first.time);
        let is_last = self.last.is_none_or(|last| fin.time >= last.time);
        self.first = if is_first { Some(fin) } else { self.first };
        self.last = if is_last { Some(fin) } else { self.last };
        match self.begun.get_mut(&host) {
            Some(earliest) if fin.time < earliest.time => *earliest = fin,
            Some(_) => {}
            None if full => self.is_cut = true,
            None => _ = self.begun.insert(host, fin),
        }
    }

    /// Returns how much of the room for details it takes.
    fn details(&self) -> usize {
        self.pauses.len() + self.begun.len() + self.peers.len()
    }

    /// Returns the least and the most that they have been held.
    pub fn held(&self) -> Option<(Hold, Hold)> {
        self.held.ends()
    }

    /// Tells whether resets have ended all of them.
    pub fn is_reset(&self) -> bool {
        self.reset == self.count
    }

    /// Returns the timer that closed most of them, if one did.
    pub fn timeout(&self) -> Option<Timeout> {
        let of = if self.is_cut { self.pauses.len() } else { self.count as usize };
        Timeout::of(self.pauses.iter().copied(), of)
    }

    /// Tells whether several were closed at one moment, after whatever pause: as when a process ends.
    pub fn was_closed_at_once(&self) -> bool {
        let fins = self.first.zip(self.last).map(|(first, last)| (first.time, last.time));
        let is_short = |fins: &(Time, Time)| {
            fins.1.since(fins.0).is_some_and(|ns| TimeDelta::nanoseconds(ns) < MOMENT)
        };
        let pauses = self.idle.ends().map(|(least, most)| most - least);
        let fins = fins.filter(is_short).zip(pauses);
        self.count >= ENOUGH as u64
            && fins.is_some_and(|(fins, pauses)| is_one_moment(fins, pauses))
    }

    /// Says how long the pauses before the FINs were: `≤ 3.9 s`, `1.9 s … 2.1 s`.
    pub fn idle(&self) -> Option<String> {
        let (least, most) = self.idle.ends()?;
        let bound = if self.is_idle_at_most { "≤ " } else { "" };
        Some(format!("{bound}{}", range(least, most)))
    }

    /// Returns how many peers they are with, and at how many addresses: as far as they were told apart.
    pub fn peers(&self) -> (usize, usize) {
        let hosts: HashSet<IpAddr> = self.peers.iter().map(|peer| peer.ip).collect();
        (self.peers.len(), hosts.len())
    }

    /// Returns how many are in doubt, by doubt.
    pub fn doubts(&self) -> &BTreeMap<Doubt, u64> {
        &self.doubts
    }
}

/// The time in which the peer closed the connections of a group, and the hosts that hold them.
pub struct Span {
    /// The first FIN.
    pub first: Place,
    /// The last FIN.
    pub last: Place,
    /// There are several, if only one moment shows.
    pub several: bool,
    /// The growth a minute, where enough of them show it.
    pub per_minute: Option<f64>,
    /// The number of addresses that hold them: where no process is known, a host may have several.
    pub addresses: usize,
    /// Several addresses: the time between the first FIN of one and the first of the last to begin.
    pub apart: Option<TimeDelta>,
}

/// Shorter spans say nothing about growth.
const GROWTH: TimeDelta = TimeDelta::seconds(10);

/// Returns how many came each minute, where so many after the first came within this span; `None` where
/// that is too few or too short to say anything.
pub fn per_minute(after_first: usize, span: TimeDelta) -> Option<f64> {
    (after_first > 1 && span >= GROWTH).then(|| after_first as f64 * 60.0 / seconds(span))
}

impl Group {
    /// Returns when the peer closed them, and how fast they grow.
    pub fn span(&self) -> Option<Span> {
        let (first, last) = self.first.zip(self.last)?;
        let nanos = last.time.since(first.time).unwrap_or(0);
        let times = || self.begun.values().map(|place| place.time);
        let apart = times().max().zip(times().min()).and_then(|(last, first)| last.since(first));
        // A process is on one host, however many addresses that has.
        let is_one = matches!(self.process, Holder::By(..));
        let addresses = if is_one { 1 } else { self.begun.len() };
        Some(Span {
            first,
            last,
            several: self.count > 1,
            per_minute: per_minute(self.count as usize - 1, TimeDelta::nanoseconds(nanos)),
            addresses,
            apart: apart.filter(|_| addresses > 1).map(TimeDelta::nanoseconds),
        })
    }
}

/// A pause before a FIN, and when that came.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    /// The time for which the connection was idle.
    pub idle: TimeDelta,
    /// The time of the FIN.
    pub fin: Time,
}

/// Closes of one process that ends come within this time.
const MOMENT: TimeDelta = TimeDelta::milliseconds(50);

/// A timer that closes idle connections, as the pauses before FINs show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeout {
    /// The connections that were closed after this pause, of how many.
    pub closed: usize,
    /// Members whose pause is known.
    pub of: usize,
    /// The middle of the pauses.
    pub middle: TimeDelta,
    /// They differ from it by this much.
    pub spread: TimeDelta,
}

/// Connections closed after the same pause were closed by a timer: most of them, and three at least.
const ENOUGH: usize = 3;

impl Timeout {
    /// Finds one in the pauses of so many connections.
    pub fn of(pauses: impl Iterator<Item = Pause>, connections: usize) -> Option<Timeout> {
        let mut pauses: Vec<Pause> = pauses.collect();
        pauses.sort_by_key(|pause| pause.idle);
        let alike = |from: usize| {
            let within = longest_beside(pauses[from].idle);
            &pauses[from..from + pauses[from..].partition_point(|pause| pause.idle <= within)]
        };
        let cluster = (0..pauses.len()).map(alike).max_by_key(|cluster| cluster.len())?;
        let (least, most) = (cluster.first()?.idle, cluster.last()?.idle);
        let mut fins = Range::default();
        cluster.iter().for_each(|pause| fins.add(pause.fin));
        let is_one_moment = fins.ends().is_some_and(|fins| is_one_moment(fins, most - least));
        let middle = (least + most) / 2;
        let is_most = cluster.len() >= ENOUGH && cluster.len() * 2 > connections;
        (is_most && middle >= TimeDelta::seconds(1) && !is_one_moment).then_some(Timeout {
            closed: cluster.len(),
            of: connections,
            middle,
            spread: ((most - least) / 2).max(TimeDelta::milliseconds(1)),
        })
    }

    /// The seconds that it is set to, probably.
    pub fn about_s(&self) -> f64 {
        rounded(seconds(self.middle), seconds(self.spread))
    }

    /// A product whose default it is: a hint, since anybody can choose the same.
    pub fn known(&self) -> Option<&'static str> {
        KNOWN.iter().find(|(seconds, _)| *seconds == self.about_s()).map(|(_, name)| *name)
    }
}

/// The products that forget a connection sooner than after this silence, the longest timeout first: of
/// those that are on a path and end nothing by themselves.
pub fn forgotten_after(silence: TimeDelta) -> impl Iterator<Item = &'static str> {
    let on_a_path = KNOWN.iter().rev().filter(|(timeout, _)| FORGETFUL.contains(timeout));
    on_a_path.filter(move |(timeout, _)| seconds(silence) >= *timeout).map(|(_, name)| *name)
}

/// The timeouts in [`KNOWN`] of what is on a path.
const FORGETFUL: [f64; 5] = [240.0, 300.0, 350.0, 600.0, 3_600.0];

/// The products whose timeout lies above `from`, and not above `to`.
pub fn known_between(from: TimeDelta, to: TimeDelta) -> impl Iterator<Item = &'static str> {
    let is_there = move |timeout: f64| seconds(from) < timeout && timeout <= seconds(to);
    KNOWN.iter().filter(move |(timeout, _)| is_there(*timeout)).map(|(_, name)| *name)
}

/// Timers are set in whole seconds; where one is not near, what was measured is all that is known.
/// Near is what the measured pauses reach, and a little more, by which timers come late.
fn rounded(seconds: f64, spread: f64) -> f64 {
    let whole = seconds.round();
    let late = (whole / 300.0).clamp(0.05, 0.25);
    let is_near = (seconds - whole).abs() <= spread + late;
    if is_near { whole } else { (seconds * 10.0).round() / 10.0 }
}

/// Defaults of what closes idle connections, in seconds.
const KNOWN: [(f64, &str); 10] = [
    (50.0, "the 50 s of HAProxy's examples"),
    (60.0, "the 60 s of AWS ALB and nginx"),
    (75.0, "the 75 s of nginx towards clients"),
    (120.0, "the 2 min of IIS"),
    (240.0, "the 4 min of Azure's load balancer"),
    (300.0, "the 5 min of many firewalls"),
    (350.0, "the 350 s of AWS NLB"),
    (600.0, "the 10 min of nginx's stream proxy and Google Cloud"),
    (3_600.0, "the 1 h of Envoy and many firewalls"),
    (28_800.0, "MySQL's default wait_timeout of 8 h"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections idle since then, in milliseconds, and closed at these times.
    fn timeout(all: &[(i64, i64)]) -> Option<Timeout> {
        let pause = |(since, fin): &(i64, i64)| Pause {
            idle: TimeDelta::milliseconds(fin - since),
            fin: Time::from_nanos(i128::from(*fin) * 1_000_000),
        };
        Timeout::of(all.iter().map(pause), all.len())
    }

    #[test]
    fn what_is_closed_at_one_moment_shows_no_timeout() {
        let since = |at: i64| at * 500;
        let restart: Vec<_> = (0..12).map(|at| (since(at), 3_600_000 + at / 3)).collect();
        assert_eq!(timeout(&restart), None);
        let timer: Vec<_> = (0..12).map(|at| (since(at), since(at) + 60_000 + at % 3)).collect();
        assert_eq!(timeout(&timer).map(|timeout| timeout.closed), Some(12));
        let together: Vec<_> = (0..12).map(|at| (at, 30_000)).collect();
        assert_eq!(timeout(&together).map(|timeout| timeout.closed), Some(12), "used together");
    }

    #[test]
    fn a_timeout_is_a_whole_number_only_where_one_is_near() {
        let sharp = |seconds| rounded(seconds, 0.002);
        assert_eq!([29.9, 3.004, 1.03, 60.2].map(sharp), [30.0, 3.0, 1.0, 60.0]);
        assert_eq!([5.53, 1.26, 2.5].map(sharp), [5.5, 1.3, 2.5]);
        assert_eq!([29.5, 45.5, 59.5, 119.5].map(sharp), [29.5, 45.5, 59.5, 119.5]);
        assert_eq!(rounded(59.5, 0.6), 60.0);
    }
}
