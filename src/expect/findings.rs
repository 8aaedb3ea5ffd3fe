//! The findings expected, one by one, in any order.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use chrono::TimeDelta;

use super::Range;
use crate::endpoints::EndpointSet;
use crate::summary::seen::Seen;
use crate::units::duration;

/// One finding that should be there; what is `None` may be anything.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The local end.
    pub local: Option<Named>,
    /// The other end.
    pub peer: Option<Named>,
    /// The end that owes a FIN.
    pub holder: Option<Named>,
    /// The cause's word.
    pub cause: Option<String>,
    /// A part of one of its statements.
    pub statement: Option<String>,
    /// The code that sent them, as their comments say: `orders#update`.
    pub code: Option<String>,
    /// Bounds of how long it was held.
    pub held: Option<Range<TimeDelta>>,
}

/// Endpoints, as they were written.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub set: EndpointSet,
}

impl Wanted {
    /// True if a connection has everything that is asked for.
    #[must_use]
    pub fn matches(&self, seen: &Seen) -> bool {
        let (local, peer) = seen.from_local();
        let holds =
            |named: &Option<Named>, end| named.as_ref().is_none_or(|named| named.set.contains(end));
        let holder = match (&self.holder, seen.holder_end()) {
            (None, _) => true,
            (Some(named), Some(end)) => named.set.contains(end),
            (Some(_), None) => false,
        };
        let cause = seen.cause.map(|cause| cause.name());
        let is_said = |part: &String| seen.said.shown().iter().any(|said| said.contains(&**part));
        holder
            && holds(&self.local, local)
            && holds(&self.peer, peer)
            && self.cause.as_deref().is_none_or(|wanted| cause == Some(wanted))
            && self.statement.as_ref().is_none_or(is_said)
            && (self.code.is_none() || self.code == seen.said.code)
            && self
                .held
                .is_none_or(|range| seen.held_by_local.is_some_and(|held| range.holds(held)))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |named: &Option<Named>| named.as_ref().map(|named| named.name.clone());
        let parts = [
            ("local", name(&self.local)),
            ("peer", name(&self.peer)),
            ("holder", name(&self.holder)),
            ("cause", self.cause.clone()),
            ("statement", self.statement.clone()),
            ("code", self.code.clone()),
            ("held", self.held.map(|range| range.text(duration))),
        ];
        let said: Vec<String> = parts
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key} {}", value?)))
            .collect();
        f.write_str(if said.is_empty() { "any" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

/// Pairs each entry with the index of a finding that fits it. As many entries as possible have one, each its own: an
/// entry that fits many must not take the only one that another fits.
pub fn pairs(wanted: &[Wanted], found: &[&Seen]) -> Vec<Option<usize>> {
    let mut matching = Matching::new(wanted, found);
    (0..wanted.len()).for_each(|entry| matching.give(entry));
    matching.place_of
}

/// Entries and the places of findings, each given to one at most. Entries that say the same are of one kind: what one of
/// them fits, all do.
struct Matching {
    kind_of: Vec<usize>,
    /// Places that fit, by kind.
    fits: Vec<Vec<usize>>,
    /// Kinds of which an entry found no place: nor will another.
    in_vain: Vec<bool>,
    owner: Vec<Option<usize>>,
    place_of: Vec<Option<usize>>,
}

impl Matching {
    fn new(wanted: &[Wanted], found: &[&Seen]) -> Matching {
        let (mut kinds, mut fits) = (HashMap::new(), Vec::new());
        let mut kind = |wanted: &Wanted| {
            *kinds.entry(wanted.to_string()).or_insert_with(|| {
                let places = (0..found.len()).filter(|&place| wanted.matches(found[place]));
                fits.push(places.collect());
                fits.len() - 1
            })
        };
        Matching {
            kind_of: wanted.iter().map(&mut kind).collect(),
            in_vain: vec![false; fits.len()],
            fits,
            owner: vec![None; found.len()],
            place_of: vec![None; wanted.len()],
        }
    }

    /// Finds a place for `entry`: a free one, or one whose owner can go elsewhere, and so on. The shortest such chain is
    /// looked for, so no kind is visited twice.
    fn give(&mut self, entry: usize) {
        if self.in_vain[self.kind_of[entry]] {
            return;
        }
        let mut came_from: Vec<Option<usize>> = vec![None; self.owner.len()];
        let mut visited = vec![false; self.fits.len()];
        let mut waiting = VecDeque::from([entry]);
        while let Some(who) = waiting.pop_front() {
            if std::mem::replace(&mut visited[self.kind_of[who]], true) {
                continue;
            }
            for &place in &self.fits[self.kind_of[who]] {
                if came_from[place].is_some() {
                    continue;
                }
                came_from[place] = Some(who);
                match self.owner[place] {
                    None => return self.hand_on(place, entry, &came_from),
                    Some(owner) => waiting.push_back(owner),
                }
            }
        }
        self.in_vain[self.kind_of[entry]] = true;
    }

    /// Everyone on the chain moves one place on.
    fn hand_on(&mut self, mut place: usize, entry: usize, came_from: &[Option<usize>]) {
        while let Some(who) = came_from[place] {
            self.owner[place] = Some(who);
            match self.place_of[who].replace(place) {
                Some(before) if who != entry => place = before,
                _ => return,
            }
        }
    }
}
