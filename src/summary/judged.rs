//! A connection, judged: what every report is about.

use crate::attach::Facts;
use crate::facts::CaptureFacts;
use crate::join::Elsewhere;
use crate::place::Time;
use crate::table::Retired;
use crate::tcp::flow::{Flow, FlowId};
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::side::Side;
use crate::verdict::{Judgement, Policy, judge};

/// One flow with its judgement, and what was said on it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub key: FlowKey,
    pub flow: Flow,
    pub judgement: Judgement,
    /// The end of its capture, so far.
    pub end: Time,
    /// Facts of the protocol spoken on it, if that was read.
    pub said: Option<Box<Facts>>,
    /// Other sights of the connection.
    pub elsewhere: Option<Box<Elsewhere>>,
}

impl Judged {
    /// Judges a flow that has left its table, or a copy of one that has not.
    pub fn new(Retired { key, flow }: Retired, policy: &Policy, facts: &CaptureFacts) -> Judged {
        let judgement = judge(&key, &flow, policy, facts);
        Judged { key, flow, judgement, end: facts.end(), said: None, elsewhere: None }
    }

    /// Its name within a run.
    pub fn id(&self) -> FlowId {
        self.flow.id()
    }

    /// The address and port of a side.
    pub fn endpoint(&self, side: Side) -> Endpoint {
        self.key.endpoint(self.flow.end(side))
    }

    /// The holder's end and the closer's, where one side has not closed.
    pub fn holder_and_closer(&self) -> Option<(Endpoint, Endpoint)> {
        let holder = self.judgement.holder?;
        Some((self.endpoint(holder), self.endpoint(holder.other())))
    }

    /// Returns holder and closer by the addresses that were rewritten, if they were.
    pub fn rewritten_holder_and_closer(&self) -> Option<(Endpoint, Endpoint)> {
        let [a, b] = self.elsewhere.as_ref()?.rewritten_as?;
        match self.judgement.holder? {
            Side::A => Some((a, b)),
            Side::B => Some((b, a)),
        }
    }

    /// The side that was connected to; where the capture missed that, the one with the lower port.
    pub fn service(&self) -> Side {
        let lower_port = match self.endpoint(Side::A).port < self.endpoint(Side::B).port {
            true => Side::A,
            false => Side::B,
        };
        self.flow.service().unwrap_or(lower_port)
    }
}
