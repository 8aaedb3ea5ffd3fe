//! Statements that were lost among others.

use super::*;

fn last(talk: &Talk) -> Option<Box<str>> {
    talk.facts().last_statement
}

/// However often something is lost, what was seen before it is not the last.
#[test]
fn the_last_statement_is_none_that_another_followed() {
    let lost = |talk: Talk| talk.piece(Peer::Client, Piece::Missing(30));
    let begun = Talk::logged_in().client(&query("begin"));
    let second = lost(begun).client(&query("select second from b"));
    assert_eq!(last(&second).as_deref(), Some("select second from b"));
    let third = lost(second);
    assert_eq!(last(&third), None);
    let fourth = third.client(&query("select fourth from d"));
    assert_eq!(last(&fourth).as_deref(), Some("select fourth from d"));
    assert_eq!(last(&lost(fourth)), None);
    // The rest of what is executed may come in pieces, none of which was seen.
    let executed = Talk::logged_in().client(&extended("select 1"));
    let cut = |talk: Talk| talk.piece(Peer::Client, Piece::Missing(5));
    assert_eq!(last(&cut(cut(executed))).as_deref(), Some("select ?"));
}
