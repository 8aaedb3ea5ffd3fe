//! Requests that wait for their answers, each on its stream.

use std::collections::BTreeMap;

use crate::place::Time;

/// Streams that are followed.
const MAX_OPEN: usize = 100;

/// A request.
#[derive(Debug)]
pub struct Asked {
    pub at: Time,
    pub digest: Box<str>,
    pub literal: Box<str>,
}

/// Requests of the client; a server's promises ask for nothing.
#[derive(Debug, Default)]
pub struct Streams {
    /// None: what was asked is not known.
    open: BTreeMap<u32, Option<Asked>>,
    /// The latest that is closed.
    closed: Option<(u32, Option<Asked>)>,
    /// The highest that began.
    highest: u32,
    /// There may be others that are open.
    unknown: bool,
}

impl Streams {
    pub fn heap_octets(&self) -> usize {
        let all = self.open.values().chain(self.closed.iter().map(|(_, asked)| asked));
        all.map(|asked| 96 + asked.as_ref().map_or(0, Asked::octets)).sum()
    }

    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Returns whether nothing was ever asked.
    pub fn is_new(&self) -> bool {
        self.highest == 0 && !self.unknown
    }

    pub fn is_known(&self) -> bool {
        !self.unknown
    }

    /// Returns whether one is open up to this.
    pub fn is_open_to(&self, last: u32) -> bool {
        self.unknown || self.open.range(..=last).next().is_some()
    }

    /// Returns how many are open beyond this.
    pub fn open_beyond(&self, last: u32) -> usize {
        self.open.range(last.saturating_add(1)..).count()
    }

    /// The request that is shown: the latest that is open, or the latest.
    pub fn last(&self) -> Option<&Asked> {
        match self.open.last_key_value() {
            Some((_, asked)) => asked.as_ref(),
            None => self.closed.as_ref()?.1.as_ref(),
        }
    }

    /// A head of the client's: a request, or what follows one.
    pub fn asked(&mut self, stream: u32, asked: Option<Asked>, has_method: bool) {
        let is_next = stream > self.highest && stream % 2 == 1;
        match () {
            // Without its method, it may also be what follows a request that was not seen.
            () if is_next && (has_method || !self.unknown) => self.begin(stream, asked),
            () if is_next => self.highest = stream,
            // Its answer came first, or others were opened since.
            () if has_method => self.lose_requests(),
            () => {}
        }
    }

    pub fn begin(&mut self, stream: u32, asked: Option<Asked>) {
        self.highest = stream;
        self.closed = self.closed.take().filter(|_| !self.unknown);
        if self.open.len() >= MAX_OPEN {
            self.lose_requests();
        }
        self.open.insert(stream, asked);
    }

    /// It is answered, or nobody waits for an answer any more.
    pub fn end(&mut self, stream: u32) {
        if let Some(asked) = self.open.remove(&stream) {
            if self.unknown {
                // An older one may still be open.
                self.closed = None;
            } else if self.closed.as_ref().is_none_or(|(latest, _)| *latest < stream) {
                self.closed = Some((stream, asked));
            }
        } else if stream % 2 == 1 {
            self.highest = self.highest.max(stream);
        }
    }

    /// Something of the server was not seen: what is open may have been answered.
    pub fn lose_answers(&mut self) {
        let latest = self.closed.as_ref().map_or(0, |(closed, _)| *closed);
        let open = core::mem::take(&mut self.open);
        if open.is_empty() {
            return;
        }
        // Whether it is open or not, it is the latest.
        let is_only = open.len() == 1 && !self.unknown;
        self.closed = open.into_iter().next().filter(|(stream, _)| is_only && *stream > latest);
        self.unknown = true;
    }

    /// Something of the client was not seen: anything may be open.
    pub fn lose_requests(&mut self) {
        (self.open, self.closed, self.unknown) = (BTreeMap::new(), None, true);
    }
}

impl Asked {
    fn octets(&self) -> usize {
        self.digest.len() + self.literal.len()
    }
}
