//! Output of `lsof -F`: a field a line, named by its first letter. Those of a process come before those of its files.

use super::{SavedLine, netstat, words};
use crate::owner::{Holder, Socket};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// A file that is whole: what it is, its line, and its name.
pub type File = (SavedLine, usize, String);

/// Reads fields. A process begins them, and the first line that is none ends them.
#[derive(Default)]
pub struct Fields {
    process: Option<Holder>,
    file: Option<Open>,
}

/// A file, as far as its fields say.
#[derive(Default)]
struct Open {
    line: usize,
    fd: Option<i32>,
    is_other: bool,
    name: String,
    state: Option<State>,
    /// Its state is in no known words.
    is_odd: bool,
    queues: [Option<u32>; 2],
}

impl Fields {
    /// Takes a line if it is a field, with the file that it ends; `None` for any other line.
    pub fn take(&mut self, number: usize, line: &str) -> Option<Option<File>> {
        let (kind, value) = line.split_at_checked(1)?;
        if kind == "p" {
            let pid: i32 = value.parse().ok()?;
            let ended = self.end();
            self.process = Some(Holder { pid, command: String::new(), fd: None, uid: None });
            return Some(ended);
        }
        let is_word = !value.is_empty() && !value.contains(char::is_whitespace);
        if kind == "f" && is_word && self.process.is_some() {
            let ended = self.end_file();
            let fd = value.parse().ok();
            self.file = Some(Open { line: number, fd, ..Open::default() });
            return Some(ended);
        }
        let process = self.process.as_mut()?;
        match (kind, &mut self.file) {
            ("c", None) if process.command.is_empty() => process.command = printable(value),
            ("u", None) if is_word => process.uid = value.parse().ok(),
            ("g" | "L" | "R", None) if is_word => {}
            ("P", Some(file)) if is_word => file.is_other = value != "TCP",
            ("n", Some(file)) if is_word && file.name.is_empty() => file.name = value.to_owned(),
            ("T", Some(file)) if is_word => file.tell(value),
            ("a" | "l" | "t" | "d" | "D" | "s" | "o" | "i" | "k", Some(_)) if is_word => {}
            _ => return None,
        }
        Some(None)
    }

    /// No more fields: the last file is whole.
    pub fn end(&mut self) -> Option<File> {
        let ended = self.end_file();
        self.process = None;
        ended
    }

    fn end_file(&mut self) -> Option<File> {
        let file = self.file.take().filter(|file| !file.is_other)?;
        let found = match (file.socket(self.process.as_ref()), file.state) {
            (Some(socket), _) => SavedLine::Socket(socket),
            (None, Some(_)) => SavedLine::Unclear,
            _ if file.is_odd => SavedLine::Unclear,
            (None, None) if file.name.contains("->") && file.ends().is_some() => SavedLine::Unclear,
            (None, None) => return None,
        };
        Some((found, file.line, file.name))
    }
}

impl Open {
    /// `ST=CLOSE_WAIT`, `QR=1`, `QS=0`.
    fn tell(&mut self, value: &str) {
        match value.split_once('=') {
            Some(("ST", state)) => {
                self.state = words::state(state);
                self.is_odd = self.state.is_none();
            }
            Some(("QR", queue)) => self.queues[0] = queue.parse().ok(),
            Some(("QS", queue)) => self.queues[1] = queue.parse().ok(),
            _ => {}
        }
    }

    fn ends(&self) -> Option<[Endpoint; 2]> {
        let (local, peer) = self.name.split_once("->").unwrap_or((&self.name, "*:*"));
        Some([words::end(local)?, words::end(peer)?])
    }

    fn socket(&self, process: Option<&Holder>) -> Option<Socket> {
        let state = self.state?;
        let is_whole = state == State::Listen || self.name.contains("->");
        let holders = process.map(|process| Holder { fd: self.fd, ..process.clone() });
        let ends = self.ends().filter(|_| is_whole)?;
        Some(netstat::socket(ends, state, self.queues, holders.into_iter().collect()))
    }
}
