//! Since when sockets have been in CLOSE-WAIT, and after how long idle, as one list tells it.

use chrono::TimeDelta;

use crate::owner::Socket;
use crate::summary::groups::{Timeout, per_minute};

/// Times of sockets in CLOSE-WAIT.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// At least so long.
    held: Vec<TimeDelta>,
    /// At most so long.
    idle: Vec<TimeDelta>,
    /// On how many of them this host sends keep-alives.
    pub keep_alive: u64,
    sockets: usize,
}

impl Times {
    /// Takes a socket's times in, if the list has them.
    pub fn add(&mut self, socket: &Socket) {
        self.sockets += 1;
        self.held.extend(socket.held_for());
        self.idle.extend(socket.idle_before_fin());
        self.keep_alive += u64::from(socket.silence.is_some_and(|silence| silence.keep_alive));
    }

    /// Returns the least and the most that they have been held.
    pub fn held(&self) -> Option<(TimeDelta, TimeDelta)> {
        least_and_most(&self.held)
    }

    /// Returns the least and the most of the pauses before the FINs.
    pub fn idle(&self) -> Option<(TimeDelta, TimeDelta)> {
        least_and_most(&self.idle)
    }

    /// Returns the timer that closed most of them, if one did.
    pub fn timeout(&self) -> Option<Timeout> {
        Timeout::of(self.idle.iter().copied(), self.sockets)
    }

    /// Returns how many more there have been each minute since the first. Where keep-alives go out, nobody
    /// knows when that was.
    pub fn per_minute(&self) -> Option<f64> {
        let (_, longest) = self.held()?;
        let is_known = self.keep_alive == 0 && self.held.len() == self.sockets;
        is_known.then(|| per_minute(self.sockets - 1, longest))?
    }
}

fn least_and_most(times: &[TimeDelta]) -> Option<(TimeDelta, TimeDelta)> {
    let (least, most) = (times.iter().min()?, times.iter().max()?);
    Some((*least, *most))
}
