//! Texts of prepared statements, and of portals to which they are bound, by their names.

use std::collections::VecDeque;

use crate::attach::sql::text::SqlText;

/// Statements and octets of them that are kept; the oldest goes first.
const MAX_STATEMENTS: usize = 64;
const MAX_OCTETS: usize = 16 * 1_024;

/// Portals that are kept beside the last; the oldest goes first.
const MAX_PORTALS: usize = 8;

#[derive(Clone, Debug, Default)]
pub struct Prepared {
    kept: VecDeque<(Box<[u8]>, SqlText)>,
    octets: usize,
}

impl Prepared {
    /// Takes the text that a client has parsed. Under a name that is taken, a server refuses it, unless it had refused
    /// the text before as well: either may be meant from then on.
    pub fn put(&mut self, name: &[u8], text: SqlText) {
        let is_taken = !name.is_empty() && self.kept.iter().any(|(known, _)| **known == *name);
        let text = if is_taken && self.get(name) != text { SqlText::none() } else { text };
        match self.kept.back_mut().filter(|(last, _)| **last == *name) {
            // One without a name is parsed again and again.
            Some((_, last)) => {
                self.octets = self.octets - last.octets.len() + text.octets.len();
                *last = text;
            }
            None => {
                self.remove(name);
                self.octets += name.len() + text.octets.len();
                self.kept.push_back((name.into(), text));
            }
        }
        while self.kept.len() > MAX_STATEMENTS || self.octets > MAX_OCTETS {
            let Some((name, text)) = self.kept.pop_front() else { return };
            self.octets -= name.len() + text.octets.len();
        }
    }

    pub fn get(&self, name: &[u8]) -> SqlText {
        let found = self.kept.iter().rev().find(|(known, _)| **known == *name);
        found.map_or_else(SqlText::none, |(_, text)| text.clone())
    }

    pub fn remove(&mut self, name: &[u8]) {
        if let Some(at) = self.kept.iter().position(|(known, _)| **known == *name)
            && let Some((name, text)) = self.kept.remove(at)
        {
            self.octets -= name.len() + text.octets.len();
        }
    }

    pub fn clear(&mut self) {
        *self = Prepared::default();
    }

    pub fn heap_octets(&self) -> usize {
        self.octets + self.kept.capacity() * size_of::<(Box<[u8]>, SqlText)>()
    }
}

/// A portal's name, and the text that it is bound to.
type Portal = (Box<[u8]>, SqlText);

/// Statements that are ready to be executed.
#[derive(Clone, Debug, Default)]
pub struct Portals {
    /// Nearly all clients have no more than one.
    last: Option<Portal>,
    /// Portals of other names that were bound before it.
    before: VecDeque<Portal>,
}

impl Portals {
    /// Takes a portal. `None`: its name was not seen, and may be that of any.
    pub fn bind(&mut self, portal: Option<Portal>) {
        let Some(portal) = portal else { return self.clear() };
        let other = self.last.replace(portal).filter(|(name, _)| !self.is_last(name));
        if other.is_some() || !self.before.is_empty() {
            let last = self.last.as_ref().map(|(name, _)| name);
            self.before.retain(|(name, _)| Some(name) != last);
            self.before.extend(other);
        }
        if self.before.len() > MAX_PORTALS {
            self.before.pop_front();
        }
    }

    fn is_last(&self, name: &[u8]) -> bool {
        self.last.as_ref().is_some_and(|(last, _)| **last == *name)
    }

    pub fn get(&self, name: &[u8]) -> SqlText {
        let mut all = self.last.iter().chain(&self.before);
        let found = all.find(|(known, _)| **known == *name);
        found.map_or_else(SqlText::none, |(_, text)| text.clone())
    }

    pub fn clear(&mut self) {
        *self = Portals::default();
    }

    pub fn heap_octets(&self) -> usize {
        let all = self.last.iter().chain(&self.before);
        self.before.capacity() * size_of::<Portal>()
            + all.map(|(name, text)| name.len() + text.octets.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use crate::attach::postgresql::tests::{Talk, message};

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
}
