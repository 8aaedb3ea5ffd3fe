//! `closewait read`: captures in, a report out.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anstream::ColorChoice;

use super::explained::Explained;
use super::extract::Gather;
use super::format::{Format, command_line, renderer};
use super::output::{Output, Outputs, Placing, is_stdout};
use super::quiet::Quiet;
use super::signals::stop_at_signals;
use super::terminal::{Said, Terminal, ended};
use super::{Exit, can_be_one_run, complain, open, place};
use crate::capture::file::Input;
use crate::capture::filter::Filter;
use crate::capture::stop::Stop;
use crate::owner::SocketList;
use crate::owner::saved::{self, ASSUMED};
use crate::report::flames::{self, Drawing};
use crate::report::text::TextLook;
use crate::run::notices::Nobody;
use crate::run::trace::run_traced;
use crate::run::{Notices, Outcome, Paths, Plan, Reading, run};
use crate::summary::Nothing;
use crate::summary::Sink;
use crate::units::count;

/// The command `read`: its captures and its options.
pub struct ReadCommand {
    /// Captures, rules, and the parts of contents that are read.
    pub plan: Plan,
    /// A saved list of the host's sockets, to be read into the plan.
    pub sockets: Option<PathBuf>,
    /// The form of the report.
    pub format: Format,
    /// The look of a report in text.
    pub look: TextLook,
    /// Colours: always, never, or on terminals.
    pub color: ColorChoice,
    /// Standard output if `None`.
    pub output: Option<PathBuf>,
    /// Flame graphs beside the report.
    pub flames: Flames,
    /// The file for the packets of the findings.
    pub write: Option<PathBuf>,
}

/// Flame graphs that are wanted, and their files; `-` is standard output.
#[derive(Clone, Debug, Default)]
pub struct Flames {
    /// As text, in place of the report.
    pub folded: bool,
    /// The file of a graph of findings, as SVG.
    pub graph: Option<PathBuf>,
    /// The file of a graph of findings against what was closed, as SVG.
    pub diff: Option<PathBuf>,
}

impl Flames {
    /// Returns the paths that have to be kept for these.
    pub fn paths(&self) -> Paths {
        match self {
            Flames { diff: Some(_), .. } => Paths::All,
            Flames { folded: false, graph: None, .. } => Paths::None,
            _ => Paths::Reported,
        }
    }

    fn drawn(&self) -> impl Iterator<Item = (Drawing, &Path)> {
        let drawn = [(Drawing::Graph, &self.graph), (Drawing::Diff, &self.diff)];
        drawn.into_iter().filter_map(|(drawing, path)| Some((drawing, path.as_deref()?)))
    }

    /// Standard output is none of the report's.
    fn take_stdout(&self) -> bool {
        self.drawn().any(|(_, path)| is_stdout(path))
    }
}

/// Reads the captures and writes the report.
pub fn read(mut asked: ReadCommand) -> Exit {
    let said = |sentence: String| {
        complain(&sentence);
        Exit::Failed
    };
    if let Err(sentence) = can_be_one_run(asked.plan.inputs.len(), "name fewer at once") {
        return said(sentence);
    }
    match asked.sockets.as_deref().map(saved::read).transpose() {
        Ok(sockets) => asked.plan.sockets = sockets,
        Err(sentence) => return said(sentence),
    }
    let inputs = asked.plan.inputs.iter().map(|input| input.0.as_path());
    let mut outputs = Outputs::beside(inputs.chain(asked.sockets.as_deref()));
    let signals = stop_at_signals(&asked.plan.stop);
    let (mut render, report) = match signals.and_then(|()| open_report(&asked, &mut outputs)) {
        Ok(opened) => opened,
        Err(sentence) => return said(sentence),
    };
    let write = match asked.write.as_deref().map(|path| writable(path, &asked.plan, &mut outputs)) {
        None => None,
        Some(Ok(file)) => Some(file),
        Some(Err(sentence)) => return said(sentence),
    };
    if asked.plan.sockets.as_ref().is_some_and(SocketList::is_assumed) {
        complain(&ASSUMED);
    }
    if asked.plan.inputs.iter().any(Input::is_stdin) && io::stdin().is_terminal() {
        complain(
            &"-: waiting for a capture on standard input, which is this terminal (Ctrl-C ends it)",
        );
    }
    let mut terminal = Terminal::new(io::stderr().is_terminal()).beside(said_by(&asked));
    let Some((file, packets)) = write else {
        let result = run(asked.plan, render.as_mut(), &mut terminal);
        drop(render);
        return ended(placed(result, report), terminal);
    };
    let (again, stop) = (again(&asked.plan), Stop::clone(&asked.plan.stop));
    let mut gather = Gather::new(render.as_mut());
    let outcome = match run(asked.plan, &mut gather, &mut terminal) {
        Ok(outcome) => outcome,
        Err(error) => return ended(Err(error), terminal),
    };
    let extracted = match stop.load(Ordering::Relaxed) {
        true => Err("-w: interrupted: no packets were written".to_owned()),
        false => extract(again, gather, file),
    };
    let extracted = extracted.and_then(|()| {
        let worked = outcome.read_any.then_some(packets);
        place(worked).map_err(|error| format!("-w: the packets could not be written: {error}"))
    });
    drop(render);
    let outcome = match placed(Ok(outcome), report) {
        Ok(outcome) => outcome,
        Err(error) => return ended(Err(error), terminal),
    };
    match extracted {
        Ok(()) => ended(Ok(outcome), terminal),
        Err(sentence) => {
            terminal.make_room();
            said(sentence)
        }
    }
}

/// The part of how it ends that the report says, if there is one.
fn said_by(asked: &ReadCommand) -> Said {
    let is_drawn = asked.flames.take_stdout();
    let is_none = asked.flames.folded || is_drawn && asked.output.is_none();
    if is_none { Said::Rows } else { Said::by(asked.format, asked.output.is_none()) }
}

/// The file that the packets of the findings go to.
fn writable(path: &Path, plan: &Plan, outputs: &mut Outputs) -> Result<(Output, Placing), String> {
    if is_stdout(path) {
        return Err("-w -: standard output is the report's: name a file".into());
    }
    if let Some(sentence) = plan.inputs.iter().find_map(Input::read_once) {
        return Err(format!("{sentence}, and -w reads it twice"));
    }
    outputs.create(path, "-w")
}

/// Puts the files of a report in their places, if there was anything to report on.
fn placed(result: io::Result<Outcome>, report: Vec<Placing>) -> io::Result<Outcome> {
    let outcome = result?;
    if outcome.read_any {
        place(report)?;
    }
    Ok(outcome)
}

/// A plan for reading the same captures a second time, to write packets.
fn again(plan: &Plan) -> Plan {
    Plan {
        inputs: plan.inputs.clone(),
        filter: plan.filter.as_ref().map(Filter::again),
        policy: plan.policy.clone(),
        separate: plan.separate,
        max_flows: plan.max_flows,
        threads: NonZeroUsize::MIN,
        reading: Reading { vxlan: plan.reading.vxlan.clone(), ..Reading::default() },
        ..Plan::default()
    }
}

/// Writes the packets of the findings.
fn extract(plan: Plan, gather: Gather, file: Output) -> Result<(), String> {
    let failed = |error: io::Error| format!("-w: not all packets could be written: {error}");
    let mut extract = gather.of_one_point()?.extract(file).map_err(failed)?;
    run_traced(plan, &mut Nothing, &mut Nobody, &mut extract).map_err(failed)?;
    match extract.finish().map_err(failed)? {
        0 => Ok(()),
        left => Err(format!(
            "-w: {} of the findings were not found again: connections left memory early (--max-flows), or a file has changed",
            count(left, "packet")
        )),
    }
}

/// A sink that writes the report; a page has some connections packet by packet.
fn report_sink(asked: &ReadCommand, out: Box<dyn Write>) -> Box<dyn Sink> {
    let look = asked.look.clone();
    match asked.format {
        Format::Html => Box::new(Explained::new(out, look, command_line(), &asked.plan)),
        format => renderer(format, out, look),
    }
}

/// All outputs are opened before anything is read.
fn open_report(
    asked: &ReadCommand,
    outputs: &mut Outputs,
) -> Result<(Box<dyn Sink>, Vec<Placing>), String> {
    let flames = &asked.flames;
    // Of a file, the rest is read for the exit status; from a pipe, nothing more may ever come.
    let endless = asked.plan.inputs.iter().any(|input| input.read_once().is_some());
    let gone = if endless { Stop::clone(&asked.plan.stop) } else { Stop::default() };
    let mut placings = Vec::new();
    let mut report = None;
    let mut drawings: Vec<(Drawing, Box<dyn Write>)> = Vec::new();
    if asked.output.is_some() || !flames.take_stdout() {
        let color = asked.format.color(asked.color);
        let (out, placing) = open(asked.output.as_deref(), color, outputs, &gone)?.output();
        placings.extend(placing);
        if flames.folded {
            drawings.push((Drawing::Folded, out));
        } else {
            report = Some(report_sink(asked, out));
        }
    }
    for (drawing, path) in flames.drawn() {
        let out: Box<dyn Write> = match path {
            path if is_stdout(path) => Box::new(Quiet::stdout(&gone)),
            path => {
                let flag = match drawing {
                    Drawing::Diff => "--flamegraph-diff",
                    Drawing::Folded | Drawing::Graph => "--flamegraph",
                };
                let (file, placing) = outputs.create(path, flag)?;
                placings.push(placing);
                Box::new(file)
            }
        };
        drawings.push((drawing, Box::new(BufWriter::new(out))));
    }
    let sink: Box<dyn Sink> = match report {
        Some(report) if drawings.is_empty() => report,
        report => Box::new(flames::Flames::new(report, drawings, asked.plan.all)),
    };
    Ok((sink, placings))
}
