//! The code behind a socket as a comment of a capture that is kept, and read again.
//!
//! Anybody may write such a comment: nothing of it is believed to be printable, short, or true.

use serde::{Deserialize, Serialize};

use super::{Code, Frame, Trace};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;

/// Before what is read again.
const MARK: &str = "closewait code: ";

/// Octets of a comment, at most: a longer one is cut, and would not be read.
const LONGEST: usize = 8_000;

/// Functions of a stack that are kept: those of libraries are left out where there are own ones.
const FUNCTIONS: usize = 16;

/// Statements, processes and octets of a name that are taken from a comment.
const MOST: usize = 32;
const LONGEST_NAME: usize = 512;

/// The code that used a socket, with its ends and its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The end whose program it was.
    pub local: Endpoint,
    /// The end across.
    pub peer: Endpoint,
    /// Number and name.
    pub process: Option<(i32, String)>,
    /// The functions that used it.
    pub code: Code,
}

#[derive(Serialize, Deserialize)]
struct Line {
    local: std::net::SocketAddr,
    peer: std::net::SocketAddr,
    process: Option<(i32, String)>,
    code: Code,
}

impl Note {
    /// Returns the comment: with fewer statements where all of them would be too much.
    #[must_use]
    pub fn comment(&self) -> Option<String> {
        let whole = self.code.clone().map(&short);
        let bare = Code { statements: Vec::new(), ..whole.clone() };
        [whole, bare].into_iter().find_map(|code| {
            let (local, peer) = (self.local.into(), self.peer.into());
            let line = Line { local, peer, process: self.process.clone(), code };
            let text = format!("{MARK}{}", serde_json::to_string(&line).ok()?);
            (text.len() <= LONGEST).then_some(text)
        })
    }

    /// Reads a comment again; none if it is another.
    #[must_use]
    pub fn read(comment: &str) -> Option<Note> {
        let text = comment.strip_prefix(MARK).filter(|text| text.len() <= LONGEST)?;
        let Line { local, peer, process, mut code } = serde_json::from_str(text).ok()?;
        code.statements.truncate(MOST);
        let process = process.filter(|(pid, _)| *pid > 0);
        let process = process.map(|(pid, command)| (pid, name(&command)));
        let code = code.map(&clean);
        Some(Note { local: local.into(), peer: peer.into(), process, code })
    }
}

impl Code {
    /// Changes each of its stacks.
    fn map(self, change: &impl Fn(Trace) -> Trace) -> Code {
        Code {
            begun: self.begun.map(change),
            last: self.last.map(change),
            connected: self.connected.map(change),
            end_of_file: self.end_of_file.map(change),
            statements: self.statements.into_iter().map(change).collect(),
            unread: self.unread,
        }
    }
}

/// Own functions, or the outermost of the others.
fn short(trace: Trace) -> Trace {
    let Trace::By(frames) = trace else { return trace };
    let own: Vec<Frame> =
        frames.iter().filter(|frame| frame.own).take(FUNCTIONS).cloned().collect();
    let others = || frames.iter().rev().take(2).rev().cloned().collect();
    Trace::By(if own.is_empty() { others() } else { own })
}

fn clean(trace: Trace) -> Trace {
    match trace {
        Trace::Unknown(why) => Trace::Unknown(name(&why)),
        Trace::By(frames) => Trace::By(frames.into_iter().take(MOST).map(clean_frame).collect()),
    }
}

fn clean_frame(Frame { function, file, line, own }: Frame) -> Frame {
    Frame { function: name(&function), file: file.as_deref().map(name), line, own }
}

fn name(text: &str) -> String {
    printable(text).chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, own: bool) -> Frame {
        Frame { function: function.into(), file: Some("/srv/shop.go".into()), line: Some(7), own }
    }

    fn note(statements: usize) -> Note {
        let trace = Trace::By(vec![frame("net.Write", false), frame("main.update", true)]);
        let end = |port| Endpoint { ip: [127, 0, 0, 1].into(), port };
        Note {
            local: end(40_000),
            peer: end(3306),
            process: Some((7, "shop".into())),
            code: Code {
                begun: Some(trace.clone()),
                last: Some(Trace::Unknown("events were lost".into())),
                statements: vec![trace; statements],
                ..Code::default()
            },
        }
    }

    #[test]
    fn a_comment_is_read_as_it_was_written() {
        let read = Note::read(&note(2).comment().unwrap()).unwrap();
        let own = Trace::By(vec![frame("main.update", true)]);
        assert_eq!(read.code.begun, Some(own.clone()), "those of libraries are left out");
        assert_eq!(read.code.statements, [own.clone(), own]);
        assert_eq!(read.code.last, note(0).code.last);
        assert_eq!(
            (read.local, read.peer, read.process),
            (note(0).local, note(0).peer, note(0).process)
        );
        let many = Note::read(&note(5_000).comment().unwrap()).unwrap();
        assert!(many.code.statements.is_empty() && many.code.begun.is_some());
    }

    #[test]
    fn a_comment_of_anybody_is_printable_and_short() {
        let text = note(1).comment().unwrap();
        let odd = text.replace("main.update", "a\\u001b[2Jb").replace("shop\"", "s\\u0007\"");
        let read = Note::read(&odd).unwrap();
        assert!(!format!("{read:?}").contains("\\u{1b}") && read.code.begun != note(1).code.begun);
        for other in ["", "a packet", MARK, "closewait code: {}", &text[..text.len() - 1]] {
            assert_eq!(Note::read(other), None, "{other}");
        }
        let long = note(0).comment().unwrap().replace("main.update", &"x".repeat(7_000));
        let read = Note::read(&long).unwrap();
        assert!(read.code.begun.unwrap().frames()[0].function.len() <= LONGEST_NAME);
    }
}
