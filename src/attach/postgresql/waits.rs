//! Messages that a session has asked for, and that come unasked: notifications of channels, and what is replicated.

use crate::attach::sql::text::SqlText;

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
    /// It listened to channels before something was lost.
    pub listened: bool,
}

impl Waits {
    /// Notes what a command did, by the server's name for it.
    pub fn complete(&mut self, tag: &[u8], text: Option<&SqlText>) {
        match tag {
            b"LISTEN\0" => self.listen(channel(text)),
            b"UNLISTEN\0" => match channel(text) {
                // One whose name was not seen may be this.
                Some(name) => self.soon.retain(|other| *other != name && !other.is_empty()),
                None => self.soon.clear(),
            },
            b"DISCARD ALL\0" => {
                self.soon.clear();
                self.listened = false;
            }
            b"COMMIT\0" => self.settle(true),
            b"ROLLBACK\0" => self.settle(false),
            _ => {}
        }
    }

    fn listen(&mut self, name: Option<Box<[u8]>>) {
        let name = name.unwrap_or_default();
        if self.soon.len() < MAX_CHANNELS && !self.soon.contains(&name) {
            self.soon.push(name);
        }
    }

    /// No transaction is open any more: what was asked for in it holds, or is undone.
    pub fn settle(&mut self, committed: bool) {
        if self.soon != self.now {
            match committed {
                true => self.now.clone_from(&self.soon),
                false => self.soon.clone_from(&self.now),
            }
        }
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
        *self = Waits { listened, ..Waits::default() };
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

/// The channel that a LISTEN or UNLISTEN names; none: it is not known, or all of them.
fn channel(text: Option<&SqlText>) -> Option<Box<[u8]>> {
    let mut name = text?.second_name()?;
    name.truncate(MAX_NAME);
    Some(name.into())
}
