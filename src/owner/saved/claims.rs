//! Sentences and counts around a list that speak of CLOSE-WAIT. They are no sockets, but where the list has none of
//! which they could speak, it is not all there is.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{Moment, Unread, clue, words};
use crate::owner::Socket;
use crate::tcp::segment::Endpoint;

/// Lines that are held against the list when all of it is read.
#[derive(Default)]
pub struct Claims {
    /// The most sockets that a line counts, and that line.
    counted: Option<(u64, usize, String)>,
    /// The line above asks how many there are; so many lines of its answer are a header.
    asked: Option<u64>,
    /// Lines that say CLOSE-WAIT of an end.
    said: Vec<(usize, String)>,
}

/// More of them are no sentences.
const MAX: usize = 1 << 10;

impl Claims {
    /// Keeps the highest count. The answer to a command that counts is a line of its own.
    pub fn count(&mut self, number: usize, line: &str) {
        let answer = self
            .asked
            .take()
            .and_then(|header| Some(line.trim().parse::<u64>().ok()?.saturating_sub(header)));
        self.asked = clue::asks_how_many(line);
        let counted = answer.or_else(|| clue::counted(line)).unwrap_or(0);
        if counted > self.counted.as_ref().map_or(0, |(most, ..)| *most) {
            self.counted = Some((counted, number, line.to_owned()));
        }
    }

    /// Keeps a line that says CLOSE-WAIT of an end; false if there are too many.
    pub fn keep(&mut self, number: usize, line: &str) -> bool {
        let is_room = self.said.len() < MAX;
        if is_room {
            self.said.push((number, line.to_owned()));
        }
        is_room
    }

    /// Adds those that say more than the list does.
    pub fn hold_against(self, moments: &[Moment], unread: &mut Option<Unread>) {
        let most = moments.iter().map(Moment::stuck).max().unwrap_or(0);
        let stuck = Stuck::of(moments, most as u64);
        let more = self.counted.filter(|(counted, ..)| *counted > stuck.most);
        let more = more.map(|(_, number, line)| (number, line));
        let said = self.said.into_iter().filter(|(_, line)| !stuck.explain(line));
        said.chain(more).for_each(|(number, line)| Unread::add(unread, number, &line));
    }
}

/// Sockets in CLOSE-WAIT, as a sentence may name them.
struct Stuck {
    ends: HashSet<Endpoint>,
    hosts: HashSet<IpAddr>,
    most: u64,
}

impl Stuck {
    fn of(moments: &[Moment], most: u64) -> Stuck {
        let sockets = || moments.iter().flat_map(|moment| &moment.sockets);
        let ends = |socket: &Socket| [socket.local, socket.peer];
        let ends: HashSet<Endpoint> = sockets().filter(|s| s.is_stuck()).flat_map(ends).collect();
        let hosts = ends.iter().map(|end| end.ip).collect();
        Stuck { ends, hosts, most }
    }

    /// Is all that a line names of these, and no number in it higher than there are?
    fn explain(&self, line: &str) -> bool {
        let mut named = 0;
        for word in clue::words(line) {
            let word = word.trim_matches(['.', ':', '?', '!']);
            let is_known = match (word.parse::<IpAddr>(), word.parse::<u64>()) {
                (_, Ok(number)) => {
                    if number > self.most {
                        return false;
                    }
                    continue;
                }
                (Ok(ip), _) => self.hosts.contains(&ip),
                _ if clue::ends(word) == 0 => continue,
                _ => words::end(word).is_some_and(|end| self.ends.contains(&end)),
            };
            if !is_known {
                return false;
            }
            named += 1;
        }
        named > 0
    }
}

#[cfg(test)]
mod tests {
    use crate::owner::saved::parse;

    const LIST: &str = "tcp 1 0 192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAIT 7/x\ntcp 1 0 192.0.2.5:47904 198.51.100.3:3306 CLOSE_WAIT 7/x\n";

    #[test]
    fn a_sentence_is_held_against_its_list() {
        for line in [
            "We have 2 sockets in CLOSE_WAIT to 198.51.100.3:3306:",
            "CLOSE_WAIT on 192.0.2.5, why?",
            "### CLOSE-WAIT towards 198.51.100.3",
            "      2 CLOSE_WAIT",
        ] {
            let saved = parse(&format!("{line}\n{LIST}")).expect("a list");
            assert_eq!(saved.unread, None, "{line}");
        }
        for line in [
            "We have 20 sockets in CLOSE_WAIT to 198.51.100.3:3306:",
            "CLOSE_WAIT on 192.0.2.6, why?",
            "192.0.2.5 47906 in CLOSE_WAIT",
            "CLOSE_WAIT at 192.0.2.5:47906",
            "      3 CLOSE_WAIT",
        ] {
            let saved = parse(&format!("{LIST}{line}\n")).expect("a list");
            assert_eq!(saved.unread.map(|unread| unread.line), Some(3), "{line}");
        }
    }
}
