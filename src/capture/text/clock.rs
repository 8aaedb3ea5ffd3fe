//! Times of day and times since another packet become points in time.

use chrono::{NaiveDate, NaiveTime};

use super::stamp::{Stamp, local};
use crate::place::Time;

const DAY_NS: i64 = 86_400_000_000_000;

/// Makes times since the epoch of the times that a text prints.
#[derive(Default)]
pub struct Clock {
    style: Style,
    /// The last time printed, and the time that it was.
    printed: i64,
    now: Time,
    days: i64,
    /// The moment from which times since the first packet count.
    origin: Option<i64>,
}

/// The moment that a time without a date counts from: midnight, the packet before, the first
/// packet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Style {
    #[default]
    OfDay,
    /// `-ttt`: since the packet before.
    SinceLast,
    /// `-ttttt`, and tshark: since the first packet.
    SinceFirst,
}

/// Longer pauses than this are rare, and times of day are later than this.
const HOUR_NS: i64 = DAY_NS / 24;

fn are_short(times: &[i64]) -> bool {
    times.iter().all(|time| *time < HOUR_NS)
}

impl Style {
    /// Tells the style by the first times of a text: relative times begin with zero, and those
    /// since the packet before fall again and again, and not at midnight.
    pub fn of(times: impl Iterator<Item = Stamp>) -> Style {
        let clock = |stamp| match stamp {
            Stamp::Clock { nanos, .. } => Some(nanos),
            _ => None,
        };
        let times: Vec<i64> = times.filter_map(clock).collect();
        let falls = |pair: &&[i64]| pair[1] < pair[0] / 2 && pair[0] - pair[1] < DAY_NS / 2;
        match times.first() {
            Some(0) => Style::from_zero(&times),
            Some(_) => match times.windows(2).filter(falls).count() {
                0 => Style::OfDay,
                // Just after midnight that would be a clock set back.
                1 if !are_short(&times) => Style::OfDay,
                _ if are_pauses(&times) => Style::SinceLast,
                _ => Style::OfDay,
            },
            None => Style::OfDay,
        }
    }

    /// Tells the style of relative times, of which the first is zero.
    pub fn from_zero(times: &[i64]) -> Style {
        if are_pauses(times) { Style::SinceLast } else { Style::SinceFirst }
    }
}

/// Tells whether times fall again and again, as pauses do: about every other time. A packet that was captured late falls
/// once, and so does a second list below the first.
fn are_pauses(times: &[i64]) -> bool {
    let steps = times.windows(2).filter(|pair| pair[1] != pair[0]).count();
    let falls = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    falls * 5 > steps
}

impl Clock {
    pub fn new(style: Style) -> Clock {
        Clock { style, ..Clock::default() }
    }

    /// The time that was printed, and with how many digits.
    pub fn read(&mut self, stamp: Stamp) -> (Time, u8) {
        let (style, nanos, digits) = match stamp {
            Stamp::None => return (Time::UNKNOWN, 6),
            Stamp::Dated { nanos, digits } => return (Time::from_nanos(nanos.into()), digits),
            Stamp::Clock { nanos, digits } => (self.style, nanos, digits),
            Stamp::SinceLast { nanos } => (Style::SinceLast, nanos, 6),
        };
        let at = match style {
            Style::SinceLast => self.now.nanos().unwrap_or(start()).saturating_add(nanos),
            Style::SinceFirst => self.origin(nanos).saturating_add(nanos),
            Style::OfDay => {
                // Half a day back is not a clock set back, but midnight.
                self.days += i64::from(nanos < self.printed - DAY_NS / 2);
                start().saturating_add(self.days.saturating_mul(DAY_NS)).saturating_add(nanos)
            }
        };
        self.printed = nanos;
        self.now = Time::from_nanos(at.into());
        (self.now, digits)
    }

    /// The time of the first packet. Where another one begins from zero, another list does, below the first.
    fn origin(&mut self, nanos: i64) -> i64 {
        let begins = nanos == 0 && self.printed > 0;
        let anew = self.now.nanos().filter(|_| begins);
        *self.origin.insert(anew.or(self.origin).unwrap_or_else(start))
    }
}

/// The day is not printed: the second of January 1970 stands for it, midnight there in every zone.
fn start() -> i64 {
    let day = NaiveDate::from_ymd_opt(1970, 1, 2).unwrap_or_default();
    local(day, NaiveTime::MIN).unwrap_or(DAY_NS)
}
