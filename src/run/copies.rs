//! Files that show what another file has shown.
//!
//! A file that begins after another has ended goes on with its capture. The captures of two hosts look the same where
//! their clocks are farther apart than they last. A handshake tells: its numbers are drawn at random, and once it is
//! complete nobody repeats it (RFC 9293, 3.4.1), so no later part of one capture can begin with it again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::capture::file::FileSource;
use crate::capture::series::Pending;
use crate::capture::stop::Stop;
use crate::capture::{Next, Source};
use crate::decode::Decoder;
use crate::tcp::segment::{FlowKey, Segment};

/// Packets that are looked at, from the first on: who captures at two places begins at about the same time.
const LOOKED_AT: usize = 4_096;

/// Handshakes that are remembered in all.
const REMEMBERED: usize = 1 << 17;

/// A complete handshake: the 4-tuple, and the initial numbers of client and server.
type Handshake = (FlowKey, [u32; 2]);

/// The files that others repeat, by the names of those.
pub type Copies = BTreeMap<String, BTreeSet<String>>;

/// Finds the files that begin with handshakes that files before them show. Standard input is not looked at, for it
/// could not be read again.
pub fn copies(sources: &[Pending], decoder: &Decoder, stop: &Stop) -> Copies {
    let mut copies = Copies::new();
    let mut shown: HashMap<Handshake, String, RandomState> = HashMap::default();
    for source in sources {
        let Pending::File(input) = source else { continue };
        let Ok(file) = FileSource::open_until(input, 0, stop) else { continue };
        let name = input.name();
        for handshake in handshakes(file, decoder) {
            match shown.get(&handshake) {
                Some(before) if *before != name => {
                    copies.entry(name.clone()).or_default().insert(before.clone());
                }
                None if shown.len() < REMEMBERED => {
                    shown.insert(handshake, name.clone());
                }
                _ => {}
            }
        }
    }
    copies
}

/// The complete handshakes among a file's first packets.
fn handshakes(mut file: FileSource, decoder: &Decoder) -> Vec<Handshake> {
    let (mut begun, mut complete) = (Begun::default(), Vec::new());
    for _ in 0..LOOKED_AT {
        match file.next() {
            Ok(Next::Frame(frame)) => {
                let decoded = decoder.decode(&frame).ok();
                complete.extend(decoded.and_then(|(segment, _)| begun.take(&segment)));
            }
            Ok(Next::Idle(_) | Next::Trouble(_)) => {}
            Ok(Next::End) | Err(_) => break,
        }
    }
    complete
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
