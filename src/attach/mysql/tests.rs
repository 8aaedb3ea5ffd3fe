//! Conversations built from the documentation of the protocol: synthetic, none was recorded.

use proptest::prelude::*;

use super::*;
use crate::attach::{Begun, ErrorCode, PathStep};
use crate::tcp::seq::Seq;
use crate::tcp::stream::{Chunk, Stream};

pub(super) const PROTOCOL_41: u32 = 0x0000_8000 | 0x0008_0000 | 0x0200 | 0x0001;
pub(super) const WITH_DB: u32 = 8;
const DEPRECATE_EOF: u32 = 1 << 24;
const ATTRIBUTES: u32 = 1 << 27;

pub(super) const IDLE: u16 = 2;
pub(super) const OPEN: u16 = 3;
const OPEN_0: u16 = 1;
const MORE: u16 = 8;

fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes()[..3], &[seq], payload].concat()
}

pub(super) fn ok(status: u16) -> Vec<u8> {
    [&[0, 0, 0][..], &status.to_le_bytes(), &[0, 0]].concat()
}

fn eof(status: u16) -> Vec<u8> {
    [&[0xfe, 0, 0][..], &status.to_le_bytes()].concat()
}

fn end(status: u16) -> Vec<u8> {
    [&[0xfe, 0, 0][..], &status.to_le_bytes(), &[0, 0]].concat()
}

pub(super) fn error(code: u16, state: &str, message: &str) -> Vec<u8> {
    [&[0xff][..], &code.to_le_bytes(), b"#", state.as_bytes(), message.as_bytes()].concat()
}

pub(super) fn query(sql: &str) -> Vec<u8> {
    [b"\x03", sql.as_bytes()].concat()
}

/// Packets in order, and who sent them.
#[derive(Clone, Debug, Default)]
pub(super) struct Talk {
    sent: Vec<(Peer, Vec<u8>)>,
    seq: u8,
    deprecates: bool,
}

impl Talk {
    fn push(mut self, from: Peer, payload: &[u8]) -> Talk {
        self.sent.push((from, packet(self.seq, payload)));
        self.seq = self.seq.wrapping_add(1);
        self
    }

    pub(super) fn client(mut self, payload: &[u8]) -> Talk {
        self.seq = 0;
        self.push(Peer::Client, payload)
    }

    pub(super) fn server(self, payload: &[u8]) -> Talk {
        self.push(Peer::Server, payload)
    }

    pub(super) fn greeting(self, version: &str, capabilities: u32) -> Talk {
        let low = (capabilities as u16).to_le_bytes();
        let high = ((capabilities >> 16) as u16).to_le_bytes();
        let numbers = [&[0][..], &[7, 0, 0, 0], &[b'x'; 8], &[0], &low, &[45, 2, 0], &high];
        let payload = [&[10], version.as_bytes(), &numbers.concat(), &[21], &[0; 10]].concat();
        let payload = [&payload[..], &[b'y'; 12], &[0], b"caching_sha2_password\0"].concat();
        self.server(&payload)
    }

    pub(super) fn login(mut self, capabilities: u32) -> Talk {
        self.deprecates = capabilities & DEPRECATE_EOF != 0;
        let numbers = [&capabilities.to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23]].concat();
        let names = [&b"app\0"[..], &[20], &[b'p'; 20], b"shop\0caching_sha2_password\0"].concat();
        self.push(Peer::Client, &[numbers, names].concat())
    }

    /// Through the fast way of `caching_sha2_password`.
    pub(super) fn logged_in(capabilities: u32) -> Talk {
        let all = PROTOCOL_41 | WITH_DB | capabilities;
        let talk = Talk::default().greeting("8.4.3", all | ATTRIBUTES | DEPRECATE_EOF).login(all);
        talk.server(&[1, 3]).server(&ok(IDLE))
    }

    pub(super) fn ask(self, sql: &str, status: u16) -> Talk {
        self.client(&query(sql)).server(&ok(status))
    }

    /// A result of one column and two rows.
    fn rows(mut self, status: u16) -> Talk {
        self =
            self.server(&[1]).server(b"\x03def\0\0\0\x011\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0");
        if !self.deprecates {
            self = self.server(&eof(status));
        }
        self = self.server(b"\x011").server(b"\x012");
        let end = if self.deprecates { end(status) } else { eof(status) };
        self.server(&end)
    }

    pub(super) fn read_by(&self, mysql: &mut Mysql) {
        for (at, (from, octets)) in self.sent.iter().enumerate() {
            mysql.take(*from, Time::from_nanos(at as i128), Piece::Data(octets));
        }
    }

    pub(super) fn facts(&self) -> Facts {
        let mut mysql = Mysql::new(false);
        self.read_by(&mut mysql);
        mysql.facts(false)
    }
}

pub(super) fn statements(facts: &Facts) -> Vec<&str> {
    facts.statements.iter().map(|statement| &**statement).collect()
}

#[test]
fn it_is_small() {
    assert!(size_of::<Mysql>() <= MAX_IDLE, "{}", size_of::<Mysql>());
    let mut mysql = Mysql::new(false);
    Talk::logged_in(0).ask("select 1", IDLE).read_by(&mut mysql);
    assert!(mysql.heap_octets() < 200, "{}", mysql.heap_octets());
}

#[test]
fn who_and_where() {
    let facts = Talk::logged_in(0).facts();
    assert_eq!(facts.server.as_deref(), Some("8.4.3"));
    assert_eq!(facts.user.as_deref(), Some("app"));
    assert_eq!(facts.database.as_deref(), Some("shop"));
    assert_eq!((facts.confirmed, facts.in_transaction), (Some(true), Some(false)));
    assert_eq!((facts.answered, facts.truncated), (None, false));
    let maria = Talk::default().greeting("5.5.5-10.11.6-MariaDB", PROTOCOL_41);
    assert_eq!(maria.facts().server.as_deref(), Some("10.11.6-MariaDB"));
    let talk = Talk::logged_in(0).client(b"\x02bank").server(&ok(IDLE));
    assert_eq!(talk.clone().facts().database.as_deref(), Some("bank"));
    assert_eq!(talk.ask("use `it`", IDLE).facts().database.as_deref(), Some("it"));
}

#[test]
fn an_open_transaction() {
    for capabilities in [0, DEPRECATE_EOF] {
        let talk = Talk::logged_in(capabilities).ask("BEGIN", OPEN);
        let since = talk.sent.len() as i128 - 2;
        let talk = talk.ask("UPDATE accounts SET balance=balance-10 WHERE id=7", OPEN);
        let talk = talk.client(&query("select 1")).rows(OPEN);
        let facts = talk.facts();
        assert_eq!((facts.in_transaction, facts.answered), (Some(true), Some(true)));
        assert_eq!(facts.transaction_since, Some(Time::from_nanos(since)));
        assert_eq!(facts.begun, Some(Begun::By("BEGIN")));
        let expected = ["BEGIN", "UPDATE accounts SET balance=balance-? WHERE id=?", "select ?"];
        assert_eq!(statements(&facts), expected);
        assert_eq!(facts.last_statement.as_deref(), Some("select ?"));
        let facts = talk.client(&query("COMMIT")).facts();
        assert_eq!((facts.in_transaction, facts.answered), (None, Some(false)));
    }
}

#[test]
fn autocommit_0() {
    let talk = Talk::logged_in(0).ask("set autocommit=0", 0).ask("update t set a=1", OPEN_0);
    let facts = talk.clone().ask("update t set a=2", OPEN_0).facts();
    assert_eq!(
        (facts.in_transaction, facts.begun),
        (Some(true), Some(Begun::Under("autocommit=0")))
    );
    assert_eq!(statements(&facts), ["update t set a=?", "update t set a=?"]);
    let facts = talk.clone().ask("commit", 0).facts();
    assert_eq!((facts.in_transaction, facts.statements.len()), (Some(false), 0));
    // Another one, so it is not known to be the one that began.
    let facts = talk.ask("call p()", OPEN_0).facts();
    assert_eq!((facts.in_transaction, facts.transaction_since), (Some(true), None));
}

#[test]
fn chains_and_several_statements() {
    let talk = Talk::logged_in(0).ask("begin", OPEN).ask("commit and chain", OPEN);
    assert_eq!(statements(&talk.facts()), ["commit and chain"]);
    let talk = Talk::logged_in(0).client(&query("begin; select 1; update t set a=1"));
    let talk = talk.server(&ok(OPEN | MORE)).rows(OPEN | MORE);
    assert_eq!(talk.facts().answered, Some(false));
    let facts = talk.server(&ok(OPEN)).facts();
    assert_eq!((facts.answered, facts.begun), (Some(true), Some(Begun::By("BEGIN"))));
    assert_eq!(statements(&facts), ["begin; select ?; update t set a=?"]);
    assert!(facts.transaction_since.is_some());
}

#[test]
fn errors() {
    let open = Talk::logged_in(0).ask("begin", OPEN);
    let fails = |code| {
        open.clone()
            .client(&query("insert into t values (1)"))
            .server(&error(code, "23000", "x\u{1b}"))
    };
    let facts = fails(1062).facts();
    assert_eq!(facts.in_transaction, Some(true), "it undoes the statement alone");
    assert_eq!(statements(&facts), ["begin", "insert into t values (?)"]);
    let said = facts.server_error.unwrap();
    assert_eq!(
        (said.code, said.unsolicited, &*said.message),
        (ErrorCode::Number(1062), false, "x\u{fffd}")
    );
    assert_eq!(fails(1213).facts().in_transaction, Some(false), "a deadlock undoes it all");
    let doubtful = fails(1205).facts();
    assert_eq!((doubtful.in_transaction, doubtful.statements.len()), (None, 2));
    assert_eq!(fails(1213).ask("select 1", IDLE).facts().in_transaction, Some(false));
    assert_eq!(fails(1062).ask("select 1", OPEN).facts().server_error, None);

    let mut talk = open.clone();
    talk.seq = 0;
    let facts = talk.server(&error(4031, "HY000", "The client was disconnected")).facts();
    let said = facts.server_error.unwrap();
    assert_eq!(
        (said.code, said.unsolicited, said.sqlstate.as_deref()),
        (ErrorCode::Number(4031), true, Some("HY000"))
    );
    for (code, ends) in [(1053, true), (1152, true), (1184, true), (1927, true), (1317, false)] {
        let said = fails(code).facts().server_error.unwrap();
        assert_eq!(said.unsolicited, ends, "{code}: the answer to a statement, and the last word");
        let goes_on = fails(code).ask("select 1", OPEN).facts();
        assert_eq!(goes_on.server_error, None, "{code}: a proxy went on");
    }
    let full = Talk::default().server(b"\xff\x10\x04Too many connections");
    assert_eq!(full.facts().server_error.unwrap().code, ErrorCode::Number(1040));
    let talk = Talk::default().greeting("8", PROTOCOL_41).login(PROTOCOL_41 | WITH_DB);
    assert_eq!(
        talk.server(&error(1045, "28000", "denied")).facts().server_error.unwrap().code,
        ErrorCode::Number(1045)
    );
}

#[test]
fn prepared_statements() {
    for capabilities in [0, DEPRECATE_EOF] {
        let mut talk = Talk::logged_in(capabilities).client(b"\x16UPDATE t SET a=? WHERE b=?");
        talk = talk.server(b"\0\x05\0\0\0\0\0\x02\0\0\0\0").server(b"\x03def?").server(b"\x03def?");
        if capabilities == 0 {
            talk = talk.server(&eof(IDLE));
        }
        assert_eq!(talk.facts().answered, Some(true));
        let talk = talk.client(b"\x17\x05\0\0\0\0\x01\0\0\0\0\x01").server(&ok(IDLE));
        let facts = talk.facts();
        assert_eq!(facts.last_statement.as_deref(), Some("UPDATE t SET a=? WHERE b=?"));
        assert_eq!(facts.last_command, Some("COM_STMT_EXECUTE"));
        let talk = talk.client(b"\x19\x05\0\0\0").client(b"\x17\x05\0\0\0\0\x01\0\0\0\0\x01");
        let facts = talk.facts();
        assert_eq!(facts.last_statement.as_deref(), Some("COM_STMT_EXECUTE"), "it was closed");
        assert_eq!(facts.answered, Some(false));
    }
}

#[test]
fn pipelined_commands() {
    let mut talk = Talk::logged_in(0);
    talk = talk.client(b"\x16select ?").client(b"\x17\xff\xff\xff\xff\0\x01\0\0\0\0\x01");
    talk = talk.client(b"\x0e");
    assert_eq!(talk.facts().answered, Some(false));
    talk.seq = 1;
    talk = talk.server(b"\0\x01\0\0\0\x01\0\x01\0\0\0\0").server(b"\x03def?");
    talk = talk.server(&eof(IDLE)).server(b"\x03def1").server(&eof(IDLE));
    talk.seq = 1;
    talk = talk.rows(OPEN_0);
    talk.seq = 1;
    let facts = talk.server(&ok(OPEN_0)).facts();
    assert_eq!((facts.answered, facts.truncated), (Some(true), false));
    assert_eq!(facts.last_statement.as_deref(), Some("COM_PING"));
    assert_eq!(statements(&facts), ["select ?"]);
}

#[test]
fn other_answers() {
    let talk =
        Talk::logged_in(ATTRIBUTES).client(b"\x03\0\x01load data local infile 'x' into table t");
    let mut talk = talk.server(b"\xfbx").push(Peer::Client, b"1\n2\n").push(Peer::Client, b"");
    assert_eq!(talk.facts().answered, Some(false));
    talk = talk.server(&ok(IDLE));
    let facts = talk.facts();
    assert_eq!(facts.last_statement.as_deref(), Some("load data local infile ? into table t"));
    assert_eq!(facts.answered, Some(true));
    talk = talk.client(b"\x03\x01\x01\0\x01\xfe\0\x02id\x03abcselect 5").rows(IDLE);
    assert_eq!(talk.facts().last_statement.as_deref(), Some("select ?"));
    talk = talk.client(b"\x09").server(b"Uptime: 5").client(b"\x1b\0\0").server(&eof(IDLE));
    assert_eq!(talk.facts().answered, Some(true));
    let change = b"\x11boss\0\x02ppbank\0";
    talk = talk.client(change).server(b"\xfeother\0").push(Peer::Client, b"pp").server(&ok(IDLE));
    let facts = talk.facts();
    assert_eq!((facts.user.as_deref(), facts.database.as_deref()), (Some("boss"), Some("bank")));
    let facts = talk.client(b"\x01").facts();
    assert_eq!((facts.goodbye, facts.truncated), (Some("COM_QUIT"), false));
    assert_eq!(facts.last_statement.as_deref(), Some("COM_QUIT"));
}

#[test]
fn what_cannot_be_read_is_said() {
    let all = PROTOCOL_41 | 0x0800 | 0x20;
    let greeted = Talk::default().greeting("8.0", all);
    let request = [&all.to_le_bytes()[..], &[0; 28]].concat();
    let facts = greeted.clone().push(Peer::Client, &request).facts();
    assert!(facts.encrypted && facts.user.is_none());
    let talk = greeted.login(PROTOCOL_41 | WITH_DB | 0x20).server(&ok(IDLE));
    assert!(talk.facts().compressed && talk.facts().user.is_some());
    for (from, garbage) in [
        (Peer::Client, &b"GET / HTTP/1.1\r\n"[..]),
        (Peer::Server, b"220 mail.example.org ESMTP"),
        (Peer::Server, b"SSH-2.0-OpenSSH_9.2"),
        (Peer::Server, &[0; 64]),
    ] {
        let mut mysql = Mysql::new(true);
        mysql.take(from, Time::UNKNOWN, Piece::Data(garbage));
        assert!(mysql.is_done(), "{garbage:?}");
        assert_eq!(mysql.facts(false).confirmed, Some(false));
    }
}

#[test]
fn a_lost_answer_is_unknown_until_the_next() {
    let mut mysql = Mysql::new(false);
    Talk::logged_in(0).ask("begin", OPEN).client(&query("commit")).read_by(&mut mysql);
    mysql.take(Peer::Server, Time::UNKNOWN, Piece::Missing(11));
    let facts = mysql.facts(false);
    assert_eq!((facts.in_transaction, facts.answered), (None, None));
    assert!(facts.truncated && facts.statements.is_empty());
    Talk::default().ask("update t set a=1", OPEN).read_by(&mut mysql);
    let facts = mysql.facts(false);
    assert_eq!((facts.in_transaction, facts.answered), (Some(true), Some(true)));
    assert_eq!((facts.transaction_since, facts.user.as_deref()), (None, Some("app")));
}

#[test]
fn an_error_is_the_last_word_only_where_all_was_seen() {
    let mut mysql = Mysql::new(false);
    let talk = Talk::logged_in(0).client(&query("selec")).server(&error(1064, "42000", "x"));
    talk.read_by(&mut mysql);
    assert!(mysql.facts(false).server_error.is_some());
    mysql.take(Peer::Server, Time::UNKNOWN, Piece::Missing(11));
    assert_eq!(mysql.facts(false).server_error, None);
    // By its number it answers a command that was not seen: the server went on.
    let mut mysql = Mysql::new(false);
    Talk::logged_in(0).ask("select 1", IDLE).read_by(&mut mysql);
    mysql.take(Peer::Client, Time::UNKNOWN, Piece::Missing(11));
    mysql.take(Peer::Server, Time::UNKNOWN, Piece::Data(&packet(1, &error(1064, "42000", "x"))));
    let told = mysql.facts(false).server_error.map(|error| error.unsolicited);
    assert_ne!(told, Some(true));
}

#[test]
fn a_capture_that_begins_in_the_middle() {
    let talk = Talk::default().client(&query("select 1")).rows(IDLE).ask("begin", OPEN);
    let talk = talk.client(b"\x0e").server(&ok(OPEN));
    for assumed in [true, false] {
        let mut mysql = Mysql::new(assumed);
        mysql.take(Peer::Client, Time::UNKNOWN, Piece::Missing(0));
        mysql.take(Peer::Server, Time::UNKNOWN, Piece::Missing(0));
        mysql.take(Peer::Server, Time::UNKNOWN, Piece::Data(b"the rest of an answer"));
        talk.read_by(&mut mysql);
        let facts = mysql.facts(false);
        assert!(facts.truncated);
        assert_eq!(facts.in_transaction, assumed.then_some(true));
        assert_eq!(statements(&facts), if assumed { vec!["begin"] } else { vec![] });
        assert_eq!(mysql.is_done(), !assumed);
    }
}

#[test]
fn long_packets_are_not_kept() {
    let long = "insert into t values ('".to_owned() + &"x".repeat(17 << 20) + "')";
    let long = query(&long);
    let (first, second) = long.split_at(0xff_ffff);
    let mut mysql = Mysql::new(false);
    let talk = Talk::logged_in(0).client(first).push(Peer::Client, second).server(&ok(IDLE));
    talk.read_by(&mut mysql);
    let facts = mysql.facts(false);
    assert_eq!((facts.answered, facts.truncated), (Some(true), false));
    assert_eq!(facts.last_statement.as_deref(), Some("insert into t values (?…"));
    assert!(mysql.heap_octets() < 8 * 1024, "{}", mysql.heap_octets());
}

/// Through two streams, in segments of these sizes, cut to `snap` octets.
fn through_streams(talk: &Talk, sizes: &[usize], snap: usize, swap: bool) -> (Facts, usize) {
    let mut mysql = Mysql::begin(Opening { assumed: false, path: true });
    let mut sizes = sizes.iter().cycle();
    let mut streams = [Stream::default(), Stream::default()];
    let mut next = [1_u32; 2];
    let (mut held, at) = (0, Time::from_nanos(1));
    for stream in &mut streams {
        stream.take(Chunk { at, seq: Seq(0), syn: true, len: 0, captured: b"" }, |_, _| {});
    }
    for run in talk.sent.chunk_by(|a, b| a.0 == b.0) {
        let from = run[0].0;
        let octets: Vec<u8> = run.iter().flat_map(|(_, packet)| packet.clone()).collect();
        let mut chunks: Vec<(u32, &[u8])> = Vec::new();
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            chunks.push((next[from as usize], chunk));
            next[from as usize] += chunk.len() as u32;
            rest = after;
        }
        if swap {
            // Neighbours change places, and all come twice. (A lone octet too early is not believed.)
            chunks
                .chunks_mut(2)
                .filter(|pair| pair.iter().all(|c| c.1.len() > 1))
                .for_each(<[_]>::reverse);
            chunks = chunks.iter().flat_map(|chunk| [*chunk, *chunk]).collect();
        }
        for (seq, chunk) in chunks {
            let captured = &chunk[..chunk.len().min(snap)];
            let chunk = Chunk { at, seq: Seq(seq), syn: false, len: chunk.len() as u32, captured };
            streams[from as usize].take(chunk, |at, piece| mysql.take(from, at, piece));
            held = held.max(mysql.heap_octets());
        }
    }
    (mysql.facts(false), held)
}

fn any_talk() -> impl Strategy<Value = (Talk, Vec<Option<bool>>)> {
    let step = (0..9u8, any::<bool>());
    (any::<bool>(), prop::collection::vec(step, 0..20)).prop_map(|(deprecates, steps)| {
        let mut talk = Talk::logged_in(if deprecates { DEPRECATE_EOF } else { 0 });
        let (mut open, mut history) = (false, Vec::new());
        for (step, flag) in steps {
            let status = |open: bool| if open { OPEN } else { IDLE };
            (talk, open) = match step {
                0 | 1 => (talk.ask("BEGIN", OPEN), true),
                2 => (talk.ask("COMMIT", IDLE), false),
                3 => (talk.client(&query("select 'x', 12")).rows(status(open)), open),
                4 => (talk.ask("update t set a=5 where b='secret'", status(open)), open),
                5 => (
                    talk.client(&query("select 1; begin"))
                        .rows(status(open) | MORE)
                        .server(&ok(OPEN)),
                    true,
                ),
                6 => (talk.client(b"\x0e").server(&ok(status(open))), open),
                7 if flag => (talk.client(&query("oops")).server(&error(1064, "42000", "?")), open),
                _ => (talk.client(b"\x19\x01\0\0\0"), open),
            };
            history.push(Some(open));
        }
        history.push(Some(open));
        (talk, history)
    })
}

proptest! {
    #![proptest_config(crate::regressions::kept("mysql", 300))]

    /// Segments are cut anywhere, reordered and repeated: the facts are the same.
    #[test]
    fn cuts_change_nothing((talk, history) in any_talk(), sizes in prop::collection::vec(1usize..60, 1..8), swap in any::<bool>()) {
        let whole = through_streams(&talk, &[1 << 20], usize::MAX, false).0;
        let cut = through_streams(&talk, &sizes, usize::MAX, swap).0;
        prop_assert_eq!(whole.in_transaction, *history.last().unwrap());
        prop_assert_eq!(whole, cut);
    }

    /// A snap length hides things, and makes nothing wrong.
    #[test]
    fn a_snap_length_makes_nothing_wrong((talk, _) in any_talk(), size in 20usize..200, snap in 0usize..120) {
        let whole = through_streams(&talk, &[size], usize::MAX, false).0;
        let cut = through_streams(&talk, &[size], snap, false).0;
        for (known, seen) in [(whole.in_transaction, cut.in_transaction), (whole.answered, cut.answered)] {
            prop_assert!(seen.is_none() || seen == known, "{:?} {:?}", seen, known);
        }
        prop_assert!(cut.user.is_none() || cut.user == whole.user);
        prop_assert!(cut.database.is_none() || cut.database == whole.database);
        prop_assert!(cut.server.is_none() || cut.server == whole.server);
        prop_assert!(cut.last_command.is_none() || cut.last_command == whole.last_command);
        prop_assert!(cut == whole || cut.truncated || cut.confirmed.is_none(), "{:?} {:?}", cut, whole);
    }

    /// Any octets, any holes: nothing breaks, and memory is bounded.
    #[test]
    fn nothing_breaks_it(
        assumed in any::<bool>(),
        (talk, _) in any_talk(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let mut sent: Vec<(Peer, Vec<u8>)> = talk.sent.clone();
        for (at, what, octets) in noise {
            let at = at.index(sent.len());
            match what % 4 {
                0 => sent[at].1 = octets,
                1 => { sent.remove(at);
                    sent.push((Peer::Client, vec![what])); }
                2 => { let again = sent[at].clone(); sent.push(again); }
                _ => { let len = sent[at].1.len(); if len > 0 { sent[at].1[octets.len() % len] ^= what; } }
            }
        }
        let mut mysql = Mysql::begin(Opening { assumed, path: true });
        for (from, octets) in sent {
            match octets.len() % 7 {
                0 => mysql.take(from, Time::UNKNOWN, Piece::Missing(octets.len() as u64)),
                _ => mysql.take(from, Time::UNKNOWN, Piece::Data(&octets)),
            }
            prop_assert!(mysql.heap_octets() <= MAX_HEAP);
            mysql.facts(true);
        }
    }
}

/// The worst that a connection can make of its memory.
#[test]
fn memory_is_bounded() {
    let mut mysql = Mysql::begin(Opening { assumed: false, path: true });
    let long = "x".repeat(5_000);
    let mut talk = Talk::logged_in(0).ask("begin", OPEN);
    for n in 0..100_u8 {
        talk = talk.ask(&format!("update t set a=1 /* {long} */"), OPEN);
        talk = talk.client(format!("\x16select {long}").as_bytes());
        talk = talk.server(&[0, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    for (from, octets) in &talk.sent {
        mysql.take(*from, Time::UNKNOWN, Piece::Data(octets));
        assert!(mysql.heap_octets() <= MAX_HEAP, "{}", mysql.heap_octets());
    }
    let facts = mysql.facts(false);
    let mut talk = Talk::default();
    for _ in 0..MAX_PENDING {
        talk = talk.client(&query(&long));
    }
    for (from, octets) in &talk.sent {
        mysql.take(*from, Time::UNKNOWN, Piece::Data(octets));
        assert!(mysql.heap_octets() <= MAX_HEAP, "{}", mysql.heap_octets());
    }
    assert!(facts.more_statements > 60 && facts.statements.len() < 60);
    assert!(mysql.heap_octets() > MAX_HEAP / 4, "{}", mysql.heap_octets());
}

fn path(talk: &Talk) -> Vec<String> {
    let mut mysql = Mysql::begin(Opening { assumed: false, path: true });
    talk.read_by(&mut mysql);
    mysql.facts(false).path.iter().map(|step| step.to_string()).collect()
}

#[test]
fn a_path_goes_to_its_end() {
    let talk = Talk::logged_in(0).ask("set names utf8", IDLE).ask("begin", OPEN);
    let update = talk.ask("update t set a=5", OPEN).client(b"\x0e").server(&ok(OPEN));
    assert_eq!(path(&update), ["begin", "update t set a=?"]);
    let closed = update.clone().ask("commit", IDLE).client(b"\x01");
    assert_eq!(path(&closed), ["begin", "update t set a=?", "commit", "COM_QUIT"]);
    let next = update.clone().ask("commit", IDLE).ask("select 1", IDLE).ask("begin", OPEN);
    assert_eq!(path(&next), ["begin"], "another transaction");
    let reset = update.clone().client(b"\x1f").server(&ok(IDLE));
    assert_eq!(path(&reset), ["begin", "update t set a=?", "COM_RESET_CONNECTION"]);
    let deadlock =
        update.clone().client(&query("delete from t")).server(&error(1213, "40001", "x"));
    assert_eq!(path(&deadlock)[2..], ["delete from t (error 1213)"]);
    let waiting = update.client(&query("delete from t"));
    assert_eq!(path(&waiting)[2..], ["delete from t"]);
    let implicit = Talk::logged_in(0).ask("set autocommit=0", 0).ask("select 1", OPEN_0);
    assert_eq!(path(&implicit), ["(autocommit=0)", "select ?"]);
    let nothing = Talk::logged_in(0).facts();
    assert!(nothing.path.is_empty());
}

#[test]
fn a_path_is_bounded() {
    let mut talk = Talk::logged_in(0).ask("begin", OPEN);
    for n in 0..100 {
        talk = talk.ask(&format!("update t{n} set a=1"), OPEN);
    }
    let inside = path(&talk.clone().ask("commit", IDLE));
    assert_eq!((inside.len(), &*inside[0]), (path::MAX_INSIDE + 1, "begin"));
    assert_eq!(inside[inside.len() - 2..], ["(more)", "commit"]);
    talk = talk.ask("commit", IDLE);
    for n in 0..100 {
        talk = talk.ask(&format!("select {n} from t{n}"), IDLE);
    }
    let outside = path(&talk);
    assert_eq!((outside.len(), &*outside[0]), (path::MAX_OUTSIDE + 1, "(more)"));
    assert_eq!(outside[1], "select ? from t92");
}

#[test]
fn what_a_path_cannot_know_it_says() {
    let mut mysql = Mysql::begin(Opening { assumed: true, path: true });
    mysql.take(Peer::Client, Time::UNKNOWN, Piece::Missing(0));
    mysql.take(Peer::Server, Time::UNKNOWN, Piece::Missing(0));
    mysql.take(Peer::Server, Time::UNKNOWN, Piece::Data(b"the rest of an answer"));
    Talk::default().ask("update t set a=1", OPEN).read_by(&mut mysql);
    let said = |text: &str| PathStep::Said(text.into());
    assert_eq!(*mysql.facts(false).path, [PathStep::NotCaptured, said("update t set a=?")]);
    Talk::default().client(&query("commit")).read_by(&mut mysql);
    mysql.take(Peer::Server, Time::UNKNOWN, Piece::Missing(11));
    Talk::default().ask("select 1", IDLE).read_by(&mut mysql);
    assert_eq!(mysql.facts(false).path[2..], [said("commit"), said("select ?")]);
}
