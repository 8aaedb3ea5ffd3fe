use super::*;
use crate::place::Place;
use crate::tcp::segment::{End, Endpoint, Extras, Flags};
use crate::tcp::seq::Seq;

/// With some 10 octets of the index, that is what an open flow costs.
#[test]
fn a_4_tuple_is_small() {
    let octets = size_of::<chain::Chain>();
    assert!(octets <= 208, "{octets}");
}

fn segment(at: Time, packet: u64, flags: u8) -> Segment {
    let end = |port| Endpoint { ip: [10, 0, 0, 1].into(), port };
    let (key, from) = FlowKey::new(end(1), end(2));
    Segment {
        key,
        hash: 7,
        from,
        seq: Seq(1),
        ack: Seq(1),
        flags: Flags(flags),
        len: 0,
        window: 0,
        extras: Extras::default(),
        place: Place::new(at, 0, packet, 6),
        direction: None,
    }
}

fn millis(millis: i64) -> Time {
    Time::from_nanos(i128::from(millis) * 1_000_000)
}

/// Flows that leave at each of these seconds.
fn leave<const N: usize>(table: &mut FlowTable, seconds: [i64; N]) -> [usize; N] {
    seconds.map(|seconds| {
        let mut left = 0;
        table.retire(millis(seconds * 1_000), |_| left += 1);
        left
    })
}

#[test]
fn what_had_a_packet_after_its_end_leaves_ten_minutes_after_that() {
    let mut table = FlowTable::default();
    let mut facts = CaptureFacts::default();
    table.retire(millis(1_000_000), |_| {});
    table.take(&segment(millis(1_000_500), 1, Flags::RST), &mut facts);
    table.take(&segment(millis(1_001_200), 2, Flags::RST), &mut facts);
    assert_eq!(leave(&mut table, [1_600, 1_601, 1_602, 2_201]), [0, 0, 1, 0]);
    assert!(table.is_empty() && table.finished.is_empty());
}

#[test]
fn what_finished_before_the_first_look_at_the_clock_leaves_too() {
    let mut table = FlowTable::default();
    let reset = segment(millis(1_000_000), 1, Flags::RST);
    table.take(&reset, &mut CaptureFacts::default());
    let left = leave(&mut table, [1_001, 1_500, 1_602]);
    assert_eq!((left, table.len()), ([0, 0, 1], 0));
}

#[test]
fn what_is_half_closed_is_noted_until_it_closes_and_when_a_fin_proves_to_be_none() {
    let mut table = FlowTable::default();
    let mut facts = CaptureFacts::default();
    table.note_closing();
    let mut take = |packet, from, seq, ack, flags, len| {
        let (seq, ack) = (Seq(seq), Seq(ack));
        let segment = segment(millis(packet), packet as u64, flags);
        table.take(&Segment { from, seq, ack, len, ..segment }, &mut facts);
        table.take_half_closed().len()
    };
    let (a, b, fin) = (End::Lower, End::Upper, Flags::FIN | Flags::ACK);
    assert_eq!(take(1, a, 100, 500, Flags::ACK, 10), 0, "it is open");
    assert_eq!(take(2, b, 500, 110, fin, 0), 1);
    assert_eq!(take(3, a, 110, 501, Flags::ACK, 0), 1);
    assert_eq!(take(4, a, 110, 501, fin, 0), 0, "it has closed");
    assert_eq!(take(5, a, 110, 501, Flags::ACK, 20), 1, "payload in the FIN's place");
    assert_eq!(take(6, a, 130, 501, fin, 0), 0);
}
