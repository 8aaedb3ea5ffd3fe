//! Without Parquet there are no parts.

use super::{FactsCommand, JudgeCommand};
use crate::commands::{Exit, complain};
use crate::report::parquet::NotBuiltIn;

/// Says so.
pub fn facts(_: FactsCommand) -> Exit {
    complain(&NotBuiltIn);
    Exit::Failed
}

/// Says so.
pub fn judge(_: JudgeCommand) -> Exit {
    complain(&NotBuiltIn);
    Exit::Failed
}
