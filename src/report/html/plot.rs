//! Shapes of plots. They stretch with the page, so words stand beside them and not in them.

use std::fmt::Write;

use maud::{Markup, html};

use crate::place::Time;
use crate::units::{Zone, clock_time};

/// The width of every plot, in units of its own.
pub const WIDE: f64 = 1000.0;

/// The height of a curve.
pub const HIGH: f64 = 100.0;

/// Time from the left to the right.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    from: i64,
    nanos: i64,
}

impl Axis {
    /// Returns nothing where times are not known.
    pub fn new(from: Time, until: Time) -> Option<Axis> {
        let nanos = until.since(from)?.max(1);
        Some(Axis { from: from.nanos()?, nanos })
    }

    /// The place of a moment; those outside stand at the edges.
    pub fn x(self, time: Time) -> f64 {
        let since = time.nanos().map_or(0, |nanos| nanos.saturating_sub(self.from));
        (since as f64 / self.nanos as f64).clamp(0.0, 1.0) * WIDE
    }

    /// The times at the left edge, in the middle and at the right edge, as a clock shows them.
    pub fn ticks(self, zone: Zone, dates: bool) -> Markup {
        let digits = match self.nanos {
            0..10_000_000_000 => 3,
            _ => 0,
        };
        let at = |part: i64| {
            let time = Time::from_nanos((self.from + self.nanos / 2 * part).into());
            clock_time(time, digits, zone, dates)
        };
        html! { div.ticks { @for part in 0..3 { span { (at(part)) } } } }
    }
}

/// Number with one digit after the point, or none where that is zero.
pub fn number(n: f64) -> String {
    let rounded = (n * 10.0).round() / 10.0;
    format!("{rounded}")
}

/// The paths of a curve in steps, and of the area below it.
pub fn steps(counts: &[u32], most: u32) -> (String, String) {
    let y = |n: u32| number(HIGH - f64::from(n) / f64::from(most.max(1)) * (HIGH - 4.0));
    let x = |at: usize| number(at as f64 / counts.len().max(1) as f64 * WIDE);
    let mut line = String::new();
    let mut before = None;
    for (at, n) in counts.iter().enumerate() {
        let _ = match before {
            None => write!(line, "M0 {}", y(*n)),
            Some(before) if before == *n => Ok(()),
            Some(_) => write!(line, "H{}V{}", x(at), y(*n)),
        };
        before = Some(*n);
    }
    let _ = write!(line, "H{WIDE}");
    let area = format!("{line}V{HIGH}H0Z");
    (line, area)
}

/// A bar from one place to another on a track.
pub fn bar(from: f64, until: f64, class: &str, label: &str) -> Markup {
    // Too narrow to be seen, it would be no bar.
    let width = (until - from).max(4.0);
    html! {
        svg viewBox={ "0 0 " (WIDE) " 10" } preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.track width=(WIDE) height="10" {}
            rect class=(class) x=(number(from.min(WIDE - width))) width=(number(width)) height="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_a_step_only_where_it_changes() {
        let (line, area) = steps(&[0, 0, 2, 2], 2);
        assert_eq!(line, "M0 100H500V4H1000");
        assert_eq!(area, "M0 100H500V4H1000V100H0Z");
    }

    #[test]
    fn moments_outside_stand_at_the_edges() {
        let at = |seconds: i128| Time::from_nanos(seconds * 1_000_000_000);
        let axis = Axis::new(at(100), at(200)).expect("known");
        assert_eq!([50, 100, 150, 300].map(|s| axis.x(at(s))), [0.0, 0.0, 500.0, 1000.0]);
        assert!(Axis::new(Time::UNKNOWN, at(1)).is_none());
    }
}
