//! Any text as a saved list of sockets: alone, and beside a capture.

#![no_main]

use anstream::ColorChoice;
use closewait::commands::format;
use closewait::commands::sockets::saved::one;
use closewait::commands::sockets::{Narrow, SocketsCommand};
use closewait::owner::kernel::Netns;
use closewait::owner::{Socket, SocketList, saved};
use closewait::report::lang::Lang;
use closewait::run::Plan;
use closewait_fuzz::{Format, assert_printable, dice, input, plan, report, without_styles};
use libfuzzer_sys::fuzz_target;

/// Some list names its connection, most do not.
const CAPTURE: &[u8] = include_bytes!("../../fixtures/captures/incident.pcap");

fuzz_target!(|text: &str| {
    let saved = match saved::parse(text) {
        Ok(saved) => saved,
        Err(error) => {
            assert_printable(&error.to_string(), &[]);
            return;
        }
    };
    if let Some(unread) = &saved.unread {
        // CR alone ends a line, and so does `\n` as it is written.
        let lines = 1 + text.matches(['\n', '\r', '\\']).count();
        assert!((1..=lines).contains(&unread.line));
        assert_printable(&unread.to_string(), &[]);
    }
    assert!(saved.moments.iter().all(|moment| !moment.sockets.is_empty()));
    let sockets: Vec<Socket> =
        saved.moments.iter().flat_map(|moment| moment.sockets.iter().cloned()).collect();
    // A line may hold several, each of some words.
    assert!(sockets.len() <= text.lines().count() + text.len() / 8);
    for socket in &sockets {
        for holder in &socket.holders {
            assert_printable(&holder.command, &[]);
        }
        assert_printable(socket.netns.as_deref().unwrap_or_default(), &[]);
    }
    let list = SocketList::new(sockets.clone());
    assert!(sockets.iter().all(|socket| list.find(socket.local, socket.peer).is_some()));
    if dice(text.as_bytes(), 2) == 0 {
        let format = [Format::Text, Format::Jsonl, Format::Csv][dice(text.as_bytes(), 3)];
        let plan = plan(&[input(CAPTURE)]);
        report(Plan { sockets: Some(list), ..plan }, format).check(format);
        return;
    }
    let lang = [Lang::English, Lang::Chinese][dice(text.as_bytes(), 4) % 2];
    for format in [format::Format::Text, format::Format::Jsonl, format::Format::Csv] {
        let mut out = Vec::new();
        one(&asked(format, lang), &mut out, None, saved.clone()).expect("memory");
        let out = String::from_utf8(out).expect("UTF-8");
        assert_printable(&without_styles(&out), &['\r', '\n']);
    }
});

/// `closewait sockets --all --top 0`.
fn asked(format: format::Format, lang: Lang) -> SocketsCommand {
    SocketsCommand {
        files: Vec::new(),
        netns: Netns::Own,
        narrow: Narrow::default(),
        all: true,
        format,
        top: 0,
        color: ColorChoice::Never,
        output: None,
        watch: None,
        rounds: None,
        code: false,
        frames: false,
        lang: Some(lang),
    }
}
