//! What the two applications will do, and what the path between them is like.

use crate::prng::Prng;
use crate::socket::Ending;

pub const LOCAL: usize = 0;
pub const PEER: usize = 1;

#[derive(Clone, Copy, Debug)]
pub enum Action {
    Connect,
    Write {
        octets: u32,
        hold: bool,
    },
    End(Ending),
    /// What is received stays in the buffer; and is taken from it again.
    StopReading,
    ReadOn,
    /// The host stops for good, without a word.
    Die,
    /// The host loses everything it knew.
    Reboot,
}

/// What an application does once it has read the end of file.
#[derive(Clone, Copy, Debug)]
pub struct AtEof {
    /// Writes more, so many times, so far apart.
    pub writes: u64,
    pub every: u64,
    /// In the end; nothing is the leak.
    pub then: Option<(u64, Ending)>,
}

#[derive(Clone, Debug)]
pub struct Connection {
    pub opener: usize,
    pub isn: [u32; 2],
    pub at_eof: [AtEof; 2],
    /// When, on which host.
    pub actions: Vec<(u64, usize, Action)>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub connections: Vec<Connection>,
    /// The end of the capture, at which the truth is told.
    pub end: u64,
    /// From local to the tap, and from the tap to the peer.
    pub legs: [Leg; 2],
    pub mortal: [bool; 2],
    /// When a host's interface is down: nothing leaves it, nothing reaches it.
    pub down: [Option<(u64, u64)>; 2],
}

/// A part of the path.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub delay: u64,
    pub jitter: u64,
    /// Of a thousand packets.
    pub lost: u64,
    pub detoured: u64,
    pub damaged: u64,
}

impl Leg {
    /// The tap stands at the host itself.
    pub const NONE: Leg = Leg { delay: 0, jitter: 0, lost: 0, detoured: 0, damaged: 0 };

    pub fn any(prng: &mut Prng) -> Leg {
        Leg {
            delay: prng.pick(&[50, 500, 5_000, 60_000]),
            jitter: prng.pick(&[0, 0, 20, 2_000]),
            lost: prng.pick(&[0, 0, 10, 60, 250]),
            detoured: prng.pick(&[0, 0, 30]),
            damaged: prng.pick(&[0, 0, 0, 10, 60]),
        }
    }
}

impl Plan {
    /// `legs` are given, for they depend on where the tap stands.
    pub fn any(prng: &mut Prng, legs: [Leg; 2]) -> Plan {
        let end = match prng.below(4) {
            0 => prng.between(1_000, 3_000_000),
            1 => prng.between(3_000_000, 20_000_000),
            _ => prng.between(20_000_000, 200_000_000),
        };
        // Whoever stands beside a host that dies captures no more.
        let mortal = legs.map(|leg| leg.delay > 0);
        let down = [(); 2].map(|()| prng.one_in(16).then(|| any_outage(prng, end)));
        let mut plan = Plan { connections: Vec::new(), end, legs, mortal, down };
        let mut at = 0;
        let mut isn = first_numbers(prng);
        let opener = prng.side();
        for _ in 0..prng.pick(&[1, 1, 1, 2, 3]) {
            at = plan.add_connection(prng, opener, isn, at);
            isn = isn.map(|n| n.wrapping_add(prng.between(100_000, 100_000_000) as u32));
        }
        plan
    }

    /// Returns when the next connection of the 4-tuple is tried.
    fn add_connection(&mut self, prng: &mut Prng, opener: usize, isn: [u32; 2], start: u64) -> u64 {
        let mut actions = vec![(start, opener, Action::Connect)];
        let mut now = start + prng.pause() / 10;
        for _ in 0..prng.below(7) {
            now += prng.pause();
            actions.push((now, prng.side(), any_write(prng)));
        }
        if prng.one_in(6) {
            let (lazy, since) = (prng.side(), start + prng.pause());
            actions.push((since, lazy, Action::StopReading));
            if prng.one_in(2) {
                actions.push((since + prng.pause(), lazy, Action::ReadOn));
            }
        }
        now += prng.pause();
        self.add_endings(prng, now, &mut actions);
        let at_eof = [AtEof::any(prng), AtEof::any(prng)];
        self.connections.push(Connection { opener, isn, at_eof, actions });
        now + prng.pause() + prng.pick(&[0, 1_000_000, 61_000_000])
    }

    fn add_endings(&self, prng: &mut Prng, at: u64, to: &mut Vec<(u64, usize, Action)>) {
        let first = prng.side();
        match prng.below(12) {
            0 => {}
            1 if self.mortal[first] => to.push((at, first, Action::Die)),
            // A rebooted local would have forgotten the truth.
            2 if self.mortal[PEER] => to.push((at, PEER, Action::Reboot)),
            3 => {
                to.push((at, first, Action::End(any_ending(prng))));
                to.push((at + prng.between(0, 50_000), 1 - first, Action::End(any_ending(prng))));
            }
            4 => {
                to.push((at, first, Action::Write { octets: 300, hold: true }));
                to.push((at, first, Action::End(Ending::Close)));
            }
            _ => to.push((at, first, Action::End(any_ending(prng)))),
        }
        if prng.one_in(8) {
            let who = prng.side();
            to.push((at + prng.pause(), who, Action::End(any_ending(prng))));
        }
        if prng.one_in(16) && self.mortal[PEER] {
            to.push((at + prng.pause(), PEER, prng.pick(&[Action::Die, Action::Reboot])));
        }
    }
}

/// Some last until the capture ends.
fn any_outage(prng: &mut Prng, end: u64) -> (u64, u64) {
    let from = prng.between(0, end);
    (from, if prng.one_in(2) { u64::MAX } else { from + prng.pause() })
}

/// Some near 2^32.
fn first_numbers(prng: &mut Prng) -> [u32; 2] {
    let mut one = || match prng.one_in(8) {
        true => u32::MAX - prng.below(3_000) as u32,
        false => prng.next() as u32,
    };
    [one(), one()]
}

fn any_write(prng: &mut Prng) -> Action {
    let octets = prng.pick(&[1, 50, 300, 1_448, 5_000]);
    Action::Write { octets, hold: prng.one_in(8) }
}

fn any_ending(prng: &mut Prng) -> Ending {
    use Ending::*;
    prng.pick(&[Close, Close, Close, Close, Shutdown, Shutdown, Abort])
}

impl AtEof {
    fn any(prng: &mut Prng) -> AtEof {
        let writes = prng.pick(&[0, 0, 0, 1, 4]);
        let then = prng.below(3).checked_sub(1).map(|_| {
            let how = prng.pick(&[Ending::Close, Ending::Close, Ending::Close, Ending::Abort]);
            (if prng.one_in(2) { prng.below(1_000) } else { prng.pause() }, how)
        });
        AtEof { writes, every: prng.pause(), then }
    }
}
