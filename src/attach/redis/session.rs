//! The client's session: who, in which database, and under which name.

use super::asked::{Asked, Hello};
use crate::attach::facts::name;

/// Facts of a session; none of them is known before the server has agreed.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub version: Option<Box<str>>,
    pub user: Option<Box<str>>,
    pub database: Option<Box<str>>,
    pub name: Option<Box<str>>,
    /// The library that it speaks by.
    pub library: Option<Box<str>>,
    /// The server answered something that only those may ask who are logged in.
    pub was_let_in: bool,
}

impl Session {
    /// From the beginning, database 0 is in use.
    pub fn begin() -> Session {
        Session { database: Some("0".into()), ..Session::default() }
    }

    /// Something that the client asked for was not seen.
    pub fn forget(&mut self) {
        let (version, library) = (self.version.take(), self.library.take());
        *self = Session { version, library, was_let_in: self.was_let_in, ..Session::default() };
    }

    /// The server agreed.
    pub fn grant(&mut self, asked: Asked) {
        match asked {
            Asked::Select(database) => self.database = database,
            Asked::Name(client) => self.name = client,
            Asked::Library(library) => self.library = library,
            Asked::Auth(user) => self.user = user,
            Asked::Hello(hello) => {
                let Hello { user, client } = *hello;
                self.user = user.or(self.user.take());
                self.name = client.or(self.name.take());
            }
            Asked::Reset => {
                self.forget();
                self.database = Some("0".into());
            }
            _ => {}
        }
    }

    /// Takes a text of the answer to HELLO: names and values take turns.
    pub fn hear(&mut self, before: &[u8], text: &[u8]) {
        if before == b"version" {
            self.version = Some(name(text));
        }
    }
}
