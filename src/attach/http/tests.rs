use proptest::prelude::*;

use super::*;
use crate::attach::{take_cut, talked};
use crate::regressions::kept;

const GET: &[u8] =
    b"GET /users/7?q=secret HTTP/1.1\r\nHost: shop\r\nUser-Agent: Go-http-client/1.1 (x)\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 6\r\n\r\nsecret";
const CHUNKS: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n0\r\n\r\n";
const CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

fn talk(said: &[(Peer, &[u8])]) -> Http {
    talked(Opening::default(), said, 40, |http: &Http| http.heap_octets() <= MAX_HEAP)
}

use Peer::{Client, Server};

#[test]
fn what_was_asked_and_answered() {
    let facts = talk(&[(Client, GET)]).facts(false);
    assert_eq!((facts.answered, facts.confirmed), (Some(false), Some(true)));
    assert_eq!(facts.last_statement.as_deref(), Some("GET /users/??"));
    assert_eq!(facts.database.as_deref(), Some("shop"));
    assert_eq!(facts.application.as_deref(), Some("Go-http-client/1.1"));
    let facts = talk(&[(Client, GET), (Server, OK)]).facts(false);
    assert_eq!((facts.answered, facts.announced), (Some(true), None));
    assert_eq!(facts.server.as_deref(), Some("nginx/1.22.1"));
    let facts = talk(&[(Client, GET), (Server, CHUNKS), (Client, GET)]).facts(false);
    assert_eq!(facts.answered, Some(false));
    let facts = talk(&[(Client, GET), (Server, &OK[..64])]).facts(false);
    assert_eq!(facts.answered, Some(false), "an answer that has only begun is none");
    let both = [GET, GET].concat();
    assert_eq!(talk(&[(Client, &both), (Server, OK)]).facts(false).answered, Some(false));
    let shown = talk(&[(Client, GET)]).facts(true).last_statement;
    assert_eq!(shown.as_deref(), Some("GET /users/7?q=secret"));
}

/// Some end a body with a line's end more than they said.
#[test]
fn empty_lines_before_a_head_are_nothing() {
    let said = [(Client, GET), (Server, OK), (Server, b"\n"), (Client, b"\r\n\r\n")];
    let answered = |said: &[(Peer, &[u8])]| talk(said).facts(false).answered;
    assert_eq!(answered(&said), Some(true));
    assert_eq!(answered(&[&said[..], &[(Client, GET)]].concat()), Some(false));
    assert_eq!(answered(&[&said[..], &[(Client, GET), (Server, OK)]].concat()), Some(true));
}

#[test]
fn it_is_known_by_its_first_request() {
    let mut http = Http::begin(Opening::default());
    for (from, octets) in [(Client, GET), (Server, CLOSE)] {
        http.take(from, Time::from_nanos(1), Piece::Missing(0));
        http.take(from, Time::from_nanos(1), Piece::Data(octets));
    }
    let facts = http.facts(false);
    assert_eq!((facts.answered, facts.truncated), (Some(true), false));
    assert!(facts.announced.is_some());
}

#[test]
fn a_close_that_was_announced() {
    let announced = |answer: &[u8]| talk(&[(Client, GET), (Server, answer)]).facts(false).announced;
    assert!(announced(CLOSE).is_some());
    assert!(announced(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").is_some());
    assert!(announced(b"HTTP/1.1 200 OK\r\n\r\nto the end").is_some());
    let mut to_the_end = talk(&[(Client, GET), (Server, b"HTTP/1.1 200 OK\r\n\r\nto the end")]);
    assert_eq!(to_the_end.facts(false).answered, None, "a FIN that was not seen may have ended it");
    to_the_end.end(Client);
    assert_eq!(to_the_end.facts(false).answered, Some(false));
    to_the_end.end(Server);
    assert_eq!(to_the_end.facts(false).answered, Some(true));
    assert!(
        announced(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")
            .is_none()
    );
    assert!(announced(OK).is_none() && announced(CHUNKS).is_none());
    assert!(announced(b"HTTP/1.1 304 Not Modified\r\n\r\n").is_none());
}

/// RFC 9112, 9.3: whatever the version of the answer is.
#[test]
fn a_request_may_be_the_last_by_its_version() {
    let facts = |fields: &str, answer: &[u8]| {
        let asked = format!("GET / HTTP/1.0\r\n{fields}\r\n");
        talk(&[(Client, asked.as_bytes()), (Server, answer)]).facts(false)
    };
    let announced = facts("", OK).announced;
    assert_eq!(announced, Some("the client's request is HTTP/1.0 without keep-alive"));
    assert_eq!(facts("Connection: keep-alive\r\n", OK).announced, None);
    let stays = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(facts("", stays).announced, None);
    let unanswered = talk(&[(Client, b"GET / HTTP/1.0\r\n\r\n")]).facts(false);
    assert_eq!((unanswered.announced, unanswered.answered), (None, Some(false)));
}

#[test]
fn what_broke_off_was_not_the_announced_end() {
    let half = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nsecr";
    let facts = talk(&[(Client, GET), (Server, half)]).facts(false);
    assert_eq!((facts.announced, facts.answered), (None, Some(false)));
    let whole = talk(&[(Client, GET), (Server, half), (Server, b"et ok")]).facts(false);
    assert_eq!((whole.announced.is_some(), whole.answered), (true, Some(true)));
    for (asked, half_asked) in [(&GET[..50], true), (&GET[..9], false), (GET, false)] {
        let facts = talk(&[(Client, asked)]).facts(false);
        assert_eq!(facts.half_asked, half_asked, "its first line says that it is one");
        let facts = talk(&[(Client, GET), (Server, OK), (Client, asked)]).facts(false);
        assert_eq!(facts.half_asked, half_asked);
    }
}

#[test]
fn another_protocol_follows_or_was_there_from_the_beginning() {
    let upgrade = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05";
    let facts = talk(&[(Client, GET), (Server, upgrade)]).facts(false);
    assert_eq!((facts.answered, facts.gone_over, facts.truncated), (Some(true), true, false));
    assert_eq!(facts.last_statement.as_deref(), Some("GET /users/??"));
    let facts = talk(&[(Client, &[GET, GET].concat()), (Server, upgrade)]).facts(false);
    assert_eq!((facts.last_statement, facts.gone_over), (None, true));
    let tunnel: &[u8] = b"CONNECT a:443 HTTP/1.1\r\n\r\n";
    let begun = talk(&[(Client, tunnel), (Server, b"HTTP/1.1 200 OK\r\n\r\n")]);
    assert!(begun.is_done());
    let facts = begun.facts(false);
    assert_eq!((facts.answered, facts.gone_over, facts.truncated), (Some(true), true, false));
    assert!(facts.last_statement.is_some_and(|last| last.starts_with("CONNECT ")));
    let refused = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
    assert!(!talk(&[(Client, tunnel), (Server, refused)]).facts(false).gone_over);
    let tls = talk(&[(Client, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")]).facts(false);
    assert_eq!((tls.encrypted, tls.confirmed), (true, None));
    assert_eq!(talk(&[(Client, b"SSH-2.0-x\r\n")]).facts(false).confirmed, Some(false));
    assert_eq!(Http::probe(GET, Client), Probe::Sure);
    assert_eq!(Http::probe(&GET[..20], Client), Probe::Likely);
    assert_eq!(Http::probe(&heads::PREFACE[..14], Client), Probe::Likely);
    assert_eq!(Http::probe(&heads::PREFACE[..7], Client), Probe::No);
    assert_eq!(Http::probe(b"GET some words of another protocol\r\n", Client), Probe::No);
    assert_eq!(Http::probe(OK, Server), Probe::Sure);
}

#[test]
fn what_a_server_refuses_was_asked_all_the_same() {
    let refused: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let hello: &[u8] = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
    for asked in [hello, &[heads::PREFACE, b"SM\r\n\r\n"].concat()] {
        let facts = talk(&[(Client, asked), (Server, refused)]).facts(false);
        assert!(facts.announced.is_some() && !facts.encrypted, "{facts:?}");
        assert_eq!((facts.confirmed, facts.truncated), (Some(true), false));
    }
    assert!(talk(&[(Client, hello), (Server, hello)]).is_done());
    for odd in ["GET /a HTTP/1.1\r\nHost: a\x01b\r\n\r\n", "GET /a HTTP/1.1\r\nno field\r\n\r\n"] {
        let facts = talk(&[(Client, odd.as_bytes())]).facts(false);
        assert_eq!((facts.answered, facts.confirmed), (Some(false), Some(true)), "{odd}");
        assert_eq!(facts.last_statement.as_deref(), Some("GET /a"));
        let facts = talk(&[(Client, odd.as_bytes()), (Server, refused)]).facts(false);
        assert_eq!((facts.answered, facts.announced.is_some()), (Some(true), true));
    }
}

#[test]
fn lines_may_end_without_cr() {
    let ask: &[u8] = b"GET /a HTTP/1.1\nHost: shop\n\n";
    for asked in [ask, b"GET /a HTTP/1.1\r\nHost: shop\n\r\n"] {
        let facts = talk(&[(Client, asked)]).facts(false);
        assert_eq!((facts.answered, facts.database.as_deref()), (Some(false), Some("shop")));
        let twice = [asked, asked].concat();
        let facts = talk(&[(Client, &twice), (Server, OK), (Server, OK)]).facts(false);
        assert_eq!(facts.answered, Some(true));
    }
    assert_eq!(Http::probe(ask, Client), Probe::Sure);
    let answer: &[u8] = b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok";
    let facts = talk(&[(Client, ask), (Server, answer)]).facts(false);
    assert_eq!((facts.answered, facts.announced), (Some(true), None));
}

/// An answer to a HEAD says how long a body it would have: where the HEAD was not captured, all that followed was it.
#[test]
fn an_answer_to_what_was_not_seen_may_have_no_body() {
    let chunked: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let open: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
    for head in [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", chunked, open] {
        let begin = || talk(&[(Server, head)]);
        assert_eq!(begin().facts(false).announced, None);
        let mut next = begin();
        for (from, octets) in [(Client, GET), (Server, OK)] {
            next.take(from, Time::from_nanos(9), Piece::Data(octets));
        }
        let facts = next.facts(false);
        assert_eq!((facts.answered, facts.last_statement.is_some()), (Some(true), true));
        let body = talk(&[(Client, GET), (Server, head), (Server, OK)]).facts(false);
        assert_ne!(body.answered, Some(true), "it is all a part of one");
    }
}

#[test]
fn what_was_not_seen_is_not_known() {
    let facts = talk(&[(Client, &GET[..30]), (Client, b"")]).facts(false);
    assert_eq!((facts.answered, facts.last_statement), (None, None));
    let facts = talk(&[(Client, GET), (Server, &CLOSE[..20]), (Server, b"")]).facts(false);
    assert_eq!((facts.answered, facts.announced, facts.truncated), (None, None, true));
}

proptest! {
    #![proptest_config(kept("http", 512))]

    /// After every step, what was cut off or lost leaves the truth or nothing.
    #[test]
    fn right_or_unknown(snap in 0usize..120, lost in prop::collection::vec(0usize..8, 0..3), cuts in 1usize..50) {
        let all: [(Peer, &[u8]); 8] = [
            (Client, GET), (Server, OK), (Client, GET), (Server, CHUNKS),
            (Client, GET), (Server, OK), (Client, GET), (Server, CLOSE),
        ];
        let (mut whole, mut seen) = (talk(&[]), talk(&[]));
        for (at, (from, octets)) in all.into_iter().enumerate() {
            let time = Time::from_nanos(at as i128);
            for piece in octets.chunks(cuts) {
                whole.take(from, time, Piece::Data(piece));
            }
            let kept = if lost.contains(&at) { 0 } else { snap.min(octets.len()) };
            take_cut(&mut seen, from, time, octets, kept);
            let (right, facts) = (whole.facts(false), seen.facts(false));
            prop_assert!(facts.answered.is_none() || facts.answered == right.answered, "{at}: {facts:?}");
            prop_assert!(facts.announced.is_none() || facts.announced == right.announced, "{at}: {facts:?}");
            let last = &facts.last_statement;
            prop_assert!(last.is_none() || *last == right.last_statement, "{at}: {facts:?}");
            prop_assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
        }
    }
}
