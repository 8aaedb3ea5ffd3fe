use proptest::prelude::*;

use super::*;
use crate::attach::{ErrorCode, take_cut, talked};
use crate::regressions::kept;

use Peer::{Client, Server};

fn frame(kind: u8, channel: u16, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &(body.len() as u32).to_be_bytes(), body, b"\xce"]
        .concat()
}

fn method(channel: u16, class: u16, number: u16, arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &number.to_be_bytes(), arguments].concat())
}

fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

fn long(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u32).to_be_bytes()[..], octets].concat()
}

fn entry(key: &str, value: &str) -> Vec<u8> {
    [&text(key)[..], b"S", &long(value.as_bytes())].concat()
}

/// The login, and a channel.
fn opened() -> Vec<(Peer, Vec<u8>)> {
    let server = [entry("product", "RabbitMQ"), entry("version", "3.10")].concat();
    let client = entry("connection_name", "orders");
    let start_ok = [long(&client), text("PLAIN"), long(b"\0app\0secret"), text("en_US")].concat();
    let tune = b"\x07\xff\0\x02\0\0\0\x0a";
    vec![
        (Client, HEADER.to_vec()),
        (Server, method(0, 10, 10, &[b"\0\x09", &long(&server)[..]].concat())),
        (Client, method(0, 10, 11, &start_ok)),
        (Server, method(0, 10, 30, tune)),
        (Client, method(0, 10, 31, tune)),
        (Client, method(0, 10, 40, &[&text("/")[..], b"\0\0"].concat())),
        (Server, method(0, 10, 41, b"\0")),
        (Client, method(1, 20, 10, b"\0")),
        (Server, method(1, 20, 11, b"\0\0\0\0")),
    ]
}

fn publish() -> (Peer, Vec<u8>) {
    let publish = [b"\0\0", &text("secret")[..], &text("secret"), b"\0"].concat();
    let body = [method(1, 60, 40, &publish), frame(2, 1, &[0; 14]), frame(3, 1, b"secret")];
    (Client, body.concat())
}

fn consume() -> [(Peer, Vec<u8>); 3] {
    let consume = [b"\0\0", &text("secret")[..], &text("tag"), b"\0", &long(b"")].concat();
    let deliver =
        [&text("tag")[..], &7u64.to_be_bytes(), b"\0", &text("secret"), &text("secret")].concat();
    [
        (Client, method(1, 60, 20, &consume)),
        (Server, method(1, 60, 21, &text("tag"))),
        (
            Server,
            [method(1, 60, 60, &deliver), frame(2, 1, &[0; 14]), frame(3, 1, b"secret")].concat(),
        ),
    ]
}

fn talk(said: &[(Peer, Vec<u8>)]) -> Amqp {
    talked(Opening { path: true, ..Opening::default() }, said, 4_000, |amqp: &Amqp| {
        amqp.heap_octets() <= MAX_HEAP
    })
}

fn facts(more: &[(Peer, Vec<u8>)]) -> Facts {
    talk(&[&opened()[..], more].concat()).facts(false)
}

#[test]
fn who_and_where() {
    let facts = facts(&[]);
    let texts = [&facts.server, &facts.user, &facts.database, &facts.application];
    assert_eq!(
        texts.map(|text| text.as_deref()),
        ["RabbitMQ 3.10", "app", "/", "orders"].map(Some)
    );
    assert_eq!((facts.answered, facts.in_transaction), (Some(true), Some(false)));
    assert_eq!(facts.last_statement.as_deref(), Some("channel.open"));
    assert_eq!(facts.heartbeat.map(|beat| beat.seconds), Some(10));
    assert_eq!(facts.remarks, ["1 channel open".into()]);
    assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
}

#[test]
fn before_anybody_is_let_in() {
    let stage = |steps: usize| talk(&opened()[..steps]).facts(false).before_login;
    let stages = [BeforeLogin::GreetingUnread, BeforeLogin::Unanswered, BeforeLogin::Unanswered];
    assert_eq!([2, 3, 6].map(stage), stages.map(Some));
    assert_eq!(stage(7), None);
    let refused = [&b"\x01\x93"[..], &text("ACCESS_REFUSED - no"), b"\0\0\0\0"].concat();
    let denied = talk(&[&opened()[..3], &[(Server, method(0, 10, 50, &refused))]].concat());
    assert_eq!(denied.facts(false).before_login, Some(BeforeLogin::Denied));
    let old = talk(&[(Client, HEADER.to_vec()), (Server, b"AMQP\0\0\x09\x01".to_vec())]);
    assert_eq!(old.facts(false).before_login, Some(BeforeLogin::Denied));
    assert_eq!(talk(&[(Client, b"AMQP\x03\x01\0\0".to_vec())]).facts(false).confirmed, Some(false));
    assert!(talk(&[(Client, b"\x16\x03\x01\x02\0".to_vec())]).facts(false).encrypted);
}

/// A client that names itself behind what was cut off is not called by its library.
#[test]
fn a_name_may_have_been_cut_off() {
    let named = |more: &[u8], kept: usize| {
        let table =
            [&entry("product", "Pika")[..], &entry("connection_name", "orders"), more].concat();
        let arguments = [&long(&table)[..], &text("PLAIN"), &long(b"\0app\0x")].concat();
        let mut amqp = talk(&opened()[..2]);
        let start = method(0, 10, 11, &arguments);
        take_cut(&mut amqp, Client, Time::from_nanos(1), &start, kept.min(start.len()));
        let facts = amqp.facts(false);
        (facts.driver, facts.application)
    };
    assert_eq!(named(b"", 999), (Some("Pika".into()), Some("orders".into())));
    // Within the entry that follows, and right before it.
    let product = 11 + 4 + entry("product", "Pika").len();
    for kept in [product, product + 9] {
        assert_eq!(named(b"", kept), (Some("Pika".into()), None), "{kept}");
    }
}

/// A capture that begins with any other of a server's words has missed the login, and perhaps channels.
#[test]
fn a_server_that_is_heard_from_the_middle_on_refuses_no_login() {
    let close = [&320u16.to_be_bytes()[..], &text("CONNECTION_FORCED"), b"\0\0\0\0"].concat();
    let mut amqp = Amqp::begin(Opening { assumed: true, path: false });
    let at = Time::from_nanos(1);
    amqp.take(Client, at, Piece::Missing(0));
    amqp.take(Server, at, Piece::Missing(0));
    for octets in [method(2, 20, 11, b"\0\0\0\0"), method(0, 10, 50, &close)] {
        amqp.take(Server, at, Piece::Data(&octets));
    }
    let facts = amqp.facts(false);
    assert_eq!((facts.before_login, facts.remarks.len()), (None, 0), "{facts:?}");
    assert!(facts.server_error.is_some_and(|error| error.unsolicited) && facts.truncated);
}

/// After a loss, what was refused is not the last answer once another one has come, nor is a consumer there that may
/// have been cancelled.
#[test]
fn what_comes_after_a_hole() {
    let refused = [&404u16.to_be_bytes()[..], &text("NOT_FOUND - no queue"), b"\0\0\0\0"].concat();
    let close = (Server, method(1, 20, 40, &refused));
    let error =
        |more: &[(Peer, Vec<u8>)]| facts(&[&[(Client, Vec::new())], more].concat()).server_error;
    assert!(error(std::slice::from_ref(&close)).is_some());
    assert!(error(&[close, (Server, method(2, 20, 11, b"\0\0\0\0"))]).is_none());
    let delivered = [&[(Client, Vec::new())], &consume()[2..]].concat();
    assert_eq!(facts(&delivered).waits_by, Some("basic.consume"));
    for end in [method(1, 60, 31, &text("tag")), method(1, 20, 41, b"")] {
        assert_eq!(facts(&[&delivered[..], &[(Server, end)]].concat()).waits_by, None);
    }
    // What came late by a loss was answered before it came.
    let late = [method(0, 10, 40, &text("/")), method(1, 20, 10, b"\0")].concat();
    let said = [(Server, Vec::new()), (Client, late), (Server, method(1, 20, 11, b"\0\0\0\0"))];
    assert_eq!(talk(&[&opened()[..6], &said].concat()).facts(false).answered, Some(true));
    // The answer may be among what cannot be told apart.
    let asked = [
        (Server, Vec::new()),
        (Client, method(1, 60, 10, &[0; 7])),
        (Server, b"half of it".to_vec()),
    ];
    assert_eq!(facts(&asked[..2]).answered, Some(false));
    assert_eq!(facts(&asked).answered, None);
}

#[test]
fn the_server_says_why_it_closes() {
    let close =
        [&320u16.to_be_bytes()[..], &text("CONNECTION_FORCED - reason 'secret'"), b"\0\0\0\0"];
    let facts = facts(&[(Server, method(0, 10, 50, &close.concat()))]);
    let right = ServerError {
        code: ErrorCode::Number(320),
        sqlstate: None,
        message: "CONNECTION_FORCED - reason '?'".into(),
        unsolicited: true,
    };
    assert_eq!((facts.server_error, facts.before_login), (Some(right), None));
    let bye = [&200u16.to_be_bytes()[..], &text("bye"), b"\0\0\0\0"].concat();
    let goodbye =
        talk(&[&opened()[..], &[(Client, method(0, 10, 50, &bye))]].concat()).facts(false);
    assert_eq!((goodbye.goodbye, goodbye.answered), (Some("connection.close"), Some(false)));
}

#[test]
fn a_transaction_is_open_until_commit_or_rollback() {
    let select = [(Client, method(1, 90, 10, b"")), (Server, method(1, 90, 11, b""))];
    let begun = [&select[..], &[publish()]].concat();
    let open = facts(&begun);
    assert_eq!((open.in_transaction, open.statements.len()), (Some(true), 2));
    assert_eq!(open.begun, Some(Begun::By("tx.select")));
    assert!(open.no_answer && !facts(&select).no_answer);
    for number in [20, 30] {
        let end = [(Client, method(1, 90, number, b"")), (Server, method(1, 90, number + 1, b""))];
        assert_eq!(facts(&[&begun[..], &end[..1]].concat()).in_transaction, None);
        let ended = [&begun[..], &end].concat();
        assert_eq!(facts(&ended).in_transaction, Some(false));
        let again = facts(&[&ended[..], &[publish()]].concat());
        assert_eq!(
            (again.in_transaction, again.statements),
            (Some(true), vec!["basic.publish".into()])
        );
    }
    assert_eq!(facts(&[publish()]).in_transaction, Some(false), "in no transaction mode");
}

/// A method of which not even its number was captured may be any: a transaction was "open" after its commit.
#[test]
fn a_method_that_was_cut_off_may_be_any() {
    let select = [(Client, method(1, 90, 10, b"")), (Server, method(1, 90, 11, b""))];
    let commit = [(Client, method(1, 90, 20, b"")), (Server, method(1, 90, 21, b""))];
    let all = [&opened()[..], &select, &[publish()], &commit, &[publish()]].concat();
    for cut in opened().len()..all.len() {
        let mut amqp = Amqp::begin(Opening::default());
        for (at, (from, octets)) in all.iter().enumerate() {
            // The publish is a frame before others, which are here.
            let first = 8 + octets.get(6).map_or(0, |len| usize::from(*len));
            let (frame, rest) = octets.split_at(if at < cut { octets.len() } else { first });
            let kept = if at == cut { 7 } else { frame.len() };
            take_cut(&mut amqp, *from, Time::from_nanos(at as i128), frame, kept);
            amqp.take(*from, Time::from_nanos(at as i128), Piece::Data(rest));
        }
        let facts = amqp.facts(false);
        assert_eq!((facts.in_transaction, facts.truncated), (None, true), "{cut}");
    }
}

#[test]
fn the_first_octets_come_in_pieces() {
    for cut in 1..HEADER.len() {
        let mut said = opened();
        let (_, header) = said.remove(0);
        let pieces = [&header[..cut], &header[cut..]].map(|piece| (Client, piece.to_vec()));
        let facts = talk(&[&pieces[..], &said].concat()).facts(false);
        assert_eq!((facts.in_transaction, facts.user.as_deref()), (Some(false), Some("app")));
        let lost = talk(&[&pieces[..1], &[(Client, Vec::new())], &said].concat()).facts(false);
        assert_eq!((lost.in_transaction, lost.truncated), (None, true), "{cut}");
    }
}

#[test]
fn consumers_and_what_they_have_not_acknowledged() {
    let consuming = facts(&consume());
    assert_eq!(consuming.waits_by, Some("basic.consume"));
    assert_eq!(consuming.remarks, ["1 channel open".into(), "1 delivery unacknowledged".into()]);
    let ack = (Client, method(1, 60, 80, &[&7u64.to_be_bytes()[..], b"\0"].concat()));
    assert_eq!(facts(&[&consume()[..], &[ack]].concat()).remarks, ["1 channel open".into()]);
    let end = [
        (Client, method(1, 60, 30, &[&text("tag")[..], b"\0"].concat())),
        (Server, method(1, 60, 31, &text("tag"))),
    ];
    assert_eq!(facts(&[&consume()[..], &end].concat()).waits_by, None);
    let [_, _, deliver] = consume();
    let lost = facts(&[(Client, Vec::new()), deliver]);
    assert_eq!((lost.waits_by, lost.in_transaction), (Some("basic.consume"), None));
}

proptest! {
    #![proptest_config(kept("amqp", 256))]

    /// After every step, what was cut off or lost leaves the truth or nothing.
    #[test]
    fn right_or_unknown(snap in 0usize..90, lost in prop::collection::vec(0usize..20, 0..3), cuts in 1usize..50) {
        let mut all = opened();
        all.extend(consume());
        all.extend([(Client, method(1, 90, 10, b"")), (Server, method(1, 90, 11, b"")), publish()]);
        all.extend([(Client, method(1, 90, 20, b"")), (Server, method(1, 90, 21, b"")), publish()]);
        let (mut whole, mut seen) = (Amqp::begin(Opening::default()), Amqp::begin(Opening::default()));
        for (at, (from, octets)) in all.iter().enumerate() {
            let time = Time::from_nanos(at as i128);
            for piece in octets.chunks(cuts.max(8)) {
                whole.take(*from, time, Piece::Data(piece));
            }
            let kept = if lost.contains(&at) { 0 } else { snap.min(octets.len()) };
            take_cut(&mut seen, *from, time, octets, kept);
            let (right, facts) = (whole.facts(false), seen.facts(false));
            prop_assert!(facts.confirmed != Some(false), "{at}: {facts:?}");
            for (said, right) in [(facts.answered, right.answered), (facts.in_transaction, right.in_transaction)] {
                prop_assert!(said.is_none() || said == right, "{at}: {facts:?}");
            }
            prop_assert!(facts.waits_by.is_none() || facts.waits_by == right.waits_by, "{at}: {facts:?}");
            prop_assert!(facts.before_login.is_none() || facts.before_login == right.before_login, "{at}: {facts:?}");
            let last = &facts.last_statement;
            prop_assert!(last.is_none() || *last == right.last_statement, "{at}: {facts:?}");
            prop_assert!(facts.remarks.iter().all(|one| right.remarks.contains(one)), "{at}: {facts:?}");
            prop_assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
        }
    }
}
