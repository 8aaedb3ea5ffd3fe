//! The conversations of many connections, each in the slot that its connection names.

use super::marks::Marks;
use super::registry::{self, Content, Known, Talk};
use super::{Facts, Opening, Peer};
use crate::tcp::flow::{Flow, Slot};
use crate::tcp::segment::{End, Segment};
use crate::tcp::stream::{Chunk, Stream};

/// The conversations read along of one shard's connections, each in its slot.
#[derive(Default)]
pub struct Conversations {
    slots: Vec<Option<Conversation>>,
    free: Vec<u32>,
}

/// Facts that cost something, and are only kept where they are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// [`Facts::path`].
    pub path: bool,
    /// [`Facts::begun_in`].
    pub octets: bool,
}

struct Conversation {
    /// The place of its connection's first packet: slots are used again.
    first: u64,
    talk: Talk,
    protocol: Known,
    opening: Opening,
    server: End,
    /// The first octets of the lower and of the upper end are still to come.
    awaited: [bool; 2],
    /// The octets from the lower and from the upper end; none once nothing more can be learnt.
    streams: Option<Box<[Stream; 2]>>,
    /// The client's last segments, where they are wanted.
    marks: Option<Box<Marks>>,
}

impl Conversations {
    /// Takes a segment of a connection.
    pub fn take(&mut self, flow: &mut Flow, segment: &Segment, content: Content, wanted: Wanted) {
        if flow.slot == Slot::NOTHING {
            return;
        }
        if flow.slot == Slot::NONE {
            flow.slot = self.begin(Conversation::new(flow, segment, content, wanted));
        }
        let Some(conversation) = self.get_mut(flow.slot) else { return };
        let may_be_told = conversation.take(segment, content.payload);
        if may_be_told && conversation.is_in_no_protocol() {
            self.release(flow.slot);
            flow.slot = Slot::NOTHING;
        }
    }

    fn begin(&mut self, conversation: Conversation) -> Slot {
        let free = self.free.pop();
        let at = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        if let Some(slot) = self.slots.get_mut(at as usize) {
            *slot = Some(conversation);
        }
        Slot(at)
    }

    fn get_mut(&mut self, Slot(at): Slot) -> Option<&mut Conversation> {
        self.slots.get_mut(at as usize)?.as_mut()
    }

    fn get(&self, flow: &Flow) -> Option<&Conversation> {
        let conversation = self.slots.get(flow.slot.0 as usize)?.as_ref()?;
        (conversation.first == flow.first.order()).then_some(conversation)
    }

    /// Returns what was said on a connection, unless it turned out to be in no protocol that is read.
    pub fn facts(&self, flow: &Flow, literals: bool) -> Option<Box<Facts>> {
        let conversation = self.get(flow)?;
        let mut facts = conversation.talk.facts(literals);
        if conversation.is_silent(flow) {
            facts = facts.silent();
        }
        facts.client = Some(conversation.server.other());
        if let Some(marks) = &conversation.marks {
            facts.begun_in = facts.transaction_since.and_then(|at| marks.at(at));
            facts.last_statement_in = facts.last_statement_at.and_then(|at| marks.at(at));
            facts.statements_in = facts.statements_at.iter().map(|at| marks.at(*at)).collect();
        }
        (facts.confirmed != Some(false)).then(|| Box::new(facts))
    }

    /// Returns the end that is the server in what is spoken on a connection.
    pub fn server(&self, flow: &Flow) -> Option<End> {
        Some(self.get(flow)?.server)
    }

    /// Returns whether a transaction is open on a connection.
    pub fn is_in_transaction(&self, flow: &Flow) -> bool {
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

impl Conversation {
    fn new(
        flow: &Flow,
        segment: &Segment,
        Content { guess, .. }: Content,
        wanted: Wanted,
    ) -> Conversation {
        let opening = Opening { assumed: guess.assumed, path: wanted.path };
        Conversation {
            first: flow.first.order(),
            talk: guess.protocol.begin(opening),
            protocol: guess.protocol,
            opening,
            server: guess.server,
            awaited: [false; 2],
            streams: Some(Box::new(begun(flow, segment))),
            marks: wanted.octets.then(Box::default),
        }
    }

    /// The beginnings of both ends were captured, and neither has sent an octet.
    fn is_silent(&self, flow: &Flow) -> bool {
        let Some(streams) = &self.streams else { return false };
        [End::Lower, End::Upper].into_iter().all(|end| {
            let isn = flow.half(flow.side(end)).isn();
            isn.is_some_and(|isn| streams[end as usize].is_at(isn + 1))
        })
    }

    /// It turned out to be something else, and no end's first word can change that.
    fn is_in_no_protocol(&self) -> bool {
        self.awaited == [false; 2] && self.talk.confirmed() == Some(false)
    }

    /// Returns whether this was the last that can be learnt, or an end's first word after that.
    fn take(&mut self, segment: &Segment, payload: &[u8]) -> bool {
        let is_first = self.decide(segment, payload);
        let Some(streams) = &mut self.streams else { return is_first };
        let [from, to] = [segment.from, segment.from.other()];
        let peer = |end| if end == self.server { Peer::Server } else { Peer::Client };
        let (at, talk) = (segment.place.time, &mut self.talk);
        if segment.flags.ack() {
            streams[to as usize].acked(segment.ack, |piece| talk.take(peer(to), at, piece));
        }
        let stream = &mut streams[from as usize];
        if segment.flags.fin() {
            stream.acked(segment.seq, |piece| talk.take(peer(from), at, piece));
        }
        let (seq, syn, len) = (segment.seq, segment.flags.syn(), segment.len);
        let chunk = Chunk { seq, syn, len, captured: payload };
        if let Some(marks) = self.marks.as_mut().filter(|_| len > 0 && from != self.server) {
            let is_next = stream.is_next(&chunk);
            marks.add(at, is_next.then(|| (seq, seq + len)));
        }
        stream.take(chunk, |piece| talk.take(peer(from), at, piece));
        let is_done = talk.is_done();
        if is_done {
            self.streams = None;
        }
        is_done
    }

    /// The port was only a guess: what an end says first decides. Returns whether this was it.
    fn decide(&mut self, segment: &Segment, payload: &[u8]) -> bool {
        let Some(awaited) = self.awaited.get_mut(segment.from as usize) else { return false };
        *awaited |= segment.flags.syn();
        if payload.is_empty() || !core::mem::take(awaited) {
            return false;
        }
        // Of all protocols that are read, no client's first words are an answer: what looks like them is.
        let is_answer = !self.awaited[segment.from.other() as usize];
        if let Some((protocol, from)) = registry::recognise_surely(payload)
            && !(is_answer && from == Peer::Client)
            && (protocol, from) != (self.protocol, self.peer(segment.from))
        {
            self.protocol = protocol;
            self.server = if from == Peer::Server { segment.from } else { segment.from.other() };
            self.talk = protocol.begin(self.opening);
            self.streams.get_or_insert_default();
        }
        true
    }

    fn peer(&self, end: End) -> Peer {
        if end == self.server { Peer::Server } else { Peer::Client }
    }
}

/// The streams of a conversation that begins with a segment: where that has a SYN, it says so itself.
///
/// Where its words tell what is spoken, they may come long after the SYN. If they are the first of their end,
/// nothing is missing before them; whatever the other end has said before is none of the conversation.
fn begun(flow: &Flow, segment: &Segment) -> [Stream; 2] {
    let mut streams = <[Stream; 2]>::default();
    if segment.flags.syn() || segment.len == 0 {
        return streams;
    }
    let [from, to] = [segment.from, segment.from.other()];
    let begins_at =
        |end, number| flow.half(flow.side(end)).isn().is_some_and(|isn| isn + 1 == number);
    let is_first = begins_at(from, segment.seq);
    if is_first {
        streams[from as usize] = Stream::at(segment.seq);
    }
    if segment.flags.ack() && (is_first || begins_at(to, segment.ack)) {
        streams[to as usize] = Stream::at(segment.ack);
    }
    streams
}

#[cfg(test)]
mod tests {
    use super::super::registry::Guess;
    use super::*;
    use crate::place::{Place, Time};
    use crate::tcp::segment::{Endpoint, Extras, Flags, FlowKey};
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
            let content = Content { guess, payload };
            all.take(&mut flow, &segment, content, Wanted::default());
            (flow.slot, all.free.len())
        };
        take(CLIENT, Flags::SYN, 0, b"");
        take(SERVER, Flags::SYN | Flags::ACK, 0, b"");
        assert_eq!(take(CLIENT, Flags::ACK, 1, b"who speaks first?"), (Slot(0), 0));
        assert_eq!(take(SERVER, Flags::ACK, 1, b"not a server"), (Slot::NOTHING, 1));
        assert_eq!(take(SERVER, Flags::ACK, 13, b"of MySQL"), (Slot::NOTHING, 1));
    }
}
