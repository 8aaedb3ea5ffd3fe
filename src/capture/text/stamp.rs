//! Times as they are printed.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, Utc};

/// A time in one of the styles.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Stamp {
    /// `-t`: none.
    #[default]
    None,
    /// The default, and relative times (`-ttt`, `-ttttt`): nanoseconds.
    Clock {
        /// Nanoseconds since midnight.
        nanos: i64,
        /// Digits after the second.
        digits: u8,
    },
    /// `-tt`, `-tttt`: nanoseconds since 1970.
    Dated {
        /// Nanoseconds since 1970.
        nanos: i64,
        /// Digits after the second.
        digits: u8,
    },
    /// `-ttt` before 4.0: nanoseconds since the packet before.
    SinceLast {
        /// Nanoseconds of it.
        nanos: i64,
    },
}

const SECOND_NS: i64 = 1_000_000_000;

impl Stamp {
    /// A time of day, or the time since another packet: `22:13:20.213856`, and `22:13:20,213856` of a log.
    pub fn clock(word: &str) -> Option<Stamp> {
        let (hms, fraction) = word.split_once(['.', ',']).unwrap_or((word, ""));
        let mut parts = hms.split(':').map(two_digits);
        let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
            return None;
        }
        let (nanos, digits) = match word.len() > hms.len() {
            true => nanoseconds(fraction)?,
            false => (0, 0),
        };
        let nanos = (hours * 3600 + minutes * 60 + seconds) * SECOND_NS + nanos;
        Some(Stamp::Clock { nanos, digits })
    }

    /// `1520854695.679863`: at least nine digits before the point, so that no other number is taken.
    pub fn since_1970(word: &str) -> Option<Stamp> {
        let (seconds, _) = word.split_once(['.', ','])?;
        if seconds.len() < 9 {
            return None;
        }
        match Stamp::seconds(word)? {
            Stamp::Clock { nanos, digits } => Some(Stamp::Dated { nanos, digits }),
            other => Some(other),
        }
    }

    /// The time since the packet before, as tcpdump 3 prints it: `000060`, `30. 013446`.
    pub fn since_last(before: &str, word: &str) -> Option<Stamp> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if word.len() != 6 || !digits(word) {
            return None;
        }
        let seconds =
            before.strip_suffix('.').filter(|s| !s.is_empty() && s.len() <= 9 && digits(s));
        let seconds: i64 = seconds.map_or(Some(0), |seconds| seconds.parse().ok())?;
        let micros: i64 = word.parse().ok()?;
        Some(Stamp::SinceLast { nanos: seconds * SECOND_NS + micros * 1_000 })
    }

    /// Seconds since something: `0.000000`, `94.886144`.
    pub fn seconds(word: &str) -> Option<Stamp> {
        let (seconds, fraction) = word.split_once(['.', ','])?;
        if seconds.is_empty() || !seconds.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (nanos, digits) = nanoseconds(fraction)?;
        let seconds: i64 = seconds.parse().ok()?;
        Some(Stamp::Clock { nanos: seconds.checked_mul(SECOND_NS)?.checked_add(nanos)?, digits })
    }

    /// Seconds with their hours and minutes: `1h 56m 40.000000s`, and how many words these are.
    pub fn spoken(words: &[&str]) -> Option<(Stamp, usize)> {
        let mut before = 0;
        for (at, word) in words.iter().enumerate().take(3) {
            if let Some(Stamp::Clock { nanos, digits }) =
                word.strip_suffix('s').and_then(Stamp::seconds)
            {
                let nanos = nanos.checked_add(before * SECOND_NS)?;
                return Some((Stamp::Clock { nanos, digits }, at + 1));
            }
            let part = |unit, seconds: i64| {
                let number: u32 = word.strip_suffix(unit)?.parse().ok()?;
                Some(i64::from(number) * seconds)
            };
            before += part('h', 3_600).or_else(|| part('m', 60))?;
        }
        None
    }

    /// A day, and a time of it: `2018-03-12 11:38:15.679863`, with `/` in old versions; or with its zone:
    /// `11:38:15.679863Z`.
    pub fn dated(date: &str, clock: &str) -> Option<Stamp> {
        let begins = clock.starts_with(|c: char| c.is_ascii_digit());
        if begins && (clock.ends_with('Z') || clock.contains(['+', '-'])) {
            return Stamp::zoned(&format!("{date}T{clock}"));
        }
        let date = ["%Y-%m-%d", "%m/%d/%Y", "%Y/%m/%d"]
            .iter()
            .find_map(|style| NaiveDate::parse_from_str(date, style).ok())?;
        let Stamp::Clock { nanos, digits } = Stamp::clock(clock)? else { return None };
        let time = NaiveTime::MIN + chrono::TimeDelta::nanoseconds(nanos);
        Some(Stamp::Dated { nanos: local(date, time)?, digits })
    }

    /// A time with its zone, as RFC 3339 writes it, or with a zone of ISO 8601: `+0100`.
    pub fn zoned(text: &str) -> Option<Stamp> {
        // Most words are none, which shows at once.
        text.as_bytes().get(10).filter(|between| matches!(between, b'T' | b't' | b' '))?;
        let of_iso = |_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z");
        let time = DateTime::parse_from_rfc3339(text).or_else(of_iso).ok()?;
        Some(Stamp::Dated { nanos: time.timestamp_nanos_opt()?, digits: fraction_digits(text) })
    }

    /// A day and a time of this host's zone, with a part of a second, as ISO 8601 joins them:
    /// `2023-11-14T22:13:20.213856`.
    pub fn of_iso(text: &str) -> Option<Stamp> {
        text.as_bytes().get(10).filter(|between| **between == b'T')?;
        let (date, clock) = text.trim_end_matches(':').split_once('T')?;
        Stamp::dated(date, clock).filter(|stamp| matches!(stamp, Stamp::Dated { digits: 1.., .. }))
    }

    /// A day and a time in one cell, in any of Wireshark's styles.
    pub fn cell(text: &str) -> Option<Stamp> {
        let text = text.trim();
        if let Some(stamp) = Stamp::zoned(text) {
            return Some(stamp);
        }
        if let Some((date, clock)) = text.split_once([' ', 'T'])
            && let Some(stamp) = Stamp::dated(date, clock.trim())
        {
            return Some(stamp);
        }
        Stamp::clock(text)
            .or_else(|| Stamp::since_1970(text))
            .or_else(|| Stamp::seconds(text))
            .or_else(|| Stamp::spelled(text))
            .or_else(|| Stamp::spoken_alone(text))
    }

    fn spoken_alone(text: &str) -> Option<Stamp> {
        let words: Vec<&str> = text.split_whitespace().collect();
        Stamp::spoken(&words).filter(|(_, taken)| *taken == words.len()).map(|(stamp, _)| stamp)
    }

    /// `Nov 14, 2023 22:13:20.213856000 UTC`: how `frame.time` is shown. The zone is a number where it has no letters, and
    /// several words where Windows names it; no other is known but this host's.
    fn spelled(text: &str) -> Option<Stamp> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (time, zone) = words.split_at_checked(4)?;
        let bare = time.join(" ");
        let time = NaiveDateTime::parse_from_str(&bare, "%b %d, %Y %H:%M:%S%.f").ok()?;
        let nanos = match zone {
            ["UTC" | "GMT"] => time.and_utc().timestamp_nanos_opt()?,
            [zone] if zone.starts_with(['+', '-']) => {
                let zoned = DateTime::parse_from_str(
                    &format!("{bare} {zone}"),
                    "%b %d, %Y %H:%M:%S%.f %#z",
                );
                zoned.ok()?.timestamp_nanos_opt()?
            }
            _ if zone.iter().any(|word| word.starts_with(|c: char| c.is_ascii_digit())) => {
                return None;
            }
            _ => local(time.date(), time.time())?,
        };
        Some(Stamp::Dated { nanos, digits: fraction_digits(&bare) })
    }

    /// Tells whether it says more than whole seconds.
    pub fn has_fraction(self) -> bool {
        matches!(self, Stamp::Clock { digits: 1.., .. } | Stamp::Dated { digits: 1.., .. })
    }

    /// Nanoseconds since whatever it counts from.
    pub fn nanos(self) -> Option<i64> {
        match self {
            Stamp::None => None,
            Stamp::Clock { nanos, .. }
            | Stamp::Dated { nanos, .. }
            | Stamp::SinceLast { nanos } => Some(nanos),
        }
    }
}

fn two_digits(text: &str) -> Option<i64> {
    match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        }
        _ => None,
    }
}

/// Reads the digits behind the point. Returns nanoseconds, and the number of digits.
fn nanoseconds(fraction: &str) -> Option<(i64, u8)> {
    let digits = fraction.len();
    if digits == 0 || digits > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i64 = fraction.parse().ok()?;
    Some((value * 10_i64.pow(9 - digits as u32), digits as u8))
}

fn fraction_digits(text: &str) -> u8 {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().take_while(u8::is_ascii_digit).count().min(9) as u8
}

/// tcpdump prints local times; whoever reads the text here sees the same times again.
pub fn local(date: NaiveDate, time: NaiveTime) -> Option<i64> {
    let local: DateTime<Utc> = date.and_time(time).and_local_timezone(Local).earliest()?.to_utc();
    local.timestamp_nanos_opt()
}

/// Tells whether a line is the beginning of a packet's time, and no more. A text that ends with it, and not with the end of a line, was cut
/// off there.
pub fn is_part_of_time(line: &[u8]) -> bool {
    line.first().is_some_and(u8::is_ascii_digit)
        && line.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_three_times() {
        assert_eq!(
            Stamp::clock("11:38:45.693382"),
            Some(Stamp::Clock { nanos: 41_925_693_382_000, digits: 6 })
        );
        for wrong in ["02:00:00:00:00:05", "1:2:3", "24:00:00", "11:38", "::1", "11:38:15."] {
            assert_eq!(Stamp::clock(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_pause_of_tcpdump_3_has_six_digits() {
        let nanos = |before, word| Stamp::since_last(before, word).and_then(Stamp::nanos);
        assert_eq!(nanos("", "000060"), Some(60_000));
        assert_eq!(nanos("30.", "013446"), Some(30_013_446_000));
        for (before, word) in [("", "00060"), ("", "0000060"), ("", "00006x"), ("", "eth000")] {
            assert_eq!(nanos(before, word), None, "{word}");
        }
    }

    #[test]
    fn every_style_of_wireshark_is_read() {
        let nanos = 1_700_000_000_213_856_000;
        for cell in [
            "1700000000.213856000",
            "1700000000,213856",
            "2023-11-14T22:13:20.213856Z",
            "2023-11-14T23:13:20.213856+01:00",
            "Nov 14, 2023 22:13:20.213856000 UTC",
            "Nov 14, 2023 19:13:20.213856000 -03",
            "Nov 15, 2023 06:13:20.213856000 +08",
            "Nov 15, 2023 03:43:20.213856000 +0530",
        ] {
            assert_eq!(Stamp::cell(cell).and_then(Stamp::nanos), Some(nanos), "{cell}");
        }
        for clock in ["22:13:20.213856Z", "23:13:20.213856+0100", "21:13:20.213856-01:00"] {
            let dated = Stamp::dated("2023-11-14", clock);
            assert_eq!(dated.and_then(Stamp::nanos), Some(nanos), "{clock}");
        }
        assert_eq!(Stamp::dated("2023-11-14", "22:13:20.213856-"), None);
        assert_eq!(Stamp::cell("0.000050").and_then(Stamp::nanos), Some(50_000));
        assert_eq!(Stamp::cell("MySQL"), None);
    }
}
