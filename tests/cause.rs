//! Why a connection was left, each cause from packets to the report. The packets are synthetic: what
//! no server at hand says (MySQL 8's last words) is built from the protocol's documentation.

mod common;

use common::talk::{ACK, CLIENT, FIN, RST, SECOND, SERVER, Talk};
use common::wire::{MICROSECONDS, Record};
use common::{Scratch, closewait, json_lines, text};
use serde_json::Value;

/// What is said of a conversation.
trait Told {
    fn report(self, more: &[&str]) -> Vec<Value>;
    fn report_after(self, seconds: u64, more: &[&str]) -> Vec<Value>;
}

impl Told for Talk {
    /// The last packet a minute later.
    fn report(self, more: &[&str]) -> Vec<Value> {
        self.report_after(60, more)
    }

    fn report_after(self, seconds: u64, more: &[&str]) -> Vec<Value> {
        let scratch = Scratch::new();
        let path = scratch.write("x.pcap", &self.capture(seconds));
        let args = ["--format", "jsonl", "--all", "--local", "172.18.0.5", &path];
        json_lines(&closewait(&[&args[..], more].concat()))
    }
}

fn cause(flow: &Value) -> &str {
    flow["cause"].as_str().unwrap_or_else(|| panic!("{flow}"))
}

fn says(flow: &Value, what: &str) {
    let evidence = flow["evidence"].as_array().expect("evidence");
    let found = evidence.iter().any(|e| e.as_str().is_some_and(|e| e.contains(what)));
    assert!(found, "{what}: {evidence:?}");
}

/// A login to MySQL with these capabilities.
fn login(capabilities: u32) -> Vec<u8> {
    [&capabilities.to_le_bytes()[..], b"\0\0\0\x01\x2d", &[0; 23], b"app\0\0shop\0x\0"].concat()
}

/// A client of PostgreSQL that has logged in.
fn postgresql() -> Talk {
    let talk = Talk::with(5432).say(CLIENT, b"\0\0\0\x12\0\x03\0\0user\0app\0\0");
    talk.say(SERVER, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
}

/// A capture that begins in the middle of TLS, on a port that its protocol is known by: "not captured" was said of it.
#[test]
fn what_is_encrypted_from_its_middle_on_is_said_to_be() {
    for (port, key) in [(5432, "postgresql"), (6379, "redis"), (5672, "amqp"), (9092, "kafka")] {
        let record = b"\x17\x03\x03\0\x04\x8f\x02\x9a\x31";
        let mut talk = Talk::with(port).say(CLIENT, record).say(SERVER, record).say(CLIENT, record);
        talk.records.drain(..3);
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow[key]["encrypted"]), ("unknown", &true.into()), "{port}");
        says(flow, "encrypted");
    }
}

/// Where TLS begins on a port that nobody knows, nothing tells that it was idle with nothing open: it was "forgotten".
#[test]
fn what_is_encrypted_on_any_port_is_said_to_be() {
    let client = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
    let server = b"\x16\x03\x03\x01\x7a\x02\0\0\x76\x03\x03";
    let sealed = b"\x17\x03\x03\0\x04\x8f\x02\x9a\x31";
    for first in [
        &[&client[..], server][..],
        &[client, sealed],
        &[b"220 mail\r\n", client],
        &[sealed, server],
    ] {
        let mut talk = Talk::between(41_000, 8443);
        for (said, by) in first.iter().zip([CLIENT, SERVER].into_iter().cycle()) {
            talk = talk.say(by, said);
        }
        let talk = talk.say(CLIENT, sealed).say(SERVER, sealed);
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow["verdict"]), ("unknown", &"leak".into()), "{first:?}");
        says(flow, "encrypted");
    }
    // Neither is a hello of TLS: the lengths of the first contradict each other.
    for other in [&b"\x16\x03\x01\x02\0\x01\0\0\x0c"[..], b"\x16\x03\x01\x02\0\x0e\0\x01\xfc"] {
        let talk = Talk::between(41_000, 8443).say(CLIENT, other).say(SERVER, b"of its own");
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!(cause(flow), "forgotten", "{other:?}");
    }
}

/// What was encrypted once, on a port where another connection spoke in clear, is no word of that protocol.
#[test]
fn what_is_encrypted_on_a_port_that_was_learnt_is_said_to_be() {
    let clear = Talk::between(41_000, 7443).say(CLIENT, b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
    let clear = clear.say(SERVER, b"HTTP/1.1 204 No Content\r\n\r\n").closed_by_server();
    let sealed =
        Talk::between(41_001, 7443).say(CLIENT, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03");
    let sealed = sealed.say(SERVER, b"\x16\x03\x03\x01\x7a\x02\0\0\x76\x03\x03");
    let mut both = sealed.wait(30).closed_by_server();
    both.records.splice(0..0, clear.records);
    let flows = both.report(&[]);
    let flow = flows.iter().find(|flow| flow["a"]["port"] == 41_001).expect("the second");
    assert_eq!(cause(flow), "unknown", "{flow}");
    says(flow, "encrypted");
}

/// PostgreSQL's `BEGIN` begins as a greeting of MySQL could: on a port that nobody knows, too, it is none.
#[test]
fn what_is_said_in_the_middle_of_postgresql_is_no_greeting() {
    let talk = Talk::between(41_000, 15432);
    let talk = talk.say(CLIENT, b"Q\0\0\0\x0aBEGIN\0");
    let talk = talk.say(SERVER, b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T");
    let mut talk = talk.say(CLIENT, b"Q\0\0\0\x0dSELECT 1\0");
    // Its beginning was not captured.
    talk.records.drain(..3);
    let flow = &talk.wait(5).closed_by_server().report(&[])[0];
    assert_eq!((&flow["mysql"], &flow["verdict"]), (&Value::Null, &"leak".into()), "{flow}");
}

/// Of a statement that was prepared before the capture, no text is known: it is counted as what it is.
#[test]
fn a_transaction_of_unknown_statements_is_said_in_a_whole_sentence() {
    let execute = [&[0x17, 7, 0, 0, 0, 0][..], &1_u32.to_le_bytes()].concat();
    let talk = Talk::logged_in(3306).packet(CLIENT, 0, &execute).ok(1, 0x0003);
    let flow = &talk.wait(30).closed_by_server().report(&[])[0];
    says(flow, "neither COMMIT nor ROLLBACK: 1 statement whose text is not known");
}

/// A server that answers a client which has given up, uses nothing that it has from a pool; nor does a client whose words
/// the peer still takes.
#[test]
fn an_answer_after_the_fin_is_no_use_of_an_old_connection() {
    let request = b"GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut talk = Talk::with(80).say(CLIENT, request).wait(1);
    talk.send(CLIENT, FIN | ACK, b"");
    talk.send(SERVER, ACK, b"");
    talk.nanos += 2 * SECOND;
    talk.send(SERVER, ACK, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    talk.send(CLIENT, ACK, b"");
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &talk.capture(60));
    let args = ["--format", "jsonl", "--all", "--local", "172.18.0.3", &path];
    let flow = &json_lines(&closewait(&args))[0];
    assert_ne!(cause(flow), "stale-reuse", "{flow}");
    let mut taken = Talk::with(7000).say(CLIENT, b"a").say(SERVER, b"b").wait(5).closed_by_server();
    taken.send(CLIENT, ACK, b"and more");
    taken.send(SERVER, ACK, b"");
    let flow = &taken.report(&[])[0];
    assert_ne!(cause(flow), "stale-reuse", "{flow}");
}

#[test]
fn a_transaction_that_was_open() {
    let talk = Talk::logged_in(3306).ask("BEGIN", 0x0003);
    let talk = talk.ask("UPDATE t SET a='secret' WHERE id=7", 0x0003);
    let flow = &talk.wait(50).closed_by_server().report(&[])[0];
    assert_eq!((cause(flow), &flow["verdict"]), ("transaction-open", &"leak".into()));
    let mysql = &flow["mysql"];
    assert_eq!(mysql["statements"], serde_json::json!(["BEGIN", "UPDATE t SET a=? WHERE id=?"]));
    assert_eq!((&mysql["user"], &mysql["database"]), (&"app".into(), &"shop".into()));
    assert_eq!((&mysql["version"], &mysql["answered"]), (&"8.0.36".into(), &true.into()));
    says(flow, "neither COMMIT nor ROLLBACK: BEGIN; UPDATE t SET a=? WHERE id=?");
    assert!(!flow.to_string().contains("secret"));
    let keys: Vec<&String> = mysql.as_object().expect("an object").keys().collect();
    let mut expected = [
        "version",
        "user",
        "database",
        "application_name",
        "driver",
        "last_statement",
        "last_statement_at",
        "answered",
        "in_transaction",
        "transaction_since",
        "statements",
        "tags",
        "server_error",
        "encrypted",
        "truncated",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
}

#[test]
fn values_are_shown_to_who_asks_for_them() {
    let talk = Talk::logged_in(3306).ask("SELECT '\u{1b}[31msecret'", 0x0002);
    let talk = talk.wait(50).closed_by_server();
    let flow = &talk.report(&["--show-literals"])[0];
    let last = flow["mysql"]["last_statement"].as_str().expect("a statement");
    assert!(last.contains("secret") && !last.contains('\u{1b}'), "{last}");
}

#[test]
fn a_greeting_that_was_never_answered() {
    for (seconds, is_default) in [(10, true), (30, false)] {
        let flow = &Talk::greeted(40_000, 3306).wait(seconds).closed_by_server().report(&[])[0];
        assert_eq!(cause(flow), "not-logged-in");
        says(flow, "the client never answered the server's greeting");
        assert_eq!(flow.to_string().contains("the default of connect_timeout"), is_default);
    }
}

#[test]
fn what_nobody_reads_is_unknown() {
    let talk = || Talk::logged_in(3306).ask("BEGIN", 0x0003).wait(50).closed_by_server();
    assert_eq!(cause(&talk().report(&[])[0]), "transaction-open");
    let flow = &talk().report(&["--no-content"])[0];
    assert_eq!((cause(flow), &flow["mysql"]), ("unknown", &serde_json::Value::Null));
    assert_eq!(flow["verdict"], "leak");
}

#[test]
fn forgotten_after_a_commit() {
    let talk = Talk::logged_in(3306).ask("BEGIN", 0x0003).ask("COMMIT", 0x0002);
    let flow = &talk.wait(50).closed_by_server().report(&[])[0];
    assert_eq!((cause(flow), &flow["mysql"]["in_transaction"]), ("forgotten", &false.into()));
    says(flow, "last statement 50.0 s before the FIN: COMMIT, answered");
}

/// MySQL 8.0.24 and later.
#[test]
fn the_server_said_why() {
    let talk = Talk::logged_in(3306).ask("SELECT 1", 0x0002).wait(600);
    let words =
        b"\xff\xbf\x0f#HY000The client was disconnected by the server because of inactivity.";
    let flow = &talk.packet(SERVER, 0, words).closed_by_server().report(&[])[0];
    assert_eq!(
        (cause(flow), &flow["mysql"]["server_error"]["code"]),
        ("server-said", &4031.into())
    );
    says(flow, "error 4031 The client was disconnected");
    // What the server said in the end is no use of the connection.
    assert_eq!(flow["idle_before_fin_s"].as_f64().map(f64::round), Some(600.0));
}

/// An error that ends the session is the server's word of leave, whatever was asked. After any other, a close at once is
/// not that of an idle connection.
#[test]
fn an_answer_may_be_the_servers_word_of_leave() {
    let failed = |code: u16, begun: bool| {
        let error = [&b"\xff"[..], &code.to_le_bytes(), b"#70100x"].concat();
        let talk = Talk::logged_in(3306);
        let talk = if begun { talk.ask("BEGIN", 3) } else { talk };
        talk.packet(CLIENT, 0, b"\x03SELECT SLEEP(9)").wait(5).packet(SERVER, 1, &error)
    };
    let left = |talk: Talk| talk.closed_by_server().report(&[]).swap_remove(0);
    for (code, begun) in [(1927, false), (1927, true), (1053, false), (1152, false)] {
        let flow = left(failed(code, begun));
        assert_eq!(cause(&flow), "server-said", "{code}");
        says(&flow, &format!("the server said before it closed: error {code} x"));
        if begun {
            says(&flow, "error 1927 ended it or not: BEGIN; SELECT SLEEP(?)");
        }
    }
    let interrupted = left(failed(1317, false));
    assert_eq!(cause(&interrupted), "unknown");
    says(&interrupted, "the server answered last: error 1317 x");
    assert_eq!(cause(&left(failed(1317, false).wait(30))), "forgotten");
}

#[test]
fn goodbye_and_no_close() {
    let talk = Talk::logged_in(3306).ask("BEGIN", 0x0003).packet(CLIENT, 0, b"\x01");
    let flow = &talk.closed_by_server().report(&[])[0];
    assert_eq!(cause(flow), "quit-unclosed");
    // The leave has no answer, and ends what was open.
    let mysql = &flow["mysql"];
    assert_eq!((&mysql["answered"], &mysql["in_transaction"]), (&Value::Null, &Value::Null));
    assert!(!flow["evidence"].to_string().contains("transaction"), "{flow}");
}

/// What has no answer is neither answered nor not, and the server owes nothing.
#[test]
fn requests_without_an_answer() {
    let silent = b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$4\r\nPING\r\n";
    let ping = b"*1\r\n$4\r\nPING\r\n";
    let talk = || Talk::with(6379).say(CLIENT, ping).say(SERVER, b"+PONG\r\n").say(CLIENT, silent);
    let flow = &talk().wait(30).closed_by_server().report(&[])[0];
    assert_eq!((cause(flow), &flow["redis"]["answered"]), ("forgotten", &Value::Null));
    let flow = &talk().closed_by_client().report(&["--local", "172.18.0.3"])[0];
    assert_eq!((&flow["verdict"], &flow["doubts"]), (&"leak".into(), &serde_json::json!([])));
}

/// A transaction is ended by other words in other protocols.
#[test]
fn the_words_that_did_not_come_are_the_protocols_own() {
    let multi = b"*1\r\n$5\r\nMULTI\r\n";
    let talk = Talk::with(6379).say(CLIENT, multi).say(SERVER, b"+OK\r\n");
    let flow = &talk.wait(30).closed_by_server().report(&[])[0];
    says(flow, "neither EXEC nor DISCARD");
}

/// What the client said explains why it closed, not why the server did not.
#[test]
fn a_server_that_never_closes_has_forgotten_its_client() {
    let words =
        b"\xff\xbf\x0f#HY000The client was disconnected by the server because of inactivity.";
    let quit = Talk::logged_in(3306).ask("BEGIN", 0x0003).packet(CLIENT, 0, b"\x01");
    let told = Talk::logged_in(3306).ask("SELECT 1", 0x0002).packet(SERVER, 0, words);
    for (talk, said) in [
        (quit, "the client sent COM_QUIT and closed; the server kept its socket"),
        (told, "the server said, and did not close: error 4031"),
    ] {
        let flow = &talk.closed_by_client().report(&["--local", "172.18.0.3"])[0];
        assert_eq!((cause(flow), &flow["holder"]), ("forgotten", &"b".into()));
        says(flow, said);
    }
}

#[test]
fn encrypted_is_unknown_and_said() {
    let capabilities = 0x0008_aa09_u32.to_le_bytes();
    let talk = Talk::logged_in(3306);
    drop(talk);
    let (low, high) = capabilities.split_at(2);
    let greeting =
        [b"\x0a8.0.36\0\x07\0\0\0xxxxxxxx\0", low, b"\x2d\x02\0", high, b"\x15", &[0; 10]];
    let greeting = [&greeting.concat(), &b"yyyyyyyyyyyy\0mysql_native_password\0"[..]].concat();
    let tls = [&capabilities[..], b"\0\0\0\x01\x2d", &[0; 23]].concat();
    let talk = Talk::with(3306).packet(SERVER, 0, &greeting).packet(CLIENT, 1, &tls);
    let talk = talk.say(CLIENT, b"\x16\x03\x01\0\x05hello").say(SERVER, b"\x16\x03\x03\0\x05hello");
    let flow = &talk.wait(50).closed_by_server().report(&[])[0];
    assert_eq!((cause(flow), &flow["mysql"]["encrypted"]), ("unknown", &true.into()));
    says(flow, "encrypted: no statement can be seen");
}

/// On another port the greeting tells; without any, `--mysql` does.
#[test]
fn another_port_is_told_by_the_greeting() {
    let begun = || Talk::logged_in(5999).ask("BEGIN", 0x0003).wait(50).closed_by_server();
    assert_eq!(cause(&begun().report(&[])[0]), "transaction-open");
    let mut late = begun();
    late.records.drain(..6);
    let flow = &late.report(&[])[0];
    assert_eq!((cause(flow), &flow["mysql"]), ("unknown", &Value::Null));
    let mut late = begun();
    late.records.drain(..6);
    let flow = &late.report(&["--mysql", "5999"])[0];
    assert_eq!(
        (cause(flow), &flow["mysql"]["statements"][0]),
        ("transaction-open", &"BEGIN".into())
    );
    assert_eq!(flow["mysql"]["user"], Value::Null, "it was not seen");
}

#[test]
fn tags_in_comments_say_which_code_sent_a_statement() {
    let sql = "UPDATE t SET a=1 /*controller='orders',action='update',token='s3cr3t'*/";
    let talk = Talk::logged_in(3306).ask("BEGIN", 3).ask(sql, 3).ask("SELECT 1", 3);
    let capture = talk.wait(50).closed_by_server().capture(5);
    let scratch = common::Scratch::new();
    let file = scratch.write("tags.pcap", &capture);
    let lines = common::json_lines(&common::closewait(&[&file, "--format", "jsonl"]));
    let tags = serde_json::json!({"action": "update", "controller": "orders"});
    assert_eq!(lines[0]["mysql"]["tags"], tags);
    says(&lines[0], "its comment says: action=update, controller=orders");
    for args in [&["--top", "0"][..], &["--folded"], &["--format", "csv"], &["--format", "jsonl"]] {
        let (text, _) = common::text(&common::closewait(&[&[&*file], args].concat()));
        assert!(!text.contains("s3cr3t") && !text.contains("token"), "{text}");
        assert!(
            args.len() == 2 && args[0] == "--format" || text.contains("by orders#update"),
            "{text}"
        );
    }
    let (csv, _) = common::text(&common::closewait(&[&file, "--format", "csv"]));
    assert!(csv.contains("action=update controller=orders"), "{csv}");
    // Looked for, they leave all other connections out, of every number and of the exit status.
    let looked_for = |tags: &[&str]| {
        let output = common::closewait(&[&[&*file, "--all", "--format", "jsonl"], tags].concat());
        let lines = common::json_lines(&output);
        let summary = lines.last().expect("a summary").clone();
        assert_eq!(summary["flows"], lines.len() - 1, "{summary}");
        (lines.len() - 1, summary["findings"].as_u64(), output.status.code())
    };
    assert_eq!(looked_for(&["--tag", "controller=orders"]), (1, Some(1), Some(1)));
    assert_eq!(looked_for(&["--tag", "controller=orders", "--tag", "action=update"]).0, 1);
    assert_eq!(looked_for(&["--tag", "controller=carts"]), (0, Some(0), Some(0)));
    let (none, _) = text(&common::closewait(&[&file, "--tag", "controller=carts"]));
    assert!(none.starts_with("No connection has all the tags that were asked for."), "{none}");
    assert_eq!(looked_for(&["--tag", "controller=orders", "--tag", "action=show"]).0, 0);
    let unknown = common::closewait(&[&file, "--tag", "token=s3cr3t"]);
    assert_eq!(unknown.status.code(), Some(2));
    // As one of the findings that are expected.
    for (code, status) in [("orders#update", 0), ("orders#show", 1)] {
        let expected = format!("leak = 1\nexact = true\n[[finding]]\ncode = \"{code}\"\n");
        scratch.write("tags.expect.toml", expected.as_bytes());
        let output = common::closewait(&["check", &file]);
        assert_eq!(output.status.code(), Some(status), "{:?}", common::text(&output));
    }
}

/// Of two connections that were left, one by code whose statements say so.
#[test]
fn check_judges_what_code_with_a_tag_left() {
    let by = |controller: &str, port: u16| {
        let sql = format!("UPDATE t SET a=1 /*controller='{controller}',action='update'*/");
        let talk = Talk::logged_in(port).ask("BEGIN", 3).ask(&sql, 3);
        talk.wait(50).closed_by_server().capture(5)
    };
    let scratch = common::Scratch::new();
    let orders = scratch.write("orders.pcap", &by("orders", 3306));
    let carts = scratch.write("carts.pcap", &by("carts", 3306));
    // Captures that hold a leak, and those that hold nothing to be judged: such a one is no pass.
    let check = |more: &[&str]| {
        let output = common::closewait(&[&["check"], more, &[&orders, &carts]].concat());
        let (out, _) = common::text(&output);
        let count = |sentence: &str| out.lines().filter(|line| line.contains(sentence)).count();
        let counts =
            [count("leak: expected at most 0, found 1"), count("flows: expected at least 1")];
        (counts, output.status.code(), out)
    };
    let by_orders = &["--tag", "controller=orders"][..];
    for (more, expected) in [
        (&[][..], [2, 0]),
        (by_orders, [1, 1]),
        (&[by_orders, &["--tag", "action=update"]].concat(), [1, 1]),
        (&[by_orders, &["--tag", "action=show"]].concat(), [0, 2]),
    ] {
        let (counts, status, out) = check(more);
        assert_eq!((counts, status), (expected, Some(1)), "{more:?} {out}");
    }
    let (_, status, _) = check(&["--tag", "token=s3cr3t"]);
    assert_eq!(status, Some(2), "no such key");
    // What an expectation says itself goes before the command line, and is written into a new one.
    scratch
        .write("carts.expect.toml", b"tag = [\"controller=carts\", \"action=update\"]\nleak = 1\n");
    let (counts, status, out) = check(by_orders);
    assert_eq!((counts, status), ([1, 0], Some(1)), "{out}");
    scratch.write("carts.expect.toml", b"tag = \"token=s3cr3t\"\n");
    let (_, status, out) = check(&[]);
    assert_eq!(status, Some(2), "{out}");
    let blessed = common::closewait(&["check", "--bless", "--tag", "controller=carts", &orders]);
    assert_eq!(blessed.status.code(), Some(0), "{:?}", common::text(&blessed));
    let beside = std::path::Path::new(&orders).with_file_name("orders.expect.toml");
    let written = std::fs::read_to_string(beside).expect("an expectation");
    assert!(written.contains("tag = \"controller=carts\"\nflows = 0\nleak = 0\n"), "{written}");
}

#[test]
fn other_protocols_are_forgotten_too() {
    let talk = Talk::with(6379).say(CLIENT, b"PING\r\n").say(SERVER, b"+PONG\r\n");
    let flow = &talk.wait(300).closed_by_server().report(&[])[0];
    assert_eq!((cause(flow), &flow["mysql"]), ("forgotten", &Value::Null));
    says(flow, "idle for 5 min");
    // Nothing was ever said: there is nothing to tell by.
    let flow = &Talk::with(6379).wait(300).closed_by_server().report(&[])[0];
    assert_eq!(cause(flow), "unknown");
}

/// A server of HTTP answers what is no request, and says that it closes.
#[test]
fn what_is_no_request_may_be_answered_in_http() {
    let refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let long = [b"GET / HTTP/1.1\r\nCookie: ", &[b'a'; 20_000][..]].concat();
    for asked in [&b"neither this nor that\r\n\r\n"[..], b"\0\x01\x02\x03 and so on", &long] {
        let talk = asked.chunks(1_400).fold(Talk::with(80), |talk, part| talk.say(CLIENT, part));
        let flow = &talk.say(SERVER, refusal).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow["http"]["answered"]), ("close-announced", &Value::Null));
        says(flow, "status 400");
    }
    let talk = Talk::with(80).say(CLIENT, b"neither this nor that").say(SERVER, b"but another");
    assert_eq!(talk.wait(30).closed_by_server().report(&[])[0]["http"], Value::Null);
}

/// A plain request tells nothing of those on its port that speak TLS.
#[test]
fn first_words_of_each_connection_tell_what_it_speaks() {
    let tls = |client: u16| {
        let talk = Talk::between(client, 8443).say(CLIENT, b"\x16\x03\x01\0\x05hello");
        talk.say(SERVER, b"\x16\x03\x03\0\x05hello")
    };
    let end = |talk: Talk| {
        let talk = talk.wait(2).say(CLIENT, b"\x17\x03\x03\0\x01x");
        talk.say(SERVER, b"\x17\x03\x03\0\x01y").wait(20).closed_by_server()
    };
    let mut plain = Talk::between(41_000, 8443).say(CLIENT, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    plain = plain.say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    // One begins before the request, one after it.
    let [before, after] = [end(tls(40_001)), end(tls(40_002).wait(1))];
    let mut all = plain.wait(40).closed_by_server();
    all.records.extend(before.records);
    all.records.extend(after.records.into_iter().map(|record| {
        let nanos = record.nanos + SECOND / 2;
        Record { nanos, ..record }
    }));
    all.records.sort_by_key(|record| record.nanos);
    let flows = all.report(&[]);
    let of = |port: u16| {
        let flow = flows.iter().find(|flow| flow["a"]["port"] == port).expect("a flow");
        (cause(flow), flow["http"].is_object())
    };
    assert_eq!(
        [40_001, 40_002, 41_000].map(of),
        [("unknown", false), ("unknown", false), ("forgotten", true)]
    );
}

/// What a snap length cut off may have been anything, on whatever port.
#[test]
fn what_was_cut_off_is_not_forgotten() {
    let talk =
        || Talk::with(7000).say(CLIENT, b"a question").say(SERVER, b"and an answer").wait(30);
    assert_eq!(cause(&talk().closed_by_server().report(&[])[0]), "forgotten");
    let mut cut = talk().closed_by_server();
    // Two octets of payload, as `-s 68` leaves them behind Ethernet, IPv4 and time stamps.
    let most = cut.records[0].data.len() + 2;
    cut.records = cut.records.into_iter().map(|record| record.snapped(most)).collect();
    assert_eq!(cause(&cut.report(&[])[0]), "unknown");
}

/// A request that is open is no idleness, whatever the protocol.
#[test]
fn a_statement_that_was_never_answered() {
    let mysql = Talk::logged_in(3306).packet(CLIENT, 0, b"\x03SELECT SLEEP(60)");
    for (talk, key) in [
        (mysql, "mysql"),
        (postgresql().say(CLIENT, b"Q\0\0\0\x18SELECT pg_sleep(60)\0"), "postgresql"),
    ] {
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow[key]["answered"]), ("unanswered", &false.into()));
        assert_eq!(flow[key]["in_transaction"], false);
        says(flow, "not answered");
    }
}

/// A replica, and a session that listens: none of the messages need ever have come.
#[test]
fn those_that_wait_for_messages() {
    let dump = b"\x12\x04\0\0\0\0\0\x09\0\0\0bin.1";
    let replica = Talk::logged_in(3306).packet(CLIENT, 0, dump);
    let replica = replica.packet(SERVER, 1, &[b"\0", &[7; 40][..]].concat());
    let listen = postgresql().say(CLIENT, b"Q\0\0\0\x0dLISTEN a\0");
    let listen = listen.say(SERVER, b"C\0\0\0\x0bLISTEN\0Z\0\0\0\x05I");
    for (talk, asked) in [(replica, "COM_BINLOG_DUMP"), (listen, "LISTEN")] {
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!(cause(flow), "subscribed", "{flow}");
        says(flow, &format!("it waited for messages that it had asked for with {asked}"));
        says(flow, "no transaction was open");
    }
    // One that acknowledges, one that got all there was and no more, and one that took its leave.
    let replica = || Talk::logged_in(3306).packet(CLIENT, 0, dump);
    let acknowledges =
        replica().packet(SERVER, 0, b"\0\xef\x01x").packet(CLIENT, 0, b"\xef12345678bin.1");
    let got_all = replica().packet(SERVER, 1, b"\0x").packet(SERVER, 2, b"\xfe\0\0\x02\0");
    let leaves = replica().packet(SERVER, 1, b"\0x").packet(CLIENT, 0, b"\x01");
    for (talk, right) in
        [(acknowledges, "subscribed"), (got_all, "forgotten"), (leaves, "quit-unclosed")]
    {
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow["mysql"]["truncated"]), (right, &false.into()));
    }
}

#[test]
fn encrypted_from_the_first_octet_on() {
    for (port, key) in [
        (3306, "mysql"),
        (5432, "postgresql"),
        (80, "http"),
        (6379, "redis"),
        (5672, "amqp"),
        (9092, "kafka"),
    ] {
        let talk = Talk::with(port).say(CLIENT, b"\x16\x03\x01\0\x05hello");
        let talk = talk.say(SERVER, b"\x16\x03\x03\0\x05hello").say(CLIENT, b"\x17\x03\x03\0\x01x");
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow[key]["encrypted"]), ("unknown", &true.into()), "{key}");
        says(flow, "encrypted: no statement can be seen");
    }
}

/// Captured from the SYN on, without a login: no transaction was open, and nothing was missed.
#[test]
fn nobody_had_logged_in() {
    let tls = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let startup = b"\0\0\0\x12\0\x03\0\0user\0app\0\0";
    let full = b"E\0\0\0\x2dSFATAL\0C53300\0Mtoo many clients already\0\0";
    let too_many = b"\xff\x10\x04#08004Too many connections";
    let blocked = b"\xff\x69\x04Host 'x' is blocked";
    let no_more = b"\xff\xca\x04#42000User 'app' has exceeded the 'max_user_connections' resource";
    let logging_in = || Talk::greeted(40_000, 3306).packet(CLIENT, 1, &login(0x0008_a209));
    let last = [
        (Talk::with(5432), "not-logged-in"),
        (Talk::with(5432).say(CLIENT, tls), "not-logged-in"),
        (Talk::with(5432).say(CLIENT, tls).say(SERVER, b"EFATAL: unsupported\0"), "not-logged-in"),
        (Talk::with(5432).say(CLIENT, startup), "not-logged-in"),
        (Talk::with(5432).say(CLIENT, startup).say(SERVER, full), "server-said"),
        (Talk::with(3306), "not-logged-in"),
        (Talk::greeted(40_000, 3306), "not-logged-in"),
        (Talk::with(3306).packet(SERVER, 0, too_many), "server-said"),
        (Talk::with(3306).packet(SERVER, 0, blocked), "server-said"),
        (logging_in().packet(SERVER, 2, too_many), "not-logged-in"),
        (logging_in().packet(SERVER, 2, no_more), "not-logged-in"),
        (Talk::with(5672), "not-logged-in"),
        (Talk::with(5672).say(CLIENT, b"AMQP\0\0\x09\x01"), "not-logged-in"),
    ];
    for (at, (talk, right)) in last.into_iter().enumerate() {
        let key = ["postgresql", "mysql", "amqp"].into_iter();
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        let said = key.map(|key| &flow[key]).find(|said| said.is_object()).expect("a protocol");
        assert_eq!((cause(flow), &said["in_transaction"]), (right, &false.into()), "{at}: {flow}");
        assert_eq!(said["truncated"], false, "{at}: {flow}");
        let evidence = flow["evidence"].to_string();
        assert!(
            !evidence.contains("captured") && !evidence.contains("last answer"),
            "{at}: {evidence}"
        );
        let is_said = [&["nobody had logged in", "refused the login"][..], &["none was begun"]]
            .map(|any| any.iter().any(|it| evidence.contains(it)));
        assert_eq!(is_said, [right == "not-logged-in", right == "server-said"], "{at}: {evidence}");
    }
}

/// Nothing is known of an end whose beginning was not captured.
#[test]
fn what_was_not_captured_may_have_been_a_login() {
    let left = || Talk::with(5432).wait(30).closed_by_server();
    for lost in [0..1, 1..2, 0..3] {
        let mut talk = left();
        talk.records.drain(lost.clone());
        let flow = &talk.report(&[])[0];
        assert_eq!(
            (cause(flow), &flow["postgresql"]["in_transaction"]),
            ("unknown", &Value::Null),
            "{lost:?}"
        );
    }
    // Two octets that are missing could have been any.
    let mut talk = Talk::with(5432).say(CLIENT, b"xx");
    talk.records.pop();
    let flow = &talk.wait(30).closed_by_server().report(&[])[0];
    assert_eq!((cause(flow), &flow["postgresql"]["in_transaction"]), ("unknown", &Value::Null));
    says(flow, "was not captured");
}

/// What an error does to a transaction is known, or is said to depend on the server.
#[test]
fn an_error_that_ends_a_transaction_or_not() {
    let begun = || Talk::logged_in(3306).ask("BEGIN", 3).ask("UPDATE t SET a=1", 3);
    let failed = |code: u16| {
        let error = [&b"\xff"[..], &code.to_le_bytes(), b"#HY000x"].concat();
        begun().packet(CLIENT, 0, b"\x03UPDATE t SET a=2").packet(SERVER, 1, &error)
    };
    let left = |talk: Talk| talk.wait(30).closed_by_server().report(&[]).swap_remove(0);
    let deadlock = left(failed(1213));
    assert_eq!(
        (cause(&deadlock), &deadlock["mysql"]["in_transaction"]),
        ("forgotten", &false.into())
    );
    assert_eq!(deadlock["mysql"]["statements"], serde_json::json!([]));
    let all = serde_json::json!(["BEGIN", "UPDATE t SET a=?", "UPDATE t SET a=?"]);
    for (code, by) in [(1205, ", by innodb_rollback_on_timeout"), (1206, "")] {
        let flow = left(failed(code));
        assert_eq!((cause(&flow), &flow["mysql"]["in_transaction"]), ("unknown", &Value::Null));
        assert_eq!(flow["mysql"]["statements"], all, "what was done in it is known");
        says(
            &flow,
            &format!(
                "neither COMMIT nor ROLLBACK; error {code} ended it or not{by}: BEGIN; UPDATE"
            ),
        );
    }
    // The next answer tells which.
    let goes_on = left(failed(1205).ask("SELECT 1", 3));
    assert_eq!(
        (cause(&goes_on), &goes_on["mysql"]["statements"][0]),
        ("transaction-open", &"BEGIN".into())
    );
    assert_eq!(goes_on["mysql"]["statements"].as_array().map(Vec::len), Some(4));
    assert_eq!(cause(&left(failed(1205).ask("SELECT 1", 2))), "forgotten");
    // Without autocommit, the next statement may have begun another one.
    let other = left(failed(1205).ask("SELECT 1", 1));
    assert_eq!(
        (cause(&other), &other["mysql"]["transaction_since"]),
        ("transaction-open", &Value::Null)
    );
    // Of one that was not even answered, nothing else is known.
    let unanswered = left(Talk::logged_in(3306).packet(CLIENT, 0, b"\x03BEGIN"));
    assert_eq!(
        (cause(&unanswered), &unanswered["mysql"]["in_transaction"]),
        ("unanswered", &Value::Null)
    );
    says(&unanswered, "is not known: the last statement was not answered");
}

/// Captured from the SYN on, a conversation is known from its beginning, whatever its port.
#[test]
fn the_first_connection_on_another_port_is_known_from_its_beginning() {
    let on = |port| Talk::logged_in(port).ask("BEGIN", 3).wait(30).closed_by_server();
    let usual = on(3306).report(&[])[0]["mysql"].clone();
    assert_eq!(on(5999).report(&[])[0]["mysql"], usual);
    // Whoever spoke before the greeting is a balancer.
    let greeted = Talk::greeted(40_000, 5999);
    let denied =
        greeted.packet(CLIENT, 1, &login(0x0008_a209)).packet(SERVER, 2, b"\xff\x15\x04#28000no");
    assert_eq!(cause(&denied.wait(30).closed_by_server().report(&[])[0]), "not-logged-in");
    let command = b"*1\r\n$4\r\nPING\r\n";
    let redis = Talk::with(5999).say(CLIENT, command).say(SERVER, b"+PONG\r\n");
    let flow = &redis.wait(30).closed_by_server().report(&[])[0];
    assert_eq!((cause(flow), &flow["redis"]["database"]), ("forgotten", &"0".into()));
    // Where it was taken up in the middle, another database may have been chosen before.
    let mut late =
        Talk::with(5999).say(CLIENT, command).say(SERVER, b"+PONG\r\n").wait(30).closed_by_server();
    late.records.drain(..3);
    assert_eq!(late.report(&[])[0]["redis"]["database"], Value::Null);
}

/// Commands of which none begins a transaction, whether they were answered or not.
#[test]
fn no_transaction_was_begun() {
    let get = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    let pop = b"*3\r\n$5\r\nBLPOP\r\n$1\r\na\r\n$1\r\n0\r\n";
    for (asked, right) in [(&get[..], "unanswered"), (pop, "subscribed")] {
        let flow = &Talk::with(6379).say(CLIENT, asked).wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow["redis"]["in_transaction"]), (right, &false.into()));
        says(flow, "no transaction was open: none was begun since the connection was");
    }
}

/// Nobody has used what nobody has ever said a word on.
#[test]
fn what_was_never_used_is_not_forgotten() {
    for port in [80, 9092, 6379] {
        let flow = &Talk::with(port).wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow["verdict"]), ("unknown", &"leak".into()), "{port}");
        // A balancer that looks whether the server is there says for whom, and nothing else.
        let looked = Talk::with(port).say(CLIENT, b"PROXY UNKNOWN\r\n");
        let flow = &looked.wait(30).closed_by_server().report(&[])[0];
        assert_eq!((cause(flow), &flow["verdict"]), ("unknown", &"leak".into()), "{port}");
    }
}

/// Who asks and hears nothing waits for an answer, as far as anybody knows.
#[test]
fn what_was_never_answered_is_not_forgotten() {
    let left = |talk: Talk| talk.wait(30).closed_by_server().report(&[]).swap_remove(0);
    let half = left(Talk::with(80).say(CLIENT, b"GET / HTTP/1.1\r\nHost: sh"));
    assert_eq!(cause(&half), "unanswered");
    says(&half, "a request had begun, and never came to its end");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(cause(&left(Talk::with(80).say(CLIENT, preface))), "unknown");
    assert_eq!(cause(&left(Talk::with(7000).say(CLIENT, b"anything"))), "unknown");
    let both = Talk::with(7000).say(CLIENT, b"anything").say(SERVER, b"and more");
    assert_eq!(cause(&left(both)), "forgotten");
}

/// The server cannot answer what has only begun, whatever it answered before.
#[test]
fn a_request_that_was_sent_in_part_is_not_forgotten() {
    let redis = |asked: &[u8]| {
        let ping = Talk::with(6379).say(CLIENT, b"*1\r\n$4\r\nPING\r\n");
        ping.say(SERVER, b"+PONG\r\n").say(CLIENT, asked)
    };
    let mysql = Talk::logged_in(3306).ask("SELECT 1", 2).say(CLIENT, b"\x40\0\0\0\x03SELECT");
    let half = [
        redis(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nx"),
        postgresql().say(CLIENT, b"Q\0\0\0\x40SELECT"),
        mysql,
    ];
    for talk in half {
        let flow = &talk.wait(30).closed_by_server().report(&[])[0];
        assert_eq!(cause(flow), "unanswered");
        says(flow, "a request had begun, and never came to its end");
    }
    let begun = Talk::logged_in(3306).ask("BEGIN", 3).say(CLIENT, b"\x40\0\0\0\x03SELECT");
    assert_eq!(cause(&begun.wait(30).closed_by_server().report(&[])[0]), "transaction-open");
    let whole = redis(b"*1\r\n$4\r\nPING\r\n").say(SERVER, b"+PONG\r\n");
    assert_eq!(cause(&whole.wait(30).closed_by_server().report(&[])[0]), "forgotten");
}

#[test]
fn what_is_sent_after_the_fin_is_a_half_close_or_too_late() {
    let talk = || Talk::with(80).say(CLIENT, b"ask").say(SERVER, b"answer").closed_by_server();
    let flow = &talk().say(CLIENT, b"more").report_after(5, &[])[0];
    assert_eq!((cause(flow), &flow["verdict"]), ("half-close", &"half-closed".into()));
    let flow = &talk().wait(9).say(CLIENT, b"again").report(&[])[0];
    assert_eq!((cause(flow), &flow["verdict"]), ("stale-reuse", &"leak".into()));
    let mut reset = talk().wait(9).say(CLIENT, b"again");
    reset.send(SERVER, RST, b"");
    let flow = &reset.report(&[])[0];
    assert_eq!((cause(flow), &flow["verdict"]), ("stale-reuse", &"reset".into()));
}

/// Nothing answers after the FIN, so nothing changes where the connection stood at it.
#[test]
fn what_is_asked_after_the_fin_was_not_open_at_it() {
    let taken = |mut talk: Talk, late: &[u8]| {
        talk = talk.closed_by_server().wait(2);
        talk.send(CLIENT, ACK, late);
        talk.send(SERVER, ACK, b"");
        talk.report(&[]).swap_remove(0)
    };
    let begun = Talk::logged_in(3306).ask("BEGIN", 3).wait(20);
    let flow = taken(begun, b"\x07\0\0\0\x03COMMIT");
    assert_eq!(cause(&flow), "transaction-open");
    let mysql = &flow["mysql"];
    assert_eq!(
        (&mysql["in_transaction"], &mysql["last_statement"]),
        (&true.into(), &"COMMIT".into())
    );
    says(&flow, "last statement after the FIN: COMMIT, not answered");
    let get = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let kept = || Talk::with(80).say(CLIENT, get).say(SERVER, ok).wait(5);
    let flow = taken(kept(), get);
    assert_eq!((cause(&flow), &flow["http"]["answered"]), ("stale-reuse", &false.into()));
    says(&flow, "the connection was used again: 30 octets of new payload after the peer's FIN");
    // Both crossed: it was open when the server closed.
    let mut crossed = kept();
    crossed.send(SERVER, FIN | ACK, b"");
    crossed.next[SERVER] -= 1;
    crossed.send(CLIENT, ACK, get);
    crossed.next[SERVER] += 1;
    crossed.send(CLIENT, ACK, b"");
    assert_eq!(cause(&crossed.report(&[])[0]), "unanswered");
    let left = taken(Talk::logged_in(3306).ask("SELECT 1", 2).wait(20), b"\x01\0\0\0\x01");
    assert_eq!(cause(&left), "quit-unclosed");
}

/// Where no packet of the server was captured before its FIN, the numbers tell whether it had answered.
#[test]
fn what_was_answered_unseen_was_not_open_at_the_fin() {
    let get = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (is_answered, is_late, told) in [
        (true, false, "unknown"),
        (true, true, "unknown"),
        (false, false, "unanswered"),
        (false, true, "unanswered"),
    ] {
        let mut talk = Talk::with(80).say(CLIENT, get);
        if is_answered {
            talk = talk.say(SERVER, ok);
            talk.records.pop();
            talk.send(CLIENT, ACK, b"");
        }
        talk.records.drain(..3);
        talk = talk.wait(5).closed_by_server().wait(2);
        if is_late {
            talk.send(CLIENT, ACK, get);
            talk.send(SERVER, ACK, b"");
        }
        let flow = &talk.report(&[])[0];
        assert_eq!(cause(flow), told, "{is_answered} {is_late}: {flow}");
    }
}

/// What was not captured is not said to have never been sent.
#[test]
fn who_spoke_unseen_did_not_send_nothing() {
    let why = |talk: Talk| {
        let scratch = Scratch::new();
        let path = scratch.write("x.pcap", &talk.closed_by_server().capture(60));
        text(&closewait(&[&path])).0
    };
    let mut talk = Talk::between(41_000, 9_999).say(CLIENT, b"asked").say(SERVER, b"answered");
    talk.records.remove(3);
    let report = why(talk);
    assert!(report.contains("unknown: not captured whole"), "{report}");
    let report = why(Talk::between(41_000, 9_999).say(SERVER, b"a greeting"));
    assert!(report.contains("unknown: it sent nothing"), "{report}");
}

#[test]
fn a_host_that_is_gone() {
    let closed = || {
        let mut talk = Talk::with(80).say(CLIENT, b"ask").say(SERVER, b"answer").wait(50);
        talk.send(SERVER, FIN | ACK, b"");
        talk
    };
    // Right after the FIN, the capture may simply have ended.
    let flow = &closed().report_after(0, &[])[0];
    assert_eq!((cause(flow), &flow["verdict"]), ("unknown", &"fin-unacked".into()));
    let mut talk = closed();
    talk.next[SERVER] -= 1;
    let mut talk = talk.wait(1);
    talk.send(SERVER, FIN | ACK, b"");
    let flow = &talk.report(&[])[0];
    assert_eq!((cause(flow), &flow["verdict"]), ("host-gone", &"fin-unacked".into()));
}

/// Who shut its window before, or answers after, is there.
#[test]
fn a_host_that_takes_nothing_is_not_gone() {
    let mut talk = Talk::with(80).say(CLIENT, b"ask").say(SERVER, b"answer").wait(1);
    talk.send(CLIENT, ACK, b"");
    // SEG.WND, behind Ethernet and IPv4.
    talk.records.last_mut().expect("an ACK").data[48..50].fill(0);
    let mut talk = talk.wait(50);
    talk.send(SERVER, FIN | ACK, b"");
    talk.next[SERVER] -= 1;
    let mut talk = talk.wait(1);
    talk.send(SERVER, FIN | ACK, b"");
    let flow = &talk.report(&[])[0];
    assert_eq!((cause(flow), &flow["verdict"]), ("unknown", &"fin-unacked".into()));
}

#[test]
fn healthy_connections_have_no_cause() {
    let mut talk = Talk::logged_in(3306).ask("SELECT 1", 0x0002).packet(CLIENT, 0, b"\x01");
    talk.send(CLIENT, FIN | ACK, b"");
    talk.send(SERVER, FIN | ACK, b"");
    talk.send(CLIENT, ACK, b"");
    let flow = &talk.report(&[])[0];
    assert_eq!((&flow["cause"], &flow["verdict"]), (&Value::Null, &"closed".into()));
}

/// The screen: by peer, cause and statements; nothing from the wire reaches it as it is.
#[test]
fn the_text_groups_by_cause_and_statements() {
    let talk = Talk::logged_in(3306).ask("BEGIN", 0x0003).ask("UPDATE `a\u{1b}b` SET x=1", 0x0003);
    let talk = talk.wait(60).closed_by_server();
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &talk.capture(60));
    let (out, _) = text(&closewait(&["--utc", &path]));
    let mut lines = out.lines().skip_while(|line| !line.contains("transaction-open"));
    let (group, details) = (lines.next().expect("a group"), lines.next().expect("its details"));
    assert!(group.starts_with("  1  peer 172.18.0.3:3306  held"), "{out}");
    assert!(details.contains("BEGIN; UPDATE"), "{out}");
    assert!(!out.contains('\u{1b}'), "{out:?}");
}

/// Two hosts that leak towards one database at the same time are one group, and that is said.
#[test]
fn the_same_cause_on_two_hosts_is_one_group() {
    let scratch = Scratch::new();
    let capture = |name: &str, client: &'static str| {
        let mut talk = Talk::logged_in(3306).ask("BEGIN", 0x0003).wait(60).closed_by_server();
        talk.records.push(Record::new(talk.nanos + 60 * SECOND, common::wire::arp()));
        let own = client.parse::<std::net::Ipv4Addr>().expect("an address").octets();
        for record in &mut talk.records {
            // Source and destination, in whichever of them the client is.
            for at in [26, 30] {
                if record.data.get(at..at + 4) == Some(&[172, 18, 0, 5]) {
                    record.data[at..at + 4].copy_from_slice(&own);
                }
            }
            // No two connections have both initial numbers in common.
            for at in [38, 42] {
                let Some(number) = record.data.get_mut(at..at + 4) else { continue };
                let is = u32::from_be_bytes(number.try_into().expect("four octets"));
                let new = if is == 0 { 0 } else { is + u32::from(own[3]) * 1_000 };
                number.copy_from_slice(&new.to_be_bytes());
            }
        }
        scratch.write(name, &MICROSECONDS.write(1, &talk.records))
    };
    let (one, other) = (capture("a.pcap", "172.18.0.5"), capture("b.pcap", "172.18.0.6"));
    let (out, _) = text(&closewait(&[
        "--utc",
        "--local",
        "172.18.0.5",
        "--local",
        "172.18.0.6",
        &one,
        &other,
    ]));
    let mut lines = out.lines().skip_while(|line| !line.contains("transaction-open"));
    let (group, line) = (lines.next().expect("a group"), lines.next().expect("its details"));
    assert!(group.starts_with("  2  peer 172.18.0.3:3306  held"), "{out}");
    assert!(line.contains("at 2 addresses, begun 0 s apart") && line.contains("BEGIN"), "{line}");
}

/// A larger snap length would show no more of it.
#[test]
fn another_protocol_since_is_not_cut_off() {
    let socket = Talk::with(80).say(CLIENT, b"GET /ws HTTP/1.1\r\nHost: shop\r\n\r\n");
    let socket = socket.say(SERVER, b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    let tunnel = Talk::with(8080).say(CLIENT, b"CONNECT shop:443 HTTP/1.1\r\n\r\n");
    let tunnel = tunnel.say(SERVER, b"HTTP/1.1 200 OK\r\n\r\n");
    for (talk, asked) in [(socket, "GET /ws"), (tunnel, "CONNECT ?")] {
        let talk = talk.say(SERVER, b"\x81\x05hello").say(CLIENT, b"\x81\x05hello");
        let capture = talk.wait(30).closed_by_server().capture(60);
        let scratch = Scratch::new();
        let path = scratch.write("x.pcap", &capture);
        let args = ["--local", "172.18.0.5", &path];
        assert!(text(&closewait(&args)).0.contains("unknown: another protocol since"), "{asked}");
        let flow = &json_lines(&closewait(&[&args[..], &["--format", "jsonl"]].concat()))[0];
        says(flow, &format!("{asked}, answered"));
        assert_eq!((cause(flow), &flow["http"]["truncated"]), ("unknown", &false.into()));
    }
}

/// The server's FIN is lost, and acknowledged.
fn closed_unseen(talk: Talk) -> Talk {
    let mut talk = talk.closed_by_server();
    talk.records.remove(talk.records.len() - 2);
    talk
}

#[test]
fn a_fin_that_was_not_captured_changes_no_cause() {
    let method = |channel: u8, class: u8, method: u8, rest: &[u8]| {
        let len = [0, 0, 0, rest.len() as u8 + 4];
        [&[1, 0, channel][..], &len, &[0, class, 0, method], rest, b"\xce"].concat()
    };
    let tune = b"\x07\xff\0\x02\0\0\0\x02";
    let beating = || {
        let talk = Talk::with(5672).say(CLIENT, b"AMQP\0\0\x09\x01");
        let start = b"\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US";
        let talk = talk.say(SERVER, &method(0, 10, 10, start));
        let start_ok = b"\0\0\0\0\x05PLAIN\0\0\0\x06\0app\0x\x05en_US";
        let talk = talk.say(CLIENT, &method(0, 10, 11, start_ok));
        let talk = talk.say(SERVER, &method(0, 10, 30, tune));
        let both = [method(0, 10, 31, tune), method(0, 10, 40, b"\x01/\0\0")].concat();
        let talk = talk.say(CLIENT, &both).say(SERVER, &method(0, 10, 41, b"\0"));
        let talk = talk.say(CLIENT, &method(1, 20, 10, b"\0"));
        talk.say(SERVER, &method(1, 20, 11, b"\0\0\0\0"))
    };
    for (seconds, right) in [(3, "forgotten"), (6, "missed-heartbeats")] {
        for talk in
            [beating().wait(seconds).closed_by_server(), closed_unseen(beating().wait(seconds))]
        {
            let flow = &talk.report(&[])[0];
            assert_eq!(cause(flow), right, "{seconds}: {flow}");
        }
    }
    let asked = Talk::with(80).say(CLIENT, b"GET /a HTTP/1.1\r\nHost: shop\r\n\r\n");
    let answered = asked.say(SERVER, b"HTTP/1.1 200 OK\r\n\r\nto the end");
    let flow = &closed_unseen(answered).report(&[])[0];
    assert_eq!((cause(flow), &flow["http"]["answered"]), ("close-announced", &Value::Null));
}

/// What came may have been asked for before the capture.
#[test]
fn a_first_answer_from_the_middle_on_may_be_to_anything() {
    let get = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    let from_the_middle = |command: &[u8], answer: &[u8]| {
        let mut talk = Talk::with(6379).say(CLIENT, command).say(SERVER, answer);
        talk.records.drain(..3);
        talk.wait(30).closed_by_server().report(&[]).remove(0)
    };
    let flow = from_the_middle(&get.repeat(3), b"$-1\r\n$-1\r\n");
    assert_eq!((cause(&flow), &flow["redis"]["answered"]), ("unknown", &Value::Null));
    let psync = b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n";
    assert_eq!(cause(&from_the_middle(psync, b"+FULLRESYNC aaaa 0\r\n")), "subscribed");
    let ping = b"*1\r\n$4\r\nPING\r\n";
    let pong = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    assert_eq!(cause(&from_the_middle(ping, pong)), "subscribed");
}
