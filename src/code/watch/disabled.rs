//! Without the feature `code`.

use super::CannotArm;
use crate::code::book::Ends;
use crate::code::{Asked, Code};

/// Nothing that could be armed.
#[derive(Debug)]
pub struct Armed {}

/// Nothing that could watch.
#[derive(Debug)]
pub struct Watch {}

impl Armed {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn arm() -> Result<Armed, CannotArm> {
        Err(CannotArm::NotBuilt)
    }

    /// Knows of none.
    #[must_use]
    pub fn is_by_calls(&self) -> bool {
        false
    }

    /// Begins to watch.
    #[must_use]
    pub fn begin(self) -> Watch {
        Watch {}
    }
}

impl Watch {
    /// Loses nothing.
    #[must_use]
    pub fn lost(&self) -> u64 {
        0
    }

    /// Knows nothing.
    pub fn code_of(&mut self, _: Ends, _: u64, _: &[i32], _: &Asked) -> Code {
        Code::default()
    }
}
