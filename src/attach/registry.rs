//! The protocols that are read, and whose content is: by the server's port, or by the first octets.

use super::{Facts, Identity, Opening, Peer, Probe, Protocol};
use crate::place::Time;
use crate::tcp::segment::{End, Segment};
use crate::tcp::stream::Piece;

/// Makes the types that know every protocol, and what depends on which one it is.
macro_rules! protocols {
    ($($folder:ident::$protocol:ident: $($port:literal),*;)*) => {
        $(use super::$folder::$protocol;)*

        /// A protocol that is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Known {
            $($protocol),*
        }

        /// A conversation. An enum, since its octets are not to pass through a `dyn`.
        #[derive(Debug)]
        pub enum Talk {
            $($protocol(Box<$protocol>)),*
        }

        impl Known {
            pub const ALL: &[Known] = &[$(Known::$protocol),*];

            /// Its names.
            pub fn identity(self) -> Identity {
                match self {
                    $(Known::$protocol => $protocol::IDENTITY),*
                }
            }

            /// Ports that its servers have by default.
            fn ports(self) -> &'static [u16] {
                match self {
                    $(Known::$protocol => &[$($port),*]),*
                }
            }

            #[inline(always)]
            fn probe(self, first: &[u8], from: Peer) -> Probe {
                match self {
                    $(Known::$protocol => $protocol::probe(first, from)),*
                }
            }

            /// Begins with a conversation.
            pub fn begin(self, opening: Opening) -> Talk {
                match self {
                    $(Known::$protocol => Talk::$protocol(Box::new($protocol::begin(opening)))),*
                }
            }
        }

        impl Talk {
            /// Takes the next octets of one direction.
            #[inline]
            pub fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
                match self {
                    $(Talk::$protocol(talk) => talk.take(from, at, piece)),*
                }
            }

            /// Returns whether nothing more can be learnt.
            #[inline]
            pub fn is_done(&self) -> bool {
                match self {
                    $(Talk::$protocol(talk) => talk.is_done()),*
                }
            }

            /// Returns what is known by now.
            pub fn facts(&self, literals: bool) -> Facts {
                match self {
                    $(Talk::$protocol(talk) => talk.facts(literals)),*
                }
            }
        }
    };
}

// A line a protocol: its folder, its type, and the ports of its servers. Where the first octets are
// as likely to be of several, the first one has them.
protocols! {
    mysql::Mysql: 3306;
}

/// The protocols that are read, in a sentence: `MySQL or Redis`.
pub fn titles() -> String {
    let titles: Vec<&str> = Known::ALL.iter().map(|known| known.identity().title).collect();
    titles.join(" or ")
}

/// What a connection is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    pub protocol: Known,
    pub server: End,
    /// By a port that was named: it may be taken up in the middle.
    pub assumed: bool,
}

/// A segment whose content is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    pub guess: Guess,
    pub payload: &'a [u8],
}

/// Ports of servers: those that were named, and those where a conversation was seen to begin.
pub struct Ports {
    named: Vec<(Known, u16)>,
    any: PortSet,
    /// The same by protocol.
    of: Vec<(Known, PortSet)>,
}

/// A bit for each port.
struct PortSet(Box<[u64; 1_024]>);

impl PortSet {
    fn new() -> PortSet {
        PortSet(Box::new([0; 1_024]))
    }

    fn insert(&mut self, port: u16) {
        self.0[usize::from(port / 64)] |= 1 << (port % 64);
    }

    #[inline]
    fn has(&self, port: u16) -> bool {
        self.0[usize::from(port / 64)] >> (port % 64) & 1 != 0
    }
}

impl Ports {
    /// These, beside the usual ones.
    pub fn new(more: &[(Known, u16)]) -> Ports {
        let usual =
            Known::ALL.iter().flat_map(|&known| known.ports().iter().map(move |&p| (known, p)));
        let named: Vec<(Known, u16)> = more.iter().copied().chain(usual).collect();
        let of = Known::ALL.iter().map(|&known| (known, PortSet::new())).collect();
        let mut ports = Ports { named: Vec::new(), any: PortSet::new(), of };
        named.iter().for_each(|&(known, port)| ports.learn(known, port));
        Ports { named, ..ports }
    }

    fn learn(&mut self, protocol: Known, port: u16) {
        self.any.insert(port);
        let of = self.of.iter_mut().filter(|(known, _)| *known == protocol);
        of.for_each(|(_, set)| set.insert(port));
    }

    /// Returns whether [`Ports::content`] is worth asking, which for most segments it is not.
    #[inline(always)]
    pub fn may_tell(&self, segment: &Segment, payload: &[u8]) -> bool {
        let [lower, upper] = segment.key.ports();
        self.any.has(lower) || self.any.has(upper) || recognise(payload).is_some()
    }

    /// Returns what is to be read of a segment, if it is a part of a conversation and can tell
    /// anything.
    pub fn content<'a>(&mut self, segment: &Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        let [lower, upper] = segment.key.ports();
        if self.any.has(lower) || self.any.has(upper) {
            return self.known_content(segment, payload);
        }
        let (protocol, from) = recognise(payload)?;
        Some(self.begun(segment, payload, protocol, from))
    }

    #[cold]
    fn begun<'a>(
        &mut self,
        segment: &Segment,
        payload: &'a [u8],
        protocol: Known,
        from: Peer,
    ) -> Content<'a> {
        let server = match from {
            Peer::Server => segment.from,
            Peer::Client => segment.from.other(),
        };
        self.learn(protocol, segment.key.ports()[server as usize]);
        Content { guess: Guess { protocol, server, assumed: false }, payload }
    }

    fn known_content<'a>(&self, segment: &Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        let tells = segment.len > 0 || segment.flags.syn() || segment.flags.fin();
        if !tells || segment.flags.rst() {
            return None;
        }
        let [lower, upper] = segment.key.ports();
        // Where both are, the smaller is less likely to be a client's.
        let is_lower = self.any.has(lower) && (!self.any.has(upper) || lower < upper);
        let (server, port) = if is_lower { (End::Lower, lower) } else { (End::Upper, upper) };
        let named = self.named.iter().find(|(_, named)| *named == port).map(|(known, _)| *known);
        let learnt = || self.of.iter().find(|(_, set)| set.has(port)).map(|(known, _)| *known);
        let protocol = named.or_else(learnt)?;
        Some(Content { guess: Guess { protocol, server, assumed: named.is_some() }, payload })
    }
}

/// Returns whose conversation begins with these octets, and which end has sent them.
#[inline(always)]
fn recognise(first: &[u8]) -> Option<(Known, Peer)> {
    let mut surest = (Probe::No, None);
    for &known in Known::ALL {
        for from in [Peer::Server, Peer::Client] {
            let probe = known.probe(first, from);
            if probe > surest.0 {
                surest = (probe, Some((known, from)));
            }
        }
    }
    surest.1
}
