//! Errors: refusals of the server, and its words of leave.

use super::messages::Message;
use crate::attach::facts::name;
use crate::attach::sql::message::without_values;
use crate::attach::{ErrorCode, ServerError};
use crate::printable::printable;

/// A message is kept so far.
const MAX_MESSAGE: usize = 200;

/// The severity of most errors that end a session: their code where no other was captured.
const FATAL: &str = "FATAL";

/// An error, as far as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// None where it was cut off.
    pub sqlstate: Option<Box<str>>,
    pub message: Box<str>,
    /// The session ends with it.
    pub fatal: bool,
    /// It answers something that was asked.
    pub answers: bool,
    /// Nothing had been asked.
    pub unsolicited: bool,
}

impl Refusal {
    /// The fields of an error: a letter and a text each.
    pub fn read(body: &[u8], whole: bool) -> Option<Refusal> {
        let (mut fatal, mut answers, mut goes_on) = (false, false, false);
        let (mut sqlstate, mut message) = (None, None);
        let mut rest = body;
        while let [field, text @ ..] = rest
            && *field != 0
        {
            let ends = Message::text(text);
            let text = match ends {
                Some((text, _)) => text,
                None if whole => return None,
                // Cut off. Of a message, the beginning says enough.
                None if *field == b'M' => {
                    goes_on = true;
                    text
                }
                None => break,
            };
            match field {
                b'S' | b'V' => {
                    fatal |= matches!(text, b"FATAL" | b"PANIC");
                    answers |= text == b"ERROR";
                }
                b'C' => sqlstate = Some(text),
                b'M' => message = Some(text),
                _ => {}
            }
            let Some((_, after)) = ends else { break };
            rest = after;
        }
        let is_state =
            |state: &&[u8]| state.len() == 5 && state.iter().all(u8::is_ascii_alphanumeric);
        let sqlstate = sqlstate.filter(is_state).map(name);
        // The severity, which comes first, tells enough of one that ends the session.
        let is_cut = !whole && fatal;
        if sqlstate.is_none() && !is_cut {
            return None;
        }
        let message = printable(&String::from_utf8_lossy(message.unwrap_or_default()));
        let goes_on = goes_on || sqlstate.is_none();
        let end = if goes_on || message.chars().count() > MAX_MESSAGE { "…" } else { "" };
        let message =
            message.chars().take(MAX_MESSAGE).chain(end.chars()).collect::<String>().into();
        Some(Refusal { sqlstate, message, fatal, answers, unsolicited: false })
    }

    /// Returns whether a transaction was open, where the server closes because it waited for the client too long.
    pub fn idle(&self) -> Option<bool> {
        match self.sqlstate.as_deref() {
            Some("25P03") => Some(true),
            Some("57P05") => Some(false),
            _ => None,
        }
    }

    /// Returns whether the server goes down.
    pub fn shuts_down(&self) -> bool {
        matches!(self.sqlstate.as_deref(), Some("57P01" | "57P02"))
    }

    /// Returns whether it refuses the session itself.
    pub fn denies(&self) -> bool {
        ["28", "3D", "08"].iter().any(|class| self.is_of(class))
    }

    fn is_of(&self, class: &str) -> bool {
        self.sqlstate.as_deref().is_some_and(|state| state.starts_with(class))
    }

    pub fn show(&self, literals: bool) -> ServerError {
        // Class P0 is what a procedure says, in words and with values of its own.
        let message = match literals {
            true => self.message.clone(),
            false if self.is_of("P0") => "?".into(),
            false => without_values(&self.message).into(),
        };
        ServerError {
            code: ErrorCode::Name(self.sqlstate.clone().unwrap_or_else(|| FATAL.into())),
            sqlstate: self.sqlstate.clone(),
            message,
            unsolicited: self.unsolicited || self.fatal,
        }
    }

    pub fn heap_octets(&self) -> usize {
        let sqlstate = self.sqlstate.as_ref().map_or(0, |state| state.len());
        size_of::<Refusal>() + sqlstate + self.message.len()
    }
}
