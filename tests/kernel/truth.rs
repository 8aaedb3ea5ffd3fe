//! What the kernel of a host says of its connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::network::Network;

/// A connection, from the end whose kernel is asked.
pub type Pair = (SocketAddr, SocketAddr);

pub const CLOSE_WAIT: &str = "CLOSE-WAIT";

/// The states of a host's sockets at one time.
pub type Sockets = BTreeMap<Pair, String>;

pub fn sockets(network: &Network, host: usize) -> Sockets {
    let told = network.on(host, "ss").args(["-Htan"]).output().expect("ss runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8_lossy(&told.stdout);
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter_map(|words| {
            let pair = (words.get(3)?.parse().ok()?, words.get(4)?.parse().ok()?);
            Some((pair, words[0].to_owned()))
        })
        .collect()
}

/// A host's sockets some time before its capture ended, and after. Its last packets may be in neither: so nothing can be said of
/// what changed meanwhile.
#[derive(Clone)]
pub struct Truth {
    pub before: Sockets,
    pub after: Sockets,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// No socket any more: `None`.
    State(Option<&'a str>),
    Changed,
}

impl Truth {
    pub fn of(&self, pair: &Pair) -> Told<'_> {
        let [before, after] =
            [&self.before, &self.after].map(|sockets| sockets.get(pair).map(String::as_str));
        if before == after { Told::State(after) } else { Told::Changed }
    }

    pub fn in_close_wait(&self) -> impl Iterator<Item = &Pair> {
        self.after.keys().filter(|pair| self.of(pair) == Told::State(Some(CLOSE_WAIT)))
    }
}
