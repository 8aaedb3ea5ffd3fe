//! The conversations of many connections, each by the place of its connection's first packet.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::registry::{self, Content, Known, Talk};
use super::{Facts, Opening, Peer};
use crate::place::Place;
use crate::tcp::segment::{End, Segment};
use crate::tcp::stream::{Chunk, Stream};

/// What is read along of a shard's connections.
#[derive(Default)]
pub struct Conversations {
    by_first: HashMap<u64, Conversation, RandomState>,
}

struct Conversation {
    talk: Talk,
    protocol: Known,
    opening: Opening,
    server: End,
    /// Whose first octets are still to come, of the lower and the upper end.
    awaited: [bool; 2],
    /// Of the lower and the upper end; none once nothing more can be learnt.
    streams: Option<Box<[Stream; 2]>>,
}

impl Conversations {
    /// Takes a segment of the connection that began with `first`. `paths`: [`Facts::path`] is wanted.
    pub fn take(&mut self, first: Place, segment: &Segment, content: Content, paths: bool) {
        self.by_first
            .entry(first.order())
            .or_insert_with(|| Conversation::new(content, paths))
            .take(segment, content.payload);
    }

    /// Returns what was said on a connection, unless it turned out to be in no protocol that is read.
    pub fn facts(&self, first: Place, literals: bool) -> Option<Box<Facts>> {
        let facts = self.by_first.get(&first.order())?.talk.facts(literals);
        (facts.confirmed != Some(false)).then(|| Box::new(facts))
    }

    pub fn has(&self, first: Place) -> bool {
        self.by_first.contains_key(&first.order())
    }

    /// Lets go of a connection that has left, or that nobody will ask about.
    pub fn forget(&mut self, first: Place) {
        if !self.by_first.is_empty() {
            self.by_first.remove(&first.order());
        }
    }
}

impl Conversation {
    fn new(Content { guess, .. }: Content, path: bool) -> Conversation {
        let opening = Opening { assumed: guess.assumed, path };
        Conversation {
            talk: guess.protocol.begin(opening),
            protocol: guess.protocol,
            opening,
            server: guess.server,
            awaited: [false; 2],
            streams: Some(Box::default()),
        }
    }

    fn take(&mut self, segment: &Segment, payload: &[u8]) {
        self.decide(segment, payload);
        let Some(streams) = &mut self.streams else { return };
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
        stream.take(chunk, |piece| talk.take(peer(from), at, piece));
        if talk.is_done() {
            self.streams = None;
        }
    }

    /// The port was only a guess: what an end says first decides.
    fn decide(&mut self, segment: &Segment, payload: &[u8]) {
        let Some(awaited) = self.awaited.get_mut(segment.from as usize) else { return };
        *awaited |= segment.flags.syn();
        if payload.is_empty() || !core::mem::take(awaited) {
            return;
        }
        if let Some((protocol, from)) = registry::recognise_surely(payload)
            && (protocol, from) != (self.protocol, self.peer(segment.from))
        {
            self.protocol = protocol;
            self.server = if from == Peer::Server { segment.from } else { segment.from.other() };
            self.talk = protocol.begin(self.opening);
            self.streams.get_or_insert_default();
        }
    }

    fn peer(&self, end: End) -> Peer {
        if end == self.server { Peer::Server } else { Peer::Client }
    }
}
