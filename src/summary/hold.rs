//! Times in CLOSE-WAIT, and whether they have ended.

use std::fmt::{Display, Formatter, Result};

use chrono::TimeDelta;

use crate::units::{duration, range};

/// The time for which a connection was held: at least that, where it went on when the capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    /// Its length, as far as it was captured.
    pub lasted: TimeDelta,
    /// Neither a FIN nor a reset ended it.
    pub goes_on: bool,
}

impl Hold {
    /// Says how long the least and the most of some are: `≥ 5.4 s … ≥ 6.4 s`, `31 s … ≥ 60 s`, `75.0 s`.
    pub fn range(least: Hold, most: Hold) -> String {
        match (least.to_string(), most.to_string()) {
            (least, most) if least == most => least,
            (least, most) => format!("{least} … {most}"),
        }
    }

    /// Says the same with one sign for both, where it is true of both.
    pub fn short_range(least: Hold, most: Hold) -> String {
        match least.goes_on && most.goes_on {
            true => format!("≥ {}", range(least.lasted, most.lasted)),
            false => Hold::range(least, most),
        }
    }
}

impl Display for Hold {
    fn fmt(&self, f: &mut Formatter) -> Result {
        let bound = if self.goes_on { "≥ " } else { "" };
        write!(f, "{bound}{}", duration(self.lasted))
    }
}
