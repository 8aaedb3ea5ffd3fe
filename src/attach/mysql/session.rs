//! A session: its user, its server, and the capabilities they agreed on.

use super::prepared::Prepared;
use super::reply::Agreed;
use crate::attach::facts::name;
use crate::attach::sql::text::SqlText;

/// A session between a user and a server.
#[derive(Debug, Default)]
pub struct Session {
    pub version: Option<Box<str>>,
    pub user: Option<Box<str>>,
    pub database: Option<Box<str>>,
    pub agreed: Agreed,
    pub prepared: Option<Box<Prepared>>,
}

impl Session {
    /// Something that the client sent was not seen: it may be anybody by now.
    pub fn forget_client(&mut self) {
        (self.user, self.database, self.prepared) = (None, None, None);
    }

    /// The client has become another user: `user`, a zero octet, `database`.
    pub fn change_user(&mut self, names: &SqlText) {
        self.prepared = None;
        let mut parts = names.octets.splitn(2, |octet| *octet == 0);
        self.user = parts.next().filter(|_| !names.none).map(name);
        self.database = parts.next().filter(|name| !name.is_empty()).map(name);
    }

    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        let strings = [&self.version, &self.user, &self.database].into_iter().flatten();
        strings.map(|string| string.len()).sum::<usize>()
            + self.prepared.as_ref().map_or(0, |prepared| prepared.heap_octets())
    }
}
