//! Sequence numbers as they were on the wire.
//!
//! tcpdump remembers the first packet with an ACK of each connection and prints later numbers
//! relative to it; `-S` prints all as they are. A bare ACK's SEQ is not printed: it is its sender's
//! highest sent or acknowledged.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::printed::Printed;
use crate::tcp::seq::{Seq, later};

/// More connections than this are forgotten all at once: a text is not that long.
const MAX_TALKS: usize = 1 << 20;

/// Relative numbers made absolute: each direction of a connection has its first.
#[derive(Default)]
pub struct Numbers {
    talks: HashMap<(SocketAddr, SocketAddr), Talk>,
    /// The text prints numbers as they are (`-S`), by the last line that told.
    as_is: bool,
    /// The first number of each side in such a text, read ahead of it, for bare ACKs that stand before it.
    told: HashMap<(SocketAddr, SocketAddr), [Option<Seq>; 2]>,
}

/// Numbers of one connection so far; of each pair, the one of the lower address comes first.
#[derive(Default)]
struct Talk {
    /// The initial sequence numbers that tcpdump subtracts, once it has seen a packet with an ACK.
    base: Option<[Seq; 2]>,
    /// The side whose number was not printed then: nothing can be compared with it.
    unseen: Option<usize>,
    /// The highest number each side has sent, or its peer acknowledged.
    reached: [Option<Seq>; 2],
}

/// A number to begin with where none was printed.
const UNSEEN: Seq = Seq(1 << 30);

impl Numbers {
    /// Nothing is known of any connection yet, but that numbers are printed as they are.
    pub fn as_they_are() -> Numbers {
        Numbers { as_is: true, ..Numbers::default() }
    }

    /// Nothing is known of any connection yet, but how these lines print numbers, and which come first there.
    pub fn like<'a>(lines: impl Iterator<Item = &'a Printed> + Clone) -> Numbers {
        let mut tried = Numbers::default();
        for printed in lines.clone() {
            tried.absolute(printed);
        }
        let mut numbers = Numbers { as_is: tried.as_is, ..Numbers::default() };
        for printed in lines.filter(|_| tried.as_is) {
            let (key, me) = key(printed);
            let told = numbers.told.entry(key).or_default();
            told[me] = told[me].or(printed.seq.map(Seq));
            told[1 - me] = told[1 - me].or(printed.ack.map(Seq));
        }
        numbers
    }

    /// Is the number of a packet unknown that does not print it?
    pub fn lacks(&self, printed: &Printed) -> bool {
        let (key, me) = key(printed);
        let reached = self.talks.get(&key).and_then(|talk| talk.reached[me]);
        self.as_is && reached.is_none()
    }

    /// SEG.SEQ and SEG.ACK of a printed packet. `None` where its SEQ cannot be known: `-S`, and a
    /// bare ACK of a side that has not been seen before, nor is soon.
    pub fn absolute(&mut self, printed: &Printed) -> Option<(u32, u32)> {
        if self.talks.len() >= MAX_TALKS {
            self.talks.clear();
        }
        let (key, me) = key(printed);
        let talk = self.talks.entry(key).or_default();
        if self.as_is && printed.seq.is_none() && talk.reached[me].is_none() {
            let told = self.told.get(&key).and_then(|told| told[me]);
            talk.reached[me] = Some(told?);
        }
        let (seq, ack) = talk.absolute(printed, me, &mut self.as_is);
        talk.reach(printed, me, seq, ack);
        Some((seq.0, ack.map_or(0, |ack| ack.0)))
    }
}

/// The ends of a connection, the lower address first, and which of them sent a packet.
fn key(printed: &Printed) -> ((SocketAddr, SocketAddr), usize) {
    match printed.from <= printed.to {
        true => ((printed.from, printed.to), 0),
        false => ((printed.to, printed.from), 1),
    }
}

impl Talk {
    fn absolute(&mut self, printed: &Printed, me: usize, as_is: &mut bool) -> (Seq, Option<Seq>) {
        let as_printed = printed.seq.map(Seq);
        let Some(ack) = printed.ack.filter(|_| printed.flags.ack()).map(Seq) else {
            // Without an ACK, nothing is subtracted.
            return (as_printed.unwrap_or(self.reached[me].unwrap_or(UNSEEN)), None);
        };
        let base = match self.base {
            Some(base) if !printed.flags.syn() => base,
            None if !*as_is && is_begun(printed, ack) => {
                let base =
                    self.reached.map(|reached| reached.map_or(Seq(0), |next| next + u32::MAX));
                *self.base.insert(base)
            }
            _ => {
                let seen = as_printed.or(self.reached[me]);
                self.unseen = seen.is_none().then_some(me);
                let seq = seen.unwrap_or(UNSEEN);
                let mut base = [seq; 2];
                base[1 - me] = ack + u32::MAX;
                self.base = Some(base);
                return (seq, Some(ack));
            }
        };
        let relative = |number: Seq, side: usize| base[side] + number.0;
        // `-S`: the printed number itself is nearer to what this connection has reached.
        let is_nearer = |number: Seq, side: usize| {
            let near = self.reached[side].unwrap_or(base[side]);
            let distance = |number: Seq| number.ahead_of(near).unsigned_abs();
            distance(number) < distance(relative(number, side))
        };
        let told = [Some((ack, 1 - me)), as_printed.map(|seq| (seq, me))];
        let told = told.into_iter().flatten().find(|(_, side)| self.unseen != Some(*side));
        *as_is = told.map_or(*as_is, |(number, side)| is_nearer(number, side));
        if let (true, Some(side)) = (*as_is, self.unseen) {
            // It was made up.
            (self.unseen, self.reached[side]) = (None, None);
        }
        let absolute = |number, side| if *as_is { number } else { relative(number, side) };
        let seq = match as_printed {
            Some(seq) => absolute(seq, me),
            None => self.reached[me].unwrap_or(base[me]),
        };
        (seq, Some(absolute(ack, 1 - me)))
    }

    fn reach(&mut self, printed: &Printed, me: usize, seq: Seq, ack: Option<Seq>) {
        if printed.flags.rst() {
            return;
        }
        let fin_or_syn = u32::from(printed.flags.syn()) + u32::from(printed.flags.fin());
        let end = seq + printed.len + fin_or_syn;
        // A SYN begins anew.
        let before = if printed.flags.syn() { None } else { self.reached[me] };
        self.reached[me] = Some(later(before, end));
        if let Some(ack) = ack {
            let before = if printed.flags.syn() { None } else { self.reached[1 - me] };
            self.reached[1 - me] = Some(later(before, ack));
        }
    }
}

/// Tells whether tcpdump had seen the packets by which a connection begins, though the text leaves them out: numbers
/// as they were sent are not so small. If they are, counting them from 0 changes none.
fn is_begun(printed: &Printed, ack: Seq) -> bool {
    const SMALL: u32 = 1 << 20;
    let is_small = printed.seq.is_none_or(|seq| seq < SMALL);
    is_small && ack.0 < SMALL && !printed.flags.syn()
}
