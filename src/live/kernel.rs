//! Questions of a live run to the kernel: addresses, sockets and their holders.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use super::places::Places;
use crate::capture::{Error, Trouble};
use crate::owner::links::{Link, Links};
use crate::owner::lookup::Question;
use crate::owner::lookup::client::{Answer, LONGEST, Lookup, silent};
use crate::owner::{Socket, SocketList};
use crate::place::Time;
use crate::printable::printable;

/// Would packets of this socket be captured, wherever they pass?
pub type IsCaptured = Box<dyn FnMut(&Socket) -> bool + Send>;

/// Nanoseconds between two looks at the interfaces' addresses.
const ADDRESSES_NS: i64 = 5_000_000_000;

/// The kernel's word, as far as it can be had.
pub struct Kernel {
    lookup: Lookup,
    /// `None` without an expression: then packets of all are.
    is_captured: Option<IsCaptured>,
    /// The host's addresses, whatever interface they are at: a bridge's and a bond's packets pass its ports, and
    /// those of a service's address on the loopback interface pass any.
    pub addresses: BTreeSet<IpAddr>,
    places: Places,
    asked: Time,
    /// The time of the last look whether an answer has come.
    polled: Time,
    /// Interfaces that were down when last seen.
    down: BTreeSet<u32>,
    troubles: Vec<Error>,
    /// Events of the code behind sockets that did not arrive, where it is watched.
    pub code_lost: Option<u64>,
}

/// Nanoseconds after which nobody waits for an answer any more.
const LONGEST_NS: i64 = LONGEST.as_secs().cast_signed() * 1_000_000_000;

/// Nanoseconds between two looks whether an answer has come.
const POLL_NS: i64 = 5_000_000;

impl Kernel {
    /// `any` among the interfaces is all of them.
    pub fn new(lookup: Lookup, interfaces: Vec<String>, is_captured: Option<IsCaptured>) -> Kernel {
        Kernel {
            lookup,
            is_captured,
            addresses: BTreeSet::new(),
            places: Places::new(interfaces),
            asked: Time::UNKNOWN,
            polled: Time::UNKNOWN,
            down: BTreeSet::new(),
            troubles: Vec::new(),
            code_lost: None,
        }
    }

    /// Takes the errors that are to be reported, and tells whether the kernel can still be asked.
    pub fn take_troubles(&mut self) -> (Vec<Error>, bool) {
        let lost = self.is_lost();
        (std::mem::take(&mut self.troubles), !lost)
    }

    /// It could not be asked.
    fn is_lost(&self) -> bool {
        self.troubles.iter().any(|error| matches!(error.trouble, Trouble::Unnamed(_)))
    }

    /// Says so once, however many wait for its answer.
    fn lose(&mut self, error: io::Error) {
        if self.is_lost() {
            return;
        }
        let trouble = Trouble::Unnamed(error);
        self.troubles.push(Error { input: "the list of sockets".into(), trouble });
    }

    /// An expression may leave out packets of a connection whose others it lets pass.
    pub fn is_filtered(&self) -> bool {
        self.is_captured.is_some()
    }

    /// No question is under way.
    pub fn is_free(&self) -> bool {
        !self.lookup.is_under_way()
    }

    /// It is time to ask for addresses again.
    pub fn is_due(&self, now: Time) -> bool {
        self.is_free() && now.since(self.asked).is_none_or(|ns| ns >= ADDRESSES_NS)
    }

    /// Has it begin to look. False if it cannot be asked.
    pub fn ask(&mut self, question: &Question, now: Time) -> bool {
        self.asked = now;
        self.lookup.ask(question).map_err(|error| self.lose(error)).is_ok()
    }

    /// Looks whether an answer has come, again only after a while where packets come all the time.
    pub fn poll(&mut self, now: Time) -> bool {
        if self.is_free() || now.since(self.polled).is_some_and(|ns| ns < POLL_NS) {
            return false;
        }
        self.polled = now;
        let is_silent = now.since(self.asked).is_some_and(|ns| ns >= LONGEST_NS);
        if is_silent && !self.has_answer() {
            self.lose(silent());
            return true;
        }
        self.has_answer()
    }

    /// Tells whether an answer of the kernel waits to be taken.
    pub fn has_answer(&self) -> bool {
        self.lookup.has_answer()
    }

    /// The sockets that were asked for; `None` if the list may not be seen.
    pub fn answer(&mut self) -> Option<SocketList> {
        self.receive()
    }

    /// Asks, and waits: every socket in CLOSE-WAIT, and those of `question`. Of those whose packets are not captured, the
    /// capture tells nothing.
    pub fn all_stuck(&mut self, mut question: Question) -> Option<SocketList> {
        if !self.is_free() && !self.is_lost() {
            self.receive();
        }
        if self.is_lost() {
            return None;
        }
        question.stuck = true;
        if !self.ask(&question, self.asked) {
            return None;
        }
        let mut list = self.receive()?;
        let (is_captured, places) = (&mut self.is_captured, &self.places);
        list.leave_out(|socket| {
            let may_pass = places.may_pass(socket.local.ip, socket.peer.ip);
            let may_be_seen = is_captured.as_mut().is_none_or(|is_captured| is_captured(socket));
            socket.is_stuck() && !(may_pass && may_be_seen)
        });
        Some(list)
    }

    fn receive(&mut self) -> Option<SocketList> {
        let Answer { sockets, links, usage, code_lost, forwards } = match self.lookup.answer() {
            Ok(answer) => answer,
            Err(error) => {
                self.lose(error);
                return None;
            }
        };
        self.addresses.extend(links.addresses.iter().map(|(_, ip)| *ip));
        self.places.renew(&links);
        self.take_down(&links);
        self.code_lost = code_lost;
        let mut list = SocketList::of_host(sockets?, links.addresses.into_iter().map(|(_, ip)| ip));
        list.usage = usage;
        list.forwards = forwards;
        Some(list)
    }

    /// Interfaces of ours that have gone down since they were last seen are said.
    fn take_down(&mut self, links: &Links) {
        let ours = links.links.iter().filter(|link| link.is_down && self.places.has(link.number));
        let ours: Vec<&Link> = ours.collect();
        for link in ours.iter().filter(|link| !self.down.contains(&link.number)) {
            let name = link.names.first().map_or(String::new(), |name| printable(name));
            self.troubles.push(Error { input: name, trouble: Trouble::Down });
        }
        self.down = ours.into_iter().map(|link| link.number).collect();
    }
}
