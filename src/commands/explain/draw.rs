//! The packets of the connection, on their way to the ladder.

use std::io::{self, Write};

use super::ExplainCommand;
use crate::attach::conversations::Conversations;
use crate::ladder::Climb;
use crate::report::ladder::{Ladder, Subject};
use crate::run::trace::{Followed, Trace, TracedPacket};
use crate::tcp::flow::FlowId;
use crate::tcp::segment::{FlowKey, Segment};

pub struct Draw {
    key: FlowKey,
    /// The place of the connection's first packet.
    flow: FlowId,
    literals: bool,
    followed: Followed,
    conversations: Conversations,
    climb: Climb,
    ladder: Ladder<Box<dyn Write>>,
}

impl Draw {
    pub fn new(out: Box<dyn Write>, asked: &ExplainCommand, subject: &Subject) -> Draw {
        let judged = subject.row.judged;
        let flow = &judged.flow;
        Draw {
            key: judged.key,
            flow: flow.id(),
            literals: asked.reading.literals,
            followed: Followed::default(),
            conversations: Conversations::default(),
            climb: Climb::default(),
            ladder: Ladder::new(out, asked.look, subject.names(), flow.first),
        }
    }

    pub fn begin(&mut self, subject: &Subject) -> io::Result<()> {
        self.ladder.begin(subject)
    }

    pub fn end(mut self, subject: &Subject) -> io::Result<()> {
        self.ladder.end(subject)
    }
}

impl Trace for Draw {
    fn wants(&self, segment: &Segment) -> bool {
        segment.key == self.key
    }

    fn begin_file(&mut self, _: usize, name: &str) -> io::Result<()> {
        self.ladder.begin_file(name);
        Ok(())
    }

    fn take(&mut self, traced: TracedPacket) -> io::Result<()> {
        let segment = traced.segment;
        let flow = self.followed.take(traced.point, segment);
        let Some(flow) = flow.filter(|flow| flow.id() == self.flow) else {
            return Ok(());
        };
        let facts = traced
            .content
            .and_then(|content| self.conversations.follow(flow, segment, content, self.literals));
        let step = self.climb.step(flow, segment, facts);
        self.ladder.step(step)
    }
}
