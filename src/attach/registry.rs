//! The protocols that are read, and whose content is: by the server's port, or by the first octets.

use std::str::FromStr;

use super::{Facts, GLANCE, Identity, Opening, Peer, Probe, Protocol, is_hello, proxy};
use crate::paged::Paged;
use crate::place::Time;
use crate::set::{Set, Word};
use crate::tcp::segment::{End, Segment};
use crate::tcp::stream::Piece;

/// Makes the types that know every protocol, and what depends on which one it is.
macro_rules! protocols {
    ($($folder:ident::$protocol:ident: $($port:literal),*;)*) => {
        $(use super::$folder::$protocol;)*

        /// A protocol that is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Known {
            $(#[doc = concat!("The protocol that [`", stringify!($protocol), "`] reads.")] $protocol),*
        }

        /// A conversation. An enum, since its octets are not to pass through a `dyn`.
        #[derive(Clone, Debug)]
        pub enum Talk {
            $(#[doc = concat!("A conversation that [`", stringify!($protocol), "`] reads.")] $protocol(Box<$protocol>)),*
        }

        impl Known {
            /// One of each.
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

            /// Says at a glance whether octets are worth a [`Known::probe`].
            fn may_begin(self, first: [u8; GLANCE]) -> bool {
                match self {
                    $(Known::$protocol => $protocol::may_begin(first)),*
                }
            }

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

        /// Octets that a conversation can begin with, in protocols that have such.
        static FIRST: [bool; 256] = {
            let mut all = [false; 256];
            $(mark(&mut all, $protocol::FIRST);)*
            mark(&mut all, crate::attach::proxy::FIRST);
            mark(&mut all, &[crate::attach::HANDSHAKE]);
            all
        };

        /// Returns whether any conversation may begin like this: it costs every segment.
        #[inline(always)]
        fn may_begin(first: [u8; GLANCE]) -> bool {
            FIRST[usize::from(first[0])]
                $(|| $protocol::FIRST.is_empty() && $protocol::may_begin(first))*
        }

        impl Talk {
            /// Takes the next octets of one direction.
            #[inline]
            pub fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
                match self {
                    $(Talk::$protocol(talk) => talk.take(from, at, piece)),*
                }
            }

            /// Takes note that one direction has ended.
            pub fn end(&mut self, from: Peer) {
                match self {
                    $(Talk::$protocol(talk) => talk.end(from)),*
                }
            }

            /// Returns whether nothing more can be learnt.
            #[inline]
            pub fn is_done(&self) -> bool {
                match self {
                    $(Talk::$protocol(talk) => talk.is_done()),*
                }
            }

            /// Returns whether the octets say that it is this protocol, or that it is not.
            pub fn confirmed(&self) -> Option<bool> {
                match self {
                    $(Talk::$protocol(talk) => talk.confirmed()),*
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
    postgresql::Postgresql: 5432, 6432;
    http::Http: 80, 8080;
    redis::Redis: 6379, 26379;
    amqp::Amqp: 5672;
    kafka::Kafka: 9092;
}

impl Word for Known {
    const ALL: &'static [Known] = Known::ALL;

    fn index(self) -> u32 {
        self as u32
    }
}

impl FromStr for Known {
    type Err = String;

    /// By its key: `mysql`.
    fn from_str(key: &str) -> Result<Known, String> {
        let found = Known::ALL.iter().find(|known| known.identity().key == key);
        let keys: Vec<&str> = Known::ALL.iter().map(|known| known.identity().key).collect();
        found.copied().ok_or_else(|| format!("no protocol '{key}': there are {}", keys.join(", ")))
    }
}

/// The protocol that a connection is taken for, and the end that is its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The protocol to read.
    pub protocol: Known,
    /// The end that is its server.
    pub server: End,
    /// By a port that was named: it may be taken up in the middle.
    pub assumed: bool,
}

/// Octets that are not handed on, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// Nothing can be learnt of them.
    Untold,
    /// They begin TLS on a port that nobody knows.
    Encrypted,
    /// Nobody is to read any.
    Unread,
}

/// A segment whose content is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The protocol, and its server's end.
    pub guess: Guess,
    /// Octets of the segment, as captured.
    pub payload: &'a [u8],
    /// The reason why they are not here.
    pub withheld: Option<Withheld>,
}

impl<'a> Content<'a> {
    /// Makes it of all that was captured.
    pub fn new(guess: Guess, payload: &'a [u8]) -> Content<'a> {
        Content { guess, payload, withheld: None }
    }
}

/// The mark of a RST, which has no octets to read: its connection may be over.
pub const RST: Content = Content {
    guess: Guess { protocol: Known::ALL[0], server: End::Lower, assumed: false },
    payload: &[],
    withheld: None,
};

/// Octets that a snap length cut off before they could tell anything, whatever is spoken.
const CUT: Content = Content { withheld: Some(Withheld::Untold), ..RST };

/// The beginning of what nobody can read.
const ENCRYPTED: Content = Content { withheld: Some(Withheld::Encrypted), ..RST };

/// Were fewer octets captured than it takes to recognise a protocol, and more sent?
#[inline(always)]
fn is_cut(payload: &[u8], len: u32) -> bool {
    payload.len() < GLANCE && (payload.len() as u64) < u64::from(len)
}

/// Ports of servers: those that were named, and those where a conversation was seen to begin.
pub struct Ports {
    /// All of them: most segments are of none, and this stays in the nearest cache.
    any: PortSet,
    /// The protocol of each.
    of: Paged<Spoken, 256, 256>,
    /// Protocols that somebody named a port of.
    asked: Set<Known>,
    /// Protocols that their usual ports are not used for.
    refuted: Set<Known>,
}

/// The protocol of a port.
#[derive(Clone, Copy)]
struct Spoken {
    protocol: Known,
    named: bool,
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

    fn remove(&mut self, port: u16) {
        self.0[usize::from(port / 64)] &= !(1 << (port % 64));
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
        let mut ports = Ports {
            any: PortSet::new(),
            of: Paged::default(),
            asked: more.iter().map(|(protocol, _)| *protocol).collect(),
            refuted: Set::default(),
        };
        for (protocol, port) in more.iter().copied().chain(usual) {
            // The first name counts.
            if ports.spoken(port).is_none() {
                ports.put(port, Spoken { protocol, named: true });
            }
        }
        ports
    }

    #[inline]
    fn spoken(&self, port: u16) -> Option<Spoken> {
        self.of.get(usize::from(port)).copied()
    }

    fn put(&mut self, port: u16, spoken: Spoken) {
        self.any.insert(port);
        *self.of.place(usize::from(port)) = Some(spoken);
    }

    /// Takes the usual ports of a protocol that nobody speaks there for ports as any other. Whoever named a port of it
    /// knows better.
    pub fn refute(&mut self, protocol: Known) {
        if self.asked.contains(&protocol) {
            return;
        }
        self.refuted = self.refuted.with(protocol);
        for &port in protocol.ports() {
            if self.spoken(port).is_some_and(|it| it.named && it.protocol == protocol) {
                self.any.remove(port);
                *self.of.place(usize::from(port)) = None;
            }
        }
    }

    /// Returns the protocols that their usual ports are not used for: what was begun by these is not read to its end.
    pub fn refuted(&self) -> Set<Known> {
        self.refuted
    }

    /// A conversation began there. Of several protocols that did, the first in the registry has it.
    fn learn(&mut self, protocol: Known, port: u16) {
        let stays = |at: Spoken| at.named || at.protocol as u8 <= protocol as u8;
        if !self.spoken(port).is_some_and(stays) {
            self.put(port, Spoken { protocol, named: false });
        }
    }

    /// Returns what is to be read of a segment, if it is a part of a conversation and can tell
    /// anything. Of the segment by value, and little of it: so it stays in registers.
    #[inline(always)]
    pub fn content<'a>(&mut self, segment: Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        let Segment { key, from, flags, len, .. } = segment;
        let ports = key.ports();
        let known = ports.map(|port| self.any.has(port));
        if known == [false; 2] {
            return match recognise(payload) {
                Some(first) => Some(self.begun(ports, from, payload, first)),
                None => is_cut(payload, len).then_some(CUT),
            };
        }
        let tells = len > 0 || flags.syn() || flags.fin();
        let guess = if tells && !flags.rst() { self.guess(ports, known) } else { None };
        guess.map(|guess| Content::new(guess, payload))
    }

    #[cold]
    fn begun<'a>(
        &mut self,
        ports: [u16; 2],
        from: End,
        payload: &'a [u8],
        first: First,
    ) -> Content<'a> {
        let First::Words(protocol, by, _) = first else { return ENCRYPTED };
        let server = match by {
            Peer::Server => from,
            Peer::Client => from.other(),
        };
        self.learn(protocol, ports[server as usize]);
        Content::new(Guess { protocol, server, assumed: false }, payload)
    }

    /// The server, where the port of one end or of both is known.
    #[inline(always)]
    fn guess(&self, [lower, upper]: [u16; 2], known: [bool; 2]) -> Option<Guess> {
        // Where both are, the smaller is less likely to be a client's.
        let is_lower = known[0] && (!known[1] || lower < upper);
        let (server, port) = if is_lower { (End::Lower, lower) } else { (End::Upper, upper) };
        let Spoken { protocol, named } = self.spoken(port)?;
        Some(Guess { protocol, server, assumed: named })
    }
}

const fn mark(all: &mut [bool; 256], octets: &[u8]) {
    let mut at = 0;
    while at < octets.len() {
        all[octets[at] as usize] = true;
        at += 1;
    }
}

/// Octets that a conversation begins with.
enum First {
    /// In a protocol that is read, from one of its ends, and how sure that is.
    Words(Known, Peer, Probe),
    /// In TLS.
    Hello,
}

/// Returns what begins with these octets.
#[inline(always)]
fn recognise(first: &[u8]) -> Option<First> {
    let glance = *first.first_chunk()?;
    if may_begin(glance) { recognise_closely(first) } else { None }
}

#[cold]
#[inline(never)]
fn recognise_closely(first: &[u8]) -> Option<First> {
    let first = proxy::words(first);
    let glance = *first.first_chunk()?;
    if is_hello(glance) {
        return Some(First::Hello);
    }
    let mut surest = (Probe::No, None);
    for known in Known::ALL.iter().copied().filter(|known| known.may_begin(glance)) {
        for from in [Peer::Server, Peer::Client] {
            let probe = known.probe(first, from);
            if probe > surest.0 {
                surest = (probe, Some(First::Words(known, from, probe)));
            }
        }
    }
    surest.1
}

/// Tells whether a conversation may begin with these octets: [`Ports`] learn from them.
pub fn may_be_first(payload: &[u8]) -> bool {
    matches!(recognise(payload), Some(First::Words(..)))
}

/// Tells whether there is no doubt about an end's first words, of a conversation that is taken for one in `guess`: that
/// is what they nearly always are in.
pub fn is_sure(first: &[u8], guess: Known) -> bool {
    let may_be_its = first.first_chunk().is_some_and(|glance| guess.may_begin(*glance));
    let is_its = |from| guess.probe(first, from) == Probe::Sure;
    may_be_its && [Peer::Client, Peer::Server].into_iter().any(is_its)
        || recognise_surely(first).is_some()
}

/// Returns it where there is no doubt, of an end's first words.
pub fn recognise_surely(first: &[u8]) -> Option<(Known, Peer)> {
    let First::Words(known, from, probe) = recognise(first)? else { return None };
    (probe == Probe::Sure).then_some((known, from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::mysql;
    use crate::place::Place;
    use crate::tcp::segment::{Endpoint, Extras, Flags, FlowKey};
    use crate::tcp::seq::Seq;

    const GREETING: &[u8] = b"\x17\0\0\0\x0a8.0.36\0xxxxxxxxxxxxx\x01\0";

    fn segment(from: u16, to: u16, payload: &[u8]) -> Segment {
        let end = |port: u16| Endpoint { ip: [10, 0, 0, 1].into(), port };
        let (key, from) = FlowKey::new(end(from), end(to));
        Segment {
            key,
            hash: 0,
            from,
            seq: Seq(1),
            ack: Seq(1),
            flags: Flags(Flags::ACK),
            len: payload.len() as u32,
            window: u16::MAX,
            extras: Extras::default(),
            place: Place::new(Time::UNKNOWN, 0, 1, 6),
            direction: None,
        }
    }

    fn found(ports: &mut Ports, from: u16, to: u16, payload: &[u8]) -> Option<(End, bool)> {
        let segment = segment(from, to, payload);
        let content = ports.content(segment, payload);
        content.map(|content| (content.guess.server, content.guess.assumed))
    }

    #[test]
    fn a_server_is_found_by_its_port_or_by_what_it_says() {
        let mut ports = Ports::new(&[(Known::Mysql, 5000)]);
        assert_eq!(found(&mut ports, 1000, 3306, b"x"), Some((End::Upper, true)));
        assert_eq!(found(&mut ports, 5000, 1000, b"x"), Some((End::Upper, true)));
        assert_eq!(found(&mut ports, 1000, 4000, b"x"), None);
        assert_eq!(found(&mut ports, 4000, 1000, GREETING), Some((End::Upper, false)));
        assert_eq!(
            found(&mut ports, 1000, 4000, b"x"),
            Some((End::Upper, false)),
            "it is known from then on"
        );
        assert_eq!(found(&mut ports, 4000, 9000, b"x"), Some((End::Lower, false)));
        assert_eq!(found(&mut ports, 4000, 9000, b""), None, "a bare ACK tells nothing");
    }

    #[test]
    fn a_greeting_may_be_cut_and_is_the_servers() {
        assert_eq!(Known::Mysql.probe(GREETING, Peer::Server), Probe::Sure);
        assert_eq!(Known::Mysql.probe(&GREETING[..9], Peer::Server), Probe::Likely);
        assert_eq!(Known::Mysql.probe(&[GREETING, b"x"].concat(), Peer::Server), Probe::No);
        assert_eq!(Known::Mysql.probe(GREETING, Peer::Client), Probe::No);
    }

    /// A protocol whose client says `HI`, and nothing else.
    mod hi {
        use super::*;

        #[derive(Clone, Debug)]
        pub struct Hi {
            facts: Facts,
        }

        impl Protocol for Hi {
            const IDENTITY: Identity = Identity {
                key: "hi",
                title: "Hi",
                transactions: false,
                logs_in: false,
                tags: false,
            };

            const FIRST: &[u8] = b"H";

            fn may_begin(first: [u8; GLANCE]) -> bool {
                first.starts_with(b"HI")
            }

            fn probe(first: &[u8], from: Peer) -> Probe {
                if first == b"HI" && from == Peer::Client { Probe::Sure } else { Probe::No }
            }

            fn begin(_: Opening) -> Hi {
                Hi { facts: Facts::of(Hi::IDENTITY) }
            }

            fn take(&mut self, from: Peer, _: Time, piece: Piece<'_>) {
                let is_hi = piece == Piece::Data(b"HI") && from == Peer::Client;
                self.facts.confirmed = Some(is_hi);
            }

            fn is_done(&self) -> bool {
                self.facts.confirmed.is_some()
            }

            fn facts(&self, _: bool) -> Facts {
                self.facts.clone()
            }
        }
    }

    /// The registry as it is with one line more.
    mod with_hi {
        use super::super::{
            Facts, GLANCE, Identity, Opening, Peer, Piece, Probe, Protocol, Time, mark,
        };

        protocols! {
            mysql::Mysql: 3306;
            hi::Hi: 7, 8;
        }

        #[test]
        fn a_line_is_all_it_takes() {
            let titles = Known::ALL.iter().map(|known| known.identity().title);
            assert!(titles.eq(["MySQL", "Hi"]));
            assert_eq!((Known::Mysql.ports(), Known::Hi.ports()), (&[3306][..], &[7, 8][..]));
            assert_eq!(Known::Hi.probe(b"HI", Peer::Client), Probe::Sure);
            assert_eq!(Known::Mysql.probe(b"HI", Peer::Client), Probe::No);
            assert!(may_begin(*b"HI, all!") && !may_begin(*b"hi, all!"));
            assert!(Known::Hi.may_begin(*b"HI, all!") && !Known::Hi.may_begin(*b"Ho, all!"));
            let mut talks = Known::ALL.iter().map(|known| known.begin(Opening::default()));
            let (mut mysql, mut hi) = (talks.next().unwrap(), talks.next().unwrap());
            assert!(matches!((&mysql, &hi), (Talk::Mysql(_), Talk::Hi(_))));
            for talk in [&mut mysql, &mut hi] {
                talk.take(Peer::Client, Time::UNKNOWN, Piece::Data(b"HI"));
                talk.end(Peer::Client);
                assert!(talk.is_done());
            }
            let confirmed = |talk: &Talk| (talk.facts(false).protocol.key, talk.confirmed());
            assert_eq!(confirmed(&mysql), ("mysql", Some(false)));
            assert_eq!(confirmed(&hi), ("hi", Some(true)));
        }
    }
}
