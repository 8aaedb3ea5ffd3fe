//! One connection: its ends, process and cause, the states of both ends with their times, its packets;
//! or, while the groups are walked through, the chosen group.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use textwrap::Options;

use super::pen::{self, Pen};
use super::rows::process;
use super::titled;
use crate::place::Time;
use crate::report::lang::Lang;
use crate::report::pace::pace;
use crate::report::text::code::lines as code_lines;
use crate::report::text::groups::{cause, holder, party, statements, timeout_words};
use crate::report::text::held_text;
use crate::report::text::page::separator;
use crate::summary::groups::Group;
use crate::summary::hold::Hold;
use crate::summary::seen::{Process, Said};
use crate::tcp::state::State;
use crate::top::ansi::Part;
use crate::top::app::{App, Focus, Mode};
use crate::top::layout;
use crate::top::picture::Entry;
use crate::units::{clock_time, count, duration, thousands};
use crate::verdict::Verdict;

type Line = Vec<Part>;

pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let title = if is_group(app) { "Group" } else { "Connection" };
    let lines = lines(app);
    let (seen, of) = (layout::lines(area, 0), lines.len());
    let from = app.scrolled.min(of.saturating_sub(1));
    let more = match from + seen < of {
        true => format!("{} more", count((of - from - seen) as u64, "line")),
        false => String::new(),
    };
    let below = titled(buffer, area, title, &more, app.focus == Focus::Detail);
    for (at, line) in lines.iter().skip(from).take(seen).enumerate() {
        let mut pen = Pen::at(buffer, below, at);
        line.iter().for_each(|(text, style)| pen.styled(text, *style));
    }
}

fn is_group(app: &App) -> bool {
    app.focus == Focus::Groups && app.group().is_some()
}

/// All lines, those too that are not seen.
pub fn lines(app: &App) -> Vec<Line> {
    let width = app.parts().map_or(0, |parts| usize::from(parts.detail.width));
    let mut text = Text { lines: Vec::new(), width: width.max(20) };
    match (app.group().filter(|_| is_group(app)), app.entry()) {
        (Some(group), _) => of_group(app, group, &mut text),
        (None, Some(entry)) => of_entry(app, entry, &mut text),
        (None, None) => text.say("nothing to show", pen::ASIDE),
    }
    text.lines
}

/// Lines as wide as the part.
struct Text {
    lines: Vec<Line>,
    width: usize,
}

impl Text {
    /// Adds a sentence, in as many lines as it takes.
    fn say(&mut self, sentence: &str, style: Style) {
        let further = Options::new(self.width)
            .subsequent_indent("  ")
            .word_separator(separator(Lang::English));
        for line in textwrap::wrap(sentence, further) {
            self.lines.push(vec![(line.into_owned(), style)]);
        }
    }

    fn plain(&mut self, sentence: &str) {
        self.say(sentence, Style::new());
    }

    fn statements(&mut self, said: &Said) {
        match &said.statements[..] {
            [] => self.say(&statements(said, Lang::English), pen::SPOKEN),
            open => {
                let word = if said.in_transaction { "open transaction:" } else { "last asked:" };
                self.plain(word);
                open.iter().for_each(|statement| self.say(&format!("  {statement}"), pen::SPOKEN));
            }
        }
        if let Some(code) = &said.code {
            self.plain(&format!("by {code}"));
        }
    }
}

fn of_group(app: &App, group: &Group, text: &mut Text) {
    let holder = holder(&group.process, Lang::English);
    let by = if holder.is_empty() { String::new() } else { format!(" by {holder}") };
    let n = count(group.count, "connection");
    let left = if group.is_reset() { "held" } else { "left" };
    let party = party(group, Lang::English);
    text.say(&format!("{n} {left} in CLOSE-WAIT{by}, {party}"), pen::BOLD);
    if group.cause.is_some() {
        text.plain(&format!("why: {}", cause(group, Lang::English)));
    }
    if let Some((least, most)) = group.held() {
        text.plain(&format!("held {}", Hold::short_range(least, most)));
    }
    match (group.timeout(), group.idle()) {
        (Some(timeout), _) => {
            text.plain(&format!("closed by {}", timeout_words(&timeout, Lang::English)))
        }
        (None, Some(idle)) => text.plain(&format!("idle before the FIN {idle}")),
        (None, None) => {}
    }
    if let Some(span) = group.span() {
        let at = |time| clock_time(time, 0, app.setting.zone, false);
        let rate = span.per_minute.map_or(String::new(), |rate| pace(rate, Lang::English));
        text.plain(&format!("FIN at {} … {}{rate}", at(span.first.time), at(span.last.time)));
    }
    let doubts = group.doubts().iter();
    let doubts: Vec<String> =
        doubts.map(|(doubt, n)| format!("{} {}", thousands(*n), doubt.name())).collect();
    if !doubts.is_empty() {
        text.say(&format!("in doubt: {}", doubts.join(", ")), pen::NOTE);
    }
    text.statements(&group.said);
    let code = group.code.as_deref().map_or(Vec::new(), |code| code_lines(code, Vec::new(), false));
    code.iter().for_each(|line| text.plain(line.trim_start()));
}

fn of_entry(app: &App, entry: &Entry, text: &mut Text) {
    let seen = &entry.seen;
    let [own, peer] = entry.ends;
    text.say(&format!("{own}  peer {peer}"), pen::BOLD);
    let style = if seen.finding { pen::ALARM } else { pen::CALM };
    let held = held_text(seen).map_or(String::new(), |held| format!(", held {held}"));
    let idle = seen.idle_before_fin.map(|idle| format!(", idle {} before", duration(idle)));
    let verdict = match seen.verdict {
        Verdict::Unknown(reason) => format!("unknown ({})", reason.name()),
        verdict => verdict.name().into(),
    };
    text.say(&format!("{verdict}{held}{}", idle.unwrap_or_default()), style);
    for doubt in seen.doubts.iter() {
        text.say(&format!("doubt {}: {}", doubt.name(), doubt.sentence()), pen::NOTE);
    }
    of_process(app, entry, text);
    if let Some(cause) = seen.cause.filter(|_| seen.finding) {
        text.plain(&format!("why: {}", cause.name()));
        seen.evidence.iter().for_each(|sentence| text.plain(&format!("  {sentence}")));
    }
    text.statements(&seen.said);
    let code = seen.code.as_deref().map_or(Vec::new(), |code| code_lines(code, Vec::new(), false));
    code.iter().for_each(|line| text.plain(line.trim_start()));
    of_states(app, entry, text);
    of_packets(app, entry, text);
}

fn of_process(app: &App, entry: &Entry, text: &mut Text) {
    let unread = entry.recv_q.map_or(String::new(), |octets| format!(", Recv-Q {octets}"));
    match &entry.seen.process {
        Process::By { holder, .. } => {
            let fd = holder.fd.map_or(String::new(), |fd| format!(", descriptor {fd}"));
            let name = process(&entry.seen.process);
            text.plain(&format!("process {name}{fd}{unread}"));
        }
        Process::NotAsked => {}
        other => text.plain(&format!("process {}{unread}", process(other))),
    }
    let of = app.holdings.iter().find(|holding| Some(holding.pid) == entry.pid());
    if let Some(holding) = of {
        text.plain(&super::chart::holding(app, holding));
    }
    let octets = entry.recv_q.filter(|_| entry.pid().is_some());
    let meaning = octets.map(|octets| match octets {
        0 => "the program read the end-of-file, and did not close the socket",
        1 => "the program never read the end-of-file",
        _ => "data came before the end-of-file, and the program read neither",
    });
    meaning.into_iter().for_each(|sentence| text.plain(&format!("  {sentence}")));
}

/// The ladder of states: a line for each moment at which one of both ends moved.
fn of_states(app: &App, entry: &Entry, text: &mut Text) {
    let Some(lives) = &entry.lives else { return };
    let mut moments: Vec<Time> =
        lives.iter().flat_map(|life| life.steps()).map(|(at, _)| *at).collect();
    moments.sort();
    moments.dedup();
    let heads = format!("{:<15}  {:<12}  {:<12}", "", "local", "peer");
    text.lines.push(vec![(heads, pen::ASIDE)]);
    for at in moments {
        let state = |side: usize| {
            let steps = lives[side].steps().iter();
            steps.take_while(|(began, _)| *began <= at).last().map_or("", |(_, state)| state.name())
        };
        let time = clock_time(at, 6, app.setting.zone, false);
        let style = match state(0) == State::CloseWait.name() {
            true => pen::ALARM,
            false => Style::new(),
        };
        text.lines.push(vec![
            (format!("{time:<15}  "), pen::ASIDE),
            (format!("{:<12}", state(0)), style),
            (format!("  {:<12}", state(1)), Style::new()),
        ]);
    }
}

/// Its packets, as `closewait explain` prints them; or the line that shows them.
fn of_packets(app: &App, entry: &Entry, text: &mut Text) {
    if let Some(ladder) = app.ladder() {
        text.lines.push(Vec::new());
        text.lines.extend(ladder.iter().cloned());
        return;
    }
    if app.setting.mode == Mode::Replay && !entry.is_socket {
        let word =
            if app.focus == Focus::Detail { "reading its packets" } else { "enter: its packets" };
        text.say(word, pen::ASIDE);
    }
    if let Some(line) = app.tshark(entry) {
        text.say(&format!("c: {line}"), pen::ASIDE);
    }
}
