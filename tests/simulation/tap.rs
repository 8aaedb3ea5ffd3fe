//! What a capture shows of what came past the tap.

use closewait::tcp::segment::{Flags, Way};

use crate::plan::{LOCAL, Leg, PEER};
use crate::prng::Prng;
use crate::socket::Packet;
use crate::world::Passed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    AtLocal,
    Between,
    AtPeer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Everything,
    /// SYN, FIN and RST.
    Flags,
    Payload,
    From(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum Misses {
    Nothing,
    /// So many of a thousand.
    Some(u64),
    /// Everything between two times.
    Burst(u64, u64),
    /// Again and again it is overrun: everything for so long, so often.
    Overrun {
        every: u64,
        lasts: u64,
    },
}

#[derive(Clone, Debug)]
pub struct TapPlan {
    pub stand: Stand,
    pub from: u64,
    pub misses: Misses,
    /// It counts what it missed.
    pub counts: bool,
    pub filter: Filter,
    /// The capture tells the direction of its packets.
    pub tells_way: bool,
    /// Other connections are in the capture too.
    pub company: bool,
    pub truncated: bool,
    /// Checksums of what arrives can be told right from wrong, and a SYN's options are there.
    pub whole_packets: bool,
    /// Of a thousand packets, so many are captured twice.
    pub twice: u64,
}

/// A packet in the capture.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub at: u64,
    pub packet: Packet,
    pub way: Option<Way>,
}

pub struct Capture {
    pub seen: Vec<Seen>,
    pub missed: u64,
}

impl TapPlan {
    pub fn any(prng: &mut Prng) -> TapPlan {
        let stand = prng.pick(&[Stand::AtLocal, Stand::AtLocal, Stand::Between, Stand::AtPeer]);
        let mut plan = TapPlan {
            stand,
            from: 0,
            misses: Misses::Nothing,
            counts: prng.one_in(2),
            filter: Filter::Everything,
            tells_way: stand != Stand::Between && prng.one_in(2),
            company: prng.one_in(2),
            truncated: false,
            whole_packets: !prng.one_in(4),
            twice: prng.pick(&[0, 0, 0, 100, 1_000]),
        };
        match prng.below(10) {
            0..4 => {}
            4 => plan.from = prng.pause() * 3,
            5 => plan.filter = any_filter(prng),
            6 => plan.from = prng.pause(),
            _ => plan.misses = any_misses(prng),
        }
        if plan.from > 0 && prng.one_in(3) {
            plan.misses = any_misses(prng);
        }
        plan.truncated = !plan.is_complete() && prng.one_in(20);
        plan
    }

    /// The two parts of the path. What is captured at a host cannot be lost between the two.
    pub fn legs(&self, prng: &mut Prng) -> [Leg; 2] {
        let mut legs = [Leg::any(prng), Leg::any(prng)];
        match self.stand {
            Stand::AtLocal => legs[LOCAL] = Leg::NONE,
            Stand::AtPeer => legs[PEER] = Leg::NONE,
            Stand::Between => {}
        }
        legs
    }

    pub fn is_at(&self, host: usize) -> bool {
        match self.stand {
            Stand::AtLocal => host == LOCAL,
            Stand::AtPeer => host == PEER,
            Stand::Between => false,
        }
    }

    /// Packets are missing, and the other connections in the capture show it.
    pub fn shows_holes(&self) -> bool {
        self.company && matches!(self.misses, Misses::Overrun { .. })
    }

    /// Every packet that came past is in the capture.
    pub fn is_complete(&self) -> bool {
        let all = matches!(self.misses, Misses::Nothing) && self.filter == Filter::Everything;
        all && self.from == 0
    }

    pub fn capture(&self, passed: &[Passed], prng: &mut Prng) -> Capture {
        let mut capture = Capture { seen: Vec::new(), missed: 0 };
        for &Passed { at, packet } in passed {
            if at < self.from || !self.filter.wants(&packet) {
                continue;
            }
            if self.misses(at, prng) {
                capture.missed += 1;
                continue;
            }
            let way = self.way(&packet);
            capture.seen.push(Seen { at, packet, way });
            if prng.per_mille(self.twice) {
                capture.seen.push(Seen { at, packet, way });
            }
        }
        capture
    }

    fn misses(&self, at: u64, prng: &mut Prng) -> bool {
        match self.misses {
            Misses::Nothing => false,
            Misses::Some(n) => prng.per_mille(n),
            Misses::Burst(from, to) => (from..to).contains(&at),
            Misses::Overrun { every, lasts } => at % every < lasts,
        }
    }

    fn way(&self, packet: &Packet) -> Option<Way> {
        let way = if self.is_at(packet.from) { Way::Out } else { Way::In };
        self.tells_way.then_some(way)
    }
}

impl Filter {
    fn wants(self, packet: &Packet) -> bool {
        match self {
            Filter::Everything => true,
            Filter::Flags => packet.has(Flags::SYN | Flags::FIN | Flags::RST),
            Filter::Payload => packet.len > 0,
            Filter::From(host) => packet.from == host,
        }
    }

    /// Other connections in such a capture show bare ACKs, and segments without payload.
    pub fn shows(self) -> (bool, bool) {
        match self {
            Filter::Everything | Filter::From(_) => (true, true),
            Filter::Flags => (false, true),
            Filter::Payload => (false, false),
        }
    }
}

fn any_filter(prng: &mut Prng) -> Filter {
    prng.pick(&[Filter::Flags, Filter::Payload, Filter::From(LOCAL), Filter::From(PEER)])
}

fn any_misses(prng: &mut Prng) -> Misses {
    if prng.one_in(3) {
        let every = prng.pause().max(20_000);
        return Misses::Overrun { every, lasts: every / prng.pick(&[2, 5, 20]) };
    }
    if prng.one_in(2) {
        return Misses::Some(prng.pick(&[10, 100, 300, 600]));
    }
    let from = prng.pause() * 2;
    Misses::Burst(from, from + prng.pause())
}
