//! The time line of a whole capture: from where to where, and where its findings begin.

use chrono::{DateTime, FixedOffset, Local, NaiveTime, TimeDelta, Utc};

use super::picture::{Entry, Picture};
use crate::place::Time;
use crate::tcp::state::State;
use crate::units::Zone;

/// A capture from its first packet to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Reel {
    /// The time of the first packet.
    pub first: Time,
    /// The time at which the capture ends.
    pub end: Time,
    /// The times at which findings began, in order.
    pub marks: Vec<Time>,
}

impl Reel {
    /// Makes one of the picture of the whole capture, or of captures of several points, from the first packet of
    /// any to the last end; `None` for those without times. Findings begin `min_hold` late.
    pub fn of(picture: &Picture, min_hold: TimeDelta) -> Option<Reel> {
        let captures = || picture.totals.captures.iter();
        let first = captures().filter_map(|capture| Some(capture.facts.first()?.time)).min()?;
        first.nanos()?;
        let end = captures().map(|capture| capture.facts.end()).max()?;
        let late = min_hold.num_nanoseconds().unwrap_or(0);
        let findings = picture.entries.iter().filter(|entry| entry.seen.finding);
        let mut marks: Vec<Time> =
            findings.filter_map(began).map(|began| began.after(late)).collect();
        marks.sort();
        marks.dedup();
        Some(Reel { first, end, marks })
    }

    /// The first finding after a time, and the last before it.
    pub fn next(&self, at: Time) -> Option<Time> {
        self.marks.iter().copied().find(|mark| *mark > at)
    }

    /// Returns the last event before a time.
    pub fn previous(&self, at: Time) -> Option<Time> {
        self.marks.iter().copied().rfind(|mark| *mark < at)
    }

    /// Returns how much of the capture has passed at a time.
    pub fn part(&self, at: Time) -> f64 {
        let whole = self.end.since(self.first).unwrap_or(0).max(1);
        (at.since(self.first).unwrap_or(0) as f64 / whole as f64).min(1.0)
    }

    /// Returns the time at which so much of it has passed.
    pub fn at(&self, part: f64) -> Time {
        let whole = self.end.since(self.first).unwrap_or(0);
        self.first.after((whole as f64 * part.clamp(0.0, 1.0)) as i64)
    }

    /// A time moved by a part of the whole, and kept within it.
    pub fn moved(&self, at: Time, part: f64) -> Time {
        let by = self.end.since(self.first).unwrap_or(0) as f64 * part;
        let at = if by < 0.0 { at.before(-by as i64) } else { at.after(by as i64) };
        at.clamp(self.first, self.end)
    }

    /// Understands where to jump to: `12:30:05`, `12:30`, `+30s`, `-2min`, `50%`.
    pub fn parse(&self, text: &str, now: Time, zone: Zone) -> Option<Time> {
        let text = text.trim();
        if let Some(percent) = text.strip_suffix('%') {
            return Some(self.at(percent.trim().parse::<f64>().ok()? / 100.0));
        }
        let span = |text: &str| {
            let seconds = text.parse().ok();
            let seconds =
                seconds.or_else(|| Some(humantime::parse_duration(text).ok()?.as_secs_f64()));
            seconds.map(|seconds: f64| (seconds * 1e9) as i64)
        };
        let to = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(ahead), _) => now.after(span(ahead)?),
            (_, Some(back)) => now.before(span(back)?),
            _ => self.of_day(clock(text)?, zone)?,
        };
        Some(to.clamp(self.first, self.end))
    }

    /// The first time of the capture at which a clock shows this; the last one before it where none does.
    fn of_day(&self, clock: NaiveTime, zone: Zone) -> Option<Time> {
        let first = in_zone(self.first.nanos()?, zone);
        let that_day = first.with_time(clock).single()?;
        let at = if that_day < first { that_day + TimeDelta::days(1) } else { that_day };
        let at = Time::from_nanos(at.timestamp_nanos_opt()?.into());
        let before = Time::from_nanos(that_day.timestamp_nanos_opt()?.into());
        Some(if at > self.end && before <= self.end { before } else { at })
    }
}

fn clock(text: &str) -> Option<NaiveTime> {
    let forms = ["%H:%M:%S%.f", "%H:%M"];
    forms.iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())
}

fn in_zone(nanos: i64, zone: Zone) -> DateTime<FixedOffset> {
    let time = DateTime::<Utc>::from_timestamp_nanos(nanos);
    match zone {
        Zone::Utc => time.fixed_offset(),
        Zone::Local => time.with_timezone(&Local).fixed_offset(),
    }
}

/// The time at which an entry's CLOSE-WAIT began.
pub fn began(entry: &Entry) -> Option<Time> {
    let steps = entry.lives.as_ref()?[0].steps().iter();
    let begun = steps.clone().find(|(_, state)| *state == State::CloseWait).map(|(at, _)| *at);
    begun.or_else(|| entry.seen.fin.map(|fin| fin.time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i128 = 1_000_000_000;

    fn at(seconds: i128) -> Time {
        // 23:59:00 UTC
        Time::from_nanos((1_500_076_740 + seconds) * S)
    }

    fn reel() -> Reel {
        Reel { first: at(0), end: at(200), marks: vec![at(10), at(30)] }
    }

    #[test]
    fn a_jump_is_written_as_people_write_times() {
        let to = |text| reel().parse(text, at(100), Zone::Utc);
        assert_eq!(to("23:59:30"), Some(at(30)));
        assert_eq!(to("00:01"), Some(at(120)), "after midnight");
        assert_eq!(to("+30s"), Some(at(130)));
        assert_eq!(to("-1min"), Some(at(40)));
        assert_eq!(to("50%"), Some(at(100)));
        assert_eq!(to("+1h"), Some(at(200)), "no further than the end");
        assert_eq!(to("12:00"), Some(at(0)), "the last noon lies before it");
        for wrong in ["", "x", "25:00", "+", "%"] {
            assert_eq!(to(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn findings_follow_one_another() {
        assert_eq!(reel().next(at(0)), Some(at(10)));
        assert_eq!(reel().next(at(10)), Some(at(30)));
        assert_eq!(reel().next(at(30)), None);
        assert_eq!(reel().previous(at(30)), Some(at(10)));
        assert_eq!(reel().moved(at(100), -0.9), at(0));
    }
}
