//! Takes packets out of the kernel's rings, with the time of their arrival.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use super::clock::{Clock, ClockReading};
use super::interface::Interface;
use super::now;
use crate::capture::{Error, Frame, LinkType, Trouble};
use crate::place::{Place, Time};
use crate::printable::printable;

/// The longest wait for packets before time is looked at.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Packets between two looks at the clock, where there is no pause to look at it in.
const CLOCK_EVERY: u64 = 1_024;

/// The time between two questions for the counts of drops.
const REFRESH: Duration = Duration::from_secs(1);

/// Octets that are taken in one go.
const AT_ONCE: usize = 256 << 10;

/// Octets for which it is worth to wake somebody, whose caches hold other things by then.
const WORTH: usize = 1 << 20;

/// Packets that wait to be looked at, in the order in which they came.
#[derive(Default)]
pub struct Batch {
    packets: Vec<Packet>,
    data: Vec<u8>,
    /// The first packet that has not been looked at.
    at: usize,
    /// Problems since the packets before, to be said after these.
    pub troubles: Vec<Error>,
    /// Nothing had come, not even after a wait, by then.
    pub idle: Option<Time>,
    /// No interface is left.
    pub end: Option<Error>,
}

/// A packet, its data aside.
#[derive(Clone, Copy)]
pub struct Packet {
    /// By the host's clock, which somebody may set.
    pub wall: Time,
    /// By a clock that never jumps.
    pub time: Time,
    /// The number of its interface.
    pub interface: usize,
    /// Octets on the wire.
    pub original_len: u32,
    /// The place of its data.
    from: usize,
    until: usize,
}

impl Packet {
    /// The packet with its data, by its number in the capture.
    #[inline]
    pub fn frame<'a>(&self, number: u64, link: LinkType, data: &'a [u8]) -> Frame<'a> {
        Frame {
            place: Place::new(self.time, 0, number, 6),
            interface: self.interface as u32,
            link,
            original_len: self.original_len,
            direction: None,
            process: None,
            record: 0,
            data,
        }
    }
}

impl Batch {
    /// The next packet.
    pub fn next(&mut self) -> Option<Packet> {
        let packet = self.packets.get(self.at).copied();
        self.at += usize::from(packet.is_some());
        packet
    }

    /// Shows the packets that are left, until `take` refuses one. Returns how many it has taken.
    pub fn each(&mut self, mut take: impl FnMut(&Packet, &[u8]) -> bool) -> u64 {
        let left = self.packets.get(self.at..).unwrap_or_default();
        let refused = left.iter().position(|packet| !take(packet, self.data(packet)));
        let taken = refused.unwrap_or(left.len());
        self.at += taken;
        taken as u64
    }

    /// The data of a packet of it.
    pub fn data(&self, packet: &Packet) -> &[u8] {
        self.data.get(packet.from..packet.until).unwrap_or_default()
    }

    /// Octets of memory that its packets take.
    pub fn octets(&self) -> usize {
        self.data.len() + self.packets.len() * size_of::<Packet>()
    }

    /// There is something in it to be looked at.
    pub fn is_told(&self) -> bool {
        self.at < self.packets.len() || self.has_news()
    }

    /// There is more in it than a few packets, for which nobody need be woken.
    pub fn is_urgent(&self) -> bool {
        self.octets() >= WORTH || self.has_news()
    }

    fn has_news(&self) -> bool {
        self.idle.is_some() || self.end.is_some() || !self.troubles.is_empty()
    }

    /// Empties it. What a burst took of memory is given back.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.data.clear();
        self.at = 0;
        self.packets.shrink_to(2 * WORTH / size_of::<Packet>());
        self.data.shrink_to(2 * WORTH);
    }

    fn put(&mut self, interface: usize, wall: Time, original_len: u32, data: &[u8]) {
        let from = self.data.len();
        self.data.extend_from_slice(data);
        let until = self.data.len();
        self.packets.push(Packet { wall, time: wall, interface, original_len, from, until });
    }
}

/// Counts of what the kernel dropped, by interface.
pub type Drops = Arc<[AtomicU64]>;

/// Takes from one or more interfaces together.
pub struct Taker {
    interfaces: Vec<Interface>,
    /// The interface at which the search for the next packet begins, so that none is starved.
    turn: usize,
    /// None was there the last time. What a wait ends for may be others' packets.
    is_quiet: bool,
    taken: u64,
    refreshed: Instant,
    clock: Clock,
    drops: Drops,
}

/// Tells whether it only means that nothing has come: of netfilter's log (`-i nflog`), libpcap says it in other words.
fn is_nothing(error: &pcap::Error) -> bool {
    match error {
        pcap::Error::TimeoutExpired => true,
        pcap::Error::PcapError(words) => words.ends_with("Resource temporarily unavailable"),
        _ => false,
    }
}

/// The words of libpcap about an interface that is lost, and what helps.
fn reason(error: &pcap::Error) -> String {
    let words = match error {
        pcap::Error::PcapError(words) => words.clone(),
        error => error.to_string(),
    };
    // Removed, or renamed and taken down.
    match words.contains("disappeared") {
        true => format!("{words} (-i any goes on when one does)"),
        false => words,
    }
}

fn reading() -> ClockReading {
    let boot = clock_gettime(ClockId::Boottime);
    ClockReading { wall: now(), since_boot: boot.tv_sec * 1_000_000_000 + boot.tv_nsec }
}

impl Taker {
    pub fn new(interfaces: Vec<Interface>) -> Taker {
        Taker {
            drops: interfaces.iter().map(|_| AtomicU64::new(0)).collect(),
            interfaces,
            turn: 0,
            is_quiet: false,
            taken: 0,
            refreshed: Instant::now(),
            clock: Clock::new(reading()),
        }
    }

    /// Counts of drops, as they are from time to time.
    pub fn drops(&self) -> Drops {
        Arc::clone(&self.drops)
    }

    /// Takes what lies ready, but not more than a little at once. Returns whether there was any.
    pub fn take(&mut self, batch: &mut Batch) -> bool {
        let full = batch.octets() + AT_ONCE;
        let before = self.taken;
        while batch.octets() < full && self.take_one(batch) {}
        let took = self.taken > before;
        if self.refreshed.elapsed() >= REFRESH {
            self.count_drops();
        }
        if !took {
            self.read_clock(batch);
        }
        batch.idle = (!took && self.is_quiet).then(|| self.clock.now());
        self.is_quiet = !took;
        took
    }

    fn take_one(&mut self, batch: &mut Batch) -> bool {
        for _ in 0..self.interfaces.len() {
            let at = self.turn;
            self.turn = if at + 1 < self.interfaces.len() { at + 1 } else { 0 };
            let interface = &mut self.interfaces[at];
            if interface.is_lost {
                continue;
            }
            match interface.capture.next_packet() {
                Ok(packet) => {
                    let time = packet.header.ts;
                    let nanos =
                        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_usec) * 1_000;
                    batch.put(at, Time::from_nanos(nanos), packet.header.len, packet.data);
                    self.taken += 1;
                    self.tell_time(batch);
                    return true;
                }
                Err(error) if is_nothing(&error) => {}
                Err(error) => {
                    self.lose(at, &error, batch);
                    return false;
                }
            }
        }
        false
    }

    /// Gives the packet that was taken its time, from what the wall clock said when it came.
    fn tell_time(&mut self, batch: &mut Batch) {
        let Some(wall) = batch.packets.last().map(|packet| packet.wall) else { return };
        if self.taken.is_multiple_of(CLOCK_EVERY) || self.clock.is_odd(wall) {
            self.read_clock(batch);
        }
        let time = self.clock.of_packet(wall);
        batch.packets.last_mut().into_iter().for_each(|packet| packet.time = time);
    }

    fn read_clock(&mut self, batch: &mut Batch) {
        if let Some(jump) = self.clock.read(reading()) {
            let trouble = Trouble::ClockSet(jump);
            batch.troubles.push(Error { input: "the clock".into(), trouble });
        }
    }

    /// An interface has vanished, say. Without any left, the capture is over.
    fn lose(&mut self, at: usize, error: &pcap::Error, batch: &mut Batch) {
        let error = reason(error);
        self.count_drops();
        self.interfaces[at].is_lost = true;
        let input = printable(&self.interfaces[at].name);
        match self.interfaces.iter().all(|interface| interface.is_lost) {
            true => batch.end = Some(Error { input, trouble: Trouble::Interface(error) }),
            false => batch.troubles.push(Error { input, trouble: Trouble::Gone(error) }),
        }
    }

    /// Waits for packets, but not for long.
    pub fn wait(&self) {
        let interfaces = self.interfaces.iter().filter(|interface| !interface.is_lost);
        let mut fds: Vec<PollFd> = interfaces
            .map(|interface| PollFd::from_borrowed_fd(interface.capture.as_fd(), PollFlags::IN))
            .collect();
        // A signal ends it early, which is as good.
        let _ = poll(&mut fds, Some(&PATIENCE));
    }

    /// Asks for the counts of drops.
    pub fn count_drops(&mut self) {
        self.refreshed = Instant::now();
        for (interface, drops) in self.interfaces.iter_mut().zip(self.drops.iter()) {
            if !interface.is_lost
                && let Ok(stats) = interface.capture.stats()
            {
                let dropped = u64::from(stats.dropped) + u64::from(stats.if_dropped);
                drops.store(dropped, Ordering::Relaxed);
            }
        }
    }
}
