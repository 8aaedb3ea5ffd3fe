use proptest::prelude::*;

use super::*;
use crate::attach::{Begun, ErrorCode};
use crate::regressions::kept;

/// A conversation, said by said.
#[derive(Clone)]
pub(super) struct Talk {
    pg: Postgresql,
    at: i128,
}

pub(super) fn message(kind: &str, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32 + 4).to_be_bytes();
    [kind.as_bytes(), &len, body].concat()
}

fn startup(pairs: &str) -> Vec<u8> {
    message("", &[&[0, 3, 0, 0], pairs.as_bytes(), b"\0"].concat())
}

pub(super) fn query(sql: &str) -> Vec<u8> {
    message("Q", &[sql.as_bytes(), b"\0"].concat())
}

pub(super) fn extended(sql: &str) -> Vec<u8> {
    [
        message("P", &[b"\0", sql.as_bytes(), b"\0\0\0"].concat()),
        message("B", b"\0\0\0\0\0\0\0\0"),
        message("D", b"P\0"),
        message("E", b"\0\0\0\0\0"),
    ]
    .concat()
}

pub(super) fn done(tag: &str, status: &str) -> Vec<u8> {
    [message("C", &[tag.as_bytes(), b"\0"].concat()), message("Z", status.as_bytes())].concat()
}

pub(super) fn error(severity: &str, state: &str, text: &str) -> Vec<u8> {
    message("E", format!("S{severity}\0V{severity}\0C{state}\0M{text}\0\0").as_bytes())
}

fn greeting() -> Vec<u8> {
    let version = b"server_version\x0015.18 (Debian 15.18-0+deb12u1)\0";
    [message("R", &[0; 4]), message("S", version), message("Z", b"I")].concat()
}

impl Talk {
    fn new(assumed: bool) -> Talk {
        Talk { pg: Postgresql::begin(Opening { assumed, path: true }), at: 0 }
    }

    pub(super) fn logged_in() -> Talk {
        let names = "user\0app\0database\0shop\0application_name\0orders\0";
        Talk::new(false).client(&startup(names)).server(&greeting())
    }

    pub(super) fn client(self, octets: &[u8]) -> Talk {
        self.piece(Peer::Client, Piece::Data(octets))
    }

    pub(super) fn server(self, octets: &[u8]) -> Talk {
        self.piece(Peer::Server, Piece::Data(octets))
    }

    pub(super) fn piece(mut self, from: Peer, piece: Piece<'_>) -> Talk {
        self.at += 1;
        self.pg.take(from, Time::from_nanos(self.at), piece);
        assert!(self.pg.heap_octets() <= MAX_HEAP);
        self
    }

    pub(super) fn facts(&self) -> Facts {
        self.pg.facts(false)
    }
}

fn texts(all: &[&str]) -> Vec<Box<str>> {
    all.iter().map(|text| (*text).into()).collect()
}

#[test]
fn who_speaks_to_whom() {
    let facts = Talk::logged_in().facts();
    assert_eq!(facts.user.as_deref(), Some("app"));
    assert_eq!(facts.database.as_deref(), Some("shop"));
    assert_eq!(facts.application.as_deref(), Some("orders"));
    assert_eq!(facts.server.as_deref(), Some("15.18"));
    assert_eq!((facts.confirmed, facts.in_transaction), (Some(true), Some(false)));
    assert_eq!((facts.answered, facts.before_login), (None, None));
}

#[test]
fn a_transaction_by_simple_queries() {
    let talk = Talk::logged_in()
        .client(&query("BEGIN"))
        .server(&done("BEGIN", "T"))
        .client(&query("UPDATE t SET a='secret' WHERE id=7"))
        .server(&done("UPDATE 1", "T"));
    let facts = talk.facts();
    assert_eq!(facts.in_transaction, Some(true));
    assert_eq!(facts.begun, Some(Begun::By("BEGIN")));
    assert_eq!(facts.transaction_since, Some(Time::from_nanos(3)));
    assert_eq!(facts.statements, texts(&["BEGIN", "UPDATE t SET a=? WHERE id=?"]));
    let talk = talk.client(&query("SELECT nope")).server(
        &[error("ERROR", "42703", "column \"nope\" does not exist"), message("Z", b"E")].concat(),
    );
    let facts = talk.facts();
    assert_eq!((facts.in_transaction, facts.statements.len()), (Some(true), 3));
    let refused = facts.server_error.map(|error| (error.message, error.unsolicited));
    assert_eq!(refused, Some(("column \"?\" does not exist".into(), false)));
    let talk = talk.client(&query("ROLLBACK")).server(&done("ROLLBACK", "I"));
    let facts = talk.facts();
    assert_eq!((facts.in_transaction, facts.server_error), (Some(false), None));
    assert_eq!(facts.path.last(), Some(&crate::attach::PathStep::Said("ROLLBACK".into())));
}

#[test]
fn a_transaction_by_the_extended_protocol_and_what_prepared_it() {
    let sync = message("S", b"");
    let begin = [extended("BEGIN"), extended("SELECT $1"), sync.clone()].concat();
    let answer =
        [message("1", b""), message("2", b""), message("C", b"BEGIN\0"), done("SELECT 1", "T")];
    let talk = Talk::logged_in().client(&begin).server(&answer.concat());
    assert_eq!(talk.facts().statements, texts(&["BEGIN", "SELECT ?"]));
    let named = [message("P", b"s1\0DELETE FROM t WHERE id=$1\0\0\0"), sync.clone()].concat();
    let talk = talk.client(&named).server(&[message("1", b""), message("Z", b"T")].concat());
    let run = [message("B", b"\0s1\0\0\0\0\0\0\0"), message("E", b"\0\0\0\0\0"), sync].concat();
    let talk = talk.client(&run);
    assert_eq!(talk.facts().answered, Some(false));
    let talk = talk.server(&[message("2", b""), done("DELETE 1", "T")].concat());
    let facts = talk.facts();
    assert_eq!(facts.statements.last().map(|s| &**s), Some("DELETE FROM t WHERE id=?"));
    assert_eq!((facts.answered, facts.last_command), (Some(true), Some("Execute")));
}

/// The Sync commits what was carried out: before that, the server holds its locks and tells nobody.
#[test]
fn what_awaits_its_sync_is_no_known_end() {
    let flushed = [extended("DELETE FROM t"), message("H", b"")].concat();
    let answer = [message("1", b""), message("2", b""), message("C", b"DELETE 1\0")].concat();
    let talk = Talk::logged_in().client(&flushed).server(&answer);
    assert_eq!((talk.facts().in_transaction, talk.facts().answered), (None, None));
    let talk = talk.client(&message("S", b"")).server(&message("Z", b"I"));
    assert_eq!((talk.facts().in_transaction, talk.facts().answered), (Some(false), Some(true)));
    let talk = talk.client(&query("BEGIN")).server(&done("BEGIN", "T"));
    assert_eq!(talk.client(&flushed).server(&answer).facts().in_transaction, Some(true));
}

#[test]
fn a_name_that_is_taken_is_not_that_of_the_second_text() {
    let parse = |sql: &str| message("P", &[b"s1\0", sql.as_bytes(), b"\0\0\0"].concat());
    let sync = message("S", b"");
    let run = [message("B", b"\0s1\0\0\0\0\0\0\0"), message("E", b"\0\0\0\0\0"), sync.clone()];
    let parsed = [message("1", b""), message("Z", b"I")].concat();
    let taken = error("ERROR", "42P05", "prepared statement \"s1\" already exists");
    let last = |first: &str, between: Vec<u8>, second: &str| {
        let talk = Talk::logged_in().client(&[parse(first), sync.clone()].concat());
        let again = [between, parse(second), sync.clone()].concat();
        let refused = [taken.clone(), message("Z", b"I")].concat();
        let talk = talk.server(&parsed).client(&again).server(&refused);
        talk.client(&run.concat()).facts().last_statement
    };
    assert_eq!(last("SELECT 1", Vec::new(), "DELETE FROM t").as_deref(), Some("Execute"));
    assert_eq!(last("SELECT a", Vec::new(), "SELECT a").as_deref(), Some("SELECT a"));
    let closed = message("C", b"Ss1\0");
    assert_eq!(last("SELECT 1", closed, "DELETE FROM t").as_deref(), Some("DELETE FROM t"));
}

#[test]
fn one_transaction_after_another_is_not_the_same() {
    let talk = Talk::logged_in()
        .client(&query("BEGIN"))
        .server(&done("BEGIN", "T"))
        .client(&query("ROLLBACK TO a"))
        .server(&done("ROLLBACK", "T"));
    assert_eq!(talk.facts().statements, texts(&["BEGIN", "ROLLBACK TO a"]));
    let talk = talk.client(&query("COMMIT AND CHAIN")).server(&done("COMMIT", "T"));
    let facts = talk.facts();
    assert_eq!((facts.in_transaction, facts.begun), (Some(true), None));
    assert_eq!(facts.transaction_since, Some(Time::from_nanos(7)));
}

#[test]
fn the_server_says_why_it_closes() {
    let text = "terminating connection due to idle-session timeout";
    let facts = Talk::logged_in().server(&error("FATAL", "57P05", text)).facts();
    let said = facts.server_error.map(|error| (error.code, error.unsolicited));
    assert_eq!(said, Some((ErrorCode::Name("57P05".into()), true)));
    // PgBouncer has no field V.
    let pooler = message("E", b"SFATAL\0C08P01\0Midle transaction timeout\0\0");
    let talk = Talk::logged_in().client(&query("begin")).server(&done("BEGIN", "T"));
    let facts = talk.server(&pooler).facts();
    assert_eq!((facts.in_transaction, facts.server_error.is_some()), (Some(true), true));
}

/// A process of the server that has to end at once tells its client by a warning.
#[test]
fn a_warning_may_be_the_last_word() {
    let warning = |state: &str| message("N", format!("SWARNING\0C{state}\0Mx\0\0").as_bytes());
    let last = |talk: Talk| talk.facts().server_error.map(|it| (it.code, it.unsolicited));
    let asked = || Talk::logged_in().client(&query("SELECT 1"));
    for talk in [Talk::logged_in(), asked()] {
        let leave = Some((ErrorCode::Name("57P02".into()), true));
        assert_eq!(last(talk.server(&warning("57P02"))), leave);
    }
    assert_eq!(last(asked().server(&warning("01000"))), None);
    let raised = asked().server(&warning("57P02")).server(&done("SELECT 1", "I"));
    assert_eq!(last(raised), None, "a procedure said so");
}

/// The end of an answer may be in what was cut off; a client that asks again has had it.
#[test]
fn an_answer_that_was_cut_is_not_known_to_be_owed() {
    let fatal = error("FATAL", "08P01", "client_idle_timeout");
    let cut = |talk: Talk| {
        let talk = talk.client(&query("SELECT 1")).server(&message("1", b""));
        talk.piece(Peer::Server, Piece::Missing(60))
    };
    assert_eq!(cut(Talk::logged_in()).server(&fatal).facts().answered, None);
    let lost = Talk::logged_in().piece(Peer::Server, Piece::Missing(60));
    assert_eq!(cut(lost).server(&fatal).facts().answered, None);
    let talk = cut(Talk::logged_in()).server(&message("N", b"SNOTICE\0\0"));
    let talk = talk.client(&query("SELECT 2")).server(&done("SELECT 1", "I"));
    assert_eq!((talk.facts().answered, talk.facts().in_transaction), (Some(true), Some(false)));
}

/// A server that closes because it waited for its client has answered, and says where the transaction stands.
#[test]
fn whoever_waited_too_long_has_answered() {
    for (state, open) in [("25P03", true), ("57P05", false)] {
        let fatal = error("FATAL", state, "terminating connection due to a timeout");
        let begun = Talk::logged_in().client(&query("BEGIN")).server(&done("BEGIN", "T"));
        let cut = begun.client(&extended("SELECT 1")[..30]).piece(Peer::Client, Piece::Missing(40));
        let cut = cut.server(&message("1", b"")).piece(Peer::Server, Piece::Missing(60));
        let facts = cut.server(&fatal).facts();
        assert_eq!((facts.in_transaction, facts.answered), (Some(open), Some(true)), "{state}");
        assert_eq!(facts.transaction_since, None, "it may be another one");
    }
}

#[test]
fn what_was_asked_before_a_hole_is_not_the_last_thing() {
    let begun = || Talk::logged_in().client(&query("BEGIN")).server(&done("BEGIN", "T"));
    let facts = begun().piece(Peer::Client, Piece::Missing(40)).facts();
    assert_eq!((facts.last_statement, facts.last_statement_at), (None, None));
    let talk = begun().piece(Peer::Client, Piece::Missing(40)).server(&done("DELETE 1", "T"));
    assert_eq!((talk.facts().last_statement, talk.facts().in_transaction), (None, Some(true)));
    let talk = talk.client(&query("SELECT 1"));
    assert_eq!(talk.facts().last_statement.as_deref(), Some("SELECT ?"));
    // Of one request, the beginning names it.
    let cut = begun().client(&extended("SELECT 1")[..30]).piece(Peer::Client, Piece::Missing(40));
    assert_eq!(cut.facts().last_statement.as_deref(), Some("SELECT ?"));
}

/// The answer is to either of two requests, of which one was not seen: if the other changes nothing, it tells where the
/// transaction stands.
#[test]
fn the_end_of_a_segment_counts_after_a_hole_in_both_directions() {
    let left = |asked: &str, tag: &str, status: &str| {
        let begun = Talk::logged_in().client(&query("BEGIN")).server(&done("BEGIN", "T"));
        let lost = begun.piece(Peer::Server, Piece::Missing(20));
        let lost = lost.piece(Peer::Client, Piece::Missing(14)).client(&query(asked));
        lost.server(&done(tag, status))
    };
    let known = |talk: Talk| (talk.facts().in_transaction, talk.facts().answered);
    assert_eq!(known(left("BEGIN", "BEGIN", "T")), (Some(true), None));
    assert_eq!(known(left("UPDATE t SET a=1", "UPDATE 1", "T")), (Some(true), None));
    assert_eq!(known(left("COMMIT", "COMMIT", "I")), (Some(false), None));
    assert_eq!(known(left("COMMIT", "UPDATE 1", "T")), (None, None), "it may be on its way");
    assert_eq!(known(left("BEGIN", "COMMIT", "I")), (None, None));
    assert_eq!(known(left("DO 'x'; BEGIN", "DO", "T")), (None, None));
    let begun = Talk::logged_in().client(&query("BEGIN")).server(&done("BEGIN", "T"));
    let lost = begun.piece(Peer::Client, Piece::Missing(14)).client(&query("SELECT 1"));
    let again = lost.piece(Peer::Client, Piece::Missing(14)).server(&done("SELECT 1", "T"));
    assert_eq!(known(again).0, None, "that may have been its COMMIT");
}

/// Servers say in which file and line it was, too: a snap length may cut there, or in the text.
#[test]
fn an_error_that_is_cut_says_what_is_there_of_it() {
    let head = "SFATAL\0VFATAL\0C57P05\0M";
    let body = format!("{head}terminating connection\0Fpostgres.c\0L3344\0Rexec_simple\0\0");
    for captured in 0..7 {
        assert_eq!(Refusal::read(&body.as_bytes()[..captured], false), None, "{captured}");
    }
    // That it ends the session is what it says first.
    for captured in 7..20 {
        let said =
            Refusal::read(&body.as_bytes()[..captured], false).expect("an error").show(false);
        assert_eq!(
            (said.code, said.sqlstate, &*said.message),
            (ErrorCode::Name("FATAL".into()), None, "…")
        );
        assert!(said.unsolicited);
    }
    for captured in head.len() + 8..body.len() {
        let said = Refusal::read(&body.as_bytes()[..captured], false).expect("an error");
        assert_eq!((said.sqlstate.as_deref(), said.fatal), (Some("57P05"), true), "{captured}");
        let is_whole = &*said.message == "terminating connection";
        assert!(is_whole || said.message.ends_with('…'), "{captured}: {}", said.message);
    }
    assert_eq!(Refusal::read(&body.as_bytes()[..body.len() - 4], true), None);
}

#[test]
fn an_answer_behind_a_hole_is_not_to_what_was_asked_before_it() {
    let failed = || Talk::logged_in().client(&query("BEGIN")).server(&done("BEGIN", "T"));
    // Its answer was lost, what was asked next, and the beginning of the answer to that.
    let lost = failed().client(&query("NOTIFY ch")).piece(Peer::Client, Piece::Missing(22));
    let next = lost.piece(Peer::Server, Piece::Missing(99)).server(&done("ROLLBACK", "T"));
    let next = next.client(&query("SELECT 1")).server(&done("SELECT 1", "T")).facts();
    assert_eq!((next.in_transaction, next.statements), (Some(true), texts(&["SELECT ?"])));
}

#[test]
fn what_was_cut_off_behind_its_bind_is_not_the_statement_before() {
    let ready = [message("1", b""), message("2", b""), done("SELECT 1", "I")].concat();
    let sync = message("S", b"");
    let first = [extended("SELECT 1"), sync].concat();
    let bind = message("B", b"\0\0\0\0\0\0\0\0");
    let before = || Talk::logged_in().client(&first).server(&ready);
    assert_eq!(before().facts().last_statement.as_deref(), Some("SELECT ?"));
    let cut = before().client(&bind).piece(Peer::Client, Piece::Missing(15));
    assert_eq!((cut.facts().last_statement, cut.facts().truncated), (None, true));
    let parse = message("P", b"\0SELECT 2\0\0\0");
    let cut = before().client(&parse).piece(Peer::Client, Piece::Missing(15));
    assert!(cut.facts().last_statement.is_some(), "it is the latest that was seen of its unit");
}

#[test]
fn an_error_is_the_last_word_only_where_all_was_seen() {
    let failed = || Talk::logged_in().client(&query("SELEC")).server(&error("ERROR", "42601", "x"));
    assert!(failed().facts().server_error.is_some());
    let ended = || failed().server(&message("Z", b"I"));
    assert!(ended().facts().server_error.is_some());
    let lost = || ended().piece(Peer::Server, Piece::Missing(99));
    assert_eq!(lost().facts().server_error, None);
    let fatal = error("FATAL", "57P01", "x");
    let cut = lost().server(&fatal[..fatal.len() - 2]).server(b"more of it");
    assert_eq!(cut.facts().server_error, None);
    let cut =
        ended().server(&fatal[..9]).piece(Peer::Server, Piece::Missing(fatal.len() as u64 - 9));
    assert_ne!(cut.facts().server_error.map(|it| it.code), Some(ErrorCode::Name("42601".into())));
}

#[test]
fn an_error_without_its_code_tells_something_where_nothing_was_asked() {
    let cut = |talk: Talk| {
        let fatal = error("FATAL", "57P05", "terminating connection");
        let talk = talk.piece(Peer::Server, Piece::Data(&fatal[..14]));
        talk.piece(Peer::Server, Piece::Missing(fatal.len() as u64 - 14)).facts().server_error
    };
    let code = ErrorCode::Name("FATAL".into());
    assert_eq!(cut(Talk::logged_in()).map(|error| error.code), Some(code));
    assert_eq!(cut(Talk::logged_in().client(&query("SELECT 1"))), None);
    assert_eq!(cut(Talk::logged_in().piece(Peer::Server, Piece::Missing(9))), None);
    assert_eq!(cut(Talk::new(false).client(&startup("user\0app\0"))), None);
}

#[test]
fn before_the_login() {
    let names = startup("user\0app\0");
    let talk = Talk::new(false).client(&names);
    assert_eq!(talk.facts().before_login, Some(BeforeLogin::Unanswered));
    assert_eq!(talk.facts().database.as_deref(), Some("app"), "the user's");
    let denied = error("FATAL", "28P01", "password authentication failed for user \"app\"");
    let facts = talk.server(&denied).facts();
    assert_eq!(facts.before_login, Some(BeforeLogin::Denied));
    let full = error("FATAL", "53300", "sorry, too many clients already");
    let facts = Talk::new(false).client(&names).server(&full).facts();
    assert_eq!(facts.before_login, None);
    assert!(facts.server_error.is_some_and(|error| error.unsolicited));
}

#[test]
fn tls_cancel_and_goodbye() {
    let tls = message("", &[4, 210, 22, 47]);
    let facts = Talk::new(false).client(&tls).server(b"S").client(b"\x16\x03\x01").facts();
    assert!(facts.encrypted);
    let plain = Talk::new(false).client(&tls).server(b"N").client(&startup("user\0a\0"));
    let plain = plain.server(&greeting());
    assert_eq!((plain.facts().encrypted, plain.facts().in_transaction), (false, Some(false)));
    let cancel = message("", &[4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2]);
    let facts = Talk::new(false).client(&cancel).facts();
    assert_eq!((facts.announced.is_some(), facts.answered), (true, None));
    // Since version 3.2, a key can be longer.
    let long = message("", &[&[4, 210, 22, 46, 0, 0, 0, 1][..], &[7; 256]].concat());
    assert_eq!(Postgresql::probe(&long, Peer::Client), Probe::Sure);
    assert!(Talk::new(false).client(&long).facts().announced.is_some());
    let facts = Talk::logged_in().client(&message("X", b"")).facts();
    assert_eq!(facts.goodbye, Some("Terminate"));
}

#[test]
fn what_was_not_seen_is_not_known() {
    let talk = Talk::logged_in()
        .client(&query("BEGIN"))
        .server(&done("BEGIN", "T"))
        .piece(Peer::Client, Piece::Missing(40));
    assert_eq!((talk.facts().in_transaction, talk.facts().answered), (None, None));
    let talk = talk.server(&done("COMMIT", "I"));
    assert_eq!(talk.facts().in_transaction, Some(false));
    // The end of an answer is understood without its beginning.
    let talk = talk.client(&query("BEGIN")).piece(Peer::Server, Piece::Missing(900));
    assert_eq!(talk.facts().in_transaction, None);
    let rows = [b"rest of a row".to_vec(), message("Z", b"T")].concat();
    let facts = talk.server(&rows).facts();
    assert_eq!((facts.in_transaction, facts.transaction_since), (Some(true), None));
    assert!(facts.truncated);
}

#[test]
fn the_middle_of_a_conversation() {
    let missing = Piece::Missing(0);
    let late = |assumed| Talk::new(assumed).piece(Peer::Server, missing).server(&done("x", "T"));
    assert_eq!(late(true).facts().in_transaction, Some(true));
    let talk = Talk::new(true).piece(Peer::Client, missing).client(&query("BEGIN"));
    let talk = talk.piece(Peer::Server, missing).server(&done("BEGIN", "T"));
    let facts = talk.facts();
    assert_eq!((facts.in_transaction, facts.user), (Some(true), None));
    let unknown = Talk::new(false).piece(Peer::Client, missing).client(b"hello");
    assert!(unknown.pg.is_done());
}

#[test]
fn it_is_known_by_its_startup_message() {
    let missing = Piece::Missing(0);
    let talk = Talk::new(false).piece(Peer::Client, missing).client(&startup("user\0app\0"));
    assert_eq!(talk.facts().before_login, Some(BeforeLogin::Unanswered));
    let facts = talk.piece(Peer::Server, missing).server(&greeting()).facts();
    assert_eq!((facts.in_transaction, facts.truncated), (Some(false), false));
    assert_eq!(facts.last_statement, None);
}

#[test]
fn copies_and_calls() {
    let copy = Talk::logged_in()
        .client(&query("COPY t FROM STDIN"))
        .server(&message("G", b"\0\0\0"))
        .client(&[message("d", b"1\tsecret\n"), message("c", b"")].concat());
    assert_eq!(copy.facts().answered, Some(false));
    assert_eq!(copy.server(&done("COPY 1", "I")).facts().answered, Some(true));
    let sync = message("S", b"");
    let copy = Talk::logged_in()
        .client(&[extended("COPY t FROM STDIN"), sync.clone()].concat())
        .server(&message("G", b"\0\0\0"))
        .client(&[message("c", b""), sync].concat());
    assert_eq!(copy.server(&done("COPY 0", "I")).facts().answered, Some(true));
    let call = Talk::logged_in().client(&message("F", &[0; 14]));
    assert_eq!(
        (call.facts().answered, call.facts().last_command),
        (Some(false), Some("FunctionCall"))
    );
    let answer = [message("V", &[255; 4]), message("Z", b"I")].concat();
    assert_eq!(call.server(&answer).facts().answered, Some(true));
}

#[test]
fn a_copy_is_open_until_the_client_ends_it() {
    for begin in
        [query("COPY t FROM STDIN"), [extended("COPY t FROM STDIN"), message("S", b"")].concat()]
    {
        let talk = Talk::logged_in().client(&begin).server(&message("G", b"\0\0\0"));
        assert_eq!(
            (talk.facts().answered, talk.facts().in_transaction),
            (Some(false), Some(false))
        );
        assert_eq!(talk.piece(Peer::Server, Piece::Missing(9)).facts().answered, None);
    }
}

#[test]
fn it_waits_for_what_is_replicated() {
    let talk = Talk::logged_in().client(&query("START_REPLICATION 0/1"));
    let talk = talk.server(&message("W", b"\0\0\0")).client(&message("d", &[b'r'; 34]));
    let facts = talk.facts();
    assert_eq!((facts.waits_by, facts.in_transaction), (Some("START_REPLICATION"), Some(false)));
    let talk = talk.server(&message("d", b"k")).server(&done("COPY 0", "I"));
    assert_eq!(talk.facts().waits_by, None);
}

#[test]
fn another_protocol_is_none() {
    assert_eq!(Talk::new(true).client(b"GET / HTTP/1.1\r\n\r\n").facts().confirmed, Some(false));
    assert_eq!(Talk::new(true).server(b"\x4a\0\0\0\x0a8.0").facts().confirmed, Some(false));
    let names = startup("user\0app\0");
    assert_eq!(Postgresql::probe(&names, Peer::Client), Probe::Sure);
    assert_eq!(Postgresql::probe(&names[..12], Peer::Client), Probe::Likely);
    assert_eq!(Postgresql::probe(&names, Peer::Server), Probe::No);
    assert_eq!(Postgresql::probe(&[names, vec![0]].concat(), Peer::Client), Probe::No);
}

/// A conversation with everything in it, and where each part of it ends.
fn conversation() -> Vec<(Peer, Vec<u8>)> {
    let sync = message("S", b"");
    let names = startup("user\0app\0database\0shop\0");
    vec![
        (Peer::Client, names),
        (Peer::Server, greeting()),
        (Peer::Client, query("BEGIN")),
        (Peer::Server, done("BEGIN", "T")),
        (Peer::Client, [extended("UPDATE t SET a='secret'"), sync].concat()),
        (Peer::Server, [message("1", b""), message("2", b""), done("UPDATE 1", "T")].concat()),
        (Peer::Client, query("COMMIT")),
        (Peer::Server, done("COMMIT", "I")),
        (Peer::Client, query("SELECT 'secret'")),
        (Peer::Server, [message("D", b"\0\x01\0\0\0\x06secret"), done("SELECT 1", "I")].concat()),
        (Peer::Client, query("begin")),
        (Peer::Server, done("BEGIN", "T")),
    ]
}

proptest! {
    #![proptest_config(kept("postgresql", 512))]

    /// However it is cut into segments, it says the same.
    #[test]
    fn segments_change_nothing(cuts in prop::collection::vec(1usize..9, 1..40)) {
        let whole = conversation().into_iter().fold(Talk::new(true), |talk, (from, octets)| {
            talk.piece(from, Piece::Data(&octets))
        });
        let mut cuts = cuts.iter().cycle();
        let cut = conversation().into_iter().fold(Talk::new(true), |mut talk, (from, octets)| {
            let mut rest = &octets[..];
            while let (false, Some(len)) = (rest.is_empty(), cuts.next()) {
                let (piece, after) = rest.split_at((*len).min(rest.len()));
                talk = talk.piece(from, Piece::Data(piece));
                rest = after;
            }
            talk
        });
        let (whole, cut) = (whole.facts(), cut.facts());
        prop_assert_eq!(whole.statements, cut.statements);
        prop_assert_eq!((whole.in_transaction, whole.answered), (cut.in_transaction, cut.answered));
    }

    /// After every step, what was cut off or lost leaves the truth or nothing, and never a value.
    #[test]
    fn right_or_unknown(snap in 0usize..60, lost in prop::collection::vec(any::<prop::sample::Index>(), 0..3)) {
        let all = conversation();
        let lost: Vec<usize> = lost.iter().map(|index| index.index(all.len())).collect();
        let (mut whole, mut seen) = (Talk::new(true), Talk::new(true));
        for (at, (from, octets)) in all.iter().enumerate() {
            (whole.at, seen.at) = (10 * at as i128, 10 * at as i128);
            whole = whole.piece(*from, Piece::Data(octets));
            let kept = if lost.contains(&at) { 0 } else { snap.min(octets.len()) };
            if kept > 0 {
                seen = seen.piece(*from, Piece::Data(&octets[..kept]));
            }
            if kept < octets.len() {
                seen = seen.piece(*from, Piece::Missing((octets.len() - kept) as u64));
            }
            let (right, facts) = (whole.facts(), seen.facts());
            let known = facts.in_transaction;
            prop_assert!(known.is_none() || known == right.in_transaction, "{at}: {facts:?}");
            prop_assert!(facts.answered.is_none() || facts.answered == right.answered, "{at}: {facts:?}");
            let since = facts.transaction_since;
            prop_assert!(since.is_none() || since == right.transaction_since, "{at}: {facts:?}");
            prop_assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
        }
    }
}
