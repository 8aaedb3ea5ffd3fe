//! The clock of a replay: where it is, and how fast it goes.

use super::{App, Wish};
use crate::place::Time;
use crate::top::reel::Reel;

/// A replay's time line, once it is known, and its movement.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The capture that is replayed; none of a host.
    pub reel: Option<Reel>,
    /// True while time goes on by itself.
    pub is_playing: bool,
    /// Seconds of the capture in a second.
    pub speed: f64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { reel: None, is_playing: false, speed: 1.0 }
    }
}

/// The slowest and the fastest.
const SPEEDS: (f64, f64) = (1.0 / 16.0, 65_536.0);

impl App {
    /// Plays, or pauses. At its end, it begins anew.
    pub(super) fn play_or_pause(&mut self) -> Vec<Wish> {
        let Some(reel) = &self.clock.reel else { return self.no_time_line() };
        self.clock.is_playing = !self.clock.is_playing;
        if !self.clock.is_playing {
            return vec![Wish::Pause];
        }
        let now = self.picture.at();
        let from = if now >= reel.end { reel.first } else { now };
        vec![Wish::Play(from, self.clock.speed)]
    }

    /// Goes twice as fast, or half.
    pub(super) fn change_speed(&mut self, by: f64) -> Vec<Wish> {
        let (slowest, fastest) = SPEEDS;
        self.clock.speed = (self.clock.speed * by).clamp(slowest, fastest);
        match self.clock.is_playing {
            true => vec![Wish::Play(self.picture.at(), self.clock.speed)],
            false => Vec::new(),
        }
    }

    /// Moves by a part of the capture.
    pub(super) fn scrub(&mut self, part: f64) -> Vec<Wish> {
        let now = self.picture.at();
        self.seek(|reel| Some(reel.moved(now, part)))
    }

    /// Goes to the next finding, or to the one before.
    pub(super) fn step(&mut self, is_forward: bool) -> Vec<Wish> {
        let now = self.picture.at();
        let wishes = self.seek(|reel| if is_forward { reel.next(now) } else { reel.previous(now) });
        if wishes.is_empty() && self.clock.reel.is_some() {
            let (other, side) = if is_forward { ("no more", "after") } else { ("no", "before") };
            self.said = Some(format!("{other} finding {side} this"));
        }
        wishes
    }

    /// Goes to a time of the capture, and stops there.
    pub(super) fn seek(&mut self, to: impl FnOnce(&Reel) -> Option<Time>) -> Vec<Wish> {
        let Some(reel) = &self.clock.reel else { return self.no_time_line() };
        let Some(to) = to(reel) else { return Vec::new() };
        self.clock.is_playing = false;
        vec![Wish::Seek(to)]
    }

    /// Goes to a time that was typed.
    pub(super) fn jump(&mut self, text: &str) -> Vec<Wish> {
        let (now, zone) = (self.picture.at(), self.setting.zone);
        let wishes = self.seek(|reel| reel.parse(text, now, zone));
        if wishes.is_empty() && self.clock.reel.is_some() {
            self.said = Some("write 12:30:05, 12:30, +30s, -2min or 50%".to_owned());
        }
        wishes
    }

    fn no_time_line(&mut self) -> Vec<Wish> {
        let is_read = self.whole.is_some();
        let why = if is_read { "the packets have no times" } else { "still reading" };
        self.said = Some(why.into());
        Vec::new()
    }
}
