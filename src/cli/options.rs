//! Options as a command line has them, for a command that is named to the reader.

use std::fmt::{Display, Write};

/// Options that were given, each behind a blank.
#[derive(Default)]
pub(super) struct Options(pub String);

impl Options {
    pub fn flag(&mut self, name: &str, is_given: bool) {
        if is_given {
            let _ = write!(self.0, " {name}");
        }
    }

    /// Values that need no quotes, or have them.
    pub fn values(&mut self, name: &str, values: impl IntoIterator<Item = impl Display>) {
        for value in values {
            let _ = write!(self.0, " {name} {value}");
        }
    }
}
