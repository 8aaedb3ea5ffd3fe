//! Portals, by which statements are executed.

use super::*;

fn bind(portal: &str, statement: &str) -> Vec<u8> {
    message("B", format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes())
}

/// The last statement, after some messages and the execution of a portal.
fn executed(before: &[Vec<u8>], portal: &str) -> Option<Box<str>> {
    let parse = |name: &str, sql: &str| message("P", format!("{name}\0{sql}\0\0\0").as_bytes());
    let parsed = [parse("s1", "select a"), parse("s2", "select b")].concat();
    let execute = message("E", format!("{portal}\0\0\0\0\0").as_bytes());
    let all = [&parsed[..], &before.concat(), &execute].concat();
    Talk::logged_in().client(&all).facts().last_statement
}

#[test]
fn any_portal_that_is_bound_may_be_executed() {
    let two = [bind("p1", "s1"), bind("p2", "s2")];
    assert_eq!(executed(&two, "p1").as_deref(), Some("select a"));
    assert_eq!(executed(&two, "p2").as_deref(), Some("select b"));
    assert_eq!(executed(&two, "p3").as_deref(), Some("Execute"));
    let again = [&two[..], &[bind("p1", "s2")]].concat();
    assert_eq!(executed(&again, "p1").as_deref(), Some("select b"), "bound anew");
    assert_eq!(executed(&again, "p2").as_deref(), Some("select b"));
    // No more than a few are kept.
    let many: Vec<Vec<u8>> = (0..20).map(|at| bind(&format!("p{at}"), "s1")).collect();
    assert_eq!(executed(&many, "p0").as_deref(), Some("Execute"));
    assert_eq!(executed(&many, "p18").as_deref(), Some("select a"));
    // A name that was cut off may be any.
    let cut = [&two[..], &[message("B", b"p")]].concat();
    assert_eq!(executed(&cut, "p1").as_deref(), Some("Execute"));
}
