//! What the server answers.

use super::command::Command;
use super::frames::{Frames, Packet, Rest};
use super::reply::{Agreed, Reply, Step};
use super::statement::Statement;
use super::wire::{
    self, ERROR, Greeting, MAX_MESSAGE, OK, Reader, ServerError, capability, status,
};
use super::{Mysql, Pending, Phase};
use crate::place::Time;
use crate::tcp::stream::Piece;

/// An error's message is the longest that matters.
const KEEP: usize = MAX_MESSAGE + 56;

impl Mysql {
    /// The first packet of all. `false`: this is no MySQL.
    pub(super) fn greeting(&mut self, packet: &Packet<'_>) -> bool {
        if packet.head.first() == Some(&ERROR) {
            let error = ServerError::read(packet.head, true).filter(|e| is_error_code(e.code));
            self.is_mysql = error.as_ref().map(|_| true);
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
        self.is_mysql = Some(true);
        self.version = greeting.version.map(version);
        self.agreed = Agreed::offered(greeting.capabilities);
        self.truncated |= greeting.version.is_none();
        self.phase = Phase::Login;
        true
    }

    pub(super) fn take_server(&mut self, at: Time, piece: Piece<'_>) {
        if !std::mem::replace(&mut self.heard, true) && piece == Piece::Missing(0) {
            // Its direction begins here, after the command: what comes is the answer.
            return;
        }
        let mut frames = core::mem::take(&mut self.server);
        if let (Piece::Data(data), true) = (piece, frames.is_lost()) {
            self.find_server(&mut frames, data);
        }
        let was_lost = frames.is_lost();
        if was_lost && !self.pending.is_empty() {
            // An answer comes, and cannot be read.
            self.hide();
        }
        self.read_server(&mut frames, Rest::from(piece), at);
        if self.phase == Phase::Done {
            return;
        }
        if frames.is_lost() && !was_lost {
            self.server_lost();
        }
        self.server = frames;
    }

    fn read_server(&mut self, frames: &mut Frames, mut rest: Rest<'_>, at: Time) {
        let mut in_step = true;
        while in_step && self.phase != Phase::Done {
            let Some(packet) = frames.next(&mut rest, at, KEEP) else { return };
            in_step = self.server_packet(&packet) && !core::mem::take(&mut self.unsure);
        }
        if !in_step {
            frames.lose();
        }
    }

    /// The thread was lost: does it begin again here?
    fn find_server(&mut self, frames: &mut Frames, data: &[u8]) {
        if self.phase != Phase::Commands {
            return;
        }
        let answers = self.fresh && self.pending.len() == 1 && !self.unmatched;
        let is_next = data.len() > 4 && data.get(3) == Some(&self.next_seq);
        if answers && is_next && self.reply != Reply::Hidden {
            frames.find();
        } else if let Some(error) = lone_error(data) {
            // Whatever it answers, it is the last word so far.
            let unsolicited = self.pending.is_empty() || data.get(3) == Some(&0);
            self.error = Some(Box::new(ServerError { unsolicited, ..error }));
        }
    }

    /// Something that the server sent was not seen.
    fn server_lost(&mut self) {
        self.truncated = true;
        self.unmatched |= self.pending.len() > 1;
        self.hide();
    }

    /// Whatever is due, it cannot be told apart any more.
    fn hide(&mut self) {
        self.truncated = true;
        self.transaction.forget();
        self.fresh = false;
        if self.pending.is_empty() {
            return;
        }
        self.reply = Reply::Hidden;
        // Whether these succeeded is not known.
        if self.may_rename() {
            self.database = None;
        }
        if self.may_change_user() {
            (self.user, self.prepared) = (None, None);
        }
    }

    /// `false`: this cannot be the server's next packet.
    fn server_packet(&mut self, packet: &Packet<'_>) -> bool {
        match self.phase {
            Phase::Login | Phase::Proof => self.proof_packet(packet),
            Phase::Commands => self.answer_packet(packet),
            Phase::Greeting | Phase::Done => true,
        }
    }

    fn proof_packet(&mut self, packet: &Packet<'_>) -> bool {
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

    fn logged_in(&mut self, packet: &Packet<'_>) {
        self.phase = Phase::Commands;
        let compresses = [capability::COMPRESS, capability::ZSTD];
        let agreed = compresses.map(|way| self.agreed.has(way));
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
            self.unsure = true;
            self.client.lose();
        }
    }

    fn refuse(&mut self, packet: &Packet<'_>, unsolicited: bool) -> Option<u16> {
        let error = ServerError::read(packet.head, unsolicited);
        let code = error.as_ref().map(|error| error.code);
        self.truncated |= !packet.is_whole() && packet.head.len() < KEEP;
        self.error = error.map(Box::new);
        code
    }

    fn answer_packet(&mut self, packet: &Packet<'_>) -> bool {
        let is_error = packet.head.first() == Some(&ERROR);
        let is_due = !self.pending.is_empty();
        if is_error && (!is_due || packet.seq == 0 && self.next_seq != 0) {
            self.refuse(packet, true);
            return true;
        }
        if !is_due {
            // The command was not seen, or is seen later than its answer.
            self.unmatched = true;
            return false;
        }
        if packet.seq != self.next_seq {
            return false;
        }
        self.next_seq = packet.last_seq.wrapping_add(1);
        self.fresh = false;
        self.take_number(packet);
        let before = self.reply;
        let step = self.reply.take(packet, &mut self.agreed);
        self.step(step, before, packet)
    }

    /// The number of a prepared statement.
    fn take_number(&mut self, packet: &Packet<'_>) {
        let mut reader = Reader(packet.head);
        if self.reply != Reply::Prepared || reader.u8() != Some(OK) {
            return;
        }
        let Some(id) = reader.number(4) else { return };
        let text = self.current().text.clone();
        self.prepared.get_or_insert_default().insert(id as u32, text);
    }

    fn step(&mut self, step: Step, before: Reply, packet: &Packet<'_>) -> bool {
        match step {
            Step::Wrong => return false,
            Step::Progress => {}
            Step::Goes if self.reply == Reply::Hidden => self.hide(),
            Step::Goes => {}
            Step::Failed => {
                let code = self.refuse(packet, false);
                let (statement, results) = (self.take_current(), self.results);
                self.transaction.refused(code, &statement, usize::from(results));
                self.put_back(statement);
                self.path_fails(code);
                self.done();
            }
            Step::Ended => {
                self.succeeded();
                self.done();
            }
            Step::Cut => {
                self.hide();
                if matches!(before, Reply::Word | Reply::Login) {
                    self.succeeded();
                    self.done();
                }
            }
            Step::Status(flags) => self.status(flags),
        }
        true
    }

    fn status(&mut self, flags: u16) {
        self.succeeded();
        let (statement, results) = (self.take_current(), self.results);
        let begins = self.transaction.status(flags, &statement, usize::from(results));
        self.path_begins(begins);
        let has_results = statement.command.is_some_and(Command::has_results);
        self.put_back(statement);
        if has_results && flags & status::MORE_RESULTS != 0 {
            self.reply = Reply::Result;
            self.results = self.results.saturating_add(1);
        } else {
            self.done();
        }
    }

    /// What a command changes when it succeeds.
    fn succeeded(&mut self) {
        self.is_mysql = Some(true);
        if self.error.as_ref().is_some_and(|error| !error.unsolicited) {
            self.error = None;
        }
        let Some(command) = self.pending.front().map(|pending| pending.command) else { return };
        match command {
            Command::INIT_DB => {
                let text = &self.current().text;
                let database = (!text.none).then(|| wire::name(&text.octets));
                self.truncated |= database.is_none();
                self.database = database;
            }
            Command::CHANGE_USER => self.user_changed(),
            Command::RESET_CONNECTION => self.prepared = None,
            Command::QUERY if self.results == 0 => {
                if let Some(database) = self.current().text.database() {
                    self.truncated |= database.is_none();
                    self.database = database;
                }
            }
            _ => {}
        }
    }

    fn user_changed(&mut self) {
        self.prepared = None;
        let names = self.current().text.octets.clone();
        let mut names = names.splitn(2, |octet| *octet == 0);
        self.user = names.next().filter(|_| !self.current().text.none).map(wire::name);
        self.database = names.next().filter(|name| !name.is_empty()).map(wire::name);
        self.truncated |= self.user.is_none();
    }

    /// The command that is being answered has its answer.
    fn done(&mut self) {
        self.path_answered();
        self.pending.pop_front();
        if self.pending.is_empty() && self.pending.capacity() > 4 {
            self.pending.shrink_to_fit();
        }
        self.await_first();
    }

    /// The statements that wait for their answers.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Statement> {
        self.pending.iter().map(|pending| pending.statement.as_deref().unwrap_or(&self.last))
    }

    /// One of them uses another database.
    pub(super) fn may_rename(&self) -> bool {
        self.waiting().any(|statement| match statement.command {
            Some(Command::INIT_DB | Command::CHANGE_USER) => true,
            Some(Command::QUERY) => statement.text.database().is_some(),
            _ => false,
        })
    }

    /// One of them makes somebody else of the client, or a new session.
    pub(super) fn may_change_user(&self) -> bool {
        let changes = |statement: &Statement| {
            matches!(statement.command, Some(Command::CHANGE_USER | Command::RESET_CONNECTION))
        };
        self.waiting().any(changes)
    }

    /// The statement that is being answered.
    fn current(&self) -> &Statement {
        let own = self.pending.front().and_then(|pending| pending.statement.as_deref());
        own.unwrap_or(&self.last)
    }

    /// The same, to be put back.
    fn take_current(&mut self) -> Statement {
        match self.pending.front_mut() {
            Some(Pending { statement: Some(own), .. }) => core::mem::take(own),
            _ => core::mem::take(&mut self.last),
        }
    }

    fn put_back(&mut self, statement: Statement) {
        match self.pending.front_mut() {
            Some(Pending { statement: Some(own), .. }) => **own = statement,
            _ => self.last = statement,
        }
    }
}

/// As the server names itself; MariaDB puts a version before its own that old replicas can live with.
fn version(octets: &[u8]) -> Box<str> {
    wire::name(octets.strip_prefix(b"5.5.5-").unwrap_or(octets))
}

fn is_error_code(code: u16) -> bool {
    (1_000..10_000).contains(&code)
}

/// An error and nothing else: a whole packet of this direction.
fn lone_error(data: &[u8]) -> Option<ServerError> {
    let mut reader = Reader(data);
    let len = reader.number(3)?;
    let seq = reader.u8()?;
    let error = ServerError::read(reader.0, false)?;
    let state = error.sqlstate.as_ref()?;
    let is_state = state.len() == 5 && state.chars().all(|c| c.is_ascii_alphanumeric());
    let fits = len == reader.0.len() as u64 && seq <= 1;
    (fits && is_state && is_error_code(error.code)).then_some(error)
}
