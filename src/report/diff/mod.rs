//! The report of `closewait diff`: leaks that are gone, that stayed, and that are new.

mod lines;
mod page;
mod text;

pub use lines::write as write_lines;
pub use page::write as write_page;
pub use text::write as write_text;

use chrono::TimeDelta;

use crate::summary::compare::{Change, Fate, LeakKind, Leaks, Served, compare, untold_services};
use crate::units::{count, duration};

/// Two captures, held against each other.
pub struct Comparison {
    /// Kinds of leaks, with their counts before and after.
    pub changes: Vec<Change>,
    /// Connections of the first and of the second capture of which it cannot be told.
    pub not_judged: [u64; 2],
    /// Connections in CLOSE-WAIT of the first and of the second that do not count.
    pub uncounted: [u64; 2],
    /// Connections of the second that were held for a second or more and closed after all, where they are more than there
    /// were in the first.
    pub held_for_a_while: u64,
    /// Packets of one of them were cut, or of both.
    pub is_cut: bool,
    /// Services of which one has leaks that nothing is known of, and the other has none such: all of each are one kind.
    pub untold: Vec<Served>,
    /// The times that the first and the second took, where one took far longer than the other.
    pub lasted: Option<[TimeDelta; 2]>,
}

impl Comparison {
    /// Holds two captures against each other.
    pub fn of(before: &Leaks, after: &Leaks) -> Comparison {
        Comparison {
            changes: compare(before, after),
            not_judged: [before.not_judged, after.not_judged],
            uncounted: [before.uncounted, after.uncounted],
            held_for_a_while: match after.held_for_a_while {
                more if more > before.held_for_a_while => more,
                _ => 0,
            },
            is_cut: before.is_cut || after.is_cut,
            untold: match before.is_cut == after.is_cut {
                true => untold_services([before, after]).into_iter().collect(),
                // Of all services, and that is said.
                false => Vec::new(),
            },
            lasted: before.lasted.zip(after.lasted).map(<[_; 2]>::from).filter(are_unequal),
        }
    }

    /// Counts the kinds of leaks with a fate.
    pub fn with(&self, fate: Fate) -> usize {
        self.changes.iter().filter(|change| change.fate == fate).count()
    }

    /// Leaks that are gone, and of which the second capture does not show that they were mended.
    fn unshown(&self) -> usize {
        self.changes.iter().filter(|change| !change.is_shown()).count()
    }

    /// Everything in one sentence.
    fn headline(&self) -> String {
        let [new, stayed, gone] = Fate::ALL.map(|fate| self.with(fate));
        if self.changes.is_empty() {
            return "No leak in either capture".into();
        }
        let kinds = |n: usize, what: &str| {
            (n > 0).then(|| format!("{} of leak {what}", count(n as u64, "kind")))
        };
        let told = [kinds(new, "new"), kinds(stayed, "stayed"), kinds(gone, "gone")];
        let told: Vec<String> = told.into_iter().flatten().collect();
        let unshown = match self.unshown() {
            0 => String::new(),
            n if n == gone => "; that it was mended is not shown".into(),
            n => format!("; of {n} it is not shown that it was mended"),
        };
        format!("{}{unshown}", told.join(", "))
    }

    /// The reasons why the captures are less of a proof, a sentence each.
    fn cautions(&self) -> Vec<String> {
        let of = |which| move |n| format!("{} of the {which} capture", count(n, "connection"));
        let some = |n: u64| (n > 0).then_some(n);
        let [before, after] = self.not_judged.map(some);
        let uncounted = |n: u64, which: &'static str| {
            let does = if n == 1 { "does" } else { "do" };
            let why = "not for long enough, or with doubts";
            some(n).map(of(which)).map(|n| format!("{n} in CLOSE-WAIT {does} not count: {why}"))
        };
        let [older, newer] = self.uncounted;
        [
            before.map(of("first")).map(|n| format!("{n} could not be judged: what is new may be older.")),
            after.map(of("second")).map(|n| format!("{n} could not be judged.")),
            uncounted(older, "first").map(|said| format!("{said}; what is new may be older.")),
            uncounted(newer, "second").map(|said| said + "."),
            some(self.held_for_a_while).map(of("second")).map(|n| format!("{n}: held in CLOSE-WAIT for a second or more, and closed after all, perhaps by the end of a program.")),
            self.is_cut.then(|| "Packets were captured in part (a snap length, a text), or not read (--no-content): what was said on connections cannot be held against each other.".into()),
        ]
        .into_iter()
        .flatten()
        .chain(self.untold_leaks())
        .chain(self.times().filter(|_| self.changes.iter().any(Change::differs)))
        .collect()
    }

    /// Leaks that may be of any kind are no new one.
    fn untold_leaks(&self) -> Option<String> {
        let services: Vec<String> = self.untold.iter().map(|served| named(*served)).collect();
        let untold = services.join(", ");
        let words = "nothing is known of what was said on leaks of one of the captures, so all of a service are one kind";
        (!services.is_empty()).then(|| format!("{untold}: {words}."))
    }

    /// Counts grow with time: one that fell may have had less of it.
    fn times(&self) -> Option<String> {
        let [first, second] = self.lasted?.map(duration);
        Some(format!(
            "The first capture took {first}, the second {second}: that there are more or fewer may come of that alone."
        ))
    }
}

/// One capture that took this many times as long as another cannot be counted against it.
const UNEQUAL: i32 = 2;

fn are_unequal([first, second]: &[TimeDelta; 2]) -> bool {
    *first.max(second) > *first.min(second) * UNEQUAL
}

/// `peer 172.18.0.3:3306`, `local port 8080`.
fn service(kind: &LeakKind) -> String {
    named(kind.service)
}

fn named(served: Served) -> String {
    match served {
        Served::There(end) => format!("peer {end}"),
        Served::Here(port) => format!("local port {port}"),
    }
}

fn cause(kind: &LeakKind) -> &'static str {
    kind.cause.map_or("-", |cause| cause.name())
}

/// The evidence of the second capture about a leak that is gone.
fn shown(change: &Change) -> String {
    match change.closed_after {
        None => "that it was mended cannot be shown so: compare captures, of whole packets that are not encrypted".into(),
        Some(0) => {
            "in the second capture, none that went the same way was closed in time: no proof that it was mended".into()
        }
        Some(n) => {
            let n = count(n, "connection");
            format!("in the second capture, {n} went the same way and closed")
        }
    }
}
