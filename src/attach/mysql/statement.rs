//! A statement of the client: its command, its time and its text.

use super::command::Command;
use crate::attach::sql::text::SqlText;
use crate::place::Time;

/// Something that a client sent.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    pub at: Time,
    pub command: Option<Command>,
    pub text: SqlText,
}
