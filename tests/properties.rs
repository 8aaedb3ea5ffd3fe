//! What holds for every conversation, however it was captured.

#[path = "common/regressions.rs"]
mod regressions;

use std::collections::BTreeSet;

use closewait::facts::CaptureFacts;
use closewait::place::{Place, Time};
use closewait::table::FlowTable;
use closewait::tcp::flow::Flow;
use closewait::tcp::segment::{Endpoint, Extras, Flags, FlowKey, Segment};
use closewait::tcp::seq::Seq;
use closewait::tcp::side::Side;
use closewait::verdict::{Doubt, Judgement, Policy, judge};
use proptest::prelude::*;

/// A segment as a test writes it: who, flags, numbers relative to the ISNs, payload.
#[derive(Clone, Debug)]
struct Line {
    from_local: bool,
    flags: u8,
    seq: u32,
    ack: u32,
    len: u32,
    millis: u32,
}

/// Any segments at all, near the interesting numbers.
fn noise() -> impl Strategy<Value = Vec<Line>> {
    let line = (any::<bool>(), 0u8..64, 0u32..40, 0u32..40, 0u32..12, 0u32..5_000);
    let line = line.prop_map(|(from_local, flags, seq, ack, len, millis)| Line {
        from_local,
        flags,
        seq,
        ack,
        len,
        millis,
    });
    prop::collection::vec(line, 1..40)
}

/// A conversation without loss: handshake, data both ways, and the closes that happen.
fn conversation() -> impl Strategy<Value = (Vec<Line>, bool, bool)> {
    let data = prop::collection::vec((any::<bool>(), 1u32..1_000), 0..12);
    (data, any::<bool>(), any::<bool>()).prop_map(|(data, peer_closes, local_closes)| {
        let mut lines = Vec::new();
        // The next number of local and of peer.
        let (mut l, mut p) = (0, 0);
        let mut say = |from_local, flags, seq, ack, len| {
            lines.push(Line { from_local, flags, seq, ack, len, millis: 10 });
        };
        say(true, Flags::SYN, l, 0, 0);
        l += 1;
        say(false, Flags::SYN | Flags::ACK, p, l, 0);
        p += 1;
        say(true, Flags::ACK, l, p, 0);
        for (from_local, len) in data {
            let (mine, theirs) = if from_local { (&mut l, &p) } else { (&mut p, &l) };
            say(from_local, Flags::ACK, *mine, *theirs, len);
            *mine += len;
            say(!from_local, Flags::ACK, *theirs, *mine, 0);
        }
        if peer_closes {
            say(false, Flags::FIN | Flags::ACK, p, l, 0);
            p += 1;
            say(true, Flags::ACK, l, p, 0);
        }
        if local_closes {
            say(true, Flags::FIN | Flags::ACK, l, p, 0);
            l += 1;
            say(false, Flags::ACK, p, l, 0);
        }
        (lines, peer_closes, local_closes)
    })
}

struct World {
    local: Endpoint,
    peer: Endpoint,
    /// The initial sequence numbers of local and peer.
    isn: [u32; 2],
}

impl World {
    fn usual() -> World {
        let end = |ip: &str, port| Endpoint { ip: ip.parse().expect("an address"), port };
        World { local: end("10.0.0.5", 40_000), peer: end("10.0.0.9", 3_306), isn: [1_000, 9_000] }
    }

    fn segments(&self, lines: &[Line]) -> Vec<Segment> {
        let mut nanos = 1_600_000_000_000_000_000i128;
        let mut segment = |(i, line): (usize, &Line)| {
            nanos += i128::from(line.millis) * 1_000_000;
            let (from, to) =
                if line.from_local { (self.local, self.peer) } else { (self.peer, self.local) };
            let [mine, theirs] =
                if line.from_local { self.isn } else { [self.isn[1], self.isn[0]] };
            let (key, end) = FlowKey::new(from, to);
            Segment {
                key,
                hash: 7,
                from: end,
                seq: Seq(mine.wrapping_add(line.seq)),
                ack: Seq(theirs.wrapping_add(line.ack)),
                flags: Flags(line.flags),
                len: line.len,
                window: u16::MAX,
                extras: Extras::default(),
                place: Place::new(Time::from_nanos(nanos), 0, i as u64 + 1, 6),
                direction: None,
            }
        };
        lines.iter().enumerate().map(&mut segment).collect()
    }
}

fn policy() -> Policy {
    Policy {
        local: None,
        min_hold: chrono::TimeDelta::zero(),
        half_close_quiet: chrono::TimeDelta::seconds(30),
        certain: false,
        end: None,
    }
}

/// Of some other connection: the capture was not filtered down to flags or payload.
fn bare_ack() -> Segment {
    let line = Line { from_local: true, flags: Flags::ACK, seq: 1, ack: 1, len: 0, millis: 0 };
    World::usual().segments(&[line])[0]
}

/// Every flow with its judgement, in the order of first packets, a minute after the last.
fn judged(segments: &[Segment]) -> Vec<(FlowKey, Flow, Judgement)> {
    let mut table = FlowTable::default();
    let mut facts = CaptureFacts::default();
    facts.note(&bare_ack());
    for segment in segments {
        table.take(segment, &mut facts);
    }
    let end = i128::from(facts.end().nanos().expect("a time"));
    facts.wait_until(Time::from_nanos(end + 60_000_000_000));
    let mut flows: Vec<_> = table
        .into_flows()
        .map(|gone| {
            let judgement = judge(&gone.key, &gone.flow, &policy(), &facts);
            (gone.key, gone.flow, judgement)
        })
        .collect();
    flows.sort_by_key(|(_, flow, _)| flow.first.order());
    flows
}

/// Every flow as it is and as it left, while time passes; finished ones rest, as they would so much later, or do not.
fn left(segments: &[Segment], rest: Option<i64>) -> Vec<String> {
    let mut table = FlowTable::default();
    let mut left = Vec::new();
    for segment in segments {
        table.take(segment, &mut CaptureFacts::default());
        if let Some(later) = rest {
            table.rest(segment.place.time.after(later));
        }
        let held = table.flows().map(|(key, flow)| format!("{key:?} {flow:?}"));
        left.push(held.collect::<BTreeSet<_>>().into_iter().collect());
        table.retire(segment.place.time, |gone| left.push(format!("{gone:?}")));
    }
    let last: BTreeSet<String> = table.into_flows().map(|gone| format!("{gone:?}")).collect();
    left.into_iter().chain(last).collect()
}

/// What must not depend on how a capture was taken: verdicts and states, without places.
fn essence(flows: &[(FlowKey, Flow, Judgement)]) -> Vec<String> {
    let essence = |(_, flow, judgement): &(FlowKey, Flow, Judgement)| {
        let states = [Side::A, Side::B].map(|side| flow.state(side, flow.last.time));
        format!(
            "{:?} {:?} {:?} {:?}",
            judgement.verdict, judgement.holder, judgement.doubts, states
        )
    };
    flows.iter().map(essence).collect()
}

proptest! {
    #![proptest_config(regressions::kept("properties", 2_000))]

    /// Nothing that the wire can carry panics, and every segment is in some flow.
    #[test]
    fn every_segment_is_counted_once(lines in noise()) {
        let segments = World::usual().segments(&lines);
        let packets: u64 = judged(&segments)
            .iter()
            .map(|(_, flow, _)| flow.half(Side::A).packets() + flow.half(Side::B).packets())
            .sum();
        prop_assert_eq!(packets, segments.len() as u64);
    }

    /// Finished flows that rest in between, and are woken, end as they would have.
    #[test]
    fn rest_changes_nothing(lines in noise(), slower in 1u32..40, at_once in any::<bool>()) {
        let mut slow = lines;
        slow.iter_mut().for_each(|line| line.millis *= slower);
        let segments = World::usual().segments(&slow);
        let later = if at_once { 60_000_000_000 } else { 0 };
        prop_assert_eq!(left(&segments, Some(later)), left(&segments, None));
    }

    /// The same numbers from another start, past 2^32 or not, mean the same. Which of them differ by one bit,
    /// and may be damage, stays the same where the start moves by 64: all of them lie that close.
    #[test]
    fn initial_numbers_do_not_matter(lines in noise(), by in any::<[u32; 2]>()) {
        let usual = World::usual();
        let isn = [0, 1].map(|end| usual.isn[end].wrapping_add(by[end] & !63));
        let shifted = World { isn, ..World::usual() };
        let of = |world: &World| essence(&judged(&world.segments(&lines)));
        prop_assert_eq!(of(&usual), of(&shifted));
    }

    /// Neither does which end has the lower address.
    #[test]
    fn addresses_do_not_matter(lines in noise()) {
        let usual = World::usual();
        let mirrored = World { local: usual.peer, peer: usual.local, isn: usual.isn };
        let of = |world: &World| essence(&judged(&world.segments(&lines)));
        prop_assert_eq!(of(&usual), of(&mirrored));
    }

    /// Without loss, the verdict is the truth, and it has no doubts but one that no packet can take.
    #[test]
    fn a_whole_conversation_is_told_as_it_was((lines, peer_closes, local_closes) in conversation()) {
        let flows = judged(&World::usual().segments(&lines));
        prop_assert_eq!(flows.len(), 1);
        let (_, _, judgement) = &flows[0];
        let expected = match (peer_closes, local_closes) {
            (true, true) => "closed",
            (true, false) | (false, true) => "leak",
            (false, false) => "open",
        };
        prop_assert_eq!(judgement.verdict.name(), expected);
        // What the opener says last before it closes may be a request.
        let last = lines.iter().rfind(|line| line.len > 0);
        let asked = expected == "leak" && local_closes && last.is_some_and(|line| line.from_local);
        let doubts: &[Doubt] = if asked { &[Doubt::Unanswered] } else { &[] };
        prop_assert_eq!(judgement.doubts, doubts.iter().copied().collect());
        if expected == "leak" {
            // `a` opened and is local: whoever did not close holds.
            let holder = if peer_closes { Side::A } else { Side::B };
            prop_assert_eq!(judgement.holder, Some(holder));
        }
    }

    /// A capture that shows packets twice says the same.
    #[test]
    fn duplicates_change_nothing(
        (lines, ..) in conversation(),
        twice in prop::collection::vec(any::<bool>(), 60),
    ) {
        let doubled: Vec<Line> = lines
            .iter()
            .zip(twice.iter().cycle())
            .flat_map(|(line, twice)| {
                let again = Line { millis: 0, ..line.clone() };
                std::iter::once(line.clone()).chain(twice.then_some(again))
            })
            .collect();
        let of = |lines: &[Line]| essence(&judged(&World::usual().segments(lines)));
        prop_assert_eq!(of(&lines), of(&doubled));
    }

    /// A FIN that its receiver drops changes nothing, whenever it comes: one without ACK, or of an older connection that
    /// was not captured.
    #[test]
    fn a_fin_that_is_dropped_changes_nothing(
        (lines, ..) in conversation(),
        at in any::<prop::sample::Index>(),
        from_local in any::<bool>(),
        below in prop::option::of((1u32 << 21..1 << 30, 1u32 << 21..1 << 30)),
    ) {
        // The handshake comes first, and what comes after both FINs is another connection's.
        let at = 3 + at.index(lines.len() - 2);
        let closes = lines.iter().take(at).filter(|line| line.flags & Flags::FIN != 0);
        prop_assume!(closes.count() < 2);
        let sent = |line: &&Line| line.from_local == from_local;
        let next = lines.iter().take(at).rfind(sent).map_or(1, |line| line.seq + line.len);
        let (flags, seq, ack) = match below {
            Some((seq, ack)) => (Flags::FIN | Flags::ACK, seq.wrapping_neg(), ack.wrapping_neg()),
            None => (Flags::FIN, next, 0),
        };
        let mut with = lines.clone();
        with.insert(at, Line { from_local, flags, seq, ack, len: 0, millis: 0 });
        let of = |lines: &[Line]| essence(&judged(&World::usual().segments(lines)));
        prop_assert_eq!(of(&lines), of(&with));
    }

    /// State by state, a whole conversation walks along figure 5, or stands still.
    #[test]
    fn states_follow_the_figure((lines, ..) in conversation()) {
        use closewait::tcp::state::{Event::*, State};
        let events = [SndSyn, SndSynAck, SndAckOfSyn, RcvAckOfSyn, SndFin, SndAckOfFin, RcvAckOfFin];
        // A packet can carry two events: an ACK and a FIN.
        let reach = |from: State| {
            let step = |from: State| events.into_iter().filter_map(move |e| from.next(e));
            let mut all: Vec<State> = step(from).flat_map(|to| step(to).chain([to])).collect();
            all.push(from);
            all
        };
        let segments = World::usual().segments(&lines);
        let mut before: Option<[State; 2]> = None;
        for n in 1..=segments.len() {
            let flows = judged(&segments[..n]);
            let (_, flow, _) = &flows[0];
            let now = [Side::A, Side::B].map(|side| flow.state(side, flow.last.time));
            if let Some(before) = before {
                for (from, to) in before.into_iter().zip(now) {
                    prop_assert!(reach(from).contains(&to), "{} to {}", from, to);
                }
            }
            before = Some(now);
        }
    }
}
