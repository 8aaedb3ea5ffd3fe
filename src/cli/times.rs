//! Times: how they are given, and how they are to be written.

use std::time::Duration;

use chrono::{DateTime, Local, NaiveDateTime, SecondsFormat};
use clap::{ArgAction, Args};

use super::options::Options;
use crate::place::Time;
use crate::units::Zone;
use crate::verdict::EndedAt;

/// Options for the form of times.
#[derive(Args)]
pub struct TimeArgs {
    /// Times in UTC instead of the local zone
    #[arg(long, help_heading = "Output")]
    utc: bool,

    /// -tttt: dates before times
    #[arg(short = 't', action = ArgAction::Count, help_heading = "Output")]
    time_style: u8,

    /// Names are never resolved; accepted for tcpdump's sake, as are -l, -q, -v and -e
    #[arg(short = 'n', action = ArgAction::Count, help_heading = "Output")]
    numeric: u8,

    #[arg(short = 'v', action = ArgAction::Count, hide = true)]
    verbose: u8,

    #[arg(short = 'l', hide = true)]
    line_buffered: bool,

    #[arg(short = 'q', hide = true)]
    quick: bool,

    #[arg(short = 'e', hide = true)]
    link_level: bool,
}

impl TimeArgs {
    pub fn zone(&self) -> Zone {
        if self.utc { Zone::Utc } else { Zone::Local }
    }

    /// Writes down those that bear on a report.
    pub fn options(&self, options: &mut Options) {
        options.flag("--utc", self.utc);
        options.flag("-tttt", self.dates());
    }

    pub fn dates(&self) -> bool {
        self.time_style >= 4
    }
}

/// `5s`, `500ms`, `2min`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string()),
        None => {
            humantime::parse_duration(text).map_err(|e| format!("{e}: write 5s, 500ms or 2min"))
        }
    }
}

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

/// An end as [`ended_at`] reads it.
pub fn end_word(end: EndedAt) -> String {
    match end {
        EndedAt::Modified => "mtime".into(),
        EndedAt::Time(time) => {
            let time = DateTime::from_timestamp_nanos(time.nanos().unwrap_or_default());
            time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
        }
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
        for text in ["mtime", "2026-11-26T14:48:54.000000001Z"] {
            assert_eq!(ended_at(text).map(end_word).as_deref(), Ok(text));
        }
        for wrong in ["soon", "-1", "nan", "inf", "1e300", "14:48", ""] {
            assert!(ended_at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_take_units_or_seconds() {
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert!(duration("-1").is_err());
        assert!(duration("soon").is_err());
    }
}
