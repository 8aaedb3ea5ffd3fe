//! In what two systems differ.

use crate::prng::Prng;

/// How a host's TCP behaves. Times are microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    pub segment: u32,
    pub ack_delay: u64,
    /// The first time-out of a retransmission.
    pub timeout: u64,
    pub keep_alive: Option<u64>,
    pub keep_alive_octet: bool,
    /// The third segment of the handshake waits for data to go with (TCP_DEFER_ACCEPT's client).
    pub slow_third_ack: bool,
    /// Octets that its receive buffer takes.
    pub room: u32,
}

impl Manners {
    pub fn any(prng: &mut Prng, round_trip: u64) -> Manners {
        Manners {
            segment: prng.pick(&[536, 1_448, 60_000]),
            ack_delay: prng.pick(&[0, 40_000, 40_000, 47_600]),
            timeout: round_trip + prng.pick(&[200_000, 250_000, 1_000_000]),
            keep_alive: prng.one_in(3).then(|| prng.between(1_000_000, 30_000_000)),
            keep_alive_octet: prng.one_in(4),
            slow_third_ack: prng.one_in(8),
            room: prng.pick(&[2_000, 6_000, 65_535, 65_535]),
        }
    }
}
