//! Reading the server's side: its greeting and its answers.

use super::command::Command;
use super::frames::{MysqlPacket, Rest};
use super::reply::{Agreed, Reply, ReplyStep};
use super::statement::Statement;
use super::wire::{self, ERROR, Greeting, MAX_MESSAGE, OK, Reader, Refusal, capability, status};
use super::{Mysql, Phase};
use crate::attach::facts::name;
use crate::attach::sql::text::Database;
use crate::place::Time;
use crate::tcp::stream::Piece;

/// An error's message is the longest that matters.
const KEEP: usize = MAX_MESSAGE + 56;

impl Mysql {
    /// The first packet of all. `false`: this is no MySQL.
    pub(super) fn greeting(&mut self, packet: &MysqlPacket<'_>) -> bool {
        if packet.head.first() == Some(&ERROR) {
            let error = Refusal::read(packet.head, packet.is_whole(), true)
                .filter(|e| is_error_code(e.code));
            self.confirmed = error.as_ref().map(|_| true);
            self.error = error.map(Box::new);
            self.finish();
            return self.error.is_some();
        }
        if packet.head.len() < 2 && !packet.is_whole() {
            // Nothing of it was captured.
            self.truncated = true;
            self.phase = Phase::Login;
            if !self.assumed {
                self.finish();
            }
            return true;
        }
        let Some(greeting) = Greeting::read(packet.head, packet.is_whole()) else { return false };
        self.confirmed = Some(true);
        self.session.version = greeting.version.map(version);
        self.session.agreed = Agreed::offered(greeting.capabilities);
        self.truncated |= greeting.version.is_none();
        self.phase = Phase::Login;
        true
    }

    pub(super) fn take_server(&mut self, at: Time, piece: Piece<'_>) {
        if !std::mem::replace(&mut self.heard, true) && piece == Piece::Missing(0) {
            // Its direction begins here, after the command: what comes is the answer.
            return;
        }
        if self.server.is_lost() {
            self.error_is_past();
        }
        if let (Piece::Data(data), true) = (piece, self.server.is_lost()) {
            self.find_server(data);
        }
        let was_lost = self.server.is_lost();
        if was_lost && self.exchange.is_due() {
            // An answer comes, and cannot be read.
            self.hide();
        }
        self.read_server(Rest::from(piece), at);
        if self.phase != Phase::Done && self.server.is_lost() && !was_lost {
            self.server_lost();
        }
    }

    fn read_server(&mut self, mut rest: Rest<'_>, at: Time) {
        while self.phase != Phase::Done && !rest.is_nothing() {
            if self.phase == Phase::Commands {
                self.exchange.skip_counted(&self.server, &mut rest);
            }
            let in_step = match self.server.take_whole(&mut rest, at) {
                Some(packet) => Some(self.server_packet(&packet)),
                None => self.next_server_packet(&mut rest, at),
            };
            let Some(in_step) = in_step else { return };
            let is_sure = in_step && !core::mem::take(&mut self.exchange.unsure);
            if !is_sure && self.phase != Phase::Done {
                return self.server.lose();
            }
        }
    }

    /// Takes the next packet, wherever its beginning lies. `None`: there is none.
    fn next_server_packet(&mut self, rest: &mut Rest<'_>, at: Time) -> Option<bool> {
        let mut frames = core::mem::take(&mut self.server);
        let in_step = frames.next(rest, at, KEEP).map(|packet| self.server_packet(&packet));
        if self.phase != Phase::Done {
            self.server = frames;
        }
        in_step
    }

    /// The thread was lost: does it begin again here?
    fn find_server(&mut self, data: &[u8]) {
        if self.phase != Phase::Commands {
            return;
        }
        if self.exchange.begins_answer(data) {
            self.server.find();
        } else if let Some(error) = lone_error(data) {
            // Whatever it answers, it is the last word so far.
            let unsolicited = data.get(3) == Some(&0);
            self.error = Some(Box::new(Refusal { unsolicited, ..error }));
        }
    }

    /// Something that the server sent was not seen.
    fn server_lost(&mut self) {
        self.truncated = true;
        self.error_is_past();
        self.exchange.unmatched |= self.exchange.waits_for_several();
        self.hide();
    }

    /// The server has said more since it answered with an error.
    fn error_is_past(&mut self) {
        self.error = self.error.take().filter(|error| error.unsolicited);
    }

    /// Whatever is due, it cannot be told apart any more.
    fn hide(&mut self) {
        self.truncated = true;
        self.transaction.forget();
        self.error_is_past();
        self.exchange.fresh = false;
        if !self.exchange.is_due() {
            return;
        }
        self.exchange.reply = Reply::Hidden;
        // Whether these succeeded is not known.
        if self.exchange.may_rename() {
            self.session.database = None;
        }
        if self.exchange.may_change_user() {
            (self.session.user, self.session.prepared) = (None, None);
        }
    }

    /// `false`: this cannot be the server's next packet.
    fn server_packet(&mut self, packet: &MysqlPacket<'_>) -> bool {
        match self.phase {
            Phase::Login | Phase::Proof => self.proof_packet(packet),
            Phase::Commands => self.answer_packet(packet),
            Phase::Greeting | Phase::Done => true,
        }
    }

    fn proof_packet(&mut self, packet: &MysqlPacket<'_>) -> bool {
        match packet.head.first() {
            Some(&ERROR) => {
                self.refuse(packet, self.phase == Phase::Login);
                true
            }
            Some(&OK) if self.phase == Phase::Proof => {
                self.logged_in(packet);
                true
            }
            // A part of the proof. Not knowing what was said, the next command will tell.
            _ => self.phase == Phase::Proof,
        }
    }

    fn logged_in(&mut self, packet: &MysqlPacket<'_>) {
        self.phase = Phase::Commands;
        let compresses = [capability::COMPRESS, capability::ZSTD];
        let agreed = compresses.map(|way| self.session.agreed.has(way));
        if agreed.contains(&Some(true)) {
            (self.compressed, self.truncated) = (true, true);
            return self.finish();
        }
        match wire::status_of_ok(packet.head) {
            Some(flags) => {
                self.transaction.status(flags, &Statement::default(), 0);
            }
            None => self.truncated = true,
        }
        if agreed.contains(&None) {
            // Perhaps it does: what comes now must look like packets.
            self.exchange.unsure = true;
            self.client.lose();
        }
    }

    fn refuse(&mut self, packet: &MysqlPacket<'_>, unsolicited: bool) -> Option<u16> {
        let error = Refusal::read(packet.head, packet.is_whole(), unsolicited);
        let code = error.as_ref().map(|error| error.code);
        self.truncated |= !packet.is_whole() && packet.head.len() < KEEP;
        self.error = error.map(Box::new);
        code
    }

    fn answer_packet(&mut self, packet: &MysqlPacket<'_>) -> bool {
        let is_error = packet.head.first() == Some(&ERROR);
        let is_due = self.exchange.is_due();
        if is_error && (!is_due || packet.seq == 0 && self.exchange.next_seq != 0) {
            // By its number it is an answer, to a command that was not seen.
            self.refuse(packet, packet.seq == 0 || !self.truncated);
            return true;
        }
        if !is_due {
            // The command was not seen, or is seen later than its answer.
            self.exchange.unmatched = true;
            return false;
        }
        // A stream's numbers begin anew with what is to be acknowledged.
        if packet.seq != self.exchange.next_seq && self.exchange.reply != Reply::Stream {
            return false;
        }
        self.exchange.next_seq = packet.last_seq.wrapping_add(1);
        self.exchange.fresh = false;
        self.take_number(packet);
        let before = self.exchange.reply;
        let step = self.exchange.reply.take(packet, &mut self.session.agreed);
        self.step(step, before, packet)
    }

    /// The number of a prepared statement.
    fn take_number(&mut self, packet: &MysqlPacket<'_>) {
        let mut reader = Reader(packet.head);
        if self.exchange.reply != Reply::Prepared || reader.u8() != Some(OK) {
            return;
        }
        let Some(id) = reader.number(4) else { return };
        let text = self.exchange.current().text.clone();
        self.session.prepared.get_or_insert_default().insert(id as u32, text);
    }

    fn step(&mut self, step: ReplyStep, before: Reply, packet: &MysqlPacket<'_>) -> bool {
        match step {
            ReplyStep::Wrong => return false,
            ReplyStep::Progress => {}
            ReplyStep::Goes if self.exchange.reply == Reply::Hidden => self.hide(),
            ReplyStep::Goes => {}
            ReplyStep::Failed => {
                let code = self.refuse(packet, false);
                let (statement, result) = (self.exchange.current(), self.exchange.results);
                self.transaction.refused(code, statement, usize::from(result));
                self.done(code);
            }
            ReplyStep::Ended => {
                self.succeeded();
                self.done(None);
            }
            ReplyStep::Cut => {
                self.hide();
                if matches!(before, Reply::Word | Reply::Login) {
                    self.succeeded();
                    self.done(None);
                }
            }
            ReplyStep::Status(flags) => self.status(flags),
        }
        true
    }

    fn status(&mut self, flags: u16) {
        self.succeeded();
        let (statement, result) = (self.exchange.current(), self.exchange.results);
        let has_results = statement.command.is_some_and(Command::has_results);
        let begins = self.transaction.status(flags, statement, usize::from(result));
        self.path_begins(begins);
        if has_results && flags & status::MORE_RESULTS != 0 {
            self.exchange.another_result();
        } else {
            self.done(None);
        }
    }

    /// Notes the change that a command makes when it succeeds.
    fn succeeded(&mut self) {
        self.confirmed = Some(true);
        if self.error.as_ref().is_some_and(|error| !error.unsolicited) {
            self.error = None;
        }
        let Some(command) = self.exchange.command() else { return };
        match command {
            Command::INIT_DB => {
                let text = &self.exchange.current().text;
                let database = (!text.none).then(|| name(&text.octets));
                self.truncated |= database.is_none();
                self.session.database = database;
            }
            Command::CHANGE_USER => {
                self.session.change_user(&self.exchange.current().text);
                self.truncated |= self.session.user.is_none();
            }
            Command::RESET_CONNECTION => self.session.prepared = None,
            Command::QUERY if self.exchange.results == 0 => self.used(),
            _ => {}
        }
    }

    /// A query was carried out: it can have been a `USE`.
    fn used(&mut self) {
        match self.exchange.current().text.database() {
            Database::Stays => {}
            Database::Becomes(name) => self.session.database = Some(name),
            Database::Unknown => (self.session.database, self.truncated) = (None, true),
        }
    }

    /// The command that is being answered has its answer.
    fn done(&mut self, error: Option<u16>) {
        self.path_answered(error);
        self.exchange.next();
    }
}

/// As the server names itself; MariaDB puts a version before its own that old replicas can live with.
fn version(octets: &[u8]) -> Box<str> {
    name(octets.strip_prefix(b"5.5.5-").unwrap_or(octets))
}

fn is_error_code(code: u16) -> bool {
    (1_000..10_000).contains(&code)
}

/// An error and nothing else: a whole packet of this direction.
fn lone_error(data: &[u8]) -> Option<Refusal> {
    let mut reader = Reader(data);
    let len = reader.number(3)?;
    let seq = reader.u8()?;
    let error = Refusal::read(reader.0, true, false)?;
    let state = error.sqlstate.as_ref()?;
    let is_state = state.len() == 5 && state.chars().all(|c| c.is_ascii_alphanumeric());
    let fits = len == reader.0.len() as u64 && seq <= 1;
    (fits && is_state && is_error_code(error.code)).then_some(error)
}
