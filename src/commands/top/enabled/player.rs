//! The player of a replay: goes through the packets as it is told, and shows them on the way.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::live::replay::{Cue, Director};
use crate::place::Time;

/// An order to the player.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Show this time, and stop.
    Seek(Time),
    /// Go on from this time, so many times as fast as it happened.
    Play(Time, f64),
    Pause,
}

/// The movement of a player.
#[derive(Clone, Copy, Debug)]
enum Motion {
    /// On the way to a time; then it plays at a speed, or stands still.
    To(Time, Option<f64>),
    /// It was at this time, at that moment, and goes so fast.
    Plays(Time, Instant, f64),
    Still,
}

/// Time between two pictures while it plays: what a picture costs is at most a part of that.
const SHOWN_EVERY: Duration = Duration::from_millis(100);

/// The part of the time that goes into pictures.
const SHARE: u32 = 3;

/// The times that are shown, one after the other, where each picture is a reading of its own.
pub struct Steps<'a> {
    orders: &'a Receiver<Order>,
    /// The order that is still to be followed.
    order: Option<Order>,
    /// Plays from this time, since that moment, so fast.
    plays: Option<(Time, Instant, f64)>,
    asked: Instant,
    /// The user is gone.
    pub is_over: bool,
}

impl<'a> Steps<'a> {
    pub fn new(orders: &'a Receiver<Order>, first: Order) -> Steps<'a> {
        let asked = Instant::now();
        Steps { orders, order: Some(first), plays: None, asked, is_over: false }
    }

    /// The next time to be shown; none where nothing moves any more.
    pub fn next(&mut self, end: Time) -> Option<Time> {
        // What the picture before cost, and a pause.
        let pause = SHOWN_EVERY.max(self.asked.elapsed() * (SHARE - 1));
        if self.plays.is_some() && self.order.is_none() {
            match self.orders.recv_timeout(pause) {
                Ok(order) => self.order = Some(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
        }
        while let Ok(order) = self.orders.try_recv() {
            self.order = Some(order);
        }
        self.asked = Instant::now();
        match self.order.take() {
            Some(Order::Seek(to)) => {
                self.plays = None;
                return Some(to);
            }
            Some(Order::Play(from, speed)) => self.plays = Some((from, self.asked, speed)),
            Some(Order::Pause) => self.plays = None,
            None => {}
        }
        let (from, since, speed) = self.plays?;
        let at = Player::now(from, since, speed).min(end);
        if at == end {
            self.plays = None;
        }
        Some(at)
    }

    fn end(&mut self) -> Option<Time> {
        self.is_over = true;
        None
    }
}

/// Plays one reading of the captures, from their beginning.
pub struct Player<'a> {
    orders: &'a Receiver<Order>,
    motion: Motion,
    /// The time that is shown.
    at: Time,
    shown: Instant,
    /// A picture's cost, the last time.
    cost: Duration,
    /// The order that this reading could not follow: it lies behind it.
    pub left_for: Option<Order>,
    /// The user is gone.
    pub is_over: bool,
}

impl<'a> Player<'a> {
    pub fn new(orders: &'a Receiver<Order>, order: Order) -> Player<'a> {
        let mut player = Player {
            orders,
            motion: Motion::Still,
            at: Time::UNKNOWN,
            shown: Instant::now(),
            cost: Duration::ZERO,
            left_for: None,
            is_over: false,
        };
        player.obey(order);
        player
    }

    /// Changes its motion. False if that takes another reading.
    fn obey(&mut self, order: Order) -> bool {
        self.motion = match order {
            Order::Seek(to) | Order::Play(to, _) if to < self.at => {
                self.left_for = Some(order);
                return false;
            }
            Order::Seek(to) => Motion::To(to, None),
            Order::Play(from, speed) if from > self.at => Motion::To(from, Some(speed)),
            Order::Play(from, speed) => Motion::Plays(from, Instant::now(), speed),
            Order::Pause => Motion::Still,
        };
        true
    }

    fn show(&mut self, at: Time) -> Cue {
        self.at = at;
        self.shown = Instant::now();
        Cue::Show(at)
    }

    /// Waits for an order, so long at most. Something else than `None` ends this reading.
    fn wait(&mut self, longest: Option<Duration>) -> Option<Cue> {
        let order = match longest {
            Some(longest) => self.orders.recv_timeout(longest),
            None => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match order {
            Ok(order) => self.heed(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => self.end(),
        }
    }

    /// Follows what has been ordered meanwhile; the last of several orders counts.
    fn heed(&mut self, mut order: Order) -> Option<Cue> {
        loop {
            match self.orders.try_recv() {
                Ok(next) => order = next,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return self.end(),
            }
        }
        (!self.obey(order)).then_some(Cue::Leave)
    }

    fn end(&mut self) -> Option<Cue> {
        self.is_over = true;
        Some(Cue::Leave)
    }

    /// The time that it shows while it plays.
    fn now(from: Time, since: Instant, speed: f64) -> Time {
        from.after((since.elapsed().as_secs_f64() * speed * 1e9) as i64)
    }
}

impl Director for Player<'_> {
    fn cue(&mut self, packet: Time) -> Cue {
        loop {
            match self.orders.try_recv() {
                Ok(order) => {
                    if let Some(cue) = self.heed(order) {
                        return cue;
                    }
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    self.is_over = true;
                    return Cue::Leave;
                }
            }
            match self.motion {
                Motion::To(to, _) if packet <= to => return Cue::Packet,
                Motion::To(to, then) => {
                    self.motion = then
                        .map_or(Motion::Still, |speed| Motion::Plays(to, Instant::now(), speed));
                    return self.show(to);
                }
                Motion::Still => {
                    if let Some(cue) = self.wait(None) {
                        return cue;
                    }
                }
                Motion::Plays(from, since, speed) => {
                    let now = Self::now(from, since, speed);
                    // The first look after a picture tells what it cost.
                    if self.cost == Duration::MAX {
                        self.cost = self.shown.elapsed();
                    }
                    let pause = SHOWN_EVERY.max(self.cost * SHARE);
                    let left = pause.saturating_sub(self.shown.elapsed());
                    if left.is_zero() {
                        self.cost = Duration::MAX;
                        return self.show(now.min(packet.before(1)).max(self.at));
                    }
                    if packet <= now {
                        return Cue::Packet;
                    }
                    let due = packet.since(now).unwrap_or(0) as f64 / speed;
                    let due = Duration::from_nanos(due as u64);
                    if let Some(cue) = self.wait(Some(left.min(due))) {
                        return cue;
                    }
                }
            }
        }
    }
}
