//! Times and durations as they are written.

use chrono::{DateTime, FixedOffset, Local, NaiveDate, TimeDelta, Utc};

use crate::place::{Place, Time};
use crate::tcp::holes::Holes;

/// The zone that times are shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// The zone of this host.
    Local,
    /// UTC.
    Utc,
}

/// Decimal digits of a second where no capture tells its own: microseconds.
pub const DIGITS: usize = 6;

/// Writes a time as RFC 3339 does, in UTC with so many digits of a second (0 to 9):
/// `2017-07-14T02:40:00.123456Z`. Returns `None` for an unknown time.
pub fn rfc3339(time: Time, digits: usize) -> Option<String> {
    let nanos = time.nanos()?;
    let time = DateTime::<Utc>::from_timestamp_nanos(nanos);
    Some(format!("{}{}Z", time.format("%Y-%m-%dT%H:%M:%S"), fraction(nanos, digits)))
}

/// The time of a packet, with as many digits as its capture records.
pub fn packet_time(place: Place, zone: Zone, dates: bool) -> String {
    clock_time(place.time, place.digits(), zone, dates)
}

/// The time of day as tcpdump prints it, with the date before it if asked for.
pub fn clock_time(time: Time, digits: usize, zone: Zone, dates: bool) -> String {
    let Some(nanos) = time.nanos() else {
        return "unknown".into();
    };
    let (of, time) = (time, in_zone(nanos, zone));
    let date = match dates {
        true if of.is_undated() => format!("{:+}d ", undated_day(time)),
        true => time.format("%Y-%m-%d ").to_string(),
        false => String::new(),
    };
    format!("{date}{}{}", time.format("%H:%M:%S"), fraction(nanos, digits))
}

/// The days since the first one of a text without dates, which is the second of 1970.
fn undated_day(time: DateTime<FixedOffset>) -> i64 {
    time.date_naive().signed_duration_since(NaiveDate::default()).num_days() - 1
}

/// Names the zone for a reader: `times in UTC`, or local times with their offset, and the one that it is later.
pub fn zone_name(first: Time, last: Time, zone: Zone) -> String {
    match (zone, first.nanos()) {
        (Zone::Local, Some(_)) if first.is_undated() => "times without a date or a zone".into(),
        (Zone::Local, Some(_)) => match [first, last].map(|time| zone_mark(time, zone)) {
            [mark, later] if mark == later => format!("local times, {mark}"),
            [mark, later] => format!("local times, {mark}, then {later}"),
        },
        (Zone::Local, None) => "local times".into(),
        (Zone::Utc, _) => "times in UTC".into(),
    }
}

/// The zone after a time: `UTC`, or the local offset; nothing, where none is known.
pub fn zone_mark(time: Time, zone: Zone) -> String {
    match (zone, time.nanos()) {
        (Zone::Local, Some(_)) if time.is_undated() => String::new(),
        (Zone::Local, Some(nanos)) => format!("UTC{}", in_zone(nanos, zone).format("%:z")),
        _ => "UTC".into(),
    }
}

fn in_zone(nanos: i64, zone: Zone) -> DateTime<FixedOffset> {
    let time = DateTime::<Utc>::from_timestamp_nanos(nanos);
    match zone {
        Zone::Utc => time.fixed_offset(),
        Zone::Local => time.with_timezone(&Local).fixed_offset(),
    }
}

fn fraction(nanos: i64, digits: usize) -> String {
    let nanos = nanos.rem_euclid(1_000_000_000);
    match digits {
        0 => String::new(),
        digits => format!(".{}", &format!("{nanos:09}")[..digits.min(9)]),
    }
}

/// Says where packets are missing from a capture, and how many connections show it.
pub fn missing(holes: Holes) -> Option<String> {
    let (shown, of) = (thousands(holes.shown), count(holes.of, "connection"));
    (holes.shown > 0).then(|| format!("missing from this capture: {shown} of {of} show it"))
}

/// Seconds, for machines.
pub fn seconds(delta: TimeDelta) -> f64 {
    delta.num_nanoseconds().map_or(f64::MAX, |nanos| nanos as f64 / 1e9)
}

/// A duration for people: two units at most.
pub fn duration(delta: TimeDelta) -> String {
    let s = delta.num_seconds();
    match s {
        ..0 => "0 s".into(),
        0 if delta.is_zero() => "0 s".into(),
        // Less is the work of a kernel, not of a program.
        0 if delta < TimeDelta::microseconds(100) => "0 s".into(),
        0 if delta < TimeDelta::milliseconds(1) => {
            format!("0.{} ms", delta.subsec_nanos() / 100_000)
        }
        0 => format!("{} ms", delta.subsec_millis()),
        1..120 => format!("{:.1} s", (seconds(delta) * 10.0).floor() / 10.0),
        120..7_200 => two(s, 60, "min", 1, "s"),
        7_200..172_800 => two(s, 3_600, "h", 60, "min"),
        _ => two(s, 86_400, "d", 3_600, "h"),
    }
}

/// A duration for people that is no bound, but was measured: the nearest, not the one below.
pub fn nearest(delta: TimeDelta) -> String {
    let half_a_step = match delta.num_milliseconds() {
        ..1_000 => TimeDelta::zero(),
        1_000..120_000 => TimeDelta::milliseconds(50),
        _ => TimeDelta::milliseconds(500),
    };
    duration(delta + half_a_step)
}

/// Writes durations so that these two, which are no equals, look like it: in seconds, where two units are too few.
pub fn telling_apart(one: TimeDelta, other: TimeDelta) -> impl Fn(TimeDelta) -> String {
    let exact = |delta: TimeDelta, digits: usize| {
        format!("{}{} s", delta.num_seconds(), fraction(i64::from(delta.subsec_nanos()), digits))
    };
    let is_plain = one == other || duration(one) != duration(other);
    let digits = (1..=9).find(|digits| exact(one, *digits) != exact(other, *digits)).unwrap_or(9);
    move |delta| if is_plain { duration(delta) } else { exact(delta, digits) }
}

/// `5.0 s`, `5.0 s … 7.2 s`.
pub fn range(least: TimeDelta, most: TimeDelta) -> String {
    match (duration(least), duration(most)) {
        (least, most) if least == most => least,
        (least, most) => format!("{least} … {most}"),
    }
}

fn two(seconds: i64, large: i64, large_name: &str, small: i64, small_name: &str) -> String {
    match seconds % large / small {
        0 => format!("{} {large_name}", seconds / large),
        rest => format!("{} {large_name} {rest} {small_name}", seconds / large),
    }
}

/// `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 connection`, `2 connections`.
pub fn count(n: u64, thing: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {thing}{s}", thousands(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Time;

    #[test]
    fn durations_read_like_speech() {
        let of = |ms| duration(TimeDelta::milliseconds(ms));
        assert_eq!(of(0), "0 s");
        assert_eq!(of(47), "47 ms");
        assert_eq!(of(1_000), "1.0 s");
        assert_eq!(of(61_299), "61.2 s");
        assert_eq!(of(181_000), "3 min 1 s");
        assert_eq!(of(180_000), "3 min");
        assert_eq!(of(7_500_000), "2 h 5 min");
        assert_eq!(of(180_000_000), "2 d 2 h");
    }

    #[test]
    fn what_differs_is_told_apart() {
        let of = |one, other| {
            let [one, other] = [one, other].map(TimeDelta::milliseconds);
            let text = telling_apart(one, other);
            [text(one), text(other)]
        };
        assert_eq!(of(1_000, 5_000), ["1.0 s", "5.0 s"]);
        assert_eq!(of(1_000, 1_050), ["1.00 s", "1.05 s"]);
        assert_eq!(of(3_659_000, 3_659_600), ["3659.0 s", "3659.6 s"]);
        assert_eq!(of(1_000, 1_000), ["1.0 s", "1.0 s"]);
    }

    #[test]
    fn what_was_measured_is_rounded() {
        let of = |millis| nearest(TimeDelta::milliseconds(millis));
        assert_eq!([of(74_999), of(4_996), of(75_040)], ["75.0 s", "5.0 s", "75.0 s"]);
        assert_eq!([of(599_999), of(250), of(0)], ["10 min", "250 ms", "0 s"]);
    }

    #[test]
    fn times_have_the_precision_of_their_capture() {
        let at = |digits| rfc3339(Time::from_nanos(1_500_000_000_123_456_789), digits);
        assert_eq!(at(6).as_deref(), Some("2017-07-14T02:40:00.123456Z"));
        assert_eq!(at(9).as_deref(), Some("2017-07-14T02:40:00.123456789Z"));
        assert_eq!(at(0).as_deref(), Some("2017-07-14T02:40:00Z"));
        assert_eq!(rfc3339(Time::UNKNOWN, 6), None);
    }

    #[test]
    fn a_time_of_day_alone_has_no_zone() {
        let place = |seconds: i128| Place::new(Time::from_nanos(seconds * 1_000_000_000), 0, 1, 6);
        assert_eq!(zone_mark(place(86_400).time, Zone::Local), "");
        assert!(
            zone_name(place(86_400).time, place(86_401).time, Zone::Local)
                .contains("without a date")
        );
        assert!(zone_mark(place(1_500_000_000).time, Zone::Local).starts_with("UTC"));
        assert_eq!(zone_mark(place(86_400).time, Zone::Utc), "UTC");
        let at = |seconds: i64| Time::from_nanos(i128::from(seconds) * 1_000_000_000);
        assert_eq!(clock_time(at(86_400), 0, Zone::Utc, true), "+0d 00:00:00");
        assert_eq!(clock_time(at(2 * 86_400 + 1), 0, Zone::Utc, true), "+1d 00:00:01");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "connection"), "1 connection");
    }
}
