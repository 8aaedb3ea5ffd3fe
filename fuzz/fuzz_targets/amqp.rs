//! A conversation: pieces of an octet that says whose it is and whether it is missing, an octet of
//! length, and the octets.

#![no_main]

use closewait::attach::amqp::{Amqp, MAX_HEAP};
use closewait::attach::{Opening, Peer, Protocol};
use closewait::place::Time;
use closewait::tcp::stream::Piece;
use closewait_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [first, rest @ ..] = bytes else { return };
    let mut rest = rest;
    let mut amqp = Amqp::begin(Opening { assumed: first & 1 != 0, path: first & 2 != 0 });
    let mut at = 0;
    while let [what, len, after @ ..] = rest {
        let (data, after) = after.split_at(after.len().min(usize::from(*len)));
        rest = after;
        at += 1;
        let from = if what & 1 == 0 { Peer::Client } else { Peer::Server };
        let piece = match what & 6 {
            6 => Piece::Missing(u64::from(*len)),
            _ => Piece::Data(data),
        };
        amqp.take(from, Time::from_nanos(at), piece);
        assert!(amqp.heap_octets() <= MAX_HEAP, "{}", amqp.heap_octets());
    }
    for literals in [false, true] {
        let facts = amqp.facts(literals);
        let names = [&facts.server, &facts.user, &facts.database, &facts.last_statement];
        let statements = names.into_iter().flatten().chain(&facts.statements);
        statements.for_each(|s| assert_printable(s, &[]));
        facts.path.iter().for_each(|step| assert_printable(&step.to_string(), &[]));
        facts.server_error.iter().for_each(|error| assert_printable(&error.message, &[]));
        let is_open = facts.in_transaction == Some(true);
        assert!(is_open || facts.statements.is_empty() && facts.transaction_since.is_none());
        assert_eq!(facts.last_statement.is_some(), facts.last_statement_at.is_some());
    }
});
