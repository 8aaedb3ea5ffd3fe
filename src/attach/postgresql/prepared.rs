//! Texts of prepared statements, by their names.

use std::collections::VecDeque;

use crate::attach::sql::text::SqlText;

/// Statements and octets of them that are kept; the oldest goes first.
const MAX_STATEMENTS: usize = 64;
const MAX_OCTETS: usize = 16 * 1_024;

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
