//! A set of words, a bit each: a finding among a million has several.

use std::fmt;
use std::marker::PhantomData;

/// Words of one kind, few enough for a bit each.
pub trait Word: Copy + fmt::Debug + 'static {
    /// All of them, in the order that reports have.
    const ALL: &'static [Self];

    /// The place in that order.
    fn index(self) -> u32;
}

/// Declares words, so that none can be missing from the list of all.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$note:meta])* $word:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$note])* $word),* }

        impl $crate::set::Word for $name {
            const ALL: &'static [$name] = &[$($name::$word),*];

            fn index(self) -> u32 {
                self as u32
            }
        }
    };
}

pub(crate) use words;

/// Some of the words of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Set<W>(u32, PhantomData<W>);

impl<W> Default for Set<W> {
    fn default() -> Set<W> {
        Set(0, PhantomData)
    }
}

impl<W: Word> Set<W> {
    /// Tells whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Tells whether it holds a word.
    pub fn contains(&self, word: &W) -> bool {
        self.0 >> word.index() & 1 == 1
    }

    /// Returns a set that holds this one, too.
    #[must_use]
    pub fn with(self, word: W) -> Set<W> {
        Set(self.0 | 1 << word.index(), PhantomData)
    }

    /// Returns a set that does not hold this one.
    #[must_use]
    pub fn without(self, word: W) -> Set<W> {
        Set(self.0 & !(1 << word.index()), PhantomData)
    }

    /// Returns the words in the set, in the order of all.
    pub fn iter(&self) -> impl Iterator<Item = &'static W> + use<W> {
        let set = *self;
        W::ALL.iter().filter(move |word| set.contains(word))
    }
}

impl<W: Word> FromIterator<W> for Set<W> {
    fn from_iter<I: IntoIterator<Item = W>>(words: I) -> Set<W> {
        words.into_iter().fold(Set::default(), Set::with)
    }
}

impl<W: Word> fmt::Debug for Set<W> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Doubt, Note};

    #[test]
    fn a_set_has_what_was_put_in_and_in_the_order_of_reports() {
        let set: Set<Doubt> = [Doubt::Holes, Doubt::Brief, Doubt::Holes].into_iter().collect();
        assert_eq!(format!("{set:?}"), "[Brief, Holes]");
        assert!(set.contains(&Doubt::Brief) && !set.contains(&Doubt::Gap));
        assert!(Set::<Note>::default().is_empty() && !set.is_empty());
        assert_eq!(
            Note::ALL.iter().copied().collect::<Set<Note>>().iter().count(),
            Note::ALL.len()
        );
    }
}
