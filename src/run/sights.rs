//! Connections that were seen more than once in a run: noted as they leave, joined in the end.

use std::collections::{HashMap, HashSet};

use crate::join::rewrites::Rewrites;
use crate::join::sightings::{Sighting, Sightings};
use crate::summary::{Judged, Totals};
use crate::tcp::segment::End;
use crate::tcp::side::Side;
use crate::verdict::Note;

/// What was seen of connections that may have been seen elsewhere, too.
#[derive(Default)]
pub struct Sights {
    /// There are several inputs: connections can be seen at two points.
    pub several: bool,
    sightings: Sightings,
}

impl Sights {
    pub fn new(several: bool) -> Sights {
        Sights { several, ..Sights::default() }
    }

    /// Notes a judged flow of a capture point. One whose addresses were rewritten learns the others.
    pub fn note(&mut self, judged: &mut Judged, rewrites: &Rewrites, point: usize, reported: bool) {
        if let Some(other) = rewrites.other(&judged.key) {
            // One end is the same, and stands on its side.
            let ends = [Side::A, Side::B].map(|side| judged.endpoint(side));
            let others = [End::Lower, End::Upper].map(|end| other.endpoint(end));
            let turned = ends[0] == others[1] || ends[1] == others[0];
            let as_others = if turned { [others[1], others[0]] } else { others };
            judged.judgement.notes = judged.judgement.notes.with(Note::Rewritten);
            judged.elsewhere.get_or_insert_default().rewritten_as = Some(as_others);
        }
        if self.several || rewrites.pairs().contains(&judged.key) {
            let Judged { key, flow, judgement, .. } = &*judged;
            let mut sighting = Sighting::new(key, flow, judgement, point);
            sighting.reported = reported;
            self.sightings.note(flow, sighting);
        }
    }

    /// Joins what was kept: of two sightings of a connection, one stands for both.
    pub fn join(self, kept: &mut Vec<Judged>, totals: &mut Totals) {
        let mut stands = HashMap::new();
        let mut gone = HashSet::new();
        for joined in self.sightings.joined() {
            totals.tally.forget(joined.other.verdict, joined.other.finding);
            match joined.is_rewritten() {
                true => totals.rewritten += 1,
                false => totals.seen_twice += 1,
            }
            gone.insert(joined.other.first.order());
            stands.insert(joined.stands.first.order(), joined);
        }
        kept.retain(|judged| !gone.contains(&judged.flow.first.order()));
        for judged in kept {
            if let Some(joined) = stands.get(&judged.flow.first.order()) {
                judged.elsewhere = Some(Box::new(joined.elsewhere()));
                if joined.has_other_addresses() {
                    judged.judgement.notes = judged.judgement.notes.with(Note::Rewritten);
                }
            }
        }
    }
}
