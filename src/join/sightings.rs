//! A flow as one capture point saw it: as much as tells whether it is the same connection as another.

use chrono::TimeDelta;

use crate::place::Place;
use crate::set::Set;
use crate::tcp::flow::Flow;
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::seq::{COMES_ROUND, Seq};
use crate::tcp::side::Side;
use crate::verdict::local::Local;
use crate::verdict::{Doubt, Judgement, Standing, Verdict};

/// Both began no farther apart.
pub(super) const TOGETHER_NS: i64 = 1_000_000_000;

/// A flow as one capture point saw it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The first packet of it.
    pub first: Place,
    /// The capture point, by its number.
    pub point: usize,
    /// Its 4-tuple there.
    pub key: FlowKey,
    /// Ends `a` and `b`.
    pub ends: [Endpoint; 2],
    /// Facts of `a` and `b`.
    pub(super) sides: [Shown; 2],
    /// `a` and `b` have changed places.
    pub(super) is_turned: bool,
    /// The end that opened the connection.
    client: Endpoint,
    /// Octets of both sides, the lesser first: those of their numbers, however many times each was captured.
    octets: [u64; 2],
    last: Place,
    /// The end that is judged there.
    local: Local,
    /// The one of `ends` that has not closed, and for how long.
    pub(super) holder: Option<usize>,
    pub(super) held: Option<TimeDelta>,
    /// Doubts of what was seen there.
    pub doubts: Set<Doubt>,
    /// Its verdict there.
    pub standing: Standing,
    /// It was reported when it ended: it stands.
    pub reported: bool,
}

/// The part of a side that a capture point saw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub isn: Option<Seq>,
    /// The first and the last number that are known to be its, by what it sent or what was acknowledged.
    pub numbers: Option<[Seq; 2]>,
    /// The number after its FIN.
    pub fin: Option<Seq>,
    pub rst: bool,
}

impl Shown {
    fn of(flow: &Flow, side: Side) -> Shown {
        let (half, other) = (flow.half(side), flow.half(side.other()));
        let sent = half.lowest().zip(half.snd_max());
        let numbers = sent.or(other.first_ack().zip(other.ack()));
        let rst = flow.rst(side);
        let numbers = numbers.or(rst.map(|rst| (rst.seq, rst.seq)));
        // Where numbers have come round, their beginning and end tell nothing.
        let numbers = numbers.filter(|_| half.payload_bytes < COMES_ROUND as u64);
        Shown {
            isn: half.isn(),
            numbers: numbers.map(|(first, last)| [first, last]),
            fin: flow.fin(side).map(|fin| fin.end),
            rst: rst.is_some(),
        }
    }

    /// Can both be of one side? Their numbers overlap, or the ones begin where the others end.
    pub fn meets(&self, other: &Shown) -> bool {
        let same = self.isn.zip(other.isn).is_none_or(|(one, two)| one == two);
        let numbers = self.numbers.zip(other.numbers);
        same && numbers.is_some_and(|([first, last], [others_first, others_last])| {
            last.covers(others_first) && others_last.covers(first)
        })
    }
}

impl Sighting {
    /// Takes down a connection at a capture point, by its number.
    pub fn new(key: &FlowKey, flow: &Flow, judgement: &Judgement, point: usize) -> Sighting {
        let end = |side| key.endpoint(flow.end(side));
        let mut octets = [Side::A, Side::B].map(|side| octets(flow, side));
        octets.sort_unstable();
        Sighting {
            first: flow.first,
            last: flow.last,
            point,
            key: *key,
            ends: [Side::A, Side::B].map(end),
            sides: [Side::A, Side::B].map(|side| Shown::of(flow, side)),
            is_turned: false,
            client: end(flow.service().map_or(Side::A, Side::other)),
            octets,
            local: judgement.local,
            holder: judgement.holder.map(|side| side as usize),
            held: judgement.held,
            doubts: judgement.doubts,
            standing: Standing::from(judgement),
            reported: false,
        }
    }

    /// Both SYNs were seen.
    pub(super) fn is_whole(&self) -> bool {
        self.sides.iter().all(|side| side.isn.is_some())
    }

    /// Both initial numbers, the lesser first: whichever end is `a`.
    pub(super) fn isns(&self) -> Option<[u32; 2]> {
        let [Seq(a), Seq(b)] = self.sides[0].isn.zip(self.sides[1].isn).map(|(a, b)| [a, b])?;
        Some([a.min(b), a.max(b)])
    }

    /// Has `a` and `b` change places.
    pub(super) fn turn(&mut self) {
        self.is_turned ^= true;
        self.ends.reverse();
        self.sides.reverse();
        if let Local::Side(side) = &mut self.local {
            *side = side.other();
        }
        self.holder = self.holder.map(|holder| 1 - holder);
    }

    /// Names the segments of the beginning and the end that were seen: `["a.syn", "b.fin"]`.
    pub fn saw(&self) -> Vec<&'static str> {
        let names = [["a.syn", "a.fin", "a.rst"], ["b.syn", "b.fin", "b.rst"]];
        let shown = |side: &Shown| [side.isn.is_some(), side.fin.is_some(), side.rst];
        let all = names.iter().zip(&self.sides).flat_map(|(n, side)| n.iter().zip(shown(side)));
        all.filter_map(|(name, seen)| seen.then_some(*name)).collect()
    }

    /// Can it be the same connection as another with the same numbers? One capture sees a packet as often as the next.
    pub(super) fn can_be(&self, other: &Sighting) -> bool {
        let ended_together = apart(self.last, other.last).is_some_and(|ns| ns <= TOGETHER_NS);
        self.may_be(other) && (self.point != other.point || ended_together)
    }

    /// Can it be the same connection, of which one may lack the end? Nobody rewrites a port alone.
    pub(super) fn may_be(&self, other: &Sighting) -> bool {
        let as_much = self.point != other.point || self.octets == other.octets;
        let is_near = self.from(other).is_some_and(|ns| ns <= TOGETHER_NS);
        let is_other = (self.point, self.key) != (other.point, other.key);
        is_other && is_near && !self.has_port_alone(other) && as_much
    }

    /// Can it be the same connection by another clock? Each point has one of its own.
    pub(super) fn may_be_by_clock(&self, other: &Sighting) -> bool {
        self.point != other.point && !self.has_port_alone(other)
    }

    /// Tells whether `--local` names ends of another sight of the same connection that it does not name here: a client is
    /// known best as it dialled, and its server as it was reached.
    pub(super) fn is_named_less(&self, other: &Sighting) -> bool {
        let is_client = |side| self.ends.get(side as usize) == Some(&self.client);
        match self.local {
            Local::Neither => other.local != Local::Neither,
            Local::Side(side) => other.local == Local::Both && is_client(side),
            Local::Both | Local::Unknown => false,
        }
    }

    fn has_port_alone(&self, other: &Sighting) -> bool {
        self.client.ip == other.client.ip && self.client.port != other.client.port
    }

    /// Nanoseconds between the beginnings of both.
    pub(super) fn from(&self, other: &Sighting) -> Option<i64> {
        apart(self.first, other.first)
    }

    /// In CLOSE-WAIT at the end that is judged.
    pub(super) fn is_leak(&self) -> bool {
        let Standing { verdict, finding, hidden, .. } = self.standing;
        verdict == Verdict::Leak && (finding || hidden)
    }

    /// A finding, or one with doubts.
    pub(super) fn is_found(&self) -> bool {
        self.standing.finding || self.standing.hidden
    }

    /// Ranks a sighting by how much of the connection's end it shows. One of which no end is local comes last, and of two
    /// at one point the one that was dialled comes first.
    pub(super) fn weight(&self, is_left: bool, is_dialled: bool) -> impl Ord + use<> {
        let ends = |side: &Shown| u8::from(side.fin.is_some()) + u8::from(side.rst);
        let ends: u8 = self.sides.iter().map(ends).sum();
        let is_sure = self.is_found() && self.doubts.is_empty();
        let is_told = !self.standing.foreign;
        let (found, saw) = (self.is_found(), self.saw().len());
        (self.reported, is_told, is_left, ends, found, is_dialled, is_sure, saw)
    }
}

/// Octets that a side was seen to send. A host sees one connection at an interface, a bridge and a container's end, and
/// the same with other addresses only once: copies do not count.
fn octets(flow: &Flow, side: Side) -> u64 {
    let half = flow.half(side);
    let numbers = half.lowest().zip(half.captured_max());
    match numbers.filter(|_| half.payload_bytes < COMES_ROUND as u64) {
        Some((first, last)) => {
            let fin = flow.fin(side).is_some_and(|fin| fin.end == last);
            u64::from(last.0.wrapping_sub(first.0)).saturating_sub(fin.into())
        }
        None => half.payload_bytes,
    }
}

fn apart(one: Place, two: Place) -> Option<i64> {
    one.time.max(two.time).since(one.time.min(two.time))
}
