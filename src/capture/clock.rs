//! Time as the interfaces of a pcapng file count it.

use crate::place::Time;

/// An interface's way to count time.
#[derive(Clone)]
pub struct Clock {
    scale: Scale,
    /// Nanoseconds added to every time (if_tsoffset).
    offset: i128,
    /// Decimal digits of a second.
    pub digits: u8,
}

#[derive(Clone)]
enum Scale {
    /// Nanoseconds a tick.
    Coarse(u64),
    /// Ticks a second.
    Fine(u128),
}

impl Clock {
    /// Makes it of if_tsresol, a negative power of ten, or of two with the top bit set, and if_tsoffset in seconds.
    pub fn new(resolution: u8, offset_s: i64) -> Clock {
        let exponent = u32::from(resolution & 0x7f);
        let binary = resolution & 0x80 != 0;
        let (scale, digits) = match exponent {
            0..=9 if !binary => (Scale::Coarse(10u64.pow(9 - exponent)), exponent),
            10..=38 if !binary => (Scale::Fine(10u128.pow(exponent)), 9),
            0..=126 if binary => (Scale::Fine(1 << exponent), exponent.min(9)),
            _ => (Scale::Fine(u128::MAX), 9),
        };
        Clock { scale, offset: i128::from(offset_s) * 1_000_000_000, digits: digits as u8 }
    }

    /// Returns the time after so many ticks.
    pub fn time(&self, ticks: u64) -> Time {
        if let (Scale::Coarse(nanos), 0) = (&self.scale, self.offset)
            && let Some(nanos) = ticks.checked_mul(*nanos)
        {
            return Time::from_unsigned(nanos);
        }
        let nanos = match self.scale {
            Scale::Coarse(nanos) => i128::from(ticks) * i128::from(nanos),
            // 2^64 times a thousand million is far below 2^127.
            Scale::Fine(hertz) => (u128::from(ticks) * 1_000_000_000 / hertz) as i128,
        };
        Time::from_nanos(nanos + self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resolution_becomes_nanoseconds() {
        let nanos = |resolution, ticks| Clock::new(resolution, 0).time(ticks).nanos();
        assert_eq!(nanos(6, 1_500_000), Some(1_500_000_000));
        assert_eq!(nanos(9, 1_500_000_000), Some(1_500_000_000));
        assert_eq!(nanos(0, 2), Some(2_000_000_000));
        assert_eq!(nanos(12, 1_500_000_000_000), Some(1_500_000_000));
        assert_eq!(nanos(0x80 | 10, 1536), Some(1_500_000_000));
        assert_eq!(nanos(0x7f, u64::MAX), Some(0));
        assert_eq!(Clock::new(6, 3).time(1).nanos(), Some(3_000_001_000));
        assert_eq!(Clock::new(6, -3).time(1).nanos(), None);
    }
}
