//! The code behind a socket, as JSON lines have it.

use std::borrow::Cow;

use serde::Serialize;

use crate::attach::Facts;
use crate::code::{Code, Frame, Trace};

/// One event: the program's own function nearest to the socket, and all functions.
#[derive(Serialize)]
pub struct CodeLine<'a> {
    /// `begun by`, `last asked`, `connected by`, `read its end-of-file`; `asked` for each statement of the
    /// transaction.
    event: &'static str,
    statement: Option<&'a str>,
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    /// The innermost first.
    frames: Vec<FrameLine<'a>>,
    /// The reason, where nobody can be named.
    unknown: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct FrameLine<'a> {
    function: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    own: bool,
}

impl<'a> From<&'a Frame> for FrameLine<'a> {
    fn from(frame: &'a Frame) -> FrameLine<'a> {
        let Frame { function, file, line, own } = frame;
        FrameLine { function, file: file.as_deref(), line: *line, own: *own }
    }
}

/// Returns a line for each event, with the statement that it sent.
pub fn code_lines<'a>(code: &'a Code, said: Option<&'a Facts>) -> Vec<CodeLine<'a>> {
    let line = |event: &'static str, statement: Option<&'a str>, trace: &'a Trace| {
        let culprit = trace.culprit();
        CodeLine {
            event,
            statement,
            function: culprit.map(|frame| frame.function.as_str()),
            file: culprit.and_then(|frame| frame.file.as_deref()),
            line: culprit.and_then(|frame| frame.line),
            frames: trace.frames().iter().map(FrameLine::from).collect(),
            unknown: match trace {
                Trace::Unknown(why) => Some(why.into()),
                Trace::By(_) if culprit.is_none() => Some(trace.to_string().into()),
                Trace::By(_) => None,
            },
        }
    };
    let events = code
        .events()
        .map(|(event, trace)| line(event, said.and_then(|said| statement(event, said)), trace));
    // Of which statement each is the sender is known only where all are.
    let statements = said.map_or(&[][..], |said| &said.statements);
    let all = statements.iter().zip(&code.statements);
    let all = all.filter(|_| statements.len() == code.statements.len());
    events.chain(all.map(|(statement, trace)| line("asked", Some(statement), trace))).collect()
}

fn statement<'a>(event: &str, said: &'a Facts) -> Option<&'a str> {
    match event {
        "begun by" => said.statements.first().map(|text| &**text),
        "last asked" => said.last_statement.as_deref(),
        _ => None,
    }
}
