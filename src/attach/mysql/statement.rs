//! What a client sent, when, and with which text.

use super::command::Command;
use crate::attach::sql::text::Text;
use crate::place::Time;

/// Something that a client sent.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    pub at: Time,
    pub command: Option<Command>,
    pub text: Text,
}
