//! Findings as one screen needs them: all of them counted, few of them kept whole.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;

use chrono::TimeDelta;

use super::groups::Groups;
use super::seen::Seen;
use super::spread::Spread;
use crate::tcp::segment::Endpoint;
use crate::verdict::Doubt;
use crate::verdict::local::{Local, LocalBy};

/// The order of findings: the longest held first, among equals the first captured.
type Rank = (Reverse<Option<TimeDelta>>, u64);

fn rank(seen: &Seen) -> Rank {
    (Reverse(seen.held), seen.first.order())
}

/// The findings of a run.
#[derive(Clone, Debug)]
pub struct Found {
    /// Findings, whether kept or not.
    pub count: u64,
    /// Findings that are alike, together.
    pub groups: Groups,
    kept: BinaryHeap<Ranked>,
    /// The number of those that are kept.
    most: usize,
    /// The number that each address holds.
    holders: BTreeMap<IpAddr, u64>,
    /// The ways in which the local side is known.
    pub told: BTreeSet<LocalBy>,
    /// Findings of which the local side is not known, or both are local.
    pub unsure: u64,
    /// Findings among these with both sides on one host.
    pub on_one_host: u64,
    /// Findings among these with both sides named by `--local`, which may be two hosts.
    pub both_named: u64,
    /// Findings that each doubt weakens.
    pub doubts: BTreeMap<Doubt, u64>,
    /// Reset by the peer after a long CLOSE-WAIT.
    pub descriptors: u64,
    /// In CLOSE-WAIT by the kernel or a list of its sockets, and not by the packets.
    pub by_list: u64,
    /// The pauses before the FINs.
    pub idle: Spread,
    /// Held by what seems to be a proxy that passed the FIN on, and the first ends that it waits for: the longest held first.
    pub passed_on: u64,
    /// Ends that proxies wait for, each with the first finding that does.
    pub waits_for: Vec<(Rank, Endpoint)>,
}

/// Ends of others that are named.
const NAMED: usize = 3;

/// Addresses that are told apart; a capture that holds more is of no host at all.
pub const HOLDERS: usize = 65_536;

impl Found {
    /// Keeps `most` findings whole.
    pub fn keeping(most: usize) -> Found {
        Found {
            count: 0,
            groups: Groups::default(),
            kept: BinaryHeap::new(),
            most,
            holders: BTreeMap::new(),
            told: BTreeSet::new(),
            unsure: 0,
            on_one_host: 0,
            both_named: 0,
            doubts: BTreeMap::new(),
            descriptors: 0,
            by_list: 0,
            idle: Spread::default(),
            passed_on: 0,
            waits_for: Vec::new(),
        }
    }

    /// Adds a finding.
    pub fn add(&mut self, seen: Seen) {
        self.count += 1;
        self.groups.add(&seen);
        let holder = seen.judged_and_peer().0.ip;
        if self.holders.len() < HOLDERS || self.holders.contains_key(&holder) {
            *self.holders.entry(holder).or_default() += 1;
        }
        let is_unsure = !matches!(seen.local, Local::Side(_));
        let is_both = seen.local == Local::Both;
        let is_named = is_both && seen.local_by == Some(LocalBy::Option);
        let is_one_host = is_both && !is_named || seen.ends[0].ip == seen.ends[1].ip;
        self.unsure += u64::from(is_unsure);
        self.on_one_host += u64::from(is_unsure && is_one_host);
        self.both_named += u64::from(is_named && !is_one_host);
        self.told.extend(seen.local_by);
        for doubt in seen.doubts.iter() {
            *self.doubts.entry(*doubt).or_default() += 1;
        }
        self.descriptors += u64::from(seen.descriptor_may_leak);
        self.by_list += u64::from(seen.kernel_holds);
        if let Some(end) = seen.waits_for {
            self.passed_on += 1;
            self.waits_for.push((rank(&seen), end));
            self.waits_for.sort();
            self.waits_for.truncate(NAMED);
        }
        seen.idle_before_fin.iter().for_each(|idle| self.idle.add(*idle));
        self.keep(Ranked(seen));
    }

    fn keep(&mut self, seen: Ranked) {
        if self.kept.len() < self.most {
            self.kept.push(seen);
        } else if let Some(mut last) = self.kept.peek_mut()
            && seen < *last
        {
            *last = seen;
        }
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Lists those that were kept, the longest held first: the capture's order decides among equals.
    pub fn longest(&self) -> Vec<&Seen> {
        let mut kept: Vec<&Ranked> = self.kept.iter().collect();
        kept.sort();
        kept.into_iter().map(|Ranked(seen)| seen).collect()
    }

    /// The address that holds them, if it is one; else the number of addresses, or more than are told apart.
    pub fn holder(&self) -> Result<IpAddr, usize> {
        match self.holders.first_key_value() {
            Some((ip, _)) if self.holders.len() == 1 => Ok(*ip),
            _ => Err(self.holders.len()),
        }
    }

    /// The address that holds most.
    pub fn most_frequent_holder(&self) -> Option<IpAddr> {
        self.most_frequent_holders(1).first().map(|(ip, _)| *ip)
    }

    /// The addresses that hold most, with how many: the most first, the lower address among equals.
    pub fn most_frequent_holders(&self, most: usize) -> Vec<(IpAddr, u64)> {
        let mut all: Vec<(IpAddr, u64)> = self.holders.iter().map(|(ip, n)| (*ip, *n)).collect();
        all.sort_by_key(|(ip, n)| (Reverse(*n), *ip));
        all.truncate(most);
        all
    }
}

/// A finding by its rank: the longest held come first.
#[derive(Clone, Debug)]
struct Ranked(Seen);

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> Ordering {
        rank(&self.0).cmp(&rank(&other.0))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Ranked) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{Place, Time};
    use crate::set::Set;
    use crate::summary::seen::{Process, Said};
    use crate::tcp::side::Side;
    use crate::verdict::{Close, Verdict};

    /// A finding: a host's connection to a service, held for so many seconds.
    fn seen(host: u32, service: u32, held: i64, frame: u64) -> Seen {
        let end = |number: u32, port| Endpoint { ip: IpAddr::from(number.to_be_bytes()), port };
        let place = Place::new(Time::from_nanos(1), 0, frame, 6);
        Seen {
            verdict: Verdict::Leak,
            close: Close::HalfClosed,
            finding: true,
            ends: [end(host, 40_000), end(service, 3_306)],
            local: Local::Unknown,
            local_by: None,
            holder: Some(Side::A),
            service: Some(Side::B),
            held: Some(TimeDelta::seconds(held)),
            held_by_local: None,
            is_late: false,
            idle_before_fin: Some(TimeDelta::seconds(30)),
            open_idle: None,
            cause: None,
            not_seen: None,
            said: Said::default(),
            code: None,
            process: Process::NotAsked,
            evidence: Vec::new(),
            doubts: Set::default(),
            descriptor_may_leak: false,
            kernel_holds: false,
            waits_for: None,
            first: place,
            last: place,
            fin: Some(place),
            closer: Some(Side::B),
            closed_after_answer: false,
        }
    }

    /// A report can wait for a million of them.
    #[test]
    fn a_judged_connection_is_small() {
        assert!(size_of::<crate::summary::Judged>() <= 320);
    }

    #[test]
    fn the_longest_held_are_kept_whatever_their_order() {
        let mut found = Found::keeping(3);
        for (frame, held) in [(1, 5), (2, 9), (3, 1), (4, 9), (5, 7), (6, 2)] {
            found.add(seen(1, 2, held, frame));
        }
        let kept: Vec<u64> = found.longest().iter().map(|seen| seen.first.frame()).collect();
        assert_eq!((kept, found.count), (vec![2, 4, 5], 6));
        assert!(found.holder().is_ok());
        assert_eq!(found.groups.sorted()[0].count, 6);
    }

    /// Every finding of its own host with its own service: the busy one among them stays, all are counted.
    #[test]
    fn a_flood_of_groups_and_hosts_is_bounded() {
        const FLOOD: u32 = 80_000;
        let mut found = Found::keeping(3);
        for n in 0..FLOOD {
            found.add(seen(n, 0x0a00_0000 + n, 1, u64::from(n) + 1));
            if n % 8 == 0 {
                found.add(seen(7, 7, 1, u64::from(FLOOD + n) + 1));
            }
        }
        let groups = found.groups.sorted();
        assert!(groups.len() < 20_000 && groups[0].count == u64::from(FLOOD / 8));
        let told: u64 = groups.iter().map(|group| group.count).sum();
        assert_eq!(told + found.groups.others(), u64::from(FLOOD + FLOOD / 8));
        assert_eq!(found.holder(), Err(HOLDERS));
        assert_eq!(found.longest().len(), 3);
    }
}
