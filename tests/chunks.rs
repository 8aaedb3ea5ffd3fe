//! What other threads have read and decoded ahead is what one reads alone: every packet, its number, its place, and where a
//! file ends or is damaged.

mod common;
#[path = "simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

use std::sync::Arc;

use closewait::capture::chunks::Packet as Early;
use closewait::capture::file::{FileSource, Input};
use closewait::capture::{Frame, Next, Source};
use closewait::decode::Decoder;
use closewait::tcp::segment::Segment;
use common::Scratch;
use common::wire::{Classic, Link, MICROSECONDS, Packet, Pcapng, Record};
use prng::Prng;

const NANOSECONDS: Classic = Classic { big_endian: true, nanoseconds: true };
const ETHERNET: u16 = 1;

/// A packet as it was read: its place and the place of its record, and its segment, if it has a usual one, or its data.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Segment(u64, String, Vec<u8>),
    Data(u64, u64, Vec<u8>),
}

fn usual(record: u64, segment: Segment, payload: &[u8]) -> Seen {
    Seen::Segment(record, format!("{segment:?}"), payload.to_vec())
}

fn seen(decoder: &Decoder, frame: &Frame) -> Seen {
    match decoder.decode_usual(frame) {
        Some((segment, payload)) => usual(frame.record, segment, payload),
        None => Seen::Data(frame.record, frame.place.order(), frame.data.to_vec()),
    }
}

/// All packets of a file, and how it ends.
struct Read {
    packets: Vec<Seen>,
    end: String,
    /// Packets that other threads have decoded.
    early: usize,
}

/// Reads a file by so many other threads, if any. Every so manieth packet is refused, to come once more the long way.
fn read(path: &str, decoder: &Decoder, threads: usize, refused: usize) -> Read {
    let mut source = FileSource::open(&Input(path.into()), 3).expect("a capture");
    if threads > 0 {
        source.decode_ahead(Arc::new(decoder.clone()), threads);
    }
    let (mut packets, mut early, mut looked) = (Vec::new(), 0, 0);
    let mut is_taken = || {
        looked += 1;
        looked % refused != 0
    };
    let end = loop {
        let before = packets.len();
        let decoded = source.each_decoded(|packet| {
            let taken = is_taken();
            if taken {
                packets.push(match packet {
                    Early::Decoded(segment, payload, record) => usual(record, segment, payload),
                    Early::Whole(frame) => seen(decoder, &frame),
                });
            }
            taken
        });
        assert_eq!(decoded as usize, packets.len() - before);
        early += decoded as usize;
        if decoded == 0 {
            source.each_whole(|frame| {
                let taken = is_taken();
                if taken {
                    packets.push(seen(decoder, frame));
                }
                taken
            });
        }
        match source.next() {
            Ok(Next::Frame(frame)) => packets.push(seen(decoder, &frame)),
            Ok(Next::End) => break "its end".to_owned(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    Read { packets, end, early }
}

/// Reads a capture alone and by several threads. Returns how many packets others have decoded, at the least.
fn same(octets: &[u8]) -> usize {
    let scratch = Scratch::new();
    let path = scratch.write("x", octets);
    let decoder = Decoder::default();
    let alone = read(&path, &decoder, 0, usize::MAX);
    let early = [(1, usize::MAX), (3, 4_001), (4, 7)].map(|(threads, refused)| {
        let ahead = read(&path, &decoder, threads, refused);
        let differs =
            alone.packets.iter().zip(&ahead.packets).position(|(one, other)| one != other);
        assert_eq!(differs, None, "of {}", alone.packets.len());
        assert_eq!(alone.packets.len(), ahead.packets.len());
        assert_eq!(alone.end, ahead.end);
        ahead.early
    });
    early.into_iter().min().unwrap_or(0)
}

fn packet(prng: &mut Prng, payload: Vec<u8>) -> Vec<u8> {
    let packet = Packet {
        nanos: 0,
        from: "10.0.0.1:3306".parse().expect("an address"),
        to: "10.0.0.2:50000".parse().expect("an address"),
        flags: if prng.one_in(50) { 0x02 } else { 0x18 },
        seq: prng.next() as u32,
        ack: 9,
        window: 1,
        options: Vec::new(),
        payload,
        outgoing: true,
    };
    packet.frame(Link::Ethernet)
}

/// Packets of so many octets, some of which are no TCP.
fn records(prng: &mut Prng, count: usize, most: u64) -> Vec<Record> {
    let mut nanos = 1_700_000_000_000_000_000;
    let mut record = |_| {
        nanos += prng.between(1_000, 1_000_000);
        let len = prng.between(1, most) as usize;
        let data = match prng.one_in(40) {
            true => common::wire::arp(),
            // An IP packet has no more, but padding may follow.
            false => {
                let mut data = packet(prng, vec![7; len.min(60_000)]);
                data.resize(data.len() + len.saturating_sub(60_000), 0);
                data
            }
        };
        Record::new(nanos, data)
    };
    (0..count).map(&mut record).collect()
}

fn ng(records: &[Record]) -> Pcapng {
    let mut file = Pcapng::new(false);
    file.interface(ETHERNET, 262_144, &[]);
    records.iter().for_each(|record| file.packet(0, record.nanos / 1_000, record, &[]));
    file
}

#[test]
fn packets_of_every_length() {
    for (seed, (count, most)) in
        [(35_000, 200), (9_000, 1_400), (300, 60_000), (80, 200_000)].into_iter().enumerate()
    {
        let records = records(&mut Prng::new(seed as u64), count, most);
        let most_of_them = count / 2;
        for format in [MICROSECONDS, NANOSECONDS] {
            let early = same(&format.write(ETHERNET, &records));
            assert!(early > most_of_them, "{early} of {count} up to {most}");
        }
        let early = same(&ng(&records).bytes);
        assert!(early > most_of_them, "pcapng: {early} of {count} up to {most}");
    }
}

/// Each packet carries a piece of a capture, which holds more records in a row than make a guess.
#[test]
fn a_capture_within_packets_fools_nobody() {
    let mut prng = Prng::new(5);
    let inner = records(&mut prng, 2_000, 60);
    let [inner, inner_ng] = [MICROSECONDS.write(ETHERNET, &inner), ng(&inner).bytes];
    for carried in [&inner, &inner_ng] {
        let mut nanos = 1_700_000_000_000_000_000;
        let pieces = carried.chunks(50_000).cycle().take(150);
        let records: Vec<Record> = pieces
            .map(|piece| {
                nanos += 1_000_000;
                Record::new(nanos, packet(&mut prng, piece.to_vec()))
            })
            .collect();
        assert!(same(&MICROSECONDS.write(ETHERNET, &records)) > 75);
        assert!(same(&ng(&records).bytes) > 75);
    }
}

/// Whatever only a closer look can tell: reading ahead ends there, and begins again behind it.
#[test]
fn what_needs_a_closer_look() {
    let mut prng = Prng::new(6);
    let parts = [0, 1].map(|_| records(&mut prng, 12_000, 1_400));
    let count = parts[0].len() + parts[1].len();
    let [first, second] = [&parts[0], &parts[1]].map(|part| MICROSECONDS.write(ETHERNET, part));
    let whole = [&first[..], &second[24..]].concat();
    // Another capture behind it, as `cat` leaves it; a packet without an octet; one that was cut, in the middle of it.
    let joined = [&first[..], &second].concat();
    let empty = MICROSECONDS
        .write(ETHERNET, &[Record { original_len: 60, ..Record::new(1 << 60, Vec::new()) }]);
    let with_empty = [&first[..], &empty[24..], &second[24..]].concat();
    for octets in [&whole, &joined, &with_empty] {
        let early = same(octets);
        assert!(early > count * 3 / 4, "{early} of {count}");
    }
    let mut corrupt = whole.clone();
    corrupt[first.len()..][..400].fill(0xff);
    let mut blank = whole.clone();
    blank[first.len()..].fill(0);
    for octets in [&whole[..whole.len() - 7], &corrupt, &blank] {
        assert!(same(octets) > count / 3);
    }
}

/// An interface that is described among its packets, with a clock of its own; options; names; statistics.
#[test]
fn other_blocks_between_packets() {
    let mut prng = Prng::new(7);
    let [first, second] = [0, 1].map(|_| records(&mut prng, 12_000, 1_400));
    let mut file = ng(&first);
    let in_nanoseconds = [(9, vec![9])];
    file.interface(ETHERNET, 0, &in_nanoseconds);
    for (number, record) in second.iter().enumerate() {
        let flags =
            if number % 3_000 == 1_000 { vec![(2, file.u32_option(1))] } else { Vec::new() };
        file.packet(1, record.nanos, record, &flags);
    }
    file.statistics(1, &[(5, file.u64_option(3))]);
    assert!(same(&file.bytes) > 12_000);
}

/// Where every packet has options, each needs a closer look, and nobody reads ahead for nothing.
#[test]
fn packets_with_options() {
    let records = records(&mut Prng::new(8), 6_000, 1_400);
    let mut file = Pcapng::new(true);
    file.interface(ETHERNET, 0, &[]);
    for record in &records {
        let flags = [(2, file.u32_option(2))];
        file.packet(0, record.nanos / 1_000, record, &flags);
    }
    assert_eq!(same(&file.bytes), 0);
}

/// Octets that are others, or gone, or there twice, anywhere: whatever one makes of it alone, several do.
#[test]
fn damage_anywhere() {
    for seed in 0..5 {
        let mut prng = Prng::new(seed);
        let records = records(&mut prng, 8_000, 1_400);
        let mut octets = match prng.one_in(2) {
            true => MICROSECONDS.write(ETHERNET, &records),
            false => ng(&records).bytes,
        };
        for _ in 0..prng.between(1, 6) {
            let at = prng.between(200_000, octets.len() as u64 - 1) as usize;
            let len = (prng.between(1, 40) as usize).min(octets.len() - at);
            match prng.below(4) {
                0 => octets[at..at + len].iter_mut().for_each(|octet| *octet = prng.next() as u8),
                1 => octets[at..at + len].fill(0),
                2 => drop(octets.drain(at..at + len)),
                _ => octets.extend_from_within(at..),
            }
        }
        same(&octets);
    }
}
