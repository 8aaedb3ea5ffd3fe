//! One seed: a world, a tap, and what closewait says of the capture.

use std::net::IpAddr;

use chrono::TimeDelta;
use closewait::capture::About;
use closewait::facts::CaptureFacts;
use closewait::place::{Place, Time};
use closewait::table::{FlowTable, Retired};
use closewait::tcp::holes::Holes;
use closewait::tcp::segment::{
    Checksum, Direction, Endpoint, Extras, Flags, FlowKey, Scale, Segment, ToldBy,
};
use closewait::tcp::seq::Seq;
use closewait::verdict::{Judgement, Policy, judge};

use crate::plan::{LOCAL, Plan};
use crate::prng::Prng;
use crate::socket::Packet;
use crate::tap::{Capture, Seen, TapPlan};
use crate::world::World;

/// 2018-03-12 11:38:15 UTC: any time will do.
const START: i128 = 1_520_854_695_000_000_000;

pub struct Run {
    pub seed: u64,
    pub plan: Plan,
    pub tap: TapPlan,
    pub world: World,
    pub capture: Capture,
    /// In the order of their first packets.
    pub flows: Vec<Judged>,
}

pub struct Judged {
    /// The connection to which its first packet belongs.
    pub conn: usize,
    /// That packet was damaged: a SYN with RST, say, that nobody received.
    pub begun_by_damage: bool,
    pub judgement: Judgement,
}

impl Run {
    pub fn of(seed: u64) -> Run {
        Run::led_by(seed, Prng::new(seed))
    }

    /// One whose choices are those of `prng`; the seed is its name.
    pub fn led_by(seed: u64, mut prng: Prng) -> Run {
        let tap = TapPlan::any(&mut prng);
        let legs = tap.legs(&mut prng);
        let plan = Plan::any(&mut prng, legs);
        let world = World::run(plan.clone(), prng.split());
        let capture = tap.capture(&world.passed, &mut prng);
        let flows = judged(&plan, &tap, &capture);
        Run { seed, plan, tap, world, capture, flows }
    }
}

/// The ends of every connection, local and peer, as the scenarios call them.
pub fn endpoints() -> [Endpoint; 2] {
    let end = |ip: [u8; 4], port| Endpoint { ip: IpAddr::from(ip), port };
    [end([172, 18, 0, 5], 38_822), end([172, 18, 0, 3], 3_306)]
}

fn time(micros: u64) -> Time {
    Time::from_nanos(START + i128::from(micros) * 1_000)
}

/// What a whole packet tells beside its numbers.
fn extras(packet: &Packet, tap: &TapPlan) -> Extras {
    let scale = match packet.has(Flags::SYN) && tap.whole_packets {
        true => Scale::new(0),
        false => Scale::UNKNOWN,
    };
    let checksum = match packet.damaged {
        // What leaves a host has none yet.
        _ if !tap.whole_packets || tap.is_at(packet.from) => Checksum::Unknown,
        true => Checksum::Wrong,
        false => Checksum::Right,
    };
    Extras::new(scale, checksum)
}

fn segment(index: usize, seen: &Seen, tap: &TapPlan) -> Segment {
    let ends = endpoints();
    let packet = &seen.packet;
    let (key, from) = FlowKey::new(ends[packet.from], ends[1 - packet.from]);
    Segment {
        key,
        hash: 7,
        from,
        seq: packet.seq,
        ack: packet.ack,
        flags: Flags(packet.flags),
        len: packet.len,
        window: packet.window,
        extras: extras(packet, tap),
        place: Place::new(time(seen.at), 0, index as u64 + 1, 6),
        direction: seen.way.map(|way| Direction { way, told_by: ToldBy::PacketType }),
    }
}

/// Other traffic of the capture, by what it shows: a bare ACK, or a segment without payload.
fn company(bare_acks: bool, empty_segments: bool) -> Vec<Segment> {
    let ends = endpoints();
    let (key, from) = FlowKey::new(ends[0], ends[1]);
    let place = Place::new(Time::UNKNOWN, 0, 1, 6);
    let with = |flags| {
        let (seq, ack, flags) = (Seq(0), Seq(0), Flags(flags));
        Segment {
            key,
            hash: 7,
            from,
            seq,
            ack,
            flags,
            len: 0,
            window: u16::MAX,
            extras: Extras::default(),
            place,
            direction: None,
        }
    };
    let acks = bare_acks.then(|| with(Flags::ACK)).into_iter();
    acks.chain(empty_segments.then(|| with(Flags::SYN))).collect()
}

fn policy() -> Policy {
    let local = endpoints()[LOCAL].ip.to_string();
    Policy {
        local: Some(local.parse().expect("an address")),
        min_hold: TimeDelta::zero(),
        half_close_quiet: TimeDelta::seconds(30),
        certain: false,
        end: None,
    }
}

fn judged(plan: &Plan, tap_plan: &TapPlan, capture: &Capture) -> Vec<Judged> {
    let mut table = FlowTable::default();
    let mut retired = Vec::new();
    let (bare_acks, empty_segments) = match tap_plan.company {
        true => tap_plan.filter.shows(),
        false => (false, false),
    };
    let drops = if tap_plan.counts { capture.missed } else { 0 };
    let truncated = tap_plan.truncated;
    let mut facts = CaptureFacts::default();
    facts.about(&About { drops, ..About::default() });
    if truncated {
        facts.cut_off();
    }
    if tap_plan.shows_holes() {
        facts.count_holes(Holes { shown: 12, of: 400 });
    }
    company(bare_acks, empty_segments).iter().for_each(|segment| facts.note(segment));
    for (index, seen) in capture.seen.iter().enumerate() {
        let segment = segment(index, seen, tap_plan);
        table.retire(segment.place.time, |gone| retired.push(gone));
        table.take(&segment, &mut facts);
    }
    facts.wait_until(time(plan.end));
    retired.extend(table.into_flows());
    retired.sort_by_key(|retired| retired.flow.first.order());
    let policy = policy();
    let judged = retired.iter().map(|Retired { key, flow }| {
        let first = &capture.seen[flow.first.frame() as usize - 1].packet;
        let judgement = judge(key, flow, &policy, &facts);
        Judged { conn: first.conn, begun_by_damage: first.damaged, judgement }
    });
    judged.collect()
}
