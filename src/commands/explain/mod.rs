//! `closewait explain`: one connection as a ladder of its packets.
//!
//! Four looks at the files: for the 4-tuple of the frame, for the connection on it, for its verdict among
//! all others, and for its packets. Nothing is kept between them but what the report needs, so a capture can be of
//! any size.

mod chosen;
mod draw;
mod find;
mod first;
mod renamed;
mod whole;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anstream::ColorChoice;

use super::output::Outputs;
use super::screen::screen;
use super::terminal::{Terminal, ended};
use super::{Exit, complain, on_screen, open, place};
use crate::capture::file::Input;
use crate::capture::series::members;
use crate::capture::stop::Stop;
use crate::owner::{SocketList, saved};
use crate::report::ladder::LadderLook;
use crate::run::notices::Nobody;
use crate::run::trace::run_traced;
use crate::run::{Notices, Outcome, Plan, Reading, run};
use crate::summary::{Nothing, Sink, Totals};
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::verdict::Policy;
use chosen::{Choice, Chosen, Found};
use draw::Draw;
use find::find_frame;
use first::find_first;
use renamed::find_renamed;
use whole::find_whole;

/// The command `explain`: its captures and its options.
#[derive(Clone)]
pub struct ExplainCommand {
    /// Captures, which are read twice.
    pub inputs: Vec<Input>,
    /// The connection to show.
    pub which: Which,
    /// The rules of judging.
    pub policy: Policy,
    /// Reads each file as a capture of its own.
    pub separate: bool,
    /// A saved list of the host's sockets, and what is in it once it was read.
    pub sockets: Option<PathBuf>,
    /// That list, once it has been read.
    pub listed: Option<SocketList>,
    /// The parts of contents that are read.
    pub reading: Reading,
    /// Connections in memory, at most.
    pub max_flows: usize,
    /// The look of the page.
    pub look: LadderLook,
    /// Colours: always, never, or on terminals.
    pub color: ColorChoice,
    /// The file of the page; standard output, if none.
    pub output: Option<PathBuf>,
}

/// The connection that is asked for.
#[derive(Clone, Debug)]
pub enum Which {
    /// The one that this frame belongs to, of the file with this name, or of the first.
    Frame {
        /// The file, if one was named: otherwise the first.
        file: Option<String>,
        /// The packet's number in it, from 1.
        number: u64,
    },
    /// The finding to look at first.
    FirstFinding,
    /// The last one between these ends.
    Ends(Endpoint, Endpoint),
}

/// The number of connections.
#[derive(Default)]
struct Connections(u64);

impl Sink for Connections {
    fn takes_any_order(&self) -> bool {
        true
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.0 = totals.tally.flows;
        Ok(())
    }
}

/// Explains one connection.
pub fn explain(asked: &ExplainCommand) -> Exit {
    let said = |sentence: String| {
        complain(&sentence);
        Exit::Failed
    };
    for input in &asked.inputs {
        if let Some(sentence) = input.read_once() {
            return said(format!("{sentence}, and explain reads it several times"));
        }
    }
    // A frame is one of a member, where captures come in an archive.
    let inputs = members(&asked.inputs, &mut |error| complain(&error));
    let listed = match asked.sockets.as_deref().map(saved::read).transpose() {
        Ok(listed) => listed,
        Err(sentence) => return said(sentence),
    };
    let look = LadderLook { width: screen(asked.output.is_none(), None).width, ..asked.look };
    let asked = &ExplainCommand { inputs, listed, look, ..asked.clone() };
    let found = match find(asked) {
        Ok(found) => found,
        Err(sentence) => return said(sentence),
    };
    let Some(found) = found else {
        let mut all = Connections::default();
        let read = run(plan(asked, false), &mut all, &mut Terminal::new(false));
        let Ok(Outcome { read_any: true, failed, is_of_nobody, .. }) = read else {
            return Exit::Failed;
        };
        let why = match all.0 {
            0 => "no TCP connection in it",
            _ if is_of_nobody => {
                "--local names no end of any connection: name one with --frame N or --flow A:P-B:Q"
            }
            _ => "no finding: name a connection with --frame N or --flow A:P-B:Q",
        };
        complain(&why);
        // There may be one among what could not be read.
        return if failed || is_of_nobody { Exit::Failed } else { Exit::Clean };
    };
    let inputs = asked.inputs.iter().map(|input| input.0.as_path());
    let mut outputs = Outputs::beside(inputs.chain(asked.sockets.as_deref()));
    let opened = open(asked.output.as_deref(), asked.color, &mut outputs, &Stop::default());
    let (out, placing) = match opened {
        Ok(opened) => opened.output(),
        Err(sentence) => return said(sentence),
    };
    let out = on_screen(out, asked.output.as_deref());
    let mut terminal = Terminal::new(io::stderr().is_terminal());
    match explain_to(asked, &found, out, &mut terminal) {
        Ok(Ok(outcome)) => {
            let placed = place(placing);
            if outcome.is_of_nobody {
                complain(&"--local names neither end of this connection, so it is not judged");
            }
            ended(placed.map(|()| outcome), terminal)
        }
        Ok(Err(sentence)) => said(sentence),
        Err(error) => ended(Err(error), terminal),
    }
}

/// Explains a connection that was found; a sentence where the captures do not have it after all.
fn explain_to(
    asked: &ExplainCommand,
    found: &Found,
    out: Box<dyn Write>,
    notices: &mut dyn Notices,
) -> io::Result<Result<Outcome, String>> {
    let mut chosen = Chosen::new(found);
    let outcome = judge(asked, found, &mut chosen, notices)?;
    if chosen.is_none()
        && let Some(key) = find_renamed(plan(asked, true), found.key)?
    {
        let renamed = Found { key, choice: found.choice.clone() };
        return explain_to(asked, &renamed, out, notices);
    }
    if chosen.is_none() {
        return Ok(Err(match asked.which {
            Which::Ends(a, b) => format!("no packet between {a} and {b} in these captures"),
            Which::Frame { number, .. } => format!("frame {number} could not be followed"),
            Which::FirstFinding => "the first finding could not be followed".into(),
        }));
    }
    let whole = chosen.is_of_the_whole().map(|id| find_whole(plan(asked, false), id));
    if let Some(whole) = whole.transpose()?.flatten() {
        chosen.learn(whole);
    }
    chosen.with_subject(|subject| {
        let mut draw = Draw::new(out, asked, subject);
        draw.begin(subject)?;
        run_traced(plan(asked, false), &mut Nothing, &mut Nobody, &mut draw)?;
        draw.end(subject)
    })?;
    let findings = u64::from(chosen.is_finding());
    Ok(Ok(Outcome { findings, ..outcome }))
}

/// Explains one connection to whoever takes the text: without outputs, warnings and exit status. A sentence
/// where there is none, or it cannot be explained.
///
/// # Errors
///
/// Errors of `out`.
pub fn ladder(asked: &ExplainCommand, out: Box<dyn Write>) -> io::Result<Result<Outcome, String>> {
    match find(asked) {
        Ok(Some(found)) => explain_to(asked, &found, out, &mut Nobody),
        Ok(None) => Ok(Err("no finding".into())),
        Err(sentence) => Ok(Err(sentence)),
    }
}

/// The 4-tuple, and the frame by which one of its connections is chosen.
fn find(asked: &ExplainCommand) -> Result<Option<Found>, String> {
    match &asked.which {
        Which::FirstFinding => find_first(plan(asked, false)).map_err(|error| error.to_string()),
        Which::Ends(a, b) => Ok(Some(Found { key: FlowKey::new(*a, *b).0, choice: Choice::Last })),
        Which::Frame { file, number } => {
            let input = match file {
                Some(name) => named(&asked.inputs, name)?,
                None => asked.inputs.first().ok_or("no capture to read")?,
            };
            find_frame(input, *number, &asked.reading.vxlan).map(Some)
        }
    }
}

/// The input with this name, or with this name in its folder.
fn named<'a>(inputs: &'a [Input], name: &str) -> Result<&'a Input, String> {
    let whole = |input: &&Input| input.0.as_os_str() == name;
    let last = |input: &&Input| input.0.file_name().is_some_and(|last| last == name);
    let shown = crate::printable::printable(name);
    if let Some(found) = inputs.iter().find(whole) {
        return Ok(found);
    }
    let all: BTreeSet<&Path> = inputs.iter().filter(last).map(|input| input.0.as_path()).collect();
    if all.len() > 1 {
        return Err(format!(
            "--frame {shown}:…: {} captures have this name: write the folder, too",
            all.len()
        ));
    }
    let found = inputs.iter().find(last);
    found.ok_or_else(|| format!("--frame {shown}:…: {shown} is none of the captures to read"))
}

fn plan(asked: &ExplainCommand, all: bool) -> Plan {
    Plan {
        inputs: asked.inputs.clone(),
        filter: None,
        policy: asked.policy.clone(),
        all,
        separate: asked.separate,
        sockets: asked.listed.clone(),
        max_flows: asked.max_flows,
        // One 4-tuple is one shard's work.
        threads: NonZeroUsize::MIN,
        reading: asked.reading.clone(),
        stop: Stop::default(),
    }
}

fn judge(
    asked: &ExplainCommand,
    found: &Found,
    chosen: &mut Chosen,
    notices: &mut dyn Notices,
) -> io::Result<Outcome> {
    let mut mark = chosen.mark(found);
    run_traced(plan(asked, true), chosen, notices, &mut mark)
}
