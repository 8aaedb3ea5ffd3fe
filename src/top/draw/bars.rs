//! The first line: what is looked at, and how it stands. The last: what can be done, or is typed.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Modifier, Style};

use super::pen::{self, Pen};
use crate::top::app::{App, Mode, Typing};
use crate::units::{clock_time, count, thousands};

pub fn head(app: &App, area: Rect, buffer: &mut Buffer) {
    let mut pen = Pen::new(buffer, area);
    pen.styled("closewait ", pen::BOLD);
    pen.plain(&app.setting.title);
    pen.styled(&format!("  {}", clock(app)), pen::BOLD);
    pen.plain(&format!("{}  ", state(app)));
    let (text, style) = numbers(app);
    let text = fitting(&text, usize::from(area.width / 5 * 3));
    pen::right(buffer, area, &format!("  {text}"), style);
}

/// Leaves of a sentence for which there is no room what is one, too: no number stands without its word.
fn fitting(text: &str, room: usize) -> &str {
    let end = text.find([',', ':']).into_iter().chain(text.find(" of ")).min();
    end.filter(|_| text.chars().count() > room).map_or(text, |end| &text[..end])
}

fn clock(app: &App) -> String {
    clock_time(app.picture.at(), 0, app.setting.zone, false)
}

fn state(app: &App) -> String {
    let speed = app.clock.speed;
    let speed = if speed < 1.0 { format!("1/{}", 1.0 / speed) } else { speed.to_string() };
    match &app.setting.mode {
        _ if app.frozen.is_some() => "  held fast (f)".into(),
        Mode::Replay if app.clock.is_playing => format!(" ▶ ×{speed}"),
        Mode::Host { packets: Err(_), .. } => "  the kernel's list alone".into(),
        _ => String::new(),
    }
}

/// Numbers as in the headline of a report, and their style.
fn numbers(app: &App) -> (String, Style) {
    if let Some((done, all)) = app.reading {
        let part = all.map(|all| done * 100 / all.max(1));
        let part = part.map_or(format!("{} octets", thousands(done)), |part| format!("{part} %"));
        return (format!("reading: {part}"), pen::NOTE);
    }
    let totals = &app.picture.totals;
    let headline = totals.headline();
    let findings = totals.findings();
    let lists_only = matches!(app.setting.mode, Mode::Host { packets: Err(_), .. });
    let mut text = format!("{} in CLOSE-WAIT", thousands(findings));
    let of = count(totals.tally.flows, "connection");
    match headline.before_capture {
        _ if lists_only => {}
        0 => text += &format!(" of {of}"),
        // Those from before are none of the connections that were captured.
        _ => text += &format!(": {} of {of}", thousands(headline.findings)),
    }
    let before = [(headline.before_capture, "from before"), (headline.pending, "pending")];
    for (n, word) in before.into_iter().filter(|(n, _)| *n > 0 && !lists_only) {
        text += &format!(", {} {word}", thousands(n));
    }
    let drops = totals.facts.drops();
    if drops > 0 {
        text += &format!(", {} dropped", thousands(drops));
    }
    let is_calm = headline.is_all_clear();
    let style = match findings {
        0 if is_calm => pen::CALM,
        0 => pen::NOTE,
        _ => pen::ALARM,
    };
    (text, style)
}

pub fn foot(app: &App, area: Rect, buffer: &mut Buffer) {
    let mut pen = Pen::new(buffer, area);
    match (&app.typing, &app.said) {
        (Some((typing, text)), _) => {
            pen.styled(if *typing == Typing::Filter { "/" } else { "go to " }, pen::BOLD);
            // The end of what is typed is seen, if not all of it.
            let room = pen.room().saturating_sub(1);
            let skip = text.chars().count().saturating_sub(room);
            pen.plain(&text.chars().skip(skip).collect::<String>());
            pen.styled(" ", Style::new().add_modifier(Modifier::REVERSED));
        }
        (None, Some(said)) => pen.styled(said, pen::NOTE),
        (None, None) => keys(app, &mut pen),
    }
}

fn keys(app: &App, pen: &mut Pen) {
    if !app.filter.is_empty() {
        pen.styled(&format!("/{}  ", app.filter.text()), pen::NOTE);
    }
    let replay = [("space", "play"), ("← →", "move"), ("n", "next finding"), ("g", "go to a time")];
    let host = [("f", "hold fast")];
    let own: &[(&str, &str)] = match app.setting.mode {
        Mode::Replay => &replay,
        Mode::Host { .. } => &host,
    };
    let all = [("?", "help"), ("/", "filter"), ("s", "sort"), ("tab", "part"), ("q", "quit")];
    for (key, does) in all.iter().chain(own) {
        if pen.room() < key.len() + does.len() + 2 {
            break;
        }
        pen.styled(key, pen::BOLD);
        pen.plain(&format!(" {does}  "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_stands_without_its_word() {
        for whole in [
            "3 in CLOSE-WAIT: 0 of 0 connections, 3 from before",
            "3 in CLOSE-WAIT of 4 connections, 1 pending",
            "3 in CLOSE-WAIT, 2 dropped",
        ] {
            assert_eq!((fitting(whole, 20), fitting(whole, 80)), ("3 in CLOSE-WAIT", whole));
        }
    }
}
