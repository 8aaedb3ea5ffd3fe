//! Messages that a session has asked for, and that come unasked: notifications of channels, and what is replicated.

use crate::attach::sql::text::{Effect, SqlText};

/// Channels of a session that are told apart, and octets of their names: a server keeps no longer ones.
const MAX_CHANNELS: usize = 16;
const MAX_NAME: usize = 63;

/// Channels, none of them twice.
type Channels = Vec<Box<[u8]>>;

/// Channels that a session listens to, and will listen to.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Channels that it listens to, as soon as the transaction is committed.
    soon: Channels,
    /// Channels that it listens to already.
    now: Channels,
    /// It listened to channels before something was lost, and may do so still.
    pub listened: bool,
    /// Savepoints of the transaction.
    saved: Saved,
    /// Channels that it would have listened to when the first of them was set.
    before: Channels,
    /// Channels were asked for since, or no more: to go back to one may undo that.
    changed: bool,
    /// It went back to one of them: nobody knows what it will listen to.
    unsure: bool,
}

/// Savepoints that were set since the transaction began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Saved {
    #[default]
    None,
    One,
    /// Several, or nobody knows: which of them it goes back to is not told apart.
    Any,
}

/// A statement of a text that may have several, and its place among them.
pub type Nth<'a> = (&'a SqlText, usize);

/// Channels that a statement names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    One(Box<[u8]>),
    All,
    /// Its text was not seen, or is not told from that of others.
    Unknown,
}

impl Waits {
    /// Notes what a command did, by the server's name for it.
    pub fn complete(&mut self, tag: &[u8], text: Option<Nth<'_>>) {
        match tag {
            b"LISTEN\0" => self.listen(named(text)),
            b"UNLISTEN\0" => self.unlisten(named(text)),
            b"SAVEPOINT\0" => self.save(),
            b"DISCARD ALL\0" => {
                self.soon.clear();
                self.listened = false;
            }
            b"COMMIT\0" => self.settle(true),
            b"ROLLBACK\0" => self.roll_back(effect(text)),
            _ => {}
        }
    }

    fn listen(&mut self, named: Named) {
        let name = match named {
            Named::One(name) => name,
            _ => Box::default(),
        };
        if self.soon.len() < MAX_CHANNELS && !self.soon.contains(&name) {
            self.soon.push(name);
            self.changed = true;
        }
    }

    fn unlisten(&mut self, named: Named) {
        let before = self.soon.len();
        match named {
            Named::One(name) => {
                // One whose name was not seen may be this, or another.
                self.listened |= self.soon.iter().any(|other| other.is_empty());
                self.soon.retain(|other| *other != name && !other.is_empty());
            }
            Named::All => self.soon.clear(),
            Named::Unknown => {
                self.listened |= before > 0;
                self.soon.clear();
            }
        }
        self.changed |= self.soon.len() != before;
    }

    fn save(&mut self) {
        if self.saved != Saved::None {
            // To go back to this one undoes less.
            self.saved = Saved::Any;
            return;
        }
        (self.saved, self.changed) = (Saved::One, false);
        self.before.clone_from(&self.soon);
    }

    /// Goes back to the beginning of the transaction, or to a savepoint in it: a server calls both the same.
    fn roll_back(&mut self, effect: Effect) {
        match effect {
            Effect::Keeps if self.saved == Saved::One => {
                self.soon.clone_from(&self.before);
                self.changed = false;
            }
            Effect::Keeps => self.unsure |= self.changed,
            Effect::Unknown if self.saved != Saved::None => self.unsure |= self.soon != self.now,
            _ => self.settle(false),
        }
    }

    /// No transaction is open any more: what was asked for in it holds, or is undone.
    pub fn settle(&mut self, committed: bool) {
        if committed && self.unsure {
            self.forget();
        } else if self.soon != self.now {
            match committed {
                true => self.now.clone_from(&self.soon),
                false => self.soon.clone_from(&self.now),
            }
        }
        (self.saved, self.changed, self.unsure) = (Saved::None, false, false);
    }

    /// A message came of this channel: whatever was not seen, it listens to that.
    pub fn notified(&mut self, channel: &[u8]) {
        let is_new = |channels: &Channels| {
            channels.len() < MAX_CHANNELS && !channels.iter().any(|other| **other == *channel)
        };
        if is_new(&self.now) {
            self.now.push(channel.into());
        }
        if is_new(&self.soon) {
            self.soon.push(channel.into());
        }
    }

    /// Something was not seen that may have asked for messages, or for no more of them.
    pub fn forget(&mut self) {
        let listened = self.listened || self.listens() || !self.soon.is_empty();
        *self = Waits { listened, ..Waits::default() };
        self.begin_within();
    }

    /// It may be in a transaction by then, behind a savepoint that was not seen.
    pub fn begin_within(&mut self) {
        (self.saved, self.changed) = (Saved::Any, true);
    }

    pub fn listens(&self) -> bool {
        !self.now.is_empty()
    }

    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        let of = |all: &Channels| {
            all.capacity() * size_of::<Box<[u8]>>()
                + all.iter().map(|name| name.len()).sum::<usize>()
        };
        of(&self.soon) + of(&self.now) + of(&self.before)
    }
}

/// Returns what a LISTEN or UNLISTEN names.
fn named(text: Option<Nth<'_>>) -> Named {
    let Some(text) = text.and_then(nth).filter(|text| !text.cut) else { return Named::Unknown };
    match text.second_name() {
        Some(mut name) => {
            name.truncate(MAX_NAME);
            Named::One(name.into())
        }
        None => Named::All,
    }
}

/// Returns what a statement does to its transaction.
fn effect(text: Option<Nth<'_>>) -> Effect {
    text.and_then(nth).map_or(Effect::Unknown, |text| text.effect())
}

/// Returns a statement alone. Of several, it is found where nothing among them can hide where one ends.
fn nth((text, at): Nth<'_>) -> Option<SqlText> {
    let has_more = text.octets.contains(&b';');
    if at == 0 && (text.is_single() || text.cut && !has_more) {
        return Some(text.clone()).filter(|text| !text.none);
    }
    let hides = |octet: &u8| b"'\"$-/(\\".contains(octet);
    if text.none || text.cut || text.octets.iter().any(hides) {
        return None;
    }
    let all = text.octets.split(|octet| *octet == b';');
    let one = all.filter(|one| !one.trim_ascii().is_empty()).nth(at)?;
    Some(SqlText::new(one, false, text.dialect))
}

#[cfg(test)]
mod tests {
    use crate::attach::Peer;
    use crate::attach::postgresql::tests::{Talk, done, error, message, query};
    use crate::tcp::stream::Piece;

    #[test]
    fn it_waits_for_notifications_while_it_listens() {
        let said = |talk: Talk, sql: &str, tag: &str, status: &str| {
            talk.client(&query(sql)).server(&done(tag, status))
        };
        let listening = || said(Talk::logged_in(), "LISTEN \"a\"; ", "LISTEN", "I");
        let waits_by = |talk: &Talk| talk.facts().waits_by;
        assert_eq!(waits_by(&listening()), Some("LISTEN"));
        let talk = said(listening(), "SELECT 1", "SELECT 1", "I");
        assert_eq!(waits_by(&talk), Some("LISTEN"), "it goes on listening");
        assert_eq!(waits_by(&talk.client(&query("SELECT 2"))), None, "it waits for something else");
        for (sql, tag, waits) in [
            ("UNLISTEN b", "UNLISTEN", true),
            ("UNLISTEN A", "UNLISTEN", false),
            ("UNLISTEN *", "UNLISTEN", false),
            ("DISCARD ALL", "DISCARD ALL", false),
        ] {
            assert_eq!(waits_by(&said(listening(), sql, tag, "I")).is_some(), waits, "{sql}");
        }
        assert_eq!(waits_by(&listening().piece(Peer::Client, Piece::Missing(9))), None);
        // A channel whose name was not seen may be the one that is left.
        let lost = Talk::logged_in().piece(Peer::Client, Piece::Missing(9));
        let unseen = lost.server(&done("LISTEN", "I"));
        assert_eq!(waits_by(&unseen), Some("LISTEN"));
        let facts = said(unseen, "UNLISTEN a", "UNLISTEN", "I").facts();
        assert_eq!((facts.waits_by, facts.may_wait), (None, true), "or another");
        // Asked for in a transaction, it holds when that is committed.
        for (sql, waits) in [("COMMIT", true), ("ROLLBACK", false)] {
            let talk =
                said(said(Talk::logged_in(), "BEGIN", "BEGIN", "T"), "listen a", "LISTEN", "T");
            assert_eq!(waits_by(&talk), None);
            assert_eq!(waits_by(&said(talk, sql, sql, "I")).is_some(), waits, "{sql}");
        }
        let failed = [message("C", b"LISTEN\0"), error("ERROR", "22012", "x"), message("Z", b"I")];
        let talk =
            Talk::logged_in().client(&query("LISTEN a; SELECT 1/0")).server(&failed.concat());
        assert_eq!(waits_by(&talk), None, "undone");
    }

    /// Says queries, each with its tag and where the transaction stands then: whether it listens, and whether it may.
    fn listens(all: &[(&str, &str, &str)]) -> (bool, bool) {
        let said = |talk: Talk, (sql, tags, status): &(&str, &str, &str)| {
            let complete = |tag: &str| message("C", &[tag.as_bytes(), b"\0"].concat());
            let answers: Vec<Vec<u8>> = tags.split(';').map(complete).collect();
            let answer = [answers.concat(), message("Z", status.as_bytes())].concat();
            talk.client(&query(sql)).server(&answer)
        };
        let facts = all.iter().fold(Talk::logged_in(), said).facts();
        (facts.waits_by.is_some(), facts.may_wait)
    }

    /// A server calls it ROLLBACK as well when a transaction goes back to a savepoint.
    #[test]
    fn what_was_asked_for_before_a_savepoint_is_not_undone() {
        let begin = ("begin", "BEGIN", "T");
        let (listen, save) = (("listen a", "LISTEN", "T"), ("savepoint x", "SAVEPOINT", "T"));
        let (back, commit) = (("rollback to x", "ROLLBACK", "T"), ("commit", "COMMIT", "I"));
        assert_eq!(listens(&[begin, listen, save, back, commit]), (true, false));
        assert_eq!(listens(&[begin, save, listen, back, commit]), (false, false));
        assert_eq!(listens(&[begin, save, listen, back, listen, commit]), (true, false));
        assert_eq!(listens(&[begin, save, listen, save, back, commit]), (false, true));
        assert_eq!(listens(&[begin, save, back, listen, commit]), (true, false));
        assert_eq!(listens(&[begin, save, listen, ("rollback", "ROLLBACK", "I")]), (false, false));
        assert_eq!(listens(&[begin, save, listen, commit]), (true, false));
        // A savepoint may be older than the capture.
        assert_eq!(listens(&[begin, listen, back, commit]), (false, true));
        let before = ("listen b", "LISTEN", "I");
        let rolled_back = ("rollback", "ROLLBACK", "I");
        assert_eq!(listens(&[before, begin, save, listen, back, rolled_back]), (true, false));
        assert_eq!(
            listens(&[begin, listen, save, ("rollback to x; commit", "ROLLBACK;COMMIT", "I")]),
            (true, false)
        );
    }

    #[test]
    fn each_of_several_statements_names_its_own_channel() {
        let two = ("listen a; listen b", "LISTEN;LISTEN", "I");
        let unlisten = |name: &'static str| (name, "UNLISTEN", "I");
        assert_eq!(listens(&[two, unlisten("unlisten a")]), (true, false));
        assert_eq!(listens(&[two, unlisten("unlisten a"), unlisten("unlisten b")]), (false, false));
        let mixed = ("listen a; unlisten b; select 1", "LISTEN;UNLISTEN;SELECT 1", "I");
        assert_eq!(listens(&[mixed]), (true, false));
        assert_eq!(listens(&[("select 1; listen a", "SELECT 1;LISTEN", "I")]), (true, false));
        // Quotes may hide where one ends.
        let quoted = ("listen \"a;\"; listen b", "LISTEN;LISTEN", "I");
        assert_eq!(listens(&[quoted, unlisten("unlisten b")]), (false, true));
    }
}
