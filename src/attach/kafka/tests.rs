use proptest::prelude::*;

use super::*;
use crate::attach::{take_cut, talked};
use crate::regressions::kept;

use Peer::{Client, Server};

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn compact(text: &str) -> Vec<u8> {
    [&[text.len() as u8 + 1][..], text.as_bytes()].concat()
}

fn ask(key: i16, version: i16, number: i32, rest: &[u8]) -> (Peer, Vec<u8>) {
    let head = [&key.to_be_bytes()[..], &version.to_be_bytes(), &number.to_be_bytes()].concat();
    (Client, frame(&[&head[..], &text("orders"), rest].concat()))
}

fn answer(number: i32, rest: &[u8]) -> (Peer, Vec<u8>) {
    (Server, frame(&[&number.to_be_bytes()[..], rest].concat()))
}

/// The beginning of every client.
fn begun() -> Vec<(Peer, Vec<u8>)> {
    let software = [vec![0], compact("apache-kafka-java"), compact("3.4.0"), vec![0]].concat();
    vec![ask(18, 3, 0, &software), answer(0, &[0; 40])]
}

fn produce(version: i16, number: i32, acks: i16) -> (Peer, Vec<u8>) {
    let before = match version {
        0..3 => Vec::new(),
        3..9 => (-1i16).to_be_bytes().to_vec(),
        _ => vec![0, 0],
    };
    ask(0, version, number, &[&before[..], &acks.to_be_bytes(), b"secret"].concat())
}

fn talk(said: &[(Peer, Vec<u8>)]) -> Kafka {
    talked(Opening::default(), said, 4_000, |kafka: &Kafka| kafka.heap_octets() <= MAX_HEAP)
}

fn facts(more: &[(Peer, Vec<u8>)]) -> Facts {
    let facts = talk(&[&begun()[..], more].concat()).facts(false);
    assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
    facts
}

#[test]
fn who_asked_what() {
    let all = facts(&[ask(3, 12, 1, b"secret"), answer(1, b"secret")]);
    assert_eq!((all.confirmed, all.answered), (Some(true), Some(true)));
    let texts = [&all.application, &all.driver, &all.last_statement];
    let right = ["orders", "apache-kafka-java 3.4.0", "Metadata"];
    assert_eq!(texts.map(|text| text.as_deref()), right.map(Some));
    let open = facts(&[ask(8, 8, 1, b""), ask(12, 4, 2, b"")]);
    assert_eq!((open.answered, open.last_statement.as_deref()), (Some(false), Some("Heartbeat")));
    assert_eq!(open.remarks, ["2 requests open, OffsetCommit first".into()]);
    assert_eq!(facts(&[ask(3, 1, 1, b"")]).waits_by, None);
    assert_eq!(facts(&[ask(1, 11, 1, b"")]).waits_by, Some("Fetch"));
    assert_eq!(facts(&[ask(1, 11, 1, b""), answer(1, b"")]).waits_by, None);
}

#[test]
fn nobody_answers_what_is_not_to_be_acknowledged() {
    for version in [2, 7, 9] {
        assert_eq!(facts(&[produce(version, 1, 0)]).answered, Some(true), "{version}");
        assert!(facts(&[produce(version, 1, 0)]).no_answer);
        assert_eq!(facts(&[produce(version, 1, -1)]).answered, Some(false), "{version}");
    }
    let cut = [ask(0, 7, 1, b"\0\x09sec")];
    assert_eq!(facts(&cut).answered, None, "whether an answer is owed was not seen");
    let more = [&cut[..], &[ask(3, 1, 2, b""), answer(2, b"")]].concat();
    assert_eq!(facts(&more).answered, Some(true), "all before it was answered");
}

#[test]
fn a_login() {
    let handshake = ask(17, 1, 1, &text("PLAIN"));
    let token = b"\0alice\0secret";
    let v1 = ask(36, 1, 2, &[&(token.len() as u32).to_be_bytes()[..], token].concat());
    let v2 = ask(36, 2, 2, &[&[0, token.len() as u8 + 1][..], token, &[0]].concat());
    let stage = |more: &[(Peer, Vec<u8>)]| {
        let facts = facts(more);
        (facts.before_login, facts.user)
    };
    assert_eq!(stage(std::slice::from_ref(&handshake)), (Some(BeforeLogin::Unanswered), None));
    for (asks, ok, denied) in [(v1, &[0, 0][..], &[0, 58][..]), (v2, &[0, 0, 0], &[0, 0, 58])] {
        let begun = [handshake.clone(), answer(1, &[0, 0]), asks];
        let with = |rest: &[u8]| [&begun[..], &[answer(2, rest)]].concat();
        let alice = Some("alice".into());
        assert_eq!(stage(&begun), (Some(BeforeLogin::Unanswered), alice.clone()));
        assert_eq!(stage(&with(ok)), (None, alice.clone()));
        assert_eq!(stage(&with(denied)), (Some(BeforeLogin::Denied), alice));
        let error = facts(&with(denied)).server_error.expect("an error");
        assert_eq!(error.code, ErrorCode::Name("SASL_AUTHENTICATION_FAILED".into()));
    }
    // The old way, outside of requests.
    let old = [ask(17, 0, 1, &text("PLAIN")), answer(1, &[0, 0])];
    let token = (Client, frame(token));
    let after = [&old[..], &[token, (Server, frame(b"")), ask(3, 1, 2, b"")]].concat();
    assert_eq!((facts(&after).user, facts(&after).answered), (None, Some(false)));
}

#[test]
fn known_by_its_first_octets() {
    let [(_, first), _] = &begun()[..] else { panic!() };
    assert_eq!(Kafka::probe(first, Client), Probe::Sure);
    assert!(Kafka::may_begin(*first.first_chunk().unwrap()));
    assert_eq!(Kafka::probe(&first[..first.len() - 1], Client), Probe::Sure, "cut off");
    assert_eq!(Kafka::probe(first, Server), Probe::No);
    assert_eq!(Kafka::probe(&ask(12, 0, 1, b"").1, Client), Probe::No, "nothing begins so");
    let settings = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01";
    assert_eq!(Kafka::probe(settings, Client), Probe::No, "HTTP/2");
    for other in [
        &b"\0\0\0\x08\x04\xd2\x16\x2f"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\0",
    ] {
        assert_eq!(Kafka::probe(other, Client), Probe::No);
        assert!(talk(&[(Client, other.to_vec())]).is_done());
    }
    assert!(talk(&[(Client, b"\x16\x03\x01\x02\0".to_vec())]).facts(false).encrypted);
}

#[test]
fn after_a_loss_only_what_is_sure() {
    let lost = |more: &[(Peer, Vec<u8>)]| facts(more).answered;
    let gap = |from| (from, Vec::new());
    assert_eq!(lost(&[ask(3, 1, 1, b""), gap(Server)]), None);
    assert_eq!(lost(&[ask(3, 1, 1, b""), gap(Server), ask(3, 1, 2, b"")]), Some(false));
    let again = [ask(3, 1, 1, b""), gap(Server), ask(3, 1, 2, b""), answer(2, b"")];
    assert_eq!(lost(&again), Some(true));
    assert_eq!(lost(&[ask(3, 1, 1, b""), gap(Client), answer(1, b"")]), None);
    let again = [gap(Client), ask(3, 1, 2, b""), answer(2, b"")];
    assert_eq!(lost(&again), Some(true));
    // Captured in another order than it was sent.
    assert_eq!(lost(&[answer(1, b""), ask(3, 1, 1, b"")]), None);
    let again = [answer(1, b""), ask(3, 1, 1, b""), ask(3, 1, 2, b""), answer(2, b"")];
    assert_eq!(lost(&again), Some(true));
}

/// Clients count by one: the answer to the number before it says that all before a request was answered.
#[test]
fn a_request_that_was_lost_and_answered_leaves_no_doubt() {
    let gap = (Client, Vec::new());
    let fetch = ask(1, 11, 2, b"");
    let waits = |more: &[(Peer, Vec<u8>)]| (facts(more).answered, facts(more).waits_by);
    let subscribed = (Some(false), Some("Fetch"));
    assert_eq!(waits(&[gap.clone(), answer(1, b""), fetch.clone()]), subscribed);
    assert_eq!(waits(&[gap.clone(), fetch.clone(), answer(1, b"")]), subscribed);
    // Another may have been lost, and wait.
    assert_eq!(waits(&[gap.clone(), answer(0, b""), fetch.clone()]).1, None);
    assert_eq!(waits(&[gap.clone(), fetch.clone(), answer(0, b"")]).1, None);
    assert_eq!(waits(&[gap.clone(), fetch.clone(), gap, answer(1, b"")]).1, None);
}

/// An answer was captured by its length alone, or without the word whether anybody is let in.
#[test]
fn an_answer_that_was_cut_off_answers_any() {
    let cut = |more: &[(Peer, Vec<u8>)], of: (Peer, Vec<u8>), kept| {
        let mut kafka = talk(&[&begun()[..], more].concat());
        take_cut(&mut kafka, of.0, Time::from_nanos(99), &of.1, kept);
        kafka.facts(false)
    };
    let facts = cut(&[ask(3, 1, 1, b"")], answer(1, b"secret"), 4);
    assert_eq!((facts.answered, facts.truncated), (None, true));
    let login = [ask(17, 1, 1, &text("PLAIN")), answer(1, &[0, 0]), ask(36, 1, 2, &[0; 4])];
    let facts = cut(&login, answer(2, &[0, 58]), 9);
    assert_eq!((facts.before_login, facts.truncated), (None, true));
}

proptest! {
    #![proptest_config(kept("kafka", 512))]

    /// After every step, what was cut off or lost leaves the truth or nothing.
    #[test]
    fn right_or_unknown(snap in 0usize..90, lost in prop::collection::vec(0usize..14, 0..3), cuts in 1usize..50) {
        let mut all = begun();
        all.extend([ask(17, 1, 1, &text("PLAIN")), answer(1, &[0, 0])]);
        all.extend([ask(3, 9, 2, b"secret"), produce(7, 3, 1), produce(7, 4, 0), answer(2, b"secret")]);
        all.extend([ask(1, 11, 5, b"secret"), answer(3, b"secret"), answer(5, b"secret")]);
        all.extend([ask(12, 4, 6, b""), answer(6, b"\0\0"), ask(1, 11, 7, b"secret")]);
        let (mut whole, mut seen) = (talk(&[]), talk(&[]));
        for (at, (from, octets)) in all.iter().enumerate() {
            let time = Time::from_nanos(at as i128);
            for piece in octets.chunks(cuts) {
                whole.take(*from, time, Piece::Data(piece));
            }
            let kept = if lost.contains(&at) { 0 } else { snap.min(octets.len()) };
            take_cut(&mut seen, *from, time, octets, kept);
            let (right, facts) = (whole.facts(false), seen.facts(false));
            prop_assert!(facts.confirmed != Some(false), "{at}: {facts:?}");
            prop_assert!(facts.answered.is_none() || facts.answered == right.answered, "{at}: {facts:?}");
            prop_assert!(facts.waits_by.is_none() || facts.waits_by == right.waits_by, "{at}: {facts:?}");
            prop_assert!(facts.before_login.is_none() || facts.before_login == right.before_login, "{at}: {facts:?}");
            let last = &facts.last_statement;
            prop_assert!(last.is_none() || *last == right.last_statement, "{at}: {facts:?}");
            prop_assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
        }
    }
}
