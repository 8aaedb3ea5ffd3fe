//! Requests that come after the service's FIN: advice where numbers carry it, and none elsewhere.

mod common;

use common::talk::{ACK, CLIENT, FIN, PUSH, RST, SECOND, SERVER, START, Talk};
use common::wire::{MICROSECONDS, Record};

const MS: u64 = 1_000_000;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: shop\r\nUser-Agent: Go-http-client/1.1\r\n\r\n";
/// As long as a close_notify of TLS may be.
const SHORT: [&[u8]; 2] =
    [b"GET / HTTP/1.1\r\nT: x\r\n\r\n", b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n"];

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The time after the server's FIN at which the client asks again, or closes.
#[derive(Clone, Copy)]
enum Then {
    Asks(u64),
    /// In these words.
    Says(u64, &'static [u8]),
    Closes,
    Nothing,
}

/// A connection that the server closes after a pause in milliseconds.
fn one(number: u16, pause: u64, then: Then) -> Talk {
    let mut talk = Talk::between(41_000 + number, 80).say(CLIENT, GET).say(SERVER, OK);
    talk.nanos += pause * MS;
    talk = talk.closed_by_server();
    match then {
        Then::Nothing => {}
        Then::Asks(later) => return used(talk, later, GET),
        Then::Says(later, words) => return used(talk, later, words),
        Then::Closes => {
            talk.send(CLIENT, FIN | ACK, b"");
            talk.send(SERVER, ACK, b"");
        }
    }
    talk
}

fn used(mut talk: Talk, later: u64, words: &[u8]) -> Talk {
    talk.nanos += later * MS;
    talk.send(CLIENT, PUSH | ACK, words);
    talk.send(SERVER, RST, b"");
    talk
}

/// The words of a TLS session, on a port of no protocol that is read.
fn encrypted(number: u16) -> Talk {
    let mut talk = Talk::between(43_000 + number, 8443);
    for (from, words) in [(CLIENT, &[0x16, 3, 1, 0, 9][..]), (SERVER, &[0x16, 3, 3, 0, 9])] {
        talk = talk.say(from, &[words, &[7; 60]].concat());
    }
    talk.nanos += 60_000 * MS;
    let mut talk = talk.closed_by_server();
    talk.nanos += 900 * MS;
    talk.send(CLIENT, PUSH | ACK, &[0x15; 31]);
    talk.send(SERVER, RST, b"");
    talk
}

/// A server that takes two seconds to answer, and closes half a second later, has no timer of two and a half.
#[test]
fn an_answer_that_took_long_is_no_idle_time() {
    let slow = |number: u16| {
        let mut talk = Talk::between(41_000 + number, 80).say(CLIENT, GET);
        talk.nanos += 2_000 * MS;
        let mut talk = talk.say(SERVER, OK);
        talk.nanos += 500 * MS;
        used(talk.closed_by_server(), 3_000, GET)
    };
    let scratch = common::Scratch::new();
    let all: Vec<_> = (0..6).flat_map(|number| slow(number).records).collect();
    let file = scratch.write("slow.pcap", &MICROSECONDS.write(1, &all));
    let (out, _) = common::text(&common::closewait(&[&file, "--local", "172.18.0.5"]));
    assert!(!out.contains("idle timeout is") && !out.contains("a timeout of"), "{out}");
}

/// Who takes its leave after the server's FIN, asks for nothing.
#[test]
fn a_goodbye_is_no_request() {
    let scratch = common::Scratch::new();
    let records = |talk: Talk| talk.records.into_iter();
    let all: Vec<_> = (0..5).flat_map(|number| records(encrypted(number))).collect();
    let file = scratch.write("tls.pcap", &MICROSECONDS.write(1, &all));
    let (out, _) = common::text(&common::closewait(&[&file, "--local", "172.18.0.5"]));
    assert!(!out.contains("idle timeout is") && !out.contains("used by"), "{out}");
    let mut quit = Talk::logged_in(3306).ask("SELECT 1", 0x0002).wait(60).closed_by_server();
    quit.nanos += 3 * SECOND;
    quit.send(CLIENT, PUSH | ACK, b"\x01\0\0\0\x01");
    quit.send(SERVER, RST, b"");
    let file = scratch.write("quit.pcap", &MICROSECONDS.write(1, &quit.records));
    let output =
        common::closewait(&[&*file, "--local", "172.18.0.5", "--all", "--format", "jsonl"]);
    let flow = &common::json_lines(&output)[0];
    assert_eq!(
        (&flow["close"], &flow["cause"]),
        (&"reset".into(), &serde_json::Value::Null),
        "{flow}"
    );
    // It is a close, and a late one.
    let (out, _) = common::text(&common::closewait(&[&*file, "--local", "172.18.0.5"]));
    let held = "held in CLOSE-WAIT by 172.18.0.5 for 3.0 s, then closed after all.";
    assert!(out.contains(held), "{out}");
}

/// What was read in clear is no leave, however short it is.
#[test]
fn a_short_request_is_a_request() {
    let words = [GET, SHORT[0], SHORT[1]];
    let all: Vec<_> = [4_000, 7_000, 9_000].into_iter().zip(words).collect();
    let all: Vec<_> = all.into_iter().map(|(pause, it)| (pause, Then::Says(90, it))).collect();
    assert_eq!(SHORT.map(<[u8]>::len), [24, 31]);
    let (text, _) = common::text(&report(&all, &["--top", "0"]));
    assert!(text.contains("3 connections to 172.18.0.3:80: used by 172.18.0.5"), "{text}");
}

/// The sentence about those that both closed tells of no other.
#[test]
fn what_was_reset_was_not_closed_by_both() {
    let then = [Then::Asks(10_000), Then::Closes, Then::Closes, Then::Asks(9_000), Then::Closes];
    let all: Vec<_> = TIMER.into_iter().zip(then).collect();
    let (text, _) = common::text(&report(&all, &["--top", "0"]));
    assert!(text.contains("3 connections to 172.18.0.3:80 closed by both"), "{text}");
    assert!(!text.contains("CLOSE-WAIT lasted"), "{text}");
}

/// The end of a server closes all at once, after whatever pause.
#[test]
fn a_restart_is_no_timeout() {
    // Used a second apart.
    let restart = |then: Then| -> Vec<(u64, Then)> {
        (0..6).map(|at| (99_000 - 1_000 * at, if at == 0 { then } else { Then::Nothing })).collect()
    };
    let (text, _) = common::text(&apart(&restart(Then::Nothing), 1_000, &["--top", "0"]));
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!flat.contains("a timeout of"), "{text}");
    assert!(flat.contains("closed at the same moment (a restart or shutdown there?)"), "{text}");
    let (text, _) = common::text(&apart(&restart(Then::Asks(40)), 1_000, &["--top", "0"]));
    assert!(!text.contains("idle timeout is"), "{text}");
    let timer = [(60_000, Then::Nothing); 6];
    let (text, _) = common::text(&apart(&timer, 1_000, &["--top", "0"]));
    assert!(text.contains("a timeout of about 60 s there"), "{text}");
}

fn report(all: &[(u64, Then)], args: &[&str]) -> std::process::Output {
    apart(all, 0, args)
}

/// The report on connections that begin so many milliseconds apart.
fn apart(all: &[(u64, Then)], millis: u64, args: &[&str]) -> std::process::Output {
    let mut records = Vec::new();
    for (number, (pause, then)) in all.iter().enumerate() {
        let later = number as u64 * millis * MS;
        let talk = one(number as u16, *pause, *then);
        let talk = talk.records.into_iter().map(|it| Record { nanos: it.nanos + later, ..it });
        records.extend(talk.map(|record| (record.nanos, record)));
    }
    records.sort_by_key(|(nanos, _)| *nanos);
    let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
    assert!(records.first().is_some_and(|first| first.nanos < START + SECOND));
    let scratch = common::Scratch::new();
    let file = scratch.write("race.pcap", &MICROSECONDS.write(1, &records));
    common::closewait(&[&[&*file, "--local", "172.18.0.5"], args].concat())
}

const TIMER: [u64; 5] = [60_000, 60_004, 60_010, 60_002, 60_006];

#[test]
fn a_request_after_the_fin_is_told_with_its_numbers() {
    let then = [Then::Asks(1), Then::Asks(900), Then::Closes, Then::Closes, Then::Closes];
    let all: Vec<_> = TIMER.into_iter().zip(then).collect();
    let (text, _) = common::text(&report(&all, &["--top", "0"]));
    let advice = "172.18.0.3:80: its idle timeout is 60.0 s (n = 5, \u{b1} 5 ms); 2 requests were sent \
                  3 ms \u{2026} 902 ms after its FIN had arrived: close idle connections after less than \
                  60.0 s (Go's http.Transport.IdleConnTimeout).";
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(advice), "{text}");
    let lines = common::json_lines(&report(&all, &["--format", "jsonl"]));
    let race = &lines.last().expect("a summary")["closes"][0]["keep_alive_race"];
    assert_eq!((&race["connections"], &race["late"]), (&5.into(), &2.into()), "{race}");
}

#[test]
fn healthy_closes_and_few_numbers_give_no_advice() {
    let none: [&[(u64, Then)]; 4] = [
        &TIMER.map(|pause| (pause, Then::Closes)),
        &[(60_000, Then::Asks(5)), (60_001, Then::Asks(5))],
        &[(60_000, Then::Asks(5)), (9_000, Then::Closes), (21_000, Then::Closes)],
        &TIMER.map(|pause| (pause / 1_000, Then::Asks(5))),
    ];
    for all in none {
        let (text, _) = common::text(&report(all, &["--top", "0"]));
        assert!(!text.contains("idle timeout is"), "{text}");
        let lines = common::json_lines(&report(all, &["--format", "jsonl"]));
        let closes = &lines.last().expect("a summary")["closes"];
        assert!(closes[0]["keep_alive_race"].is_null(), "{closes}");
    }
}
