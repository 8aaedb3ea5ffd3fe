//! The notation of numbers, texts and the packets that have names.
//!
//! Everything read here may have been cut: what is not there is `None`, and never guessed.

use crate::attach::facts::name;
use crate::attach::sql::message::without_values;
use crate::attach::{ErrorCode, ServerError};
use crate::printable::printable;

/// Capabilities (`CLIENT_…`), those of MySQL in the low half, those of MariaDB from 1 << 32.
pub mod capability {
    pub const MYSQL: u64 = 1;
    pub const CONNECT_WITH_DB: u64 = 1 << 3;
    pub const COMPRESS: u64 = 1 << 5;
    pub const PROTOCOL_41: u64 = 1 << 9;
    pub const SSL: u64 = 1 << 11;
    pub const SECURE_CONNECTION: u64 = 1 << 15;
    pub const PLUGIN_AUTH: u64 = 1 << 19;
    pub const CONNECT_ATTRS: u64 = 1 << 20;
    pub const PLUGIN_AUTH_LENENC: u64 = 1 << 21;
    pub const DEPRECATE_EOF: u64 = 1 << 24;
    pub const OPTIONAL_METADATA: u64 = 1 << 25;
    pub const ZSTD: u64 = 1 << 26;
    pub const QUERY_ATTRIBUTES: u64 = 1 << 27;
    pub const CACHE_METADATA: u64 = 1 << 36;
}

/// Status flags (`SERVER_…`).
pub mod status {
    pub const IN_TRANS: u16 = 0x0001;
    pub const AUTOCOMMIT: u16 = 0x0002;
    pub const MORE_RESULTS: u16 = 0x0008;
    pub const CURSOR_EXISTS: u16 = 0x0040;
    pub const NO_BACKSLASH_ESCAPES: u16 = 0x0200;
}

/// First octets of packets that a server sends.
pub const OK: u8 = 0x00;
pub const LOCAL_INFILE: u8 = 0xfb;
pub const EOF: u8 = 0xfe;
pub const ERROR: u8 = 0xff;

/// Reads a payload from its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn octets(&mut self, n: usize) -> Option<&'a [u8]> {
        let (octets, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(octets)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.octets(1)?.first().copied()
    }

    /// A little-endian number of up to eight octets.
    pub fn number(&mut self, octets: usize) -> Option<u64> {
        let octets = self.octets(octets)?;
        Some(octets.iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }

    /// A length-encoded number.
    pub fn lenenc(&mut self) -> Option<u64> {
        match self.u8()? {
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            0xfb | 0xff => None,
            small => Some(u64::from(small)),
        }
    }

    pub fn lenenc_text(&mut self) -> Option<&'a [u8]> {
        let len = self.lenenc()?;
        self.octets(usize::try_from(len).ok()?)
    }

    /// Up to a zero octet.
    pub fn zero_ended(&mut self) -> Option<&'a [u8]> {
        let len = self.0.iter().position(|octet| *octet == 0)?;
        let text = self.octets(len);
        self.u8();
        text
    }

    /// Up to a zero octet, or to the end of a payload that is `whole`.
    pub fn last_text(&mut self, whole: bool) -> Option<&'a [u8]> {
        match self.zero_ended() {
            None if whole => self.octets(self.0.len()),
            text => text,
        }
    }
}

/// The version of the protocol that every server speaks.
pub const PROTOCOL: u8 = 10;

/// The greeting: a server's first packet.
#[derive(Debug, Default)]
pub struct Greeting<'a> {
    pub version: Option<&'a [u8]>,
    pub capabilities: Option<u64>,
    pub status: Option<u16>,
}

impl<'a> Greeting<'a> {
    /// The greeting in a payload; `None` if it is none.
    pub fn read(head: &'a [u8], whole: bool) -> Option<Greeting<'a>> {
        let mut reader = Reader(head);
        if reader.u8() != Some(PROTOCOL) {
            return None;
        }
        let Some(version) = reader.zero_ended() else {
            let printable = reader.0.iter().all(|octet| (b' '..0x7f).contains(octet));
            return (!whole && printable && !reader.0.is_empty()).then(Greeting::default);
        };
        let is_version = !version.is_empty() && version.iter().all(|o| (b' '..0x7f).contains(o));
        let mut greeting = Greeting { version: Some(version), ..Greeting::default() };
        if !is_version || whole && reader.0.len() < 4 + 8 + 1 + 2 {
            return None;
        }
        greeting.read_rest(reader, whole);
        Some(greeting)
    }

    fn read_rest(&mut self, mut reader: Reader<'_>, whole: bool) -> Option<()> {
        // The connection's number, the first part of the challenge, a filler.
        reader.octets(4 + 8 + 1)?;
        let low = reader.number(2)?;
        if whole && reader.0.is_empty() {
            self.capabilities = Some(low);
        }
        reader.u8()?;
        self.status = Some(reader.number(2)? as u16);
        let high = reader.number(2)?;
        let capabilities = low | high << 16;
        reader.octets(1 + 6)?;
        // A server that is no MySQL says more.
        let more = reader.number(4)?;
        let is_mysql = capabilities & capability::MYSQL != 0;
        self.capabilities = Some(if is_mysql { capabilities } else { capabilities | more << 32 });
        Some(())
    }
}

/// The client's answer to the greeting: a login, or a request for TLS first.
#[derive(Debug, Default)]
pub struct Login<'a> {
    pub capabilities: u64,
    pub user: Option<&'a [u8]>,
    /// Empty: none.
    pub database: Option<&'a [u8]>,
    /// The program, and the library that it speaks by, with its version.
    pub program: Option<&'a [u8]>,
    pub library: Option<&'a [u8]>,
    pub library_version: Option<&'a [u8]>,
}

/// The length of a login that goes on under TLS.
pub const SSL_REQUEST: u64 = 32;

impl<'a> Login<'a> {
    /// `server`: its capabilities, where known.
    pub fn read(head: &'a [u8], whole: bool, server: Option<u64>) -> Option<Login<'a>> {
        let mut reader = Reader(head);
        let capabilities = reader.number(4)?;
        let mut login = Login { capabilities, ..Login::default() };
        login.read_rest(reader, whole, server);
        Some(login)
    }

    fn read_rest(
        &mut self,
        mut reader: Reader<'a>,
        whole: bool,
        server: Option<u64>,
    ) -> Option<()> {
        // The longest packet, the character set, a filler.
        reader.octets(4 + 1 + 19)?;
        let more = reader.number(4)?;
        if self.capabilities & capability::MYSQL == 0 {
            self.capabilities |= more << 32;
        }
        self.user = Some(reader.last_text(whole)?);
        let effective = self.capabilities & server.unwrap_or(u64::MAX);
        if effective & capability::PLUGIN_AUTH_LENENC != 0 {
            reader.lenenc_text()?;
        } else if effective & capability::SECURE_CONNECTION != 0 {
            let len = reader.u8()?;
            reader.octets(usize::from(len))?;
        } else {
            reader.zero_ended()?;
        }
        let with_database = effective & capability::CONNECT_WITH_DB != 0;
        self.database = if with_database { reader.last_text(whole) } else { Some(b"") };
        if effective & capability::PLUGIN_AUTH != 0 {
            reader.zero_ended()?;
        }
        if effective & capability::CONNECT_ATTRS != 0 {
            let len = usize::try_from(reader.lenenc()?).ok()?;
            self.read_attributes(Reader(reader.0.get(..len).unwrap_or(reader.0)));
        }
        Some(())
    }

    /// Attributes of the connection: a client can send any, and most of them are nobody's business.
    fn read_attributes(&mut self, mut reader: Reader<'a>) -> Option<()> {
        while let Some(key) = reader.lenenc_text() {
            let value = reader.lenenc_text()?;
            match key {
                b"program_name" => self.program = Some(value),
                b"_client_name" => self.library = Some(value),
                b"_client_version" => self.library_version = Some(value),
                _ => {}
            }
        }
        Some(())
    }
}

/// The status flags of an OK packet, whatever its first octet.
pub fn status_of_ok(head: &[u8]) -> Option<u16> {
    let mut reader = Reader(head);
    reader.u8()?;
    // Rows affected, and the last number given by AUTO_INCREMENT.
    reader.lenenc()?;
    reader.lenenc()?;
    reader.number(2).map(|status| status as u16)
}

/// The status flags of an EOF packet.
pub fn status_of_eof(head: &[u8]) -> Option<u16> {
    let mut reader = Reader(head);
    // Its first octet, and the number of warnings.
    reader.octets(1 + 2)?;
    reader.number(2).map(|status| status as u16)
}

/// An ERR packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    /// Five letters; an error before the login has none.
    pub sqlstate: Option<Box<str>>,
    /// Printable and bounded.
    pub message: Box<str>,
    /// Nothing had been asked.
    pub unsolicited: bool,
}

/// A message is kept so far.
pub const MAX_MESSAGE: usize = 200;

impl Refusal {
    /// Returns what is told of it; without `literals`, no value that the message repeats.
    pub fn show(&self, literals: bool) -> ServerError {
        let message = match literals {
            false if self.is_of_a_program() => "?".into(),
            // The host of the client, and what unblocks it.
            false if self.code != 1129 => without_values(&self.message).into(),
            _ => self.message.clone(),
        };
        ServerError {
            code: ErrorCode::Number(self.code.into()),
            sqlstate: self.sqlstate.clone(),
            message,
            unsolicited: self.unsolicited || self.ends(),
        }
    }

    /// Returns whether the session ends with it, whatever was asked: 1053 (shutdown), 1152 and 1184 (aborted
    /// connection), 1158 to 1161 (the network), MariaDB's 1927 (killed), MySQL's 3032 (offline), 3169 (killed) and
    /// 4031 (idle).
    pub fn ends(&self) -> bool {
        matches!(self.code, 1053 | 1152 | 1158..=1161 | 1184 | 1927 | 3032 | 3169 | 4031)
    }

    /// A program of the database wrote the message (SIGNAL), which can hold anything: its code says so, or is none that
    /// a server has for this protocol, nor a proxy (ProxySQL's begin at 9001).
    fn is_of_a_program(&self) -> bool {
        let is_known = matches!(self.code, 1000..=4999 | 9001..=9099);
        matches!(self.code, 1642..=1644)
            || !is_known
            || self.sqlstate.as_deref().is_some_and(|state| state.starts_with("45"))
    }

    /// The packet as far as it was seen; `whole`: to its end.
    pub fn read(head: &[u8], whole: bool, unsolicited: bool) -> Option<Refusal> {
        let mut reader = Reader(head);
        if reader.u8()? != ERROR {
            return None;
        }
        let code = reader.number(2)? as u16;
        let sqlstate = match reader.0 {
            [b'#', state @ ..] if state.len() >= 5 => {
                reader.octets(1);
                reader.octets(5).map(name)
            }
            // It was cut off in the state, and before the message.
            [b'#', ..] => {
                reader.0 = &[];
                None
            }
            _ => None,
        };
        let text = printable(&String::from_utf8_lossy(reader.0));
        let end = if whole { "" } else { "…" };
        let message = text.chars().take(MAX_MESSAGE).chain(end.chars()).collect::<String>().into();
        Some(Refusal { code, sqlstate, message, unsolicited })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_cut_is_no_message() {
        let of = |head: &[u8], whole| {
            let error = Refusal::read(head, whole, false).expect("an error");
            (error.sqlstate, String::from(error.message))
        };
        assert_eq!(of(b"\xff\x15\x04#28000no", true), (Some("28000".into()), "no".into()));
        assert_eq!(of(b"\xff\x15\x04#28000no", false), (Some("28000".into()), "no…".into()));
        assert_eq!(of(b"\xff\x15\x04#28", false), (None, "…".into()));
    }

    #[test]
    fn a_message_hides_what_it_quotes_and_no_apostrophe_begins_that() {
        let of = |code, sqlstate: Option<&str>, message: &str| {
            let (sqlstate, message) = (sqlstate.map(Into::into), message.into());
            let error = Refusal { code, sqlstate, message, unsolicited: false };
            error.show(false).message.into_string()
        };
        let shown = |message: &str| of(1000, None, message);
        assert_eq!(shown("Table 'app.nope' doesn't exist"), "Table '?' doesn't exist");
        assert_eq!(shown("Duplicate entry 'o'brien' for key 'x'"), "Duplicate entry '?'");
        assert_eq!(shown("Can't find 'a' b'"), "Can't find '?'");
        assert_eq!(shown("cut off 'in a val"), "cut off '?'");
        assert_eq!(shown("Didn't work"), "Didn't work");
        let blocked = "Host '10.0.0.5' is blocked; unblock with 'mariadb-admin flush-hosts'";
        assert_eq!(of(1129, None, blocked), blocked);
        // Signals, by a code or a state that no server has.
        for (code, state) in
            [(1644, None), (1643, None), (1000, Some("45000")), (5001, Some("23000"))]
        {
            assert_eq!(of(code, state, "card 4111"), "?", "{code}");
        }
    }
}
