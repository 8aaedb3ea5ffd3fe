//! The commands of a client, and how each is answered.

/// The first octet of a client's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command(pub u8);

impl Command {
    /// COM_QUIT: the client takes its leave.
    pub const QUIT: Command = Command(0x01);
    /// COM_INIT_DB: another default database.
    pub const INIT_DB: Command = Command(0x02);
    /// COM_QUERY: a statement as text.
    pub const QUERY: Command = Command(0x03);
    /// COM_FIELD_LIST: the columns of a table; without an ordinary answer.
    pub const FIELD_LIST: Command = Command(0x04);
    /// COM_STATISTICS: answered by one line of text.
    pub const STATISTICS: Command = Command(0x09);
    /// COM_CHANGE_USER: a new login on the same connection.
    pub const CHANGE_USER: Command = Command(0x11);
    /// COM_STMT_PREPARE: a statement to be executed by its number later.
    pub const STMT_PREPARE: Command = Command(0x16);
    /// COM_STMT_EXECUTE: a prepared statement with its values.
    pub const STMT_EXECUTE: Command = Command(0x17);
    /// COM_STMT_SEND_LONG_DATA: a long value; never answered.
    pub const STMT_SEND_LONG_DATA: Command = Command(0x18);
    /// COM_STMT_CLOSE: a prepared statement is forgotten; never answered.
    pub const STMT_CLOSE: Command = Command(0x19);
    /// COM_STMT_RESET: long values are forgotten.
    pub const STMT_RESET: Command = Command(0x1a);
    /// COM_STMT_FETCH: rows of a cursor.
    pub const STMT_FETCH: Command = Command(0x1c);
    /// COM_RESET_CONNECTION: the session begins anew, as pools ask for; an open transaction is rolled back.
    pub const RESET_CONNECTION: Command = Command(0x1f);
    /// COM_STMT_BULK_EXECUTE: MariaDB's many executions at once.
    pub const STMT_BULK_EXECUTE: Command = Command(0xfa);
    const PROCESS_INFO: Command = Command(0x0a);
    const BINLOG_DUMP: Command = Command(0x12);
    const TABLE_DUMP: Command = Command(0x13);
    const BINLOG_DUMP_GTID: Command = Command(0x1e);

    /// As the documentation calls it; `None` for an octet that begins no command.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x01 => "COM_QUIT",
            0x02 => "COM_INIT_DB",
            0x03 => "COM_QUERY",
            0x04 => "COM_FIELD_LIST",
            0x05 => "COM_CREATE_DB",
            0x06 => "COM_DROP_DB",
            0x07 => "COM_REFRESH",
            0x08 => "COM_SHUTDOWN",
            0x09 => "COM_STATISTICS",
            0x0a => "COM_PROCESS_INFO",
            0x0c => "COM_PROCESS_KILL",
            0x0d => "COM_DEBUG",
            0x0e => "COM_PING",
            0x11 => "COM_CHANGE_USER",
            0x12 => "COM_BINLOG_DUMP",
            0x13 => "COM_TABLE_DUMP",
            0x15 => "COM_REGISTER_SLAVE",
            0x16 => "COM_STMT_PREPARE",
            0x17 => "COM_STMT_EXECUTE",
            0x18 => "COM_STMT_SEND_LONG_DATA",
            0x19 => "COM_STMT_CLOSE",
            0x1a => "COM_STMT_RESET",
            0x1b => "COM_SET_OPTION",
            0x1c => "COM_STMT_FETCH",
            0x1e => "COM_BINLOG_DUMP_GTID",
            0x1f => "COM_RESET_CONNECTION",
            0x20 => "COM_CLONE",
            0xfa => "COM_STMT_BULK_EXECUTE",
            _ => return None,
        })
    }

    /// Its payload can be so long. Unknown lengths are those that carry a text or values.
    pub fn allows(self, len: u64) -> bool {
        match self {
            Command::QUIT | Command::STATISTICS | Command::RESET_CONNECTION => len == 1,
            Command(0x0a | 0x0d | 0x0e) => len == 1,
            Command::STMT_CLOSE | Command::STMT_RESET | Command(0x0c) => len == 5,
            Command::STMT_FETCH => len == 9,
            Command::STMT_EXECUTE => len >= 10,
            Command::STMT_SEND_LONG_DATA | Command::STMT_BULK_EXECUTE => len >= 7,
            Command(0x1b) => len == 3,
            _ => len >= 1,
        }
    }

    /// Nothing is answered.
    pub fn is_silent(self) -> bool {
        matches!(self, Command::QUIT | Command::STMT_CLOSE | Command::STMT_SEND_LONG_DATA)
    }

    /// It belongs to a statement that was sent before.
    pub fn is_auxiliary(self) -> bool {
        matches!(
            self,
            Command::STMT_CLOSE
                | Command::STMT_RESET
                | Command::STMT_FETCH
                | Command::STMT_SEND_LONG_DATA
        )
    }

    /// A text or a prepared statement is executed.
    pub fn executes(self) -> bool {
        matches!(self, Command::QUERY | Command::STMT_EXECUTE | Command::STMT_BULK_EXECUTE)
    }

    /// It can neither begin nor end a transaction.
    pub fn is_harmless(self) -> bool {
        // Ping, statistics, the list of fields, the use of a database, preparing and its like; what a replica asks.
        let is_replicas = matches!(self.0, 0x12 | 0x15 | 0x1e);
        is_replicas
            || matches!(self.0, 0x01 | 0x02 | 0x04 | 0x09 | 0x0a | 0x0e | 0x16 | 0x18..=0x1c)
    }

    /// It is answered by a stream that does not end.
    pub fn streams(self) -> bool {
        matches!(
            self,
            Command::BINLOG_DUMP | Command::TABLE_DUMP | Command::BINLOG_DUMP_GTID | Command(0x20)
        )
    }

    /// It asks for events that come whenever something is written.
    pub fn subscribes(self) -> bool {
        matches!(self, Command::BINLOG_DUMP | Command::BINLOG_DUMP_GTID)
    }

    /// It is answered by results.
    pub fn has_results(self) -> bool {
        self.executes() || self == Command::PROCESS_INFO
    }
}
