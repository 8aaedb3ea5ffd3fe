//! Prepared statements by their numbers.

use crate::attach::sql::text::SqlText;

/// So many are remembered, and so many octets of their texts: the latest.
pub const MAX_STATEMENTS: usize = 64;
pub const MAX_TEXTS: usize = 16 * 1_024;

/// MariaDB: the statement that was prepared last, whose number the client has yet to learn.
const LATEST: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub struct Prepared {
    known: Vec<(u32, SqlText)>,
    octets: usize,
    latest: Option<SqlText>,
}

impl Prepared {
    /// The client asks to prepare this.
    pub fn ask(&mut self, text: &SqlText) {
        self.latest = Some(text.clone());
    }

    /// The server gave it a number.
    pub fn insert(&mut self, id: u32, text: SqlText) {
        self.remove(id);
        self.octets += text.octets.len();
        self.known.push((id, text));
        while self.known.len() > MAX_STATEMENTS || self.octets > MAX_TEXTS {
            self.octets -= self.known.remove(0).1.octets.len();
        }
    }

    pub fn remove(&mut self, id: u32) {
        if let Some(at) = self.known.iter().position(|(known, _)| *known == id) {
            self.octets -= self.known.remove(at).1.octets.len();
        }
    }

    pub fn get(&self, id: u32) -> Option<&SqlText> {
        if id == LATEST {
            return self.latest.as_ref();
        }
        self.known.iter().find(|(known, _)| *known == id).map(|(_, text)| text)
    }

    pub fn heap_octets(&self) -> usize {
        let latest = self.latest.as_ref().map_or(0, |text| text.octets.len());
        size_of::<Prepared>()
            + self.octets
            + latest
            + self.known.capacity() * size_of::<(u32, SqlText)>()
    }
}
