//! The service manager: it is told that packets are being read, and goes on being told.
//!
//! Its socket is opened before rights are given up. The crate for this opens one for each word, which the
//! process that reads packets may not.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;

use super::terminal::Terminal;
use crate::capture::Error;
use crate::run::Notices;
use crate::run::notices::Status;

/// The manager that started this program and wants to hear of it (sd_notify(3)).
pub struct Manager(UnixDatagram);

impl Manager {
    /// By the name of its socket, as the environment has it.
    pub fn at(socket: &OsStr) -> io::Result<Manager> {
        let own = UnixDatagram::unbound()?;
        // Nobody waits for a manager: it waits for us.
        own.set_nonblocking(true)?;
        connect(&own, socket)?;
        Ok(Manager(own))
    }

    /// Sends a word to the service manager: it asks the processes for any that it does not hear.
    fn tell(&self, word: &str) {
        let _ = self.0.send(word.as_bytes());
    }
}

/// A path, or with `@` a name that is in no file system.
fn connect(own: &UnixDatagram, socket: &OsStr) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;
    match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => own.connect_addr(&SocketAddr::from_abstract_name(name)?),
        None => own.connect(socket),
    }
}

/// The terminal, and the service manager beside it.
pub struct Reported {
    pub terminal: Terminal,
    manager: Option<Manager>,
}

impl Reported {
    /// All is open, and packets are read from now on.
    pub fn begin(terminal: Terminal, manager: Option<Manager>) -> Reported {
        let reported = Reported { terminal, manager };
        reported.tell("READY=1");
        reported
    }

    /// Ends: the report is what is left to do.
    pub fn end(self) -> Terminal {
        self.tell("STOPPING=1");
        self.terminal
    }

    fn tell(&self, word: &str) {
        if let Some(manager) = &self.manager {
            manager.tell(word);
        }
    }
}

impl Notices for Reported {
    fn trouble(&mut self, error: &Error) {
        self.terminal.trouble(error);
    }

    fn progress(&mut self, done: u64, all: Option<u64>) {
        self.terminal.progress(done, all);
    }

    /// Comes from the loop that reads packets, so it is alive.
    fn status(&mut self, status: &Status) {
        self.tell("WATCHDOG=1");
        self.terminal.status(status);
    }

    fn make_room(&mut self) {
        self.terminal.make_room();
    }
}
