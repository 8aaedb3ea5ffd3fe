//! Sockets of the local side by state over time, and the longest holds, for whoever draws them.
//!
//! Every connection counts, once, when it is judged. Time is in bins of a fixed number: where a capture
//! lasts longer, each takes twice as much of it, so memory does not grow with the capture. The width of
//! a bin depends on the first and the last moment only, and not on the order of connections.

use std::ops::AddAssign;

use chrono::TimeDelta;

use super::Judged;
use super::groups::per_minute;
use crate::place::Time;
use crate::tcp::life::Life;
use crate::tcp::segment::Endpoint;
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::verdict::local::Local;
use crate::verdict::{Doubt, Verdict};

/// The states that a connection has a socket for, in the order in which it goes through them.
pub const STATES: [State; 9] = {
    let [_closed, _listen, with_socket @ ..] = State::ALL;
    with_socket
};

/// Bins, at most; a history that has had to merge them has more than half as many.
pub const BINS: usize = 256;

/// The narrowest bin, in nanoseconds: an eighth of a second. So wide ones are whole seconds.
const NARROWEST_NS: i64 = 125_000_000;

/// The longest holds that are kept one by one.
pub const LONGEST: usize = 40;

/// A hold that ended sooner is none.
const SHORTEST: TimeDelta = TimeDelta::milliseconds(1);

/// Changes in a stretch of time, by state: how many began, and how many ended.
type Bin = [[u32; 2]; STATES.len()];

/// States over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// A bin is as wide as the narrowest, doubled so many times.
    doublings: u32,
    /// The number of the first bin since 1970.
    first: i64,
    bins: Vec<Bin>,
    /// The longest first.
    longest: Vec<Hold>,
}

/// A time in CLOSE-WAIT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold {
    /// The end that holds it.
    pub own: Endpoint,
    /// The end that closed.
    pub peer: Endpoint,
    /// The time at which CLOSE-WAIT began.
    pub from: Time,
    /// The moment at which it ended; `None` if it has not.
    pub until: Option<Time>,
    /// So long: to the end of the capture, if it has not ended.
    pub lasted: TimeDelta,
    /// Names the connection within a run, and orders equals.
    order: u64,
}

/// One connection, as far as it counts.
#[derive(Clone, Copy, Debug)]
pub struct Lived {
    /// Both ends of a connection that stays on a host have a socket there.
    lives: [Option<Life>; 2],
    holds: [Option<Hold>; 2],
}

/// The sides whose sockets count: the local ones. Where none is known, the one that has to close: it
/// may be either's, but no connection counts twice.
fn sides(judged: &Judged) -> [Option<Side>; 2] {
    match judged.judgement.local {
        Local::Side(side) => [Some(side), None],
        Local::Both => [Some(Side::A), Some(Side::B)],
        Local::Neither => [None, None],
        Local::Unknown => {
            let closer = judged.flow.first_fin().map(|(closer, _)| closer.other());
            [judged.judgement.holder.or(closer).or(Some(Side::A)), None]
        }
    }
}

impl Lived {
    /// Takes from a connection the times of its states.
    pub fn of(judged: &Judged) -> Lived {
        let sides = sides(judged);
        let lives = sides.map(|side| Some(life(judged, side?)));
        let [a, b] = [0, 1].map(|at| hold(judged, sides[at]?, lives[at].as_ref()?));
        Lived { lives, holds: [a, b] }
    }
}

/// A side's states; of what its packets do not show, the judgement tells the end.
fn life(judged: &Judged, side: Side) -> Life {
    let life = judged.flow.life(side, judged.end);
    let (judgement, last) = (&judged.judgement, judged.flow.last.time);
    if matches!(judgement.verdict, Verdict::Unknown(_)) {
        return ended(life, State::Closed, last);
    }
    if judgement.doubts.contains(&Doubt::FinImplied) {
        return ended(life, judged.state(side), last);
    }
    // Of most connections packets tell all: both sides have closed.
    let Some(held) = judged.judgement.holder.and(judged.judgement.held) else { return life };
    let told = judged.state(side);
    let is_told = matches!(told, State::CloseWait | State::FinWait2);
    let shown = life.steps().last().map(|(_, state)| *state);
    match held.num_nanoseconds() {
        Some(held) if is_told && shown != Some(told) => {
            let mut life = Life::new(judged.flow.first.time, State::Established);
            life.goes_to(told, judged.end.before(held));
            life
        }
        _ => life,
    }
}

/// The life of a socket that is known to have gone on, though nobody saw it, or of which nothing is known: it
/// is told until the last packet.
fn ended(mut life: Life, state: State, last: Time) -> Life {
    life.goes_to(state, last);
    life
}

fn hold(judged: &Judged, side: Side, life: &Life) -> Option<Hold> {
    let steps = life.steps();
    let at = steps.iter().position(|(_, state)| *state == State::CloseWait)?;
    let from = steps[at].0;
    let until = steps.get(at + 1).map(|(until, _)| *until);
    let lasted = TimeDelta::nanoseconds(until.unwrap_or(judged.end).since(from)?);
    (until.is_none() || lasted >= SHORTEST).then(|| Hold {
        own: judged.endpoint(side),
        peer: judged.endpoint(side.other()),
        from,
        until,
        lasted,
        order: judged.flow.first.order(),
    })
}

impl History {
    /// Counts the states of a connection.
    pub fn count(&mut self, judged: &Judged) {
        for side in sides(judged).into_iter().flatten() {
            let life = life(judged, side);
            self.add_life(&life);
            if let Some(hold) = hold(judged, side, &life) {
                self.add_hold(hold);
            }
        }
    }

    /// Counts the states of a connection, of which nobody saw the end, until a moment at which it was known to be over.
    pub fn count_until(&mut self, judged: &Judged, at: Time) {
        for side in sides(judged).into_iter().flatten() {
            let life = ended(life(judged, side), State::Closed, at);
            self.add_life(&life);
            hold(judged, side, &life).into_iter().for_each(|hold| self.add_hold(hold));
        }
    }

    /// Takes back what was counted of a connection, by the judgement that it had then.
    pub fn uncount(&mut self, judged: &Judged) {
        for side in sides(judged).into_iter().flatten() {
            self.change(&life(judged, side), u32::saturating_sub);
        }
        let order = judged.flow.first.order();
        self.longest.retain(|hold| hold.order != order);
    }

    /// Counts states that are already told from the connection.
    pub fn add(&mut self, lived: &Lived) {
        for life in lived.lives.iter().flatten() {
            self.add_life(life);
        }
        lived.holds.into_iter().flatten().for_each(|hold| self.add_hold(hold));
    }

    /// Counts a socket by its states.
    pub fn add_life(&mut self, life: &Life) {
        self.change(life, u32::saturating_add);
    }

    fn change(&mut self, life: &Life, by: fn(u32, u32) -> u32) {
        let mut before = None;
        for (at, state) in life.steps() {
            let Some(nanos) = at.nanos() else { return };
            let now = index(*state);
            let [began, ended] = [now, before].map(|state| state.map(|state| (state, nanos)));
            self.note(began, 0, by);
            self.note(ended, 1, by);
            before = now;
        }
    }

    fn note(&mut self, change: Option<(usize, i64)>, which: usize, by: fn(u32, u32) -> u32) {
        let Some((state, nanos)) = change else { return };
        if let Some(bin) = self.bin(nanos) {
            bin[state][which] = by(bin[state][which], 1);
        }
    }

    /// The bin of a moment. Where there are too many between it and the others, they merge.
    #[inline]
    fn bin(&mut self, nanos: i64) -> Option<&mut Bin> {
        let at = (nanos / NARROWEST_NS) >> self.doublings;
        let place = at - self.first;
        if place < 0 || place >= self.bins.len() as i64 {
            self.make_room(nanos);
        }
        let place = ((nanos / NARROWEST_NS) >> self.doublings) - self.first;
        self.bins.get_mut(usize::try_from(place).ok()?)
    }

    #[cold]
    fn make_room(&mut self, nanos: i64) {
        if self.bins.is_empty() {
            self.first = (nanos / NARROWEST_NS) >> self.doublings;
        }
        // As many doublings as it takes, at once.
        let mut more = 0;
        let (first, last) = loop {
            let at = (nanos / NARROWEST_NS) >> (self.doublings + more);
            let own = (self.first + self.bins.len() as i64 - 1) >> more;
            let (first, last) = ((self.first >> more).min(at), own.max(at));
            if last - first < BINS as i64 {
                break (first, last);
            }
            more += 1;
        };
        self.double(more);
        let before = (self.first - first) as usize;
        self.bins.splice(..0, std::iter::repeat_n(Bin::default(), before));
        self.bins.resize((last - first + 1) as usize, Bin::default());
        self.first = first;
    }

    /// Merges bins until each is as wide as two of them were, so many times.
    fn double(&mut self, times: u32) {
        if times == 0 {
            return;
        }
        let first = self.first >> times;
        let last = (self.first + self.bins.len() as i64 - 1) >> times;
        let mut bins = vec![Bin::default(); (last - first + 1).max(0) as usize];
        for (at, bin) in (self.first..).zip(&self.bins) {
            if let Some(into) = bins.get_mut(((at >> times) - first) as usize) {
                add(into, bin);
            }
        }
        (self.first, self.bins, self.doublings) = (first, bins, self.doublings + times);
    }

    fn add_hold(&mut self, hold: Hold) {
        let key = |hold: &Hold| (std::cmp::Reverse(hold.lasted), hold.order);
        let is_full = self.longest.len() >= LONGEST;
        if is_full && self.longest.last().is_some_and(|last| key(&hold) >= key(last)) {
            return;
        }
        let at = self.longest.partition_point(|other| key(other) < key(&hold));
        self.longest.insert(at, hold);
        self.longest.truncate(LONGEST);
    }

    /// The longest times in CLOSE-WAIT, the longest first.
    pub fn longest(&self) -> &[Hold] {
        &self.longest
    }

    /// Counts the sockets in each state, from one moment to another.
    pub fn series(&self, from: Time, until: Time) -> Option<Series> {
        let (from, until) = (from.nanos()?, until.nanos()?);
        let mut own = self.clone();
        own.make_room(from);
        own.make_room(until.max(from));
        let width = NARROWEST_NS << own.doublings;
        let mut now = [0_i64; STATES.len()];
        let mut counts = vec![Vec::with_capacity(own.bins.len()); STATES.len()];
        for bin in &own.bins {
            for ((now, counts), [began, ended]) in now.iter_mut().zip(&mut counts).zip(bin) {
                *now += i64::from(*began) - i64::from(*ended);
                counts.push(u32::try_from(*now).unwrap_or(0));
            }
        }
        let states = STATES.into_iter().zip(counts);
        Some(Series {
            from: Time::from_nanos(i128::from(own.first * width)),
            width: TimeDelta::nanoseconds(width),
            states: states.filter(|(_, counts)| counts.iter().any(|n| *n > 0)).collect(),
        })
    }
}

fn index(state: State) -> Option<usize> {
    (state as usize).checked_sub(STATES[0] as usize)
}

fn add(into: &mut Bin, bin: &Bin) {
    for (into, more) in into.iter_mut().flatten().zip(bin.iter().flatten()) {
        *into = into.saturating_add(*more);
    }
}

impl AddAssign<&History> for History {
    fn add_assign(&mut self, more: &History) {
        more.longest.iter().for_each(|hold| self.add_hold(*hold));
        let Some(last) = more.bins.len().checked_sub(1) else { return };
        let mut more = more.clone();
        let width = NARROWEST_NS << more.doublings;
        self.double(more.doublings.saturating_sub(self.doublings));
        self.make_room(more.first * width);
        self.make_room((more.first + last as i64) * width);
        more.double(self.doublings.saturating_sub(more.doublings));
        for (at, bin) in (more.first..).zip(&more.bins) {
            if let Some(into) = self.bins.get_mut((at - self.first) as usize) {
                add(into, bin);
            }
        }
    }
}

/// Numbers of sockets by state, at the end of each of a row of equal times.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The beginning of the first.
    pub from: Time,
    /// The time between two counts.
    pub width: TimeDelta,
    /// The states that occur, in the order of [`STATES`].
    pub states: Vec<(State, Vec<u32>)>,
}

/// A fall to less than this part of what there was is a restart, and not a close.
const FALL: u32 = 2;

impl Series {
    /// Returns the counts of sockets in a state; none where that is not counted.
    pub fn of(&self, state: State) -> Option<&[u32]> {
        let found = self.states.iter().find(|(other, _)| *other == state);
        found.map(|(_, counts)| counts.as_slice())
    }

    /// Says how many more there are each minute, from the first to the last change since most of them
    /// went at once: after the first change, over the time that it took, as groups count it. Nothing where they have been
    /// as many as now for longer than that, nor where they rose and have fallen since, or the other way round.
    pub fn per_minute(&self, state: State) -> Option<f64> {
        let counts = self.of(state)?;
        let falls = counts.windows(2).rposition(|pair| pair[0] > 1 && pair[1] < pair[0] / FALL);
        let counts = counts.get(falls.map_or(0, |at| at + 1)..)?;
        let changes = || counts.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]);
        let (first, last) = (changes().next()?.0, changes().next_back()?.0 + 1);
        let changed = counts.get(first..=last)?;
        if counts.len() - 1 - last > last - first || turns(changed) {
            return None;
        }
        let [before, after, .., now] = *changed else { return None };
        let more = i64::from(now) - i64::from(after);
        let span = self.width * i32::try_from(changed.len() - 2).ok()?;
        let rate = per_minute(usize::try_from(more.abs()).ok()?, span)?;
        // The first change may have been the other way.
        let is_growing = now > before;
        (is_growing == (more > 0)).then(|| if is_growing { rate } else { -rate })
    }
}

/// Does a curve go beyond both its ends, by more than half of what lies between them?
fn turns(counts: &[u32]) -> bool {
    let ends = counts.first().zip(counts.last());
    let bounds = counts.iter().min().zip(counts.iter().max());
    let Some(((first, last), (least, most))) = ends.zip(bounds) else { return false };
    let beyond = (most - first.max(last)).max(first.min(last) - least);
    u64::from(beyond) * 2 > u64::from(first.abs_diff(*last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn at(seconds: i128) -> Time {
        Time::from_nanos((1_500_000_000 + seconds) * SECOND)
    }

    /// A connection that is used, then held so long, and then closed.
    fn held(began: i128, from: i128, until: Option<i128>) -> Life {
        let mut life = Life::new(at(began), State::Established);
        life.goes_to(State::CloseWait, at(from));
        if let Some(until) = until {
            life.goes_to(State::LastAck, at(until));
            life.goes_to(State::Closed, at(until));
        }
        life
    }

    fn of(lives: &[Life]) -> History {
        let mut history = History::default();
        lives.iter().for_each(|life| history.add_life(life));
        history
    }

    fn counts(history: &History, until: i128, state: State) -> Vec<u32> {
        let series = history.series(at(0), at(until)).expect("known times");
        series.of(state).unwrap_or_default().to_vec()
    }

    #[test]
    fn sockets_are_counted_at_the_end_of_each_bin() {
        let history = of(&[held(0, 100, None), held(0, 150, Some(180)), held(0, 199, None)]);
        let series = history.series(at(0), at(200)).expect("known times");
        assert_eq!(series.width, TimeDelta::seconds(1));
        let at = |state, seconds: usize| series.of(state).map(|counts| counts[seconds]);
        let both = |seconds| [State::Established, State::CloseWait].map(|state| at(state, seconds));
        assert_eq!(both(0), [Some(3), Some(0)]);
        assert_eq!(both(100), [Some(2), Some(1)]);
        assert_eq!(both(150), [Some(1), Some(2)]);
        assert_eq!(both(180), [Some(1), Some(1)]);
        assert_eq!(both(200), [Some(0), Some(2)]);
        // It went through LAST-ACK at once.
        assert_eq!(series.of(State::LastAck), None);
    }

    #[test]
    fn memory_is_bounded_and_bins_double() {
        let mut history = History::default();
        for n in 0..20_000 {
            history.add_life(&held(n * 7, n * 7 + 3, Some(n * 7 + 5)));
        }
        assert!(history.bins.len() <= BINS && history.bins.len() > BINS / 2);
        let long = counts(&history, 140_000, State::CloseWait);
        assert!(long.len() <= BINS, "{}", long.len());
    }

    #[test]
    fn the_order_of_connections_and_who_counted_them_change_nothing() {
        let lives: Vec<Life> = (0..500)
            .map(|n| held(n * 37 % 411, n * 37 % 411 + n, Some(n * 40 % 9_000 + 900)))
            .collect();
        let forward = of(&lives);
        let backward = of(&lives.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(forward, backward);
        for parts in [2, 7, 64] {
            let mut sum = History::default();
            for part in 0..parts {
                let its = lives.iter().skip(part).step_by(parts).copied();
                sum += &of(&its.collect::<Vec<_>>());
            }
            assert_eq!(sum, forward, "{parts} parts");
        }
    }

    #[test]
    fn every_state_has_its_place() {
        for (at, state) in STATES.into_iter().enumerate() {
            assert_eq!(index(state), Some(at));
        }
        assert_eq!([State::Closed, State::Listen].map(index), [None, None]);
    }

    #[test]
    fn growth_is_since_the_last_restart() {
        let climb = |from: i128, until| (1..=60).map(move |n| held(from, from + n, until));
        let lives: Vec<Life> = climb(0, Some(61)).chain(climb(100, None)).collect();
        let series = of(&lives).series(at(0), at(160)).expect("known times");
        let rate = series.per_minute(State::CloseWait).expect("long enough");
        assert!((55.0..65.0).contains(&rate), "{rate}");
        let still = of(&lives).series(at(0), at(230)).expect("known times");
        assert_eq!(still.per_minute(State::CloseWait), None, "they grow no more");
        let short = of(&lives[..5]).series(at(0), at(5)).expect("known times");
        assert_eq!(short.per_minute(State::CloseWait), None);
    }

    /// The number of posts is one more than that of the spaces between them.
    #[test]
    fn growth_is_that_of_the_groups() {
        let rate = |lives: &[Life], until| {
            let series = of(lives).series(at(0), at(until)).expect("known times");
            series.per_minute(State::CloseWait)
        };
        let every_30_s: Vec<Life> = (0..3).map(|n| held(0, 5 + 30 * n, None)).collect();
        let found = rate(&every_30_s, 70).expect("three show it");
        assert!((1.9..2.1).contains(&found), "{found}");
        assert_eq!(rate(&every_30_s[..2], 70), None, "two do not");
        // A hundred in ten seconds, of which one leaves each second: it fell, from nothing to ten.
        let falling = (0..100).map(|n| held(0, 2 + n / 10, (n < 90).then_some(20 + n)));
        assert_eq!(rate(&falling.collect::<Vec<_>>(), 130), None);
        // All were there before, and leave one by one.
        let leaving: Vec<Life> = (0..60).map(|n| held(0, 0, (n < 25).then_some(20 + n))).collect();
        let found = rate(&leaving, 46).expect("it fell and nothing else");
        assert!((-61.0..-59.0).contains(&found), "{found}");
        // What is closed a little later does not hide what grows.
        let blip = |n: i128| held(0, 5 + n, Some(6 + n));
        let mixed: Vec<Life> = (0..50).flat_map(|n| [held(0, 5 + n, None), blip(n)]).collect();
        assert!(rate(&mixed, 60).is_some_and(|rate| rate > 50.0));
    }

    #[test]
    fn times_that_nobody_knows_count_nothing() {
        let history = of(&[Life::new(Time::UNKNOWN, State::Established)]);
        assert_eq!(history, History::default());
        assert_eq!(history.series(Time::UNKNOWN, at(1)), None);
    }

    #[test]
    fn the_longest_holds_are_kept() {
        let mut history = History::default();
        let end = Endpoint { ip: [10, 0, 0, 1].into(), port: 1 };
        for n in 0..100_u64 {
            let lasted = TimeDelta::seconds((n * 37 % 100) as i64);
            let (from, until) = (at(0), None);
            history.add_hold(Hold { own: end, peer: end, from, until, lasted, order: n });
        }
        let lasted = history.longest().iter().map(|hold| hold.lasted.num_seconds());
        assert!(lasted.eq((60..100).rev()));
    }
}
