//! Connections that were seen more than once in a run: noted as they leave, joined in the end.

use std::collections::{HashMap, HashSet};

use crate::join::OtherLeg;
use crate::join::gathered::Sightings;
use crate::join::joined::Joined;
use crate::join::legs::{self, Leg};
use crate::join::rewrites::Rewrites;
use crate::join::sightings::Sighting;
use crate::summary::closes::{Closes, Occurrence};
use crate::summary::history::Lived;
use crate::summary::{Judged, Totals};
use crate::tcp::segment::{End, Endpoint};
use crate::tcp::side::Side;
use crate::verdict::{Note, Policy};

/// Connections that may have been seen elsewhere, too, as far as they were seen.
#[derive(Default)]
pub struct Sights {
    /// There are several inputs: connections can be seen at two points.
    pub several: bool,
    sightings: Sightings,
    /// Closes of connections that may be one of two, each by its first packet; those that are shown twice in a capture
    /// have not been counted.
    closes: Vec<(u64, bool, Occurrence)>,
    /// States of connections that are shown twice in a capture: by first packet and capture point.
    lives: Vec<(u64, usize, Lived)>,
}

/// Closes and states that are remembered: beyond them, two sightings count as two.
const CLOSES: usize = 1 << 18;

impl Sights {
    pub fn new(several: bool) -> Sights {
        Sights { several, ..Sights::default() }
    }

    /// Notes a judged flow of a capture point.
    pub fn note(&mut self, judged: &Judged, rewrites: &Rewrites, point: usize, reported: bool) {
        let is_twin = rewrites.pairs().contains(&judged.key);
        if (self.several || is_twin)
            && self.closes.len() < CLOSES
            && let Some(occurrence) = Occurrence::of(judged)
        {
            self.closes.push((judged.flow.first.order(), is_twin, occurrence));
        }
        if is_twin && self.lives.len() < CLOSES {
            self.lives.push((judged.flow.first.order(), point, Lived::of(judged)));
        }
        if self.several || is_twin {
            let Judged { key, flow, judgement, .. } = judged;
            let mut sighting = Sighting::new(key, flow, judgement, point);
            sighting.reported = reported;
            self.sightings.note(flow, sighting, self.several);
        }
    }

    /// Joins what was kept: of the sightings of a connection, one stands for all. Without `all`, those are
    /// taken out that have ended by what the others show.
    pub fn join(
        self,
        kept: &mut Vec<Judged>,
        totals: &mut Totals,
        policy: &Policy,
        is_reported: impl Fn(&Judged) -> bool,
    ) {
        let mut stands = HashMap::new();
        let (mut gone, mut twice) = (HashSet::new(), HashSet::new());
        for joined in self.sightings.joined() {
            // Each capture point has the states of one, whichever stands for all.
            let mut points = HashSet::from([joined.stands.point]);
            for other in &joined.others {
                totals.tally.uncount(other.standing);
                gone.insert(other.first.order());
                if !points.insert(other.point) {
                    twice.insert(other.first.order());
                }
            }
            match joined.is_rewritten() {
                _ if joined.others.is_empty() => {}
                true => totals.rewritten += 1,
                false => totals.seen_twice += 1,
            }
            if let Some(apart) = joined.apart {
                totals.apart += 1;
                totals.clocks_apart = totals.clocks_apart.max(apart);
            }
            stands.insert(joined.stands.first.order(), joined);
        }
        let is_new = !gone.is_empty() && self.several && self.closes.len() < CLOSES;
        if is_new {
            totals.closes = Closes::default();
        }
        for (first, is_twin, occurrence) in &self.closes {
            if !gone.contains(first) && (is_new || *is_twin) {
                totals.closes.add(occurrence);
            }
        }
        for (first, point, lived) in &self.lives {
            if let Some(capture) = totals.captures.get_mut(*point)
                && !twice.contains(first)
            {
                capture.history.add(lived);
            }
        }
        kept.retain_mut(|judged| {
            let first = judged.flow.first.order();
            if let Some(joined) = stands.remove(&first) {
                totals.tally.uncount(&judged.judgement);
                stand(judged, &joined, policy);
                totals.tally.count(&judged.judgement);
            }
            !gone.contains(&first) && is_reported(judged)
        });
        // There was no memory for their rows, or they have been written.
        for joined in stands.into_values() {
            totals.tally.uncount(joined.stands.standing);
            totals.tally.count(joined.standing());
        }
    }
}

/// Has a connection stand for all sightings of it.
fn stand(judged: &mut Judged, joined: &Joined, policy: &Policy) {
    judged.judgement = joined.judged(judged.judgement.clone(), policy);
    if !joined.others.is_empty() {
        judged.elsewhere = Some(Box::new(joined.elsewhere()));
    }
    if joined.has_other_addresses() {
        judged.judgement.notes = judged.judgement.notes.with(Note::Rewritten);
    }
}

/// Returns whether a connection may be one of the two of a proxy.
pub fn may_be_leg(judged: &Judged) -> bool {
    Leg::new(&judged.key, &judged.flow, &judged.judgement).is_some()
}

/// Says of the two connections of a proxy that they belong together, where the capture shows it. Legs that
/// other runs have found may be one of the two. Returns those found here.
pub fn join_legs(
    kept: &mut [Judged],
    others: Vec<(Leg, [Endpoint; 2])>,
) -> Vec<(Leg, [Endpoint; 2])> {
    let leg = |(at, judged): (usize, &Judged)| {
        let leg = Leg::new(&judged.key, &judged.flow, &judged.judgement)?;
        let ends = [Side::A, Side::B].map(|side| judged.endpoint(side));
        Some((at, (leg, ends)))
    };
    let (places, own): (Vec<usize>, Vec<_>) = kept.iter().enumerate().filter_map(leg).unzip();
    let known: HashSet<u64> = own.iter().map(|(leg, _)| leg.places()[0].order()).collect();
    let others = others.into_iter().filter(|(leg, _)| !known.contains(&leg.places()[0].order()));
    let all: Vec<(Leg, [Endpoint; 2])> = own.iter().copied().chain(others).collect();
    let legs: Vec<Leg> = all.iter().map(|(leg, _)| *leg).collect();
    for [near, far] in legs::pairs(&legs) {
        let after = legs::passed_on_after(&legs[near], &legs[far]);
        let owes = Some(legs[far].ends()[0]);
        let [near_leg, far_leg] = [(near, None), (far, owes)].map(|(at, waits_for)| {
            let (leg, ends) = all[at];
            OtherLeg { first: leg.places()[0], ends, waits_for, after }
        });
        if let Some(near) = places.get(near).and_then(|at| kept.get_mut(*at)) {
            near.judgement.notes = near.judgement.notes.with(Note::FinPassedOn);
            near.elsewhere.get_or_insert_default().other_leg = Some(far_leg);
        }
        // In a chain of proxies it waits for the next one.
        if let Some(far) = places.get(far).and_then(|at| kept.get_mut(*at)) {
            far.elsewhere.get_or_insert_default().other_leg.get_or_insert(near_leg);
        }
    }
    own
}

/// A flow whose addresses were rewritten learns the others.
pub fn learn_others(judged: &mut Judged, rewrites: &Rewrites) {
    let Some(other) = rewrites.other(&judged.key) else { return };
    // One end is the same, and stands on its side.
    let ends = [Side::A, Side::B].map(|side| judged.endpoint(side));
    let others = [End::Lower, End::Upper].map(|end| other.endpoint(end));
    let turned = ends[0] == others[1] || ends[1] == others[0];
    let as_others = if turned { [others[1], others[0]] } else { others };
    judged.judgement.notes = judged.judgement.notes.with(Note::Rewritten);
    judged.elsewhere.get_or_insert_default().rewritten_as = Some(as_others);
}
