//! Does the server that holds a connection still owe its client an answer? What was said on it tells more than its packets.

mod common;

use common::talk::{ACK, CLIENT, FIN, SERVER, Talk};
use common::{Scratch, closewait, json_lines, text};
use serde_json::{Value, json};

/// The client closes, and the server holds for a minute.
fn closed_by_client(mut talk: Talk) -> Talk {
    talk.send(CLIENT, FIN | ACK, b"");
    talk.send(SERVER, ACK, b"");
    talk
}

fn report(talk: &Talk, more: &[&str]) -> Value {
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &talk.capture(60));
    let args = ["--format", "jsonl", "--local", "172.18.0.3", &path];
    let lines = json_lines(&closewait(&[&args[..], more].concat()));
    lines.into_iter().next().expect("a finding, or the summary")
}

fn asks(statement: &str) -> Talk {
    Talk::logged_in(3306).packet(CLIENT, 0, &[b"\x03", statement.as_bytes()].concat())
}

const UNANSWERED: [&str; 1] = ["unanswered"];

#[test]
fn a_request_that_nobody_answered_is_owed() {
    let flow = report(&closed_by_client(asks("SELECT SLEEP(70)")), &[]);
    assert_eq!((&flow["verdict"], &flow["doubts"]), (&json!("leak"), &json!(UNANSWERED)));
    // An answer that has only begun: one column, of which nothing more is said.
    let begun = asks("SELECT 1").packet(SERVER, 1, b"\x01");
    let flow = report(&closed_by_client(begun), &[]);
    assert_eq!((&flow["verdict"], &flow["doubts"]), (&json!("leak"), &json!(UNANSWERED)));
    let summary = report(&closed_by_client(asks("SELECT SLEEP(70)")), &["--certain"]);
    assert_eq!((&summary["type"], &summary["findings"]), (&json!("summary"), &json!(0)));
}

#[test]
fn who_took_its_leave_is_owed_nothing() {
    let quit = || closed_by_client(Talk::logged_in(3306).packet(CLIENT, 0, b"\x01"));
    let flow = report(&quit(), &["--certain"]);
    assert_eq!((&flow["cause"], &flow["finding"]), (&json!("forgotten"), &json!(true)));
    assert_eq!(flow["doubts"], json!([]));
    // By its packets alone, it may have been a request.
    assert_eq!(report(&quit(), &["--no-content"])["doubts"], json!(UNANSWERED));
}

/// The handshake was not captured: what is spoken says who the client is.
#[test]
fn a_client_is_known_by_what_it_speaks() {
    let mut talk = asks("SELECT SLEEP(70)");
    talk.records.drain(..3);
    let flow = report(&closed_by_client(talk), &[]);
    assert_eq!((&flow["notes"], &flow["doubts"]), (&json!(["midstream"]), &json!(UNANSWERED)));
}

/// And so is the service, though its port is the higher one.
#[test]
fn a_service_is_known_by_what_is_spoken() {
    let mut talk = Talk::between(40_000, 50_051)
        .say(CLIENT, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        .say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        .wait(5)
        .closed_by_server();
    talk.records.drain(..3);
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &talk.capture(60));
    let (out, _) = text(&closewait(&["--local", "172.18.0.5", &path]));
    assert!(out.contains("  1  peer 172.18.0.3:50051"), "{out}");
}

#[test]
fn an_answer_that_came_leaves_no_doubt() {
    let flow = report(&closed_by_client(Talk::logged_in(3306).ask("COMMIT", 0x0002)), &[]);
    assert_eq!((&flow["verdict"], &flow["doubts"]), (&json!("leak"), &json!([])));
}

/// MySQL answers no COM_STMT_CLOSE.
#[test]
fn what_has_no_answer_is_owed_none() {
    let close = b"\x19\x01\0\0\0";
    let talk = Talk::logged_in(3306).ask("COMMIT", 0x0002).wait(1).packet(CLIENT, 0, close);
    let flow = report(&closed_by_client(talk.wait(1)), &[]);
    assert_eq!((&flow["verdict"], &flow["doubts"]), (&json!("leak"), &json!([])));
    // Of a statement that was prepared.
    let prepared = Talk::logged_in(3306).packet(CLIENT, 0, b"\x16SELECT 1");
    let prepared = prepared.packet(SERVER, 1, b"\0\x01\0\0\0\0\0\0\0\0\0\0");
    let executed = prepared.packet(CLIENT, 0, b"\x17\x01\0\0\0\0\x01\0\0\0").ok(1, 0x0002);
    let flow = report(&closed_by_client(executed.packet(CLIENT, 0, close)), &[]);
    assert_eq!((&flow["mysql"]["answered"], &flow["doubts"]), (&json!(true), &json!([])), "{flow}");
}

/// The answer was sent, as a bare acknowledgement shows, and not captured: "not answered" was said of it.
#[test]
fn an_answer_that_was_lost_is_not_missing() {
    let told = |talk: &Talk| report(talk, &["--all"])["mysql"]["answered"].clone();
    assert_eq!(told(&asks("SELECT 1")), json!(false));
    let mut lost = asks("SELECT 1").ok(1, 0x0002);
    lost.records.pop();
    lost.send(CLIENT, ACK, b"");
    assert_eq!(told(&lost), Value::Null);
    // Nor is it where the capture begins with the request.
    lost.records.drain(..6);
    assert_eq!(told(&lost), Value::Null);
    let flow = report(&lost.wait(30).closed_by_server(), &["--local", "172.18.0.5"]);
    assert_eq!((&flow["cause"], &flow["mysql"]["answered"]), (&json!("unknown"), &Value::Null));
    // The client's own number shows that it has asked for more.
    let mut more = asks("SELECT 1").ok(1, 0x0002).packet(CLIENT, 0, b"\x03SELECT 2");
    more.records.pop();
    more.send(CLIENT, ACK, b"");
    let facts = &report(&more, &["--all"])["mysql"];
    assert_eq!((&facts["last_statement"], &facts["truncated"]), (&Value::Null, &json!(true)));
    // What waits for octets that were lost is the last word all the same.
    let mut hole = asks("SELECT 1").ok(1, 0x0002);
    hole.records.pop();
    let hole = hole.packet(CLIENT, 0, b"\x03SELECT 2").ok(1, 0x0002);
    assert_eq!(told(&hole), json!(true));
}

/// One direction alone was captured: what the other said is not known, and was not nothing.
#[test]
fn an_end_that_was_not_captured_was_not_silent() {
    let of = |end: usize, mut talk: Talk| {
        // After the handshake, they take turns.
        let mut at = 0;
        talk.records.retain(|_| {
            at += 1;
            [CLIENT, SERVER, CLIENT, CLIENT, SERVER].get(at - 1).copied().unwrap_or(at % 2) == end
        });
        report(&talk, &["--all"])
    };
    let begin = b"Q\0\0\0\x0aBEGIN\0";
    let begun = b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T";
    let login = b"\0\0\0\x12\0\x03\0\0user\0app\0\0";
    let postgresql = || {
        let talk =
            Talk::with(5432).say(CLIENT, login).say(SERVER, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
        talk.say(CLIENT, begin).say(SERVER, begun).closed_by_client()
    };
    let asked = of(CLIENT, postgresql());
    let (facts, null) = (&asked["postgresql"], &Value::Null);
    assert_eq!((&facts["answered"], &facts["in_transaction"]), (null, null), "{asked}");
    assert_eq!(facts["last_statement"], json!("BEGIN"));
    assert!(!asked["evidence"].to_string().contains("logged in"), "{asked}");
    let answered = of(SERVER, postgresql());
    assert!(!answered["evidence"].to_string().contains("logged in"), "{answered}");
    // Whether the other end has a socket still is not known.
    let quit = || Talk::with(6379).say(CLIENT, b"*1\r\n$4\r\nQUIT\r\n").say(SERVER, b"+OK\r\n");
    let flow = of(CLIENT, quit().closed_by_client());
    assert_eq!(flow["verdict"], json!("unknown"));
    assert!(flow["evidence"].to_string().contains("\"the client sent QUIT\""), "{flow}");
}

/// A client of PostgreSQL that asks for all results at the end of its pipeline, by a Flush behind its Sync, has had them.
#[test]
fn a_flush_behind_a_sync_waits_for_nothing() {
    let talk = Talk::with(5432).say(CLIENT, b"\0\0\0\x12\0\x03\0\0user\0app\0\0");
    let talk = talk.say(SERVER, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
    let asked = b"P\0\0\0\x10\0SELECT 1\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0";
    let talk = talk.say(CLIENT, asked).say(CLIENT, b"S\0\0\0\x04").say(CLIENT, b"H\0\0\0\x04");
    let talk = talk.say(SERVER, b"1\0\0\0\x042\0\0\0\x04C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
    let facts = &report(&talk, &["--all"])["postgresql"];
    assert_eq!((&facts["answered"], &facts["in_transaction"]), (&json!(true), &json!(false)));
}

/// A driver of Java sends up to a hundred statements of a batch at once: they are answered one by one.
#[test]
fn a_batch_that_is_sent_at_once_is_followed() {
    let insert = |n: usize| format!("\x03insert into accounts(id, balance) values({n}, 0)");
    let packet =
        |text: String| [&(text.len() as u32).to_le_bytes()[..3], b"\0", text.as_bytes()].concat();
    let asked: Vec<u8> = (0..100).flat_map(|n| packet(insert(n))).collect();
    for answered in [100, 99, 50] {
        let talk = Talk::logged_in(3306).ask("begin", 0x0003);
        let talk = asked.chunks(1_400).fold(talk, |talk, segment| talk.say(CLIENT, segment));
        let talk = (0..answered).fold(talk, |talk, _| talk.ok(1, 0x0003));
        let facts = &report(&talk.wait(9).closed_by_server(), &["--all"])["mysql"];
        assert_eq!(facts["answered"], answered == 100, "{facts}");
        assert_eq!(facts["user"], "app");
        assert!(answered < 100 || facts["in_transaction"] == true, "{facts}");
        assert_eq!(facts["last_statement"], "insert into accounts(id, balance) values (?, …)");
    }
}
