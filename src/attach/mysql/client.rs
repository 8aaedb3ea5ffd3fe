//! Reading the client's side: logins and commands.

use super::command::Command;
use super::frames::{MysqlPacket, Rest};
use super::reply::Reply;
use super::session::Program;
use super::statement::Statement;
use super::wire::{self, Login, Reader, capability, status};
use super::{Mysql, Phase};
use crate::attach::facts::name;
use crate::attach::sql::Dialect;
use crate::attach::sql::text::{MAX_TEXT, SqlText};
use crate::place::Time;
use crate::tcp::stream::Piece;

/// A text, and what may stand before it.
const KEEP: usize = MAX_TEXT + 128;

impl Mysql {
    pub(super) fn take_client(&mut self, at: Time, piece: Piece<'_>) {
        if let (Piece::Data(data), true) = (piece, self.client.is_lost()) {
            if self.confirmed.is_none() && is_tls(data) {
                self.encrypted = true;
                return self.finish();
            }
            let found = if self.phase == Phase::Login { is_login(data) } else { is_command(data) };
            if found {
                self.client.guess();
            }
        }
        let was_lost = self.client.is_lost();
        self.read_client(Rest::from(piece), at);
        if self.phase != Phase::Done && self.client.is_lost() && !was_lost {
            self.client_lost();
        }
    }

    fn read_client(&mut self, mut rest: Rest<'_>, at: Time) {
        while self.phase != Phase::Done && !rest.is_nothing() {
            let in_step = match self.client.take_whole(&mut rest, at) {
                Some(packet) => Some(self.client_packet(&packet)),
                None => self.next_client_packet(&mut rest, at),
            };
            let Some(in_step) = in_step else { return };
            if !in_step && self.phase != Phase::Done {
                return self.client.lose();
            }
        }
    }

    /// Takes the next packet, wherever its beginning lies. `None`: there is none.
    fn next_client_packet(&mut self, rest: &mut Rest<'_>, at: Time) -> Option<bool> {
        let mut frames = core::mem::take(&mut self.client);
        let in_step = frames.next(rest, at, KEEP).map(|packet| self.client_packet(&packet));
        if self.phase != Phase::Done {
            self.client = frames;
        }
        in_step
    }

    /// Something that the client sent was not seen: nobody knows what it asked for.
    fn client_lost(&mut self) {
        self.truncated = true;
        self.path_unanswered();
        self.path_lost();
        self.exchange.forget();
        self.session.forget_client();
        self.transaction.forget();
        if self.phase == Phase::Login {
            self.session.agreed = self.session.agreed.chosen_unseen();
            self.phase = Phase::Proof;
        } else {
            self.server.lose();
        }
    }

    /// `false`: this cannot be the client's next packet.
    fn client_packet(&mut self, packet: &MysqlPacket<'_>) -> bool {
        match self.phase {
            Phase::Login => self.login(packet),
            // The server's OK was not seen.
            Phase::Proof if packet.seq == 0 && !packet.head.is_empty() => {
                self.phase = Phase::Commands;
                self.truncated = true;
                self.command_packet(packet)
            }
            Phase::Proof => true,
            Phase::Commands => self.command_packet(packet),
            Phase::Greeting | Phase::Done => true,
        }
    }

    fn login(&mut self, packet: &MysqlPacket<'_>) -> bool {
        let is_whole = packet.is_whole();
        let Some(login) = Login::read(packet.head, is_whole, self.session.agreed.offer()) else {
            self.session.agreed = self.session.agreed.chosen_unseen();
            (self.phase, self.truncated) = (Phase::Proof, true);
            return true;
        };
        if login.capabilities & capability::PROTOCOL_41 == 0 {
            self.truncated = true;
            self.finish();
            return true;
        }
        if login.capabilities & capability::SSL != 0 && packet.len == wire::SSL_REQUEST {
            self.encrypted = true;
            self.finish();
            return true;
        }
        self.session.agreed = self.session.agreed.chosen(login.capabilities);
        self.session.user = login.user.map(name);
        let database = login.database.filter(|database| !database.is_empty());
        self.session.database = database.map(name);
        self.session.program = Program::of(&login);
        self.truncated |= login.user.is_none() || login.database.is_none();
        self.phase = Phase::Proof;
        true
    }

    fn command_packet(&mut self, packet: &MysqlPacket<'_>) -> bool {
        let takes_data = match self.exchange.reply {
            Reply::Infile => true,
            // A replica acknowledges what it got.
            Reply::Stream => packet.head != [Command::QUIT.0],
            Reply::Login | Reply::Hidden => packet.seq != 0,
            _ => false,
        };
        if takes_data {
            self.exchange.next_seq = packet.last_seq.wrapping_add(1);
            return true;
        }
        let Some(command) = packet.head.first().map(|first| Command(*first)) else { return false };
        if packet.seq != 0 || command.name().is_none() || !command.allows(packet.len) {
            return false;
        }
        self.settle();
        let statement = self.statement(command, packet);
        if command.is_silent() {
            self.silent(command, packet, statement);
            return true;
        }
        self.exchange.ask(command, packet.last_seq, statement)
    }

    /// A command comes, so the one before has been answered, unless the client does not wait: where
    /// an answer has begun or is due, it does not.
    fn settle(&mut self) {
        if self.exchange.ends_unseen() {
            self.path_unanswered();
            self.exchange.end_unseen();
        }
    }

    fn statement(&mut self, command: Command, packet: &MysqlPacket<'_>) -> Statement {
        let body = packet.head.get(1..).unwrap_or_default();
        let seen = packet.is_whole() || packet.head.len() >= KEEP;
        let text = match command {
            Command::QUERY => match self.without_attributes(body) {
                Some(text) => self.text(text, packet),
                None => SqlText::none(),
            },
            Command::STMT_PREPARE => self.text(body, packet),
            Command::STMT_EXECUTE | Command::STMT_BULK_EXECUTE => self.prepared_text(body),
            Command::INIT_DB if packet.is_whole() => SqlText::new(body, false, Dialect::default()),
            Command::CHANGE_USER => change_user(body),
            _ => SqlText::none(),
        };
        let reads_text = matches!(command, Command::QUERY | Command::STMT_PREPARE);
        self.truncated |= reads_text && (!seen || text.none);
        if command == Command::STMT_PREPARE {
            self.session.prepared.get_or_insert_default().ask(&text);
        }
        Statement { at: packet.at, command: Some(command), text }
    }

    fn text(&self, octets: &[u8], packet: &MysqlPacket<'_>) -> SqlText {
        let dialect = Dialect { backslash: self.escapes(), ..Dialect::default() };
        SqlText::new(octets, !packet.is_whole(), dialect)
    }

    /// Returns whether backslashes escape, as the server said last; none where it has not, or may
    /// have been told otherwise since.
    fn escapes(&self) -> Option<bool> {
        let flags = self.transaction.flags()?;
        let is_settled = self.exchange.waiting().all(Statement::keeps_modes);
        is_settled.then_some(flags & status::NO_BACKSLASH_ESCAPES == 0)
    }

    fn prepared_text(&self, body: &[u8]) -> SqlText {
        let id = Reader(body).number(4);
        let text = id.zip(self.session.prepared.as_ref()).and_then(|(id, all)| all.get(id as u32));
        text.cloned().unwrap_or_else(SqlText::none)
    }

    /// The text of a query, without the attributes that may stand before it.
    fn without_attributes<'a>(&self, body: &'a [u8]) -> Option<&'a [u8]> {
        match self.session.agreed.has(capability::QUERY_ATTRIBUTES) {
            Some(false) => Some(body),
            // No text begins with a zero octet, nor has it a one behind a count.
            None if body.first() != Some(&0) && body.get(1) != Some(&1) => Some(body),
            _ => skip_attributes(body),
        }
    }

    fn silent(&mut self, command: Command, packet: &MysqlPacket<'_>, statement: Statement) {
        let id = Reader(packet.head.get(1..).unwrap_or_default()).number(4);
        if let (Command::STMT_CLOSE, Some(prepared)) = (command, self.session.prepared.as_mut()) {
            id.into_iter().for_each(|id| prepared.remove(id as u32));
        }
        if command == Command::QUIT {
            self.quit = true;
            self.exchange.set_last(statement);
        }
    }
}

/// `user`, a zero octet, `database`: what a change of user asks for, without the proof.
fn change_user(body: &[u8]) -> SqlText {
    let read = || {
        let mut reader = Reader(body);
        let user = reader.zero_ended()?;
        let len = reader.u8()?;
        reader.octets(usize::from(len))?;
        Some([user, &[0], reader.zero_ended()?].concat())
    };
    read().map_or_else(SqlText::none, |names| SqlText::new(&names, false, Dialect::default()))
}

/// Attributes are parameters with names, in the way of a prepared statement.
fn skip_attributes(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(body);
    let count = usize::try_from(reader.lenenc()?).ok().filter(|count| *count <= 64)?;
    if reader.lenenc()? != 1 {
        return None;
    }
    if count == 0 {
        return Some(reader.0);
    }
    let nulls = reader.octets(count.div_ceil(8))?;
    if reader.u8()? != 1 {
        return None;
    }
    let mut types = Vec::with_capacity(count);
    for _ in 0..count {
        types.push(reader.number(2)? as u8);
        reader.lenenc_text()?;
    }
    for (at, kind) in types.into_iter().enumerate() {
        let is_null = nulls.get(at / 8).is_some_and(|octet| octet >> (at % 8) & 1 != 0);
        if !is_null {
            skip_value(&mut reader, kind)?;
        }
    }
    Some(reader.0)
}

fn skip_value<'a>(reader: &mut Reader<'a>, kind: u8) -> Option<&'a [u8]> {
    match kind {
        0x06 => Some(&[]),
        0x01 => reader.octets(1),
        0x02 | 0x0d => reader.octets(2),
        0x03 | 0x04 | 0x09 => reader.octets(4),
        0x05 | 0x08 => reader.octets(8),
        0x07 | 0x0a..=0x0c => {
            let len = reader.u8()?;
            reader.octets(usize::from(len))
        }
        _ => reader.lenenc_text(),
    }
}

fn header(data: &[u8]) -> Option<(u64, u8, u8)> {
    let mut reader = Reader(data);
    Some((reader.number(3)?, reader.u8()?, reader.u8()?))
}

/// A packet with a command begins here, as far as can be told, and nothing comes after it.
fn is_command(data: &[u8]) -> bool {
    let Some((len, 0, command)) = header(data) else { return false };
    let command = Command(command);
    let text = data.get(5..).unwrap_or_default();
    let is_text = match text {
        [] | [0, 1, ..] => true,
        [first, ..] => *first >= b' ' || matches!(first, b'\t' | b'\n' | b'\r'),
    };
    let has_text = matches!(command, Command::QUERY | Command::STMT_PREPARE);
    command.name().is_some()
        && command.allows(len)
        && len + 4 >= data.len() as u64
        && (is_text || !has_text)
}

fn is_login(data: &[u8]) -> bool {
    let fits = |len: u64| len >= wire::SSL_REQUEST && len + 4 >= data.len() as u64;
    matches!(header(data), Some((len, 1, _)) if fits(len))
}

/// A record of TLS, and nothing after it.
fn is_tls(data: &[u8]) -> bool {
    let [0x14..=0x17, 3, 0..=4, high, low, record @ ..] = data else { return false };
    usize::from(u16::from_be_bytes([*high, *low])) == record.len()
}
