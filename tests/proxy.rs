//! A balancer that says whose connection it carries, before the first words: it hides no protocol.

mod common;

use common::talk::{CLIENT, SERVER, Talk};
use common::{Scratch, closewait, each, json_lines};
use serde_json::Value;

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 5432\r\n";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\x0c\xea";
/// With a checksum after the addresses.
const MORE: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\x0c\xea\x03\0\x04abcd";
/// The balancer asks for itself, whether the server is there.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const HEADERS: [&[u8]; 5] = [LINE, UNKNOWN, BINARY, MORE, LOCAL];

/// A protocol: its port, its key, the first words and all others, and why the connection is left.
struct Spoken {
    port: u16,
    key: &'static str,
    first: &'static [u8],
    then: fn(Talk) -> Talk,
    cause: &'static str,
}

const MYSQL: Spoken = Spoken {
    port: 3306,
    key: "mysql",
    first: b"",
    then: |talk| talk.greet().log_in().ask("BEGIN", 3),
    cause: "transaction-open",
};

/// Those whose client speaks first.
const SPOKEN: [Spoken; 6] = [
    Spoken {
        port: 5432,
        key: "postgresql",
        first: b"\0\0\0\x12\0\x03\0\0user\0app\0\0",
        then: |talk| {
            let talk = talk.say(SERVER, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
            talk.say(CLIENT, b"Q\0\0\0\x0aBEGIN\0").say(SERVER, b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T")
        },
        cause: "transaction-open",
    },
    Spoken {
        port: 80,
        key: "http",
        first: b"GET /orders/17 HTTP/1.1\r\nHost: shop\r\n\r\n",
        then: |talk| talk.say(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        cause: "forgotten",
    },
    Spoken {
        port: 80,
        key: "http",
        first: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x03\x01\x05\0\0\0\x01\x82\x86\x84",
        then: |talk| {
            let leave = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0";
            let done = b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x88";
            talk.say(SERVER, &[&done[..], leave].concat())
        },
        cause: "close-announced",
    },
    Spoken {
        port: 6379,
        key: "redis",
        first: b"*1\r\n$5\r\nMULTI\r\n",
        then: |talk| {
            let talk = talk.say(SERVER, b"+OK\r\n").say(CLIENT, b"*1\r\n$4\r\nPING\r\n");
            talk.say(SERVER, b"+QUEUED\r\n")
        },
        cause: "transaction-open",
    },
    Spoken {
        port: 5672,
        key: "amqp",
        first: b"AMQP\0\0\x09\x01",
        then: |talk| {
            let start = b"\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US";
            talk.say(SERVER, &[b"\x01\0\0\0\0\0\x1c", &start[..], b"\xce"].concat())
        },
        cause: "not-logged-in",
    },
    Spoken {
        port: 9092,
        key: "kafka",
        first: b"\0\0\0\x0e\0\x12\0\0\0\0\0\x01\0\x04shop",
        then: |talk| talk,
        cause: "unanswered",
    },
];

/// The same on its port, or another one, with these segments before the rest, seen to so many octets a packet.
fn left(spoken: &Spoken, port: u16, segments: &[&[u8]], snap: usize) -> Value {
    let say = |talk: Talk, segment: &&[u8]| talk.say(CLIENT, segment);
    let talk = (spoken.then)(segments.iter().fold(Talk::with(port), say));
    report(talk.wait(30).closed_by_server(), snap)
}

fn report(mut talk: Talk, snap: usize) -> Value {
    talk.records.iter_mut().for_each(|record| record.data.truncate(snap));
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &talk.capture(60));
    let args = ["--format", "jsonl", "--all", "--local", "172.18.0.5", &path];
    json_lines(&closewait(&args)).swap_remove(0)
}

/// What was said, but for its times: there is a packet more.
fn said(flow: &Value, key: &str) -> Value {
    let mut said = flow[key].clone();
    if let Some(said) = said.as_object_mut() {
        said.retain(|key, _| !key.ends_with("_at") && !key.ends_with("_since"));
    }
    said
}

/// The same, or a part of it: the beginning of a text that the snap length cut off, statements that were seen.
fn is_part(value: &Value, whole: &Value) -> bool {
    match (value, whole) {
        (Value::String(part), Value::String(whole)) => {
            part == whole || part.strip_suffix('…').is_some_and(|part| whole.starts_with(part))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|part| whole.iter().any(|whole| is_part(part, whole)))
        }
        _ => value == whole,
    }
}

const WHOLE: usize = usize::MAX;

#[test]
fn what_comes_after_the_header_is_read() {
    for spoken in &SPOKEN {
        let Spoken { port, key, first, cause, .. } = *spoken;
        let plain = left(spoken, port, &[first], WHOLE);
        assert_eq!((&plain["cause"], plain[key].is_object()), (&cause.into(), true), "{plain}");
        for header in HEADERS {
            let together = [header, first].concat();
            for segments in [&[header, first][..], &[&together]] {
                let flow = left(spoken, port, segments, WHOLE);
                assert_eq!(flow["cause"], cause, "{flow}");
                assert_eq!(said(&flow, key), said(&plain, key));
            }
        }
    }
}

#[test]
fn where_the_server_speaks_first() {
    let plain = left(&MYSQL, 3306, &[], WHOLE);
    for header in HEADERS {
        let flow = left(&MYSQL, 3306, &[header], WHOLE);
        assert_eq!(flow["cause"], MYSQL.cause, "{flow}");
        assert_eq!(said(&flow, "mysql"), said(&plain, "mysql"));
    }
}

/// What an end says first decides against the port, and on a port that nobody knows.
#[test]
fn the_words_after_it_tell_which_protocol_it_is() {
    for spoken in SPOKEN.iter().filter(|spoken| spoken.key != "kafka") {
        let Spoken { key, first, cause, .. } = *spoken;
        for header in HEADERS {
            let together = [header, first].concat();
            for (port, segments) in
                [(3306, &[header, first][..]), (3306, &[&together]), (5999, &[&together])]
            {
                let flow = left(spoken, port, segments, WHOLE);
                let plain = left(spoken, spoken.port, &[first], WHOLE);
                assert_eq!((&flow["cause"], port), (&cause.into(), port), "{flow}");
                assert_eq!(said(&flow, key), said(&plain, key), "{port}");
            }
        }
    }
    for header in HEADERS {
        let flow = left(&MYSQL, 5999, &[header], WHOLE);
        assert_eq!((&flow["cause"], &flow["mysql"]["user"]), (&MYSQL.cause.into(), &"app".into()));
        // Alone in its segment, it shows no protocol, and the words after it are not the first octets.
        let flow = left(&SPOKEN[0], 5999, &[header, SPOKEN[0].first], WHOLE);
        assert_eq!(
            (&flow["cause"], &flow["postgresql"]["user"]),
            (&"transaction-open".into(), &"app".into())
        );
    }
}

/// A header that was cut off, or came in pieces: what is said is right, or not known.
#[test]
fn what_was_not_seen_of_it_is_unknown() {
    let known = each(SPOKEN.iter().chain([&MYSQL]), |spoken| {
        let mut known = 0;
        let Spoken { port, key, first, cause, .. } = *spoken;
        let plain = said(&left(spoken, port, &[first], WHOLE), key);
        let plain = plain.as_object().expect("a protocol");
        for header in HEADERS {
            let (begins, ends) = header.split_at(header.len() / 2);
            let (together, rest) = ([header, first].concat(), [ends, first].concat());
            let whole: &[&[u8]] = &[header, first];
            let both: &[&[u8]] = &[&together];
            let cases = [60, 70, 90, 100, 128].map(|snap| [(whole, snap), (both, snap)]);
            let pieces = [(&[begins, ends, first][..], WHOLE), (&[begins, &rest], WHOLE)];
            for (segments, snap) in cases.into_iter().flatten().chain(pieces) {
                let segments: Vec<&[u8]> =
                    segments.iter().copied().filter(|it| !it.is_empty()).collect();
                let flow = left(spoken, port, &segments, snap);
                let is_right = flow["cause"] == cause;
                known += usize::from(is_right);
                assert!(is_right || flow["cause"] == "unknown", "{snap}: {segments:?}: {flow}");
                let told = said(&flow, key);
                for (key, value) in told.as_object().into_iter().flatten() {
                    let is_known = !value.is_null() && *value != serde_json::json!([]);
                    let is_of_the_cut = key == "truncated" || is_part(value, &plain[key]);
                    assert!(!is_known || is_of_the_cut, "{key}, {snap}: {segments:?}: {flow}");
                }
            }
        }
        known
    });
    let known: usize = known.iter().sum();
    assert!(known > 100, "{known}");
}

#[test]
fn tls_comes_after_it_and_nothing() {
    for header in HEADERS {
        let hello = Talk::with(5672).say(CLIENT, header).say(CLIENT, b"\x16\x03\x01\0\x05hello");
        let flow = report(
            hello.say(SERVER, b"\x16\x03\x03\0\x05hello").wait(30).closed_by_server(),
            WHOLE,
        );
        assert_eq!((&flow["cause"], &flow["amqp"]["encrypted"]), (&"unknown".into(), &true.into()));
        let silent = Talk::with(5432).say(CLIENT, header).wait(30).closed_by_server();
        let flow = report(silent, WHOLE);
        assert_eq!(
            (&flow["cause"], &flow["postgresql"]["truncated"]),
            (&"not-logged-in".into(), &false.into())
        );
    }
}

/// It is passed over once, wherever its segments come, and only before the first words.
#[test]
fn it_is_passed_over_in_any_order_and_once() {
    let spoken = &SPOKEN[3];
    for header in HEADERS {
        let talk = Talk::with(6379).say(CLIENT, header).say(CLIENT, spoken.first);
        let mut talk = (spoken.then)(talk).wait(30).closed_by_server();
        // Captured the other way round, and again.
        talk.records.swap(3, 4);
        let again = talk.records[4].clone();
        talk.records.insert(6, again);
        let flow = report(talk, WHOLE);
        assert_eq!(
            (&flow["cause"], &flow["redis"]["truncated"]),
            (&"transaction-open".into(), &false.into()),
            "{flow}"
        );
        // Without its SYN.
        let talk = Talk::with(6379).say(CLIENT, header).say(CLIENT, spoken.first);
        let mut talk = (spoken.then)(talk).wait(30).closed_by_server();
        talk.records.drain(..3);
        assert_eq!(report(talk, WHOLE)["cause"], "transaction-open");
    }
    let put =
        Talk::with(6379).say(CLIENT, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$43\r\n").say(CLIENT, LINE);
    let put = put.say(CLIENT, b"\r\n").say(SERVER, b"+OK\r\n");
    let flow =
        report((spoken.then)(put.say(CLIENT, spoken.first)).wait(30).closed_by_server(), WHOLE);
    assert_eq!(
        (&flow["cause"], &flow["redis"]["truncated"]),
        (&"transaction-open".into(), &false.into())
    );
}
