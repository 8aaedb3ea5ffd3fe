//! Flows that are the same connection, seen twice: under other addresses, or at two capture points.
//!
//! Both initial sequence numbers are the same, and both began within a second of one another. What is
//! remembered of each is little, and of a bounded number: the others count as what they are.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Elsewhere, Point};
use crate::place::Place;
use crate::set::Set;
use crate::tcp::flow::Flow;
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;
use crate::verdict::local::{Local, LocalBy};
use crate::verdict::{Doubt, Judgement, Standing};

/// Flows that are remembered.
const MOST: usize = 1 << 20;

/// Both began no farther apart.
const TOGETHER_NS: i64 = 1_000_000_000;

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
    /// The ISN of `a`.
    isn: Option<Seq>,
    /// The end that opened the connection.
    client: Endpoint,
    /// The end that the user says is local.
    local: Option<Endpoint>,
    /// Octets of payload of both sides, the lesser first.
    octets: [u64; 2],
    last: Place,
    /// Words for what was seen there: `a.fin`.
    pub saw: Vec<&'static str>,
    /// Doubts of what was seen there.
    pub doubts: Set<Doubt>,
    /// Its verdict there.
    pub standing: Standing,
    /// It was reported when it ended: it stands.
    pub reported: bool,
}

impl Sighting {
    /// Takes down a connection at a capture point, by its number.
    pub fn new(key: &FlowKey, flow: &Flow, judgement: &Judgement, point: usize) -> Sighting {
        let end = |side| key.endpoint(flow.end(side));
        let mut octets = [Side::A, Side::B].map(|side| flow.half(side).payload_bytes);
        octets.sort_unstable();
        Sighting {
            first: flow.first,
            last: flow.last,
            point,
            key: *key,
            ends: [Side::A, Side::B].map(end),
            client: end(flow.service().map_or(Side::A, Side::other)),
            local: match (judgement.local, judgement.local_by) {
                (Local::Side(side), Some(LocalBy::Option)) => Some(end(side)),
                _ => None,
            },
            octets,
            isn: flow.half(Side::A).isn(),
            saw: saw(flow),
            doubts: judgement.doubts,
            standing: Standing::from(judgement),
            reported: false,
        }
    }

    /// With the same `a` as another of the same connection.
    fn turned_as(mut self, other: &Sighting) -> Sighting {
        if self.isn != other.isn {
            self.ends.reverse();
            let turned = |name: &&'static str| match *name {
                "a.syn" => "b.syn",
                "a.fin" => "b.fin",
                "a.rst" => "b.rst",
                "b.syn" => "a.syn",
                "b.fin" => "a.fin",
                _ => "a.rst",
            };
            self.saw = self.saw.iter().map(turned).collect();
            self.saw.sort_unstable();
        }
        self
    }

    /// Can it be the same connection as another with the same numbers? Nobody rewrites a port alone,
    /// two ends that are both local are two sockets, and one capture sees a packet as often as the next.
    fn can_be(&self, other: &Sighting) -> bool {
        let port_alone = self.client.ip == other.client.ip && self.client.port != other.client.port;
        let both_local = self.local.zip(other.local).is_some_and(|(one, two)| one != two);
        let here = self.point == other.point;
        let same_here = self.octets == other.octets && together(self.last, other.last);
        (self.point, self.key) != (other.point, other.key)
            && !port_alone
            && !both_local
            && (!here || same_here)
    }

    /// Ranks a sighting by how much of the connection's end it shows.
    fn weight(&self) -> (bool, usize) {
        (self.reported, self.saw.len())
    }
}

/// Names the segments of the beginning and the end that were seen: `["syn", "fin"]`.
fn saw(flow: &Flow) -> Vec<&'static str> {
    let [a, b] = [Side::A, Side::B].map(|side| {
        let half = flow.half(side);
        [half.isn().is_some(), flow.fin(side).is_some(), flow.rst(side).is_some()]
    });
    let names = ["a.syn", "a.fin", "a.rst", "b.syn", "b.fin", "b.rst"];
    let seen = a.into_iter().chain(b);
    names.into_iter().zip(seen).filter_map(|(name, seen)| seen.then_some(name)).collect()
}

/// All that are remembered.
#[derive(Debug, Default)]
pub struct Sightings {
    by_isn: HashMap<[u32; 2], Vec<Sighting>, RandomState>,
    len: usize,
}

/// Two sightings of one connection: the first stands for both.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The one that is counted.
    pub stands: Sighting,
    /// The other, which is not.
    pub other: Sighting,
}

impl Joined {
    /// Both are of one capture point.
    pub fn is_rewritten(&self) -> bool {
        self.stands.point == self.other.point
    }

    /// Tells whether they have different 4-tuples.
    pub fn has_other_addresses(&self) -> bool {
        self.stands.key != self.other.key
    }

    /// Returns the second one's addresses, point and doubts, for the report of the first.
    pub fn elsewhere(&self) -> Elsewhere {
        let point = |sighting: &Sighting| Point {
            first: sighting.first,
            saw: sighting.saw.clone(),
            doubts: sighting.doubts,
        };
        Elsewhere {
            rewritten_as: self.has_other_addresses().then_some(self.other.ends),
            points: match self.is_rewritten() {
                true => Vec::new(),
                false => vec![point(&self.stands), point(&self.other)],
            },
            other_leg: None,
        }
    }
}

impl Sightings {
    /// Remembers a flow, if both its SYNs were seen.
    pub fn note(&mut self, flow: &Flow, sighting: Sighting) {
        let isn = [Side::A, Side::B].map(|side| flow.half(side).isn());
        let [Some(Seq(a)), Some(Seq(b))] = isn else { return };
        if self.len < MOST {
            self.len += 1;
            self.by_isn.entry([a.min(b), a.max(b)]).or_default().push(sighting);
        }
    }

    /// The pairs, in the order of the first packets of those that stand.
    pub fn joined(self) -> Vec<Joined> {
        let mut joined: Vec<Joined> = self.by_isn.into_values().filter_map(join).collect();
        joined.sort_by_key(|joined| joined.stands.first.order());
        joined
    }
}

fn together(one: Place, two: Place) -> bool {
    let (earlier, later) = (one.time.min(two.time), one.time.max(two.time));
    later.since(earlier).is_some_and(|ns| ns <= TOGETHER_NS)
}

/// Exactly two, under other addresses or at other points.
fn join(mut sightings: Vec<Sighting>) -> Option<Joined> {
    sightings.sort_by_key(|sighting| sighting.first.order());
    let [one, two] = <[Sighting; 2]>::try_from(sightings).ok()?;
    if !one.can_be(&two) || !together(one.first, two.first) {
        return None;
    }
    // In one capture both saw the same, and the first has the addresses that were dialled.
    let swap = one.point != two.point && two.weight() > one.weight();
    let (stands, other) = if swap { (two, one) } else { (one, two) };
    let other = other.turned_as(&stands);
    Some(Joined { stands, other })
}
