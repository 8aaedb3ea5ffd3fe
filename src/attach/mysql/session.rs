//! A session: its user, its server, and the capabilities they agreed on.

use super::prepared::Prepared;
use super::reply::Agreed;
use super::wire::Login;
use crate::attach::facts::name;
use crate::attach::sql::text::SqlText;

/// A session between a user and a server.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub version: Option<Box<str>>,
    pub user: Option<Box<str>>,
    pub database: Option<Box<str>>,
    pub program: Option<Box<Program>>,
    pub agreed: Agreed,
    pub prepared: Option<Box<Prepared>>,
}

/// The client as it names itself: seldom, so it takes no room where it does not.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub name: Option<Box<str>>,
    /// The library that it speaks by.
    pub library: Option<Box<str>>,
}

impl Program {
    /// Makes it of a login's attributes.
    pub fn of(login: &Login<'_>) -> Option<Box<Program>> {
        let library = login.library.map(|library| match login.library_version {
            Some(version) => name(&[library, b" ", version].concat()),
            None => name(library),
        });
        let program = Program { name: login.program.map(name), library };
        let says = program.name.is_some() || program.library.is_some();
        says.then(|| Box::new(program))
    }
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
        let program = self.program.iter().flat_map(|it| [&it.name, &it.library]).flatten();
        strings.chain(program).map(|string| string.len()).sum::<usize>()
            + self.prepared.as_ref().map_or(0, |prepared| prepared.heap_octets())
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::capability::{
        CONNECT_ATTRS, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION,
    };
    use super::*;

    fn login(attributes: &[(&str, &str)]) -> Vec<u8> {
        let capabilities = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | CONNECT_ATTRS;
        let text = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
        let pairs = attributes.iter().flat_map(|(key, value)| [text(key), text(value)]);
        let pairs = pairs.collect::<Vec<_>>().concat();
        let head = [&(capabilities as u32).to_le_bytes()[..], &[0; 28]].concat();
        [&head[..], b"app\0\x02pp", b"mysql_native_password\0", &[pairs.len() as u8], &pairs]
            .concat()
    }

    #[test]
    fn a_client_names_itself() {
        let attributes = [
            ("_client_name", "Go-MySQL-Driver"),
            ("_server_host", "secret"),
            ("program_name", "orders"),
            ("_client_version", "1.8"),
        ];
        let octets = login(&attributes);
        let read = |octets: &[u8], whole: bool| {
            let login = Login::read(octets, whole, None).expect("a login");
            let program = Program::of(&login).map(|it| *it).unwrap_or_default();
            (program.name, program.library)
        };
        let right = (Some("orders".into()), Some("Go-MySQL-Driver 1.8".into()));
        assert_eq!(read(&octets, true), right);
        assert_eq!(read(&login(&attributes[..2]), true), (None, Some("Go-MySQL-Driver".into())));
        for kept in 32..octets.len() {
            let (name, library) = read(&octets[..kept], false);
            assert!(name.is_none_or(|name| &*name == "orders"), "{kept}");
            assert!(library.is_none_or(|it| it.starts_with("Go-MySQL-Driver")), "{kept}");
        }
    }
}
