use proptest::prelude::*;

use super::*;
use crate::attach::http::{Http, MAX_HEAP};
use crate::attach::{Opening, Probe, Protocol, take_cut, talked};
use crate::regressions::kept;

use Peer::{Client, Server};

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

fn literal(first: &[u8], value: &str) -> Vec<u8> {
    [first, &[value.len() as u8], value.as_bytes()].concat()
}

/// The client's first words.
fn begun() -> Vec<(Peer, Vec<u8>)> {
    vec![
        (Client, [PREFACE, &frame(4, 0, 0, b"")].concat()),
        (Server, frame(4, 0, 0, b"\0\x03\0\0\0\x64")),
    ]
}

/// A request whose host and agent are known to the table from then on.
fn get(stream: u32, path: &str) -> (Peer, Vec<u8>) {
    let fields = [
        vec![0x82],
        literal(&[0x04], path),
        literal(&[0x41], "shop"),
        literal(&[0x7a], "grpc-go/1.50 (x)"),
        literal(&[0x40, 7, b'x', b'-', b't', b'o', b'k', b'e', b'n'], "secret"),
    ];
    (Client, frame(1, 5, stream, &fields.concat()))
}

/// A request by the table.
fn again(stream: u32, path: &str) -> (Peer, Vec<u8>) {
    let fields = [vec![0x82], literal(&[0x04], path), vec![0xc0, 0xbf, 0xbe]];
    (Client, frame(1, 5, stream, &fields.concat()))
}

fn call(stream: u32) -> (Peer, Vec<u8>) {
    let path = "/shop.v1.OrderService/ListOrdersOfCustomer";
    let fields = [vec![0x83], literal(&[0x44], path), literal(&[0x0f, 16], "application/grpc")];
    (Client, [frame(1, 4, stream, &fields.concat()), frame(0, 1, stream, b"secret")].concat())
}

fn ok(stream: u32) -> (Peer, Vec<u8>) {
    let head = [vec![0x88], literal(&[0x0f, 39], "nginx/1.22.1")].concat();
    (Server, [frame(1, 4, stream, &head), frame(0, 1, stream, b"secret")].concat())
}

fn goaway(last: u32, code: u32, reason: &str) -> (Peer, Vec<u8>) {
    let body = [&last.to_be_bytes()[..], &code.to_be_bytes(), reason.as_bytes()].concat();
    (Server, frame(7, 0, 0, &body))
}

fn talk(said: &[(Peer, Vec<u8>)]) -> Http {
    talked(Opening::default(), said, 4_000, |http: &Http| http.heap_octets() <= MAX_HEAP)
}

fn facts(more: &[(Peer, Vec<u8>)]) -> Facts {
    let facts = talk(&[&begun()[..], more].concat()).facts(false);
    assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
    facts
}

#[test]
fn what_was_asked_and_answered() {
    assert_eq!(Http::probe(PREFACE, Client), Probe::Sure);
    let open = facts(&[get(1, "/users/7/orders?secret")]);
    assert_eq!((open.answered, open.confirmed), (Some(false), Some(true)));
    assert_eq!(open.last_statement.as_deref(), Some("GET /users/?/orders?"));
    assert_eq!(open.remarks, ["1 request open".into()]);
    let done = facts(&[get(1, "/a"), ok(1), again(3, "/b"), ok(3)]);
    assert_eq!(done.last_statement.as_deref(), Some("GET /b"));
    let texts = [&done.server, &done.database, &done.application];
    let right = ["nginx/1.22.1", "shop", "grpc-go/1.50"];
    assert_eq!(texts.map(|text| text.as_deref()), right.map(Some));
    assert_eq!((done.answered, done.truncated), (Some(true), false));
    assert_eq!(done.remarks, ["the last answer had the status 200".into()]);
    let nothing = talk(&begun()).facts(true);
    assert_eq!((nothing.last_statement, nothing.answered), (None, None));
    // Octet by octet.
    let all = [&begun()[..], &[get(1, "/a"), ok(1)]].concat();
    let each = all.iter().flat_map(|(from, octets)| octets.iter().map(|o| (*from, vec![*o])));
    assert_eq!(talk(&each.collect::<Vec<_>>()).facts(false).answered, Some(true));
}

#[test]
fn the_latest_open_request_is_shown() {
    let two = facts(&[call(1), get(3, "/b"), ok(3)]);
    assert_eq!(
        two.last_statement.as_deref(),
        Some("POST /shop.v1.OrderService/ListOrdersOfCustomer")
    );
    assert_eq!(two.answered, Some(false));
    let reset = (Client, frame(3, 0, 1, &8u32.to_be_bytes()));
    let cancelled = facts(&[call(1), reset.clone()]);
    assert_eq!((cancelled.answered, cancelled.no_answer), (None, true), "nobody waits for it");
    assert_eq!(cancelled.remarks, ["the client cancelled its last request".into()]);
    // An answer that had come, and what is asked after it, are none of it.
    assert_eq!(facts(&[call(1), ok(1), reset.clone()]).answered, Some(true));
    let next = facts(&[call(1), reset, get(3, "/b"), ok(3)]);
    assert_eq!((next.answered, next.no_answer), (Some(true), false));
}

#[test]
fn why_the_server_closes() {
    let announced = facts(&[get(1, "/a"), ok(1), goaway(1, 0, "")]);
    assert!(announced.announced.is_some() && announced.server_error.is_none());
    assert_eq!(announced.remarks[0], "GOAWAY NO_ERROR, last stream 1".into());
    let owed = facts(&[get(1, "/a"), goaway(1, 0, "")]);
    assert_eq!((owed.announced, owed.answered), (None, Some(false)));
    let beyond = facts(&[get(1, "/a"), ok(1), again(3, "/b"), goaway(1, 0, "")]);
    assert!(beyond.announced.is_some() && beyond.remarks[0].contains("1 open beyond it"));
    let calm = facts(&[goaway(0, 11, "too_many_pings")]).server_error.expect("an error");
    assert_eq!(calm.code, ErrorCode::Name("ENHANCE_YOUR_CALM".into()));
    assert_eq!((&*calm.message, calm.unsolicited), ("GOAWAY: too_many_pings", true));
    let plain = facts(&[goaway(0, 2, "user 'secret' x7")]).server_error.expect("an error");
    assert_eq!(&*plain.message, "GOAWAY");
    let (_, whole) = goaway(0, 2, "connection idle");
    let cut = [(Server, whole[..whole.len() - 2].to_vec()), (Server, Vec::new())];
    let cut = talked(Opening::default(), &[begun(), cut.into()].concat(), 2, |_: &Http| true);
    let said = cut.facts(true).server_error.map(|error| error.message);
    assert_eq!(said.as_deref(), Some("GOAWAY: connection id…"));
    assert_eq!(facts(&[(Client, frame(7, 0, 0, &[0; 8]))]).goodbye, Some("GOAWAY"));
    let status = [literal(b"\0\x0bgrpc-status", "14")].concat();
    let failed = facts(&[call(1), (Server, frame(1, 5, 1, &status))]);
    let error = failed.server_error.expect("an error");
    assert_eq!((error.code, error.unsolicited), (ErrorCode::Name("UNAVAILABLE".into()), false));
    assert_eq!(failed.answered, Some(true));
}

#[test]
fn of_a_request_that_is_cut_the_host_is_not_that_of_another() {
    let mut http = talk(&[&begun()[..], &[get(1, "/a"), ok(1)]].concat());
    let (from, octets) = again(3, "/b");
    take_cut(&mut http, from, Time::from_nanos(9), &octets, octets.len() - 3);
    let facts = http.facts(false);
    assert_eq!((facts.last_statement.as_deref(), facts.database), (Some("GET /b"), None));
    let fields =
        [vec![0x82], literal(&[0x04], "/"), literal(&[0x41], "shop"), literal(&[0x0f, 23], "no")];
    let twice = talk(&[&begun()[..], &[(Client, frame(1, 5, 1, &fields.concat()))]].concat());
    assert_eq!(twice.facts(false).database.as_deref(), Some("shop"));
    // Whether it closes without an error was cut off.
    let mut http = talk(&[&begun()[..], &[get(1, "/a"), ok(1)]].concat());
    let (from, octets) = goaway(1, 0, "");
    take_cut(&mut http, from, Time::from_nanos(9), &octets, 12);
    let facts = http.facts(false);
    assert_eq!((facts.announced, facts.truncated), (None, true));
}

#[test]
fn it_stays_small() {
    let path = format!("/{}", "\u{1b}".repeat(120));
    let many: Vec<_> = (0..300).map(|n| get(2 * n + 1, &path)).collect();
    let facts = facts(&many);
    assert_eq!(facts.answered, Some(false));
    // A head that goes on and on; `talk` holds what is kept of it.
    let head = (Client, frame(1, 0, 1, &[0x82; 4_000]));
    let more = vec![(Client, frame(9, 0, 1, &[0x82; 4_000])); 20];
    let all = [&begun()[..], &[head], &more].concat();
    assert_eq!(talk(&all).facts(false).answered, None);
}

#[test]
fn an_upgrade_from_the_old_version() {
    let asks = b"GET /a/1 HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let settings = frame(4, 0, 0, b"");
    let said = [
        (Client, asks.to_vec()),
        (Server, [&answer[..], &settings].concat()),
        (Client, [PREFACE, &settings].concat()),
    ];
    let open = talk(&said).facts(false);
    assert_eq!(open.last_statement.as_deref(), Some("GET /a/?"));
    assert_eq!(open.database.as_deref(), Some("shop"));
    assert_eq!((open.answered, open.truncated), (Some(false), false));
    let done = talk(&[&said[..], &[ok(1)]].concat()).facts(false);
    assert_eq!((done.answered, done.truncated), (Some(true), false));
}

#[test]
fn from_the_middle_and_after_a_loss() {
    let mut http = Http::begin(Opening { assumed: true, path: false });
    let mut take = |from, octets: &[u8]| {
        http.take(from, Time::from_nanos(1), Piece::Missing(0));
        http.take(from, Time::from_nanos(1), Piece::Data(octets));
        http.facts(false)
    };
    let seen = take(Client, &again(9, "/b").1);
    assert_eq!((seen.confirmed, seen.answered), (Some(true), Some(false)));
    assert_eq!((seen.last_statement.as_deref(), seen.database), (Some("GET /b"), None));
    assert_eq!(take(Server, &ok(9).1).answered, None, "others may be open");
    let lost = facts(&[get(1, "/a"), (Server, Vec::new()), again(3, "/b")]);
    assert_eq!((lost.answered, lost.truncated), (Some(false), true));
    let lost = facts(&[get(1, "/a"), (Client, Vec::new()), ok(1)]);
    assert_eq!((lost.answered, lost.last_statement), (None, None));
    // The settings of a server that speaks first.
    let early = talk(&[(Server, frame(4, 0, 0, b"")), begun().remove(0), get(1, "/a"), ok(1)]);
    let early = early.facts(false);
    assert_eq!((early.answered, early.truncated), (Some(true), false));
    // An answer that was captured before its request.
    assert_eq!(facts(&[ok(1), get(1, "/a")]).answered, None);
}

proptest! {
    #![proptest_config(kept("http-two", 512))]

    /// After every step, what was cut off or lost leaves the truth or nothing.
    #[test]
    fn right_or_unknown(snap in 0usize..130, lost in prop::collection::vec(0usize..12, 0..3), cuts in 1usize..50) {
        let mut all = begun();
        all.extend([get(1, "/a"), ok(1), again(3, "/b"), call(5), ok(5), ok(3)]);
        all.extend([get(7, "/c"), goaway(7, 0, ""), ok(7), (Client, frame(6, 0, 0, &[0; 8]))]);
        let (mut whole, mut seen) = (talk(&[]), talk(&[]));
        for (at, (from, octets)) in all.iter().enumerate() {
            let time = Time::from_nanos(at as i128);
            for piece in octets.chunks(cuts) {
                whole.take(*from, time, Piece::Data(piece));
            }
            let kept = if lost.contains(&at) { 0 } else { snap.min(octets.len()) };
            take_cut(&mut seen, *from, time, octets, kept);
            let (right, facts) = (whole.facts(false), seen.facts(false));
            prop_assert!(facts.answered.is_none() || facts.answered == right.answered, "{at}: {facts:?}");
            prop_assert!(facts.announced.is_none() || facts.announced == right.announced, "{at}: {facts:?}");
            let last = &facts.last_statement;
            prop_assert!(last.is_none() || *last == right.last_statement, "{at}: {facts:?}");
            for (said, right) in [(&facts.database, &right.database), (&facts.application, &right.application)] {
                prop_assert!(said.is_none() || said == right, "{at}: {facts:?}");
            }
            prop_assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
        }
    }
}
