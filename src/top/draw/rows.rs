//! The connections of the chosen group: those lines of them that are seen.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::columns::{Column, laid_out};
use super::pen::{self, Pen};
use super::{mark, titled};
use crate::report::lang::Lang;
use crate::report::text::groups::statements;
use crate::report::text::held_text;
use crate::summary::seen::Process;
use crate::top::app::{App, Focus};
use crate::top::layout::lines;
use crate::top::picture::Entry;
use crate::units::{clock_time, duration, thousands};

const COLUMNS: [Column; 11] = [
    Column { head: "state", rank: 11, is_number: false },
    Column { head: "held", rank: 10, is_number: false },
    Column { head: "local", rank: 9, is_number: false },
    Column { head: "peer", rank: 8, is_number: false },
    Column { head: "process", rank: 7, is_number: false },
    Column { head: "fd", rank: 4, is_number: true },
    Column { head: "Recv-Q", rank: 6, is_number: true },
    Column { head: "why", rank: 5, is_number: false },
    Column { head: "idle", rank: 3, is_number: false },
    Column { head: "FIN at", rank: 2, is_number: false },
    Column { head: "statements", rank: 1, is_number: false },
];

pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let (chosen, of) = (app.rows.chosen + 1, app.view.rows.len());
    let title = match of {
        0 => "Connections: none".to_owned(),
        _ => format!("Connections {} of {}", thousands(chosen as u64), thousands(of as u64)),
    };
    let turned = if app.is_reversed { ", reversed" } else { "" };
    let order = format!("by {}{turned}", app.order.name());
    let below = titled(buffer, area, &title, &order, app.focus == Focus::Rows);
    let shown = app.view.rows.iter().skip(app.rows.first).take(lines(area, 1));
    let entries = shown.filter_map(|number| app.picture.entries.get(*number as usize));
    let rows: Vec<Vec<String>> = entries.map(|entry| row(app, entry)).collect();
    if rows.is_empty() {
        return;
    }
    let (head, lines) = laid_out(&COLUMNS, &rows, usize::from(below.width));
    Pen::at(buffer, below, 0).styled(&head, pen::ASIDE);
    for (at, line) in lines.iter().enumerate() {
        Pen::at(buffer, below, at + 1).plain(line);
    }
    let chosen = app.rows.chosen.saturating_sub(app.rows.first) + 1;
    mark(app, buffer, below, chosen, Focus::Rows);
}

fn row(app: &App, entry: &Entry) -> Vec<String> {
    let seen = &entry.seen;
    let fin = seen.fin.map(|fin| clock_time(fin.time, 0, app.setting.zone, false));
    let verdict = match seen.cause {
        Some(cause) if seen.finding => cause.name(),
        _ => seen.verdict.name(),
    };
    vec![
        entry.states[0].name().to_owned(),
        held_text(&entry.seen).unwrap_or_default(),
        entry.ends[0].to_string(),
        entry.ends[1].to_string(),
        process(&seen.process),
        fd(&seen.process),
        entry.recv_q.map_or(String::new(), |octets| octets.to_string()),
        verdict.to_owned(),
        seen.idle_before_fin.map_or(String::new(), duration),
        fin.unwrap_or_default(),
        statements(&seen.said, Lang::English),
    ]
}

pub fn process(process: &Process) -> String {
    match process {
        Process::NotAsked => String::new(),
        Process::NotListed => "not in the list".into(),
        Process::Backlog => "(backlog)".into(),
        Process::Hidden => "(unknown)".into(),
        Process::By { holder, .. } if holder.command.is_empty() => format!("pid {}", holder.pid),
        Process::By { holder, .. } => format!("{}[{}]", holder.command, holder.pid),
    }
}

fn fd(process: &Process) -> String {
    match process {
        Process::By { holder, .. } => holder.fd.map_or(String::new(), |fd| fd.to_string()),
        _ => String::new(),
    }
}
