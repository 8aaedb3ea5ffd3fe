//! Packets that may well have been TCP and could not be read: no all-clear stands over them.

use std::collections::BTreeMap;

use crate::capture::filter::Filter;
use crate::capture::{Error, Trouble};
use crate::decode::Skipped;
use crate::summary::Totals;
use crate::units::{count, thousands};

/// Counts by kind.
#[derive(Debug, Default)]
pub struct Unread(BTreeMap<Skipped, u64>);

impl Unread {
    /// Counts the unread packets of all files so far.
    pub fn of(totals: &Totals) -> Unread {
        let unread = totals.skipped.iter().filter(|(kind, _)| kind.may_be_tcp());
        Unread(unread.map(|(kind, n)| (*kind, *n)).collect())
    }

    /// A failure of the file in which some were met since `before`.
    pub fn since(&self, before: &Unread, file: &str) -> Option<Error> {
        let more = |(kind, n): (&Skipped, &u64)| {
            let more = n - before.0.get(kind).copied().unwrap_or(0);
            (more > 0).then_some((kind.to_string(), more))
        };
        not_read(self.0.iter().filter_map(more).collect(), file)
    }
}

/// A failure of all that was read, where whatever there was of TCP is encrypted.
pub fn sealed(totals: &Totals) -> Option<Error> {
    let kinds = totals.sealed().into_iter().map(|(by, n)| (Skipped::encrypted(by), n));
    let files = match &totals.files[..] {
        [first, others @ ..] if !others.is_empty() => format!("{first} and {} more", others.len()),
        files => files.concat(),
    };
    not_read(kinds.collect(), &files)
}

fn not_read(kinds: Vec<(String, u64)>, file: &str) -> Option<Error> {
    let packets = kinds.iter().map(|(_, n)| n).sum();
    let words: Vec<String> =
        kinds.iter().map(|(kind, n)| format!("{kind} {}", thousands(*n))).collect();
    let trouble = Trouble::NotRead { packets, kinds: words.join(", ") };
    (packets > 0).then(|| Error { input: file.to_owned(), trouble })
}

/// A failure of a file none of whose segments the filter matches, since they are behind VLAN tags: nothing of it was judged.
pub fn behind_tags(filter: Option<&mut Filter>, segments: u64, file: &str) -> Option<Error> {
    let has_missed = filter.is_some_and(Filter::has_missed_tagged) && segments == 0;
    let sentence = "no TCP matches the filter, which looks behind no VLAN tag, and packets have one: 'vlan and (EXPRESSION)' does";
    let trouble = Trouble::Told { sentence: sentence.into(), is_failure: true };
    has_missed.then(|| Error { input: file.to_owned(), trouble })
}

/// Malformed packets that may be damaged ones.
const FEW: u64 = 2;

/// Counts of packets so far, by what could be made of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sense {
    segments: u64,
    /// Packets whose IP header contradicts itself.
    malformed: u64,
}

impl Sense {
    /// Counts the packets so far: so many are TCP.
    pub fn of(segments: u64, totals: &Totals) -> Sense {
        Sense { segments, malformed: totals.malformed() }
    }

    /// Looks at the packets of a file, which follow these: where more are malformed than are TCP, it is the link type that
    /// is wrong, and nothing is known of them.
    pub fn doubt_link_type(self, segments: u64, totals: &mut Totals) {
        let now = Sense::of(segments, totals);
        let malformed = now.malformed.saturating_sub(self.malformed);
        let segments = now.segments.saturating_sub(self.segments);
        if malformed > segments + FEW {
            totals.doubt_link_type(malformed);
        }
    }
}

/// Says that files of a series are missing before one.
pub(crate) fn absent(files: u64) -> Trouble {
    let files = count(files, "file");
    let sentence = format!("{files} of the series before it missing: a gap in the capture");
    Trouble::Told { sentence, is_failure: false }
}
