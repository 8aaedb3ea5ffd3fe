//! Requests that wait for their answers, each on its stream.

use crate::attach::http::asked::Asked;

/// Streams that are followed.
const MAX_OPEN: usize = 100;

/// Requests of the client; a server's promises ask for nothing.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    /// In the order of their numbers. None: what was asked is not known.
    open: Vec<(u32, Option<Asked>)>,
    /// The latest that is closed.
    closed: Option<(u32, Option<Asked>)>,
    /// The latest that its client cancelled.
    cancelled: Option<u32>,
    /// The highest that began.
    highest: u32,
    /// There may be others that are open.
    unknown: bool,
    /// The room of a request that is not shown any more.
    spare: Option<Asked>,
}

impl Streams {
    pub fn heap_octets(&self) -> usize {
        let all = self.open.iter().chain(&self.closed).map(|(_, asked)| asked);
        let octets = |asked: &Option<Asked>| asked.as_ref().map_or(0, Asked::octets);
        let room = self.open.capacity() * size_of::<(u32, Option<Asked>)>();
        room + all.chain([&self.spare]).map(octets).sum::<usize>()
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
        self.unknown || self.open.first().is_some_and(|(first, _)| *first <= last)
    }

    /// Returns how many are open beyond this.
    pub fn open_beyond(&self, last: u32) -> usize {
        self.open.iter().filter(|(stream, _)| *stream > last).count()
    }

    /// The request that is shown: the latest that is open, or the latest.
    pub fn last(&self) -> Option<&Asked> {
        match self.open.last() {
            Some((_, asked)) => asked.as_ref(),
            None => self.closed.as_ref()?.1.as_ref(),
        }
    }

    /// Room for the next request.
    pub fn room(&mut self) -> Asked {
        self.spare.take().unwrap_or_default()
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
        self.open.push((stream, asked));
    }

    /// It is answered, or nobody waits for an answer any more.
    pub fn end(&mut self, stream: u32) {
        if let Ok(at) = self.open.binary_search_by_key(&stream, |(open, _)| *open) {
            let (_, asked) = self.open.remove(at);
            if self.unknown {
                // An older one may still be open.
                self.closed = None;
            } else if self.closed.as_ref().is_none_or(|(latest, _)| *latest < stream) {
                let before = self.closed.replace((stream, asked));
                self.spare = before.and_then(|(_, asked)| asked);
            }
        } else if stream % 2 == 1 {
            self.highest = self.highest.max(stream);
        }
    }

    /// Its client wants no answer any more.
    pub fn cancel(&mut self, stream: u32) {
        if self.open.iter().any(|(open, _)| *open == stream) {
            self.cancelled = self.cancelled.max(Some(stream));
        }
        self.end(stream);
    }

    /// Returns whether the request that is shown was cancelled.
    pub fn is_cancelled(&self) -> bool {
        let latest = self.closed.as_ref().map(|(stream, _)| *stream);
        self.open.is_empty() && latest.is_some() && latest == self.cancelled
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
        (self.open, self.closed, self.unknown) = (Vec::new(), None, true);
    }
}
