//! Facts about a conversation, whatever its protocol.

use std::fmt;

use crate::place::Time;
use crate::printable::printable;
use crate::tcp::segment::End;
use crate::tcp::seq::Seq;

/// Names of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The key of its facts in JSON: `mysql`.
    pub key: &'static str,
    /// As its authors write it: `MySQL`.
    pub title: &'static str,
    /// It has transactions: not to know whether one was open is to know too little.
    pub transactions: bool,
    /// Nobody can ask for anything who has not logged in.
    pub logs_in: bool,
    /// Its requests carry tags of the code that sends them.
    pub tags: bool,
}

/// Plain facts; `None`: unknown, or the protocol has no such thing. All texts are safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The protocol that was spoken.
    pub protocol: Identity,
    /// The end that is the client; a protocol itself does not know it.
    pub client: Option<End>,
    /// The octets say that it is this protocol; `Some(false)`: that it is another one.
    pub confirmed: Option<bool>,
    /// The server as it names itself, by its version mostly.
    pub server: Option<Box<str>>,
    /// The user who logged in.
    pub user: Option<Box<str>>,
    /// The database, schema, virtual host or Host header that was asked for.
    pub database: Option<Box<str>>,
    /// The client as it names itself.
    pub application: Option<Box<str>>,
    /// The library that speaks for the client, as it names itself.
    pub driver: Option<Box<str>>,
    /// The last request by the protocol's own name for its kind: `COM_QUERY`.
    pub last_command: Option<&'static str>,
    /// The text of that request, or its name where there is no text.
    pub last_statement: Option<Box<str>>,
    /// The time of the segment that ended the last statement.
    pub last_statement_at: Option<Time>,
    /// The segment that it came in, as [`Facts::begun_in`] is.
    pub last_statement_in: Option<(Seq, Seq)>,
    /// Tags of the last statement, or of the transaction's last one that has any: which code sent it.
    pub tags: Vec<Tag>,
    /// The server owes no answer. An answer that has only begun is none.
    pub answered: Option<bool>,
    /// The last request is one that has no answer.
    pub no_answer: bool,
    /// A request has begun, and has not ended: the server cannot answer it.
    pub half_asked: bool,
    /// The last request came after the server's FIN: whether another was open at it. Where the connection stood is told as
    /// of the FIN.
    pub late: Option<bool>,
    /// True in a transaction, by the server's own word; none where it is not known.
    pub in_transaction: Option<bool>,
    /// None can be open, though the server has said nothing of any: none was begun since the connection was.
    pub never_begun: bool,
    /// The time at which the statement that began it was sent.
    pub transaction_since: Option<Time>,
    /// The statement that began the transaction, and its time.
    pub begun: Option<Begun>,
    /// The segment that began it, by its octets, where those were asked for.
    pub begun_in: Option<(Seq, Seq)>,
    /// The statements of the open transaction, in order.
    pub statements: Vec<Box<str>>,
    /// The time at which each of them was sent, where the protocol keeps it.
    pub statements_at: Vec<Time>,
    /// The segments that they came in, by their octets, as [`Facts::begun_in`] is.
    pub statements_in: Vec<Option<(Seq, Seq)>>,
    /// So many more were not kept.
    pub more_statements: u32,
    /// The last transaction with what ended it and came after it, or the last statements, in order;
    /// only if [`super::Opening::path`] asked for it.
    pub path: Vec<PathStep>,
    /// The client took its leave with this: `COM_QUIT`.
    pub goodbye: Option<&'static str>,
    /// Nobody has logged in, and this is how far it came.
    pub before_login: Option<BeforeLogin>,
    /// It was said beforehand that the connection ends, by this.
    pub announced: Option<&'static str>,
    /// The client waits for messages that it asked for with this: none of them may be due.
    pub waits_by: Option<&'static str>,
    /// It waited for messages before something was lost, and may do so still.
    pub may_wait: bool,
    /// The interval at which both ends have promised to say something.
    pub heartbeat: Option<Heartbeat>,
    /// The last thing the server said, if that was an error, or its reason for closing.
    pub server_error: Option<ServerError>,
    /// More that speaks for a cause, in a few words each.
    pub remarks: Vec<Box<str>>,
    /// TLS hides the rest.
    pub encrypted: bool,
    /// The protocol's own compression hides the rest.
    pub compressed: bool,
    /// Both ends went over to another protocol, which is not read.
    pub gone_over: bool,
    /// Something that mattered was not seen.
    pub truncated: bool,
}

impl Facts {
    /// A conversation of which nothing is known but the protocol.
    pub fn of(protocol: Identity) -> Facts {
        Facts {
            protocol,
            client: None,
            confirmed: None,
            server: None,
            user: None,
            database: None,
            application: None,
            driver: None,
            last_command: None,
            last_statement: None,
            last_statement_at: None,
            last_statement_in: None,
            tags: Vec::new(),
            answered: None,
            no_answer: false,
            half_asked: false,
            late: None,
            in_transaction: None,
            never_begun: false,
            transaction_since: None,
            begun: None,
            begun_in: None,
            statements: Vec::new(),
            statements_at: Vec::new(),
            statements_in: Vec::new(),
            more_statements: 0,
            path: Vec::new(),
            goodbye: None,
            before_login: None,
            announced: None,
            waits_by: None,
            may_wait: false,
            heartbeat: None,
            server_error: None,
            remarks: Vec::new(),
            encrypted: false,
            compressed: false,
            gone_over: false,
            truncated: false,
        }
    }

    /// Without an answer to what has none, nor a transaction of whom has taken its leave: the server ends it.
    pub fn within_reason(self) -> Facts {
        let answered = self.answered.filter(|answered| !(*answered && self.no_answer));
        let in_transaction = self.in_transaction.filter(|open| !(*open && self.goodbye.is_some()));
        Facts { answered, in_transaction, ..self }
    }

    /// Returns the reason why it cannot be told whether a transaction is open, where that matters and is so. Whoever took
    /// its leave has none.
    pub fn transaction_untold(&self) -> Option<&'static str> {
        let is_told = self.in_transaction.is_some() || self.goodbye.is_some();
        (self.protocol.transactions && !is_told).then(|| self.unread_because())
    }

    /// Returns whether its last request may have any tag: it was not read, or not to its end.
    pub fn may_be_tagged(&self) -> bool {
        let is_hidden = self.encrypted || self.compressed || self.truncated;
        self.protocol.tags && is_hidden
    }

    fn unread_because(&self) -> &'static str {
        match (self.encrypted, self.compressed, self.truncated) {
            (true, ..) => "encrypted",
            (_, true, _) => "compressed",
            (.., true) => "cut or lost",
            _ => "not seen",
        }
    }

    /// Returns whether the server owed an answer when it closed.
    pub fn is_owed(&self) -> bool {
        self.late.unwrap_or(self.answered == Some(false))
    }

    /// Returns whether the server may have owed an answer: what would tell was not seen. Where there are transactions,
    /// its last word was one.
    pub fn may_be_owed(&self) -> bool {
        let is_untold = self.answered.is_none() && !self.no_answer && self.late.is_none();
        let is_unseen = self.truncated || !self.protocol.transactions;
        is_untold && is_unseen && self.last_command.is_some()
    }

    /// Both ends were seen from their beginning on, and neither has said anything.
    pub fn silent(self) -> Facts {
        Facts {
            in_transaction: self.protocol.transactions.then_some(false),
            never_begun: true,
            before_login: self.protocol.logs_in.then_some(BeforeLogin::Silent),
            ..self
        }
    }
}

/// The stage that a connection has come to on which nobody logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeforeLogin {
    /// Neither end ever said anything.
    Silent,
    /// The server greeted, and the client never said who it is.
    GreetingUnread,
    /// The client said who it is, and the server was not yet satisfied.
    Unanswered,
    /// The server refused.
    Denied,
}

/// A promise of the client, and how it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Seconds between two signs of life, as agreed; 0 if none are sent.
    pub seconds: u16,
    /// The time at which the client said something last.
    pub last: Time,
}

/// A key in the comment of a statement, and its value, safe to print.
pub type Tag = (&'static str, Box<str>);

/// The reason why a transaction is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// A request for one, by its name: `BEGIN`.
    By(&'static str),
    /// Any statement, in a session where this holds: `autocommit=0`.
    Under(&'static str),
}

/// A step of a conversation's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// A statement, or a remark in its place.
    Said(Box<str>),
    /// Statements that the snap length cut off, or that were lost.
    NotCaptured,
}

/// Stands for something that was not seen.
pub const NOT_CAPTURED: &str = "(not captured)";

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathStep::Said(text) => f.write_str(text),
            PathStep::NotCaptured => f.write_str(NOT_CAPTURED),
        }
    }
}

/// An error that the server reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// The code by which the protocol's clients tell errors apart.
    pub code: ErrorCode,
    /// The class that the SQL standard puts it in.
    pub sqlstate: Option<Box<str>>,
    /// Printable and bounded.
    pub message: Box<str>,
    /// It says why the server closes: nothing had been asked, or nothing can be after it.
    pub unsolicited: bool,
}

/// An error as the protocol tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// A number, as MySQL and HTTP have it.
    Number(u32),
    /// A word, as PostgreSQL's SQLSTATE.
    Name(Box<str>),
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorCode::Number(number) => number.fmt(f),
            ErrorCode::Name(name) => f.write_str(name),
        }
    }
}

/// A name from the wire, safe to print and bounded.
pub fn name(octets: &[u8]) -> Box<str> {
    const MAX: usize = 80;
    if octets.len() <= MAX
        && octets.iter().all(|octet| (b' '..0x7f).contains(octet))
        && let Ok(usual) = str::from_utf8(octets)
    {
        return usual.into();
    }
    let text = printable(&String::from_utf8_lossy(octets.get(..4 * MAX).unwrap_or(octets)));
    text.chars().take(MAX).collect::<String>().into()
}
