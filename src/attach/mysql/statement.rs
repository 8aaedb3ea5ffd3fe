//! A statement of the client: its command, its time and its text.

use super::command::Command;
use crate::attach::sql::kind::Kind;
use crate::attach::sql::text::SqlText;
use crate::place::Time;

/// Something that a client sent.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    pub at: Time,
    pub command: Option<Command>,
    pub text: SqlText,
}

impl Statement {
    /// Returns whether the session reads statements afterwards as it did before.
    pub fn keeps_modes(&self) -> bool {
        let runs = self.command.is_some_and(Command::executes);
        let keeps = || self.text.kind(0) == Kind::Keeps && self.text.is_single();
        self.command.is_some_and(Command::is_harmless) || runs && keeps()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{IDLE, Talk, error, query};
    use super::super::{Mysql, Peer, Piece, Protocol};
    use super::*;

    const NO_BACKSLASH_ESCAPES: u16 = 0x0200;

    fn last(talk: &Talk) -> String {
        talk.facts().last_statement.expect("a statement").into()
    }

    #[test]
    fn whether_backslashes_escape_is_known_from_an_answer_or_not_at_all() {
        let insert = r"insert into v values ('\', 'hunter2', 'x')";
        let escaped = r"insert into v values ('it\'s', 'x')";
        let (known, hidden) = ("insert into v values (?, …)", "insert into v values (?…");
        let next = |talk: &Talk, sql: &str| last(&talk.clone().client(&query(sql)));
        assert_eq!(next(&Talk::logged_in(0), escaped), known);
        let without = Talk::logged_in(0).ask("set sql_mode='x'", IDLE | NO_BACKSLASH_ESCAPES);
        assert_eq!(next(&without, insert), known);
        // An error that leaves nothing known.
        let failed = without.client(&query("call p()")).server(&error(1064, "42000", "near"));
        assert_eq!(next(&failed, insert), hidden);
        assert_eq!(next(&failed, escaped), hidden);
        let again = failed.ask("select 1", IDLE | NO_BACKSLASH_ESCAPES);
        assert_eq!(next(&again, insert), known);
        // Sent before the answer that would tell.
        assert_eq!(next(&Talk::logged_in(0).client(&query("set sql_mode='x'")), insert), hidden);
        assert_eq!(next(&Talk::logged_in(0).client(&query("select 1")), escaped), known);
        let both = format!("set sql_mode='NO_BACKSLASH_ESCAPES'; {insert}");
        assert_eq!(
            last(&Talk::logged_in(0).client(&query(&both))),
            format!("set sql_mode=?; {hidden}")
        );
    }

    #[test]
    fn a_session_taken_up_in_the_middle_may_have_any_mode() {
        let mut mysql = Mysql::new(true);
        let talk = Talk::default().client(&query(r"select 'a\', 'hunter2'"));
        mysql.take(Peer::Client, Time::from_nanos(0), Piece::Missing(0));
        talk.read_by(&mut mysql);
        assert_eq!(mysql.facts(false).last_statement.as_deref(), Some("select ?…"));
    }
}
