use proptest::prelude::*;

use super::*;
use crate::attach::{take_cut, talked};
use crate::regressions::kept;

use Peer::{Client, Server};

/// A command as clients send it.
fn cmd(line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    let each = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), each.collect::<String>()).into_bytes()
}

fn talk(said: &[(Peer, Vec<u8>)]) -> Redis {
    talked(Opening { path: true, ..Opening::default() }, said, 4_000, |redis: &Redis| {
        redis.heap_octets() <= MAX_HEAP
    })
}

/// Commands and answers in turn.
fn turns(turns: &[(&str, &str)]) -> Facts {
    let said = turns.iter().flat_map(|(command, answer)| {
        [(Client, cmd(command)), (Server, answer.as_bytes().to_vec())]
    });
    talk(&said.filter(|(_, octets)| !octets.is_empty()).collect::<Vec<_>>()).facts(false)
}

#[test]
fn a_transaction_is_open_until_exec_or_discard() {
    let begun = [("MULTI", "+OK\r\n"), ("SET k secret", "+QUEUED\r\n")];
    let facts = turns(&begun);
    assert_eq!((facts.in_transaction, facts.answered), (Some(true), Some(true)));
    assert_eq!(facts.statements, ["MULTI".into(), "SET".into()]);
    assert!(facts.begun.is_some() && facts.transaction_since.is_some());
    for (end, answer) in
        [("EXEC", "*1\r\n+OK\r\n"), ("DISCARD", "+OK\r\n"), ("EXEC", "-EXECABORT no\r\n")]
    {
        let facts = turns(&[&begun[..], &[(end, answer)]].concat());
        assert_eq!(facts.in_transaction, Some(false), "{end}");
        assert!(facts.statements.is_empty());
    }
    let refused =
        [("NOPE", "-ERR unknown command 'NOPE', with args beginning with: 'secret' \r\n")];
    let facts = turns(&[&begun[..], &refused].concat());
    assert_eq!(facts.in_transaction, Some(true));
    let error = facts.server_error.map(|error| error.message);
    assert_eq!(error.as_deref(), Some("unknown command '?'"));
    let facts = turns(&[("MULTI", "")]);
    assert_eq!((facts.in_transaction, facts.answered), (None, Some(false)));
}

/// Its words can be anything, whatever code it puts before them.
#[test]
fn the_words_of_a_script_are_not_shown() {
    let message = |command: &str, answer: &str| {
        let error = turns(&[("GET k", "$-1\r\n"), (command, answer)]).server_error;
        error.map(|error| (error.message, error.code))
    };
    let hidden = |code: &str| Some(("?".into(), ErrorCode::Name(code.into())));
    for command in ["EVAL x 0", "evalsha x 0", "EVAL_RO x 0", "FCALL f 0", "FUNCTION LOAD x"] {
        assert_eq!(message(command, "-ERR Secret is broke\r\n"), hidden("ERR"), "{command}");
        assert_eq!(message(command, "-WRONGTYPE Secret\r\n"), hidden("WRONGTYPE"), "{command}");
        assert_eq!(message(command, "-Secret\r\n"), hidden("?"), "{command}");
    }
    let own = message("GET k", "-ERR wrong number of arguments\r\n");
    assert_eq!(own.map(|(message, _)| message).as_deref(), Some("wrong number of arguments"));
    // What it answers was not seen.
    let mut middle = Redis::begin(Opening { assumed: true, path: false });
    middle.take(Client, Time::from_nanos(1), Piece::Missing(9));
    middle.take(Client, Time::from_nanos(2), Piece::Data(&cmd("GET k")));
    middle.take(Server, Time::from_nanos(3), Piece::Data(b"-ERR Secret\r\n"));
    let error = middle.facts(false).server_error;
    assert_eq!(error.map(|error| error.message).as_deref(), Some("?"));
}

#[test]
fn a_request_that_was_sent_in_part() {
    let set = cmd("SET a Secret");
    let half = |octets: usize, more: &[Piece<'_>]| {
        let answered = [(Client, cmd("GET k")), (Server, b"$-1\r\n".to_vec())];
        let mut redis = talk(&answered);
        redis.take(Client, Time::from_nanos(9), Piece::Data(&set[..octets]));
        more.iter().for_each(|piece| redis.take(Client, Time::from_nanos(9), *piece));
        redis.facts(false).half_asked
    };
    for octets in [1, 4, 9, 20, set.len() - 1] {
        assert!(half(octets, &[]), "{octets}");
        assert!(!half(octets, &[Piece::Missing(1)]), "{octets}: its end may have been lost");
        assert!(!half(octets, &[Piece::Data(&set[octets..])]));
    }
    assert!(!half(set.len(), &[]));
}

/// Another database is used from EXEC on, and not before it.
#[test]
fn what_is_queued_changes_nothing_yet() {
    let queued = [("SELECT 5", "+OK\r\n"), ("MULTI", "+OK\r\n"), ("SELECT 6", "+QUEUED\r\n")];
    let database = |more: &[(&str, &str)]| turns(&[&queued[..], more].concat()).database;
    assert_eq!(database(&[]).as_deref(), Some("5"));
    assert_eq!(database(&[("DISCARD", "+OK\r\n")]).as_deref(), Some("5"));
    assert_eq!(database(&[("EXEC", "*1\r\n+OK\r\n")]), None);
    let again = [("MULTI", "+OK\r\n"), ("GET k", "+QUEUED\r\n"), ("EXEC", "*1\r\n$-1\r\n")];
    assert_eq!(database(&[&[("DISCARD", "+OK\r\n")][..], &again].concat()).as_deref(), Some("5"));
}

#[test]
fn who_waits_for_messages() {
    let waits = |said: &[(&str, &str)]| turns(said).waits_by;
    let answer = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
    assert_eq!(waits(&[("SUBSCRIBE a", answer)]), Some("SUBSCRIBE"));
    assert_eq!(
        waits(&[
            ("HELLO 3", "%1\r\n$7\r\nversion\r\n$3\r\n7.0\r\n"),
            ("SUBSCRIBE a", &answer.replace('*', ">"))
        ]),
        Some("SUBSCRIBE")
    );
    let end = "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n";
    assert_eq!(waits(&[("SUBSCRIBE a", answer), ("UNSUBSCRIBE a", end)]), None);
    let all = turns(&[("SUBSCRIBE a", answer), ("UNSUBSCRIBE", end)]);
    assert_eq!((all.answered, all.truncated), (Some(true), false), "of all that there were");
    assert_eq!(waits(&[("BLPOP q 0", "")]), Some("BLPOP"));
    assert_eq!(waits(&[("BLPOP q 0", "*2\r\n$1\r\nq\r\n$1\r\nx\r\n")]), None);
    assert_eq!(waits(&[("XREAD COUNT 2 BLOCK 0 STREAMS s $", "")]), Some("XREAD BLOCK"));
    assert_eq!(waits(&[("XREAD STREAMS s $", "")]), None);
    assert_eq!(waits(&[("MONITOR", "+OK\r\n+1 [0 a:1] \"get\" \"secret\"\r\n")]), Some("MONITOR"));
    let by_pattern = answer.replace("$9\r\ns", "$10\r\nps");
    assert_eq!(waits(&[("PSUBSCRIBE a", &by_pattern)]), Some("PSUBSCRIBE"));
    assert_eq!(waits(&[("PSUBSCRIBE a", "")]), Some("PSUBSCRIBE"));
    // In a transaction, it does with EXEC.
    let queued = [("MULTI", "+OK\r\n"), ("SUBSCRIBE a", "+QUEUED\r\n")];
    assert_eq!(waits(&queued), None);
    assert_eq!(waits(&[&queued[..], &[("DISCARD", "+OK\r\n")]].concat()), None);
    let done = format!("*1\r\n{answer}");
    assert_eq!(waits(&[&queued[..], &[("EXEC", &done)]].concat()), Some("SUBSCRIBE"));
    // RESET ends all of it.
    for told in [("SUBSCRIBE a", answer), ("MONITOR", "+OK\r\n+1.2 [0 a:1] \"get\" \"secret\"\r\n")]
    {
        let facts = turns(&[told, ("RESET", "+RESET\r\n"), ("GET k", "$1\r\nx\r\n")]);
        assert_eq!((facts.waits_by, facts.in_transaction), (None, Some(false)), "{told:?}");
        assert_eq!((facts.answered, facts.truncated), (Some(true), false), "{told:?}");
    }
    // A list that looks like a message is an answer.
    let list = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n";
    let facts = turns(&[("LRANGE l 0 2", list)]);
    assert_eq!((facts.waits_by, facts.answered), (None, Some(true)));
    // In the middle of a subscription.
    let mut middle = Redis::begin(Opening { assumed: true, path: false });
    middle.take(Server, Time::from_nanos(1), Piece::Missing(0));
    for _ in 0..2 {
        middle.take(Server, Time::from_nanos(1), Piece::Data(list.as_bytes()));
    }
    assert_eq!(middle.facts(false).waits_by, Some("SUBSCRIBE"));
}

#[test]
fn the_session_is_as_the_server_agreed() {
    let facts = turns(&[
        (
            "HELLO 2 AUTH me secret SETNAME web",
            "*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n",
        ),
        ("SELECT 3", "+OK\r\n"),
    ]);
    let texts = [facts.server, facts.user, facts.application, facts.database];
    assert_eq!(texts.each_ref().map(Option::as_deref), ["7.0.1", "me", "web", "3"].map(Some));
    let facts = turns(&[
        ("SELECT 99", "-ERR DB index is out of range\r\n"),
        ("CLIENT SETINFO LIB-NAME go-redis", "+OK\r\n"),
        ("CLIENT SETNAME web", "+OK\r\n"),
    ]);
    assert_eq!(facts.driver.as_deref(), Some("go-redis"));
    assert_eq!((facts.database.as_deref(), facts.application.as_deref()), (Some("0"), Some("web")));
    let facts = turns(&[("GET k", "-NOAUTH Authentication required.\r\n")]);
    assert_eq!(facts.before_login, Some(BeforeLogin::Denied));
    assert_eq!(turns(&[("AUTH secret", "")]).before_login, Some(BeforeLogin::Unanswered));
    let facts = talk(&[(Server, b"-ERR max number of clients reached\r\n".to_vec())]).facts(false);
    assert!(facts.server_error.is_some_and(|error| error.unsolicited));
    assert_eq!(turns(&[("QUIT", "+OK\r\n")]).goodbye, Some("QUIT"));
}

#[test]
fn what_was_asked_before_the_capture_is_not_known() {
    let mut redis = Redis::begin(Opening { assumed: true, path: false });
    let database = |redis: &Redis| redis.facts(false).database;
    assert_eq!(database(&redis), None, "it may have been another");
    redis.take(Server, Time::from_nanos(1), Piece::Missing(0));
    redis.take(Server, Time::from_nanos(1), Piece::Data(b"$1\r\nx\r\n"));
    redis.take(Client, Time::from_nanos(2), Piece::Data(&cmd("GET k")));
    assert_eq!(database(&redis), None);
    // The rest of a command after a loss is none, whatever its digits.
    for rest in [&b"346\r\n"[..], b"$1\r\n$3\r\nGET"] {
        let lost = [(Client, cmd("GET k")), (Client, Vec::new()), (Client, rest.to_vec())];
        let facts = talk(&lost).facts(false);
        assert_eq!((facts.last_statement, facts.truncated), (None, true), "{rest:?}");
    }
    // That the server agreed to it was cut off.
    let answer = b"$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n".to_vec();
    let cut = [(Client, cmd("SUBSCRIBE a")), (Server, Vec::new()), (Server, answer)];
    assert_eq!(talk(&cut).facts(false).waits_by, Some("SUBSCRIBE"));
}

#[test]
fn answers_are_matched_in_a_pipeline() {
    let said = [(Client, [cmd("GET a"), cmd("GET b")].concat()), (Server, b"$1\r\nx\r\n".to_vec())];
    assert_eq!(talk(&said).facts(false).answered, Some(false));
    let more = [&said[..], &[(Server, b"$-1\r\n".to_vec())]].concat();
    assert_eq!(talk(&more).facts(false).answered, Some(true));
    let big = [(Client, cmd("GET a")), (Server, b"$900\r\nx".to_vec()), (Server, Vec::new())];
    let facts = talk(&big).facts(false);
    assert_eq!((facts.answered, facts.in_transaction, facts.truncated), (None, None, true));
}

#[test]
fn silence_that_was_asked_for_is_no_missing_answer() {
    let off = ("CLIENT REPLY OFF", "");
    let state = |said: &[(&str, &str)]| {
        let facts = turns(said);
        (facts.answered, facts.in_transaction)
    };
    assert_eq!(state(&[off, ("SET k secret", "")]), (Some(true), Some(false)));
    assert_eq!(state(&[off, ("MULTI", ""), ("SET k secret", "")]), (Some(true), None));
    assert_eq!(state(&[off, ("MULTI", ""), ("EXEC", "")]), (Some(true), Some(false)));
    let on = ("CLIENT REPLY ON", "+OK\r\n");
    assert_eq!(state(&[off, ("SET k secret", ""), on, ("GET k", "")]), (Some(false), Some(false)));
    let skip = ("CLIENT REPLY SKIP", "");
    assert_eq!(state(&[skip, ("SET k secret", "")]), (Some(true), Some(false)));
    assert_eq!(state(&[skip, ("SET k secret", ""), ("GET k", "")]), (Some(false), Some(false)));
    // Within a transaction, silence begins with EXEC.
    let queued = [("MULTI", "+OK\r\n"), ("CLIENT REPLY OFF", "+QUEUED\r\n")];
    assert_eq!(state(&queued), (None, Some(true)));
    let begun = [("EXEC", "*1\r\n"), ("GET k", "")];
    assert_eq!(state(&[&queued[..], &begun].concat()), (None, None));
    assert_eq!(state(&[off, ("MULTI", ""), ("CLIENT REPLY ON", ""), ("GET k", "")]), (None, None));
    assert_eq!(state(&[off, ("MONITOR", "")]).1, None);
}

/// The beginning was not seen: an answer may be to what was asked before it.
fn from_the_middle(said: &[(Peer, Vec<u8>)]) -> Facts {
    let mut redis = Redis::begin(Opening::default());
    let mut heard = [false; 2];
    for (at, (from, octets)) in said.iter().enumerate() {
        let time = Time::from_nanos(at as i128);
        if !core::mem::replace(&mut heard[*from as usize], true) {
            redis.take(*from, time, Piece::Missing(0));
        }
        redis.take(*from, time, Piece::Data(octets));
    }
    redis.facts(false)
}

#[test]
fn an_answer_may_be_to_what_was_asked_before_the_capture() {
    let three = [cmd("GET a"), cmd("GET b"), cmd("SET k secret")].concat();
    let facts = from_the_middle(&[(Client, three), (Server, b"$-1\r\n$-1\r\n".to_vec())]);
    assert_eq!((facts.answered, facts.truncated), (None, true));
    let turn = [(Client, cmd("GET a")), (Server, b"$-1\r\n".to_vec())];
    let facts = from_the_middle(&turn);
    assert_eq!((facts.answered, facts.truncated), (None, true));
    let facts = from_the_middle(&[turn.clone(), turn].concat());
    assert_eq!((facts.answered, facts.truncated), (Some(true), false));
}

#[test]
fn an_answer_tells_by_itself_that_it_waits() {
    let waits = |command: &str, answer: &[u8]| {
        from_the_middle(&[(Client, cmd(command)), (Server, answer.to_vec())]).waits_by
    };
    assert_eq!(waits("PSYNC ? -1", b"+FULLRESYNC aaaa 0\r\n"), Some("PSYNC"));
    assert_eq!(waits("PSYNC ? -1", b"+CONTINUE\r\n"), Some("PSYNC"));
    assert_eq!(waits("PSYNC ? -1", b"+OK\r\n"), None);
    assert_eq!(waits("GET k", b"+FULLRESYNC aaaa 0\r\n"), None);
    assert_eq!(waits("PING", b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"), Some("SUBSCRIBE"));
    assert_eq!(waits("LRANGE l 0 1", b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"), None);
    assert_eq!(waits("PING", b"+PONG\r\n"), None);
}

#[test]
fn another_protocol() {
    let confirmed = |from, octets: &[u8]| talk(&[(from, octets.to_vec())]).facts(false).confirmed;
    assert_eq!(confirmed(Server, b"SSH-2.0-x\r\n"), Some(false));
    assert_eq!(confirmed(Client, b"s3cr3t words\r\n"), Some(false));
    assert!(talk(&[(Client, b"\x16\x03\x01\x02\0".to_vec())]).facts(false).encrypted);
    assert_eq!(Redis::probe(&cmd("GET a"), Client), Probe::Sure);
    assert_eq!(Redis::probe(b"*2\r\n$", Client), Probe::Likely);
    assert_eq!(Redis::probe(b"*2\r\nxx", Client), Probe::No);
    assert_eq!(Redis::probe(&cmd("ALICE a"), Client), Probe::No, "an answer, perhaps");
    assert_eq!(Redis::probe(&cmd("subscribe a"), Client), Probe::No);
    assert_eq!(Redis::probe(b"** a list\r\n", Client), Probe::No);
    assert_eq!(confirmed(Client, b"PING\r\n"), None);
    assert_eq!(turns(&[("PING", "+PONG\r\n")]).confirmed, Some(true));
}

proptest! {
    #![proptest_config(kept("redis", 512))]

    /// After every step, what was cut off or lost leaves the truth or nothing.
    #[test]
    fn right_or_unknown(snap in 0usize..80, lost in prop::collection::vec(0usize..18, 0..4), cuts in 1usize..50) {
        let all = [
            ("GET k", "$6\r\nsecret\r\n"), ("MULTI", "+OK\r\n"), ("SET k secret", "+QUEUED\r\n"),
            ("NOPE", "-ERR unknown command 'secret'\r\n"), ("EXEC", "-EXECABORT no\r\n"), ("SELECT 2", "+OK\r\n"),
            ("MULTI", "+OK\r\n"), ("LPUSH l a", "+QUEUED\r\n"), ("EXEC", "*1\r\n:1\r\n"),
        ];
        let mut whole = Redis::begin(Opening::default());
        let mut seen = Redis::begin(Opening::default());
        let said = all.iter().flat_map(|(command, answer)| [(Client, cmd(command)), (Server, answer.as_bytes().to_vec())]);
        for (at, (from, octets)) in said.enumerate() {
            let time = Time::from_nanos(at as i128);
            for piece in octets.chunks(cuts) {
                whole.take(from, time, Piece::Data(piece));
            }
            let kept = if lost.contains(&at) { 0 } else { snap.min(octets.len()) };
            take_cut(&mut seen, from, time, &octets, kept);
            let (right, facts) = (whole.facts(false), seen.facts(false));
            for (said, right) in [(facts.answered, right.answered), (facts.in_transaction, right.in_transaction)] {
                prop_assert!(said.is_none() || said == right, "{at}: {facts:?}");
            }
            prop_assert!(facts.database.is_none() || facts.database == right.database, "{at}: {facts:?}");
            let last = &facts.last_statement;
            prop_assert!(last.is_none() || *last == right.last_statement, "{at}: {facts:?}");
            prop_assert!(facts.statements.iter().all(|one| right.statements.contains(one)), "{at}: {facts:?}");
            prop_assert!(!format!("{facts:?}").contains("secret"), "{facts:?}");
        }
    }
}
