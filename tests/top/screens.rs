//! The screens of the manual, as they are drawn: `make screenshots` writes them.

use std::fs;
use std::sync::Arc;

use closewait::top::app::{AppEvent, Wish};
use ratatui_crossterm::crossterm::event::KeyCode;

use super::pictures::Desk;
use super::svg::svg;
use crate::common::{closewait, project, text};

const APP: &str = "fixtures/captures/reproduction/app.pcap";
const PAGE: &str = "src/manual/top.md";

/// Five moments, each with the line before its screen on the page.
fn screens() -> [(&'static str, Desk); 5] {
    let end = Desk::replay(APP, 100, 30);
    let mut first = Desk::replay(APP, 80, 24);
    first.press(&[KeyCode::Char('b'), KeyCode::Char('n'), KeyCode::Char('n'), KeyCode::Char('n')]);
    let mut filter = Desk::replay(APP, 100, 30);
    filter.type_text("/state:close-wait peer::3306 said:update");
    filter.press(&[KeyCode::Down]);
    let mut packets = Desk::replay(APP, 100, 30);
    packets.press(&[KeyCode::Down, KeyCode::Enter]);
    let wishes = packets.press(&[KeyCode::Enter, KeyCode::Enter]);
    let [Wish::Ladder(id)] = wishes[..] else { panic!("{wishes:?}") };
    let frame = packets.app.entry().expect("a row").seen.first.frame().to_string();
    let ladder = closewait(&["explain", APP, "--frame", &frame, "--utc"]);
    let lines = text(&ladder).0.lines().map(str::to_owned).collect();
    packets.app.update(AppEvent::Ladder(id, lines));
    let mut help = Desk::replay(APP, 100, 30);
    help.press(&[KeyCode::Char('?')]);
    [
        ("A capture is opened at its end", end),
        ("The third finding", first),
        ("A filter while it is typed", filter),
        ("The packets of a connection", packets),
        ("Help", help),
    ]
}

#[test]
fn the_manual_shows_the_screens_as_they_are() {
    let page = fs::read_to_string(project(PAGE)).expect("the page");
    let mut fresh = page.clone();
    for (title, desk) in screens() {
        let start = fresh.find(&format!("**{title}")).unwrap_or_else(|| panic!("no {title}"));
        let open = start + fresh[start..].find("```text\n").expect("a screen") + "```text\n".len();
        let close = open + fresh[open..].find("```\n").expect("its end");
        fresh.replace_range(open..close, &(desk.text().trim_end().to_owned() + "\n"));
    }
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() {
        fs::write(project(PAGE), &fresh).expect("the page");
        return;
    }
    assert!(fresh == page, "the screens of {PAGE} are others now: make screenshots");
}

/// The picture in README: a connection of the largest group, on a wide terminal.
#[test]
fn readme_shows_the_screen_as_it_is() {
    let mut desk = Desk::replay(APP, 124, 32);
    desk.press(&[KeyCode::Down, KeyCode::Enter]);
    let picture = svg(&desk.buffer(), "closewait top app.pcap");
    let path = project(".github/top.svg");
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() {
        fs::write(&path, &picture).expect("the picture");
        return;
    }
    let kept = fs::read_to_string(&path).expect("the picture");
    assert!(kept == picture, "the screen is another now: make screenshots");
    assert!(kept.len() < 60_000, "{} octets", kept.len());
}

/// The picture may come after keys were pressed: nothing is chosen that is not there.
#[test]
fn keys_before_the_first_picture_do_nothing() {
    let mut desk = Desk::of(Default::default(), 80, 24);
    let keys = "jkwcrsSfnN?be+-g12\u{8} /x";
    for key in keys.chars() {
        desk.type_text(&key.to_string());
        desk.press(&[KeyCode::Enter, KeyCode::Tab, KeyCode::Down, KeyCode::PageUp]);
        assert_eq!(desk.lines().len(), 24);
    }
    desk.app.update(AppEvent::Picture(Arc::default()));
}
