//! The server's answer to one command, packet by packet: where it ends, and with which status.

use super::command::Command;
use super::frames::MysqlPacket;
use super::wire::{self, EOF, ERROR, LOCAL_INFILE, OK, Reader, capability, status};

/// Capabilities that both ends agreed on, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agreed {
    /// Capabilities that are surely there, and those that surely are not.
    there: u64,
    absent: u64,
}

impl Agreed {
    /// Takes the server's offer, where that was seen: the client has yet to choose.
    pub fn offered(server: Option<u64>) -> Agreed {
        Agreed { there: server.unwrap_or(0), absent: server.map_or(0, |server| !server) }
    }

    /// The client has chosen. Where the offer was not seen, it may have chosen in vain.
    pub fn chosen(self, client: u64) -> Agreed {
        Agreed { there: self.there & client, absent: self.absent | !client }
    }

    /// The client has chosen, and nobody saw what.
    pub fn chosen_unseen(self) -> Agreed {
        Agreed { there: 0, ..self }
    }

    /// The server's offer, as far as it was seen.
    pub fn offer(self) -> Option<u64> {
        (self.there | self.absent != 0).then_some(self.there)
    }

    pub fn has(self, capability: u64) -> Option<bool> {
        let (there, absent) = (self.there & capability != 0, self.absent & capability != 0);
        (there || absent).then_some(there)
    }

    fn learn(&mut self, capability: u64, is_there: bool) {
        let (into, from) = match is_there {
            true => (&mut self.there, &mut self.absent),
            false => (&mut self.absent, &mut self.there),
        };
        *into |= capability;
        *from &= !capability;
    }
}

/// The packet of an answer that is due next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: no command waits for an answer.
    #[default]
    Nothing,
    /// One packet that says OK, in whatever form.
    Word,
    /// One packet with a text.
    Text,
    /// The first packet of a result.
    Result,
    /// So many definitions of columns, and what ends them.
    Columns(u32),
    /// The mark that ends the columns, or the first row where there is none.
    AfterColumns,
    Rows,
    /// A prepared statement, its parameters and its columns.
    Prepared,
    Definitions {
        left: u16,
        then: u16,
    },
    /// The mark that ends definitions, if there is one.
    AfterDefinitions(u16),
    /// The client sends a file.
    Infile,
    /// The client proves who it is.
    Login,
    /// Packets without end.
    Stream,
    /// Any packet: nobody can tell any more which one is due.
    Hidden,
}

/// The effect of a packet on the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyStep {
    /// It goes on.
    Goes,
    /// A result ended with these status flags. More may follow, if they say so.
    Status(u16),
    /// A result ended, but its status was cut off.
    Cut,
    /// The answer ended, without a status.
    Ended,
    Failed,
    /// A report of progress, before the answer.
    Progress,
    /// No such packet can come here.
    Wrong,
}

impl Reply {
    pub fn to(command: Command) -> Reply {
        match command {
            Command::STATISTICS => Reply::Text,
            Command::STMT_PREPARE => Reply::Prepared,
            Command::STMT_FETCH | Command::FIELD_LIST => Reply::Rows,
            Command::CHANGE_USER => Reply::Login,
            command if command.streams() => Reply::Stream,
            command if command.has_results() => Reply::Result,
            _ => Reply::Word,
        }
    }

    /// Takes the server's next packet.
    pub fn take(&mut self, packet: &MysqlPacket<'_>, agreed: &mut Agreed) -> ReplyStep {
        let first = packet.head.first().copied();
        if self.counts_only() {
            return self.count(agreed);
        }
        let Some(first) = first else {
            // An empty packet is a row without columns: there is none.
            let hidden = packet.len > 0;
            *self = Reply::Hidden;
            return if hidden { ReplyStep::Goes } else { ReplyStep::Wrong };
        };
        if first == ERROR && !matches!(self, Reply::Nothing | Reply::Text) {
            return fail(packet);
        }
        match *self {
            Reply::Nothing => ReplyStep::Wrong,
            // Who does not want to wait is told that there is no more.
            Reply::Stream if first == EOF && packet.len == LEN_OF_EOF => ReplyStep::Ended,
            Reply::Hidden | Reply::Stream => ReplyStep::Goes,
            Reply::Text => ReplyStep::Ended,
            Reply::Word | Reply::Infile => word(first, packet),
            Reply::Login => login(first, packet),
            Reply::Result => self.result(first, packet, *agreed),
            Reply::AfterColumns => self.after_columns(first, packet, agreed),
            Reply::Rows => row(first, packet),
            Reply::Prepared => self.prepared(first, packet, *agreed),
            Reply::AfterDefinitions(then) => self.after_definitions(then, first, packet, agreed),
            Reply::Columns(_) | Reply::Definitions { .. } => ReplyStep::Wrong,
        }
    }

    /// The next packet may be one that is only counted.
    pub fn may_count(&self) -> bool {
        matches!(self, Reply::Columns(_) | Reply::Rows)
    }

    /// Takes a packet if it is a column's definition or a row, of which only the number matters.
    #[inline]
    pub fn counts(&mut self, payload: &[u8]) -> bool {
        match *self {
            Reply::Rows => payload.first().is_some_and(|first| *first < EOF),
            Reply::Columns(left) => {
                *self = Reply::after_column(left);
                true
            }
            _ => false,
        }
    }

    /// One of so many definitions has come.
    fn after_column(left: u32) -> Reply {
        if left > 1 { Reply::Columns(left - 1) } else { Reply::AfterColumns }
    }

    /// Only the number of packets matters.
    fn counts_only(&self) -> bool {
        matches!(self, Reply::Columns(_) | Reply::Definitions { .. })
    }

    fn count(&mut self, agreed: &mut Agreed) -> ReplyStep {
        let marked = agreed.has(capability::DEPRECATE_EOF).map(|deprecated| !deprecated);
        *self = match *self {
            Reply::Columns(left) => Reply::after_column(left),
            Reply::Definitions { left, then } if left > 1 => {
                Reply::Definitions { left: left - 1, then }
            }
            Reply::Definitions { then: 0, .. } if marked == Some(false) => {
                *self = Reply::Nothing;
                return ReplyStep::Ended;
            }
            Reply::Definitions { then, .. } if marked == Some(false) => {
                Reply::Definitions { left: then, then: 0 }
            }
            Reply::Definitions { then, .. } => Reply::AfterDefinitions(then),
            other => other,
        };
        ReplyStep::Goes
    }

    fn result(&mut self, first: u8, packet: &MysqlPacket<'_>, agreed: Agreed) -> ReplyStep {
        let optional = agreed.has(capability::OPTIONAL_METADATA);
        match first {
            OK if packet.len >= MIN_OK => ok(packet),
            LOCAL_INFILE => {
                *self = Reply::Infile;
                ReplyStep::Goes
            }
            _ => match columns(packet, optional, agreed.has(capability::CACHE_METADATA)) {
                Columns::Follow(columns) => {
                    *self = Reply::Columns(columns);
                    ReplyStep::Goes
                }
                Columns::Known => {
                    *self = Reply::AfterColumns;
                    ReplyStep::Goes
                }
                Columns::Hidden => {
                    *self = Reply::Hidden;
                    ReplyStep::Goes
                }
                Columns::Wrong => ReplyStep::Wrong,
            },
        }
    }

    /// An EOF packet has five octets here and an OK packet at least seven, so that what was agreed
    /// on can be told from what comes.
    fn after_columns(
        &mut self,
        first: u8,
        packet: &MysqlPacket<'_>,
        agreed: &mut Agreed,
    ) -> ReplyStep {
        let marks = first == EOF && packet.len == LEN_OF_EOF;
        if agreed.has(capability::DEPRECATE_EOF) == Some(false) && !marks {
            return ReplyStep::Wrong;
        }
        // A server may mark the end of the columns of a cursor even so.
        if agreed.has(capability::DEPRECATE_EOF).is_none() {
            agreed.learn(capability::DEPRECATE_EOF, !marks);
        }
        *self = Reply::Rows;
        if !marks {
            return row(first, packet);
        }
        match wire::status_of_eof(packet.head) {
            Some(flags) if flags & status::CURSOR_EXISTS != 0 => ReplyStep::Status(flags),
            Some(_) => ReplyStep::Goes,
            None => {
                *self = Reply::Hidden;
                ReplyStep::Goes
            }
        }
    }

    fn prepared(&mut self, first: u8, packet: &MysqlPacket<'_>, agreed: Agreed) -> ReplyStep {
        if first != OK || packet.len < 12 {
            return ReplyStep::Wrong;
        }
        let mut reader = Reader(packet.head);
        let numbers = reader.octets(5).and_then(|_| Some((reader.number(2)?, reader.number(2)?)));
        let (Some((columns, params)), metadata) = (numbers, packet.head.get(12)) else {
            *self = Reply::Hidden;
            return ReplyStep::Goes;
        };
        let (columns, params) = (columns as u16, params as u16);
        let optional = agreed.has(capability::OPTIONAL_METADATA) != Some(false);
        if optional && packet.len > 12 && metadata != Some(&1) {
            *self = if metadata.is_some() { Reply::Nothing } else { Reply::Hidden };
            return if metadata.is_some() { ReplyStep::Ended } else { ReplyStep::Goes };
        }
        *self = match (params, columns) {
            (0, 0) => return ReplyStep::Ended,
            (0, columns) => Reply::Definitions { left: columns, then: 0 },
            (params, columns) => Reply::Definitions { left: params, then: columns },
        };
        ReplyStep::Goes
    }

    fn after_definitions(
        &mut self,
        then: u16,
        first: u8,
        packet: &MysqlPacket<'_>,
        agreed: &mut Agreed,
    ) -> ReplyStep {
        let marks = first == EOF && packet.len == LEN_OF_EOF;
        if marks {
            agreed.learn(capability::DEPRECATE_EOF, false);
        }
        match (marks, then) {
            (true, 0) => return ReplyStep::Ended,
            (true, left) => *self = Reply::Definitions { left, then: 0 },
            (false, 0) => return ReplyStep::Wrong,
            (false, left) if agreed.has(capability::DEPRECATE_EOF).is_none() => {
                // No mark came: this is the first of the next definitions.
                agreed.learn(capability::DEPRECATE_EOF, true);
                *self = Reply::Definitions { left, then: 0 };
                return self.count(agreed);
            }
            (false, _) => return ReplyStep::Wrong,
        }
        ReplyStep::Goes
    }
}

const MIN_OK: u64 = 7;
const LEN_OF_EOF: u64 = 5;

fn ok(packet: &MysqlPacket<'_>) -> ReplyStep {
    wire::status_of_ok(packet.head).map_or(ReplyStep::Cut, ReplyStep::Status)
}

fn eof(packet: &MysqlPacket<'_>) -> ReplyStep {
    wire::status_of_eof(packet.head).map_or(ReplyStep::Cut, ReplyStep::Status)
}

fn fail(packet: &MysqlPacket<'_>) -> ReplyStep {
    const PROGRESS: &[u8] = &[ERROR, 0xff, 0xff];
    match packet.head {
        head if head.starts_with(PROGRESS) => ReplyStep::Progress,
        _ if packet.len < 3 => ReplyStep::Wrong,
        _ => ReplyStep::Failed,
    }
}

/// OK, also in the form of an EOF packet.
fn word(first: u8, packet: &MysqlPacket<'_>) -> ReplyStep {
    match (first, packet.len) {
        (EOF, LEN_OF_EOF) => eof(packet),
        (OK | EOF, MIN_OK..) => ok(packet),
        _ => ReplyStep::Wrong,
    }
}

fn login(first: u8, packet: &MysqlPacket<'_>) -> ReplyStep {
    // Anything but OK and ERR is part of the proof.
    if first == OK && packet.len >= MIN_OK { ok(packet) } else { ReplyStep::Goes }
}

/// A row, or what ends them: no row of less than 16 MB begins as they do.
fn row(first: u8, packet: &MysqlPacket<'_>) -> ReplyStep {
    match packet.len {
        LEN_OF_EOF if first == EOF => eof(packet),
        MIN_OK..0xff_ffff if first == EOF => ok(packet),
        _ => ReplyStep::Goes,
    }
}

enum Columns {
    Follow(u32),
    /// The client remembers them from before.
    Known,
    Hidden,
    Wrong,
}

/// The number of columns, with an octet before it (MySQL) or after it (MariaDB) that says if their
/// definitions follow, where that was agreed on.
fn columns(packet: &MysqlPacket<'_>, optional: Option<bool>, cached: Option<bool>) -> Columns {
    if !packet.is_whole() {
        return if packet.len <= 10 { Columns::Hidden } else { Columns::Wrong };
    }
    let mut reader = Reader(packet.head);
    let before = if optional == Some(true) { reader.u8() } else { Some(1) };
    let columns = reader.lenenc().filter(|columns| (1..=0xffff).contains(columns));
    let after = reader.u8();
    let (Some(columns), true) = (columns, reader.0.is_empty()) else { return Columns::Wrong };
    let follow = match (before, after) {
        (Some(0), None) => false,
        (Some(1), None) => true,
        (Some(1), Some(follow)) if cached == Some(true) => follow != 0,
        // It could be read in either way.
        (Some(1), Some(_)) if cached.is_none() || optional.is_none() => return Columns::Hidden,
        _ => return Columns::Wrong,
    };
    if follow { Columns::Follow(columns as u32) } else { Columns::Known }
}
