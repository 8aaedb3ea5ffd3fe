//! The kernel's times since a socket last heard and said something: `tcp_info` of tcp(7).
//!
//! In CLOSE-WAIT the last segment that came is the peer's FIN, or one that came after it: a keep-alive
//! of the peer, or its answer to one of this host. So *held* can only be too short, and the silence
//! before the FIN only too long.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Milliseconds, as of the list. The kernel's counters begin anew after 49 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Since the last segment that acknowledged anything, be it once more.
    pub last_ack_recv: u32,
    /// Since payload came last, or the handshake was finished.
    pub last_data_recv: u32,
    /// Milliseconds since data was sent last (tcp_info).
    pub last_data_sent: u32,
    /// This host sends keep-alives, as far as the list says: each answer is a segment that came.
    pub keep_alive: bool,
    /// Data was sent in CLOSE-WAIT, as two lists together tell: the peer closed, and is still spoken to.
    #[serde(default)]
    pub is_used: bool,
}

/// Places of the three times in `struct tcp_info` (`include/uapi/linux/tcp.h`).
const LAST_DATA_SENT: usize = 44;
const LAST_DATA_RECV: usize = 52;
const LAST_ACK_RECV: usize = 56;

/// A farewell (a close_notify, an error) comes within this time before the FIN.
const FAREWELL_MS: u32 = 1_000;

impl Silence {
    /// Reads the kernel's structure, of this host's order of octets.
    #[must_use]
    pub fn of_tcp_info(octets: &[u8]) -> Option<Silence> {
        let at = |place| Some(u32::from_ne_bytes(*octets.get(place..)?.first_chunk()?));
        Some(Silence {
            last_ack_recv: at(LAST_ACK_RECV)?,
            last_data_recv: at(LAST_DATA_RECV)?,
            last_data_sent: at(LAST_DATA_SENT)?,
            ..Silence::default()
        })
    }

    /// The time for which CLOSE-WAIT has been held, at least.
    #[must_use]
    pub fn held(self) -> TimeDelta {
        milliseconds(self.last_ack_recv)
    }

    /// The times of a socket that was in CLOSE-WAIT before, and since: answers to keep-alives, which came later than the
    /// FIN, do not count. What was sent in that time was sent after the FIN.
    #[must_use]
    pub fn since(self, before: Option<Silence>, after: TimeDelta) -> Silence {
        let after = u32::try_from(after.num_milliseconds()).unwrap_or(0);
        let is_used = before.is_some_and(|it| it.is_used) || self.last_data_sent < after;
        let before = before.map_or(0, |before| before.last_ack_recv).saturating_add(after);
        Silence { last_ack_recv: self.last_ack_recv.max(before), is_used, ..self }
    }

    /// Tells whether data was sent after the peer's FIN, the last of it less than `quiet` ago (RFC 9293, 3.6.1).
    #[must_use]
    pub fn is_in_use(self, quiet: TimeDelta) -> bool {
        self.is_used && milliseconds(self.last_data_sent) < quiet
    }

    /// The time from the last use to the peer's FIN, at most; `None` where that is less than the time in
    /// which answers, farewells and acknowledgements of late data cannot be told apart.
    #[must_use]
    pub fn idle_before_fin(self) -> Option<TimeDelta> {
        let before = |time: u32| time.saturating_sub(self.last_ack_recv);
        let (received, sent) = (before(self.last_data_recv), before(self.last_data_sent));
        let idle = match received < FAREWELL_MS {
            true => sent,
            false => received.min(sent),
        };
        (idle >= FAREWELL_MS).then(|| milliseconds(idle))
    }
}

fn milliseconds(n: u32) -> TimeDelta {
    TimeDelta::milliseconds(n.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(last_ack_recv: u32, last_data_recv: u32, last_data_sent: u32) -> Option<i64> {
        let silence =
            Silence { last_ack_recv, last_data_recv, last_data_sent, ..Silence::default() };
        silence.idle_before_fin().map(|idle| idle.num_milliseconds())
    }

    #[test]
    fn idle_runs_from_the_last_use_to_the_fin() {
        assert_eq!(idle(2_868, 7_868, 7_869), Some(5_000));
        assert_eq!(idle(2_868, 9_868, 7_868), Some(5_000), "not answered");
        assert_eq!(idle(2_868, 2_870, 32_868), Some(30_000), "a farewell");
        assert_eq!(idle(100, 110, 120), None, "an answer, and FIN");
        assert_eq!(idle(500, 90_000, 502), None, "used after the FIN");
        assert_eq!(idle(500, 400, 400), None, "not yet acknowledged");
    }

    #[test]
    fn an_answer_to_a_keep_alive_shortens_no_hold() {
        let [early, late] = [4_000, 100].map(|last_ack_recv| Silence {
            last_ack_recv,
            last_data_recv: 64_000,
            ..Silence::default()
        });
        let held = |before, after| {
            late.since(before, TimeDelta::milliseconds(after)).held().num_milliseconds()
        };
        assert_eq!(held(Some(early), 7_000), 11_000);
        assert_eq!((held(None, 7_000), held(None, -1)), (7_000, 100));
    }

    #[test]
    fn what_is_sent_between_two_lists_is_sent_after_the_fin() {
        let sent = |ago| Silence { last_data_sent: ago, ..Silence::default() };
        let [quiet, after] = [30, 7].map(TimeDelta::seconds);
        assert!(!sent(100).is_in_use(quiet), "one list tells no order");
        let used = sent(100).since(Some(sent(100)), after);
        assert!(used.is_in_use(quiet));
        assert!(!sent(7_100).since(Some(sent(100)), after).is_in_use(quiet), "not since");
        assert!(sent(20_000).since(Some(used), after).is_in_use(quiet), "known from before");
        assert!(!sent(30_000).since(Some(used), after).is_in_use(quiet), "quiet by now");
    }

    #[test]
    fn a_kernel_that_tells_less_tells_nothing() {
        let mut octets = vec![0; 60];
        octets[56..].copy_from_slice(&7_u32.to_ne_bytes());
        let silence = Silence { last_ack_recv: 7, ..Silence::default() };
        assert_eq!(Silence::of_tcp_info(&octets), Some(silence));
        assert_eq!(Silence::of_tcp_info(&octets[..59]), None);
    }
}
