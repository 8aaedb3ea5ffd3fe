//! One seed: a world, a tap, and what closewait says of the capture.

use std::net::IpAddr;

use chrono::TimeDelta;
use closewait::place::{Place, Time};
use closewait::table::{FlowTable, Retired};
use closewait::tcp::segment::{Direction, Endpoint, Extras, Flags, FlowKey, Segment, ToldBy};
use closewait::verdict::{Judgement, Policy, Tap, judge};

use crate::plan::{LOCAL, Plan};
use crate::prng::Prng;
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
    pub judgement: Judgement,
}

impl Run {
    pub fn of(seed: u64) -> Run {
        let mut prng = Prng::new(seed);
        let tap = TapPlan::any(&mut prng);
        let legs = tap.legs(&mut prng);
        let plan = Plan::any(&mut prng, legs);
        let world = World::run(plan.clone(), Prng::new(prng.next()));
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

fn segment(index: usize, seen: &Seen) -> Segment {
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
        window: u16::MAX,
        extras: Extras::default(),
        place: Place::new(time(seen.at), 0, index as u64 + 1, 6),
        direction: seen.way.map(|way| Direction { way, told_by: ToldBy::PacketType }),
    }
}

fn policy() -> Policy {
    let local = endpoints()[LOCAL].ip.to_string();
    Policy {
        local: Some(local.parse().expect("an address")),
        min_hold: TimeDelta::zero(),
        half_close_quiet: TimeDelta::seconds(30),
        certain: false,
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
    let mut tap = Tap { bare_acks, empty_segments, drops, truncated, ..Tap::default() };
    for (index, seen) in capture.seen.iter().enumerate() {
        let segment = segment(index, seen);
        tap.bare_acks |= segment.is_bare_ack();
        tap.empty_segments |= segment.len == 0;
        table.retire(segment.place.time, |gone| retired.push(gone));
        table.take(&segment);
    }
    tap.end = time(plan.end);
    retired.extend(table.into_flows());
    retired.sort_by_key(|retired| retired.flow.first.order());
    let policy = policy();
    let judged = retired.iter().map(|Retired { key, flow }| {
        let first = &capture.seen[flow.first.frame() as usize - 1];
        let judgement = judge(key, flow, &policy, &tap);
        Judged { conn: first.packet.conn, judgement }
    });
    judged.collect()
}
