//! Octets as they came: what is shown of them is made when somebody asks, for of most connections nobody does.

use super::facts::name;

/// Octets that are kept: no name that is shown takes more.
const MOST: usize = 512;

/// Octets of the last message that had some. Their room is used again.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    octets: Vec<u8>,
    is_there: bool,
}

impl Kept {
    /// Keeps these in place of those before.
    pub fn set(&mut self, octets: Option<&[u8]>) {
        self.octets.clear();
        let all = octets.unwrap_or_default();
        self.octets.extend_from_slice(all.get(..MOST).unwrap_or(all));
        self.is_there = octets.is_some();
    }

    pub fn get(&self) -> Option<&[u8]> {
        self.is_there.then_some(&self.octets)
    }

    /// Returns them as a name that is safe to print, and bounded.
    pub fn name(&self) -> Option<Box<str>> {
        self.get().map(name)
    }

    pub fn heap_octets(&self) -> usize {
        self.octets.capacity()
    }
}
