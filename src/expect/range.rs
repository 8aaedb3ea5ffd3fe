//! Ranges of counts and durations.

/// A range with one limit, two or none; both limits are inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range<T> {
    /// The least that is allowed; none for any.
    pub min: Option<T>,
    /// The most that is allowed; none for any.
    pub max: Option<T>,
}

impl<T: PartialOrd + PartialEq + Copy> Range<T> {
    /// The range of this value alone.
    pub fn exactly(value: T) -> Range<T> {
        Range { min: Some(value), max: Some(value) }
    }

    /// The range up to this value.
    pub fn at_most(max: T) -> Range<T> {
        Range { min: None, max: Some(max) }
    }

    /// True if the value is in the range.
    pub fn holds(self, value: T) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }

    /// Says it in a sentence: `0`, `at most 2`, `1 to 3`.
    pub fn text(self, one: impl Fn(T) -> String) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => one(min),
            (Some(min), Some(max)) => format!("{} to {}", one(min), one(max)),
            (Some(min), None) => format!("at least {}", one(min)),
            (None, Some(max)) => format!("at most {}", one(max)),
            (None, None) => "any".into(),
        }
    }
}
