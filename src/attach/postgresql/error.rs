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
    /// A program in the database or the client wrote the message, or may have: it can hold anything.
    pub is_foreign: bool,
}

/// Source files in which servers pass on what programs in the database say: those of PL/pgSQL, PL/Python, PL/Perl, PL/Tcl
/// and PL/v8.
const OF_PROGRAMS: [&[u8]; 5] = [b"pl_exec.c", b"plpy_", b"plperl.", b"pltcl.", b"plv8"];

/// Returns whether the words may be another's, by the file of the server's source that they come from.
fn is_foreign(file: &[u8], sqlstate: Option<&str>) -> bool {
    let name = file.rsplit(|octet| matches!(octet, b'/' | b'\\')).next().unwrap_or(file);
    // The client ends a COPY with words of its own.
    let ends_copy = sqlstate == Some("57014") && name.starts_with(b"copy");
    ends_copy || OF_PROGRAMS.iter().any(|begins| name.starts_with(begins))
}

/// Returns whether servers have codes of this class; programs can have any.
fn is_of_servers(sqlstate: &str) -> bool {
    let others = ["72", "F0", "HV", "XX"];
    matches!(sqlstate.as_bytes().first(), Some(b'0'..=b'5'))
        || others.iter().any(|class| sqlstate.starts_with(class))
}

impl Refusal {
    /// The fields of an error: a letter and a text each.
    pub fn read(body: &[u8], whole: bool) -> Option<Refusal> {
        let (mut fatal, mut answers, mut goes_on) = (false, false, false);
        let (mut sqlstate, mut message, mut file) = (None, None, None);
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
                b'F' => file = Some(text),
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
        let has_own_code = sqlstate.as_deref().is_some_and(|state| !is_of_servers(state));
        // None of them ends a session, and without the place nobody knows whose words they are.
        let is_foreign = match file {
            Some(file) => has_own_code || is_foreign(file, sqlstate.as_deref()),
            None => has_own_code || !whole && !fatal,
        };
        let message = printable(&String::from_utf8_lossy(message.unwrap_or_default()));
        let goes_on = goes_on || sqlstate.is_none();
        let end = if goes_on || message.chars().count() > MAX_MESSAGE { "…" } else { "" };
        let message =
            message.chars().take(MAX_MESSAGE).chain(end.chars()).collect::<String>().into();
        Some(Refusal { sqlstate, message, fatal, answers, unsolicited: false, is_foreign })
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
        let message = match literals {
            true => self.message.clone(),
            false if self.is_foreign => "?".into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_in_the_database_says_is_hidden_whatever_its_code() {
        let shown = |fields: &str, whole| {
            let refusal = Refusal::read(fields.as_bytes(), whole).expect("an error");
            refusal.show(false).message.into_string()
        };
        let head = "SERROR\0VERROR\0C23505\0Mhunter2 is taken\0";
        for file in ["pl_exec.c", "..\\src\\pl_exec.c", "plpy_elog.c", "plperl.c", "pltcl.c"] {
            assert_eq!(shown(&format!("{head}F{file}\0L3925\0Rexec_stmt_raise\0\0"), true), "?");
        }
        // Of the server itself, or of somebody between who names no file.
        let told = "hunter2 is taken";
        assert_eq!(shown(&format!("{head}Fnbtinsert.c\0L666\0R_bt_check_unique\0\0"), true), told);
        assert_eq!(shown(&format!("{head}\0"), true), told);
        let copy = "SERROR\0C57014\0MCOPY from stdin failed: hunter2\0Fcopyfromparse.c\0\0";
        assert_eq!(shown(copy, true), "?");
        for code in ["P0001", "U0001", "99999"] {
            assert_eq!(shown(&format!("{}\0", head.replace("23505", code)), true), "?", "{code}");
        }
        // What was cut off before that may be a program's.
        assert_eq!(shown(&format!("{head}Wfunction rr()"), false), "?");
        assert_eq!(shown(&head.replace("ERROR", "FATAL"), false), told);
    }
}
