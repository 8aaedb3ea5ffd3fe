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

/// The server's leave to go on was lost, and what the client asked then: no transaction is known to be none.
#[test]
fn what_was_asked_after_a_lost_answer_to_an_ssl_request_is_not_known() {
    let said: [&[u8]; 5] = [
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"N",
        b"\0\0\0\x12\0\x03\0\0user\0app\0\0",
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I",
        b"Q\0\0\0\x0aBEGIN\0",
    ];
    for lost in [&[1, 4][..], &[1, 2, 4], &[4]] {
        let flow = without(turns(5432, &said), lost);
        assert_eq!(flow["postgresql"]["in_transaction"], Value::Null, "{lost:?}: {flow}");
        assert_eq!(flow["cause"], "unknown", "{lost:?}");
    }
    let begun: [&[u8]; 3] = [
        b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T",
        b"Q\0\0\0\x0eDELETE a\0",
        b"C\0\0\0\x0dDELETE 1\0Z\0\0\0\x05T",
    ];
    let talk = turns(5432, &[&said[..], &begun].concat());
    let flow = without(talk, &[2, 3, 5]);
    assert_ne!(flow["postgresql"]["answered"], false, "{flow}");
}

/// Messages that are pushed show that the client listens, wherever it asked for that; and what it listened to before
/// something was lost, it may still.
#[test]
fn notifications_show_who_listens() {
    let said: [&[u8]; 5] = [
        b"Q\0\0\0\x0dLISTEN a\0",
        b"C\0\0\0\x0bLISTEN\0Z\0\0\0\x05I",
        b"Q\0\0\0\x0bSELECT\0",
        b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I",
        b"Q\0\0\0\x0bSELECT\0",
    ];
    let talk = || {
        let pushed = b"A\0\0\0\x0d\0\0\0\x07a\0xy\0";
        postgresql(&said[..2]).say(SERVER, pushed).say(CLIENT, said[2]).say(SERVER, said[3])
    };
    for lost in [&[][..], &[2], &[3], &[2, 3], &[4]] {
        assert_eq!(without(talk(), lost)["cause"], "subscribed", "{lost:?}");
    }
    assert_eq!(flow(talk(), &|at| at < HANDSHAKE + 4)["cause"], "subscribed");
    // An UNLISTEN may have been lost, and so may the answer to LISTEN.
    for lost in [&[5][..], &[3, 4]] {
        assert_eq!(without(talk(), lost)["cause"], "unknown", "{lost:?}");
    }
}

/// Silence may have been asked for before the capture, and whoever asks for nothing but an answer has not asked for it.
#[test]
fn silence_may_have_been_asked_for_before_the_capture() {
    let cause = |talk: Talk, begins: usize| {
        let flow = flow(talk, &|at| at < HANDSHAKE + begins);
        (flow["cause"].clone(), flow["redis"]["answered"].clone())
    };
    let silent = || {
        let talk = Talk::with(6379).say(CLIENT, &command("CLIENT REPLY OFF"));
        talk.say(CLIENT, &command("SET k v")).say(CLIENT, &command("SET l v"))
    };
    assert_eq!(cause(silent(), 1), (json!("unknown"), Value::Null));
    let before = [("SET j v", "+OK\r\n"), ("CLIENT REPLY OFF", "")];
    let told =
        redis(&before[..1]).say(CLIENT, &command(before[1].0)).say(CLIENT, &command("SET k v"));
    assert_eq!(without(told, &[0])["redis"]["answered"], Value::Null);
    let asked = |line: &str| redis(&[("GET j", "$-1\r\n")]).say(CLIENT, &command(line));
    assert_eq!(cause(asked("GET k"), 2), (json!("unanswered"), json!(false)));
    assert_eq!(cause(asked("BLPOP q 0"), 2), (json!("subscribed"), json!(false)));
}

/// Where a capture begins with MONITOR, what comes shows that it was let.
#[test]
fn lines_of_monitor_show_who_is_told_of_others() {
    let line = b"+1700000000.1 [0 127.0.0.1:1] \"get\" \"a\"\r\n";
    let talk = redis(&[("GET j", "$-1\r\n"), ("MONITOR", "+OK\r\n")]);
    let flow = flow(talk.say(SERVER, line), &|at| at < HANDSHAKE + 2);
    assert_eq!(flow["cause"], "subscribed", "{flow}");
}

/// Requests that were sent before the capture are answered in it, before those that are seen.
#[test]
fn a_pipeline_may_have_begun_before_the_capture() {
    let get: &[u8] = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let talk = || {
        let asked = Talk::with(80).say(CLIENT, get).say(CLIENT, get).say(CLIENT, get);
        asked.say(SERVER, ok).say(SERVER, ok).say(CLIENT, get).say(SERVER, ok)
    };
    assert_eq!(without(talk(), &[])["http"]["answered"], false);
    // With some of the requests, and with the answers.
    for begins in [1, 3] {
        let flow = flow(talk(), &|at| at < HANDSHAKE + begins);
        assert_eq!(flow["http"]["answered"], Value::Null, "{flow}");
        assert_eq!(flow["cause"], "unknown", "{begins}");
    }
    let usual = turns(80, &[get, ok, get, ok]);
    assert_eq!(flow(usual, &|at| at < HANDSHAKE + 1)["http"]["answered"], true);
}

/// A server that answers half a request has answered, and so it may have where that was lost.
#[test]
fn half_a_request_may_have_been_answered() {
    let half = b"GET / HTTP/1.1\r\nHost: sh";
    let timeout = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(without(turns(80, &[half]), &[])["cause"], "unanswered");
    assert_eq!(without(turns(80, &[half, timeout]), &[])["cause"], "close-announced");
    assert_eq!(without(turns(80, &[half, timeout]), &[1])["cause"], "unknown");
}

/// A request that waits for octets before it is read after its answer was lost: it may have been answered.
#[test]
fn a_request_that_is_read_late_may_have_been_answered() {
    let settings: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    let head = |stream: u8| [b"\0\0\x03\x01\x05\0\0\0", &[stream][..], b"\x82\x86\x84"].concat();
    let answer = |stream: u8| [b"\0\0\x01\x01\x05\0\0\0", &[stream][..], b"\x89"].concat();
    let talk = || {
        let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], settings].concat();
        let talk = Talk::with(80).say(CLIENT, &preface).say(SERVER, settings);
        let talk = talk.say(CLIENT, b"\0\0\0\x04\x01\0\0\0\0").say(CLIENT, &head(1));
        talk.say(SERVER, &answer(1)).say(CLIENT, &head(3)).say(SERVER, &answer(3))
    };
    assert_eq!(without(talk(), &[])["http"]["answered"], true);
    let flow = without(talk(), &[2, 4]);
    assert_eq!((&flow["http"]["answered"], &flow["cause"]), (&Value::Null, &json!("unknown")));
    assert!(!flow["evidence"].to_string().contains("open"), "{flow}");
}

/// Frames show that it goes on in HTTP/2, as the client had asked, though the answer that says so was lost.
#[test]
fn an_upgrade_whose_answer_was_lost_is_one() {
    let ask: &[u8] = b"GET /a HTTP/1.1\r\nHost: shop\r\nUpgrade: h2c\r\n\r\n";
    let switched: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
    let answer: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x88";
    let goaway: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    let talk = || turns(80, &[ask, &[switched, answer].concat()]).say(SERVER, goaway);
    assert_eq!(without(talk(), &[])["cause"], "close-announced");
    let flow = without(talk(), &[1]);
    assert!(flow["evidence"].to_string().contains("GOAWAY NO_ERROR"), "{flow}");
    assert_eq!((&flow["http"]["answered"], &flow["cause"]), (&Value::Null, &json!("unknown")));
    assert_eq!(flow["http"]["last_statement"], "GET /a");
}

/// A client that asks what a statement is like, and for nothing else, has had its answer, though one before was lost; nor is
/// the last statement of a pipeline known whose end was lost.
#[test]
fn what_is_asked_at_once_may_be_lost_in_part() {
    let begin: [&[u8]; 2] = [b"Q\0\0\0\x0aBEGIN\0", b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T"];
    let executed = |sql: &str| {
        let parse =
            [&b"P"[..], &[0, 0, 0, sql.len() as u8 + 8, 0], sql.as_bytes(), &[0; 3]].concat();
        [&parse, &b"B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0"[..]].concat()
    };
    let sync: &[u8] = b"S\0\0\0\x04";
    let ready: &[u8] = b"Z\0\0\0\x05T";
    let said: [&[u8]; 4] =
        [&[&executed("DECLARE c"), sync].concat(), ready, b"D\0\0\0\x07Pc\0S\0\0\0\x04", ready];
    let flow = without(postgresql(&[&begin[..], &said].concat()), &[5]);
    assert_eq!(flow["postgresql"]["answered"], true, "{flow}");
    let piped = |lost: &[usize]| {
        let talk = postgresql(&begin).say(CLIENT, &executed("DELETE a"));
        let talk = talk.say(CLIENT, &executed("SELECT b")).say(CLIENT, sync).say(SERVER, ready);
        without(talk, lost)["postgresql"]["last_statement"].clone()
    };
    assert_eq!(piped(&[]), "SELECT b");
    assert_eq!(piped(&[5]), Value::Null);
    assert_eq!(piped(&[6]), "SELECT b", "a Sync is no statement");
    // A driver of Java says BEGIN and its first statement at once.
    let rest = [executed("BEGIN")[15..].to_vec(), executed(&"DELETE a ".repeat(12)), sync.to_vec()];
    let talk = postgresql(&begin).say(CLIENT, &executed("BEGIN")[..15]);
    let talk = talk.say(CLIENT, &rest.concat()).say(SERVER, ready);
    assert_eq!(without(talk, &[5])["postgresql"]["last_statement"], Value::Null);
}

/// Where a capture begins with the answer to what was asked before it, the server has not said why it closes.
#[test]
fn an_error_that_a_capture_begins_with_is_an_answer() {
    let failed: &[u8] = b"E\0\0\0\x24SERROR\0VERROR\0C57014\0Mcanceled\0\0";
    let said: [&[u8]; 2] = [b"Q\0\0\0\x0bselect\0", failed];
    let flow = flow(postgresql(&said), &|at| at < HANDSHAKE + 3);
    assert_eq!(flow["postgresql"]["server_error"]["code"], "57014", "{flow}");
    assert_ne!(flow["cause"], "server-said", "{flow}");
}

/// Rows of a cursor are asked for by a statement that may not have been seen.
#[test]
fn rows_that_never_came_are_owed_whatever_was_seen_before() {
    let prepared = || Talk::logged_in(3306).packet(CLIENT, 0, b"\x16SELECT 1");
    let prepared = || prepared().packet(SERVER, 1, b"\0\x01\0\0\0\0\0\0\0\0\0\0");
    let executed = || prepared().packet(CLIENT, 0, b"\x17\x01\0\0\0\x01\x01\0\0\0").ok(1, 0x0042);
    let fetch = || executed().packet(CLIENT, 0, b"\x1c\x01\0\0\0\x02\0\0\0");
    for lost in [&[][..], &[3], &[5], &[3, 5], &[5, 6]] {
        let flow = without(fetch(), lost);
        assert_eq!(
            (&flow["mysql"]["answered"], &flow["cause"]),
            (&json!(false), &json!("unanswered"))
        );
    }
}
