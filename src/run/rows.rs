//! Judged connections on their way out: what is known around each of them.

use super::told::Told;
use super::word::socket_of;
use crate::owner::SocketList;
use crate::summary::cause::cause;
use crate::summary::{Judged, Owner, Row};
use crate::verdict::Note;

/// A finding of a connection that has ended: what the rest of the capture shows can weaken it.
pub(super) fn is_provisional(judged: &Judged) -> bool {
    judged.judgement.notes.contains(&Note::DescriptorMayLeak)
}

/// Puts a judged connection beside what is known around it.
pub fn as_row<'a>(
    judged: &'a Judged,
    files: &'a [String],
    sockets: Option<&'a SocketList>,
    told: &'a Told,
) -> Row<'a> {
    let owner = sockets.map_or(Owner::NotAsked, |sockets| {
        // Its ends are a later connection's by now.
        let holder = judged.judgement.holder.filter(|_| !judged.flow.is_superseded());
        let socket = holder.and_then(|holder| socket_of(judged, holder, sockets));
        match socket {
            Some(socket) => Owner::Listed(socket),
            None if sockets.is_outdated => Owner::NotAsked,
            None => Owner::NotListed,
        }
    });
    let (said, code) = (told.holders(judged), told.code(judged));
    let (owner, socket) = match owner {
        Owner::Listed(socket) => (owner, Some(socket)),
        _ if !said.is_empty() && told.is_kept(judged) => (Owner::Kept(said, code), None),
        _ if !said.is_empty() || code.is_some() => (Owner::Said(said, code), None),
        _ => (owner, None),
    };
    Row { judged, files, owner, cause: cause(judged, socket) }
}
