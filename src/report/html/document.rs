//! The contents of a page, for each of its parts.

use super::strip::Strip;
use crate::report::stacks::Stacks;
use crate::report::text::report::Report;
use crate::summary::groups::Group;

/// All that is written.
pub struct Document<'a> {
    pub report: Report<'a>,
    pub groups: Vec<&'a Group>,
    /// Connections by what was said on them, and by the code behind those of which it is known.
    pub stacks: &'a Stacks,
    pub code: &'a Stacks,
    pub strips: &'a [Strip],
    pub made_by: &'a str,
}
