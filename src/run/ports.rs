//! Whose content is read: connections with a MySQL server, by its port.

use crate::attach::mysql::is_greeting;
use crate::tcp::segment::{End, Segment};

/// The port that MySQL has by default.
const MYSQL: u16 = 3306;

/// Ports of MySQL servers: those that were named, and those from which a server has greeted.
pub struct Ports {
    named: Vec<u16>,
    /// A bit for each port.
    known: Box<[u64; 1_024]>,
}

/// A segment whose content is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    pub server: End,
    /// By a port that was named: it may be taken up in the middle.
    pub assumed: bool,
    pub payload: &'a [u8],
}

impl Ports {
    /// These, beside the usual one.
    pub fn new(more: &[u16]) -> Ports {
        let named = [&[MYSQL], more].concat();
        let mut ports = Ports { named, known: Box::new([0; 1_024]) };
        for at in 0..ports.named.len() {
            ports.learn(ports.named[at]);
        }
        ports
    }

    fn learn(&mut self, port: u16) {
        self.known[usize::from(port / 64)] |= 1 << (port % 64);
    }

    #[inline]
    fn knows(&self, port: u16) -> bool {
        self.known[usize::from(port / 64)] >> (port % 64) & 1 != 0
    }

    /// Whether [`Ports::content`] is worth asking, which for most segments it is not.
    #[inline(always)]
    pub fn may_tell(&self, segment: &Segment, payload: &[u8]) -> bool {
        let [lower, upper] = segment.key.ports();
        self.knows(lower) || self.knows(upper) || matches!(payload, [_, _, 0, 0, 10, ..])
    }

    /// What is to be read of a segment, if it is a part of such a connection and can tell anything.
    pub fn content<'a>(&mut self, segment: &Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        let [lower, upper] = segment.key.ports();
        if self.knows(lower) || self.knows(upper) {
            return self.known_content(segment, payload);
        }
        if is_greeting(payload) { self.greeted(segment, payload) } else { None }
    }

    #[cold]
    fn greeted<'a>(&mut self, segment: &Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        self.learn(segment.key.ports()[segment.from as usize]);
        Some(Content { server: segment.from, assumed: false, payload })
    }

    fn known_content<'a>(&self, segment: &Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        let tells = segment.len > 0 || segment.flags.syn() || segment.flags.fin();
        if !tells || segment.flags.rst() {
            return None;
        }
        let [lower, upper] = segment.key.ports();
        // Where both are, the smaller is less likely to be a client's.
        let is_lower = self.knows(lower) && (!self.knows(upper) || lower < upper);
        let (server, port) = if is_lower { (End::Lower, lower) } else { (End::Upper, upper) };
        Some(Content { server, assumed: self.named.contains(&port), payload })
    }
}
