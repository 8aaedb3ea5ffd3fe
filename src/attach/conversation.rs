//! One connection's conversation: its segments are read as they come, or wait until somebody asks.
//!
//! Most connections end well, and nobody ever asks what was said on them. So where a connection's first words
//! leave no doubt which protocol it speaks, its segments wait unread. One that goes on for long is read along.
//! Read later, they say the same.

use super::facts::Facts;
use super::header::Header;
use super::late::Late;
use super::left::Found;
use super::marks::Marks;
use super::proxy::{self, Before};
use super::registry::{self, Guess, Known, Talk};
use super::unread::{Rounds, Said, Unread};
use super::{Opening, Peer};
use crate::place::Time;
use crate::tcp::segment::End;
use crate::tcp::seq::Seq;
use crate::tcp::stream::{Chunk, Stream};

/// Facts that cost something, and are only kept where they are wanted; and when they are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// [`Facts::path`].
    pub path: bool,
    /// [`Facts::begun_in`].
    pub octets: bool,
    /// Only of connections that have ended, or at the end: until then, segments may wait unread.
    pub later: bool,
}

/// A connection, from its first segment on.
pub struct Conversation {
    /// The place of its connection's first packet: slots are used again.
    pub first: u64,
    begins: Begins,
    guess: Guess,
    wanted: Wanted,
    stage: Stage,
    /// The number of the round in which it began.
    pub began: u8,
    /// Segments that wait.
    pub unread: Unread,
    /// The round in which the first of its segments was left in its file, and the number of those of others that had been
    /// left in it before.
    pub left_from: Option<(u8, u32)>,
    /// The hash of its 4-tuple.
    pub hash: u64,
    /// Nobody will ask about its connection, unless more of it comes.
    pub is_over: bool,
    /// The conversation as far as it was read; none where nothing was.
    reading: Option<Box<Reading>>,
}

/// The numbers of the first octets of the lower and of the upper end, where their SYNs were captured.
pub type Begins = [Option<Seq>; 2];

/// The first number of an end's octets and that behind the last, as far as anything shows that they were sent.
pub type Sent = Option<(Seq, Seq)>;

/// The stages of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No word has been said: its first segments wait.
    Silent,
    /// It waits unread.
    Waits,
    /// It is read along.
    Read,
    /// It is in no protocol that is read.
    Nothing,
}

impl Conversation {
    /// Begins with a connection whose first packet had this place, in this round.
    pub fn new(
        first: u64,
        hash: u64,
        begins: Begins,
        guess: Guess,
        wanted: Wanted,
        began: u8,
    ) -> Conversation {
        let stage = if wanted.later { Stage::Silent } else { Stage::Read };
        Conversation {
            first,
            begins,
            guess,
            wanted,
            stage,
            began,
            unread: Unread::default(),
            left_from: None,
            hash,
            is_over: false,
            reading: None,
        }
    }

    /// Hears words, of which the first tell whether it waits.
    pub fn hear(&mut self, payload: &[u8]) {
        let words = if self.stage == Stage::Silent { proxy::words(payload) } else { &[] };
        if !words.is_empty() {
            let is_sure = registry::is_sure(words, self.guess.protocol);
            self.stage = if is_sure { Stage::Waits } else { Stage::Read };
        }
    }

    /// Takes note that its first words, if these are they, leave no doubt.
    pub fn is_heard(&mut self) {
        if self.stage == Stage::Silent {
            self.stage = Stage::Waits;
        }
    }

    /// Returns the protocol that it was taken for by its port alone.
    pub fn assumed(&self) -> Option<Known> {
        self.guess.assumed.then_some(self.guess.protocol)
    }

    /// Tells whether it is in a protocol that is read, by more than its port.
    pub fn is_spoken(&self) -> bool {
        let reading = self.reading.as_deref().filter(|_| self.stage != Stage::Nothing);
        let is_known = |it: &Reading| it.talk.confirmed().unwrap_or(it.streams.is_none());
        self.waits() || reading.is_some_and(is_known)
    }

    /// It is sure what it speaks, and nobody has asked yet.
    #[inline]
    pub fn waits(&self) -> bool {
        self.stage == Stage::Waits
    }

    /// It turned out to be in no protocol that is read: there is nothing to keep.
    pub fn is_in_no_protocol(&self) -> bool {
        self.stage == Stage::Nothing
    }

    /// Returns whether its first words were TLS.
    pub fn is_encrypted(&self) -> bool {
        self.reading.as_deref().is_some_and(|reading| reading.is_tls == Some(true))
    }

    /// Nothing can be learnt of what follows.
    pub fn is_deaf(&self) -> bool {
        let is_deaf =
            |reading: &Reading| reading.streams.is_none() && reading.awaited == [false; 2];
        self.is_in_no_protocol() || self.reading.as_deref().is_some_and(is_deaf)
    }

    /// Has a segment of the conversation in this slot wait, if the conversation may: those that are left in their file
    /// come after all others. Returns whether it does.
    pub fn keep(&mut self, slot: u32, header: &Header, said: &Said, rounds: &mut Rounds) -> bool {
        let may_wait = matches!(self.stage, Stage::Silent | Stage::Waits);
        match (said.packet, said.payload) {
            _ if !may_wait => false,
            (Some(packet), _) => {
                self.left_from.get_or_insert_with(|| rounds.begin_left(slot));
                rounds.leave(slot, packet);
                true
            }
            (None, Some(payload)) if self.left_from.is_none() => {
                rounds.wait(&mut self.unread, header, payload);
                true
            }
            (None, _) => false,
        }
    }

    /// Reads what waits of the conversation in this slot; what comes from now on is read at once.
    pub fn read_along(&mut self, slot: u32, rounds: &Rounds) {
        if matches!(self.stage, Stage::Silent | Stage::Waits) {
            self.stage = Stage::Read;
        }
        self.read_unread(rounds);
        if let Some(from) = self.left_from.take() {
            let its = (slot, self.hash);
            rounds.each_left(its, from, |header, payload| self.read(header, payload));
        }
    }

    /// Reads what waits where it came.
    fn read_unread(&mut self, rounds: &Rounds) {
        let unread = core::mem::take(&mut self.unread);
        rounds.each(unread, |header, payload| self.read(header, payload));
    }

    /// Begins to read again what was left in its file, in the order in which that lies there; first, what waits elsewhere.
    pub fn begin_again(&mut self, rounds: &Rounds) {
        self.stage = Stage::Read;
        self.read_unread(rounds);
    }

    /// Tells whether a segment is one of its own that was left in its slot so many rounds ago, as the one of this index.
    #[inline]
    pub fn has_left(&self, rounds: &Rounds, age: u8, index: u32) -> bool {
        self.left_from.is_some_and(|(round, from)| {
            let first = rounds.age(round);
            age < first || age == first && index >= from
        })
    }

    /// Reads a segment of its own that was left in its file, if it is that.
    pub fn read_again(&mut self, Found { hash, header, payload }: Found) {
        if hash == self.hash {
            self.read(&header, payload);
        }
    }

    /// Has been read, as far as it was left in its file: what comes from now on is read at once.
    pub fn end_again(&mut self) {
        self.left_from = None;
    }

    /// Reads what has waited for long, or forgets it if nobody will ask.
    pub fn read_late(&mut self, slot: u32, rounds: &Rounds) {
        if self.is_over {
            (self.unread, self.left_from) = (Unread::default(), None);
        }
        self.read_along(slot, rounds);
    }

    /// Returns what is known by what has been read.
    pub fn facts(&self, literals: bool) -> Option<Facts> {
        self.reading.as_ref().map(|reading| reading.facts(literals))
    }

    /// Returns what is known if no more comes, and this is what the lower and the upper end have sent in all: bare
    /// acknowledgements are not read along, and may show what was not captured.
    pub fn facts_if_over(&self, sent: [Sent; 2], at: Time, literals: bool) -> Option<Facts> {
        let reading = self.reading.as_deref()?;
        if self.stage != Stage::Read || reading.is_settled(sent) {
            return Some(reading.facts(literals));
        }
        // More may come after all, in whatever order: a copy says what this would.
        let mut over = reading.clone();
        over.settle(sent, at);
        Some(over.facts(literals))
    }

    /// Returns the end that is the server in what is spoken.
    pub fn server(&self) -> Option<End> {
        Some(self.reading.as_ref()?.server)
    }

    /// Reads a segment.
    pub fn read(&mut self, header: &Header, payload: &[u8]) {
        if self.stage == Stage::Nothing {
            return;
        }
        let (begins, guess, wanted) = (self.begins, self.guess, self.wanted);
        let begin = || Box::new(Reading::new(begins, header, guess, wanted));
        let reading = self.reading.get_or_insert_with(begin);
        let may_be_told = reading.take(header, payload);
        if may_be_told && reading.is_in_no_protocol() {
            self.stage = Stage::Nothing;
        }
    }
}

/// A conversation that is read along.
#[derive(Clone)]
struct Reading {
    talk: Talk,
    protocol: Known,
    opening: Opening,
    server: End,
    begins: Begins,
    /// The first words of the lower and of the upper end are still to come.
    awaited: [bool; 2],
    /// The first words of it that came are TLS; none before they came.
    is_tls: Option<bool>,
    /// The octets from the lower and from the upper end; none once nothing more can be learnt.
    streams: Option<[Stream; 2]>,
    late: Late,
    /// The client's last segments, where they are wanted.
    marks: Option<Box<Marks>>,
}

impl Reading {
    fn new(begins: Begins, first: &Header, guess: Guess, wanted: Wanted) -> Reading {
        let opening = Opening { assumed: guess.assumed, path: wanted.path };
        Reading {
            talk: guess.protocol.begin(opening),
            protocol: guess.protocol,
            opening,
            server: guess.server,
            begins,
            awaited: [false; 2],
            is_tls: None,
            streams: Some(begun(begins, first)),
            late: Late::default(),
            marks: wanted.octets.then(Box::default),
        }
    }

    fn facts(&self, literals: bool) -> Facts {
        let mut facts = self.late.of(self.talk.facts(literals), literals).within_reason();
        if self.is_silent() {
            facts = facts.silent();
        }
        match self.is_tls {
            // Only other connections told what is spoken on its port.
            Some(true) if !self.opening.assumed => drop(facts.confirmed.get_or_insert(false)),
            Some(true) if facts.confirmed != Some(true) => facts.encrypted = true,
            _ => {}
        }
        facts.client = Some(self.server.other());
        if let Some(marks) = &self.marks {
            facts.begun_in = facts.transaction_since.and_then(|at| marks.at(at));
            facts.last_statement_in = facts.last_statement_at.and_then(|at| marks.at(at));
            facts.statements_in = facts.statements_at.iter().map(|at| marks.at(*at)).collect();
        }
        facts
    }

    /// The beginnings of both ends were captured, and neither has sent an octet.
    fn is_silent(&self) -> bool {
        let Some(streams) = &self.streams else { return false };
        let is_at =
            |(stream, number): (&Stream, &Option<Seq>)| number.is_some_and(|it| stream.is_at(it));
        streams.iter().zip(&self.begins).all(is_at)
    }

    /// It turned out to be something else, and no end's first word can change that.
    fn is_in_no_protocol(&self) -> bool {
        self.awaited == [false; 2] && self.talk.confirmed() == Some(false)
    }

    /// Returns whether this was the last that can be learnt, or an end's first word after that.
    fn take(&mut self, header: &Header, payload: &[u8]) -> bool {
        if header.flags.syn() {
            self.awaited[header.from as usize] = true;
            self.begins[header.from as usize] = Some(header.seq + 1);
        }
        let (header, payload) = self.without_proxy(header, payload);
        if !payload.is_empty() {
            self.is_tls.get_or_insert(is_tls(payload));
        }
        let is_first = self.decide(&header, payload);
        let Some(streams) = &mut self.streams else { return is_first };
        let [from, to] = [header.from, header.from.other()];
        let peer = |end| if end == self.server { Peer::Server } else { Peer::Client };
        let (at, talk) = (header.at, &mut self.talk);
        if header.flags.ack() {
            streams[to as usize].acked(header.ack, at, |at, piece| talk.take(peer(to), at, piece));
        }
        match peer(from) {
            Peer::Server => self.late.note_server(&header),
            Peer::Client => self.late.note_client(&header, |literals| talk.facts(literals)),
        }
        let stream = &mut streams[from as usize];
        if header.flags.fin() {
            stream.ended(header.seq, at, |at, piece| talk.take(peer(from), at, piece));
        }
        let (seq, syn, len) = (header.seq, header.flags.syn(), header.len);
        let chunk = Chunk { at, seq, syn, len, captured: payload };
        if let Some(marks) = self.marks.as_mut().filter(|_| len > 0 && from != self.server) {
            let is_next = stream.is_next(&chunk);
            marks.add(at, is_next.then(|| (seq, seq + len)));
        }
        stream.take(chunk, |at, piece| talk.take(peer(from), at, piece));
        if header.flags.fin() && stream.is_at(seq + len) {
            talk.end(peer(from));
        }
        let is_done = talk.is_done();
        if is_done {
            self.streams = None;
        }
        is_done
    }

    /// Tells whether all that the ends are known to have sent was read.
    fn is_settled(&self, sent: [Sent; 2]) -> bool {
        let mut streams = self.streams.iter().flatten().zip(sent);
        streams.all(|(stream, sent)| stream.is_settled(sent))
    }

    fn settle(&mut self, sent: [Sent; 2], at: Time) {
        let peers = [End::Lower, End::Upper].map(|end| self.peer(end));
        let Some(streams) = &mut self.streams else { return };
        for ((stream, peer), sent) in streams.iter_mut().zip(peers).zip(sent) {
            stream.settle(sent, at, |at, piece| self.talk.take(peer, at, piece));
        }
        if self.talk.is_done() {
            self.streams = None;
        }
    }

    /// Leaves out what a balancer says before an end's first words: the conversation begins after it.
    fn without_proxy<'p>(&mut self, header: &Header, payload: &'p [u8]) -> (Header, &'p [u8]) {
        let from = header.from as usize;
        let start = header.seq + u32::from(header.flags.syn());
        let stream = self.streams.as_mut().map(|streams| &mut streams[from]);
        let is_first = match self.begins[from] {
            Some(begin) => begin == start,
            None => stream.as_ref().is_some_and(|stream| stream.is_new()),
        };
        match if is_first { proxy::before(payload, header.len) } else { Before::Nothing } {
            Before::Nothing => (*header, payload),
            Before::Header(octets) => {
                if let Some(stream) = stream {
                    stream.leave_out(start, octets);
                }
                self.begins[from] = Some(start + octets);
                let (seq, len) = (header.seq + octets, header.len.saturating_sub(octets));
                (Header { seq, len, ..*header }, payload.get(octets as usize..).unwrap_or_default())
            }
            Before::Unknown => {
                self.awaited[from] = false;
                (*header, &[])
            }
        }
    }

    /// The port was only a guess: what an end says first decides. Returns whether this was it.
    fn decide(&mut self, header: &Header, payload: &[u8]) -> bool {
        let Some(awaited) = self.awaited.get_mut(header.from as usize) else { return false };
        if payload.is_empty() || !core::mem::take(awaited) {
            return false;
        }
        // Of all protocols that are read, no client's first words are an answer: what looks like them is. It may answer
        // what was lost.
        let other = header.from.other() as usize;
        let has_heard = |begin: Seq| header.flags.ack() && header.ack.is_after(begin);
        let is_answer = !self.awaited[other] || self.begins[other].is_some_and(has_heard);
        if let Some((protocol, from)) = registry::recognise_surely(payload)
            && !(is_answer && from == Peer::Client)
            && (protocol, from) != (self.protocol, self.peer(header.from))
        {
            self.protocol = protocol;
            self.server = if from == Peer::Server { header.from } else { header.from.other() };
            self.talk = protocol.begin(self.opening);
            self.streams.get_or_insert_default();
        }
        true
    }

    fn peer(&self, end: End) -> Peer {
        if end == self.server { Peer::Server } else { Peer::Client }
    }
}

/// Begins a record of TLS, whatever is in it (RFC 8446, 5.1)?
fn is_tls(data: &[u8]) -> bool {
    matches!(data, [0x14..=0x17, 3, 1..=4, ..])
}

/// The streams of a conversation that begins with a segment: where that has a SYN, it says so itself.
///
/// Words that tell what is spoken may come long after the SYN. If they are the first of their end,
/// nothing is missing before them; whatever the other end has said before is none of the conversation.
fn begun(begins: Begins, first: &Header) -> [Stream; 2] {
    let mut streams = <[Stream; 2]>::default();
    if first.flags.syn() || first.len == 0 {
        return streams;
    }
    let [from, to] = [first.from as usize, first.from.other() as usize];
    let is_first = begins[from] == Some(first.seq);
    if is_first {
        streams[from] = Stream::at(first.seq);
    }
    if first.flags.ack() && (is_first || begins[to] == Some(first.ack)) {
        streams[to] = Stream::at(first.ack);
    }
    streams
}
