//! News of a protocol: the difference between the facts before a packet and after it.

use crate::attach::{Facts, Identity, ServerError};
use crate::tcp::segment::End;

/// One thing that was said, all of it safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The server names itself.
    Greeting(Identity, Box<str>),
    /// Somebody logged in.
    Login {
        /// The user.
        user: Box<str>,
        /// The database that was asked for.
        database: Option<Box<str>>,
    },
    /// The rest is encrypted.
    Encrypted,
    /// The rest is compressed.
    Compressed,
    /// A statement's digest, or the name of a command without a text.
    Asked(Box<str>),
    /// A statement of an earlier packet than the one that shows it: others before it are missing.
    AskedBefore(Box<str>),
    /// A reply has come. It says that a transaction is open or not, if that is known.
    Answered(Option<bool>),
    /// The server refused a request: its error.
    Refused(ServerError),
}

/// Returns the news between two states of the facts, in the order in which it can be said; `from` sent the packet
/// between them.
pub fn said(before: &Facts, now: &Facts, from: End) -> Vec<Said> {
    let mut all = Vec::new();
    let is_client = now.client.is_none_or(|client| client == from);
    let asked = if is_client { Said::Asked } else { Said::AskedBefore };
    if let Some(server) = now.server.as_ref().filter(|_| before.server.is_none()) {
        all.push(Said::Greeting(now.protocol, server.clone()));
    }
    if let Some(user) = now.user.as_ref().filter(|_| now.user != before.user) {
        all.push(Said::Login { user: user.clone(), database: now.database.clone() });
    }
    if now.encrypted && !before.encrypted {
        all.push(Said::Encrypted);
    }
    if now.compressed && !before.compressed {
        all.push(Said::Compressed);
    }
    let is_asked = |facts: &Facts| (facts.last_statement_at, facts.last_command);
    let is_answered = now.answered == Some(true) && before.answered == Some(false);
    // A leave that comes with an answer is the statement that was answered.
    if let Some(goodbye) = now.goodbye.filter(|_| before.goodbye.is_none() && !is_answered) {
        all.push(asked(goodbye.into()));
    } else if let Some(statement) = &now.last_statement
        && is_asked(now) != is_asked(before)
        && now.last_statement_at >= before.last_statement_at
    {
        all.push(asked(statement.clone()));
    }
    match &now.server_error {
        Some(error) if now.server_error != before.server_error => {
            all.push(Said::Refused(error.clone()));
        }
        _ if is_answered => {
            all.push(Said::Answered(now.in_transaction));
        }
        _ => {}
    }
    all
}
