//! The two ends of a connection, by who was seen first.

/// An end of a flow. `A` sent the first packet seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that sent the first packet seen.
    A,
    /// The end across.
    B,
}

impl Side {
    /// Returns the side across.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}
