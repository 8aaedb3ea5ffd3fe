//! Since when sockets have been in CLOSE-WAIT, and after how long idle, as one list tells it.

use chrono::TimeDelta;

use crate::owner::Socket;
use crate::place::Time;
use crate::summary::groups::{Pause, Timeout, per_minute};
use crate::summary::range::Range;

/// Times of sockets in CLOSE-WAIT.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// At least so long.
    held: Vec<TimeDelta>,
    /// At most so long, and then the FIN.
    idle: Vec<TimeDelta>,
    /// Pauses of those on which this host sends no keep-alives: with them, it is the interval of these that is alike.
    pauses: Vec<Pause>,
    /// On how many of them this host sends keep-alives.
    pub keep_alive: u64,
    sockets: usize,
}

impl Times {
    /// Takes a socket's times in, if the list has them.
    pub fn add(&mut self, socket: &Socket) {
        self.sockets += 1;
        let held = socket.held_for();
        self.held.extend(held);
        let idle = socket.idle_before_fin();
        self.idle.extend(idle);
        let is_kept_alive = socket.silence.is_some_and(|silence| silence.keep_alive);
        self.keep_alive += u64::from(is_kept_alive);
        let pause = |(idle, held)| Pause { idle, fin: before_list(held) };
        self.pauses.extend(idle.zip(held).filter(|_| !is_kept_alive).map(pause));
    }

    /// Returns the least and the most that they have been held.
    pub fn held(&self) -> Option<(TimeDelta, TimeDelta)> {
        least_and_most(self.held.iter().copied())
    }

    /// Returns the least and the most of the pauses before the FINs.
    pub fn idle(&self) -> Option<(TimeDelta, TimeDelta)> {
        least_and_most(self.idle.iter().copied())
    }

    /// Returns the timer that closed most of them, if one did.
    pub fn timeout(&self) -> Option<Timeout> {
        Timeout::of(self.pauses.iter().copied(), self.sockets)
    }

    /// Returns how many more there have been each minute since the first. Where keep-alives go out, nobody
    /// knows when that was.
    pub fn per_minute(&self) -> Option<f64> {
        let (_, longest) = self.held()?;
        let is_known = self.keep_alive == 0 && self.held.len() == self.sockets;
        is_known.then(|| per_minute(self.sockets - 1, longest))?
    }
}

/// The time so long before the list was made, whenever that was: only how far such times lie apart counts.
fn before_list(held: TimeDelta) -> Time {
    const LIST: i128 = i64::MAX as i128;
    held.num_nanoseconds().map_or(Time::UNKNOWN, |held| Time::from_nanos(LIST).before(held))
}

fn least_and_most(times: impl Iterator<Item = TimeDelta>) -> Option<(TimeDelta, TimeDelta)> {
    let mut all = Range::default();
    times.for_each(|time| all.add(time));
    all.ends()
}
