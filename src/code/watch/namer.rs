//! Names from a thread of their own: a program's tables are its owner's to write, and could keep whoever
//! reads them busy without end.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::code::book::{Callers, Known};
use crate::code::names::Names;
use crate::code::{Code, Trace};

/// The time that naming one socket's callers may take: the largest programs take a few seconds.
const PATIENCE: Duration = Duration::from_secs(20);

const TOO_LONG: &str = "the tables of its program take too long to read";

/// A thread that names, as long as it answers.
pub struct Namer {
    thread: Option<(Sender<Callers>, Receiver<Code>)>,
    patience: Duration,
}

impl Namer {
    /// Begins. Without a thread nothing is named.
    pub fn new() -> Namer {
        Namer { thread: begin(Names::default), patience: PATIENCE }
    }

    /// Names the callers of a socket's events. After a program that took too long, what is for debuggers
    /// is read no more; after another, nothing is.
    pub fn name(&mut self, callers: Callers) -> Code {
        let Some((ask, told)) = &self.thread else { return unknown(callers) };
        let asked = ask.send(callers.clone()).is_ok();
        match told.recv_timeout(self.patience) {
            Ok(code) if asked => code,
            _ => {
                let is_first = self.patience == PATIENCE;
                self.patience = PATIENCE / 4;
                self.thread = is_first.then(|| begin(Names::by_symbols)).flatten();
                unknown(callers)
            }
        }
    }
}

fn begin(names: fn() -> Names) -> Option<(Sender<Callers>, Receiver<Code>)> {
    let (ask, asked) = channel::<Callers>();
    let (tell, told) = channel();
    let name = move || {
        let mut names = names();
        for callers in asked {
            if tell.send(names.name(callers)).is_err() {
                break;
            }
        }
    };
    thread::Builder::new().spawn(name).ok()?;
    Some((ask, told))
}

/// The events that nobody named.
fn unknown(callers: Callers) -> Code {
    let trace = |known: Known| match known {
        Known::By(_) => Trace::Unknown(TOO_LONG.into()),
        Known::Unknown(why) => Trace::Unknown(why.sentence().into()),
    };
    let Callers { begun, last, connected, end_of_file, statements } = callers;
    Code {
        begun: begun.map(trace),
        last: last.map(trace),
        connected: connected.map(trace),
        end_of_file: end_of_file.map(trace),
        statements: statements.into_iter().map(trace).collect(),
        unread: false,
    }
}
