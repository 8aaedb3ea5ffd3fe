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
}

/// A segment is cut off, and the next one is lost.
#[test]
fn what_is_lost_behind_a_cut_is_no_part_of_it() {
    let parse = message("P", &[b"\0", &[b' '; 300][..], b"\0\0\0"].concat());
    let begun = [&message("P", b"\0begin\0\0\0")[..], &message("B", &[0; 8]), &parse[..200]];
    let cut = Talk::logged_in().client(&begun.concat()).piece(Peer::Client, Piece::Missing(140));
    assert_eq!(cut.facts().last_command, Some("Parse"));
    // Values go on in a segment that is cut off, too.
    let values = cut.client(&[b'x'; 200]);
    assert_eq!(values.facts().last_command, Some("Parse"));
    let values = values.piece(Peer::Client, Piece::Missing(900));
    assert_eq!(values.facts().last_command, Some("Parse"));
    assert_eq!(values.piece(Peer::Client, Piece::Missing(60)).facts().last_command, None);
}
