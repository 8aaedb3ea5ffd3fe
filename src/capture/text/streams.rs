//! Packets as Wireshark shows them: numbers relative to the first of each connection, and packets
//! of other protocols without ports and numbers.
//!
//! Packets that carry MySQL or HTTP are shown as that, without a word of the connection they belong
//! to. The next packet of TCP tells: its numbers have advanced by just what such packets carried.
//! They wait until then, and nothing overtakes them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::printed::{Item, Printed};
use super::stamp::Stamp;
use crate::tcp::segment::Flags;
use crate::tcp::seq::Seq;

/// More packets than this wait for no answer.
const MAX_WAITING: usize = 512;

/// Octets of a frame that Ethernet may have padded, with a VLAN tag or a checksum beside or without.
const PADDED: RangeInclusive<u32> = 60..=64;

/// The padding of a packet without options and payload.
const PADDING: u32 = 6;

/// No more than so many packets are tried together.
const MAX_TRIED: usize = 12;

/// More connections than this are forgotten all at once: a text is not that long.
const MAX_STREAMS: usize = 1 << 20;

/// One packet of TCP.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The packet as it was printed.
    pub printed: Printed,
    /// Octets of the frame, if they are shown.
    pub frame_len: Option<u32>,
    /// Its numbers are those of the wire.
    pub raw: bool,
    /// Wireshark has seen it before, or takes it for a new connection.
    pub again: bool,
    /// Wireshark said that its ports were used again: a new connection.
    pub reused: bool,
}

/// A packet that carries something else, as far as it is shown.
#[derive(Clone, Debug)]
pub struct Hidden {
    /// The time before it.
    pub stamp: Stamp,
    /// The sender's address; the port is not shown.
    pub from: IpAddr,
    /// The receiver's address.
    pub to: IpAddr,
    /// Octets of the whole frame.
    pub frame_len: u32,
}

enum Slot {
    Ready(Item),
    Waiting(Hidden),
}

/// All connections of a text, and the packets that wait.
#[derive(Default)]
pub struct Streams {
    streams: HashMap<(SocketAddr, SocketAddr), Stream>,
    /// Hosts that have any, the lower address first.
    hosts: HashSet<(IpAddr, IpAddr)>,
    queue: VecDeque<Slot>,
    /// The number of the first in the queue.
    first: u64,
}

/// One connection: the lower address first.
#[derive(Default)]
struct Stream {
    /// Number of earlier connections on the same ends.
    generation: u32,
    reached: [Option<Seq>; 2],
    /// The last packet of each side: what goes beyond it was sent after it.
    sent_at: [u64; 2],
    /// It has got beyond its first SYN.
    advanced: bool,
    /// Octets of a frame beside its payload: by a packet with payload, and by one without.
    overhead: [Option<u32>; 2],
    bare: [Option<u32>; 2],
    /// Numbers that each side has acknowledged, with the packet since which it has.
    acks: [VecDeque<(u64, Seq)>; 2],
}

impl Streams {
    /// Takes a packet that is no TCP: it only tells the time.
    pub fn other(&mut self, stamp: Stamp, out: &mut VecDeque<Item>) {
        self.push(Slot::Ready(Item::Other(stamp)), out);
    }

    /// Something that is no packet keeps its place, too.
    pub fn item(&mut self, item: Item, out: &mut VecDeque<Item>) {
        self.push(Slot::Ready(item), out);
    }

    /// Takes a packet that may be of a connection, and shows only its hosts.
    pub fn hidden(&mut self, hidden: Hidden, out: &mut VecDeque<Item>) {
        self.push(Slot::Waiting(hidden), out);
    }

    /// Tells whether packets of TCP were shown between these hosts.
    pub fn are_between(&self, a: IpAddr, b: IpAddr) -> bool {
        self.hosts.contains(&(a.min(b), a.max(b)))
    }

    /// Takes a packet of TCP with its ports.
    pub fn tcp(&mut self, shown: Shown, out: &mut VecDeque<Item>) {
        if self.streams.len() >= MAX_STREAMS {
            self.streams.clear();
            self.hosts.clear();
        }
        let (key, me) = match shown.printed.from <= shown.printed.to {
            true => ((shown.printed.from, shown.printed.to), 0),
            false => ((shown.printed.to, shown.printed.from), 1),
        };
        self.hosts.insert((key.0.ip(), key.1.ip()));
        let stream = self.streams.entry(key).or_default();
        stream.begin(&shown, me);
        let Shown { mut printed, frame_len, raw, .. } = shown;
        let base = |side: usize| if raw { Seq(0) } else { stream.base(side) };
        let seq = base(me) + printed.seq.unwrap_or(0);
        let ack = printed.ack.filter(|_| printed.flags.ack()).map(|ack| base(1 - me) + ack);
        let position = self.first + self.queue.len() as u64;
        // What this packet shows to have been sent before it, by either side.
        self.fill(key, me, seq);
        if let Some(ack) = ack.filter(|_| !printed.flags.rst()) {
            self.fill(key, 1 - me, ack);
        }
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.take(&printed, me, seq, ack, position);
            stream.weigh(me, &printed, frame_len);
        }
        printed.seq = Some(seq.0);
        printed.ack = ack.map(|ack| ack.0);
        self.push(Slot::Ready(Item::Tcp(printed)), out);
    }

    /// Everything that waits comes as it is.
    pub fn end(&mut self, out: &mut VecDeque<Item>) {
        while let Some(slot) = self.queue.pop_front() {
            out.push_back(slot.settled());
        }
    }

    fn push(&mut self, slot: Slot, out: &mut VecDeque<Item>) {
        self.queue.push_back(slot);
        while let Some(front) = self.queue.front() {
            if matches!(front, Slot::Waiting(_)) && self.queue.len() <= MAX_WAITING {
                return;
            }
            if let Some(slot) = self.queue.pop_front() {
                out.push_back(slot.settled());
            }
            self.first += 1;
        }
    }

    /// Finds the waiting packets that carried what lies between all that this side was seen to send
    /// and `upto`.
    fn fill(&mut self, key: (SocketAddr, SocketAddr), side: usize, upto: Seq) {
        let (from, to) = if side == 0 { key } else { (key.1, key.0) };
        let Some(stream) = self.streams.get(&key) else { return };
        let Some(reached) = stream.reached[side] else { return };
        let gap = match u32::try_from(upto.ahead_of(reached)) {
            Ok(gap @ 1..) => gap,
            _ => return,
        };
        let waiting: Vec<(usize, u32)> = self
            .queue
            .iter()
            .enumerate()
            .filter(|(at, _)| self.first + *at as u64 > stream.sent_at[side])
            .filter_map(|(at, slot)| match slot {
                Slot::Waiting(hidden) if hidden.from == from.ip() && hidden.to == to.ip() => {
                    Some((at, hidden.frame_len))
                }
                _ => None,
            })
            .collect();
        let found = match stream.overhead(side) {
            Some(sure) => {
                let alone = together(&carried(&waiting, sure), gap).map(|packets| (packets, None));
                alone.or_else(|| with_fin(&waiting, sure, gap - 1))
            }
            None => guessed(&waiting, &stream.guesses(side), gap),
        };
        let (packets, fin) = found.unwrap_or_default();
        let (mut seq, mut sent_at) = (reached, stream.sent_at[side]);
        for (at, len) in packets {
            let position = self.first + at as u64;
            let ack = stream.acked(side, position);
            let Some(slot @ Slot::Waiting(_)) = self.queue.get_mut(at) else { continue };
            let stamp = slot.stamp();
            // Pushed or not: nothing asks for it.
            let flag = |is_set, flag| if is_set { flag } else { 0 };
            let is_last = fin == Some(at);
            let flags = Flags(flag(ack.is_some(), Flags::ACK) | flag(is_last, Flags::FIN));
            let printed = Printed {
                seq: Some(seq.0),
                ack: ack.map(|ack| ack.0),
                len,
                ..Printed::new(stamp, [from, to], flags)
            };
            *slot = Slot::Ready(Item::Tcp(printed));
            (seq, sent_at) = (seq + len + u32::from(is_last), position);
        }
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.reached[side] = Some(seq);
            stream.sent_at[side] = sent_at;
        }
    }
}

/// A packet by its place in the queue, with the octets of its frame or of its payload.
type Carrier = (usize, u32);

/// The packets with payload, each with the octets of it, where frames have so many beside.
fn carried(frames: &[Carrier], overhead: u32) -> Vec<Carrier> {
    let lens = frames.iter().map(|(at, len)| (*at, len.saturating_sub(overhead)));
    lens.filter(|(_, len)| *len > 0).collect()
}

/// The packets that carry just so much together, and the one that had the FIN: the last of them, or one behind it
/// without payload, where a message that ends with the connection is shown.
fn with_fin(frames: &[Carrier], overhead: u32, sum: u32) -> Option<(Vec<Carrier>, Option<usize>)> {
    let mut packets = match sum {
        0 => Vec::new(),
        sum => together(&carried(frames, overhead), sum)?,
    };
    let last = packets.last().map(|(at, _)| *at);
    let is_bare = |(at, len): &&Carrier| Some(*at) > last && *len <= overhead.max(*PADDED.start());
    let bare = frames.iter().find(is_bare).map(|(at, _)| (*at, 0));
    packets.extend(bare);
    let fin = packets.last().map(|(at, _)| *at);
    fin.is_some().then_some((packets, fin))
}

/// The packets that carry just so much together where what their frames have beside is a guess.
fn guessed(frames: &[Carrier], guesses: &[u32], sum: u32) -> Option<(Vec<Carrier>, Option<usize>)> {
    let alone = guesses.iter().find_map(|guess| together(&carried(frames, *guess), sum));
    let fin = || guesses.iter().find_map(|guess| with_fin(frames, *guess, sum - 1));
    alone.map(|packets| (packets, None)).or_else(fin)
}

/// The earliest of the packets, in order, that carry just so much together.
fn together(lens: &[Carrier], sum: u32) -> Option<Vec<Carrier>> {
    let total: u64 = lens.iter().map(|(_, len)| u64::from(*len)).sum();
    if sum == 0 || total <= u64::from(sum) {
        return (sum > 0 && total == u64::from(sum)).then(|| lens.to_vec());
    }
    let tried = &lens[..lens.len().min(MAX_TRIED)];
    // Each choice is one that was summed before, and one packet more.
    let mut sums = vec![0u64];
    for choice in 1usize..1 << tried.len() {
        let newest = choice.ilog2() as usize;
        let choice_sum = sums[choice - (1 << newest)] + u64::from(tried[newest].1);
        if choice_sum == u64::from(sum) {
            let is_chosen = |(at, _): &(usize, &Carrier)| choice & (1 << at) != 0;
            let chosen = tried.iter().enumerate().filter(is_chosen);
            return Some(chosen.map(|(_, packet)| *packet).collect());
        }
        sums.push(choice_sum);
    }
    None
}

impl Slot {
    fn stamp(&self) -> Stamp {
        match self {
            Slot::Ready(item) => item.stamp().unwrap_or_default(),
            Slot::Waiting(hidden) => hidden.stamp,
        }
    }

    fn settled(self) -> Item {
        match self {
            Slot::Ready(item) => item,
            Slot::Waiting(hidden) => Item::Other(hidden.stamp),
        }
    }
}

impl Stream {
    /// Relative numbers are counted from somewhere: apart for each side and each connection.
    fn base(&self, side: usize) -> Seq {
        Seq(if side == 0 { 1 << 28 } else { 3 << 28 }) + self.generation.wrapping_mul(0x0123_4567)
    }

    /// A SYN that is not the one before begins a connection.
    fn begin(&mut self, shown: &Shown, me: usize) {
        let printed = &shown.printed;
        let syn = printed.flags.syn() && !printed.flags.ack();
        if syn && !shown.again && (self.advanced || shown.reused) {
            *self = Stream {
                generation: self.generation.wrapping_add(1),
                bare: self.bare,
                overhead: self.overhead,
                ..Stream::default()
            };
        }
        self.advanced |=
            !printed.flags.syn() || self.reached[1 - me].is_some() && !printed.flags.ack();
    }

    fn take(&mut self, printed: &Printed, me: usize, seq: Seq, ack: Option<Seq>, position: u64) {
        if printed.flags.rst() {
            return;
        }
        self.sent_at[me] = position;
        let fin_or_syn = u32::from(printed.flags.syn()) + u32::from(printed.flags.fin());
        reach(&mut self.reached[me], seq + printed.len + fin_or_syn);
        if let Some(ack) = ack {
            reach(&mut self.reached[1 - me], ack);
            self.acks[me].push_back((position, ack));
            if self.acks[me].len() > MAX_WAITING {
                self.acks[me].pop_front();
            }
        }
    }

    /// Takes note of the octets that a frame of this side has beside its payload.
    fn weigh(&mut self, me: usize, printed: &Printed, frame_len: Option<u32>) {
        let Some(beside) = frame_len.and_then(|frame| frame.checked_sub(printed.len)) else {
            return;
        };
        match printed.len {
            0 if printed.flags.syn() => {}
            // Some have selective acknowledgments beside.
            0 => self.bare[me] = Some(self.bare[me].map_or(beside, |least| least.min(beside))),
            _ => self.overhead[me] = Some(beside),
        }
    }

    /// Returns the octets that a frame has beside its payload, where that is known: by one with payload, or by one
    /// without it that Ethernet did not pad.
    fn overhead(&self, side: usize) -> Option<u32> {
        let own = self.bare[side].filter(|bare| !PADDED.contains(bare));
        let other = self.bare[1 - side].filter(|bare| bare > PADDED.end());
        self.overhead[side].or(own).or(other)
    }

    /// Returns what it may be where that is not known.
    fn guesses(&self, side: usize) -> Vec<u32> {
        /// Without options, and with timestamps.
        const USUAL: [u32; 2] = [54, 66];
        let told = [self.bare[side], self.bare[1 - side], self.overhead[1 - side]];
        let mut all: Vec<u32> = told.into_iter().flatten().collect();
        match self.bare[side] {
            Some(padded) => all.push(padded - PADDING),
            None => all.extend(USUAL),
        }
        all
    }

    /// Returns the number this side had acknowledged before the packet at `position`.
    fn acked(&self, side: usize, position: u64) -> Option<Seq> {
        let before = self.acks[side].iter().rev().find(|(at, _)| *at < position);
        before.map(|(_, ack)| *ack)
    }
}

fn reach(reached: &mut Option<Seq>, to: Seq) {
    if reached.is_none_or(|reached| to.ahead_of(reached) > 0) {
        *reached = Some(to);
    }
}
