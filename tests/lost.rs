//! What was lost is unknown, and nothing is made of it: connections of which segments are missing, or a direction.

mod common;

use common::talk::{CLIENT, SERVER, Talk};
use common::{Scratch, closewait, json_lines};
use serde_json::{Value, json};

/// The flow of a conversation that its server closed half a minute later.
fn flow(talk: Talk, without: &dyn Fn(usize) -> bool) -> Value {
    let mut talk = talk.wait(30).closed_by_server();
    let mut at = 0;
    talk.records.retain(|_| {
        at += 1;
        !without(at - 1)
    });
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &talk.capture(60));
    let args = ["--format", "jsonl", "--all", "--local", "172.18.0.5", &path];
    json_lines(&closewait(&args)).remove(0)
}

/// The packets of a handshake.
const HANDSHAKE: usize = 3;

/// The flow without the turns of these numbers.
fn without(talk: Talk, lost: &[usize]) -> Value {
    flow(talk, &|at| at.checked_sub(HANDSHAKE).is_some_and(|turn| lost.contains(&turn)))
}

/// What was said in turns, the client first.
fn turns(port: u16, said: &[&[u8]]) -> Talk {
    let by = [CLIENT, SERVER].into_iter().cycle();
    said.iter().zip(by).fold(Talk::with(port), |talk, (octets, by)| talk.say(by, octets))
}

/// A command of Redis.
fn command(line: &str) -> Vec<u8> {
    let words = line.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", line.split(' ').count(), words.collect::<String>()).into_bytes()
}

fn redis(said: &[(&str, &str)]) -> Talk {
    let said: Vec<_> = said.iter().map(|(ask, answer)| (command(ask), answer.as_bytes())).collect();
    let octets: Vec<&[u8]> = said.iter().flat_map(|(ask, answer)| [&ask[..], answer]).collect();
    turns(6379, &octets)
}

fn postgresql(said: &[&[u8]]) -> Talk {
    let login: [&[u8]; 2] =
        [b"\0\0\0\x12\0\x03\0\0user\0app\0\0", b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"];
    turns(5432, &[&login[..], said].concat())
}

/// A server's list may begin as a command does: it was read as one, by the wrong end, if that it answers was lost.
#[test]
fn an_answer_to_what_was_lost_is_no_request() {
    let talk = redis(&[("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n")]);
    let flow = without(talk, &[0]);
    assert_eq!(flow["redis"]["last_statement"], Value::Null, "{flow}");
    assert_eq!(flow["cause"], "unknown");
}

#[test]
fn whoever_may_have_reset_its_connection_is_not_subscribed() {
    let said = [
        ("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"),
        ("RESET", "+RESET\r\n"),
        ("GET k", "$1\r\nv\r\n"),
    ];
    assert_eq!(without(redis(&said[..1]), &[])["cause"], "subscribed");
    for count in [2, 3] {
        let flow = without(redis(&said[..count]), &[2]);
        assert_ne!(flow["cause"], "subscribed", "{flow}");
    }
}

/// An answer whose question was not captured does not say why the server closes.
#[test]
fn an_error_on_one_side_alone_is_an_answer() {
    let talk = redis(&[("GET k", "-WRONGTYPE Operation against a key\r\n")]);
    let flow = flow(talk, &|at| [0, 2, 3, 6].contains(&at));
    assert_eq!(flow["redis"]["server_error"]["code"], "WRONGTYPE", "{flow}");
    assert_eq!(flow["cause"], "unknown", "{flow}");
}

/// What was lost may have asked for silence: until something is answered, nothing is known to be owed.
#[test]
fn silence_may_have_been_asked_for_by_what_was_lost() {
    let mut talk = Talk::with(6379).say(CLIENT, &command("GET k")).say(SERVER, b"$1\r\nv\r\n");
    talk = talk.say(CLIENT, &command("CLIENT REPLY OFF")).say(CLIENT, &command("SET k v"));
    let flow = without(talk, &[2]);
    assert_eq!(flow["redis"]["answered"], Value::Null, "{flow}");
    assert_eq!(flow["cause"], "unknown");
    let answered =
        redis(&[("GET k", "$1\r\nv\r\n"), ("GET l", "$1\r\nv\r\n"), ("GET m", "$-1\r\n")]);
    let flow = without(answered.say(CLIENT, &command("GET n")), &[2]);
    assert_eq!((&flow["redis"]["answered"], &flow["cause"]), (&json!(false), &json!("unanswered")));
}

/// Whether it was queued is the server's word, which was not captured.
#[test]
fn what_is_asked_behind_multi_is_not_waited_for() {
    for ask in ["SUBSCRIBE a", "BLPOP a 0"] {
        let talk = redis(&[("MULTI", "+OK\r\n"), (ask, "+QUEUED\r\n")]);
        let flow = flow(talk, &|at| [1, 4, 6].contains(&at));
        assert_ne!(flow["cause"], "subscribed", "{flow}");
    }
}

/// The server's last word stands until the client asks for something more, seen or not.
#[test]
fn a_transaction_may_have_begun_or_ended_by_what_was_lost() {
    let begin: &[u8] = b"Q\0\0\0\x0aBEGIN\0";
    let begun: &[u8] = b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T";
    let commit: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
    let flow_of = |said: &[&[u8]], lost: &[usize]| {
        let flow = without(postgresql(said), lost);
        (flow["cause"].clone(), flow["postgresql"]["in_transaction"].clone())
    };
    assert_eq!(flow_of(&[begin], &[2]), (json!("unknown"), Value::Null));
    assert_eq!(flow_of(&[begin, begun], &[2]), (json!("transaction-open"), json!(true)));
    assert_eq!(flow_of(&[begin, begun, commit], &[2]).1, Value::Null);
    // Of the server alone.
    let alone = |said: &[&[u8]]| {
        let flow =
            flow(postgresql(said), &|at| at == 0 || at % 2 == 1 && at >= HANDSHAKE || at == 2);
        (flow["cause"].clone(), flow["postgresql"]["in_transaction"].clone())
    };
    assert_eq!(alone(&[begin, begun]), (json!("transaction-open"), json!(true)));
    assert_eq!(alone(&[begin, begun, commit]), (json!("unknown"), Value::Null));
}

/// Where a capture begins with a request, nothing of its answer was lost.
#[test]
fn a_request_that_a_capture_begins_with_is_not_answered() {
    let get: &[u8] = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let query: &[u8] = b"Q\0\0\0\x0bselect\0";
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let http = flow(turns(80, &[get, ok, get]), &|at| at < HANDSHAKE + 2);
    assert_eq!((&http["cause"], &http["http"]["answered"]), (&json!("unanswered"), &json!(false)));
    let flow = flow(postgresql(&[query]), &|at| at < HANDSHAKE + 2);
    assert_eq!(flow["postgresql"]["answered"], false, "{flow}");
}

/// Answers of a client that does not wait for them are to nobody knows what, once requests were lost.
#[test]
fn an_answer_in_a_pipeline_may_be_to_what_was_lost() {
    let get = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let ask = |talk: Talk, count: usize| talk.say(CLIENT, get.repeat(count).as_bytes());
    let both = ask(Talk::with(80), 2).say(SERVER, ok).say(SERVER, ok);
    let talk = ask(ask(both, 3).say(SERVER, ok), 1).say(SERVER, ok);
    let flow = without(talk, &[3]);
    assert_eq!(flow["http"]["answered"], Value::Null, "{flow}");
    assert_eq!(flow["cause"], "unknown");
}

/// Nor is anything known of streams that the client opened with its first words, which were lost.
#[test]
fn streams_that_were_opened_in_what_was_lost_are_unknown() {
    let settings: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    let head = |stream: u8| [b"\0\0\x03\x01\x05\0\0\0", &[stream][..], b"\x82\x86\x84"].concat();
    let asked = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], settings, &head(1), &head(3)].concat();
    let answered: &[u8] = b"\0\0\x01\x01\x05\0\0\0\x01\x89";
    let talk = || turns(8080, &[&asked, &[settings, answered].concat()]);
    assert_eq!(without(talk(), &[])["http"]["answered"], false);
    let flow = without(talk(), &[0]);
    assert_eq!(flow["http"]["answered"], Value::Null, "{flow}");
    assert_eq!(flow["http"]["truncated"], true);
    assert_eq!(flow["cause"], "unknown");
}

/// Where a capture begins with the server's settings, streams may be open that it does not answer.
#[test]
fn streams_of_a_client_that_was_not_seen_are_unknown() {
    let settings: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    let answered: &[u8] = b"\0\0\x01\x01\x05\0\0\0\x01\x89";
    let talk = turns(8080, &[b"PRI", &[settings, answered].concat()]);
    let flow = flow(talk, &|at| at <= HANDSHAKE);
    assert_eq!(flow["http"]["answered"], Value::Null, "{flow}");
}
