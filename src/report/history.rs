//! Sockets by state over time, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::lines::EndKey;
use crate::place::Time;
use crate::summary::Capture;
use crate::summary::history::Hold;
use crate::units::{DIGITS, rfc3339, seconds};

/// The states of a capture's sockets: how many there were at the end of each bin.
#[derive(Serialize)]
pub struct HistoryLine {
    /// The beginning of the first bin.
    from: Option<String>,
    bin_s: f64,
    states: BTreeMap<&'static str, Vec<u32>>,
    /// CLOSE-WAIT's growth since most of them went at once, where it shows.
    close_wait_per_minute: Option<f64>,
    longest_close_wait: Vec<HoldLine>,
}

#[derive(Serialize)]
struct HoldLine {
    own: EndKey,
    peer: EndKey,
    from: Option<String>,
    /// Null while it lasts.
    until: Option<String>,
    lasted_s: f64,
}

/// Packets that were dropped in a file.
#[derive(Serialize)]
pub struct DropsLine {
    from: Option<String>,
    until: Option<String>,
    packets: u64,
}

fn at(time: Time) -> Option<String> {
    rfc3339(time, DIGITS)
}

impl HistoryLine {
    /// Returns nothing for a capture without times, or without connections that have a local side.
    pub fn of(capture: &Capture) -> Option<HistoryLine> {
        let series = capture.series().filter(|series| !series.states.is_empty())?;
        let longest = capture.history.longest();
        Some(HistoryLine {
            from: at(series.from),
            bin_s: seconds(series.width),
            close_wait_per_minute: series.per_minute(crate::tcp::state::State::CloseWait),
            states: series.states.into_iter().map(|(state, n)| (state.name(), n)).collect(),
            longest_close_wait: longest.iter().map(HoldLine::from).collect(),
        })
    }
}

impl From<&Hold> for HoldLine {
    fn from(hold: &Hold) -> HoldLine {
        HoldLine {
            own: hold.own.into(),
            peer: hold.peer.into(),
            from: at(hold.from),
            until: hold.until.and_then(at),
            lasted_s: seconds(hold.lasted),
        }
    }
}

impl DropsLine {
    pub fn all(capture: &Capture) -> Vec<DropsLine> {
        let line = |drops: &crate::summary::Drops| DropsLine {
            from: at(drops.from),
            until: at(drops.until),
            packets: drops.packets,
        };
        capture.drops.iter().map(line).collect()
    }
}
