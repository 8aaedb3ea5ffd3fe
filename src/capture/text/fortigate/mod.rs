//! Lines of FortiGate's sniffer: `5.253143 port1 in 10.0.0.5.40000 -> 10.0.0.3.3306: psh 28050 ack 27968`.
//!
//! Numbers are those of the wire, and no length is printed, nor any number of a segment without SYN, FIN, RST or PSH.
//! What a side was seen to have sent since, by its own next number or by what the other side acknowledges, is taken
//! for the payload of its last segment before that. So segments wait a while, and nothing overtakes them.
//!
//! * `line` reads one line; `folded` puts those together that were folded

mod folded;
mod line;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use self::folded::{Folded, Whole};
use self::line::PSH;
use super::ends::Ends;
use super::printed::{Item, Printed};
use super::stamp::Stamp;
use crate::tcp::seq::{Seq, later};

/// Items that wait, at most.
const MAX_WAITING: usize = 512;

/// More octets than these were not sent in one segment, but not printed.
const MAX_LEN: u32 = 1 << 16;

/// Octets that a connection goes on within a few packets, at most.
const NEAR: u32 = 1 << 24;

/// More connections than this are forgotten all at once: a text is not that long.
const MAX_TALKS: usize = 1 << 20;

/// Lines as they come.
#[derive(Default)]
pub struct Fortigate {
    folded: Folded,
    /// A packet was printed with its time.
    is_timed: bool,
    talks: HashMap<[SocketAddr; 2], Sent>,
    queue: VecDeque<Item>,
    /// The number of the first in the queue.
    first: u64,
}

/// Octets that one end has sent another.
#[derive(Default)]
struct Sent {
    /// The number behind all of them, as far as it was printed.
    reached: Option<Seq>,
    /// The last segment: its number among all items.
    last: Option<u64>,
}

impl Fortigate {
    /// Takes the next line, and puts out what is certain now.
    pub fn take(&mut self, number: u64, raw: &str, ends: &mut Ends, out: &mut VecDeque<Item>) {
        if let Some(whole) = self.folded.take(number, raw, ends) {
            self.item(whole);
        }
        while self.queue.len() > MAX_WAITING {
            out.extend(self.queue.pop_front().map(settled));
            self.first += 1;
        }
    }

    /// The text has ended.
    pub fn end(&mut self, out: &mut VecDeque<Item>) {
        if let Some(whole) = self.folded.end() {
            self.item(whole);
        }
        out.extend(self.queue.drain(..).map(settled));
    }

    fn item(&mut self, Whole { number, text, item }: Whole) {
        match item {
            Item::Tcp(printed) if self.is_cut(&printed) => {
                self.queue.push_back(Item::Unread(number, text));
            }
            Item::Tcp(printed) => self.tcp(printed),
            Item::Unread(..) => self.queue.push_back(Item::Unread(number, text)),
            item => self.queue.push_back(item),
        }
    }

    /// Was a packet cut where that does not show: before its first end, of which a part may be missing as its time is, or
    /// within its last number?
    fn is_cut(&self, printed: &Printed) -> bool {
        let Printed { stamp, from, to, flags, seq, ack, .. } = printed;
        let last = if flags.ack() {
            ack.map(|ack| ([*to, *from], ack))
        } else {
            seq.map(|seq| ([*from, *to], seq))
        };
        let is_part = last.filter(|_| !flags.syn()).is_some_and(|(talk, number)| {
            let reached = self.talks.get(&talk).and_then(|sent| sent.reached);
            reached.is_some_and(|reached| is_beginning(number, reached.0))
        });
        is_part || self.is_timed && *stamp == Stamp::None
    }

    /// Was the last line a packet, whether it has gone out or not?
    pub fn ends_with_packet(&self) -> bool {
        self.folded
            .last()
            .or(self.queue.back())
            .is_some_and(|item| !matches!(item, Item::Skipped(_)))
    }

    fn tcp(&mut self, printed: Printed) {
        self.is_timed |= printed.stamp != Stamp::None;
        if self.talks.len() >= MAX_TALKS {
            self.talks.clear();
        }
        let (there, back) = ([printed.from, printed.to], [printed.to, printed.from]);
        if let Some(ack) = printed.ack.filter(|_| !printed.flags.rst()) {
            self.reach(back, Seq(ack));
        }
        if printed.flags.syn() {
            let reached = printed.seq.map(|isn| Seq(isn) + 1);
            self.talks.insert(there, Sent { reached, last: None });
        } else if !printed.flags.rst() {
            if let Some(seq) = printed.seq {
                self.reach(there, Seq(seq));
            }
            self.talks.entry(there).or_default().last = Some(self.first + self.queue.len() as u64);
        }
        self.queue.push_back(Item::Tcp(printed));
    }

    /// An end has sent all up to this number: what is new of it was in its last segment.
    fn reach(&mut self, talk: [SocketAddr; 2], upto: Seq) {
        let sent = self.talks.entry(talk).or_default();
        let before = sent.reached;
        sent.reached = Some(later(before, upto));
        let new = before.and_then(|before| u32::try_from(upto.ahead_of(before)).ok());
        let last = sent.last.and_then(|last| usize::try_from(last.checked_sub(self.first)?).ok());
        if let (Some(new @ 1..=MAX_LEN), Some(last)) = (new, last) {
            self.carried(talk, last, new);
        }
    }

    /// A segment carried so much; so did those before it that are the same, printed at another interface.
    fn carried(&mut self, [from, to]: [SocketAddr; 2], last: usize, octets: u32) {
        let Some(Item::Tcp(Printed { flags, seq, .. })) = self.queue.get(last) else { return };
        let (flags, seq) = (*flags, *seq);
        let of_talk = self.queue.range_mut(..=last).rev().filter_map(|item| match item {
            Item::Tcp(printed) if printed.from == from && printed.to == to => Some(printed),
            _ => None,
        });
        let same = of_talk.enumerate().take_while(|(before, printed)| {
            *before == 0 || seq.is_some() && printed.seq == seq && printed.flags == flags
        });
        same.for_each(|(_, printed)| {
            // A FIN has a number of its own: the last, whatever was acknowledged before it.
            let was_told = flags.fin() && printed.len > 0;
            printed.len += octets - u32::from(flags.fin() && !was_told);
        });
    }
}

/// Is a number, far as it is from another, what is left of one near it whose last digits were cut off?
fn is_beginning(number: u32, near: u32) -> bool {
    /// Digits that a number of 32 bits has beside its first.
    const MORE: u32 = 9;
    let is_near = |number: u32| Seq(number).ahead_of(Seq(near)).unsigned_abs() < NEAR;
    let longer = |digits| Some((number.checked_mul(10_u32.checked_pow(digits)?)?, digits));
    let may_be = |(least, digits): (u32, u32)| {
        let most = least.saturating_add(10_u32.pow(digits) - 1);
        is_near(least) || is_near(most) || (least..=most).contains(&near)
    };
    number > 0 && !is_near(number) && (1..=MORE).filter_map(longer).any(may_be)
}

/// A segment as it goes out. Where nothing told its length, one that was pushed carried something.
fn settled(item: Item) -> Item {
    match item {
        Item::Tcp(printed) if printed.len == 0 && printed.flags.0 & PSH != 0 => {
            Item::Tcp(Printed { len: 1, ..printed })
        }
        item => item,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::segment::Flags;

    fn read(text: &str) -> Vec<Item> {
        let (mut form, mut ends, mut out) =
            (Fortigate::default(), Ends::default(), VecDeque::new());
        for (number, line) in (1..).zip(text.lines()) {
            form.take(number, line, &mut ends, &mut out);
        }
        form.end(&mut out);
        out.into()
    }

    /// Flags and lengths of the packets.
    fn segments(text: &str) -> Vec<(u8, Option<u32>, u32)> {
        let of = |item| match item {
            Item::Tcp(printed) => Some((printed.flags.0, printed.seq, printed.len)),
            _ => None,
        };
        read(text).into_iter().filter_map(of).collect()
    }

    #[test]
    fn what_a_segment_carried_is_told_by_what_follows() {
        let text = "\
interfaces=[any]
1.000000 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: syn 99
1.001000 port1 out 10.0.0.3.3306 -> 10.0.0.5.4000: syn 499 ack 100
1.002000 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: ack 500
1.003000 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: psh 100 ack 500
1.003010 port2 out 10.0.0.5.4000 -> 10.0.0.3.3306: psh 100 ack 500
1.004000 port1 out 10.0.0.3.3306 -> 10.0.0.5.4000: ack 150
1.005000 port1 out 10.0.0.3.3306 -> 10.0.0.5.4000: psh 1960 ack 150
1.006000 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: ack 2000
9.000000 port1 out 10.0.0.3.3306 -> 10.0.0.5.4000: fin 2000 ack 150
9.000500 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: ack 2007
9.001000 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: ack 2008
9.002000 port1 out 10.0.0.3.3306 -> 10.0.0.5.4000: rst 2008
";
        let (ack, psh, fin) = (Flags::ACK, Flags::ACK | PSH, Flags::ACK | Flags::FIN);
        let expected = [
            (Flags::SYN, Some(99), 0),
            (Flags::SYN | ack, Some(499), 0),
            (ack, None, 0),
            (psh, Some(100), 50),
            (psh, Some(100), 50),
            // Its number is not printed, and nor is that it carries anything.
            (ack, None, 1_460),
            (psh, Some(1_960), 40),
            (ack, None, 0),
            (fin, Some(2_000), 7),
            (ack, None, 0),
            (ack, None, 0),
            (Flags::RST, Some(2_008), 0),
        ];
        assert_eq!(segments(text), expected);
    }

    /// Nothing that follows tells of how many octets it was.
    #[test]
    fn what_was_pushed_last_carried_something() {
        let text = "\
1.000000 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: **psh** 100 ack 500
1.000010 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306: RST 100
";
        assert_eq!(segments(text), [(Flags::ACK | PSH, Some(100), 1), (Flags::RST, Some(100), 0)]);
    }

    #[test]
    fn a_line_is_a_packet_of_tcp_or_another_or_none() {
        let one = |line: &str| read(line).remove(0);
        let dated =
            "2023-11-14 22:13:20.213856 port1 in 2001:db8::5.4000 -> 2001:db8::3.3306: fin 7 ack 8";
        let Item::Tcp(printed) = one(dated) else { panic!("{:?}", one(dated)) };
        assert_eq!(printed.stamp, Stamp::dated("2023-11-14", "22:13:20.213856").expect("a time"));
        assert_eq!((printed.to.port(), printed.seq, printed.ack), (3306, Some(7), Some(8)));
        let Item::Tcp(printed) = one("10.0.0.5.4000 -> 10.0.0.3.3306: rst 7") else { panic!() };
        assert_eq!((printed.stamp, printed.flags), (Stamp::None, Flags(Flags::RST)));
        let stamp = Stamp::seconds("0.655224").expect("a time");
        for other in
            ["10.0.0.5.4000 -> 10.0.0.3.53: udp 113", "10.0.0.5 -> 10.0.0.3: icmp: echo request"]
        {
            assert_eq!(one(&format!("0.655224 {other}")), Item::Other(stamp));
        }
        for unread in [
            "10.0.0.5.no-such-port -> 10.0.0.3.2: fin 7 ack 8",
            "10.0.0.5.1 -> 10.0.0.3.2: fin ack 8",
            "10.0.0.5.1 -> 10.0.0.3.2: (fin) 7 ack 8",
            // Cut, or folded, or with another arrow.
            "0.655224 port1 in",
            "0.655224 port1 in 10.0.0",
            "0.655224 port1 in 10.0.0.5.4000",
            "0.655224 port1 out 2001:db8::5.4000",
            "0.655224 port1 in 10.0.0.5.4000 -> 10.0.0.3.33",
            "10.0.0.3.3306: fin 700 ack 800",
            "0.655224 port1 in 10.0.0.5.4000 > 10.0.0.3.3306: fin 700 ack 800",
            "0.655224 port1 in 10.0.0.5.4000 -> 10.0.0.3.3306 fin 700 ack 800",
        ] {
            assert_eq!(one(unread), Item::Unread(1, unread.to_owned()));
        }
        assert_eq!(one("0.655224 port1 in arp who-has 10.0.0.1 tell 10.0.0.5"), Item::Other(stamp));
        for none in ["filters=[port 3306]", "0x0000   0000 0000 0001 0009   ........"] {
            assert_eq!(one(none), Item::Skipped(1));
        }
    }

    #[test]
    fn few_wait() {
        let mut form = Fortigate::default();
        let (mut ends, mut out) = (Ends::default(), VecDeque::new());
        for number in 0..2_000 {
            let line = format!("1.0 10.0.0.5.4000 -> 10.0.0.3.3306: psh {} ack 1", number * 10);
            form.take(number, &line, &mut ends, &mut out);
        }
        assert_eq!(form.queue.len(), MAX_WAITING);
        form.end(&mut out);
        let lens: Vec<u32> = out
            .iter()
            .filter_map(|item| if let Item::Tcp(printed) = item { Some(printed.len) } else { None })
            .collect();
        assert!(lens.len() == 2_000 && lens[..1_999].iter().all(|len| *len == 10));
    }
}
