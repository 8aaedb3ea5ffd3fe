//! Advice: what the findings mean, what to do, and where to look for what cannot show here.

use std::net::IpAddr;

use super::report::Report;
use crate::names;
use crate::report::shell;
use crate::units::{packet_time, thousands};
use crate::verdict::{Doubt, Note, Verdict};

impl Report<'_> {
    pub fn notes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.found.is_empty() {
            lines.push(
                "No kernel timer ends CLOSE-WAIT: the program must close the socket.".to_owned(),
            );
            lines.extend(self.descriptors());
            lines.extend(self.passed_on());
            lines.extend(self.doubts());
        }
        lines.extend(self.peer_holds());
        lines
    }

    /// Commands and places to go on with.
    pub fn ways_on(&self) -> Vec<String> {
        self.stuck_earlier().into_iter().chain(self.next()).collect()
    }

    /// Findings of a proxy that waits for somebody else.
    fn passed_on(&self) -> Option<String> {
        let (ends, all) = (&self.found.waits_for, self.found.passed_on);
        let names: Vec<String> = ends.iter().map(|(_, end)| end.to_string()).collect();
        let more = match all - names.len() as u64 {
            0 => String::new(),
            more => format!(" and {} more", thousands(more)),
        };
        (all > 0).then(|| {
            let (n, names) = (thousands(all), names.join(", "));
            let note = Note::FinPassedOn.name();
            format!(
                "{n} of them: held by a proxy, which passed the FIN on and waits for {names}{more} to close ({note})."
            )
        })
    }

    fn descriptors(&self) -> Option<String> {
        let which = match (self.found.descriptors, self.totals.findings()) {
            (0, _) => return None,
            (1, 1) => "It was".into(),
            (1, _) => "1 of them was".into(),
            (n, all) if n == all => "They were".into(),
            (n, _) => format!("{} of them were", thousands(n)),
        };
        Some(format!(
            "{which} reset by the peer after a long CLOSE-WAIT: forgotten by the kernel, perhaps with a descriptor that the program still holds."
        ))
    }

    /// Counts the findings that each doubt weakens, and says what it means.
    fn doubts(&self) -> Vec<String> {
        let (counts, all) = (&self.found.doubts, self.found.count);
        let how_many = |n: u64| match n {
            n if n == all => String::new(),
            n => format!(" ({} of {})", thousands(n), thousands(all)),
        };
        let list: Vec<String> =
            counts.iter().map(|(doubt, n)| format!("{} {}", thousands(*n), doubt.name())).collect();
        let mut lines = match counts.iter().next() {
            None => Vec::new(),
            // One that matters for most of them is explained here.
            Some((doubt, n)) if counts.len() == 1 && *n * 2 > all => {
                vec![format!("Doubt {}{}: {}.", doubt.name(), how_many(*n), doubt.sentence())]
            }
            Some(_) => vec![format!("Doubts: {} (closewait explain WORD).", list.join(", "))],
        };
        let brief = counts.get(&Doubt::Brief).copied().unwrap_or(0);
        if brief * 2 > all {
            lines.push(
                "Did the capture go on after its last packet? Say until when: --end mtime (or TIME)."
                    .to_owned(),
            );
        }
        lines
    }

    fn peer_holds(&self) -> Option<String> {
        let waiting = self.totals.tally.of(Verdict::PeerHolds);
        let option = |ip: &IpAddr| shell::word(&names::option(*ip));
        let hosts: Vec<String> = self.peer_holders.iter().take(3).map(option).collect();
        // How many they are, the headline has said.
        (waiting > 0).then(|| {
            format!(
                "Held at the other side (peer-holds): see with --local {}.",
                hosts.join(" --local ")
            )
        })
    }

    /// Sockets stuck before the first packet cannot show, where no list was given: says so.
    fn stuck_earlier(&self) -> Option<String> {
        let first = self.totals.facts.first().filter(|first| first.time.nanos().is_some());
        let known = self.listed || !self.before.is_empty();
        let first = first.filter(|_| self.totals.facts.segments() > 0 && !known)?;
        let time = packet_time(first, self.look.zone, self.look.dates);
        let time = time.split('.').next().unwrap_or_default();
        Some(format!(
            "Sockets stuck before {time} cannot show here: closewait sockets, on the host."
        ))
    }
}
