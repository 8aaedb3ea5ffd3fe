//! The screen says what the reports say, and the parts do what they should.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use closewait::capture::file::Input;
use closewait::live::replay::{points_of, until as read_until};
use closewait::place::Time;
use closewait::report::lang::Lang;
use closewait::run::notices::Nobody;
use closewait::run::{Plan, run};
use closewait::top::app::{AppEvent, Focus, Kind, Wish};
use closewait::top::filter::Filter;
use closewait::top::order::Order;
use closewait::top::picture::{Camera, Entry, Picture};
use closewait::top::reel::Reel;
use ratatui_core::layout::Rect;
use ratatui_core::style::Color;
use ratatui_crossterm::crossterm::event::{
    KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::pictures::{Desk, moments, whole};
use crate::common::{closewait, json_lines, project, text};

const APP: &str = "fixtures/captures/reproduction/app.pcap";

const CAPTURES: [&str; 6] = [
    APP,
    "fixtures/captures/incident.pcap",
    "fixtures/captures/postgresql.pcap",
    "fixtures/captures/redis.pcap",
    "fixtures/captures/http.pcap",
    "fixtures/captures/amqp.pcap",
];

/// Every finding of the JSON lines is in the picture with its verdict, cause and times, and no other; counts
/// and the curve are those of the summary.
#[test]
fn a_picture_has_what_the_report_has() {
    for capture in CAPTURES {
        let picture = whole(&project(capture));
        let lines = json_lines(&closewait(&["--format", "jsonl", capture]));
        let (summary, flows) = lines.split_last().expect("a summary");
        assert_eq!(flows.len(), picture.entries.len(), "{capture}");
        for flow in flows {
            let frame = flow["first"]["frame"].as_u64().expect("a frame");
            let entry = picture.entries.iter().find(|entry| entry.seen.first.frame() == frame);
            let seen = &entry.unwrap_or_else(|| panic!("{capture}: frame {frame}")).seen;
            assert_eq!(flow["finding"].as_bool(), Some(seen.finding), "{capture}: {frame}");
            assert_eq!(flow["verdict"].as_str(), Some(seen.verdict.name()));
            assert_eq!(flow["cause"].as_str(), seen.cause.map(|cause| cause.name()));
            let held = seen.held.map(|held| held.num_milliseconds());
            let told = flow["held_s"].as_f64().map(|s| (s * 1e3 + 1e-6) as i64);
            assert_eq!(told, held, "{capture}: {frame}");
        }
        assert_eq!(summary["findings"].as_u64(), Some(picture.totals.findings()));
        assert_eq!(summary["flows"].as_u64(), Some(picture.totals.tally.flows));
        let counts = &summary["captures"][0]["history"]["states"]["CLOSE-WAIT"];
        let counts = counts.as_array().map(|counts| {
            counts.iter().map(|n| n.as_u64().expect("a count") as u32).collect::<Vec<_>>()
        });
        let curve = picture.curve.as_ref().and_then(|curve| {
            curve.series.of(closewait::tcp::state::State::CloseWait).map(<[u32]>::to_vec)
        });
        assert_eq!(counts, curve, "{capture}");
    }
}

/// The groups on the screen are those of the text, in its order, with its words.
#[test]
fn groups_are_those_of_the_text() {
    for capture in CAPTURES {
        let (report, _) = text(&closewait(&["--top", "0", capture]));
        let mut lines = report.lines();
        let picture = whole(&project(capture));
        for group in &picture.groups {
            let party = closewait::report::text::groups::party(group, Lang::English);
            let start = format!("{}  ", group.count);
            let is_it =
                |line: &&str| line.trim_start().starts_with(&start) && line.contains(&party);
            let line = lines.find(is_it).unwrap_or_else(|| panic!("{capture}: {start}{party}"));
            assert!(
                line.contains(&closewait::report::text::groups::cause(group, Lang::English)),
                "{line}"
            );
        }
        let (curve, title) = (report.lines().find(|line| line.starts_with("CLOSE-WAIT ")), {
            let screen = Desk::of(picture, 120, 40).lines();
            screen[1].clone()
        });
        if let Some(curve) = curve {
            let numbers = curve.split(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']).next_back();
            let numbers = numbers.expect("numbers").trim();
            assert!(title.contains(numbers), "{capture}: {numbers} in {title}");
        }
    }
}

/// A replay ends where reading ends, and between it is what a capture that ended there is.
#[test]
fn a_replay_at_a_time_is_a_capture_that_ends_there() {
    let capture = project(APP);
    let end = whole(&capture);
    let (first, last) = (end.totals.facts.first().expect("a packet").time, end.at());
    let middle = first.after(last.since(first).expect("times") / 3);
    let pictures = moments(&capture, &[middle, last.before(1)]);
    assert_eq!(pictures.len(), 3);
    let names = |picture: &Picture| -> BTreeSet<String> {
        let name = |entry: &Entry| {
            format!("{:?} {:?} {:?}", entry.id(), entry.seen.verdict, entry.seen.cause)
        };
        picture.entries.iter().map(name).collect()
    };
    assert_eq!(names(&pictures[2]), names(&end));
    assert_eq!(pictures[0].at(), middle);
    // As `--end` has it, of a file that holds no more.
    let bytes = std::fs::read(&capture).expect("the capture");
    let scratch = crate::common::Scratch::new();
    let cut = scratch.write("cut.pcap", &until(&bytes, middle));
    let at = closewait::units::rfc3339(middle, 9).expect("a time");
    let lines = json_lines(&closewait(&["--format", "jsonl", "--end", &at, &cut]));
    let (summary, flows) = lines.split_last().expect("a summary");
    let told: BTreeSet<(u64, String)> = flows
        .iter()
        .map(|flow| (flow["first"]["frame"].as_u64().expect("one"), flow["verdict"].to_string()))
        .collect();
    let shown = pictures[0]
        .entries
        .iter()
        .map(|entry| (entry.seen.first.frame(), format!("{:?}", entry.seen.verdict.name())));
    assert_eq!(shown.collect::<BTreeSet<_>>(), told);
    assert_eq!(summary["findings"].as_u64(), Some(pictures[0].totals.findings()));
}

/// So it is of several points, which are joined at each moment: what both saw is one connection.
#[test]
fn several_points_at_a_time_are_captures_that_end_there() {
    let captures = [APP, "fixtures/captures/reproduction/db-any.pcap"];
    let plan =
        || Plan { inputs: captures.map(|path| Input(path.into())).into(), ..Plan::default() };
    let mut taken: Vec<Picture> = Vec::new();
    run(plan(), &mut Camera::new(|picture| taken.push(picture)), &mut Nobody).expect("memory");
    let points = points_of(&taken[0].totals);
    assert_eq!(points, [0, 1]);
    let reel = Reel::of(&taken[0], TimeDelta::zero()).expect("a time line");
    for part in [0.25, 0.5, 1.0] {
        let at = reel.at(part);
        let mut camera = Camera::new(|picture| taken.push(picture));
        read_until(plan(), at, &points, &mut camera, &mut Nobody).expect("memory");
        let picture = taken.pop().expect("a picture");
        assert_eq!(picture.at(), at);
        let scratch = crate::common::Scratch::new();
        let cut = captures.map(|capture| {
            let bytes = std::fs::read(project(capture)).expect("the capture");
            scratch.write(&capture.replace('/', "-"), &until(&bytes, at))
        });
        let end = closewait::units::rfc3339(at, 9).expect("a time");
        let lines = closewait(&["--format", "jsonl", "--end", &end, &cut[0], &cut[1]]);
        let summary = json_lines(&lines).pop().expect("a summary");
        assert_eq!(summary["flows"], picture.totals.tally.flows, "{part}");
        assert_eq!(summary["findings"], picture.totals.findings(), "{part}");
        assert_eq!(json_lines(&lines).len() - 1, picture.entries.len(), "{part}");
    }
}

/// The packets of a classic capture up to a time (microseconds, little-endian).
fn until(bytes: &[u8], end: Time) -> Vec<u8> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
    let mut at = 24;
    while at < bytes.len() {
        let time = i128::from(number(at)) * 1_000_000_000 + i128::from(number(at + 4)) * 1_000;
        if Time::from_nanos(time) > end {
            break;
        }
        at += 16 + number(at + 8) as usize;
    }
    bytes[..at].to_vec()
}

#[test]
fn a_filter_counts_while_it_is_typed() {
    let mut desk = Desk::replay(APP, 120, 40);
    let all = desk.app.view.rows.len();
    desk.type_text("/peer::3306 cause:tra");
    let matching = desk.app.view.rows.len();
    assert!(0 < matching && matching < all, "{matching} of {all}");
    for row in &desk.app.view.rows {
        let entry = &desk.app.picture.entries[*row as usize];
        assert_eq!(entry.ends[1].port, 3306);
        assert_eq!(entry.seen.cause.map(|cause| cause.name()), Some("transaction-open"));
    }
    // Groups that nothing is left of are not shown, the others say how much of them.
    assert!(desk.app.view.kinds.iter().skip(1).all(|(_, n)| *n > 0));
    desk.type_text(" peer::1");
    assert_eq!(desk.app.view.rows.len(), 0);
    assert!(desk.text().contains("nothing to show"), "{}", desk.text());
    desk.press(&[KeyCode::Esc]);
    assert_eq!(desk.app.view.rows.len(), all);
}

#[test]
fn every_key_of_a_filter_is_understood() {
    let picture = whole(&project(APP));
    let count = |text: &str| {
        let filter = Filter::new(text);
        picture.entries.iter().filter(|entry| filter.matches(entry)).count()
    };
    let all = picture.entries.len();
    assert_eq!(count(""), all);
    for half in ["state:", "proc:", "peer:", "held:", "held:3x", "!state:"] {
        assert_eq!(count(half), all, "{half}");
    }
    assert_eq!(count("STATE:Close-Wait") + count("!state:close-wait"), all);
    assert_eq!(count("verdict:leak"), count("leak verdict:leak"));
    assert!(count("local:172.18.0.5") > count("local:172.18.0.5:47902"));
    assert_eq!(count("local:172.18.0.5:47902"), 1);
    assert_eq!(count("local:172.18.0.0/16") + count("!local:172.18.0.0/16"), all);
    assert!(count("port:3306") >= count("peer::3306"));
    assert!(count("said:update") > 0 && count("update") >= count("said:update"));
    assert!(count("held:6s") > count("held:9s") && count("held:9s") > 0);
    assert_eq!(count("proc:nobody") + count("fd:99") + count("code:none"), 0);
}

/// As a reader compares two lines: the most first where it is a number.
fn is_before(order: Order, a: &Entry, b: &Entry) -> bool {
    match order {
        Order::Held => a.seen.held >= b.seen.held,
        Order::Idle => a.seen.idle_before_fin >= b.seen.idle_before_fin,
        Order::State => a.states <= b.states,
        Order::Local => a.ends <= b.ends,
        Order::Peer => (a.ends[1], a.ends[0]) <= (b.ends[1], b.ends[0]),
        Order::Unread => a.recv_q >= b.recv_q,
        // A replay names no process: what was captured first comes first.
        Order::Process => a.seen.first.order() <= b.seen.first.order(),
        Order::First => {
            let began = |entry: &Entry| entry.seen.fin.unwrap_or(entry.seen.first).time;
            began(a) <= began(b)
        }
    }
}

#[test]
fn rows_are_in_the_order_that_was_asked_for() {
    let mut desk = Desk::replay(APP, 120, 40);
    for order in Order::ALL {
        assert_eq!(desk.app.order, order);
        let rows = |desk: &Desk| desk.app.view.rows.clone();
        let entries = &desk.app.picture.entries;
        let pairs = rows(&desk);
        assert!(pairs.windows(2).all(|pair| {
            let [a, b] = [pair[0], pair[1]].map(|row| &entries[row as usize]);
            is_before(order, a, b)
        }));
        desk.press(&[KeyCode::Char('S')]);
        let reversed: Vec<u32> = pairs.into_iter().rev().collect();
        assert_eq!(rows(&desk), reversed);
        desk.press(&[KeyCode::Char('S'), KeyCode::Char('s')]);
    }
    assert_eq!(desk.app.order, Order::default());
}

#[test]
fn a_new_picture_keeps_what_was_chosen() {
    let mut desk = Desk::replay(APP, 120, 40);
    desk.press(&[KeyCode::Down, KeyCode::Enter, KeyCode::Down, KeyCode::Down]);
    let group = desk.app.group().expect("a group").clone();
    let row = desk.app.entry().expect("a row").id();
    let earlier = moments(&project(APP), &[desk.app.picture.at().before(1_000_000_000)]).remove(0);
    desk.app.update(AppEvent::Picture(Arc::new(earlier)));
    assert!(desk.app.group().is_some_and(|now| now.is_like(&group)));
    assert_eq!(desk.app.entry().map(|entry| entry.id()), Some(row));
    // Held fast, nothing changes until it is let go.
    desk.press(&[KeyCode::Char('f')]);
    let before = desk.app.picture.at();
    desk.app.update(AppEvent::Picture(Arc::new(whole(&project(APP)))));
    assert_eq!(desk.app.picture.at(), before);
    desk.press(&[KeyCode::Char('f')]);
    assert!(desk.app.picture.at() > before);
}

#[test]
fn findings_are_stepped_to() {
    let mut desk = Desk::replay(APP, 80, 24);
    let marks = desk.app.clock.reel.clone().expect("a time line").marks;
    desk.press(&[KeyCode::Char('b')]);
    assert_eq!(desk.app.picture.totals.findings(), 0);
    let mut most = 0;
    for mark in &marks[..5] {
        desk.press(&[KeyCode::Char('n')]);
        assert_eq!(desk.app.picture.at(), *mark);
        most = most.max(desk.app.picture.totals.findings());
    }
    assert!(most >= 3, "{most}");
    desk.press(&[KeyCode::Char('N')]);
    assert_eq!(desk.app.picture.at(), marks[3]);
    desk.press(&[KeyCode::Char('b'), KeyCode::Char('N')]);
    assert!(desk.text().contains("no finding before this"), "{}", desk.text());
    let wishes = desk.press(&[KeyCode::Char('+'), KeyCode::Char(' ')]);
    assert!(matches!(wishes[..], [Wish::Play(_, 2.0)]), "{wishes:?}");
}

#[test]
fn keys_wish_for_what_is_done_outside() {
    let mut desk = Desk::replay(APP, 100, 30);
    desk.press(&[KeyCode::Down, KeyCode::Tab]);
    let Kind::Group(_) = desk.app.kind() else { panic!("{:?}", desk.app.kind()) };
    let id = desk.app.entry().expect("a row").id();
    let wishes = desk.press(&[KeyCode::Char('c'), KeyCode::Char('w'), KeyCode::Char('r')]);
    let [Wish::Copy(line), Wish::Write(ids), Wish::Report] = &wishes[..] else {
        panic!("{wishes:?}")
    };
    assert!(line.starts_with("tshark -r ") && line.contains("tcp.port==3306"), "{line}");
    assert_eq!(ids[..], [id]);
    desk.press(&[KeyCode::BackTab]);
    let wishes = desk.press(&[KeyCode::Char('w')]);
    assert!(matches!(&wishes[..], [Wish::Write(ids)] if ids.len() == desk.app.view.rows.len()));
    assert_eq!(desk.press(&[KeyCode::Char('q')]), [Wish::Quit]);
}

#[test]
fn the_mouse_chooses_and_points_at_the_time_line() {
    let mut desk = Desk::replay(APP, 100, 30);
    let parts = desk.app.parts().expect("large enough");
    let click = |desk: &mut Desk, column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let modifiers = KeyModifiers::NONE;
        desk.app.update(AppEvent::Mouse(MouseEvent { kind, column, row, modifiers }))
    };
    click(&mut desk, 5, parts.groups.y + 2);
    assert_eq!((desk.app.focus, desk.app.groups.chosen), (Focus::Groups, 1));
    click(&mut desk, 5, parts.rows.y + 3);
    assert_eq!((desk.app.focus, desk.app.rows.chosen), (Focus::Rows, 1));
    let wishes = click(&mut desk, parts.chart.right() - 1, parts.chart.bottom() - 1);
    let reel = desk.app.clock.reel.clone().expect("a time line");
    assert!(matches!(wishes[..], [Wish::Seek(to)] if reel.part(to) > 0.97), "{wishes:?}");
}

/// Of any size, with any part in use: nothing panics, and nothing is drawn outside.
#[test]
fn every_size_is_drawn() {
    let mut desk = Desk::replay(APP, 80, 24);
    desk.app.update(AppEvent::Ladder(desk.app.entry().expect("a row").id(), vec!["x".into(); 99]));
    let sizes = [(1, 1), (39, 50), (40, 16), (41, 17), (80, 24), (119, 16), (120, 40), (300, 100)];
    for keys in [&[][..], &[KeyCode::Tab], &[KeyCode::Tab, KeyCode::Enter], &[KeyCode::Char('?')]] {
        desk.press(keys);
        for (width, height) in sizes {
            desk.app.update(AppEvent::Resize(width, height));
            let lines = desk.lines();
            assert_eq!(lines.len(), usize::from(height));
            if width >= 40 && height >= 16 && !desk.app.is_helping {
                assert!(lines[0].contains("CLOSE-WAIT"), "{}", lines[0]);
            }
        }
        desk.press(&[KeyCode::PageDown, KeyCode::End]);
    }
    assert_eq!(desk.app.size, Rect { x: 0, y: 0, width: 300, height: 100 });
}

#[test]
fn colours_and_characters_are_those_of_the_terminal() {
    let mut desk = Desk::replay(APP, 80, 24);
    let has_colour = |desk: &Desk| desk.buffer().content.iter().any(|cell| cell.fg != Color::Reset);
    assert!(has_colour(&desk));
    desk.app.setting.is_colored = false;
    assert!(!has_colour(&desk));
    desk.app.setting.is_ascii = true;
    assert!(desk.text().is_ascii(), "{}", desk.text());
    desk.press(&[KeyCode::Char('?')]);
    assert!(desk.text().is_ascii(), "{}", desk.text());
}

/// Names that others chose, in a file's and in a process's, are shown and not obeyed.
#[test]
fn nothing_that_is_shown_is_obeyed() {
    let mut picture = whole(&project(APP));
    for entry in &mut picture.entries {
        entry.seen.said.last = Some("a\u{1b}[2Jb\u{202e}c\r\n".into());
        entry.seen.evidence = vec!["\u{9b}31mx".into()];
    }
    let mut desk = Desk::of(picture, 300, 100);
    desk.app.setting.title = "\u{1b}]0;owned\u{7}".into();
    desk.type_text("/\u{1b}x");
    let text = desk.text();
    let is_obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.contains(is_obeyed), "{text:?}");
    assert!(text.contains('\u{fffd}'));
}
