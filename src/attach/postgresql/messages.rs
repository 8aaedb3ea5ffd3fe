//! Messages out of octets: a type, a length, a body. The first ones of a client have no type.

use crate::place::Time;

/// No message that matters is longer, and no server sends longer ones (1 GiB).
const LONGEST: u32 = 1 << 30;

/// One direction.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    header: [u8; 5],
    /// Octets of the header that are there.
    got: u8,
    /// Octets of the body that are to come.
    rest: u64,
    len: u64,
    body: Vec<u8>,
    at: Time,
    cut: bool,
    /// A part of it cannot be seen.
    holed: bool,
    /// Nobody knows where a message begins.
    lost: bool,
}

/// A message, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Zero: it has none.
    pub kind: u8,
    pub body: &'a [u8],
    pub len: u64,
    pub at: Time,
}

impl<'a> Message<'a> {
    pub fn is_whole(&self) -> bool {
        self.body.len() as u64 == self.len
    }

    /// The text up to a zero octet, and what follows it.
    pub fn text(octets: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let end = memchr::memchr(0, octets)?;
        Some((octets.get(..end)?, octets.get(end + 1..)?))
    }
}

/// Takes a message that is here as a whole.
pub fn whole<'d>(data: &mut &'d [u8], at: Time) -> Option<Message<'d>> {
    let [kind, a, b, c, d, rest @ ..] = *data else { return None };
    let len = u32::from_be_bytes([*a, *b, *c, *d]);
    let len = len.checked_sub(4).filter(|_| len <= LONGEST)?;
    let (body, after) = rest.split_at_checked(len as usize)?;
    *data = after;
    Some(Message { kind: *kind, body, len: len.into(), at })
}

impl Messages {
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Nothing of a message has come that has not ended.
    pub fn is_between(&self) -> bool {
        !self.lost && self.got == 0
    }

    /// Returns whether a message has begun that has not ended, of which all was seen so far.
    pub fn is_within(&self) -> bool {
        !self.lost && self.got > 0 && !self.holed
    }

    pub fn heap_octets(&self) -> usize {
        self.body.capacity()
    }

    pub fn lose(&mut self) {
        *self = Messages { lost: true, ..Messages::default() };
    }

    /// The next octet begins a message.
    pub fn find(&mut self) {
        *self = Messages::default();
    }

    /// Takes octets from `data`; a message that ends there, of which no more than `keep` octets are
    /// kept. `typed`: its header says which kind it is.
    pub fn next<'a, 'd: 'a>(
        &'a mut self,
        data: &mut &'d [u8],
        at: Time,
        typed: bool,
        keep: usize,
    ) -> Option<Message<'a>> {
        if self.lost || !self.header(data, at, typed) {
            return None;
        }
        let (kind, len, at) = (self.kind(typed), self.len, self.at);
        let all = *data;
        let is_here = self.rest == len && self.rest <= all.len() as u64;
        let taken = all.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
        let (body, after) = all.split_at_checked(taken)?;
        *data = after;
        self.rest -= taken as u64;
        if is_here {
            self.got = 0;
            return Some(Message { kind, body, len, at });
        }
        self.keep(body, keep);
        (self.rest == 0).then(|| self.take(typed))
    }

    /// So many octets cannot be seen: the message that ends with them, if one does.
    pub fn miss(&mut self, octets: u64, typed: bool) -> Option<Message<'_>> {
        let is_begun = self.got >= if typed { 5 } else { 4 };
        if self.lost || octets == 0 || !is_begun {
            self.lose();
            return None;
        }
        (self.cut, self.holed) = (true, true);
        let beyond = octets > self.rest;
        self.rest = self.rest.saturating_sub(octets);
        if self.rest > 0 {
            return None;
        }
        self.lost = beyond;
        Some(self.take(typed))
    }

    fn kind(&self, typed: bool) -> u8 {
        if typed { self.header[0] } else { 0 }
    }

    fn keep(&mut self, octets: &[u8], keep: usize) {
        let room = if self.cut { 0 } else { keep.saturating_sub(self.body.len()) };
        self.cut |= room < octets.len();
        self.body.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }

    fn take(&mut self, typed: bool) -> Message<'_> {
        self.got = 0;
        Message { kind: self.kind(typed), body: &self.body, len: self.len, at: self.at }
    }

    /// Returns whether the header is there.
    fn header(&mut self, data: &mut &[u8], at: Time, typed: bool) -> bool {
        let need: u8 = if typed { 5 } else { 4 };
        if self.got >= need {
            return true;
        }
        if self.got == 0 {
            (self.at, self.cut, self.holed) = (at, false, false);
            self.body = Vec::new();
        }
        while self.got < need {
            let Some((first, after)) = data.split_first() else { return false };
            if let Some(slot) = self.header.get_mut(usize::from(self.got)) {
                *slot = *first;
            }
            (self.got, *data) = (self.got + 1, after);
        }
        let [a, b, c, d, e] = self.header;
        let len = u32::from_be_bytes(if typed { [b, c, d, e] } else { [a, b, c, d] });
        if !(4..=LONGEST).contains(&len) {
            self.lose();
            return false;
        }
        self.len = u64::from(len) - 4;
        self.rest = self.len;
        true
    }
}

/// Returns whether octets are nothing but messages of such kinds, from the first to the last.
pub fn are_messages(mut data: &[u8], is_kind: impl Fn(u8) -> bool) -> bool {
    if data.is_empty() {
        return false;
    }
    while let [kind, a, b, c, d, body @ ..] = data {
        let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let rest = len.checked_sub(4).and_then(|len| body.get(len..));
        let (true, Some(rest)) = (is_kind(*kind), rest) else { return false };
        data = rest;
    }
    data.is_empty()
}
