//! The short way of decoding says what the long way says.

mod common;

use closewait::capture::file::{FileSource, Input};
use closewait::capture::{Frame, LinkType, Next, Source};
use closewait::decode::Decoder;
use closewait::place::{Place, Time};
use common::regressions::kept;
use common::wire::{Link, Packet};
use proptest::prelude::*;

/// Compares both ways for a frame; true if the short one took it.
fn agree(decoder: &Decoder, frame: &Frame) -> bool {
    let usual = decoder.decode_usual(frame);
    let Some(short) = decoder.decode_short(frame) else {
        assert!(usual.is_none(), "the shortest way takes no more than the short one");
        return false;
    };
    if let Some(usual) = usual {
        assert_eq!(format!("{usual:?}"), format!("{short:?}"));
    }
    let long = decoder.decode_layers(frame).expect("the short way takes only what is right");
    assert_eq!(format!("{short:?}"), format!("{long:?}"));
    true
}

#[test]
fn both_ways_agree_on_every_packet_of_the_fixtures() {
    let decoder = Decoder::default();
    let (mut short, mut all) = (0, 0);
    for folder in ["fixtures/captures", "fixtures/captures/reproduction"] {
        for path in ["pcap", "pcapng"].iter().flat_map(|kind| common::files(folder, kind)) {
            let mut source = FileSource::open(&Input(path), 0).expect("a capture");
            while let Ok(Next::Frame(frame)) = source.next() {
                all += 1;
                short += u32::from(agree(&decoder, &frame));
            }
        }
    }
    assert!(short * 2 > all, "most packets are usual: {short} of {all}");
}

fn packet(link: Link, v6: bool, payload: usize) -> (LinkType, Vec<u8>) {
    let packet = Packet {
        nanos: 0,
        from: if v6 { "[2001:db8::1]:3306" } else { "10.0.0.1:3306" }.parse().expect("an address"),
        to: if v6 { "[2001:db8::2]:50000" } else { "10.0.0.2:50000" }.parse().expect("an address"),
        flags: 0x18,
        seq: 7,
        ack: 9,
        window: 1,
        options: vec![1, 1, 1, 1],
        payload: vec![b'x'; payload],
        outgoing: true,
    };
    (LinkType(link.link_type()), packet.frame(link))
}

proptest! {
    #![proptest_config(kept("usual", 256))]

    /// Whatever octets are wrong or missing, the short way does not see something else.
    #[test]
    fn both_ways_agree_on_damaged_packets(
        link in prop::sample::select(vec![Link::Ethernet, Link::Sll, Link::Sll2, Link::Vlan]),
        v6: bool,
        payload in 0usize..100,
        damage in prop::collection::vec((0usize..100, any::<u8>()), 0..4),
        missing in 0usize..80,
        padding in 0usize..10,
    ) {
        let (link, mut data) = packet(link, v6, payload);
        for (at, octet) in damage {
            let at = at % data.len();
            data[at] = octet;
        }
        data.truncate(data.len().saturating_sub(missing));
        data.extend(vec![0; padding]);
        let frame = Frame {
            place: Place::new(Time::from_nanos(1), 0, 1, 6),
            interface: 0,
            link,
            original_len: data.len() as u32,
            direction: None,
            process: None,
            record: 0,
            data: &data,
        };
        agree(&Decoder::default(), &frame);
    }
}
