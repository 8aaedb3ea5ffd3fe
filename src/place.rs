//! The place and the time of a packet in its capture.
//!
//! Both types are small on purpose: a flow keeps several of each.

use std::num::NonZeroU64;

/// Nanoseconds since 1970-01-01 UTC, or [`Time::UNKNOWN`].
///
/// A pcapng simple packet has no time at all, and a damaged one can claim any; neither may stop the
/// work, so "unknown" is a value that every operation carries along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

/// Packets that come late are not so much older than those before them.
pub const DISORDER_NS: i64 = 1_000_000_000;

/// The first month of 1970.
const UNDATED_NS: i64 = 31 * 86_400_000_000_000;

impl Default for Time {
    fn default() -> Time {
        Time::UNKNOWN
    }
}

impl Time {
    /// A packet without a usable time. Orders before every known time.
    pub const UNKNOWN: Time = Time(i64::MIN);

    /// From nanoseconds since 1970; unknown outside 1970 to 2261.
    #[must_use]
    pub fn from_nanos(nanos: i128) -> Time {
        match i64::try_from(nanos) {
            Ok(n) if n >= 0 => Time(n),
            _ => Time::UNKNOWN,
        }
    }

    /// From nanoseconds since 1970; unknown after 2261.
    pub fn from_unsigned(nanos: u64) -> Time {
        i64::try_from(nanos).map_or(Time::UNKNOWN, Time)
    }

    /// Nanoseconds since 1970, if known.
    #[must_use]
    pub fn nanos(self) -> Option<i64> {
        (self != Time::UNKNOWN).then_some(self.0)
    }

    /// True for a time of day, of which neither the day nor the zone is known: a text that prints nothing else has its
    /// packets in the first month of 1970, and so has a host whose clock was not set yet.
    #[must_use]
    pub fn is_undated(self) -> bool {
        (0..UNDATED_NS).contains(&self.0)
    }

    /// Nanoseconds from `earlier` to `self`; never negative, `None` where either is unknown.
    #[must_use]
    pub fn since(self, earlier: Time) -> Option<i64> {
        Some((self.nanos()? - earlier.nanos()?).max(0))
    }

    /// Tells whether it is earlier than `before`, which was read before it, by more than mere disorder makes.
    #[must_use]
    pub fn is_set_back_from(self, before: Time) -> bool {
        let compare = self.is_undated() == before.is_undated();
        compare && before.since(self) > Some(DISORDER_NS)
    }

    /// Nanoseconds from `earlier` to `self`, which was captured after it; `None` where either is unknown, only one of
    /// them has a date, or the clock was set back in between: how long it took, nobody knows. Packets that come out of
    /// order are from zero on.
    #[must_use]
    pub fn measured_since(self, earlier: Time) -> Option<i64> {
        let was_set_back = earlier.since(self)? > DISORDER_NS;
        let compare = self.is_undated() == earlier.is_undated();
        if was_set_back || !compare { None } else { self.since(earlier) }
    }

    /// `self` and `nanos` more; the latest time that there is, where that is too late.
    #[must_use]
    pub fn after(self, nanos: i64) -> Time {
        self.nanos().map_or(Time::UNKNOWN, |n| Time(n.saturating_add(nanos)))
    }

    /// `self` less `nanos`, not going below 1970.
    #[must_use]
    pub fn before(self, nanos: i64) -> Time {
        self.nanos().map_or(Time::UNKNOWN, |n| Time(n.saturating_sub(nanos).max(0)))
    }
}

/// One captured packet: its time, its file, and its number in that file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The time of its capture.
    pub time: Time,
    /// Never zero, so that a place that may be missing costs no more than one that is there.
    position: NonZeroU64,
}

/// Before every other one, at no known time.
impl Default for Place {
    fn default() -> Place {
        Place { time: Time::UNKNOWN, position: NonZeroU64::MIN }
    }
}

/// Bits of the frame number in `Place::position`; the rest are the file (16) and the digits (4).
const FRAME_BITS: u32 = 44;

impl Place {
    /// `digits` are the decimal digits that the capture gives to a second (0 to 9).
    #[inline]
    #[must_use]
    pub fn new(time: Time, file: u16, frame: u64, digits: u8) -> Place {
        let frame = frame.clamp(1, (1 << FRAME_BITS) - 1);
        let bits = u64::from(file) << (FRAME_BITS + 4) | frame << 4 | u64::from(digits.min(9));
        Place { time, position: NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN) }
    }

    /// The index of the file in the order of reading.
    #[must_use]
    pub fn file(self) -> usize {
        (self.position.get() >> (FRAME_BITS + 4)) as usize
    }

    /// The packet's number in its file, counted from 1 as Wireshark does.
    #[must_use]
    pub fn frame(self) -> u64 {
        self.position.get() >> 4 & ((1 << FRAME_BITS) - 1)
    }

    /// The number of decimal digits of a second that the capture records.
    #[must_use]
    pub fn digits(self) -> usize {
        (self.position.get() & 0xf) as usize
    }

    /// The number of packets from `base` to this one in the same file; `None` if it lies before it, or elsewhere.
    #[inline]
    #[must_use]
    pub fn frames_after(self, base: Place) -> Option<u32> {
        let ahead = self.position.get().checked_sub(base.position.get())?;
        // Where file or digits differ, so do bits above or below.
        if ahead & 0xf == 0 { u32::try_from(ahead >> 4).ok() } else { None }
    }

    /// The place so many packets after this one.
    #[inline]
    #[must_use]
    pub fn later(self, time: Time, frames: u64) -> Place {
        Place { time, position: self.position.saturating_add(frames << 4) }
    }

    /// The place at this time of which [`Place::order`] gave the key.
    #[must_use]
    pub fn of_order(time: Time, order: u64) -> Place {
        Place { time, position: NonZeroU64::new(order).unwrap_or(NonZeroU64::MIN) }
    }

    /// A key that orders places as they were read.
    #[must_use]
    pub fn order(self) -> u64 {
        self.position.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_gives_back_what_it_was_made_of() {
        let p = Place::new(Time::from_nanos(5), u16::MAX, 1 << 40, 9);
        assert_eq!((p.file(), p.frame(), p.digits()), (65_535, 1 << 40, 9));
        assert!(
            Place::new(Time::UNKNOWN, 1, 1, 9).order()
                > Place::new(Time::UNKNOWN, 0, 99, 0).order()
        );
    }

    #[test]
    fn unknown_times_give_no_duration() {
        let t = Time::from_nanos(7);
        assert_eq!(t.since(Time::UNKNOWN), None);
        assert_eq!(Time::from_nanos(3).since(t), Some(0));
        assert_eq!(Time::from_nanos(-1), Time::UNKNOWN);
        assert_eq!(Time::from_nanos(1 << 80), Time::UNKNOWN);
    }
}
