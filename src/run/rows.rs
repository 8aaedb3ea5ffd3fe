//! Judged connections on their way out: what is known around each of them.

use super::told::Told;
use crate::owner::{Socket, SocketList};
use crate::summary::cause::cause;
use crate::summary::{Judged, Owner, Row};
use crate::verdict::Note;

/// A finding of a connection that has ended: what the rest of the capture shows can weaken it.
pub(super) fn is_provisional(judged: &Judged) -> bool {
    judged.judgement.notes.contains(&Note::DescriptorMayLeak)
}

/// The socket that is held, by any of the addresses that it may be known under.
pub(super) fn holders_socket<'a>(judged: &Judged, sockets: &'a SocketList) -> Option<&'a Socket> {
    judged.socket_of(judged.judgement.holder?).find_map(|(own, other)| sockets.find(own, other))
}

/// Puts a judged connection beside what is known around it.
pub fn as_row<'a>(
    judged: &'a Judged,
    files: &'a [String],
    sockets: Option<&'a SocketList>,
    told: &'a Told,
) -> Row<'a> {
    let owner = sockets.map_or(Owner::NotAsked, |sockets| {
        holders_socket(judged, sockets).map_or(Owner::NotListed, Owner::Listed)
    });
    let (said, code) = (told.holders(judged), told.code(judged));
    let (owner, socket) = match owner {
        Owner::Listed(socket) => (owner, Some(socket)),
        _ if !said.is_empty() || code.is_some() => (Owner::Said(said, code), None),
        _ => (owner, None),
    };
    Row { judged, files, owner, cause: cause(judged, socket) }
}
