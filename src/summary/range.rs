//! Ranges: of many values, the least and the greatest.

/// The least and the greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range<T>(Option<(T, T)>);

impl<T> Default for Range<T> {
    fn default() -> Range<T> {
        Range(None)
    }
}

impl<T: Ord + Copy> Range<T> {
    /// Returns the least and the most; none of nothing.
    pub fn ends(self) -> Option<(T, T)> {
        self.0
    }

    /// Widens the range to hold a value.
    pub fn add(&mut self, value: T) {
        let (least, most) = self.0.unwrap_or((value, value));
        self.0 = Some((least.min(value), most.max(value)));
    }

    /// Widens the range to hold another.
    pub fn join(&mut self, other: Range<T>) {
        if let Some((least, most)) = other.0 {
            self.add(least);
            self.add(most);
        }
    }
}
