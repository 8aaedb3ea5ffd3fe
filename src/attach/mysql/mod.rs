//! MySQL's and MariaDB's client/server protocol, for an observer.

pub mod digest;
mod lexer;
