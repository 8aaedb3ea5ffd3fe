//! Files that show what another file has shown.
//!
//! A file that begins after another has ended goes on with its capture. The captures of two hosts look the same where
//! their clocks are farther apart than they last. A handshake tells: its numbers are drawn at random, and once it is
//! complete nobody repeats it (RFC 9293, 3.4.1), so no later part of one capture can begin with it again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use foldhash::fast::RandomState;

use crate::capture::file::FileSource;
use crate::capture::{Next, Source};
use crate::decode::Decoder;
use crate::tcp::segment::{FlowKey, Segment};

/// Packets that are looked at, from the first on: who captures at two places begins at about the same time.
const LOOKED_AT: usize = 4_096;

/// Handshakes that are remembered in all.
const REMEMBERED: usize = 1 << 17;

/// A complete handshake: the 4-tuple, and the initial numbers of client and server.
pub type Handshake = (FlowKey, [u32; 2]);

/// Files that are remembered of a handshake.
const SHOWN_BY: usize = 64;

/// Files that show what others show, by name: each of them has all the others.
pub type Copies = BTreeMap<String, BTreeSet<String>>;

/// The handshakes that files begin with, and the files that have some in common.
pub struct Beginnings<H> {
    shown: HashMap<H, Vec<usize>, RandomState>,
    /// Names of all files that were looked at.
    names: Vec<String>,
    copies: Copies,
}

impl<H> Default for Beginnings<H> {
    fn default() -> Beginnings<H> {
        Beginnings { shown: HashMap::default(), names: Vec::new(), copies: Copies::new() }
    }
}

impl<H: Eq + Hash> Beginnings<H> {
    /// Takes in one more file, which begins with these.
    pub fn take(&mut self, name: &str, handshakes: impl IntoIterator<Item = H>) {
        let file = self.names.len();
        let mut others = BTreeSet::new();
        for handshake in handshakes {
            let has_room = self.shown.len() < REMEMBERED;
            match self.shown.get_mut(&handshake) {
                Some(files) => {
                    others.extend(files.iter().copied().filter(|other| *other != file));
                    if files.len() < SHOWN_BY && !files.contains(&file) {
                        files.push(file);
                    }
                }
                None if has_room => _ = self.shown.insert(handshake, vec![file]),
                None => {}
            }
        }
        self.names.push(name.to_owned());
        for other in others {
            let other = self.names[other].clone();
            self.copies.entry(name.to_owned()).or_default().insert(other.clone());
            self.copies.entry(other).or_default().insert(name.to_owned());
        }
    }

    /// Returns the files that show what others show.
    pub fn copies(self) -> Copies {
        self.copies
    }
}

impl Beginnings<Handshake> {
    /// Looks at the first packets of one more file.
    pub fn look(&mut self, mut file: FileSource, decoder: &Decoder) {
        let mut beginning = Beginning::default();
        while !beginning.is_over() {
            match file.next() {
                Ok(Next::Frame(frame)) => {
                    let decoded = decoder.decode(&frame).ok();
                    beginning.take(decoded.map(|(segment, _)| segment).as_ref());
                }
                Ok(Next::Idle(_) | Next::Trouble(_)) => {}
                Ok(Next::End) | Err(_) => break,
            }
        }
        let name = file.name().to_owned();
        self.take(&name, beginning.complete);
    }
}

/// The first packets of a file, as they come.
#[derive(Default)]
pub struct Beginning {
    packets: usize,
    begun: Begun,
    /// Complete handshakes among them.
    pub complete: Vec<Handshake>,
}

impl Beginning {
    /// Tells whether all that is looked at has come.
    pub fn is_over(&self) -> bool {
        self.packets == LOOKED_AT
    }

    /// Takes the next packet: a segment, or no TCP.
    pub fn take(&mut self, segment: Option<&Segment>) {
        if !self.is_over() {
            self.packets += 1;
            self.complete.extend(segment.and_then(|segment| self.begun.take(segment)));
        }
    }
}

/// Handshakes that are under way.
#[derive(Default)]
struct Begun {
    /// SYNs, by the client's initial number.
    asked: HashSet<(FlowKey, u32), RandomState>,
    /// Handshakes that the server has answered.
    answered: HashSet<Handshake, RandomState>,
}

impl Begun {
    /// Takes a segment. Returns the handshake that it completes.
    fn take(&mut self, segment: &Segment) -> Option<Handshake> {
        let Segment { key, flags, .. } = *segment;
        // The first octet after a SYN, and what acknowledges a SYN, are one number on.
        let [seq, before_seq] = [0, 1].map(|octet| segment.seq.0.wrapping_sub(octet));
        let acked = segment.ack.0.wrapping_sub(1);
        match (flags.syn(), flags.ack()) {
            (true, false) => {
                self.asked.insert((key, seq));
            }
            (true, true) if self.asked.contains(&(key, acked)) => {
                self.answered.insert((key, [acked, seq]));
            }
            (false, true) => {
                let handshake = (key, [before_seq, acked]);
                return self.answered.remove(&handshake).then_some(handshake);
            }
            _ => {}
        }
        None
    }
}
