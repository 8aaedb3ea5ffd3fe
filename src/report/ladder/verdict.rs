//! Above and below a ladder: which connection it is, and what is to be made of it.

use std::collections::VecDeque;
use std::io::{self, Write};

use chrono::TimeDelta;

use super::{ALARM, CALM, HEADING, Ladder, Names};
use crate::attach::Facts;
use crate::code::{Code, Trace};
use crate::place::{Place, Time};
use crate::report::lang::Lang;
use crate::report::text::code::lines as code_lines;
use crate::report::text::process;
use crate::report::tshark;
use crate::summary::evidence::evidence;
use crate::summary::seen::Process;
use crate::summary::{Judged, Row, Totals};
use crate::tcp::side::Side;
use crate::units::{count, duration, zone_name};
use crate::verdict::local::Local;
use crate::verdict::{Close, Doubt, Judgement, Note, Reason, Verdict};

/// Another connection on the same 4-tuple.
#[derive(Clone, Copy, Debug)]
pub struct Other {
    /// Its first packet, which names it.
    pub first: Place,
    /// Its verdict.
    pub verdict: Verdict,
}

/// The connection that is explained, and others that were asked for with it.
pub struct Subject<'a> {
    /// The connection, judged.
    pub row: Row<'a>,
    /// Whoever holds its socket, where that is known.
    pub process: &'a Process,
    /// The capture that it is of.
    pub totals: &'a Totals,
    /// The first of them.
    pub others: &'a [Other],
    /// The number of others, including those that are not in `others`.
    pub more: u64,
}

impl Subject<'_> {
    /// `local` and `peer` where that is known.
    pub fn names(&self) -> Names {
        match self.row.judged.judgement.local {
            Local::Side(Side::A) => Names { a: "local", b: "peer", first: Side::A },
            Local::Side(Side::B) => Names { a: "peer", b: "local", first: Side::B },
            _ => Names { a: "a", b: "b", first: Side::A },
        }
    }

    fn file(&self, place: Place) -> &str {
        self.totals.files.get(place.file()).map_or("", String::as_str)
    }

    fn frame(&self, place: Place) -> String {
        match self.totals.files.len() {
            0 | 1 => place.frame().to_string(),
            _ => format!("{}:{}", self.file(place), place.frame()),
        }
    }
}

/// The statements of a transaction, or the last one of none, with who sent each; and the time of the first.
fn senders(said: &Facts, code: &Code) -> (VecDeque<(Box<str>, Trace)>, Option<Time>) {
    if said.in_transaction == Some(true) {
        let fits = said.statements.len() == code.statements.len();
        let all = said.statements.iter().cloned().zip(code.statements.iter().cloned());
        let since = said.transaction_since.or(said.statements_at.first().copied());
        return (all.filter(|_| fits).collect(), since);
    }
    let last = said.last_statement.clone().zip(code.last.clone());
    (last.into_iter().collect(), said.last_statement_at)
}

impl<W: Write> Ladder<W> {
    /// Writes the head: the connection with its ends and its time.
    pub fn begin(&mut self, subject: &Subject) -> io::Result<()> {
        if let (Some(said), Some(code)) = (&subject.row.judged.said, subject.row.owner.code()) {
            (self.senders, self.since) = senders(said, code);
        }
        let Judged { flow, judgement, .. } = subject.row.judged;
        let end = |side| subject.row.judged.endpoint(side);
        let (a, b) = (end(Side::A), end(Side::B));
        let packets = [Side::A, Side::B].map(|side| flow.half(side).packets());
        let packets = count(packets.iter().sum(), "packet");
        let lasted = flow.last.time.since(flow.first.time);
        let lasted = lasted.map_or("?".into(), |ns| duration(TimeDelta::nanoseconds(ns)));
        writeln!(self.out, "{HEADING}{a} > {b}{HEADING:#}: {packets} in {lasted}")?;
        let Names { a: name_a, b: name_b, .. } = self.names;
        let how = match (judgement.local, judgement.local_by) {
            (Local::Side(_), Some(by)) => format!("local by {}", by.phrase()),
            (Local::Neither, _) => "--local names neither end".into(),
            (Local::Both, _) => "both ends are local".into(),
            _ => "local unknown: --local names it".into(),
        };
        writeln!(self.out, "{name_a} is {a}, {name_b} is {b} ({how})")?;
        let zone = zone_name(flow.first.time, flow.last.time, self.look.zone);
        let (first, last) = (subject.frame(flow.first), subject.frame(flow.last));
        let from = self.time(flow.first);
        writeln!(self.out, "from {from} ({zone}), frames {first} to {last}")?;
        if subject.more > 0 {
            let others: Vec<String> =
                subject.others.iter().map(|other| other_words(subject, other)).collect();
            let etc = if subject.more > others.len() as u64 { ", …" } else { "" };
            let n = count(subject.more, "other connection");
            writeln!(self.out, "{n} of these ends, by --frame: {}{etc}", others.join(", "))?;
        }
        writeln!(self.out)
    }

    /// Writes the foot: the verdict, what it rests on, and what to do next.
    pub fn end(&mut self, subject: &Subject) -> io::Result<()> {
        self.end_stretch()?;
        let row = subject.row;
        let Judged { judgement, .. } = row.judged;
        if let (Close::HalfClosed, Some(holder)) = (judgement.close, judgement.holder) {
            let (name, indent) = (self.names.of(holder), self.indent());
            let held =
                judgement.held.map_or(String::new(), |held| format!(" in {}", duration(held)));
            let until = match judgement.verdict {
                Verdict::Unknown(Reason::Reused) => "then connected again",
                _ => "end of capture",
            };
            writeln!(self.out, "{indent}no FIN from {name}{held} ({until})")?;
        }
        self.judgement(subject)?;
        self.tools(subject)?;
        self.out.flush()
    }

    fn judgement(&mut self, subject: &Subject) -> io::Result<()> {
        let judgement = &subject.row.judged.judgement;
        let style = if judgement.finding { ALARM } else { CALM };
        let word = match judgement.verdict {
            Verdict::Unknown(reason) => format!("unknown ({})", reason.name()),
            verdict => verdict.name().into(),
        };
        let meaning = meaning(judgement, self.names);
        writeln!(self.out, "\n{style}{word}{style:#}: {meaning}")?;
        let clocks = clocks(judgement);
        if !clocks.is_empty() {
            writeln!(self.out, "{}", clocks.join(", "))?;
        }
        for doubt in judgement.doubts.iter() {
            writeln!(self.out, "Doubt {}: {}.", doubt.name(), doubt.sentence())?;
        }
        if !judgement.notes.is_empty() {
            let notes: Vec<&str> = judgement.notes.iter().map(|note| note.name()).collect();
            writeln!(self.out, "Notes: {}.", notes.join(", "))?;
        }
        if *subject.process != Process::NotAsked {
            writeln!(self.out, "Process: {}", process(subject.process, Lang::English))?;
        }
        if let Some(cause) = subject.row.cause {
            writeln!(self.out, "Cause: {}", cause.name())?;
            for sentence in evidence(&subject.row) {
                writeln!(self.out, "  {sentence}")?;
            }
        }
        if let Some(code) = subject.row.owner.code() {
            for line in code_lines(code, Vec::new(), self.look.all) {
                writeln!(self.out, "  {}", line.trim_start())?;
            }
        }
        Ok(())
    }

    /// Writes commands that open the connection elsewhere: a line for the first file, and for the
    /// last.
    fn tools(&mut self, subject: &Subject) -> io::Result<()> {
        let Judged { flow, .. } = subject.row.judged;
        let ends = [Side::A, Side::B].map(|side| subject.row.judged.endpoint(side));
        let lines = tshark::lines(subject.totals, ends, flow.first, flow.last);
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))
    }
}

fn other_words(subject: &Subject, other: &Other) -> String {
    format!("{} ({})", subject.frame(other.first), other.verdict.name())
}

/// The verdict as a sentence.
fn meaning(judgement: &Judgement, names: Names) -> String {
    let holder = judgement.holder.map_or("the other side", |side| names.of(side));
    let closer = judgement.holder.map_or("one side", |side| names.of(side.other()));
    match judgement.verdict {
        Verdict::Leak if judgement.notes.contains(&Note::KernelHolds) => {
            format!("{holder}'s socket is in CLOSE-WAIT by the list, whatever the packets show")
        }
        Verdict::Leak => {
            format!("{closer}'s FIN was acknowledged, and {holder} never sent its own")
        }
        Verdict::Pending => format!("{holder} has not closed, but not for long"),
        Verdict::HalfClosed => {
            format!("{holder} still sends after {closer}'s FIN: legal (RFC 9293, 3.6.1)")
        }
        Verdict::FinUnacked => {
            format!(
                "nobody acknowledged {closer}'s FIN: the host or the path is gone, or the capture ended first"
            )
        }
        Verdict::PeerHolds => {
            format!("{closer} closed first, and waits in FIN-WAIT-2 for {holder}")
        }
        Verdict::Unknown(reason) => reason.sentence().into(),
        Verdict::Closed if judgement.doubts.contains(&Doubt::FinImplied) => {
            "both sides sent FIN, of which one was not captured".into()
        }
        Verdict::Closed => "both sides sent FIN".into(),
        Verdict::Reset if judgement.finding => format!(
            "reset by {closer} after a long CLOSE-WAIT: {holder}'s kernel forgot the socket, the program may still hold its descriptor"
        ),
        Verdict::Reset => "a reset ended it".into(),
        Verdict::Attempt => "nobody answered its SYN".into(),
        Verdict::Open => "nobody had sent FIN when the capture ended".into(),
    }
}

fn clocks(judgement: &Judgement) -> Vec<String> {
    let bound = if judgement.close == Close::HalfClosed { "≥ " } else { "" };
    let at_most = judgement.doubts.contains(&Doubt::LostBeforeFin);
    let idle_bound = if at_most { "≤ " } else { "" };
    let held = judgement.held.map(|held| format!("held {bound}{}", duration(held)));
    let idle = judgement.idle_before_fin;
    let idle = idle.map(|idle| format!("idle before the FIN {idle_bound}{}", duration(idle)));
    held.into_iter().chain(idle).collect()
}
