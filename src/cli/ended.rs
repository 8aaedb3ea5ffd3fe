//! When a capture was stopped, as somebody writes it.

use chrono::{DateTime, Local, NaiveDateTime};

use crate::place::Time;
use crate::verdict::EndedAt;

/// `2026-11-26T14:48:54Z`, `2026-11-26 14:48:54`, `1795704534.5`, `mtime`.
pub fn ended_at(text: &str) -> Result<EndedAt, String> {
    if text == "mtime" {
        return Ok(EndedAt::Modified);
    }
    let zoned = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let local = || {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
        Some(time.and_local_timezone(Local).earliest()?.to_utc())
    };
    let nanos = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Some((seconds * 1e9) as i128),
        _ => zoned().or_else(local).and_then(|time| time.timestamp_nanos_opt()).map(i128::from),
    };
    let time = nanos.map_or(Time::UNKNOWN, Time::from_nanos);
    match time.nanos() {
        Some(_) => Ok(EndedAt::Time(time)),
        None => Err("write 2026-11-26T14:48:54Z, \"2026-11-26 14:48:54\", or mtime".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_the_file_s() {
        let at = |text| match ended_at(text) {
            Ok(EndedAt::Time(time)) => time.nanos(),
            _ => None,
        };
        assert_eq!(at("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(at("2.25"), Some(2_250_000_000));
        assert!(at("2026-11-26 14:48:54").is_some());
        assert_eq!(ended_at("mtime"), Ok(EndedAt::Modified));
        for wrong in ["soon", "-1", "nan", "inf", "1e300", "14:48", ""] {
            assert!(ended_at(wrong).is_err(), "{wrong}");
        }
    }
}
