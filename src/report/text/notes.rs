//! Advice: what the findings mean, what to do, and where to look for what cannot show here.

use std::net::IpAddr;

use super::report::Report;
use crate::names;
use crate::report::lang::Thing;
use crate::report::shell;
use crate::units::{packet_time, thousands};
use crate::verdict::{Doubt, Note, Verdict};

impl Report<'_> {
    pub fn notes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.found.is_empty() {
            lines.push(self.lang().no_timer());
            lines.extend(self.descriptors());
            lines.extend(self.passed_on());
            lines.extend(self.by_list());
            lines.extend(self.doubts());
        }
        lines.extend(self.shared.sentence(self.lang()));
        lines.extend(self.one_sided());
        lines.extend(self.multipath());
        lines.extend(self.tags_untold());
        lines.extend(self.listed_otherwise());
        lines.extend(self.totals.has_foreign_list.then(|| self.lang().foreign_list()));
        lines.extend(self.peer_holds());
        lines
    }

    /// Open connections may have one side captured alone: says so.
    fn one_sided(&self) -> Option<String> {
        let n = self.totals.tally.one_sided;
        let lang = self.lang();
        let connections = lang.count(n, Thing::Connection);
        (n > 0).then(|| lang.one_sided(connections, lang.name(Note::OneSideCaptured)))
    }

    /// Open connections may end in a way that is not read: says so.
    fn multipath(&self) -> Option<String> {
        let (n, lang) = (self.totals.tally.multipath, self.lang());
        let connections = lang.count(n, Thing::Connection);
        (n > 0).then(|| lang.multipath(connections, lang.name(Note::Multipath)))
    }

    /// Connections may have the tags that were asked for, as far as is known: says so.
    fn tags_untold(&self) -> Option<String> {
        let (n, lang) = (self.totals.tally.tags_untold, self.lang());
        (n > 0).then(|| lang.tags_untold(lang.count(n, Thing::Connection)))
    }

    /// A list and the capture do not agree: says so.
    fn listed_otherwise(&self) -> Option<String> {
        let sockets = self.totals.stuck_otherwise;
        let lang = self.lang();
        (sockets > 0).then(|| lang.listed_otherwise(lang.count(sockets, Thing::Socket)))
    }

    /// Commands and places to go on with.
    pub fn ways_on(&self) -> Vec<String> {
        self.stuck_earlier().into_iter().chain(self.next()).collect()
    }

    /// Findings of a proxy that waits for somebody else.
    fn passed_on(&self) -> Option<String> {
        let (ends, all) = (&self.found.waits_for, self.found.passed_on);
        let names: Vec<String> = ends.iter().map(|(_, end)| end.to_string()).collect();
        (all > 0).then(|| {
            let names = self.lang().some_of(&names, all);
            self.lang().passed_on(thousands(all), names, self.lang().name(Note::FinPassedOn))
        })
    }

    /// Findings that the kernel or a list knows of, and the packets do not show.
    fn by_list(&self) -> Option<String> {
        let (n, lang) = (self.found.by_list, self.lang());
        (n > 0).then(|| lang.by_list_alone(thousands(n), lang.name(Note::KernelHolds)))
    }

    fn descriptors(&self) -> Option<String> {
        let lang = self.lang();
        match (self.found.descriptors, self.totals.findings()) {
            (0, _) => None,
            (1, 1) => Some(lang.only_one_reset()),
            (1, _) => Some(lang.one_reset()),
            (n, all) if n == all => Some(lang.all_reset()),
            (n, _) => Some(lang.some_reset(thousands(n))),
        }
    }

    /// Counts the findings that each doubt weakens, and says what it means.
    fn doubts(&self) -> Vec<String> {
        let (counts, all, lang) = (&self.found.doubts, self.found.count, self.lang());
        let mut lines = match counts.iter().next() {
            None => Vec::new(),
            // One that matters for most of them is explained here.
            Some((doubt, n)) if counts.len() == 1 && *n * 2 > all => {
                let of = match *n == all {
                    true => String::new(),
                    false => lang.of_all(thousands(*n), thousands(all)),
                };
                vec![lang.doubt(lang.name(*doubt), of, lang.doubt_sentence(*doubt))]
            }
            Some(_) => vec![lang.doubts(self.doubt_list(counts.iter()))],
        };
        let brief = counts.get(&Doubt::Brief).copied().unwrap_or(0);
        let is_said = self.totals.captures.iter().any(|capture| capture.said_end.is_some());
        // Of a capture without times, that of its end would not say how long.
        let has_times = self.totals.facts.end().nanos().is_some();
        // Those that were forgotten on the way were judged then, whenever it ended.
        let is_whole = self.totals.evicted == 0;
        if brief * 2 > all && !is_said && has_times && is_whole {
            lines.push(lang.say_the_end());
        }
        lines
    }

    /// Doubts with the number of findings that each weakens.
    pub fn doubt_list<'a>(&self, counts: impl Iterator<Item = (&'a Doubt, &'a u64)>) -> String {
        let lang = self.lang();
        let counted = counts.map(|(doubt, n)| lang.n_in_doubt(thousands(*n), lang.name(*doubt)));
        counted.collect::<Vec<String>>().join(&lang.comma())
    }

    fn peer_holds(&self) -> Option<String> {
        let waiting = self.totals.tally.of(Verdict::PeerHolds);
        let option = |ip: &IpAddr| shell::word(&names::option(*ip));
        let hosts: Vec<String> = self.peer_holders.iter().take(3).map(option).collect();
        // How many they are, the headline has said.
        (waiting > 0).then(|| self.lang().held_over_there(hosts.join(" --local ")))
    }

    /// Sockets stuck before the first packet cannot show, where no list was given: says so.
    fn stuck_earlier(&self) -> Option<String> {
        let first = self.totals.facts.first().filter(|first| first.time.nanos().is_some());
        let known = self.listed || self.totals.is_listed || !self.before.is_empty();
        let first = first.filter(|_| self.totals.facts.segments() > 0 && !known)?;
        let time = packet_time(first, self.look.zone, self.dates);
        Some(self.lang().stuck_earlier(time.split('.').next().unwrap_or_default()))
    }
}
