//! The report of `closewait diff`: leaks that are gone, that stayed, and that are new.

mod lines;
mod page;
mod text;

pub use lines::write as write_lines;
pub use page::write as write_page;
pub use text::write as write_text;

use crate::summary::compare::{Change, Fate, LeakKind, Served};
use crate::units::count;

/// Two captures, held against each other.
pub struct Comparison {
    /// Kinds of leaks, with their counts before and after.
    pub changes: Vec<Change>,
    /// Connections of the second capture of which it cannot be told.
    pub not_judged: u64,
}

impl Comparison {
    /// Counts the kinds of leaks with a fate.
    pub fn of(&self, fate: Fate) -> usize {
        self.changes.iter().filter(|change| change.fate == fate).count()
    }

    /// Leaks that are gone, and of which the second capture does not show that they were mended.
    fn unshown(&self) -> usize {
        self.changes.iter().filter(|change| !change.is_shown()).count()
    }

    /// Everything in one sentence.
    fn headline(&self) -> String {
        let [new, stayed, gone] = Fate::ALL.map(|fate| self.of(fate));
        if self.changes.is_empty() {
            return "No leak in either capture".into();
        }
        let kinds = |n: usize, what: &str| {
            (n > 0).then(|| {
                format!("{} {what}", count(n as u64, "kind of leak").replace("leaks", "leak"))
            })
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

    /// The reason why the second capture is less of a proof.
    fn caution(&self) -> Option<String> {
        let n = count(self.not_judged, "connection");
        (self.not_judged > 0).then(|| format!("{n} of the second capture could not be judged."))
    }
}

/// `peer 172.18.0.3:3306`, `local port 8080`.
fn service(kind: &LeakKind) -> String {
    match kind.service {
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
        None => "a report in JSON lines cannot show that it was mended: compare captures".into(),
        Some(0) => {
            "nobody went the same way in the second capture: no proof that it was mended".into()
        }
        Some(n) => {
            let n = count(n, "connection");
            format!("in the second capture, {n} went the same way and closed")
        }
    }
}
