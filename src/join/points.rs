//! One 4-tuple as several capture points saw it: which of its flows are the same connection.
//!
//! A FIN can be in another file than the connection that it ends: one that was rotated, with some seconds of
//! both, or one that was taken elsewhere.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::joined::Joined;
use super::sightings::{Sighting, TOGETHER_NS};
use crate::tcp::seq::Seq;

/// Flows without a handshake are compared with all others of their 4-tuple, where they are no more.
const MOST_COMPARED: usize = 1 << 16;

/// Sightings of one connection.
#[derive(Debug)]
pub(super) struct Group {
    /// At least one; of all, `a` is the same end.
    pub members: Vec<Sighting>,
    /// A FIN or a RST that was seen elsewhere may have ended it.
    pub may_be_over: bool,
    /// Another point has the same numbers, so many nanoseconds apart by its clock.
    pub apart: Option<i64>,
}

impl Group {
    fn of(members: Vec<Sighting>) -> Group {
        Group { members, may_be_over: false, apart: None }
    }

    /// Does it have a member of this capture point?
    pub fn is_at(&self, point: usize) -> bool {
        self.members.iter().any(|member| member.point == point)
    }

    /// The first member of which both SYNs were seen.
    pub fn whole(&self) -> Option<&Sighting> {
        self.members.iter().find(|member| member.is_whole())
    }

    /// Nanoseconds between the beginnings of both, each by its point's clock.
    pub fn from(&self, other: &Group) -> Option<i64> {
        self.whole()?.from(other.whole()?)
    }

    /// Can both be one connection at each capture point that has both, as a host that translates has?
    pub fn is_twice(&self, other: &Group, can: fn(&Sighting, &Sighting) -> bool) -> bool {
        self.members.iter().all(|one| {
            let mut here = other.members.iter().filter(|other| other.point == one.point);
            here.all(|other| can(one, other))
        })
    }

    fn meets(&self, part: &Sighting) -> bool {
        let meets = |member: &Sighting| {
            member.sides.iter().zip(&part.sides).all(|(one, two)| one.meets(two))
        };
        !self.is_at(part.point) && self.members.iter().any(meets)
    }

    /// Both are one connection, under two pairs of addresses.
    pub fn and(mut self, mut other: Group) -> Group {
        let isn = |group: &Group| Some(group.whole()?.sides[0].isn);
        if isn(&self) != isn(&other) {
            other.members.iter_mut().for_each(Sighting::turn);
        }
        self.members.extend(other.members);
        self.may_be_over |= other.may_be_over;
        self.apart = self.apart.max(other.apart);
        self
    }

    /// Its leak may be over where the other, perhaps the same connection under other addresses, shows the holder's
    /// FIN or RST.
    pub fn doubt_by(&mut self, other: &Group) {
        let ends = |leak: &Sighting| other.members.iter().any(|other| may_end(leak, other));
        self.may_be_over |= self.members.iter().any(ends);
    }

    /// The connection, if there is anything to say of it.
    pub fn joined(self) -> Option<Joined> {
        let is_told = self.members.len() > 1 || self.may_be_over || self.apart.is_some();
        is_told.then(|| Joined::of(self.members, self.may_be_over, self.apart))?
    }
}

/// Gathers the sightings of a 4-tuple by connection.
pub(super) fn gather(mut sightings: Vec<Sighting>) -> Vec<Group> {
    if sightings.len() < 2 {
        return vec![Group::of(sightings)];
    }
    sightings.sort_by_key(|sighting| sighting.first.order());
    let a = sightings.first().map(|first| first.ends[0]);
    sightings.iter_mut().filter(|one| Some(one.ends[0]) != a).for_each(Sighting::turn);
    let (whole, parts): (Vec<_>, Vec<_>) = sightings.into_iter().partition(Sighting::is_whole);
    let mut groups = by_numbers(whole);
    let are_few = parts.len().saturating_mul(groups.len() + parts.len()) <= MOST_COMPARED;
    for part in parts {
        match if are_few { only_one(&groups, &part) } else { None } {
            Some(at) => groups[at].members.push(part),
            None => groups.push(Group::of(vec![part])),
        }
    }
    doubt(&mut groups);
    groups
}

/// Gathers those with the same initial numbers: one connection, where each point has it once.
fn by_numbers(whole: Vec<Sighting>) -> Vec<Group> {
    let mut by_isn: HashMap<[Option<u32>; 2], Vec<Sighting>, RandomState> = HashMap::default();
    for one in whole {
        let isns = [0, 1].map(|side| one.sides[side].isn.map(|Seq(isn)| isn));
        by_isn.entry(isns).or_default().push(one);
    }
    let mut groups = Vec::new();
    for members in by_isn.into_values() {
        let mut points: Vec<usize> = members.iter().map(|member| member.point).collect();
        points.sort_unstable();
        match points.windows(2).all(|pair| pair[0] != pair[1]) {
            true => groups.extend(by_clock(members)),
            false => groups.extend(members.into_iter().map(|one| Group::of(vec![one]))),
        }
    }
    groups.sort_by_key(|group| group.members.first().map(|first| first.first.order()));
    groups
}

/// One connection where all began within a second; clocks that are farther apart are only told.
fn by_clock(mut members: Vec<Sighting>) -> Vec<Group> {
    members.sort_by_key(|member| (member.first.time, member.first.order()));
    let mut groups: Vec<Group> = Vec::new();
    for member in members {
        let first = groups.last().and_then(|group| group.members.first());
        let apart = first.map(|first| member.from(first));
        match (apart, groups.last_mut()) {
            (Some(Some(..=TOGETHER_NS)), Some(group)) => group.members.push(member),
            (apart, last) => {
                let apart = apart.flatten();
                last.into_iter().for_each(|last| last.apart = last.apart.max(apart));
                groups.push(Group { apart, ..Group::of(vec![member]) });
            }
        }
    }
    groups
}

/// The only group that a flow from another point fits into.
fn only_one(groups: &[Group], part: &Sighting) -> Option<usize> {
    let mut fits = groups.iter().enumerate().filter(|(_, group)| group.meets(part));
    match (fits.next(), fits.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

/// A leak may be over where another point shows the holder's FIN or RST, further on than was seen here.
fn doubt(groups: &mut [Group]) {
    let are_told = |group: &&Group| group.apart.is_some() || group.whole().is_none();
    let others = groups.iter().filter(are_told).flat_map(|group| &group.members);
    let ends = |other: &&Sighting| other.sides.iter().any(|side| side.fin.is_some() || side.rst);
    let others: Vec<Sighting> = others.filter(ends).take(MOST_COMPARED).cloned().collect();
    if others.len().saturating_mul(groups.len()) > MOST_COMPARED {
        return;
    }
    for group in groups.iter_mut() {
        let ends = |other: &Sighting| group.members.iter().any(|leak| may_end(leak, other));
        group.may_be_over = others.iter().any(|other| !group.is_at(other.point) && ends(other));
    }
}

fn may_end(leak: &Sighting, other: &Sighting) -> bool {
    let Some(holder) = leak.holder.filter(|_| leak.is_leak()) else { return false };
    let ([own, peer], [others, others_peer]) = (
        [leak.sides[holder], leak.sides[1 - holder]],
        [other.sides[holder], other.sides[1 - holder]],
    );
    let is_end = others.fin.is_some() || others.rst;
    let ahead = own.numbers.zip(others.numbers).map(|([_, last], [first, _])| first.ahead_of(last));
    let is_ahead = match others_peer.numbers {
        Some(_) => peer.meets(&others_peer) && ahead.is_some_and(|ahead| ahead >= 0),
        None => ahead == Some(0),
    };
    let same_isn = |side: usize| leak.sides[side].isn == other.sides[side].isn;
    let is_same = leak.is_whole() && same_isn(0) && same_isn(1);
    is_end && (is_same || is_ahead && !other.is_whole())
}
