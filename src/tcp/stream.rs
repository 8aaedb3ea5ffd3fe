//! The octets of one direction, in order and each once.
//!
//! Only where something reads a connection's content; the close is followed without it. What the
//! capture holds is handed on as it comes, without a copy, while segments come in order. Those that
//! are ahead wait, within limits: a hole that outlives them is said to be missing, and the stream
//! goes on after it.

use super::seq::Seq;
use crate::place::Time;

/// The next part of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Octets in their order, each once.
    Data(&'a [u8]),
    /// So many octets were sent and cannot be seen: cut off by the snap length, or lost.
    /// Zero: nobody knows how many, for here the capture begins, or takes up the thread again.
    Missing(u64),
}

/// A segment's place in the stream, and what was captured of it.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The time at which it was captured.
    pub at: Time,
    /// SEG.SEQ, which a SYN takes for itself.
    pub seq: Seq,
    /// The segment has a SYN, which takes a number before the octets.
    pub syn: bool,
    /// Octets of payload on the wire.
    pub len: u32,
    /// The first of them.
    pub captured: &'a [u8],
}

/// Segments that may wait for one before them, and the captured octets that they may hold.
pub const MAX_WAITING: usize = 16;
/// Octets that wait for missing ones, at most, in each direction.
pub const MAX_HELD: usize = 16 * 1024;

/// No window is larger (RFC 7323, 2.3): a number further away is of another time.
const FAR: u32 = 1 << 30;

/// One direction. It takes 16 octets while nothing waits, and at most [`MAX_HELD`] and
/// [`MAX_WAITING`] small records more.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The number of the next octet to hand on; none before the first.
    next: Option<Seq>,
    waiting: Option<Box<Waiting>>,
}

/// Segments ahead of the next octet, the nearest first.
#[derive(Clone, Debug, Default)]
struct Waiting {
    segments: Vec<Held>,
    octets: usize,
}

#[derive(Clone, Debug)]
struct Held {
    at: Time,
    seq: Seq,
    len: u32,
    captured: Box<[u8]>,
}

impl Stream {
    /// Takes a segment; `emit` gets what can be handed on now, each part with the time at which it came.
    #[inline]
    pub fn take<F: FnMut(Time, Piece<'_>)>(&mut self, chunk: Chunk<'_>, mut emit: F) {
        let captured = chunk.captured.get(..chunk.len as usize).unwrap_or(chunk.captured);
        let chunk = Chunk { seq: chunk.seq + u32::from(chunk.syn), captured, ..chunk };
        if self.next == Some(chunk.seq) && self.waiting.is_none() {
            // The usual case.
            self.hand_on(chunk, &mut emit);
        } else if chunk.syn && !self.is_near(chunk.seq) {
            self.begin(chunk.seq);
            self.hand_on(chunk, &mut emit);
        } else if chunk.len > 0 {
            self.take_other(chunk, &mut emit);
        }
    }

    /// The other side has acknowledged `ack` at this time: what it covers will not be sent again, so a hole below
    /// it is missing for good. A single number beyond everything may be a FIN's, and is left alone. If nothing was seen
    /// so far, the stream is taken up here: what is sent later comes after what was answered.
    pub fn acked<F: FnMut(Time, Piece<'_>)>(&mut self, ack: Seq, at: Time, mut emit: F) {
        match self.next {
            Some(_) => self.past(ack, 1, at, emit),
            None => self.take_up(ack, at, &mut emit),
        }
    }

    /// Its sender has sent `end` octets and no more, as its FIN tells: of those before it that have not come, a single
    /// one is missing as well.
    pub fn ended<F: FnMut(Time, Piece<'_>)>(&mut self, end: Seq, at: Time, emit: F) {
        self.past(end, 0, at, emit);
    }

    /// All before `to` was sent, but for so many octets that may be none.
    fn past<F: FnMut(Time, Piece<'_>)>(&mut self, to: Seq, doubtful: i32, at: Time, mut emit: F) {
        if self.is_past(to, doubtful) {
            return;
        }
        while let Some(first) = self.first_waiting().filter(|first| to.is_after(*first)) {
            self.skip_to(first, at, &mut emit);
        }
        if self.next.is_some_and(|next| to.ahead_of(next) > doubtful) {
            self.skip_to(to, at, &mut emit);
        }
    }

    /// Does it change nothing that all before `to` was sent?
    fn is_past(&self, to: Seq, doubtful: i32) -> bool {
        let Some(next) = self.next else { return true };
        let hole = to.ahead_of(next);
        hole <= doubtful && self.waiting.is_none() || hole <= 0 || hole as u32 > FAR
    }

    /// Tells whether [`Stream::settle`] would change nothing.
    pub fn is_settled(&self, sent: Option<(Seq, Seq)>) -> bool {
        let is_past = |(first, last): (Seq, Seq)| {
            if self.is_new() { last.ahead_of(first) <= 1 } else { self.is_past(last, 1) }
        };
        self.waiting.is_none() && sent.is_none_or(is_past)
    }

    /// Nothing more comes, and octets from `first` to `last` are known to have been sent, but for a single one that can be
    /// a FIN's. If none was seen so far, the stream is taken up at the first; and what something waits for is missing for
    /// good.
    pub fn settle<F: FnMut(Time, Piece<'_>)>(
        &mut self,
        sent: Option<(Seq, Seq)>,
        at: Time,
        mut emit: F,
    ) {
        if let Some((first, last)) = sent {
            if self.is_new() && last.ahead_of(first) > 1 {
                self.take_up(first, at, &mut emit);
            }
            self.past(last, 1, at, &mut emit);
        }
        while let Some(first) = self.first_waiting() {
            self.skip_to(first, at, &mut emit);
        }
    }

    /// Returns whether a segment simply comes next, or first, and nothing waits for it.
    pub fn is_next(&self, chunk: &Chunk<'_>) -> bool {
        let start = chunk.seq + u32::from(chunk.syn);
        self.next.is_none_or(|next| next == start) && self.waiting.is_none()
    }

    /// Returns whether the octet with this number is the next one to hand on.
    pub fn is_at(&self, number: Seq) -> bool {
        self.next == Some(number)
    }

    /// Returns whether nothing of it has been seen.
    pub fn is_new(&self) -> bool {
        self.next.is_none()
    }

    /// Leaves out the next octets, if they have this number: they are none of what is said.
    pub fn leave_out(&mut self, number: Seq, octets: u32) {
        if self.is_at(number) {
            self.next = Some(number + octets);
        }
    }

    /// Captured octets that wait.
    pub fn heap_octets(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.octets)
    }

    /// A stream of which the next octet has this number: nothing is missing before it.
    pub fn at(number: Seq) -> Stream {
        Stream { next: Some(number), waiting: None }
    }

    fn begin(&mut self, at: Seq) {
        *self = Stream::at(at);
    }

    /// A SYN repeats the beginning if the stream has gone on from it.
    fn is_near(&self, start: Seq) -> bool {
        self.next
            .is_some_and(|next| next.ahead_of(start).unsigned_abs() < FAR && next.covers(start))
    }

    /// A segment that is not simply the next one.
    #[cold]
    fn take_other<F: FnMut(Time, Piece<'_>)>(&mut self, chunk: Chunk<'_>, emit: &mut F) {
        let Some(next) = self.next else { return self.take_first(chunk, emit) };
        let ahead = chunk.seq.ahead_of(next);
        if ahead.unsigned_abs() > FAR {
            self.take_first(chunk, emit);
        } else if ahead > 0 {
            self.take_ahead(chunk, emit);
        } else {
            self.hand_on(chunk, emit);
            self.drain(emit);
        }
    }

    /// The stream is taken up before the octet with this number.
    #[cold]
    fn take_up<F: FnMut(Time, Piece<'_>)>(&mut self, number: Seq, at: Time, emit: &mut F) {
        self.begin(number);
        emit(at, Piece::Missing(0));
    }

    /// The stream is taken up in the middle.
    fn take_first<F: FnMut(Time, Piece<'_>)>(&mut self, chunk: Chunk<'_>, emit: &mut F) {
        self.take_up(chunk.seq, chunk.at, emit);
        if chunk.len == 1 {
            // It can be a keep-alive's, which repeats an octet or makes one up.
            self.next = Some(chunk.seq + 1);
        } else {
            self.hand_on(chunk, emit);
        }
    }

    fn take_ahead<F: FnMut(Time, Piece<'_>)>(&mut self, chunk: Chunk<'_>, emit: &mut F) {
        // A lone octet ahead can be a keep-alive's: it is worth nothing.
        let captured = if chunk.len == 1 { &[] } else { chunk.captured };
        let chunk = Chunk { captured, ..chunk };
        let is_known = |waiting: &Waiting| waiting.segments.iter().any(|held| held.covers(chunk));
        if self.waiting.as_deref().is_some_and(is_known) {
            return;
        }
        while !self.has_room_for(captured.len()) {
            let first = self.first_waiting().filter(|first| chunk.seq.is_after(*first));
            self.skip_to(first.unwrap_or(chunk.seq), chunk.at, emit);
            if self.next.is_some_and(|next| next.covers(chunk.seq)) {
                self.hand_on(chunk, emit);
                return self.drain(emit);
            }
        }
        let waiting = self.waiting.get_or_insert_default();
        let Chunk { at, seq, len, .. } = chunk;
        let held = Held { at, seq, len, captured: captured.into() };
        let place = waiting.segments.partition_point(|other| seq.is_after(other.seq));
        waiting.octets += held.captured.len();
        waiting.segments.insert(place, held);
    }

    fn has_room_for(&self, octets: usize) -> bool {
        let (segments, held) =
            self.waiting.as_ref().map_or((0, 0), |w| (w.segments.len(), w.octets));
        segments < MAX_WAITING && held + octets <= MAX_HELD
    }

    fn first_waiting(&self) -> Option<Seq> {
        self.waiting.as_ref()?.segments.first().map(|held| held.seq)
    }

    /// Everything before `to` is missing, as shows at this time.
    fn skip_to<F: FnMut(Time, Piece<'_>)>(&mut self, to: Seq, at: Time, emit: &mut F) {
        let hole = self.next.map_or(0, |next| to.ahead_of(next));
        if hole > 0 {
            emit(at, Piece::Missing(hole as u64));
            self.next = Some(to);
        }
        self.drain(emit);
    }

    /// Hands on what waited and has its turn.
    fn drain<F: FnMut(Time, Piece<'_>)>(&mut self, emit: &mut F) {
        while let Some(held) = self.pop() {
            let Held { at, seq, len, ref captured } = held;
            self.hand_on(Chunk { at, seq, syn: false, len, captured }, emit);
        }
    }

    fn pop(&mut self) -> Option<Held> {
        let next = self.next?;
        let waiting = self.waiting.as_mut()?;
        let is_due = waiting.segments.first().is_some_and(|held| next.covers(held.seq));
        let held = is_due.then(|| waiting.segments.remove(0));
        waiting.octets -= held.as_ref().map_or(0, |held| held.captured.len());
        if waiting.segments.is_empty() {
            self.waiting = None;
        }
        held
    }

    /// A segment that begins at the next octet or before it: what is new of it.
    #[inline]
    fn hand_on<F: FnMut(Time, Piece<'_>)>(&mut self, chunk: Chunk<'_>, emit: &mut F) {
        let Chunk { at, seq, len, captured, .. } = chunk;
        let old = self.next.map_or(0, |next| next.ahead_of(seq)).max(0) as u32;
        if len <= old {
            return;
        }
        self.next = Some(seq + len);
        let data = captured.get(old as usize..).unwrap_or_default();
        if !data.is_empty() {
            emit(at, Piece::Data(data));
        }
        let cut = len - old - data.len() as u32;
        if cut > 0 {
            emit(at, Piece::Missing(u64::from(cut)));
        }
    }
}

impl Held {
    fn covers(&self, chunk: Chunk<'_>) -> bool {
        let ahead = chunk.seq.ahead_of(self.seq);
        let whole = self.captured.len() == self.len as usize;
        ahead >= 0
            && ahead as u64 + u64::from(chunk.len) <= u64::from(self.len)
            && (whole || ahead == 0 && chunk.captured.len() <= self.captured.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::regressions::kept;

    use super::*;

    /// The octets that came out, with nothing for one that is missing; `starts` counts beginnings.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Out {
        octets: Vec<Option<u8>>,
        starts: usize,
    }

    impl Out {
        fn emit(&mut self) -> impl FnMut(Time, Piece<'_>) + '_ {
            |_, piece| match piece {
                Piece::Data(data) => self.octets.extend(data.iter().copied().map(Some)),
                Piece::Missing(0) => self.starts += 1,
                Piece::Missing(n) => self.octets.extend((0..n).map(|_| None)),
            }
        }

        fn text(&self) -> String {
            self.octets.iter().map(|octet| octet.map_or('_', char::from)).collect()
        }
    }

    fn syn(seq: u32) -> Chunk<'static> {
        Chunk { at: Time::UNKNOWN, seq: Seq(seq), syn: true, len: 0, captured: b"" }
    }

    fn text(seq: u32, captured: &str) -> Chunk<'_> {
        Chunk {
            at: Time::UNKNOWN,
            seq: Seq(seq),
            syn: false,
            len: captured.len() as u32,
            captured: captured.as_bytes(),
        }
    }

    fn run(chunks: &[Chunk<'_>]) -> (Stream, String) {
        let (mut stream, mut out) = (Stream::default(), Out::default());
        chunks.iter().for_each(|chunk| stream.take(*chunk, out.emit()));
        let text = out.text();
        (stream, text)
    }

    #[test]
    fn it_is_small_while_nothing_waits() {
        assert!(size_of::<Stream>() <= 16, "{}", size_of::<Stream>());
    }

    #[test]
    fn octets_come_in_order_and_once() {
        let chunks = [syn(9), text(10, "ab"), text(14, "ef"), text(12, "cd"), text(11, "bcdefg")];
        assert_eq!(run(&chunks).1, "abcdefg");
    }

    #[test]
    fn the_snap_length_leaves_a_hole() {
        let cut = Chunk { len: 5, ..text(10, "ab") };
        assert_eq!(run(&[syn(9), cut, text(15, "fg")]).1, "ab___fg");
        let more_than_sent = Chunk { len: 1, ..text(10, "ab") };
        assert_eq!(run(&[syn(9), more_than_sent]).1, "a");
    }

    #[test]
    fn keep_alives_are_nothing() {
        let chunks = [syn(9), text(10, "ab"), text(11, "x"), text(11, ""), text(12, "c")];
        assert_eq!(run(&chunks).1, "abc");
        // Beyond a hole, its octet is not believed.
        assert_eq!(run(&[syn(9), text(11, "x"), text(10, "a"), text(12, "c")]).1, "a_c");
    }

    #[test]
    fn it_begins_where_the_capture_does() {
        let (mut stream, mut out) = (Stream::default(), Out::default());
        stream.take(text(500, ""), out.emit());
        stream.take(text(500, "x"), out.emit());
        stream.take(text(501, "ab"), out.emit());
        assert_eq!((out.starts, out.text().as_str()), (1, "ab"));
    }

    /// The number of a FIN is sure, and at the end nothing more comes.
    #[test]
    fn what_never_came_is_missing_at_the_end() {
        let (mut stream, mut out) = (Stream::default(), Out::default());
        stream.take(syn(9), out.emit());
        stream.take(text(10, "ab"), out.emit());
        stream.ended(Seq(13), Time::UNKNOWN, out.emit());
        assert_eq!(out.text(), "ab_");
        let ack = |ack| Some((Seq(10), Seq(ack)));
        let settled = |chunks: &[Chunk<'_>], acked| {
            let (mut stream, mut out) = (Stream::default(), Out::default());
            chunks.iter().for_each(|chunk| stream.take(*chunk, out.emit()));
            let (is_settled, before) = (stream.is_settled(acked), out.text());
            stream.settle(acked, Time::UNKNOWN, out.emit());
            assert_eq!((is_settled, stream.is_settled(acked)), (out.text() == before, true));
            (out.text(), out.starts)
        };
        assert_eq!(settled(&[syn(9), text(10, "ab")], ack(13)), ("ab".into(), 0), "a FIN, perhaps");
        assert_eq!(settled(&[syn(9), text(12, "cd")], None), ("__cd".into(), 0));
        assert_eq!(settled(&[syn(9)], ack(14)), ("____".into(), 0));
        // Nothing of it was captured but what the other side says of it.
        assert_eq!(settled(&[], ack(14)), ("____".into(), 1));
        assert_eq!(settled(&[], ack(11)), (String::new(), 0), "a FIN, perhaps");
    }

    #[test]
    fn an_acknowledged_hole_is_missing() {
        let (mut stream, mut out) = (Stream::default(), Out::default());
        stream.take(syn(9), out.emit());
        stream.take(text(12, "cd"), out.emit());
        stream.acked(Seq(10), Time::UNKNOWN, out.emit());
        assert_eq!(out.text(), "");
        stream.acked(Seq(14), Time::UNKNOWN, out.emit());
        assert_eq!(out.text(), "__cd");
        stream.acked(Seq(15), Time::UNKNOWN, out.emit());
        assert_eq!(out.text(), "__cd", "a FIN is no octet");
        stream.acked(Seq(17), Time::UNKNOWN, out.emit());
        assert_eq!(out.text(), "__cd___");
        stream.take(text(14, "late"), out.emit());
        assert_eq!(out.text(), "__cd___e");
    }

    /// A question that comes later comes after what was answered.
    #[test]
    fn it_begins_where_the_other_side_has_acknowledged() {
        let (mut stream, mut out) = (Stream::default(), Out::default());
        stream.acked(Seq(10), Time::UNKNOWN, out.emit());
        assert_eq!((out.starts, out.text().as_str()), (1, ""));
        stream.acked(Seq(14), Time::UNKNOWN, out.emit());
        stream.take(text(14, "ab"), out.emit());
        assert_eq!((out.starts, out.text().as_str()), (1, "____ab"));
    }

    #[test]
    fn what_waited_has_the_time_at_which_it_came() {
        let (mut stream, mut came) = (Stream::default(), Vec::new());
        let at = |second: i128| Time::from_nanos(second * 1_000_000_000);
        stream.take(Chunk { at: at(1), ..syn(9) }, |_, _| {});
        stream.take(Chunk { at: at(2), ..text(12, "cd") }, |_, _| {});
        stream.acked(Seq(14), at(30), |at, piece| came.push((at, piece == Piece::Data(b"cd"))));
        assert_eq!(came, [(at(30), false), (at(2), true)]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut stream, mut out) = (Stream::default(), Out::default());
        stream.take(syn(9), out.emit());
        for n in 0..100 {
            stream.take(text(20 + 4 * n, "ab"), out.emit());
            assert!(stream.heap_octets() <= 2 * MAX_WAITING);
        }
        assert!(out.text().starts_with("__________ab__ab__ab"));
        let long = "x".repeat(MAX_HELD + 1);
        stream.take(text(5_000, &long), out.emit());
        assert_eq!(stream.heap_octets(), 0);
        assert!(out.text().ends_with(&long));
    }

    #[test]
    fn a_number_of_another_time_is_a_new_start() {
        let (mut stream, mut out) = (Stream::default(), Out::default());
        stream.take(syn(9), out.emit());
        stream.take(text(10, "ab"), out.emit());
        stream.take(text(12 + (3 << 29), "cd"), out.emit());
        stream.take(text(14 + (3 << 29), "ef"), out.emit());
        assert_eq!((out.starts, out.text().as_str()), (1, "abcdef"));
    }

    proptest! {
        #![proptest_config(kept("stream", 256))]

        /// Any cut, any order within the limits, any repetition: the same octets.
        #[test]
        fn cuts_and_order_change_nothing(
            start in prop_oneof![any::<u32>(), Just(u32::MAX - 20)],
            cuts in prop::collection::vec(1u32..40, 1..14),
            order in any::<u64>(),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let total: u32 = cuts.iter().sum();
            let octets: Vec<u8> = (0..total).map(|n| b'a' + (n % 26) as u8).collect();
            let mut at = 0;
            let mut chunks: Vec<(u32, u32)> = cuts
                .iter()
                .map(|len| { at += len; (at - len, *len) })
                .collect();
            for index in again {
                let chunk = *index.get(&chunks);
                chunks.push(chunk);
            }
            // Some order or other.
            chunks.sort_by_key(|(at, _)| u64::from(*at).wrapping_mul(order | 1) >> 3);
            let (mut stream, mut out) = (Stream::default(), Out::default());
            stream.take(syn(start), out.emit());
            for (at, len) in chunks {
                let captured = &octets[at as usize..(at + len) as usize];
                let seq = Seq(start) + 1 + at;
                let at = Time::UNKNOWN;
                stream.take(Chunk { at, seq, syn: false, len, captured }, out.emit());
            }
            prop_assert_eq!(stream.heap_octets(), 0);
            prop_assert_eq!(out.octets.len(), octets.len());
            for (n, octet) in out.octets.iter().enumerate() {
                // A lone octet that came too early is not believed.
                prop_assert!(octet.is_none_or(|octet| octet == octets[n]));
                prop_assert!(octet.is_some() || cuts.contains(&1));
            }
        }

        /// Numbers only grow and the limits hold, whatever comes.
        #[test]
        fn nothing_breaks_it(
            chunks in prop::collection::vec((any::<u32>(), any::<bool>(), 0u32..3_000, 0usize..4_000, any::<bool>()), 0..60),
        ) {
            let zeros = [0; 4_000];
            let mut stream = Stream::default();
            for (seq, syn, len, captured, ack) in chunks {
                let seq = Seq(seq >> 16);
                if ack {
                    stream.acked(seq, Time::UNKNOWN, |_, _| {});
                } else {
                    let mut given = 0;
                    let at = Time::UNKNOWN;
                    let captured = &zeros[..captured];
                    stream.take(Chunk { at, seq, syn, len, captured }, |_, piece| {
                        given += usize::from(matches!(piece, Piece::Data(_)));
                    });
                    prop_assert!(given <= MAX_WAITING + 1);
                }
                prop_assert!(stream.heap_octets() <= MAX_HELD);
            }
        }
    }
}
