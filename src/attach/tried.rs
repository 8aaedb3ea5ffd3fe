//! The usual ports of protocols, held against what is said there.
//!
//! A thousand conversations in no protocol that is read, and not one in any: then their port tells nothing, and what
//! is said first decides, as on any other.

use std::ops::AddAssign;

use super::registry::Known;
use crate::set::{Set, Word};

/// Conversations that are many enough.
const MANY: u32 = 1_000;

/// Evidence of conversations for and against the protocols that they were taken for by their ports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// Counts of conversations in none, by protocol.
    refuted: [u32; Known::ALL.len()],
    /// Protocols of whose ports a conversation was in one, be it another.
    spoken: Set<Known>,
}

impl Tried {
    /// Takes note of a conversation that was taken for one in this protocol, and is in none.
    pub fn refute(&mut self, protocol: Known) {
        self.refuted[protocol.index() as usize] += 1;
    }

    /// Takes note of one that is in a protocol.
    pub fn speak(&mut self, protocol: Known) {
        self.spoken = self.spoken.with(protocol);
    }

    /// Returns the protocols that are not what their ports are used for.
    pub fn refuted(&self) -> impl Iterator<Item = Known> + use<> {
        let Tried { refuted, spoken } = *self;
        let is_refuted =
            move |it: &Known| refuted[it.index() as usize] >= MANY && !spoken.contains(it);
        Known::ALL.iter().copied().filter(is_refuted)
    }
}

impl AddAssign for Tried {
    fn add_assign(&mut self, more: Tried) {
        for (refuted, more) in self.refuted.iter_mut().zip(more.refuted) {
            *refuted += more;
        }
        for &protocol in Known::ALL.iter().filter(|it| more.spoken.contains(it)) {
            self.speak(protocol);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuted(times: u32, spoken: Option<Known>) -> Vec<Known> {
        let (mut one, mut other) = (Tried::default(), Tried::default());
        (0..times / 2).for_each(|_| one.refute(Known::Mysql));
        (times / 2..times).for_each(|_| other.refute(Known::Mysql));
        spoken.into_iter().for_each(|spoken| other.speak(spoken));
        one += other;
        one.refuted().collect()
    }

    #[test]
    fn many_refute_a_name_that_nobody_confirms() {
        assert_eq!(refuted(MANY - 1, None), []);
        assert_eq!(refuted(MANY, None), [Known::Mysql]);
        assert_eq!(refuted(MANY, Some(Known::Redis)), [Known::Mysql]);
        assert_eq!(refuted(MANY, Some(Known::Mysql)), []);
    }
}
