//! What is read along of a shard's connections: their MySQL.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::ports::Content;
use crate::attach::mysql::{Facts, Mysql};
use crate::attach::{Attach, Peer};
use crate::place::Place;
use crate::tcp::flow::{Ending, Flow};
use crate::tcp::segment::{End, Segment};
use crate::tcp::stream::{Chunk, Stream};

/// What is kept of conversations.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Those of closed flows, too: they are of use only if all are reported.
    pub closed: bool,
    /// The last transaction, in order.
    pub paths: bool,
}

/// By the place of a flow's first packet.
#[derive(Default)]
pub struct Attached {
    conversations: HashMap<u64, Conversation, RandomState>,
}

struct Conversation {
    mysql: Mysql,
    server: End,
    /// Of the lower and the upper end; none once nothing more can be learnt.
    streams: Option<Box<[Stream; 2]>>,
}

impl Attached {
    /// A segment that `flow` has taken.
    pub fn take(&mut self, flow: &Flow, segment: &Segment, content: Content, keep: Keep) {
        let is_over = !keep.closed && flow.ending() == Ending::Closed;
        if is_over {
            self.conversations.remove(&flow.first.order());
            return;
        }
        self.conversations
            .entry(flow.first.order())
            .or_insert_with(|| Conversation::new(content, keep))
            .take(segment, content.payload);
    }

    /// What was said on a flow.
    pub fn facts(&self, flow: &Flow, literals: bool) -> Option<Box<Facts>> {
        let conversation = self.conversations.get(&flow.first.order())?;
        let facts = conversation.mysql.facts(literals);
        (facts.is_mysql != Some(false)).then(|| Box::new(facts))
    }

    pub fn has(&self, flow: &Flow) -> bool {
        self.conversations.contains_key(&flow.first.order())
    }

    /// The flow with this first packet has left.
    pub fn forget(&mut self, first: Place) {
        if !self.conversations.is_empty() {
            self.conversations.remove(&first.order());
        }
    }
}

impl Conversation {
    fn new(content: Content, keep: Keep) -> Conversation {
        let mut mysql = Mysql::new(content.assumed);
        if keep.paths {
            mysql.keep_path();
        }
        Conversation { mysql, server: content.server, streams: Some(Box::default()) }
    }

    fn take(&mut self, segment: &Segment, payload: &[u8]) {
        let Some(streams) = &mut self.streams else { return };
        let [from, to] = [segment.from, segment.from.other()];
        let peer = |end| if end == self.server { Peer::Server } else { Peer::Client };
        let (at, mysql) = (segment.place.time, &mut self.mysql);
        if segment.flags.ack() {
            streams[to as usize].acked(segment.ack, |piece| mysql.take(peer(to), at, piece));
        }
        let stream = &mut streams[from as usize];
        if segment.flags.fin() {
            stream.acked(segment.seq, |piece| mysql.take(peer(from), at, piece));
        }
        let (seq, syn, len) = (segment.seq, segment.flags.syn(), segment.len);
        let chunk = Chunk { seq, syn, len, captured: payload };
        stream.take(chunk, |piece| mysql.take(peer(from), at, piece));
        if mysql.is_done() {
            self.streams = None;
        }
    }
}
