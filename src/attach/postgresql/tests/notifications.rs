//! Channels that a session listens to.

use super::*;

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
        let talk = said(said(Talk::logged_in(), "BEGIN", "BEGIN", "T"), "listen a", "LISTEN", "T");
        assert_eq!(waits_by(&talk), None);
        assert_eq!(waits_by(&said(talk, sql, sql, "I")).is_some(), waits, "{sql}");
    }
    let failed = [message("C", b"LISTEN\0"), error("ERROR", "22012", "x"), message("Z", b"I")];
    let talk = Talk::logged_in().client(&query("LISTEN a; SELECT 1/0")).server(&failed.concat());
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
    assert_eq!(listens(&[begin, save, listen, back, commit]), (false, true));
    assert_eq!(listens(&[begin, save, listen, save, back, commit]), (false, true));
    assert_eq!(listens(&[begin, save, back, listen, commit]), (true, false));
    assert_eq!(listens(&[begin, save, listen, ("rollback", "ROLLBACK", "I")]), (false, false));
    assert_eq!(listens(&[begin, save, listen, commit]), (true, false));
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
