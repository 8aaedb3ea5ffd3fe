//! Keep-alive races: requests on connections that the service had already closed, and the timer that it
//! had closed them by.
//!
//! Advice is given where numbers carry it: requests came too late, and most of the service's closes came
//! after the same pause.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::Judged;
use super::moment::{is_one_moment, longest_beside};
use super::range::Range;
use super::settings::setting;
use crate::place::Time;
use crate::verdict::local::Local;
use crate::verdict::{Close, Verdict};

/// A timer closes after the same pause, three at least.
const ENOUGH: u64 = 3;

/// No timer for idle connections is shorter.
const SHORTEST: TimeDelta = TimeDelta::seconds(1);

/// Steps in which a pause doubles: by each it grows by a fiftieth.
const STEPS: f64 = 35.0;

/// One connection that the service closed first.
#[derive(Clone, Copy, Debug)]
pub struct Lap {
    /// The connection was idle for so long before.
    pause: Option<TimeDelta>,
    /// The time of the service's FIN.
    fin: Time,
    /// A request came so long after the FIN.
    late: Option<TimeDelta>,
    setting: Option<&'static str>,
}

/// All such connections of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Race {
    closed: u64,
    pauses: BTreeMap<u32, Pauses>,
    late: u64,
    after: Range<TimeDelta>,
    setting: Option<&'static str>,
}

/// Pauses that differ by no more than a step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pauses {
    number: u64,
    least: TimeDelta,
    most: TimeDelta,
    /// The times of the FINs after them.
    fins: Range<Time>,
}

/// Advice for a client whose requests come too late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advice {
    /// The pause after which the service closes.
    pub timeout: TimeDelta,
    /// So many of its closes came after it.
    pub number: u64,
    /// They differ from it by this much.
    pub spread: TimeDelta,
    /// So many requests came after its FIN.
    pub late: u64,
    /// They came so long after it.
    pub after: (TimeDelta, TimeDelta),
    /// The client's own setting, where the client is known.
    pub setting: Option<&'static str>,
}

/// Returns whether something came after the service's FIN: then it matters what it is, and whose.
pub fn is_late(judged: &Judged) -> bool {
    judged.sent_too_late().is_some() && Lap::of(judged).is_some()
}

impl Lap {
    /// Returns what counts of a connection that the service closed first.
    pub fn of(judged: &Judged) -> Option<Lap> {
        let Judged { flow, judgement, said, .. } = judged;
        let (closer, fin) = flow.first_fin()?;
        let is_told = judgement.local != Local::Neither
            && !matches!(judgement.verdict, Verdict::HalfClosed | Verdict::Unknown(_))
            && judgement.close != Close::Attempt;
        if closer != judged.service() || !is_told {
            return None;
        }
        let timed = judgement.idle_before_fin.filter(|_| !judged.was_closed_after_answer());
        let late = judged.reuse().and_then(|used| used.last.time.since(fin.place.time));
        Some(Lap {
            pause: timed.filter(|pause| *pause >= SHORTEST),
            fin: fin.place.time,
            late: late.map(TimeDelta::nanoseconds),
            setting: said.as_deref().and_then(setting),
        })
    }
}

impl Race {
    /// Takes in a connection.
    pub fn add(&mut self, lap: &Lap) {
        self.closed += 1;
        if let Some(pause) = lap.pause {
            let mut fins = Range::default();
            fins.add(lap.fin);
            let one = Pauses { number: 1, least: pause, most: pause, fins };
            self.join_pauses(step(pause), one);
        }
        if let Some(late) = lap.late {
            self.late += 1;
            self.after.add(late);
            self.setting = self.setting.max(lap.setting);
        }
    }

    /// Takes in what another part of the capture showed.
    pub fn join(&mut self, more: &Race) {
        self.closed += more.closed;
        more.pauses.iter().for_each(|(step, pauses)| self.join_pauses(*step, *pauses));
        self.late += more.late;
        self.after.join(more.after);
        self.setting = self.setting.max(more.setting);
    }

    fn join_pauses(&mut self, step: u32, more: Pauses) {
        let all = self.pauses.entry(step).or_insert(Pauses { number: 0, ..more });
        all.number += more.number;
        all.least = all.least.min(more.least);
        all.most = all.most.max(more.most);
        all.fins.join(more.fins);
    }

    /// Returns the pauses that belong together, the most of them.
    fn timer(&self) -> Option<Pauses> {
        let alike = |first: &Pauses| {
            let within = longest_beside(first.least);
            let from = step(first.least);
            let all = self.pauses.range(from..).map(|(_, pauses)| *pauses);
            all.take_while(|pauses| pauses.most <= within).reduce(|mut one, next| {
                one.fins.join(next.fins);
                Pauses { number: one.number + next.number, most: next.most, ..one }
            })
        };
        let timers = self.pauses.values().filter_map(alike);
        // Of as many, the shortest pause: it comes first.
        timers.reduce(|best, next| if next.number > best.number { next } else { best })
    }

    /// Returns what to tell the client, if its requests come too late and the numbers show why.
    pub fn advice(&self) -> Option<Advice> {
        let (after, timer) = (self.after.ends()?, self.timer()?);
        let is_most = timer.number >= ENOUGH && timer.number * 2 > self.closed;
        (is_most && !timer.is_of_one_moment()).then(|| Advice {
            timeout: (timer.least + timer.most) / 2,
            number: timer.number,
            spread: ((timer.most - timer.least) / 2).max(TimeDelta::milliseconds(1)),
            late: self.late,
            after,
            setting: self.setting,
        })
    }
}

impl Pauses {
    fn is_of_one_moment(&self) -> bool {
        self.fins.ends().is_some_and(|fins| is_one_moment(fins, self.most - self.least))
    }
}

fn step(pause: TimeDelta) -> u32 {
    let millis = pause.num_milliseconds().max(1) as f64;
    (millis.log2() * STEPS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A race on connections that were used one after another, a second apart.
    fn race(pauses: &[i64], late: &[i64]) -> Race {
        closed_after(pauses, late, |at, pause| 1_000 * at as i64 + pause)
    }

    /// A race whose FINs came at these times, in milliseconds.
    fn closed_after(pauses: &[i64], late: &[i64], fin: impl Fn(usize, i64) -> i64) -> Race {
        let mut race = Race::default();
        let millis = TimeDelta::milliseconds;
        for (at, pause) in pauses.iter().enumerate() {
            let late = late.get(at).map(|late| millis(*late));
            let fin = Time::from_nanos(i128::from(fin(at, *pause)) * 1_000_000);
            race.add(&Lap { pause: Some(millis(*pause)), fin, late, setting: Some("x") });
        }
        race
    }

    #[test]
    fn numbers_carry_advice_or_there_is_none() {
        let advice = race(&[60_000, 60_004, 60_010, 12_000, 60_008], &[3, 900]).advice().unwrap();
        assert_eq!((advice.number, advice.late, advice.setting), (4, 2, Some("x")));
        assert_eq!(
            (advice.timeout, advice.spread),
            (TimeDelta::milliseconds(60_005), TimeDelta::milliseconds(5))
        );
        assert_eq!(advice.after, (TimeDelta::milliseconds(3), TimeDelta::milliseconds(900)));
        assert!(race(&[60_000, 60_004, 60_010], &[]).advice().is_none(), "nothing came late");
        assert!(race(&[60_000, 60_004], &[3]).advice().is_none(), "two are no timer");
        assert!(race(&[5_000, 17_000, 60_000, 90_000, 1_000], &[3]).advice().is_none());
        assert!(race(&[60_000, 60_001, 60_002, 5_000, 9_000, 20_000], &[3]).advice().is_none());
    }

    #[test]
    fn closes_at_one_moment_are_no_advice() {
        let pauses = [60_000, 60_500, 61_000, 61_500];
        assert!(race(&pauses, &[3]).advice().is_some());
        assert!(closed_after(&pauses, &[3], |at, _| 90_000 + at as i64).advice().is_none());
    }

    #[test]
    fn the_order_does_not_matter() {
        let (all, some) =
            (race(&[2_000, 2_010, 2_020, 3_000], &[1, 2]), race(&[2_030, 2_001], &[5]));
        let (mut one, mut other) = (all.clone(), some.clone());
        one.join(&some);
        other.join(&all);
        assert_eq!(one, other);
        assert_eq!(one.advice().unwrap().number, 5);
    }

    /// Pauses on both sides of a step are of one timer.
    #[test]
    fn a_timer_lies_in_several_steps() {
        let pauses: Vec<i64> = (0..30).map(|n| 10_000 + 10 * n).collect();
        assert_eq!(race(&pauses, &[1]).advice().unwrap().number, 30);
    }
}
