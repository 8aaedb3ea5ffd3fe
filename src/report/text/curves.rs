//! Curves of captures, and which are drawn where there is not room for all.

use std::cmp::Reverse;

/// Lines of captures, each with how many were in CLOSE-WAIT at its end.
pub struct Curves {
    /// Lines in the order of captures.
    pub lines: Vec<(Reverse<u32>, String)>,
    /// Lines that are shown, if there is room.
    pub most: usize,
}

impl Curves {
    /// As many as there is room for: of captures at whose end most was, where that is not for all.
    pub fn of(&self, captures: usize) -> Vec<String> {
        let room = self.most.min(captures);
        let mut lines: Vec<&(Reverse<u32>, String)> = self.lines.iter().collect();
        if lines.len() > room {
            lines.sort_by_key(|(at_its_end, _)| *at_its_end);
            lines.truncate(room);
        }
        lines.into_iter().map(|(_, line)| line.clone()).collect()
    }
}
