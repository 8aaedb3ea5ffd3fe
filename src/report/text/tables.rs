//! Connections and sockets one by one.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::groups::holder;
use super::headline::stuck_besides;
use super::report::Report;
use super::{ALARM, HEADING, ROWS, frame, held_text, idle_text, process};
use crate::report::lang::{Lang, Thing};
use crate::report::table::{Align, table};
use crate::summary::groups::Holder;
use crate::summary::seen::Seen;
use crate::units::{duration, packet_time, thousands};
use crate::verdict::Verdict;

/// Sockets that are listed one by one where nobody asked for that.
const FEW: usize = 3;

impl Report<'_> {
    /// The findings one by one, as many as were asked for; all, if nobody asked.
    pub fn finding_table(&self) -> Vec<String> {
        let shown = self.longest.len().min(self.look.limit().unwrap_or(usize::MAX));
        let findings = &self.longest[..shown];
        let doubts = findings.iter().any(|seen| !seen.doubts.is_empty());
        let lang = self.lang();
        let mut heads = vec![lang.local_caption(), lang.peer_caption(), lang.fin_at_caption()];
        heads.extend([lang.held_caption(), lang.idle_caption(), lang.frame_caption()]);
        heads.extend(self.owners.then(|| lang.process_caption()));
        heads.extend(doubts.then(|| lang.doubts_caption()));
        let mut rows = vec![heads];
        for seen in findings {
            let (left, right) = seen.judged_and_peer();
            let mut row = vec![left.to_string(), right.to_string(), self.fin_at(seen)];
            row.push(held_text(seen).unwrap_or("-".into()));
            row.extend([idle_text(seen), self.fin_frame(seen)]);
            row.extend(self.owners.then(|| process(&seen.process, lang)));
            row.push(names(seen, lang));
            rows.push(row);
        }
        use Align::{Left, Right};
        let mut lines = table(&rows, &[Right, Left, Left, Right, Right, Right, Left, Left]);
        lines.extend(more(self.found.count - shown as u64, shown, lang));
        lines
    }

    /// Connections without a finding, each with what is known of its end.
    pub fn other_table(&self) -> Vec<String> {
        if self.others.is_empty() {
            return Vec::new();
        }
        let lang = self.lang();
        let heads = [
            lang.verdict_caption(),
            lang.local_caption(),
            lang.peer_caption(),
            lang.first_fin_at_caption(),
            lang.by_caption(),
            lang.held_caption(),
            lang.idle_caption(),
            lang.frame_caption(),
            lang.doubts_caption(),
        ];
        let shown = self.others.len().min(self.look.limit().unwrap_or(usize::MAX));
        let mut rows = vec![heads.to_vec()];
        rows.extend(self.others[..shown].iter().map(|seen| self.other_row(seen)));
        use Align::{Left, Right};
        let mut lines = vec![
            String::new(),
            format!("{HEADING}{}{HEADING:#}", lang.without_finding()),
            String::new(),
        ];
        let aligns = [Left, Right, Left, Left, Left, Right, Right, Right, Left];
        lines.extend(table(&rows, &aligns));
        lines.extend(more((self.others.len() - shown) as u64 + self.more_others, shown, lang));
        lines
    }

    fn other_row(&self, seen: &Seen) -> Vec<String> {
        let ((left, right), lang) = (seen.judged_and_peer(), self.lang());
        let word = match seen.verdict {
            Verdict::Unknown(reason) => {
                lang.name(seen.verdict).to_owned() + &lang.aside(lang.name(reason))
            }
            verdict => lang.name(verdict).to_owned(),
        };
        let by = match seen.closer.map(|closer| seen.end(closer)) {
            Some(end) if end == left => lang.local_caption(),
            Some(_) => lang.peer_caption(),
            None => "-".into(),
        };
        let idle = match seen.open_idle {
            Some(idle) => duration(idle),
            None => idle_text(seen),
        };
        let (left, right) = (left.to_string(), right.to_string());
        let held = held_text(seen).unwrap_or("-".into());
        let (fin_at, frame) = (self.fin_at(seen), self.fin_frame(seen));
        vec![word, left, right, fin_at, by, held, idle, frame, names(seen, lang)]
    }

    fn fin_at(&self, seen: &Seen) -> String {
        seen.fin.map_or("-".into(), |fin| packet_time(fin, self.look.zone, self.dates))
    }

    /// The frame of the FIN, or where none was captured the first.
    fn fin_frame(&self, seen: &Seen) -> String {
        frame(seen.fin.unwrap_or(seen.first), self.totals)
    }

    /// Sockets that were in CLOSE-WAIT before the capture: each of a few, or by process and peer.
    pub fn before_lines(&self, groups: usize) -> Vec<String> {
        if self.before.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        // The headline has just said it where there is nothing else.
        if !self.found.is_empty() {
            let said = stuck_besides(self.totals, self.lang());
            lines.push(format!("{ALARM}{said}{ALARM:#}"));
        }
        lines.push(String::new());
        lines.extend(match self.look.limit() {
            None if self.before.len() > FEW => self.before_groups(groups),
            limit => self.before_each(limit.unwrap_or(usize::MAX)),
        });
        lines.push(String::new());
        lines
    }

    fn before_each(&self, limit: usize) -> Vec<String> {
        let (shown, lang) = (self.before.len().min(limit), self.lang());
        // Not every list says since when.
        let timed = self.before.iter().any(|before| before.held.is_some());
        let cells = |[local, peer, held, idle, process]: [String; 5]| match timed {
            true => vec![local, peer, held, idle, process],
            false => vec![local, peer, process],
        };
        let mut rows = vec![cells([
            lang.local_caption(),
            lang.peer_caption(),
            lang.held_caption(),
            lang.idle_caption(),
            lang.process_caption(),
        ])];
        rows.extend(self.before[..shown].iter().map(|before| {
            let (local, peer) = (before.local.to_string(), before.peer.to_string());
            let held = before.held.map_or("-".into(), |held| format!("≥ {}", duration(held)));
            let idle = before.idle.map_or("-".into(), |idle| format!("≤ {}", duration(idle)));
            cells([local, peer, held, idle, process(&before.process, lang)])
        }));
        use Align::{Left, Right};
        let aligns = [Right, Left, Right, Right, Left];
        let mut lines = table(&rows, if timed { &aligns } else { &aligns[..2] });
        lines.extend(more((self.before.len() - shown) as u64, shown, lang));
        lines
    }

    /// The end with the lower port was connected to.
    fn before_groups(&self, most: usize) -> Vec<String> {
        let lang = self.lang();
        let mut groups = BTreeMap::<(String, String), (u64, Option<TimeDelta>)>::new();
        for before in self.before {
            let holder = holder(&Holder::from(&before.process), lang);
            let service = match before.local.port < before.peer.port {
                true => lang.local(before.local),
                false => lang.peer(before.peer),
            };
            let (n, held) = groups.entry((holder, service)).or_default();
            *n += 1;
            *held = (*held).max(before.held);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
        let shown = groups.len().min(most);
        type Group = ((String, String), (u64, Option<TimeDelta>));
        let row = |((holder, service), (n, held)): &Group| {
            let held = held.map_or(String::new(), |held| lang.held_at_most(duration(held)));
            vec![thousands(*n), holder.clone(), service.clone(), held]
        };
        let rows: Vec<Vec<String>> = groups[..shown].iter().map(row).collect();
        let mut lines = table(&rows, &[Align::Right]);
        let left: u64 = groups[shown..].iter().map(|(_, (n, _))| n).sum();
        if left > 0 {
            let more = lang.count((groups.len() - shown) as u64, Thing::MoreGroup);
            lines.push(lang.groups_left(more, lang.count(left, Thing::Socket)));
        }
        lines
    }
}

/// Says what is left out below so many rows, and what lists it: a table has its bounds, too.
fn more(n: u64, below: usize, lang: Lang) -> Option<String> {
    let how = if below >= ROWS { "--all --format jsonl" } else { "--top 0" };
    (n > 0).then(|| lang.more(thousands(n), how))
}

fn names(seen: &Seen, lang: Lang) -> String {
    seen.doubts.iter().map(|doubt| lang.name(*doubt)).collect::<Vec<_>>().join(&lang.comma())
}
