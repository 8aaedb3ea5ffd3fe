//! One connection: two halves, and what one more segment changes.

use super::half::{Acked, Fin, Half, Rst};
use super::segment::{End, Segment, ToldBy};
use super::state::{Event, State};
use crate::place::{Place, Time};

/// An end of a flow. `A` sent the first packet seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// Twice the maximum segment lifetime, "arbitrarily defined to be 2 minutes" (RFC 9293, 3.4.2).
const TWO_MSL_NS: i64 = 240_000_000_000;

/// A packet this soon after its twin was captured twice (a bridge, a mirror port), not sent twice.
const DUPLICATE_NS: i64 = 1_000_000;

/// Payload of the closer this close to its FIN belongs to the close: TLS's close_notify, MySQL's 4031.
const FAREWELL_NS: i64 = 1_000_000_000;

/// One incarnation of a 4-tuple.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The end of the key that sent the first packet.
    opener: End,
    a: Half,
    b: Half,
    pub first: Place,
    pub last: Place,
    /// The last handshake segment: SYN, SYN/ACK, or the first ACK of it.
    handshake: Time,
    /// The last new payload or handshake segment before the first FIN; set by that FIN.
    busy_until: Option<Time>,
    began: Began,
    /// Only SYNs without ACK, all from `A`.
    only_syns: bool,
    /// Started by a SYN that nobody has answered yet.
    unanswered: bool,
    pub told_by: Option<ToldBy>,
    pub notes: Notes,
}

/// What the first packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Began {
    Syn,
    SynAck,
    Midstream,
}

/// What is worth saying of a flow without weakening its verdict, as observed. The verdict may add more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes {
    pub midstream: bool,
    pub port_reused: bool,
    pub fin_retransmitted: bool,
    pub syn_in_close_wait: bool,
    pub rst_odd_seq: bool,
    pub rst_without_effect: bool,
    pub duplicates: bool,
    pub time_went_back: bool,
}

/// How a flow ended, whoever is local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Only SYNs without ACK, all from one end.
    Attempt,
    /// A RST before both FINs, sent by this side.
    Reset(Side),
    /// Both sides sent FIN.
    Closed,
    /// Only this side sent FIN.
    HalfClosed(Side),
    Open,
}

impl Flow {
    /// A flow that begins with `segment`, which is not yet taken in.
    pub fn new(segment: &Segment) -> Flow {
        let (syn, ack) = (segment.flags.syn(), segment.flags.ack());
        Flow {
            opener: segment.from,
            a: Half::new(),
            b: Half::new(),
            first: segment.place,
            last: segment.place,
            began: match (syn, ack) {
                (true, false) => Began::Syn,
                (true, true) => Began::SynAck,
                (false, _) => Began::Midstream,
            },
            handshake: Time::UNKNOWN,
            busy_until: None,
            only_syns: true,
            unanswered: syn && !ack,
            told_by: None,
            notes: Notes { midstream: !syn, ..Notes::default() },
        }
    }

    pub fn side(&self, end: End) -> Side {
        if end == self.opener { Side::A } else { Side::B }
    }

    pub fn end(&self, side: Side) -> End {
        match side {
            Side::A => self.opener,
            Side::B => self.opener.other(),
        }
    }

    pub fn half(&self, side: Side) -> &Half {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// The half that `side` sends, and the other one.
    fn halves(&mut self, side: Side) -> (&mut Half, &mut Half) {
        match side {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        }
    }

    /// Takes in one segment of this flow.
    pub fn take(&mut self, segment: &Segment) {
        let side = self.side(segment.from);
        let quick = segment.place.time.since(self.last.time) < Some(DUPLICATE_NS);
        self.notes.time_went_back |= segment.place.time < self.last.time;
        self.last = segment.place;
        self.told_by = segment.direction.map(|d| d.told_by).or(self.told_by);
        self.only_syns &= segment.flags.syn() && !segment.flags.ack() && side == Side::A;
        self.unanswered &= !self.answers(segment);
        self.halves(side).0.count(segment);
        if segment.flags.rst() {
            self.take_rst(side, segment);
        } else {
            self.take_numbers(side, segment, quick);
        }
    }

    /// A RST counts whatever its number; RFC 5961 would accept only the exact next one, so others
    /// are noted.
    fn take_rst(&mut self, side: Side, segment: &Segment) {
        let before_close = self.a.fin.is_none() || self.b.fin.is_none();
        let (sender, other) = self.halves(side);
        let expected = sender.rst_numbers(other);
        // A refusal answers the SYN by its ACK; its own number is zero (3.10.7.1).
        let refusal = segment.flags.ack() && sender.isn.is_none() && other.counts_syn(segment.ack);
        let odd = !refusal
            && expected.iter().any(Option::is_some)
            && !expected.contains(&Some(segment.seq));
        let place = segment.place;
        let rst = sender.rst.get_or_insert(Rst { place, seq: segment.seq, before_close });
        rst.seq = rst.seq.max(segment.seq);
        self.notes.rst_odd_seq |= odd;
    }

    fn take_numbers(&mut self, side: Side, segment: &Segment, quick: bool) {
        let (sender, other) = self.halves(side);
        let first_ack = sender.ack.is_none() && segment.flags.ack();
        let news = sender.take(segment, other.snd_max);
        let alive = news.payload > 0 || news.syn_ack || news.fin;
        let revoked = sender.rst.filter(|rst| alive && !rst.overtook(segment));
        if revoked.is_some() {
            sender.rst = None;
            self.notes.rst_without_effect = true;
        }
        if news.syn_ack {
            self.forget_resets();
        }
        let occupies = segment.len > 0 || segment.flags.fin() || segment.flags.syn();
        self.notes.duplicates |= quick && news.same_as_last && occupies && !alive;
        self.notes.fin_retransmitted |= segment.flags.fin() && !news.fin && !quick;
        self.note_handshake(side, segment, first_ack);
        if news.fin && self.half(side.other()).fin.is_none() {
            self.busy_until = Some(self.busy_before_fin(side, segment));
        }
        self.match_fins();
    }

    /// A RST before the first SYN/ACK ended an older connection, not this one.
    fn forget_resets(&mut self) {
        let (a, b) = (self.a.rst.take(), self.b.rst.take());
        self.notes.rst_without_effect |= a.is_some() || b.is_some();
    }

    /// Does the segment answer the SYN that began the flow, or follow it up? From then on the
    /// 4-tuple's packets are this connection's.
    pub(super) fn answers(&self, segment: &Segment) -> bool {
        let Some(isn) = self.a.isn else { return false };
        match self.side(segment.from) {
            Side::A => !segment.flags.syn() && segment.seq == isn + 1,
            Side::B => segment.flags.ack() && self.a.counts_syn(segment.ack),
        }
    }

    fn note_handshake(&mut self, side: Side, segment: &Segment, first_ack: bool) {
        let both_syns = self.a.isn.is_some() && self.b.isn.is_some();
        let completes = first_ack && both_syns && !segment.flags.fin() && side == Side::A;
        if segment.flags.syn() || completes {
            self.handshake = self.handshake.max(segment.place.time);
        }
    }

    /// When the connection was last in use before `closer`'s FIN, which has just been taken in.
    fn busy_before_fin(&self, closer: Side, fin: &Segment) -> Time {
        let farewell = fin.place.time.before(FAREWELL_NS);
        let of_closer = self.half(closer).payload_times.last_until(farewell);
        let of_holder = self.half(closer.other()).payload_times.last();
        self.handshake.max(of_closer).max(of_holder)
    }

    /// Looks for the ACK of each FIN, once: it can be in the segment just taken in, or in an
    /// earlier one if the capture has them out of order.
    fn match_fins(&mut self) {
        for side in [Side::A, Side::B] {
            let (closer, holder) = self.halves(side);
            if let (Some(fin), Some(Acked { number, place })) = (&mut closer.fin, holder.ack)
                && fin.acked.is_none()
                && number.covers(fin.end)
            {
                fin.acked = Some(place);
            }
        }
    }

    /// The state of a side at `now`: figure 5, note 3 for a reset by either side, and the time-out.
    pub fn state(&self, side: Side, now: Time) -> State {
        let reset = self.a.rst.is_some() || self.b.rst.is_some();
        let timed_out = now.since(self.last.time) >= Some(TWO_MSL_NS);
        let start = self.start(side);
        self.events(side)
            .into_iter()
            .chain([(reset, Event::Rst), (timed_out, Event::TwoMsl)])
            .filter(|(happened, _)| *happened)
            .fold(start, |state, (_, event)| state.next(event).unwrap_or(state))
    }

    fn start(&self, side: Side) -> State {
        match (self.began, side) {
            (Began::Syn, Side::A) => State::Closed,
            (Began::Syn, Side::B) => State::Listen,
            // It answers a SYN that the tap missed, or will see late.
            (Began::SynAck, Side::A) => State::Listen,
            (Began::SynAck, Side::B) => State::SynSent,
            // Both ends have been connected for a while.
            (Began::Midstream, _) => State::Established,
        }
    }

    /// What a side has done, in the order it did it, from the facts alone: so a packet that is seen
    /// late, or twice, leads to the same state. An event that has no arrow from the state before it
    /// moves nothing.
    fn events(&self, side: Side) -> [(bool, Event); 7] {
        let (me, peer) = (self.half(side), self.half(side.other()));
        let acked_by_me = peer.fin.is_some_and(|fin| fin.acked.is_some());
        let acked_by_peer = me.fin.is_some_and(|fin| fin.acked.is_some());
        // 3.10.7.4: FIN is checked last, so an ACK in my FIN segment counts before it.
        let passive = me.fin.is_none_or(|mine| {
            let then = mine.ack_then.zip(peer.fin);
            then.is_some_and(|(ack, fin)| ack.covers(fin.end))
        });
        let [first, second, third] = if passive {
            [
                (acked_by_me, Event::SndAckOfFin),
                (me.fin.is_some(), Event::SndFin),
                (acked_by_peer, Event::RcvAckOfFin),
            ]
        } else {
            [
                (me.fin.is_some(), Event::SndFin),
                (acked_by_peer, Event::RcvAckOfFin),
                (acked_by_me, Event::SndAckOfFin),
            ]
        };
        [
            (me.isn.is_some(), Event::SndSyn),
            (me.syn_ack || self.syn_ack_missed(side), Event::SndSynAck),
            (me.has_acked_syn_of(peer), Event::SndAckOfSyn),
            (peer.has_acked_syn_of(me), Event::RcvAckOfSyn),
            first,
            second,
            third,
        ]
    }

    /// `B` acknowledged the SYN, and the tap missed with what.
    fn syn_ack_missed(&self, side: Side) -> bool {
        let answered = self.b.ack.is_some_and(|ack| self.a.counts_syn(ack.number));
        side == Side::B && self.began == Began::Syn && self.b.isn.is_none() && answered
    }

    pub fn ending(&self) -> Ending {
        if self.only_syns {
            return Ending::Attempt;
        }
        if let Some((side, _)) = self.reset() {
            return Ending::Reset(side);
        }
        match (&self.a.fin, &self.b.fin) {
            (Some(_), Some(_)) => Ending::Closed,
            (Some(_), None) => Ending::HalfClosed(Side::A),
            (None, Some(_)) => Ending::HalfClosed(Side::B),
            (None, None) => Ending::Open,
        }
    }

    /// The first RST before both FINs, and who sent it.
    pub fn reset(&self) -> Option<(Side, Place)> {
        [Side::A, Side::B]
            .into_iter()
            .filter_map(|side| Some((side, self.half(side).rst?)))
            .filter(|(_, rst)| rst.before_close)
            .map(|(side, rst)| (side, rst.place))
            .min_by_key(|(_, place)| place.order())
    }

    /// The first FIN, and who sent it.
    pub fn first_fin(&self) -> Option<(Side, &Fin)> {
        [Side::A, Side::B]
            .into_iter()
            .filter_map(|side| Some((side, self.half(side).fin.as_ref()?)))
            .min_by_key(|(_, fin)| fin.place.order())
    }

    /// A SYN met by a RST, and nothing else.
    pub fn is_refused(&self) -> bool {
        self.a.isn.is_some()
            && self.b.isn.is_none()
            && self.b.snd_max.is_none()
            && self.b.rst.is_some()
    }

    /// Closed or reset: nothing but late packets can come.
    pub fn is_finished(&self) -> bool {
        matches!(self.ending(), Ending::Closed | Ending::Reset(_))
    }

    /// Its SYN waits for an answer.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// The last new payload or handshake segment before the first FIN.
    pub fn busy_until(&self) -> Option<Time> {
        self.busy_until
    }

    /// The last new payload of either side.
    pub fn last_payload(&self) -> Option<Place> {
        [self.a.last_payload, self.b.last_payload]
            .into_iter()
            .flatten()
            .max_by_key(|place| place.order())
    }
}
