//! Words for a process's descriptors and when they run out.

use crate::place::Time;
use crate::report::lang::Lang;
use crate::report::pace::LEAST;
use crate::summary::growth::Outlook;
use crate::units::{Zone, clock_time, thousands};

/// A rate for a line: tenths where they matter.
pub fn rate(per_minute: f64, lang: Lang) -> String {
    match per_minute.abs() {
        0.0..10.0 => tenths(per_minute, lang).unwrap_or_else(|| lang.steady()),
        _ => {
            let sign = if per_minute < 0.0 { "-" } else { "+" };
            lang.rate(format!("{sign}{}", thousands(per_minute.abs().round() as u64)))
        }
    }
}

/// A rate in tenths, by the minute or by the hour: in the unit that shows it; nothing where none does.
pub fn tenths(per_minute: f64, lang: Lang) -> Option<String> {
    let an_hour = per_minute * 60.0;
    if per_minute.abs() >= LEAST {
        Some(lang.rate(format!("{per_minute:+.1}")))
    } else {
        (an_hour.abs() >= LEAST).then(|| lang.rate_an_hour(format!("{an_hour:+.1}")))
    }
}

/// An estimated time, to the minute; with the date, where that is not soon.
pub fn to_the_minute(full_at: Time, now: Time, zone: Zone) -> String {
    const DAY_NS: i64 = 86_400_000_000_000;
    let is_soon = full_at.since(now).is_some_and(|nanos| nanos < DAY_NS);
    let at = clock_time(full_at, 0, zone, !is_soon);
    at.get(..at.len().saturating_sub(3)).unwrap_or(&at).to_owned()
}

/// `40 of 1,024 descriptors, +12 a minute, limit reached at 04:12`: as much of it as is known.
pub fn outlook(outlook: &Outlook, now: Time, zone: Zone, lang: Lang) -> String {
    let number = |n: Option<u64>| n.map_or("?".into(), thousands);
    let Outlook { usage, per_minute, full_at } = outlook;
    let mut parts = vec![lang.in_use(number(usage.in_use), number(usage.limit))];
    parts.extend(per_minute.map(|per_minute| rate(per_minute, lang)));
    let at = full_at.map(|full_at| to_the_minute(full_at, now, zone));
    parts.extend(at.map(|at| lang.limit_reached(at)));
    parts.join(&lang.comma())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Usage;

    #[test]
    fn the_limit_is_told_to_the_minute() {
        let now = Time::from_nanos(1_500_000_000_000_000_000);
        let usage = Usage { command: "orders".into(), limit: Some(1_024), in_use: Some(24) };
        let said =
            |rate| outlook(&Outlook::new(usage.clone(), rate, now), now, Zone::Utc, Lang::English);
        assert_eq!(
            said(Some(100.0)),
            "24 of 1,024 descriptors, +100 a minute, limit reached at 02:50"
        );
        assert_eq!(
            said(Some(0.5)),
            "24 of 1,024 descriptors, +0.5 a minute, limit reached at 2017-07-15 12:00"
        );
        assert_eq!(
            said(Some(2.0 / 60.0)),
            "24 of 1,024 descriptors, +2.0 an hour, limit reached at 2017-08-03 22:40"
        );
        assert_eq!(said(Some(0.0)), "24 of 1,024 descriptors, not growing");
        assert_eq!(said(Some(-3.0)), "24 of 1,024 descriptors, -3.0 a minute");
        assert_eq!(said(None), "24 of 1,024 descriptors");
    }
}
