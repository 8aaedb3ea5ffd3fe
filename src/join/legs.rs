//! The two connections of a proxy, one to its client and one to its server.
//!
//! A proxy passes a FIN on: it gets one on one connection, sends its own on the other, and holds the first
//! until the far end of the other closes. That far end is whom both wait for. Both connections have an end
//! on one host, were opened together, carried as much each way, what one got was sent on the other after it,
//! and the FIN of one soon followed that of the other; and only these two fit. Contents are not compared, which a
//! proxy may change: two clients that say as much at the same time look alike, so reports say that it seems so.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::place::{Place, Time};
use crate::tcp::flow::Flow;
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::side::Side;
use crate::verdict::Judgement;

/// A proxy dials when it has been dialled, and passes a FIN on when it gets it.
const TOGETHER_NS: i64 = 100_000_000;

/// FINs that come together and can still be told apart.
const CROWD: usize = 32;

/// A half-closed connection, as far as it tells whose leg it may be.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    first: Place,
    fin: Place,
    holder: Endpoint,
    closer: Endpoint,
    /// The holder opened it.
    dialled_by_holder: bool,
    /// Octets of payload: the client's, the server's.
    octets: [u32; 2],
    /// The times of their last payload.
    said: [Time; 2],
}

impl Leg {
    /// The first packet, and the FIN.
    pub fn places(&self) -> [Place; 2] {
        [self.first, self.fin]
    }

    /// The end that holds it, and the one that closed it.
    pub fn ends(&self) -> [Endpoint; 2] {
        [self.holder, self.closer]
    }

    /// Returns true if the holder opened it, and the octets of payload that each side sent.
    pub fn manner(&self) -> (bool, [u32; 2]) {
        (self.dialled_by_holder, self.octets)
    }

    /// A leg that another run told of.
    pub fn told(
        [first, fin]: [Place; 2],
        [holder, closer]: [Endpoint; 2],
        (dialled_by_holder, octets): (bool, [u32; 2]),
    ) -> Leg {
        let said = [Time::UNKNOWN; 2];
        Leg { first, fin, holder, closer, dialled_by_holder, octets, said }
    }

    /// A leg of a half-closed flow that was seen from its beginning and carried anything.
    pub fn new(key: &FlowKey, flow: &Flow, judgement: &Judgement) -> Option<Leg> {
        let holder = judgement.holder?;
        let service = flow.service()?;
        let fin = flow.fin(holder.other())?;
        let sent = |side: Side| {
            let (isn, max) = (flow.half(side).isn()?, flow.half(side).snd_max()?);
            // The SYN takes a number, and so does the FIN.
            let marks = if side == holder { 1 } else { 2 };
            u32::try_from(max.ahead_of(isn).checked_sub(marks)?).ok()
        };
        let octets = [sent(service.other())?, sent(service)?];
        (octets != [0, 0]).then_some(Leg {
            first: flow.first,
            fin: fin.place,
            holder: key.endpoint(flow.end(holder)),
            closer: key.endpoint(flow.end(holder.other())),
            dialled_by_holder: service != holder,
            octets,
            said: [flow.last_said(service.other()), flow.last_said(service)],
        })
    }

    /// The end that was dialled.
    fn service(&self) -> Endpoint {
        if self.dialled_by_holder { self.closer } else { self.holder }
    }

    /// Did the holder of this one pass its FIN on to the other?
    fn was_passed_on_to(&self, other: &Leg) -> bool {
        let (dialled, accepted) = match self.dialled_by_holder {
            true => (self, other),
            false => (other, self),
        };
        self.is_on_one_host_with(other)
            && self.holder != other.closer
            // Two clients of one service, which leaves them at once or is left: no proxy dials itself.
            && self.service() != other.service()
            && self.dialled_by_holder == other.dialled_by_holder
            && self.first.file() == other.first.file()
            && follows(accepted.first.time, dialled.first.time)
            && is_not_before(dialled.said[0], accepted.said[0])
            && is_not_before(accepted.said[1], dialled.said[1])
            && follows(self.fin.time, other.fin.time)
    }

    /// Has the host that holds this one closed the other? A connection with a loopback address has both its
    /// ends on one host.
    fn is_on_one_host_with(&self, other: &Leg) -> bool {
        let within = [other.holder, other.closer].iter().any(|end| end.ip.is_loopback());
        self.holder.ip == other.closer.ip || within && self.holder.ip == other.holder.ip
    }
}

/// Nanoseconds from the FIN of a leg to the one that was passed on.
pub fn passed_on_after(near: &Leg, far: &Leg) -> i64 {
    far.fin.time.since(near.fin.time).unwrap_or(0)
}

fn follows(earlier: Time, later: Time) -> bool {
    earlier <= later && later.since(earlier).is_some_and(|ns| ns <= TOGETHER_NS)
}

/// Requests are passed on after they have come, and so are answers. Two services that one client asks at once answer in
/// any order.
fn is_not_before(passed_on: Time, came: Time) -> bool {
    passed_on == Time::UNKNOWN || came == Time::UNKNOWN || passed_on >= came
}

/// Finds pairs by their indices: a leg that its proxy holds, and the one that its FIN was passed on to.
pub fn pairs(legs: &[Leg]) -> Vec<[usize; 2]> {
    let mut alike: HashMap<[u32; 2], Vec<usize>, RandomState> = HashMap::default();
    legs.iter().enumerate().for_each(|(at, leg)| alike.entry(leg.octets).or_default().push(at));
    let mut found = Vec::new();
    for group in alike.values_mut() {
        group.sort_by_key(|at| (legs[*at].fin.time, legs[*at].fin.order()));
        found.extend(candidates(legs, group));
    }
    // A leg may be the far one of one proxy and the near one of the next.
    let mut sides = [HashMap::<usize, usize, RandomState>::default(), HashMap::default()];
    for pair in &found {
        pair.iter().zip(&mut sides).for_each(|(at, side)| *side.entry(*at).or_default() += 1);
    }
    let alone = |pair: &[usize; 2]| pair.iter().zip(&sides).all(|(at, side)| side[at] == 1);
    found.retain(alone);
    found.sort_unstable();
    found
}

/// All that fit, of legs with as many octets in the order of their FINs.
fn candidates(legs: &[Leg], group: &[usize]) -> Vec<[usize; 2]> {
    let mut found = Vec::new();
    for (place, &near) in group.iter().enumerate() {
        let together = group[place + 1..]
            .iter()
            .take_while(|&&far| legs[far].fin.time.since(legs[near].fin.time) <= Some(TOGETHER_NS));
        let together: Vec<usize> = together.take(CROWD).copied().collect();
        let fits = together.iter().filter(|&&far| legs[near].was_passed_on_to(&legs[far]));
        let pairs = fits.map(|&far| [near, far]);
        // Twice, so that none of them is alone.
        let again = if together.len() == CROWD { 2 } else { 1 };
        pairs.for_each(|pair| found.extend(std::iter::repeat_n(pair, again)));
    }
    found
}
