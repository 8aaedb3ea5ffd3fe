//! The gate that nothing passes which was not judged: a peer has to close before a side can leave a socket, and what
//! nobody could read says nothing of transactions.

use std::collections::BTreeSet;

use super::{Case, Expectation, Key, Violation};
use crate::summary::seen::{Collected, Seen};
use crate::units::count;
use crate::verdict::Verdict;

/// True if connections were left open, or only tried, and no peer closed any. Those between others do not count.
#[must_use]
pub fn is_nothing_judged(collected: &Collected) -> bool {
    let (tally, own) = (&collected.tally, collected.tally.own());
    let [open, attempts] = tally.not_closed;
    let is_left_open = open > 0 || attempts == own;
    own > 0 && collected.closed_by_peer == 0 && is_left_open
}

/// True of a connection that is not over, and on which transactions can be told.
fn tells_transactions(seen: &Seen) -> bool {
    seen.is_kept() && seen.said.transaction.is_some()
}

impl Case<'_> {
    /// Requires that something was judged. If no peer closed anything, no CLOSE-WAIT can be: that nothing
    /// was found says nothing.
    pub(super) fn judged(&mut self) {
        if self.collected.tally.is_of_others() {
            let why = "none: `local` names no end of any connection";
            let expected = "a connection with a local end";
            self.broken.push(Violation::new(Key::Judged, expected, why, Vec::new()));
            return;
        }
        if !is_nothing_judged(self.collected) || self.is_allowed() {
            return;
        }
        let busy = self.in_transaction();
        let words = match self.collected.tally.not_closed {
            [0, attempts] => {
                let refused = attempts.saturating_sub(self.collected.tally.of(Verdict::Attempt));
                let refused = match refused {
                    0 => String::new(),
                    refused => format!(" ({refused} refused)"),
                };
                format!("{}{refused} and no connection", count(attempts, "attempt"))
            }
            [open, _] => format!(
                "none: {open} open{}; the peer's timeout lies after the capture \
                 (shorten it, or expect {}open_idle or open)",
                if busy.is_empty() {
                    String::new()
                } else {
                    format!(", {} in a transaction", busy.len())
                },
                match self.expectation.transactions_open {
                    None => "transactions_open = 0, ",
                    // It is expected, and no open connection has transactions.
                    Some(_) => "",
                }
            ),
        };
        let expected = "a connection that its peer closed";
        self.broken.push(Violation::new(Key::Judged, expected, &words, busy));
    }

    /// Is something expected of the connections that are open at the end, that they show, or else of attempts?
    fn is_allowed(&self) -> bool {
        let [open, _] = self.collected.tally.not_closed;
        let Expectation { verdicts, open_idle, transactions_open, .. } = self.expectation;
        let says = |verdict: Verdict| verdicts[verdict.index()].is_some();
        let of_open = open_idle.is_some()
            || transactions_open.is_some() && self.collected.flows.iter().any(tells_transactions);
        let of_attempts = says(Verdict::Attempt) || says(Verdict::Reset);
        says(Verdict::Open) || open > 0 && of_open || open == 0 && of_attempts
    }

    fn in_transaction(&self) -> Vec<usize> {
        self.those(|seen| seen.said.in_transaction && seen.is_kept())
    }

    /// Counts transactions that are open at the end. Where one may be that nobody could read, it may be one too many:
    /// unless some are expected, which says what this capture shows, and sets no limit.
    pub(super) fn transactions_open(&mut self) {
        let Some(range) = self.expectation.transactions_open else { return };
        let found = self.in_transaction();
        let untold = self.those(|seen| untold(seen).is_some() && seen.is_kept());
        let most = (found.len() + untold.len()) as u64;
        let is_limit = range.min.unwrap_or(0) == 0;
        if !is_limit || !range.holds(found.len() as u64) || range.holds(most) {
            self.count(Key::TransactionsOpen, range, found.len() as u64, found);
            return;
        }
        let why: BTreeSet<&str> =
            untold.iter().filter_map(|&index| untold_of(self.collected, index)).collect();
        let why: Vec<&str> = why.into_iter().collect();
        let words = format!(
            "{}, and {} of which it cannot be told ({})",
            found.len(),
            count(untold.len() as u64, "connection"),
            why.join(", ")
        );
        let expected = range.text(|n| n.to_string());
        self.broken.push(Violation::new(Key::TransactionsOpen, &expected, &words, untold));
    }
}

fn untold(seen: &Seen) -> Option<&'static str> {
    seen.said.transaction.and_then(Result::err)
}

fn untold_of(collected: &Collected, index: usize) -> Option<&'static str> {
    collected.flows.get(index).and_then(untold)
}
