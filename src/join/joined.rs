//! A connection of several sightings: which of them stands for all, and what they show together.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::sightings::Sighting;
use super::{Elsewhere, Point};
use crate::tcp::seq::Seq;
use crate::verdict::{BRIEF_NS, Close, Doubt, Judgement, Policy, Standing, Verdict};

/// Sightings of one connection, one of which stands for all.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The one that is counted.
    pub stands: Sighting,
    /// The others, which are not.
    pub others: Vec<Sighting>,
    /// The end that all of them show together.
    outcome: Outcome,
    /// For how long it was held, by the one that saw most of that.
    held: Option<TimeDelta>,
    /// It stands beside another with the same numbers, so many nanoseconds apart by another point's clock.
    pub apart: Option<i64>,
}

/// The end of a connection that one sighting alone does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// As the one that stands shows it.
    AsSeen,
    /// Each side's FIN was seen somewhere.
    Closed,
    /// The holder reset it.
    Reset,
    /// The holder still sent.
    InUse,
    /// Something elsewhere may have ended it.
    Doubtful,
}

impl Joined {
    /// Takes the sightings of one connection. In one capture the first has the addresses that were dialled, which stand
    /// unless `--local` names others; of several points, who saw more is believed.
    pub(super) fn of(
        mut members: Vec<Sighting>,
        may_be_over: bool,
        apart: Option<i64>,
    ) -> Option<Joined> {
        members.sort_by_key(|member| member.first.order());
        let here = members.first()?.point;
        let most = match members.iter().all(|member| member.point == here) {
            true => members.iter().position(|one| members[0].is_named_less(one)).unwrap_or(0),
            false => heaviest(&members, may_be_over)?,
        };
        let outcome = outcome(members.get(most)?, &members, may_be_over);
        let mut stands = members.remove(most);
        if stands.is_turned {
            stands.turn();
            members.iter_mut().for_each(Sighting::turn);
        }
        let held = longest(&stands, &members);
        Some(Joined { stands, others: members, outcome, held, apart })
    }

    /// All are of one capture point.
    pub fn is_rewritten(&self) -> bool {
        self.others.iter().all(|other| other.point == self.stands.point)
    }

    /// Tells whether they have different 4-tuples.
    pub fn has_other_addresses(&self) -> bool {
        self.others.iter().any(|other| other.key != self.stands.key)
    }

    /// Returns the others' addresses, points and doubts, for the report of the one that stands.
    pub fn elsewhere(&self) -> Elsewhere {
        let point = |sighting: &Sighting| Point {
            first: sighting.first,
            saw: sighting.saw(),
            doubts: sighting.doubts,
        };
        let rewritten = self.others.iter().find(|other| other.key != self.stands.key);
        let all = [&self.stands].into_iter().chain(&self.others);
        let mut listed = BTreeSet::new();
        Elsewhere {
            rewritten_as: rewritten.map(|other| other.ends),
            points: match self.is_rewritten() {
                true => Vec::new(),
                false => all.filter(|one| listed.insert(one.point)).map(point).collect(),
            },
            other_leg: None,
        }
    }

    /// The judgement by all that was seen.
    #[must_use]
    pub fn judged(&self, judgement: Judgement, policy: &Policy) -> Judgement {
        let held = self.held.or(judgement.held);
        let judgement = match self.outcome {
            _ if self.stands.reported => return judgement,
            Outcome::Closed => return judgement.ended(Close::Closed, Verdict::Closed),
            Outcome::Reset => return judgement.ended(Close::Reset, Verdict::Reset),
            Outcome::InUse => return Judgement { held, ..judgement.in_use() },
            Outcome::Doubtful => judgement.doubted(Doubt::EndedElsewhere, true, policy.certain),
            Outcome::AsSeen => judgement,
        };
        let judgement = match judgement.verdict == Verdict::Leak && self.is_passed_on() {
            true => judgement.doubted(Doubt::RemoteTap, true, policy.certain),
            false => judgement,
        };
        let is_brief = held.is_none_or(|held| held < TimeDelta::nanoseconds(BRIEF_NS));
        match judgement.doubts.contains(&Doubt::Brief) && !is_brief {
            true => Judgement { held, ..judgement.doubted(Doubt::Brief, false, policy.certain) },
            false => Judgement { held, ..judgement },
        }
    }

    /// Tells whether the holder's packets came to the only host that was captured at, under other addresses, before it
    /// sent them on under these.
    fn is_passed_on(&self) -> bool {
        let came = |other: &Sighting| {
            other.holder == self.stands.holder
                && other.standing.verdict == Verdict::Leak
                && other.doubts.contains(&Doubt::RemoteTap)
        };
        self.is_rewritten() && self.others.iter().any(came)
    }

    /// The way it is counted, where no more than that is known of it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let ended = |verdict| Standing {
            verdict,
            finding: false,
            hidden: false,
            doubted: false,
            elsewhere: false,
            ..self.stands.standing
        };
        match self.outcome {
            Outcome::Closed if !self.stands.reported => ended(Verdict::Closed),
            Outcome::Reset if !self.stands.reported => ended(Verdict::Reset),
            Outcome::InUse if !self.stands.reported => ended(Verdict::HalfClosed),
            _ => self.stands.standing,
        }
    }
}

/// Returns the place of the sighting that stands: of several points, who saw more is believed, but for what is left by
/// all that was seen. A point at the other host knows that host's end as the local one, which has closed.
fn heaviest(members: &[Sighting], may_be_over: bool) -> Option<usize> {
    let is_left = |one: &Sighting| {
        let outcome = outcome(one, members, may_be_over);
        let counts = one.is_found() || one.standing.verdict == Verdict::Pending;
        counts && matches!(outcome, Outcome::AsSeen | Outcome::Doubtful)
    };
    // In a capture that shows it twice, the first.
    let is_dialled = |at: usize| {
        let point = members.get(at).map(|member| member.point);
        members.iter().take(at).all(|before| Some(before.point) != point)
    };
    let weight = |(at, one): (usize, &Sighting)| one.weight(is_left(one), is_dialled(at));
    let heaviest = members.iter().enumerate().map(weight).max()?;
    members.iter().enumerate().position(|member| weight(member) == heaviest)
}

/// Returns the end of the connection that one stands for, by `all` sightings of it.
fn outcome(stands: &Sighting, all: &[Sighting], may_be_over: bool) -> Outcome {
    let Standing { verdict, finding, .. } = stands.standing;
    if verdict == Verdict::Closed || verdict == Verdict::Reset && !finding {
        return Outcome::AsSeen;
    }
    if [0, 1].into_iter().all(|side| has_closed(all, side)) {
        return Outcome::Closed;
    }
    let Some(holder) = stands.holder else { return Outcome::AsSeen };
    let reset_by = |side: usize| all.iter().any(|one| one.sides[side].rst);
    let sent_later = |other: &Sighting| {
        other.standing.verdict == Verdict::HalfClosed
            && other.holder == Some(holder)
            && other.held > stands.held
    };
    match verdict {
        _ if reset_by(holder) => Outcome::Reset,
        Verdict::Leak | Verdict::Pending if all.iter().any(sent_later) => Outcome::InUse,
        Verdict::Leak if may_be_over || reset_by(1 - holder) => Outcome::Doubtful,
        _ => Outcome::AsSeen,
    }
}

/// A side's FIN was seen, and nothing of that side beyond it.
fn has_closed(all: &[Sighting], side: usize) -> bool {
    let shown = || all.iter().map(|one| one.sides[side]);
    let fin = shown().filter_map(|shown| shown.fin).reduce(Seq::max);
    let is_last = |fin: Seq| shown().filter_map(|s| s.numbers).all(|[_, last]| fin.covers(last));
    fin.is_some_and(is_last)
}

/// The longest that it was held, among those that say that it is; and who saw since when, knows better than who took it
/// for acknowledged as soon as it was sent.
fn longest(stands: &Sighting, others: &[Sighting]) -> Option<TimeDelta> {
    let is_same = |one: &&Sighting| {
        one.holder == stands.holder
            && matches!(
                one.standing.verdict,
                Verdict::Leak | Verdict::Pending | Verdict::HalfClosed | Verdict::PeerHolds
            )
    };
    let all = || others.iter().chain([stands]);
    // Of what has ended, it is the time from one end to another.
    all().find(|one| one.first == stands.first).filter(is_same)?;
    let knows = |one: &&Sighting| !one.doubts.contains(&Doubt::Unconfirmed);
    let longest = |of: &mut dyn Iterator<Item = &Sighting>| of.filter_map(|one| one.held).max();
    longest(&mut all().filter(is_same).filter(knows))
        .or_else(|| longest(&mut all().filter(is_same)))
}
