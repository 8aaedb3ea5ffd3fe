//! Messages that a session has asked for, and that come unasked: notifications of channels, and what is replicated.

use crate::attach::sql::text::{Effect, SqlText};

/// Channels of a session that are told apart, and octets of their names: a server keeps no longer ones.
const MAX_CHANNELS: usize = 16;
const MAX_NAME: usize = 63;

/// Channels, none of them twice.
type Channels = Vec<Box<[u8]>>;

/// Channels that a session listens to, and will listen to.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Channels that it listens to, as soon as the transaction is committed.
    soon: Channels,
    /// Channels that it listens to already.
    now: Channels,
    /// It listened to channels before something was lost, and may do so still.
    pub listened: bool,
    /// The transaction may have a savepoint.
    saved: bool,
    /// What it will listen to has changed since, so that to go back to one may change it again.
    changed: bool,
    /// It went back to one of them: nobody knows what it will listen to.
    unsure: bool,
}

/// A statement of a text that may have several, and its place among them.
pub type Nth<'a> = (&'a SqlText, usize);

/// Channels that a statement names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    One(Box<[u8]>),
    All,
    /// Its text was not seen, or is not told from that of others.
    Unknown,
}

impl Waits {
    /// Notes what a command did, by the server's name for it.
    pub fn complete(&mut self, tag: &[u8], text: Option<Nth<'_>>) {
        match tag {
            b"LISTEN\0" => self.listen(named(text)),
            b"UNLISTEN\0" => self.unlisten(named(text)),
            b"SAVEPOINT\0" => (self.saved, self.changed) = (true, self.changed && self.saved),
            b"DISCARD ALL\0" => {
                self.soon.clear();
                self.listened = false;
            }
            b"COMMIT\0" => self.settle(true),
            b"ROLLBACK\0" => self.roll_back(effect(text)),
            _ => {}
        }
    }

    fn listen(&mut self, named: Named) {
        let name = match named {
            Named::One(name) => name,
            _ => Box::default(),
        };
        if self.soon.len() < MAX_CHANNELS && !self.soon.contains(&name) {
            self.soon.push(name);
            self.changed = true;
        }
    }

    fn unlisten(&mut self, named: Named) {
        let before = self.soon.len();
        match named {
            Named::One(name) => {
                // One whose name was not seen may be this, or another.
                let is_known = |other: &Box<[u8]>| !other.is_empty();
                self.listened |= !self.soon.iter().all(is_known);
                self.soon.retain(|other| *other != name && is_known(other));
            }
            Named::All => self.soon.clear(),
            Named::Unknown => {
                self.listened |= before > 0;
                self.soon.clear();
            }
        }
        self.changed |= self.soon.len() != before;
    }

    /// Goes back to the beginning of the transaction, or to a savepoint in it: a server calls both the same.
    fn roll_back(&mut self, effect: Effect) {
        match effect {
            Effect::Keeps => self.unsure |= self.changed && self.saved,
            Effect::Unknown if self.saved => self.unsure |= self.soon != self.now,
            _ => self.settle(false),
        }
    }

    /// No transaction is open any more: what was asked for in it holds, or is undone.
    pub fn settle(&mut self, committed: bool) {
        if committed && self.unsure {
            self.forget();
        } else if self.soon != self.now {
            match committed {
                true => self.now.clone_from(&self.soon),
                false => self.soon.clone_from(&self.now),
            }
        }
        (self.saved, self.changed, self.unsure) = (false, false, false);
    }

    /// A message came of this channel: whatever was not seen, it listens to that.
    pub fn notified(&mut self, channel: &[u8]) {
        let is_new = |channels: &Channels| {
            channels.len() < MAX_CHANNELS && !channels.iter().any(|other| **other == *channel)
        };
        if is_new(&self.now) {
            self.now.push(channel.into());
        }
        if is_new(&self.soon) {
            self.soon.push(channel.into());
        }
    }

    /// Something was not seen that may have asked for messages, or for no more of them.
    pub fn forget(&mut self) {
        let listened = self.listened || self.listens() || !self.soon.is_empty();
        // So may a savepoint, behind which all is that comes from here on.
        *self = Waits { listened, saved: true, changed: true, ..Waits::default() };
    }

    pub fn listens(&self) -> bool {
        !self.now.is_empty()
    }

    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        let of = |all: &Channels| {
            all.capacity() * size_of::<Box<[u8]>>()
                + all.iter().map(|name| name.len()).sum::<usize>()
        };
        of(&self.soon) + of(&self.now)
    }
}

/// Returns what a LISTEN or UNLISTEN names.
fn named(text: Option<Nth<'_>>) -> Named {
    let Some(text) = text.and_then(nth).filter(|text| !text.cut) else { return Named::Unknown };
    match text.second_name() {
        Some(mut name) => {
            name.truncate(MAX_NAME);
            Named::One(name.into())
        }
        None => Named::All,
    }
}

/// Returns what a statement does to its transaction.
fn effect(text: Option<Nth<'_>>) -> Effect {
    text.and_then(nth).map_or(Effect::Unknown, |text| text.effect())
}

/// Returns a statement alone. Of several, it is found where nothing among them can hide where one ends.
fn nth((text, at): Nth<'_>) -> Option<SqlText> {
    if text.none || at == 0 && (text.cut || text.is_single()) {
        return (!text.none && !(text.cut && text.octets.contains(&b';'))).then(|| text.clone());
    }
    let hides = |octet: &u8| b"'\"$-/(\\".contains(octet);
    if text.cut || text.octets.iter().any(hides) {
        return None;
    }
    let all = text.octets.split(|octet| *octet == b';');
    let one = all.filter(|one| !one.trim_ascii().is_empty()).nth(at)?;
    Some(SqlText::new(one, false, text.dialect))
}
