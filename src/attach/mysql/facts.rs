//! Tells what is known of a connection in the keys that all protocols share.

use super::command::Command;
use super::reply::Reply;
use super::statement::Statement;
use super::wire::Refusal;
use super::{Mysql, Phase};
use crate::attach::facts::Tag;
use crate::attach::sql::tags;
use crate::attach::{BeforeLogin, Begun, Facts, Protocol};
use crate::place::Time;

impl Mysql {
    /// Returns the facts known by now. `literals`: statements as they were sent, with their values.
    pub(super) fn show(&self, literals: bool) -> Facts {
        let (exchange, session) = (&self.exchange, &self.session);
        let in_transaction = self.in_transaction();
        let is_open = in_transaction.unwrap_or_else(|| self.may_be_open());
        let last = exchange.last();
        let has_last = last.command.is_some();
        let (statements_at, statements) =
            if is_open { self.statements(literals) } else { Default::default() };
        Facts {
            confirmed: self.confirmed,
            server: session.version.clone(),
            user: session.user.clone().filter(|_| !exchange.may_change_user()),
            database: session.database.clone().filter(|_| !exchange.may_rename()),
            application: session.program.as_ref().and_then(|it| it.name.clone()),
            driver: session.program.as_ref().and_then(|it| it.library.clone()),
            last_command: last.command.and_then(Command::name),
            last_statement: show_last(last, literals),
            last_statement_at: has_last.then_some(last.at),
            tags: self.tags(last, is_open),
            answered: if has_last { exchange.answered() } else { None },
            no_answer: last.command.is_some_and(Command::is_silent),
            half_asked: self.has_half_a_request(),
            in_transaction,
            never_begun: self.is_before_login(),
            transaction_since: self.transaction.since().filter(|_| is_open),
            begun: self.transaction.begun().filter(|_| is_open).map(Begun::from),
            statements,
            statements_at,
            more_statements: self.transaction.log().filter(|_| is_open).map_or(0, |log| log.more),
            path: self.path(literals),
            goodbye: self.goodbye().or_else(|| self.released_by()),
            before_login: self.before_login(),
            waits_by: self.waits_by(),
            server_error: self.error.as_deref().map(|error| error.show(literals)),
            encrypted: self.encrypted,
            compressed: self.compressed,
            truncated: self.truncated,
            ..Facts::of(Mysql::IDENTITY)
        }
    }

    pub(super) fn goodbye(&self) -> Option<&'static str> {
        self.quit.then(|| Command::QUIT.name()).flatten()
    }

    /// Returns whether the client has begun to ask for something, and nothing was missed.
    fn has_half_a_request(&self) -> bool {
        let is_sure = self.confirmed == Some(true) && !self.truncated;
        is_sure && self.phase == Phase::Commands && self.client.is_within()
    }

    /// Returns the last statement if the server carried it out and was to end the connection with it.
    fn released_by(&self) -> Option<&'static str> {
        let last = self.exchange.last();
        let is_refused = self.error.as_ref().is_some_and(|error| !error.unsolicited);
        let is_done = self.exchange.answered() == Some(true) && !is_refused;
        let executes = is_done && last.command.is_some_and(Command::executes);
        if executes { last.text.release() } else { None }
    }

    fn waits_by(&self) -> Option<&'static str> {
        let asked = self.exchange.command().filter(|asked| asked.subscribes());
        asked.filter(|_| self.exchange.reply == Reply::Stream).and_then(Command::name)
    }

    /// The client never answered, or the server refused it with whatever error: too many connections are told after
    /// the login, too. One that ends sessions, whatever they do, has a reason of its own, but for a network that fails.
    fn before_login(&self) -> Option<BeforeLogin> {
        let denies = |error: &Refusal| !error.ends() || matches!(error.code, 1158..=1159);
        let denied = self.error.as_deref().map(denies);
        match (self.phase, denied) {
            _ if self.confirmed != Some(true) || self.truncated => None,
            (Phase::Login | Phase::Proof, Some(true)) => Some(BeforeLogin::Denied),
            (Phase::Login, None) => Some(BeforeLogin::GreetingUnread),
            (Phase::Proof, None) => Some(BeforeLogin::Unanswered),
            _ => None,
        }
    }

    /// Nobody has logged in, and nothing was missed: the server is satisfied with nothing yet, or said with its
    /// first word that it takes nobody.
    fn is_before_login(&self) -> bool {
        let is_early = matches!(self.phase, Phase::Login | Phase::Proof | Phase::Done);
        let is_seen = !(self.truncated || self.encrypted || self.compressed);
        is_early && is_seen && self.confirmed == Some(true)
    }

    /// A transaction was begun that the last error has ended or not.
    fn may_be_open(&self) -> bool {
        self.transaction.is_doubtful() && !self.exchange.is_due()
    }

    fn in_transaction(&self) -> Option<bool> {
        if self.is_before_login() {
            return Some(false);
        }
        let known = self.transaction.is_open()?;
        let still = |statement| self.transaction.is_open_during(statement) == Some(known);
        self.exchange.waiting().all(still).then_some(known)
    }

    /// The statements of the transaction: answered ones, then those that were sent and not answered.
    fn tags(&self, last: &Statement, is_open: bool) -> Vec<Tag> {
        let log = self.transaction.log().filter(|_| is_open);
        let texts = log.into_iter().flat_map(|log| log.texts()).map(|(_, text)| text);
        tags::of_last(texts.chain([&last.text]))
    }

    fn statements(&self, literals: bool) -> (Vec<Time>, Vec<Box<str>>) {
        let answered = self.transaction.log().into_iter().flat_map(|log| log.texts());
        let executes = |s: &&Statement| s.command.is_some_and(Command::executes);
        let waiting = self.exchange.waiting().filter(executes);
        let all = answered.chain(waiting.map(|statement| (statement.at, &statement.text)));
        all.filter_map(|(at, text)| Some((at, text.show(literals)?))).unzip()
    }
}

fn show_last(last: &Statement, literals: bool) -> Option<Box<str>> {
    let command = last.command?;
    let has_text = command.executes() || command == Command::STMT_PREPARE;
    let text = if has_text { last.text.show(literals) } else { None };
    text.or_else(|| command.name().map(Box::from))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{
        IDLE, OPEN, PROTOCOL_41, Talk, WITH_DB, error, ok, query, statements,
    };
    use super::*;
    use crate::attach::{Opening, PathStep, Peer};
    use crate::tcp::stream::Piece;

    #[test]
    fn whatever_error_answers_a_login_it_is_a_refusal() {
        let greeted = || Talk::default().greeting("8", PROTOCOL_41);
        let login = || greeted().login(PROTOCOL_41 | WITH_DB);
        let of = |talk: Talk, code| talk.server(&error(code, "08004", "no")).facts().before_login;
        for code in [1040, 1045, 1203, 1226, 3118, 4020] {
            assert_eq!(of(login(), code), Some(BeforeLogin::Denied), "{code}");
            assert_eq!(of(greeted(), code), Some(BeforeLogin::Denied), "{code}");
            assert_eq!(of(Talk::default(), code), None, "{code}: before the greeting");
        }
        assert_eq!(of(login(), 1053), None, "the server goes down");
    }

    #[test]
    fn who_asks_the_server_to_end_the_connection_has_taken_its_leave() {
        let begun = || Talk::logged_in(0).ask("begin", OPEN);
        let asked = begun().client(&query("commit release"));
        assert_eq!(asked.facts().goodbye, None, "not answered yet");
        let facts = asked.clone().server(&ok(IDLE)).facts();
        assert_eq!(facts.goodbye, Some("COMMIT RELEASE"));
        assert_eq!((facts.in_transaction, facts.answered), (Some(false), Some(true)));
        assert_eq!(asked.server(&error(1180, "HY000", "no")).facts().goodbye, None);
        assert_eq!(begun().ask("commit no release", IDLE).facts().goodbye, None);
        let again = begun().ask("rollback release", IDLE).ask("select 1", IDLE);
        assert_eq!(again.facts().goodbye, None, "it went on");
        let mut mysql = Mysql::begin(Opening { assumed: false, path: true });
        begun().ask("commit release", IDLE).read_by(&mut mysql);
        let path = ["begin", "commit release"].map(|text| PathStep::Said(text.into()));
        assert_eq!(mysql.facts(false).path, path, "said once");
    }

    #[test]
    fn a_request_that_was_sent_in_part() {
        let asked = [&[40, 0, 0, 0][..], &query("select secret from accounts")].concat();
        for (octets, half) in [(&asked[..], true), (&asked[..2], true), (&[], false)] {
            let mut mysql = Mysql::new(false);
            Talk::logged_in(0).ask("select 1", IDLE).read_by(&mut mysql);
            mysql.take(Peer::Client, Time::UNKNOWN, Piece::Data(octets));
            let facts = mysql.facts(false);
            assert_eq!((facts.half_asked, facts.answered), (half, Some(true)));
            mysql.take(Peer::Client, Time::UNKNOWN, Piece::Missing(1));
            assert!(!mysql.facts(false).half_asked, "its end may have been lost");
        }
    }

    #[test]
    fn statements_that_leave_the_transaction_as_it_is() {
        for sql in
            ["values (1)", "(select 3)", "handler t open", "help 'x'", "deallocate prepare s"]
        {
            let facts = Talk::logged_in(0).ask("begin", OPEN).ask(sql, OPEN).facts();
            assert_eq!(facts.statements.first().map(|sql| &**sql), Some("begin"), "{sql}");
            assert_eq!((facts.statements.len(), facts.begun.is_some()), (2, true), "{sql}");
        }
    }

    #[test]
    fn a_statement_that_says_nothing_goes_by_its_command() {
        let talk = Talk::logged_in(0).ask("begin", OPEN).ask("/* ping */", OPEN);
        assert_eq!(talk.facts().last_statement.as_deref(), Some("COM_QUERY"));
        assert_eq!(statements(&talk.facts()), ["begin"]);
        let mut mysql = Mysql::begin(Opening { assumed: false, path: true });
        talk.read_by(&mut mysql);
        let path = ["begin", "COM_QUERY"].map(|text| PathStep::Said(text.into()));
        assert_eq!(mysql.facts(false).path, path);
    }
}
