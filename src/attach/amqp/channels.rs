//! Channels of a connection: their transactions, consumers, and deliveries.

use std::collections::{BTreeMap, BTreeSet};

use super::method::Method;
use crate::attach::facts::PathStep;
use crate::place::Time;

/// Channels that are followed.
const MAX_CHANNELS: usize = 64;

/// Deliveries of all channels that may wait to be acknowledged.
const MAX_DELIVERIES: usize = 1_024;

/// Methods of a transaction that are kept.
const MAX_KEPT: usize = 32;

/// Methods of no transaction that are kept.
const MAX_OUTSIDE: usize = 8;

/// All channels that are open.
#[derive(Clone, Debug, Default)]
pub struct Channels {
    open: BTreeMap<u16, Channel>,
    deliveries: usize,
    /// There were more than are followed.
    overflown: bool,
    /// The last transaction, or the last methods.
    pub log: Vec<&'static str>,
    pub more: u32,
}

#[derive(Clone, Debug, Default)]
struct Channel {
    /// It is in transaction mode: something was sent that is not committed, and since when.
    transaction: Option<Uncommitted>,
    consumers: u32,
    /// Deliveries are to be acknowledged; none: some are and some are not.
    acknowledges: Option<bool>,
    unacknowledged: BTreeSet<u64>,
}

/// A transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncommitted {
    pub since: Option<Time>,
    pub by: &'static str,
}

impl Channels {
    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_known(&self) -> bool {
        !self.overflown
    }

    pub fn heap_octets(&self) -> usize {
        self.open.len() * (size_of::<Channel>() + 64)
            + self.deliveries * 32
            + self.log.capacity() * size_of::<&str>()
    }

    /// The transaction that has been open for longest.
    pub fn uncommitted(&self) -> Option<Uncommitted> {
        let all = self.open.values().filter_map(|channel| channel.transaction);
        all.filter(|transaction| transaction.since.is_some()).min_by_key(|one| one.since)
    }

    pub fn consumers(&self) -> u32 {
        self.open.values().map(|channel| channel.consumers).sum()
    }

    /// Deliveries that the client has not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.open.values().map(|channel| channel.unacknowledged.len()).sum()
    }

    pub fn path(&self) -> Vec<PathStep> {
        self.log.iter().map(|name| PathStep::Said((*name).into())).collect()
    }

    fn channel(&mut self, id: u16) -> Option<&mut Channel> {
        if self.open.len() >= MAX_CHANNELS && !self.open.contains_key(&id) {
            self.overflown = true;
            return None;
        }
        Some(self.open.entry(id).or_default())
    }

    fn close(&mut self, id: u16) {
        if let Some(channel) = self.open.remove(&id) {
            self.deliveries -= channel.unacknowledged.len();
        }
    }

    /// Takes a method of the client.
    pub fn asked(&mut self, id: u16, at: Time, method: &Method<'_>) {
        let begins = self.begin(id, at, method.name);
        if !method.name.ends_with("-ok") {
            self.remember(method.name, begins);
        }
        let mut arguments = method.arguments;
        match method.name {
            "basic.consume" => {
                let no_ack = arguments.bits_after(2, 2).map(|bits| bits & 2 != 0);
                let counts = !method.asks();
                if let Some(channel) = self.channel(id) {
                    channel.consumers += u32::from(counts);
                    let acknowledges = no_ack.map(|no_ack| !no_ack);
                    let before = channel.acknowledges.replace(acknowledges.unwrap_or(false));
                    let differs = before.is_some() && before != acknowledges;
                    if acknowledges.is_none() || differs {
                        channel.acknowledges = None;
                    }
                }
            }
            "basic.cancel" if !method.asks() => self.cancel(id),
            "basic.get" => {
                let no_ack = arguments.bits_after(2, 1).map(|bits| bits & 1 != 0);
                if let Some(channel) = self.channel(id) {
                    channel.acknowledges = no_ack.map(|no_ack| !no_ack);
                }
            }
            "basic.ack" | "basic.nack" => {
                let (tag, all) =
                    (arguments.longlong(), arguments.octet().map(|bits| bits & 1 != 0));
                self.acknowledge(id, tag, all);
            }
            "basic.reject" => self.acknowledge(id, arguments.longlong(), Some(false)),
            _ => {}
        }
    }

    /// Returns whether a transaction begins: in its mode, with anything that is to be committed.
    fn begin(&mut self, id: u16, at: Time, by: &'static str) -> bool {
        let is_work = || ["basic.publish", "basic.ack", "basic.nack", "basic.reject"].contains(&by);
        let mode = self.open.get_mut(&id).and_then(|channel| channel.transaction.as_mut());
        let begins = mode.filter(|transaction| transaction.since.is_none() && is_work());
        begins.map(|transaction| *transaction = Uncommitted { since: Some(at), by }).is_some()
    }

    /// Takes a method of the server.
    pub fn answered(&mut self, id: u16, at: Time, method: &Method<'_>) {
        let mut arguments = method.arguments;
        match method.name {
            "channel.open-ok" => drop(self.channel(id)),
            "channel.close" | "channel.close-ok" => self.close(id),
            "basic.consume-ok" => {
                if let Some(channel) = self.channel(id) {
                    channel.consumers += 1;
                }
            }
            "basic.cancel-ok" | "basic.cancel" => self.cancel(id),
            "basic.deliver" => {
                arguments.text();
                self.deliver(id, arguments.longlong());
            }
            "basic.get-ok" => self.deliver(id, arguments.longlong()),
            "basic.recover-ok" => self.acknowledge(id, Some(0), Some(true)),
            "tx.select-ok" => self.transaction(id, Some(at), "tx.select"),
            "tx.commit-ok" | "tx.rollback-ok" => self.transaction(id, None, "tx.select"),
            _ => {}
        }
    }

    fn transaction(&mut self, id: u16, since: Option<Time>, by: &'static str) {
        if let Some(channel) = self.channel(id) {
            channel.transaction = Some(Uncommitted { since, by });
        }
    }

    fn cancel(&mut self, id: u16) {
        if let Some(channel) = self.open.get_mut(&id) {
            channel.consumers = channel.consumers.saturating_sub(1);
        }
    }

    fn deliver(&mut self, id: u16, tag: Option<u64>) {
        let is_full = self.deliveries >= MAX_DELIVERIES;
        let Some(channel) = self.open.get_mut(&id) else { return };
        match (channel.acknowledges, tag) {
            (Some(false), _) => {}
            (Some(true), Some(tag)) if !is_full => {
                self.deliveries += usize::from(channel.unacknowledged.insert(tag));
            }
            _ => self.overflown = true,
        }
    }

    fn acknowledge(&mut self, id: u16, tag: Option<u64>, all: Option<bool>) {
        let Some(channel) = self.open.get_mut(&id) else { return };
        let before = channel.unacknowledged.len();
        match (tag, all) {
            (Some(0), Some(true)) => channel.unacknowledged.clear(),
            (Some(tag), Some(true)) => channel.unacknowledged.retain(|one| *one > tag),
            (Some(tag), Some(false)) => drop(channel.unacknowledged.remove(&tag)),
            _ => self.overflown = true,
        }
        self.deliveries -= before - channel.unacknowledged.len();
    }

    fn remember(&mut self, name: &'static str, begins: bool) {
        let in_transaction = self.uncommitted().is_some();
        if begins || name == "tx.select" {
            (self.log, self.more) = (Vec::new(), 0);
        }
        let most = if in_transaction { MAX_KEPT } else { MAX_OUTSIDE };
        if in_transaction && self.log.len() >= most {
            self.more = self.more.saturating_add(1);
            return;
        }
        if self.log.len() >= most {
            self.log.drain(..=self.log.len() - most);
        }
        self.log.push(name);
    }
}
