//! The library without the program: a caller that forgets a line accuses nobody.

use closewait::facts::CaptureFacts;
use closewait::place::{Place, Time};
use closewait::table::FlowTable;
use closewait::tcp::segment::{Checksum, Endpoint, Extras, Flags, FlowKey, Scale, Segment};
use closewait::tcp::seq::Seq;
use closewait::verdict::{Policy, Verdict, judge};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Seconds, whether the client sends, flags, SEQ, ACK. The last one acknowledges a FIN of the client
/// that was not captured.
const CONVERSATION: [(i64, bool, u8, u32, u32); 6] = [
    (0, true, SYN, 100, 0),
    (0, false, SYN | ACK, 900, 101),
    (0, true, ACK, 101, 901),
    (1, false, FIN | ACK, 901, 101),
    (1, true, ACK, 101, 902),
    (2, false, ACK, 902, 102),
];

fn segments(rows: &[(i64, bool, u8, u32, u32)]) -> Vec<Segment> {
    let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
    let (client, server) = (end([192, 0, 2, 5], 47902), end([198, 51, 100, 3], 3306));
    let of = |(&(seconds, by_client, flags, seq, ack), frame)| {
        let (from, to) = if by_client { (client, server) } else { (server, client) };
        let (key, from) = FlowKey::new(from, to);
        Segment {
            key,
            hash: 1,
            from,
            seq: Seq(seq),
            ack: Seq(ack),
            flags: Flags(flags),
            len: 0,
            window: 512,
            extras: Extras::new(Scale::UNKNOWN, Checksum::Unknown),
            place: Place::new(Time::from_nanos(i128::from(seconds) * 1_000_000_000), 0, frame, 6),
            direction: None,
        }
    };
    rows.iter().zip(1..).map(of).collect()
}

/// The verdict 300 s after the first packet, where nobody notes the segments in the facts.
fn unnoted(rows: &[(i64, bool, u8, u32, u32)]) -> Verdict {
    let mut table = FlowTable::default();
    table.take_all(
        std::iter::once(&segments(rows)[..]),
        |segment| segment.hash,
        |segment| Some(*segment),
        |segment| *segment,
        |_| false,
        |_, _| {},
    );
    let mut facts = CaptureFacts::default();
    facts.wait_until(Time::from_nanos(300_000_000_000));
    assert_eq!(facts.segments(), 0, "they were forgotten");
    let (key, flow) = table.flows().next().expect("a flow");
    judge(&key, &flow, &Policy::default(), &facts).verdict
}

#[test]
fn a_caller_that_forgets_to_note_segments_accuses_nobody() {
    assert_eq!(unnoted(&CONVERSATION), Verdict::Closed);
}

#[test]
fn without_an_ack_of_its_fin_the_client_has_not_closed() {
    assert_eq!(unnoted(&CONVERSATION[..5]), Verdict::Leak);
}
