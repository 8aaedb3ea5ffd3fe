//! Nobody is told: for those who read the same once more.

use super::Watch;
use crate::capture::Error;

/// Who has been told already.
pub struct Nobody;

impl Watch for Nobody {
    fn trouble(&mut self, _: &Error) {}
    fn progress(&mut self, _: u64, _: Option<u64>) {}
}
