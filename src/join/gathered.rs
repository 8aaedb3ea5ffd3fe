//! Flows that are the same connection, seen more than once: under other addresses, or at several capture
//! points.
//!
//! Both initial sequence numbers are the same, and all began within a second of one another: at several capture
//! points, and under other addresses. What a point has of a 4-tuple from the middle on, with numbers that fit, is
//! the same connection, too. What is remembered of each is little, and of a bounded number: the others count as
//! what they are.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::joined::Joined;
use super::points::{Group, gather};
use super::sightings::{Sighting, TOGETHER_NS};
use crate::tcp::flow::{Ending, Flow};
use crate::tcp::segment::FlowKey;

/// Flows that are remembered, and among them those whose handshake was not seen whole.
const MOST: usize = 1 << 20;
const MOST_PARTS: usize = 1 << 18;

/// All that are remembered.
#[derive(Debug, Default)]
pub struct Sightings {
    by_key: HashMap<FlowKey, Vec<Sighting>, RandomState>,
    len: usize,
    parts: usize,
}

impl Sightings {
    /// Remembers a flow, if both its SYNs were seen; where there are several capture points, what one has of
    /// it from the middle on, too.
    pub fn note(&mut self, flow: &Flow, sighting: Sighting, several: bool) {
        let is_part = !sighting.is_whole();
        let tells = several && flow.ending() != Ending::Attempt && !sighting.key.is_self();
        let most = if is_part { MOST_PARTS } else { MOST };
        let len = if is_part { &mut self.parts } else { &mut self.len };
        if *len < most && (tells || !is_part) {
            *len += 1;
            let seen = self.by_key.entry(sighting.key).or_default();
            // Nearly all 4-tuples have one connection.
            if seen.len() < 2 {
                seen.reserve_exact(1);
            }
            seen.push(sighting);
        }
    }

    /// Returns those that were seen more than once, in the order of the first packets of those that stand.
    pub fn joined(self) -> Vec<Joined> {
        let mut groups: Vec<Group> = self.by_key.into_values().flat_map(gather).collect();
        let mut with: HashMap<[u32; 2], usize, RandomState> = HashMap::default();
        let isns = |group: &Group| group.members.iter().find_map(Sighting::isns);
        groups.iter().filter_map(isns).for_each(|isns| *with.entry(isns).or_default() += 1);
        let mut pairs: HashMap<[u32; 2], Group, RandomState> = HashMap::default();
        let mut joined = Vec::new();
        for group in groups.drain(..) {
            match isns(&group).filter(|isns| with.get(isns) == Some(&2)) {
                None => joined.extend(group.joined()),
                Some(isns) => match pairs.remove(&isns) {
                    None => drop(pairs.insert(isns, group)),
                    Some(other) => joined.extend(join(other, group)),
                },
            }
        }
        joined.sort_by_key(|joined| joined.stands.first.order());
        joined
    }
}

/// Two 4-tuples with the same initial numbers.
fn join(mut one: Group, mut two: Group) -> Vec<Joined> {
    let is_one = |can: fn(&Sighting, &Sighting) -> bool| match (one.whole(), two.whole()) {
        (Some(whole), Some(other)) => can(whole, other) && one.is_twice(&two, can),
        _ => false,
    };
    if is_one(Sighting::can_be) {
        return one.and(two).joined().into_iter().collect();
    }
    let by_clock = is_one(Sighting::may_be_by_clock).then(|| one.from(&two)).flatten();
    let by_clock = by_clock.filter(|ns| *ns > TOGETHER_NS);
    if is_one(Sighting::may_be) || by_clock.is_some() {
        one.doubt_by(&two);
        two.doubt_by(&one);
    }
    for group in [&mut one, &mut two] {
        group.apart = group.apart.max(by_clock);
    }
    [one, two].into_iter().filter_map(Group::joined).collect()
}
