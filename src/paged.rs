//! A table of fixed size that takes little memory until it is used: pages of neighbours, each made with its first
//! entry.

/// A table of `PAGES` times `EACH` places, all of them empty at first.
pub struct Paged<T, const PAGES: usize, const EACH: usize>([Option<Box<[Option<T>; EACH]>>; PAGES]);

impl<T, const PAGES: usize, const EACH: usize> Default for Paged<T, PAGES, EACH> {
    fn default() -> Self {
        Paged([const { None }; PAGES])
    }
}

impl<T, const PAGES: usize, const EACH: usize> Paged<T, PAGES, EACH> {
    /// Returns what is at a place; nothing is beyond the last.
    #[inline]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.0.get(at / EACH)?.as_ref()?[at % EACH].as_ref()
    }

    /// Returns a place, to be filled or emptied.
    ///
    /// # Panics
    /// If the table has no such place.
    #[inline]
    pub fn place(&mut self, at: usize) -> &mut Option<T> {
        let page = self.0[at / EACH].get_or_insert_with(|| Box::new([const { None }; EACH]));
        &mut page[at % EACH]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_its_own() {
        let mut table = Paged::<u16, 4, 8>::default();
        for at in [0, 7, 8, 31] {
            assert_eq!(table.get(at), None);
            *table.place(at) = Some(at as u16);
        }
        let all: Vec<u16> = (0..40).filter_map(|at| table.get(at).copied()).collect();
        assert_eq!(all, [0, 7, 8, 31]);
        *table.place(8) = None;
        assert_eq!(table.get(8), None);
    }
}
