//! A connection, judged: what every report is about.

use crate::attach::Facts;
use crate::attach::registry::Withheld;
use crate::facts::CaptureFacts;
use crate::join::Elsewhere;
use crate::place::Time;
use crate::set::Set;
use crate::table::Retired;
use crate::tcp::closing::PayloadAtAck;
use crate::tcp::flow::{Flow, FlowId, TWO_MSL_NS};
use crate::tcp::segment::{End, Endpoint, FlowKey};
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::verdict::{Close, Doubt, Judgement, Note, Policy, judge};

/// Octets of a client's leave, at most: COM_QUIT has 5, AMQP's Connection.Close a text.
const GOODBYE: u64 = 128;

/// Octets of a close_notify as it travels: by TLS 1.3 (RFC 8446, 5.2), and by 1.2 with the usual ciphers (RFC 5246, 6.2.3;
/// RFC 5288, 3; RFC 7905, 2).
const CLOSE_NOTIFY: [u64; 3] = [24, 31, 23];

/// One flow with its judgement, and what was said on it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its 4-tuple.
    pub key: FlowKey,
    /// Facts of its packets.
    pub flow: Flow,
    /// The verdict on it.
    pub judgement: Judgement,
    /// The end of its capture, so far.
    pub end: Time,
    /// Facts of the protocol spoken on it, if that was read.
    pub said: Option<Box<Facts>>,
    /// The reason why nothing was read of it, where anything may have been said.
    pub withheld: Option<Withheld>,
    /// Its packets are those of a text, which has nothing of what they carried.
    pub is_of_text: bool,
    /// Other sights of the connection.
    pub elsewhere: Option<Box<Elsewhere>>,
}

impl Judged {
    /// Judges a flow that has left its table, or a copy of one that has not.
    pub fn new(Retired { key, flow }: Retired, policy: &Policy, facts: &CaptureFacts) -> Judged {
        let judgement = judge(&key, &flow, policy, facts);
        let end = facts.end_beside(flow.last);
        Judged {
            key,
            flow,
            judgement,
            end,
            said: None,
            withheld: None,
            is_of_text: facts.is_of_text(),
            elsewhere: None,
        }
    }

    /// Lets what was said tell whether the server, where that holds, owes its client an answer.
    #[must_use]
    pub fn served_by(mut self, server: End, policy: &Policy) -> Judged {
        let holder = self.judgement.holder.filter(|holder| self.flow.end(*holder) == server);
        let owes = holder.zip(self.said.as_deref()).and_then(|(holder, said)| {
            owes_answer(said).or_else(|| {
                let client = holder.other();
                let asked =
                    self.flow.half(client).sent_payload() && self.flow.had_last_word(client);
                // By the handshake the judgement knew who the client is.
                self.flow.service().is_none().then_some(asked)
            })
        });
        if let Some(owes) = owes {
            self.judgement = self.judgement.doubted(Doubt::Unanswered, owes, policy.certain);
        }
        self
    }

    /// Tells whether the client closed and the server holds, as far as what was said tells who is who.
    pub fn server_holds(&self) -> bool {
        let client = self.said.as_deref().and_then(|said| said.client);
        let holder = self.judgement.holder.map(|holder| self.flow.end(holder));
        client.zip(holder).is_some_and(|(client, holder)| client != holder)
    }

    /// Judges it again, by what was learnt since of its capture.
    pub fn judge_again(&mut self, policy: &Policy, facts: &CaptureFacts) {
        let unanswered = self.judgement.doubts.contains(&Doubt::Unanswered);
        let notes = self.judgement.notes;
        let judgement = judge(&self.key, &self.flow, policy, facts);
        self.judgement = judgement.doubted(Doubt::Unanswered, unanswered, policy.certain);
        self.judgement.notes = notes.iter().copied().fold(self.judgement.notes, Set::with);
    }

    /// Its name within a run.
    pub fn id(&self) -> FlowId {
        self.flow.id()
    }

    /// The address and port of a side.
    pub fn endpoint(&self, side: Side) -> Endpoint {
        self.key.endpoint(self.flow.end(side))
    }

    /// The end that owes a FIN.
    pub fn holder_end(&self) -> Option<Endpoint> {
        self.judgement.holder.map(|side| self.endpoint(side))
    }

    /// The end that waits for that FIN.
    pub fn waiting_end(&self) -> Option<Endpoint> {
        self.judgement.holder.map(|side| self.endpoint(side.other()))
    }

    /// The ends of a side's socket, its own first: as its program dialled them, and where they were
    /// rewritten as the other end's kernel knows them.
    pub fn socket_of(&self, side: Side) -> impl Iterator<Item = (Endpoint, Endpoint)> + use<> {
        let dialled = [Side::A, Side::B].map(|side| self.endpoint(side));
        let others = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.rewritten_as);
        [Some(dialled), others].into_iter().flatten().map(move |[a, b]| match side {
            Side::A => (a, b),
            Side::B => (b, a),
        })
    }

    /// Tells whether its closer answered less than a second before its FIN: then the time before that was spent on the answer,
    /// and no timer of an idle connection ran.
    pub fn was_closed_after_answer(&self) -> bool {
        self.flow.last_use().was_answered
    }

    /// Octets that the client sent on a connection that its service had closed.
    pub fn sent_too_late(&self) -> Option<PayloadAtAck> {
        let (closer, fin) =
            self.flow.first_fin().filter(|(closer, _)| *closer == self.service())?;
        self.flow.payload_after(closer.other(), fin.end)
    }

    /// Octets of these that use the connection once more: neither its leave, nor what the service has taken all the same.
    pub fn reuse(&self) -> Option<PayloadAtAck> {
        let used = self.sent_too_late()?;
        let service = self.service();
        let sent = self.flow.half(service.other()).snd_max()?;
        let is_taken = self.flow.believed_ack(service).is_some_and(|ack| ack.covers(sent));
        (!is_taken && !self.is_leave(used)).then_some(used)
    }

    /// Octets of these with which the client took its leave.
    pub fn leave(&self) -> Option<PayloadAtAck> {
        self.sent_too_late().filter(|sent| self.is_leave(*sent))
    }

    /// Tells whether the side that the first FIN was sent to went on to use the connection, and then ended it: a half-close,
    /// which is legal (RFC 9293, 3.6.1), and no hold. A leave is no use, nor is what the peer reset it for.
    pub fn ended_in_use(&self) -> bool {
        let is_over = matches!(self.judgement.close, Close::Closed | Close::Reset);
        let Some((closer, fin)) = self.flow.first_fin().filter(|_| is_over) else { return false };
        let is_used = self.flow.payload_after(closer.other(), fin.end).is_some();
        is_used && self.leave().is_none() && !self.judgement.notes.contains(&Note::UsedAfterFin)
    }

    /// By its length alone where nobody can look into it; what was read in clear is no TLS.
    fn is_leave(&self, sent: PayloadAtAck) -> bool {
        match self.said.as_deref() {
            Some(said) if said.goodbye.is_some() => sent.bytes <= GOODBYE,
            Some(said) => said.encrypted && CLOSE_NOTIFY.contains(&sent.bytes),
            None => CLOSE_NOTIFY.contains(&sent.bytes),
        }
    }

    /// The end of a proxy's other connection that both wait for.
    pub fn waits_for(&self) -> Option<Endpoint> {
        self.elsewhere.as_ref()?.other_leg?.waits_for
    }

    /// The holder; of a connection that packets ended, the sides that a FIN was sent to.
    pub fn may_hold(&self) -> impl Iterator<Item = Side> + use<> {
        let holder = self.judgement.holder;
        let told = [Side::A, Side::B].map(|side| self.flow.fin(side.other()).is_some());
        let sides = [Side::A, Side::B].into_iter().zip(told);
        sides.filter_map(move |(side, told)| {
            holder.map_or(told, |holder| holder == side).then_some(side)
        })
    }

    /// Is what was said on it encrypted?
    pub fn is_encrypted(&self) -> bool {
        let is_encrypted = self.said.as_ref().is_some_and(|said| said.encrypted);
        is_encrypted || self.withheld == Some(Withheld::Encrypted)
    }

    /// The state of a side's socket (RFC 9293, 3.3.2) when the capture ended. Where a FIN was not captured,
    /// or one had no effect, the judgement knows better than the packets.
    pub fn state(&self, side: Side) -> State {
        let judgement = &self.judgement;
        let by_judgement = judgement.doubts.contains(&Doubt::PeerFinMissed)
            || judgement.notes.contains(&Note::KernelHolds);
        let [own, others] = [side, side.other()].map(|side| self.flow.fin(side).is_some());
        if judgement.doubts.contains(&Doubt::FinImplied) {
            return self.state_after_both(own);
        }
        // The FIN that was captured was the second: its sender had received the first before, as its kernel knew.
        if judgement.close == Close::Closed && own != others {
            return self.state_after_both(others);
        }
        match judgement.holder {
            Some(holder) if by_judgement && holder == side => State::CloseWait,
            Some(_) if by_judgement => State::FinWait2,
            _ => self.flow.state(side, self.end),
        }
    }

    /// The state of a side after both FINs were acknowledged: whoever closed first waits for 2 MSL.
    fn state_after_both(&self, closed_first: bool) -> State {
        let is_over = self.flow.last.time.after(TWO_MSL_NS) <= self.end;
        if closed_first && !is_over { State::TimeWait } else { State::Closed }
    }

    /// The side that was connected to; where the capture missed that, by what was said, and else the one with the lower
    /// port.
    pub fn service(&self) -> Side {
        let lower_port = match self.endpoint(Side::A).port < self.endpoint(Side::B).port {
            true => Side::A,
            false => Side::B,
        };
        self.told_service().unwrap_or(lower_port)
    }

    /// The side that was connected to, as the handshake or what was said shows.
    pub fn told_service(&self) -> Option<Side> {
        let said = || self.said.as_deref().and_then(|said| said.client);
        self.flow.service().or_else(|| said().map(|client| self.flow.side(client).other()))
    }
}

/// Does a server owe its client an answer? A client that took its leave asks for none, nor do some requests.
fn owes_answer(said: &Facts) -> Option<bool> {
    match said.answered {
        _ if said.goodbye.is_some() => Some(false),
        None if said.no_answer => Some(false),
        answered => answered.map(|answered| !answered),
    }
}
