//! Filters as they are typed: `state:close-wait proc:orders peer::3306`.
//!
//! Words are joined by *and*; `!` before one turns it round. A word without a key may stand anywhere in what
//! is shown of a connection. While a word is half typed it matches what it may become.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::picture::Entry;
use crate::endpoints::EndpointSet;
use crate::names;
use crate::report::lang::Lang;
use crate::report::text::groups::statements;
use crate::summary::seen::{Process, Said};
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;
use crate::units::seconds;

/// A filter, and the text that it was made of.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    is_not: bool,
    test: Test,
}

/// Texts are in small letters.
#[derive(Clone, Debug)]
enum Test {
    State(String),
    Process(String),
    Local(Ends),
    Peer(Ends),
    Port(String),
    Cause(String),
    Verdict(String),
    Said(String),
    Code(String),
    /// Held for so long at least.
    Held(Option<f64>),
    Descriptor(String),
    Anywhere(String),
}

/// Addresses and ports, or a part of them.
#[derive(Clone, Debug)]
enum Ends {
    Set(EndpointSet),
    Part(String),
}

impl Ends {
    fn new(text: &str) -> Ends {
        text.parse().map_or_else(|_| Ends::Part(text.to_owned()), Ends::Set)
    }

    fn holds(&self, end: Endpoint) -> bool {
        match self {
            Ends::Set(set) => set.contains(end),
            Ends::Part(part) => end.to_string().contains(part),
        }
    }
}

/// The keys, with what they look at: for the help.
pub const KEYS: [(&str, &str); 11] = [
    ("state:close-wait", "the end that is judged"),
    ("proc:orders", "its process, by name or number"),
    ("fd:7", "its descriptor"),
    ("local:10.0.0.5", "an address, a network, ADDR:PORT, :PORT"),
    ("peer::3306", "the same of the other end"),
    ("port:3306", "either port"),
    ("cause:forgotten", "why it was left"),
    ("verdict:pending", "how it was judged"),
    ("held:30s", "for so long, or longer"),
    ("said:update", "a statement"),
    ("code:main.update", "a function behind it"),
];

impl Filter {
    /// Reads a filter; a part that means nothing yet is sought anywhere.
    pub fn new(text: &str) -> Filter {
        let terms = text.split_whitespace().filter_map(Term::new).collect();
        Filter { text: text.to_owned(), terms }
    }

    /// Returns the text that it was made of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tells whether it lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Tells whether a connection passes all its parts.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.terms.iter().all(|term| term.test.matches(entry) != term.is_not)
    }
}

impl Term {
    fn new(word: &str) -> Option<Term> {
        let (is_not, word) = word.strip_prefix('!').map_or((false, word), |word| (true, word));
        let test = Test::new(word)?;
        Some(Term { is_not, test })
    }
}

impl Test {
    /// Nothing is asked for until something stands behind the colon.
    fn new(word: &str) -> Option<Test> {
        let small = word.to_lowercase();
        let keyed = small.split_once(':').map(|(key, value)| (key, value.to_owned()));
        let test = match keyed {
            Some((key, value)) if value.is_empty() && is_key(key) => return None,
            Some(("state", value)) => Test::State(value),
            Some(("proc" | "process", value)) => Test::Process(value),
            Some(("fd", value)) => Test::Descriptor(value),
            Some(("local", value)) => Test::Local(Ends::new(&value)),
            Some(("peer", value)) => Test::Peer(Ends::new(&value)),
            Some(("port", value)) => Test::Port(value),
            Some(("cause", value)) => Test::Cause(value),
            Some(("verdict", value)) => Test::Verdict(value),
            Some(("said", value)) => Test::Said(value),
            Some(("code", value)) => Test::Code(value),
            Some(("held", value)) => Test::Held(time(&value)),
            _ if small.is_empty() => return None,
            _ => Test::Anywhere(small),
        };
        Some(test)
    }

    fn matches(&self, entry: &Entry) -> bool {
        let seen = &entry.seen;
        match self {
            Test::State(part) => is_in(entry.states[0].name(), part),
            Test::Process(part) => process(entry, part),
            Test::Descriptor(number) => descriptor(entry).is_some_and(|fd| fd == *number),
            Test::Local(ends) => ends.holds(entry.ends[0]),
            Test::Peer(ends) => ends.holds(entry.ends[1]),
            Test::Port(port) => entry.ends.iter().any(|end| port.parse() == Ok(end.port)),
            Test::Cause(part) => seen.cause.is_some_and(|cause| is_in(cause.name(), part)),
            Test::Verdict(part) => is_in(seen.verdict.name(), part),
            Test::Said(part) => said(&seen.said, part),
            Test::Code(part) => code(entry, part),
            Test::Held(least) => {
                least.is_none_or(|least| seen.held.is_some_and(|held| seconds(held) >= least))
            }
            Test::Anywhere(part) => anywhere(entry, part),
        }
    }
}

fn is_key(word: &str) -> bool {
    let mut keys = KEYS.iter().filter_map(|(example, _)| example.split(':').next());
    keys.any(|key| key == word) || word == "process"
}

/// `30s`, `2min`; a bare number is seconds. Nothing while it is half typed.
fn time(text: &str) -> Option<f64> {
    let number = text.parse().ok();
    number.or_else(|| humantime::parse_duration(text).ok().as_ref().map(Duration::as_secs_f64))
}

fn is_in(text: &str, small: &str) -> bool {
    match text.is_ascii() {
        // Without a copy: this is what a hundred thousand connections cost.
        true => {
            let (text, small) = (text.as_bytes(), small.as_bytes());
            small.is_empty()
                || text.windows(small.len()).any(|part| part.eq_ignore_ascii_case(small))
        }
        false => text.to_lowercase().contains(small),
    }
}

fn process(entry: &Entry, part: &str) -> bool {
    match &entry.seen.process {
        Process::By { holder, .. } => {
            is_in(&holder.command, part) || part.parse() == Ok(holder.pid)
        }
        Process::Backlog => is_in("(backlog)", part),
        Process::Hidden => is_in("(unknown)", part),
        Process::NotAsked | Process::NotListed => false,
    }
}

fn descriptor(entry: &Entry) -> Option<String> {
    match &entry.seen.process {
        Process::By { holder, .. } => holder.fd.map(|fd| fd.to_string()),
        _ => None,
    }
}

fn code(entry: &Entry, part: &str) -> bool {
    let code = entry.seen.code.as_ref();
    entry.seen.said.code.as_ref().is_some_and(|code| is_in(code, part))
        || code.is_some_and(|code| {
            code.events().any(|(_, trace)| {
                trace.frames().iter().any(|frame| is_in(&frame.to_string(), part))
            })
        })
}

fn said(said: &Said, part: &str) -> bool {
    // The text that is shown has all of them in one; it is made only for what could be between two of them.
    said.asked().iter().any(|statement| is_in(statement, part))
        || (part.contains([':', ';', ' ']) && is_in(&statements(said, Lang::English), part))
}

/// An address is looked at only for what can be a part of one: to write it takes longer than all the rest.
fn is_in_end(entry: &Entry, part: &str) -> bool {
    let could_be = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']');
    let is_address = part.chars().all(could_be);
    entry.ends.iter().any(|end| match names::is_stand_in(end.ip) {
        true => end.to_string().contains(part),
        false => is_address && is_in_address(*end, part),
    })
}

/// Octets that the longest address takes, with its zone and port.
const ADDRESS: usize = 64;

fn is_in_address(end: Endpoint, part: &str) -> bool {
    let mut octets = [0; ADDRESS];
    let mut rest = &mut octets[..];
    let written = match end.ip {
        // The usual ones by hand: of a hundred thousand each key costs two hundred thousand.
        IpAddr::V4(ip) => write_v4(ip, end.port, &mut rest),
        IpAddr::V6(_) => write!(rest, "{end}"),
    };
    let left = written.map_or(ADDRESS, |()| rest.len());
    let text = octets.get(..ADDRESS - left).unwrap_or_default();
    part.is_empty() || text.windows(part.len()).any(|at| at == part.as_bytes())
}

fn write_v4(ip: Ipv4Addr, port: u16, to: &mut &mut [u8]) -> io::Result<()> {
    for (octet, after) in ip.octets().into_iter().zip(b"...:") {
        write_decimal(octet.into(), to)?;
        to.write_all(&[*after])?;
    }
    write_decimal(port, to)
}

fn write_decimal(number: u16, to: &mut &mut [u8]) -> io::Result<()> {
    let digits = [10_000, 1_000, 100, 10, 1].map(|unit| b'0' + (number / unit % 10) as u8);
    let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(4);
    to.write_all(&digits[first..])
}

fn anywhere(entry: &Entry, part: &str) -> bool {
    let is_state = |state: &State| is_in(state.name(), part);
    is_state(&entry.states[0])
        || is_in_end(entry, part)
        || process(entry, part)
        || is_in(entry.seen.verdict.name(), part)
        || entry.seen.cause.is_some_and(|cause| is_in(cause.name(), part))
        || said(&entry.seen.said, part)
        || code(entry, part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_sought_as_it_is_shown() {
        for text in ["10.0.0.5:3306", "0.0.0.0:0", "255.250.9.100:65535", "[2001:db8::5]:80"] {
            let ends: std::net::SocketAddr = text.parse().expect("an address");
            let end = Endpoint { ip: ends.ip(), port: ends.port() };
            let parts = (0..text.len())
                .flat_map(|from| (from..=text.len()).map(move |until| &text[from..until]));
            parts.for_each(|part| assert!(is_in_address(end, part), "{part} in {text}"));
            for other in ["10.0.0.05", "5:33060", ".10.", "25O", "::6"] {
                assert!(!is_in_address(end, other), "{other} in {text}");
            }
        }
    }
}
