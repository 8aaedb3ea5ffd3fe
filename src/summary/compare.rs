//! Two captures held against each other: which leaks are gone, which stayed, which are new.
//!
//! A falling count is no proof that something was mended: perhaps nobody came that way. So a leak that
//! is gone is told with how many connections of the second capture went the same way, by what was said
//! on them, and were closed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::cause::Cause;
use super::hold::Hold;
use super::seen::{Party, Seen};
use crate::tcp::segment::Endpoint;

/// A kind of leak: the same in whatever capture, on whatever host and port of a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeakKind {
    /// The service that was connected to.
    pub service: Served,
    /// The reason why they were left, if it is known.
    pub cause: Option<Cause>,
    /// Statements of the open transaction, or the last one.
    pub statements: Vec<String>,
    /// The function behind them, where it was watched or their statements name it; without its line, which any change of
    /// the program moves.
    pub code: Option<String>,
}

impl LeakKind {
    /// Returns the same kind, whatever the code.
    fn whatever_code(&self) -> LeakKind {
        LeakKind { code: None, ..self.clone() }
    }

    /// Returns the same kind, whatever was said, and why.
    fn of_service(&self) -> LeakKind {
        LeakKind { service: self.service, cause: None, statements: Vec::new(), code: None }
    }
}

/// The service of a leak's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Served {
    /// By the peer: local connected to it.
    There(Endpoint),
    /// By local, on this port: its hosts change.
    Here(u16),
}

impl From<Party> for Served {
    fn from(party: Party) -> Served {
        match party {
            Party::Peer(peer) => Served::There(peer),
            Party::Local(own) => Served::Here(own.port),
        }
    }
}

/// The leaks of a capture, by kind.
#[derive(Clone, Debug, Default)]
pub struct Leaks {
    /// Kinds of leaks, each with its count.
    pub kinds: BTreeMap<LeakKind, LeakCount>,
    /// Connections that were closed, by the kind of leak whose way they went; nothing where nobody
    /// looked for them.
    pub closed: Option<BTreeMap<LeakKind, u64>>,
    /// Kinds of leaks of which nothing that was said is known, where others of the service, which were closed, are encrypted.
    pub untold: BTreeSet<LeakKind>,
    /// Connections of which it could not be told.
    pub not_judged: u64,
    /// Connections in CLOSE-WAIT that do not count: not for long enough, or with a doubt.
    pub uncounted: u64,
    /// Connections that were held for a second or more, and closed after all.
    pub held_for_a_while: u64,
    /// Packets were not captured whole, or nobody read what they carried: what was said may be known in part.
    pub is_cut: bool,
    /// From the first packet to the last, where the times of both are known.
    pub lasted: Option<TimeDelta>,
}

/// Leaks of one kind in one capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeakCount {
    /// Connections of this kind that are findings.
    pub connections: u64,
    /// Findings with a doubt, of these.
    pub doubted: u64,
    /// The longest of their times in CLOSE-WAIT.
    pub longest: Option<Hold>,
}

impl Leaks {
    /// Counts a connection, if it has a finding.
    pub fn count(&mut self, seen: &Seen) {
        if seen.finding {
            let statements = seen.said.asked().to_vec();
            let culprit = seen.code.as_ref().and_then(|code| code.culprit());
            let code = culprit.map(|frame| frame.function.clone());
            let code = code.or_else(|| seen.said.code.clone());
            let kind =
                LeakKind { service: seen.party().into(), cause: seen.cause, statements, code };
            self.add(kind, !seen.doubts.is_empty(), seen.hold());
        }
    }

    /// Counts a finding.
    pub fn add(&mut self, kind: LeakKind, doubted: bool, held: Option<Hold>) {
        let found = self.kinds.entry(kind).or_default();
        found.connections += 1;
        found.doubted += u64::from(doubted);
        found.longest = found.longest.max(held);
    }

    /// Looks for closed connections that go the way of these leaks.
    pub fn look_for<'a>(&mut self, kinds: impl IntoIterator<Item = &'a LeakKind>) {
        self.closed = Some(kinds.into_iter().map(|kind| (kind.clone(), 0)).collect());
    }

    /// Counts a connection that was closed, by the kinds of leaks whose way it went.
    pub fn count_closed(&mut self, closed: &ClosedWay) {
        let kinds = self.closed.iter_mut().flatten();
        for (kind, n) in kinds {
            *n += u64::from(closed.is_of(kind));
            if closed.may_be_of(kind) {
                self.untold.insert(kind.clone());
            }
        }
    }
}

/// A connection that was closed, as far as it tells which leak it could have been.
pub struct ClosedWay<'a> {
    /// Its service.
    pub service: Served,
    /// Statements, or what the protocol has instead: the last of them, in order.
    pub said: &'a [&'a str],
    /// Nobody had logged in on it.
    pub before_login: bool,
    /// It is encrypted: of what was said on it, nothing is known.
    pub is_encrypted: bool,
}

impl ClosedWay<'_> {
    /// Was the same said on it, in the same order, and perhaps more? Where nothing was said on those that leak, only one
    /// on which nothing was said went their way.
    fn is_of(&self, kind: &LeakKind) -> bool {
        let is_there = kind.service == self.service;
        let is_as_far = kind.cause != Some(Cause::NotLoggedIn) || self.before_login;
        let mut rest = self.said.iter();
        let is_said = match kind.statements.as_slice() {
            [] => self.said.is_empty() && (self.before_login || !self.is_encrypted),
            all => all.iter().all(|statement| rest.any(|said| said == statement)),
        };
        is_there && is_as_far && is_said
    }

    /// Is nothing known of what either did before? Whether somebody had logged in is known.
    fn may_be_of(&self, kind: &LeakKind) -> bool {
        let is_unknown = kind.statements.is_empty() && kind.cause != Some(Cause::NotLoggedIn);
        kind.service == self.service && is_unknown && self.is_encrypted
    }
}

impl LeakCount {
    fn join(&mut self, more: &LeakCount) {
        self.connections += more.connections;
        self.doubted += more.doubted;
        self.longest = self.longest.max(more.longest);
    }
}

/// Services of which one capture has leaks that nothing is known of, and the other has only leaks of known kinds: nobody
/// can tell that these are others.
pub fn untold_services(both: [&Leaks; 2]) -> BTreeSet<Served> {
    let is_untold = |kind: &&LeakKind| {
        kind.cause.is_none_or(|cause| cause == Cause::Unknown) && kind.statements.is_empty()
    };
    let of = |one: &Leaks, other: &Leaks| {
        let has = |kind: &&LeakKind| other.kinds.keys().any(|there| there.service == kind.service);
        let is_there = |kind: &&LeakKind| other.kinds.keys().any(|there| is_alike(there, kind));
        let kinds = one.kinds.keys().filter(is_untold).filter(has);
        kinds.filter(|kind| !is_there(kind)).map(|kind| kind.service).collect::<BTreeSet<_>>()
    };
    &of(both[0], both[1]) | &of(both[1], both[0])
}

fn is_alike(one: &LeakKind, other: &LeakKind) -> bool {
    one.whatever_code() == other.whatever_code()
}

/// The leaks of two captures by kind. Where the code of some of a kind is not known, all of it are one: else what is
/// the same would seem to have changed. So are all of a service where one capture tells less of what was said, or nothing.
fn told_apart(both: [&Leaks; 2]) -> [BTreeMap<LeakKind, LeakCount>; 2] {
    let is_cut = both[0].is_cut != both[1].is_cut;
    let untold = untold_services(both);
    let kinds = both.iter().flat_map(|leaks| leaks.kinds.keys());
    let unknown: BTreeSet<&LeakKind> = kinds.filter(|kind| kind.code.is_none()).collect();
    both.map(|leaks| {
        let mut told = BTreeMap::<LeakKind, LeakCount>::new();
        for (kind, found) in &leaks.kinds {
            let alike = kind.whatever_code();
            let is_untold = is_cut || untold.contains(&kind.service);
            let kind = match (is_untold, unknown.contains(&alike)) {
                (true, _) => kind.of_service(),
                (false, true) => alike,
                (false, false) => kind.clone(),
            };
            told.entry(kind).or_default().join(found);
        }
        told
    })
}

/// The fate of a kind of leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Only in the second capture.
    New,
    /// In both.
    Stayed,
    /// Only in the first capture.
    Gone,
}

impl Fate {
    /// One of each, in the order of reports.
    pub const ALL: [Fate; 3] = [Fate::New, Fate::Stayed, Fate::Gone];

    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Fate::New => "new",
            Fate::Stayed => "stayed",
            Fate::Gone => "gone",
        }
    }
}

/// A kind of leak before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The kind of leak.
    pub kind: LeakKind,
    /// Its fate.
    pub fate: Fate,
    /// Its count in the first capture.
    pub before: LeakCount,
    /// Its count in the second.
    pub after: LeakCount,
    /// Connections of the second capture that went the same way and were closed, if that is known.
    pub closed_after: Option<u64>,
}

impl Change {
    /// Tells whether there are more of it, or fewer.
    pub fn differs(&self) -> bool {
        self.before.connections != self.after.connections
    }

    /// It is gone, and connections that could have leaked were closed.
    pub fn is_shown(&self) -> bool {
        self.fate != Fate::Gone || self.closed_after > Some(0)
    }
}

/// Holds two captures against each other: new ones first, of each fate the most connections first.
pub fn compare(before: &Leaks, after: &Leaks) -> Vec<Change> {
    let [told_before, told_after] = told_apart([before, after]);
    let kinds: BTreeSet<&LeakKind> = told_before.keys().chain(told_after.keys()).collect();
    // Of connections that were closed nobody knows the code.
    let closed = after.closed.as_ref().filter(|_| !before.is_cut && !after.is_cut).map(|closed| {
        closed.iter().map(|(kind, n)| (kind.whatever_code(), *n)).collect::<BTreeMap<_, _>>()
    });
    let untold: BTreeSet<_> = after.untold.iter().map(LeakKind::whatever_code).collect();
    let change = |kind: &LeakKind| {
        let (before, after) = (told_before.get(kind).copied(), told_after.get(kind).copied());
        let fate = match (before, after) {
            (None, _) => Fate::New,
            (Some(_), Some(_)) => Fate::Stayed,
            (Some(_), None) => Fate::Gone,
        };
        Change {
            kind: kind.clone(),
            fate,
            before: before.unwrap_or_default(),
            after: after.unwrap_or_default(),
            closed_after: closed.as_ref().and_then(|closed| {
                let n = closed.get(&kind.whatever_code()).copied().unwrap_or(0);
                (n > 0 || !untold.contains(&kind.whatever_code())).then_some(n)
            }),
        }
    };
    let mut changes: Vec<Change> = kinds.into_iter().map(change).collect();
    changes.sort_by_key(|change| {
        let most = change.before.connections.max(change.after.connections);
        (change.fate, std::cmp::Reverse(most))
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(port: u16, cause: Cause) -> LeakKind {
        let end = Endpoint { ip: [172, 18, 0, 3].into(), port };
        LeakKind {
            service: Served::There(end),
            cause: Some(cause),
            statements: vec!["BEGIN".into()],
            code: None,
        }
    }

    /// Code tells kinds apart where it is known of all of them, and nowhere else.
    #[test]
    fn code_tells_kinds_apart_where_it_is_known() {
        let open = kind(3306, Cause::TransactionOpen);
        let by = |code: &str| LeakKind { code: Some(code.into()), ..open.clone() };
        let fates = |before: &[(LeakKind, u64)], after: &[(LeakKind, u64)]| {
            let mut after = leaks(after);
            after.look_for(leaks(before).kinds.keys());
            after.count_closed(&closed(open.service, &["BEGIN"]));
            let changes = compare(&leaks(before), &after);
            let told = changes.into_iter().map(|c| (c.kind.code, c.fate, c.closed_after));
            told.collect::<Vec<_>>()
        };
        let (update, charge) = (by("main.update"), by("main.charge"));
        assert_eq!(
            fates(&[(update.clone(), 3), (charge.clone(), 1)], &[(charge.clone(), 2)]),
            [
                (Some("main.charge".into()), Fate::Stayed, Some(1)),
                (Some("main.update".into()), Fate::Gone, Some(1))
            ]
        );
        assert_eq!(
            fates(&[(update, 3)], &[(open.clone(), 1), (charge, 1)]),
            [(None, Fate::Stayed, Some(1))]
        );
    }

    /// One that went beyond its login.
    fn closed<'a>(service: Served, said: &'a [&'a str]) -> ClosedWay<'a> {
        ClosedWay { service, said, before_login: false, is_encrypted: false }
    }

    fn leaks(kinds: &[(LeakKind, u64)]) -> Leaks {
        let mut leaks = Leaks::default();
        for (kind, n) in kinds {
            (0..*n).for_each(|_| leaks.add(kind.clone(), false, None));
        }
        leaks
    }

    #[test]
    fn each_kind_has_one_fate() {
        let [open, idle, other] = [
            kind(3306, Cause::TransactionOpen),
            kind(3306, Cause::Forgotten),
            kind(6379, Cause::Forgotten),
        ];
        let before = leaks(&[(open.clone(), 20), (idle.clone(), 3)]);
        let mut after = leaks(&[(idle.clone(), 2), (other.clone(), 1)]);
        after.look_for(before.kinds.keys());
        let all = ["SELECT ?", "BEGIN", "UPDATE t", "COMMIT"];
        after.count_closed(&closed(open.service, &all));
        after.count_closed(&closed(open.service, &["SELECT ?"]));
        after.count_closed(&closed(other.service, &["BEGIN"]));
        let changes = compare(&before, &after);
        let told: Vec<_> = changes
            .iter()
            .map(|c| (&c.kind, c.fate, c.before.connections, c.after.connections))
            .collect();
        let expected =
            [(&other, Fate::New, 0, 1), (&idle, Fate::Stayed, 3, 2), (&open, Fate::Gone, 20, 0)];
        assert_eq!(told, expected);
        assert_eq!((changes[2].closed_after, changes[2].is_shown()), (Some(1), true));
    }

    /// Nothing that was said is said on any connection: that shows no way.
    #[test]
    fn where_nothing_was_said_only_silence_is_the_same_way() {
        let silent = |cause| LeakKind { statements: Vec::new(), ..kind(3306, cause) };
        let way = |cause, said, before_login| {
            let kind = silent(cause);
            ClosedWay { before_login, ..closed(kind.service, said) }.is_of(&kind)
        };
        assert!(!way(Cause::Forgotten, &["SELECT ?"], false));
        assert!(way(Cause::Forgotten, &[], false));
        assert!(!way(Cause::NotLoggedIn, &[], false));
        assert!(way(Cause::NotLoggedIn, &[], true));
    }

    /// Encrypted ones: nobody knows whether they went the same way.
    #[test]
    fn what_is_encrypted_shows_no_way() {
        let of = |cause| LeakKind { statements: Vec::new(), ..kind(3306, cause) };
        let [unknown, denied] = [of(Cause::Unknown), of(Cause::NotLoggedIn)];
        let mut after = Leaks::default();
        after.look_for([&unknown, &denied]);
        let encrypted = ClosedWay { is_encrypted: true, ..closed(unknown.service, &[]) };
        after.count_closed(&encrypted);
        let closed_after = |after: &Leaks| {
            let before = leaks(&[(unknown.clone(), 1), (denied.clone(), 1)]);
            let changes = compare(&before, after);
            let of = |kind| changes.iter().find(|it| it.kind == kind).map(|it| it.closed_after);
            [of(unknown.clone()), of(denied.clone())].map(Option::flatten)
        };
        assert_eq!(closed_after(&after), [None, Some(0)]);
        // It is known that nobody had logged in: that is a way.
        assert!(ClosedWay { before_login: true, ..encrypted }.is_of(&denied));
        after.count_closed(&closed(unknown.service, &[]));
        assert_eq!(closed_after(&after), [Some(1), Some(0)]);
    }

    #[test]
    fn nothing_is_shown_by_a_capture_in_which_nobody_came_that_way() {
        let before = leaks(&[(kind(3306, Cause::TransactionOpen), 20)]);
        let mut after = Leaks::default();
        assert!(!compare(&before, &after)[0].is_shown());
        after.look_for(before.kinds.keys());
        after.count_closed(&closed(kind(3306, Cause::Forgotten).service, &["COMMIT"]));
        assert!(!compare(&before, &after)[0].is_shown());
    }
}
