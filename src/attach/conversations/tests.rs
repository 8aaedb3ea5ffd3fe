//! Conversations that are read at once, and those that wait.

use proptest::prelude::*;

use std::sync::Mutex;

use super::super::left::MOST_LEFT;
use super::super::registry::Known;
use super::super::spared::{Spared, Spot};
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
    (0usize..3, 0..WORDS.len(), lost, captured)
        .prop_map(|(connection, word, lost, captured)| Said { connection, word, lost, captured })
}

/// Ways in which segments are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    AtOnce,
    Waiting,
    /// Left in a file.
    Left,
}

/// The hash of a 4-tuple, a header and a payload.
type Recorded = (u64, Header, Vec<u8>);

/// A file, each of whose records takes one octet.
#[derive(Default)]
struct Recording(Mutex<Vec<Recorded>>);

impl Again for Recording {
    fn segment<'a>(&self, at: Spot, _: &'a Piece, room: &'a mut Vec<u8>) -> Option<Found<'a>> {
        let records = self.0.lock().expect("nobody panics");
        let (hash, header, payload) = records.get(at.record() as usize - 1)?;
        room.clone_from(payload);
        Some(Found { hash: *hash, header: *header, payload: room })
    }

    fn piece(&self, from: Spot) -> Piece {
        let (file, start) = from.order();
        Piece { file, start, end: start + 3, octets: Vec::new() }
    }

    fn piece_after(&self, _: &Piece) -> Option<Piece> {
        None
    }
}

/// Connections with what was said on them, each side's next number, and a clock.
struct Read {
    way: Way,
    all: Conversations,
    spared: Spared,
    recording: Arc<Recording>,
    flows: Vec<Flow>,
    next: [[u32; 2]; 3],
    clock: i128,
    wanted: Wanted,
}

impl Read {
    fn new(way: Way) -> Read {
        let flow = Flow::new(&segment(CLIENT, Flags::SYN, 0, b""));
        let mut read = Read {
            way,
            all: Conversations::default(),
            spared: Spared::default(),
            recording: Arc::default(),
            flows: vec![flow; 3],
            next: [[0; 2]; 3],
            clock: 0,
            wanted: Wanted { path: true, octets: true, later: way != Way::AtOnce },
        };
        read.spared.begin_file((way == Way::Left).then_some(0));
        read.spared.begin_round();
        // Of the first connection, the beginning was seen.
        let begun = [(CLIENT, Flags::SYN), (SERVER, Flags::SYN | Flags::ACK)];
        read.take(&begun.map(|(from, flags)| (0, segment(from, flags, 0, b""), Vec::new())));
        read.next[0] = [1; 2];
        read
    }

    fn guess(at: usize) -> Guess {
        let (_, server) = FlowKey::new(SERVER, CLIENT);
        Guess { protocol: Known::ALL[at], server, assumed: true }
    }

    /// Takes a round: connections, segments, and what was captured of their payloads.
    fn take(&mut self, round: &[(usize, Segment, Vec<u8>)]) {
        let (mut payloads, mut places, mut spans) = (Vec::new(), Places::new(), Vec::new());
        for (at, segment, payload) in round {
            let (left, spot) = self.place(*at, segment, payload);
            places.push(spot.map_or(0, Spot::bits));
            let span = Span { start: payloads.len() as u32, len: payload.len() as u32 };
            spans.push(((!left).then_some(span), spot));
            payloads.extend(if left { &[] } else { &payload[..] });
        }
        let recording = Arc::clone(&self.recording);
        let again: Arc<dyn Again> = recording;
        self.all.begin_round((&payloads.into(), &Arc::new(places)), Some(&again));
        for (packet, ((at, segment, payload), span)) in (0..).zip(round.iter().zip(spans)) {
            self.keep(*at, segment, payload, packet, span);
        }
        self.all.end_round();
        self.all.ask_for_due();
        self.read_asked();
    }

    /// Reads what is asked for, piece by piece.
    fn read_asked(&mut self) {
        while let Some(from) = self.all.asked_from() {
            let piece = self.recording.piece(from);
            self.all.read_asked(&*self.recording, &piece);
        }
    }

    /// Asks for all that was left of some connections.
    fn ask_for(&mut self, connections: &[bool]) {
        let slots = self.flows.iter().zip(connections).filter(|(_, is_asked)| **is_asked);
        let slots = slots.map(|(flow, _)| flow.slot.0).collect();
        self.all.ask_for(slots);
        self.read_asked();
    }

    /// Reads a segment's place, as whoever reads a file does: whether its octets are left there, and where.
    fn place(&mut self, at: usize, segment: &Segment, payload: &[u8]) -> (bool, Option<Spot>) {
        if self.way != Way::Left {
            return (false, None);
        }
        let mut records = self.recording.0.lock().expect("nobody panics");
        records.push((hash(at), Header::of(segment), payload.to_vec()));
        let record = records.len() as u64;
        if segment.flags.syn() {
            self.spared.begin(hash(at));
        }
        let left = self.spared.left(hash(at), record).filter(|_| !payload.is_empty());
        let content = Content::new(Read::guess(at), payload);
        (left.is_some(), left.or_else(|| self.spared.heard(hash(at), record, &content)))
    }

    fn keep(
        &mut self,
        at: usize,
        segment: &Segment,
        payload: &[u8],
        packet: u32,
        (span, spot): (Option<Span>, Option<Spot>),
    ) {
        let (flow, header, guess) = (&mut self.flows[at], Header::of(segment), Read::guess(at));
        if self.way == Way::AtOnce {
            return self.all.take(flow, &header, Content::new(guess, payload), self.wanted);
        }
        if span.is_some() {
            let is_sure = spot.is_some_and(Spot::is_sure);
            let packet = spot.map(|_| packet);
            let said = super::Said { hash: hash(at), guess, payload: span, packet, is_sure };
            self.all.keep(flow, &header, &said, self.wanted);
        } else if !self.all.leave(flow.slot, packet) {
            self.all.keep_again(flow, &header, (hash(at), packet), self.wanted);
            if !self.all.is_left(flow.slot) {
                self.spared.hand_on(hash(at));
            }
        }
    }

    fn round(&mut self, round: &[Said]) {
        let segments: Vec<_> = round.iter().map(|said| self.segment(said)).collect();
        self.take(&segments);
    }

    fn segment(&mut self, said: &Said) -> (usize, Segment, Vec<u8>) {
        let (from, word) = WORDS[said.word];
        let number = &mut self.next[said.connection][usize::from(from == SERVER)];
        *number += said.lost;
        let mut segment = segment(from, Flags::ACK, *number, word);
        *number += word.len() as u32;
        self.clock += 1;
        segment.place = Place::new(Time::from_nanos(self.clock), 0, 1, 6);
        let payload = word.get(..said.captured).unwrap_or(word);
        (said.connection, segment, payload.to_vec())
    }

    fn facts(&mut self) -> Vec<String> {
        let facts = |flow| format!("{:?}", self.all.facts(flow, true));
        self.flows.iter().map(facts).collect()
    }

    /// Tells whether anything of a connection waits.
    fn waits(&self, at: usize) -> bool {
        let conversation = self.all.get(&self.flows[at]).expect("a conversation");
        conversation.unread.count > 0 || conversation.left_from.is_some()
    }
}

/// The hash of a connection's 4-tuple.
fn hash(at: usize) -> u64 {
    (at as u64 + 1) << 32 | (at as u64) << 8
}

proptest! {
    #![proptest_config(kept("conversations", 256))]

    /// However long segments wait, they say what they would have said at once.
    #[test]
    fn what_waits_says_the_same_later(
        rounds in prop::collection::vec(prop::collection::vec(said(), 0..6), 1..60),
        asked in prop::array::uniform3(any::<bool>()),
        goes_on in 0usize..3,
    ) {
        let ways = [Way::AtOnce, Way::Waiting, Way::Left];
        let (before, after) = rounds.split_at(rounds.len().saturating_sub(goes_on));
        let [at_once, waiting, left] = ways.map(|way| {
            let mut read = Read::new(way);
            before.iter().for_each(|round| read.round(round));
            if way == Way::Left {
                read.ask_for(&asked);
            }
            after.iter().for_each(|round| read.round(round));
            read.facts()
        });
        prop_assert_eq!(&at_once, &waiting);
        prop_assert_eq!(at_once, left);
    }
}

const LOGIN: Said = Said { connection: 1, word: 4, lost: 0, captured: usize::MAX };

/// A connection that goes on is read along once its first round is too old, and lets go of all payloads.
#[test]
fn nothing_waits_for_long() {
    let mut read = Read::new(Way::Waiting);
    read.round(&[LOGIN]);
    (0..7).for_each(|_| read.round(&[]));
    assert!(
        read.waits(1),
        "what costs no second reading waits for longer than what was left in a file"
    );
    let payloads = Payloads::from(vec![0; 8]);
    read.all.begin_round((&payloads, &Arc::default()), None);
    assert_eq!(Payloads::strong_count(&payloads), 2);
    (0..20).for_each(|_| read.round(&[]));
    assert_eq!((read.waits(1), Payloads::strong_count(&payloads)), (false, 1));
    let facts = read.all.facts(&read.flows[1], false).expect("a conversation");
    assert_eq!(facts.user.as_deref(), Some("app"));
    read.round(&[LOGIN]);
    assert!(!read.waits(1), "from here on, nothing of it does");
}

/// Places alone are kept of a connection in a file, for as long as they are few and not old.
#[test]
fn what_is_left_in_a_file_waits_for_longer() {
    let cases = [(1, MOST_LEFT + 1, 2, "they were many"), (2, 1, 4, "they were old")];
    for (rounds, more, after, why) in cases {
        let mut read = Read::new(Way::Left);
        read.round(&[LOGIN]);
        (1..rounds).for_each(|_| read.round(&[]));
        assert!(read.waits(1));
        read.round(&vec![Said { word: 5, ..LOGIN }; more]);
        assert!(read.waits(1));
        (0..after).for_each(|_| read.round(&[]));
        assert!(!read.waits(1), "{why}");
        let facts = read.all.facts(&read.flows[1], false).expect("a conversation");
        assert_eq!(facts.user.as_deref(), Some("app"));
    }
}

/// A file that was changed since says nothing; nor does one that is gone.
#[test]
fn what_is_there_no_more_is_lost() {
    let changes: [fn(&mut Vec<Recorded>); 2] =
        [|records| records.iter_mut().for_each(|it| it.0 += 1), Vec::clear];
    for change in changes {
        let mut read = Read::new(Way::Left);
        read.round(&[LOGIN]);
        change(&mut read.recording.0.lock().expect("nobody panics"));
        assert_eq!(read.all.facts(&read.flows[1], false), None);
    }
}

/// Nobody reads what was said on a connection that is over, unless more of it comes.
#[test]
fn what_is_over_is_not_read_late() {
    for goes_on in [false, true] {
        let mut read = Read::new(Way::Waiting);
        read.round(&[LOGIN]);
        read.all.end(&read.flows[1]);
        if goes_on {
            read.round(&[LOGIN]);
        }
        (0..20).for_each(|_| read.round(&[]));
        let facts = read.all.facts(&read.flows[1], false);
        assert_eq!(facts.is_some(), goes_on);
    }
}

/// However short rounds are, no more than so many segments are kept for what waits.
#[test]
fn what_waits_is_bounded() {
    let mut read = Read::new(Way::Waiting);
    let many = |word| vec![Said { word, ..LOGIN }; 5_000];
    read.round(&many(4)[..1]);
    read.round(&many(5));
    assert!(read.waits(1));
    read.round(&many(5));
    read.round(&[]);
    assert!(!read.waits(1));
}
