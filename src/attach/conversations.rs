//! The conversations of many connections, each in the slot that its connection names.

use super::Facts;
pub use super::conversation::Wanted;
use super::conversation::{Conversation, Sent};
use super::registry::{Content, Guess, Known, Withheld};
use super::tried::Tried;
use super::unread::Rounds;
pub use super::unread::{Header, Payloads, Span, prefetch_ends};
use crate::set::Set;
use crate::tcp::flow::{Flow, Slot};
use crate::tcp::segment::{End, Segment};
use crate::tcp::seq::later;
use crate::tcp::side::Side;

/// Results of taking a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// More may be learnt.
    Usual,
    /// A conversation begins with it.
    Begun,
    /// Nothing can be learnt of those that follow.
    All,
}

/// The conversations read along of one shard's connections, each in its slot.
#[derive(Default)]
pub struct Conversations {
    slots: Vec<Option<Conversation>>,
    free: Vec<u32>,
    /// The last rounds, with the payloads of what waits.
    rounds: Rounds,
    /// Segments of this round that were read at once, less those that wait.
    balance: isize,
    /// Evidence of this round for and against the protocols of ports.
    pub tried: Tried,
    /// Protocols that their usual ports are not used for.
    pub refuted: Set<Known>,
}

impl Conversations {
    /// Begins with a round, in which segments come with these payloads. Returns whether most are likely to be read
    /// at once.
    pub fn begin_round(&mut self, payloads: &Payloads) -> bool {
        let most_are_read = core::mem::take(&mut self.balance) > 0;
        self.rounds.begin(payloads);
        while let Some((round, began)) = self.rounds.too_old() {
            for slot in began {
                let conversation = at(&mut self.slots, Slot(slot));
                if let Some(conversation) = conversation.filter(|it| it.began == round) {
                    conversation.read_late(&self.rounds);
                }
            }
            self.rounds.end_oldest();
        }
        most_are_read
    }

    /// Ends a round: no more segments come with its payloads.
    pub fn end_round(&mut self) {
        self.rounds.close();
    }

    /// Takes a segment of a connection, which may wait where its payload lies.
    #[inline]
    pub fn keep(
        &mut self,
        flow: &mut Flow,
        header: &Header,
        guess: Guess,
        payload: Span,
        wanted: Wanted,
    ) -> Heard {
        if matches!(flow.slot, Slot::NOTHING | Slot::ENCRYPTED) {
            return Heard::All;
        }
        let conversation = at(&mut self.slots, flow.slot);
        match conversation.filter(|conversation| conversation.waits()) {
            Some(conversation) => {
                conversation.is_over = false;
                self.rounds.wait(&mut conversation.unread, header, payload);
                self.balance -= 1;
                Heard::Usual
            }
            None => self.keep_closely(flow, header, guess, payload, wanted),
        }
    }

    #[inline(never)]
    fn keep_closely(
        &mut self,
        flow: &mut Flow,
        header: &Header,
        guess: Guess,
        payload: Span,
        wanted: Wanted,
    ) -> Heard {
        let begins = matches!(flow.slot, Slot::NONE | Slot::WITHHELD);
        if begins {
            self.begin(flow, guess, wanted);
            self.rounds.note(flow.slot.0);
        }
        let heard = if begins { Heard::Begun } else { Heard::Usual };
        let Some(conversation) = at(&mut self.slots, flow.slot) else { return heard };
        conversation.hear(self.rounds.payload(payload));
        if conversation.waits() || conversation.is_silent() {
            self.rounds.wait(&mut conversation.unread, header, payload);
            note(&mut self.tried, conversation);
            return heard;
        }
        self.balance += 1;
        conversation.read_along(&self.rounds);
        conversation.read(header, self.rounds.payload(payload));
        let is_deaf = conversation.is_deaf();
        note(&mut self.tried, conversation);
        self.let_go_of_nothing(flow);
        if is_deaf && !begins { Heard::All } else { heard }
    }

    /// Takes a segment whose octets were withheld. True if they are of another connection than was meant: then they
    /// are lost.
    #[inline]
    pub fn miss(&mut self, flow: &mut Flow, header: &Header, why: Withheld) -> bool {
        match (flow.slot, why) {
            (Slot::NOTHING | Slot::ENCRYPTED, _) => false,
            (Slot::NONE | Slot::WITHHELD, Withheld::Untold | Withheld::Unread) => {
                flow.slot = Slot::WITHHELD;
                true
            }
            (Slot::NONE | Slot::WITHHELD, Withheld::Encrypted) => {
                flow.slot = Slot::ENCRYPTED;
                false
            }
            (slot, _) => self.lose(slot, header),
        }
    }

    #[inline(never)]
    fn lose(&mut self, slot: Slot, header: &Header) -> bool {
        let conversation = at(&mut self.slots, slot).filter(|conversation| !conversation.is_deaf());
        conversation.is_some_and(|conversation| {
            conversation.read_along(&self.rounds);
            conversation.read(header, &[]);
            true
        })
    }

    /// Notes that a connection is over, and that nobody will ask about it, unless more of it comes.
    pub fn end(&mut self, flow: &Flow) {
        if let Some(conversation) = at(&mut self.slots, flow.slot) {
            conversation.is_over = true;
        }
    }

    /// Takes a segment of a connection, and reads it at once.
    fn take(&mut self, flow: &mut Flow, header: &Header, content: Content, wanted: Wanted) {
        if flow.slot == Slot::NONE {
            self.begin(flow, content.guess, wanted);
        }
        let Some(conversation) = at(&mut self.slots, flow.slot) else { return };
        conversation.read(header, content.payload);
        self.let_go_of_nothing(flow);
    }

    /// Lets go of a connection that is in no protocol.
    #[inline]
    fn let_go_of_nothing(&mut self, flow: &mut Flow) {
        let slot = self.slots.get(flow.slot.0 as usize).and_then(Option::as_ref);
        let Some(nothing) = slot.filter(|it| it.is_in_no_protocol()) else { return };
        let left = if nothing.is_encrypted() { Slot::ENCRYPTED } else { Slot::NOTHING };
        self.release(flow.slot);
        flow.slot = left;
    }

    fn begin(&mut self, flow: &mut Flow, guess: Guess, wanted: Wanted) {
        let (first, round) = (flow.first.order(), self.rounds.number());
        let begins = [End::Lower, End::Upper].map(|end| {
            let isn = flow.half(flow.side(end)).isn();
            isn.map(|isn| isn + 1)
        });
        let conversation = Conversation::new(first, begins, guess, wanted, round);
        let free = self.free.pop();
        let at = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        if let Some(slot) = self.slots.get_mut(at as usize) {
            *slot = Some(conversation);
        }
        flow.slot = Slot(at);
    }

    fn get(&self, flow: &Flow) -> Option<&Conversation> {
        let conversation = self.slots.get(flow.slot.0 as usize)?.as_ref()?;
        (conversation.first == flow.first.order()).then_some(conversation)
    }

    /// Returns what was said on a connection, unless it turned out to be in no protocol that is read.
    pub fn facts(&mut self, flow: &Flow, literals: bool) -> Option<Box<Facts>> {
        if let Some(conversation) = at(&mut self.slots, flow.slot) {
            conversation.read_along(&self.rounds);
        }
        self.facts_if_over(flow, literals)
    }

    /// Returns it as if the connection were over, whatever comes after: all of it, but for segments that may wait
    /// ([`Wanted::later`]).
    pub fn facts_if_over(&self, flow: &Flow, literals: bool) -> Option<Box<Facts>> {
        let conversation = self.get(flow)?;
        let sent = [End::Lower, End::Upper].map(|end| sent(flow, flow.side(end)));
        let facts = conversation.facts_if_over(sent, flow.last.time, literals)?;
        self.of_its_protocol(conversation, facts).map(Box::new)
    }

    /// Takes a segment of a connection, and returns what has been said with it: what never came is still waited for.
    pub fn follow(
        &mut self,
        flow: &mut Flow,
        segment: &Segment,
        content: Content,
        literals: bool,
    ) -> Option<Facts> {
        self.take(flow, &Header::of(segment), content, Wanted::default());
        let conversation = self.get(flow)?;
        self.of_its_protocol(conversation, conversation.facts(literals)?)
    }

    fn of_its_protocol(&self, conversation: &Conversation, facts: Facts) -> Option<Facts> {
        let is_refuted = conversation.assumed().is_some_and(|it| self.refuted.contains(&it));
        let is_theirs = facts.confirmed.unwrap_or(!is_refuted);
        is_theirs.then_some(facts)
    }

    /// Returns the reason why nothing is known of what was said on a connection, as far as it has been read.
    pub fn withheld(&self, flow: &Flow) -> Option<Withheld> {
        match flow.slot {
            Slot::WITHHELD => Some(Withheld::Untold),
            Slot::ENCRYPTED => Some(Withheld::Encrypted),
            _ => self.get(flow)?.is_encrypted().then_some(Withheld::Encrypted),
        }
    }

    /// Returns the end that is the server in what is spoken on a connection, as far as it has been read.
    pub fn server(&self, flow: &Flow) -> Option<End> {
        self.get(flow)?.server()
    }

    /// Returns whether a transaction is open on a connection.
    pub fn is_in_transaction(&mut self, flow: &Flow) -> bool {
        self.facts(flow, false).is_some_and(|facts| facts.in_transaction == Some(true))
    }

    /// Lets go of a connection that nobody will ask about.
    pub fn forget(&mut self, flow: &mut Flow) {
        self.release(flow.slot);
        flow.slot = Slot::NONE;
    }

    /// Empties the slot of a connection that has left.
    pub fn release(&mut self, Slot(at): Slot) {
        let slot = self.slots.get_mut(at as usize);
        if slot.is_some_and(|slot| slot.take().is_some()) {
            self.free.push(at);
        }
    }
}

/// Takes note of a conversation after a segment, if its port is why it is read.
fn note(tried: &mut Tried, conversation: &Conversation) {
    match conversation.assumed() {
        Some(protocol) if conversation.is_in_no_protocol() => tried.refute(protocol),
        Some(protocol) if conversation.is_spoken() => tried.speak(protocol),
        _ => {}
    }
}

/// The first and the last number that a side is known to have sent, by what the other acknowledged and by its own, which
/// go on behind what was not captured.
fn sent(flow: &Flow, side: Side) -> Sent {
    let (half, other) = (flow.half(side), flow.half(side.other()));
    // Its own lowest number can be a keep-alive's.
    let first = other.first_ack().or(half.lowest())?;
    let last = half.snd_max().map(|max| later(other.ack(), max)).or(other.ack())?;
    Some((first, last))
}

/// The conversation in a slot, while others beside the slots are in use.
#[inline]
fn at(slots: &mut [Option<Conversation>], Slot(at): Slot) -> Option<&mut Conversation> {
    slots.get_mut(at as usize)?.as_mut()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::registry::Known;
    use super::*;
    use crate::place::{Place, Time};
    use crate::regressions::kept;
    use crate::tcp::segment::{Endpoint, Extras, Flags, FlowKey, Segment};
    use crate::tcp::seq::Seq;

    const CLIENT: Endpoint =
        Endpoint { ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), port: 40_000 };
    const SERVER: Endpoint = Endpoint { port: 3_306, ..CLIENT };

    fn segment(from: Endpoint, flags: u8, seq: u32, payload: &[u8]) -> Segment {
        let to = if from == CLIENT { SERVER } else { CLIENT };
        let (key, from) = FlowKey::new(from, to);
        Segment {
            key,
            hash: 0,
            from,
            seq: Seq(seq),
            ack: Seq(1),
            flags: Flags(flags),
            len: payload.len() as u32,
            window: u16::MAX,
            extras: Extras::default(),
            place: Place::new(Time::UNKNOWN, 0, 1, 6),
            direction: None,
        }
    }

    /// Until the second of them has spoken, its first word may show what is spoken.
    #[test]
    fn what_is_in_no_protocol_is_let_go_when_both_ends_have_spoken() {
        let syn = segment(CLIENT, Flags::SYN, 0, b"");
        let (mut flow, mut all) = (Flow::new(&syn), Conversations::default());
        let (_, server) = FlowKey::new(SERVER, CLIENT);
        let guess = Guess { protocol: Known::Mysql, server, assumed: true };
        let mut take = |from, flags, seq, payload: &[u8]| {
            let segment = segment(from, flags, seq, payload);
            let content = Content::new(guess, payload);
            all.take(&mut flow, &Header::of(&segment), content, Wanted::default());
            (flow.slot, all.free.len())
        };
        take(CLIENT, Flags::SYN, 0, b"");
        take(SERVER, Flags::SYN | Flags::ACK, 0, b"");
        assert_eq!(take(CLIENT, Flags::ACK, 1, b"who speaks first?"), (Slot(0), 0));
        assert_eq!(take(SERVER, Flags::ACK, 1, b"not a server"), (Slot::NOTHING, 1));
        assert_eq!(take(SERVER, Flags::ACK, 13, b"of MySQL"), (Slot::NOTHING, 1));
    }

    /// First words and others, in several protocols.
    const WORDS: &[(Endpoint, &[u8])] = &[
        (SERVER, b"\x17\0\0\0\x0a8.0.36\0xxxxxxxxxxxxx\x01\0"),
        (CLIENT, b"\x06\0\0\0\x03BEGIN"),
        (CLIENT, b"\x09\0\0\0\x03select 1"),
        (SERVER, b"\x07\0\0\x01\0\0\0\x01\0\0\0"),
        (CLIENT, b"\0\0\0\x12\0\x03\0\0user\0app\0\0"),
        (CLIENT, b"Q\0\0\0\x0aBEGIN\0"),
        (SERVER, b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T"),
        (CLIENT, b"GET /orders/17 HTTP/1.1\r\nHost: shop\r\n\r\n"),
        (SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
        (CLIENT, b"*1\r\n$5\r\nMULTI\r\n"),
        (SERVER, b"+OK\r\n"),
        (CLIENT, b"\x16\x03\x01\0\x05hello"),
        (SERVER, b"words of nobody"),
        (CLIENT, b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 5432\r\n"),
        (CLIENT, b"PROXY UNKNOWN\r\n*1\r\n$5\r\nMULTI\r\n"),
        (CLIENT, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /orders/17 HTTP/1.1\r\n\r\n"),
        (CLIENT, b""),
    ];

    /// A segment of one of several connections.
    #[derive(Clone, Debug)]
    struct Said {
        connection: usize,
        word: usize,
        /// Octets before it that were lost.
        lost: u32,
        /// Octets of it that were captured.
        captured: usize,
    }

    fn said() -> impl Strategy<Value = Said> {
        let lost = prop_oneof![12 => Just(0u32), 1 => 1u32..9];
        let captured = prop_oneof![12 => Just(usize::MAX), 1 => 0usize..9];
        (0usize..3, 0..WORDS.len(), lost, captured).prop_map(
            |(connection, word, lost, captured)| Said { connection, word, lost, captured },
        )
    }

    /// Connections with what was said on them, each side's next number, and a clock.
    struct Read {
        all: Conversations,
        flows: Vec<Flow>,
        next: [[u32; 2]; 3],
        clock: i128,
        wanted: Wanted,
    }

    impl Read {
        fn new(later: bool) -> Read {
            let flow = Flow::new(&segment(CLIENT, Flags::SYN, 0, b""));
            let wanted = Wanted { path: true, octets: true, later };
            let mut read = Read {
                all: Conversations::default(),
                flows: vec![flow; 3],
                next: [[0; 2]; 3],
                clock: 0,
                wanted,
            };
            // Of the first connection, the beginning was seen.
            let begun = [(CLIENT, Flags::SYN), (SERVER, Flags::SYN | Flags::ACK)];
            let begun = begun.map(|(from, flags)| segment(from, flags, 0, b""));
            begun.iter().for_each(|segment| read.take(0, segment, b"", None));
            read.next[0] = [1; 2];
            read
        }

        fn take(&mut self, at: usize, segment: &Segment, payload: &[u8], span: Option<Span>) {
            let (_, server) = FlowKey::new(SERVER, CLIENT);
            let guess = Guess { protocol: Known::ALL[at], server, assumed: true };
            let (flow, header) = (&mut self.flows[at], Header::of(segment));
            match span.or(self.wanted.later.then_some(Span { start: 0, len: 0 })) {
                Some(span) => {
                    self.all.keep(flow, &header, guess, span, self.wanted);
                }
                None => self.all.take(flow, &header, Content::new(guess, payload), self.wanted),
            }
        }

        fn round(&mut self, round: &[Said]) {
            let captured = |said: &Said| {
                let word = WORDS[said.word].1;
                word.get(..said.captured).unwrap_or(word)
            };
            let payloads = round.iter().map(captured).collect::<Vec<_>>().concat();
            self.all.begin_round(&payloads.into());
            let mut start = 0;
            for said in round {
                let (from, word) = WORDS[said.word];
                let number = &mut self.next[said.connection][usize::from(from == SERVER)];
                *number += said.lost;
                let payload = captured(said);
                let mut segment = segment(from, Flags::ACK, *number, word);
                *number += word.len() as u32;
                self.clock += 1;
                segment.place = Place::new(Time::from_nanos(self.clock), 0, 1, 6);
                let span = Span { start, len: payload.len() as u32 };
                start += span.len;
                let span = self.wanted.later.then_some(span);
                self.take(said.connection, &segment, payload, span);
            }
        }

        fn facts(&mut self) -> Vec<String> {
            let facts = |flow| format!("{:?}", self.all.facts(flow, true));
            self.flows.iter().map(facts).collect()
        }
    }

    proptest! {
        #![proptest_config(kept("conversations", 256))]

        /// However long segments wait, they say what they would have said at once.
        #[test]
        fn what_waits_says_the_same_later(
            rounds in prop::collection::vec(prop::collection::vec(said(), 0..6), 1..40),
        ) {
            let (mut at_once, mut later) = (Read::new(false), Read::new(true));
            for round in &rounds {
                at_once.round(round);
                later.round(round);
            }
            prop_assert_eq!(at_once.facts(), later.facts());
        }
    }

    /// A connection that goes on is read along once its first round is too old, and lets go of all payloads.
    #[test]
    fn nothing_waits_for_long() {
        let mut read = Read::new(true);
        let login = Said { connection: 1, word: 4, lost: 0, captured: usize::MAX };
        let waits = |read: &Read| {
            let conversation = read.all.get(&read.flows[1]).expect("a conversation");
            conversation.unread.count > 0
        };
        read.round(std::slice::from_ref(&login));
        assert!(waits(&read));
        let payloads = Payloads::from(vec![0; 8]);
        read.all.begin_round(&payloads);
        assert_eq!(Payloads::strong_count(&payloads), 2);
        (0..20).for_each(|_| read.round(&[]));
        assert_eq!((waits(&read), Payloads::strong_count(&payloads)), (false, 1));
        let facts = read.all.facts(&read.flows[1], false).expect("a conversation");
        assert_eq!(facts.user.as_deref(), Some("app"));
        read.round(&[login]);
        assert!(!waits(&read), "from here on, nothing of it does");
    }

    /// Nobody reads what was said on a connection that is over, unless more of it comes.
    #[test]
    fn what_is_over_is_not_read_late() {
        for goes_on in [false, true] {
            let mut read = Read::new(true);
            let login = Said { connection: 1, word: 4, lost: 0, captured: usize::MAX };
            read.round(std::slice::from_ref(&login));
            read.all.end(&read.flows[1]);
            if goes_on {
                read.round(&[login]);
            }
            (0..20).for_each(|_| read.round(&[]));
            let facts = read.all.facts(&read.flows[1], false);
            assert_eq!(facts.is_some(), goes_on);
        }
    }

    /// However short rounds are, no more than so many segments are kept for what waits.
    #[test]
    fn what_waits_is_bounded() {
        let mut read = Read::new(true);
        let many = |word| vec![Said { connection: 1, word, lost: 0, captured: usize::MAX }; 5_000];
        read.round(&many(4)[..1]);
        read.round(&many(5));
        let unread =
            read.all.get(&read.flows[1]).map(|conversation| conversation.unread.count == 0);
        assert_eq!(unread, Some(false));
        read.round(&many(5));
        read.round(&[]);
        let unread =
            read.all.get(&read.flows[1]).map(|conversation| conversation.unread.count == 0);
        assert_eq!(unread, Some(true));
    }
}
